//! Data sets out of files in Hadoop's formats of keys and values.

use std::panic::Location;

use firesteel_filesystem::{LineOptions, SplitOptions, Writable};

use crate::{
    call_site::Scope,
    context::SparkContext,
    error::SparkError,
    files::{Input, configuration, split_source},
    operator::{LinesWithPositions, ReadEnv, SequenceFile},
    rdd::Rdd,
};

/// A format of Hadoop's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InputFormat {
    /// `TextInputFormat`: lines as `Text`, and as keys the bytes before them in their file as `LongWritable`.
    Text,
    /// `SequenceFileInputFormat`: what its writer put in.
    SequenceFile,
}

/// What is to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HadoopInput {
    /// How.
    pub format: InputFormat,
    /// A comma list of paths, globs and directories.
    pub paths: String,
    /// At least about so many partitions; without it, one for each block, as by Hadoop's new API.
    pub min_partitions: Option<u32>,
    /// What overrides Hadoop's configuration here.
    pub settings: Vec<(String, String)>,
}

impl SparkContext {
    /// The keys and values of Hadoop's sequence files, of those classes that are built in. Lazy, except that the files are listed
    /// now.
    ///
    /// # Errors
    ///
    /// [`SparkError::Io`] if a path does not exist or cannot be listed.
    ///
    /// ```
    /// # use firesteel::Writable;
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("numbers").to_string_lossy().into_owned();
    /// let pairs = [(Writable::Int(1), Writable::Text("one".to_owned()))];
    /// spark.parallelize(pairs.clone(), 1).save_as_sequence_file(&path)?;
    /// assert_eq!(spark.sequence_file(&path)?.collect()?, pairs);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sequence_file(&self, paths: &str) -> Result<Rdd<(Writable, Writable)>, SparkError> {
        self.sequence_file_with(paths, self.default_min_partitions())
    }

    /// As [`SparkContext::sequence_file`], in at least about so many partitions, none of which is smaller than sync markers are
    /// apart.
    ///
    /// ```
    /// # use firesteel::Writable;
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("numbers").to_string_lossy().into_owned();
    /// let pairs = spark.range(0, 50_000, 1, 1).map(|number| (Writable::Null, Writable::Long(number)));
    /// pairs.save_as_sequence_file(&path)?;
    /// let numbers = spark.sequence_file_with(&path, 3)?;
    /// assert_eq!((numbers.num_partitions(), numbers.count()?), (3, 50_000));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sequence_file_with(
        &self,
        paths: &str,
        min_partitions: u32,
    ) -> Result<Rdd<(Writable, Writable)>, SparkError> {
        let _scope = Scope::enter("sequenceFile");
        self.hadoop_file(&HadoopInput {
            format: InputFormat::SequenceFile,
            paths: paths.to_owned(),
            min_partitions: Some(min_partitions),
            settings: Vec::new(),
        })
    }

    /// Keys and values of a format of Hadoop's. Lazy, except that the files are listed now.
    ///
    /// # Errors
    ///
    /// [`SparkError::Io`] if a path does not exist or cannot be listed, [`SparkError::Configuration`] if a setting is wrong.
    ///
    /// ```
    /// # use firesteel::{HadoopInput, InputFormat, Writable};
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("words.txt");
    /// std::fs::write(&path, "flint\nsteel\n").expect("the file is written");
    /// let lines = spark.hadoop_file(&HadoopInput {
    ///     format: InputFormat::Text,
    ///     paths: path.to_string_lossy().into_owned(),
    ///     min_partitions: None,
    ///     settings: vec![],
    /// })?;
    /// let text = |text: &str| Writable::Text(text.to_owned());
    /// assert_eq!(lines.collect()?, [(Writable::Long(0), text("flint")), (Writable::Long(6), text("steel"))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn hadoop_file(&self, input: &HadoopInput) -> Result<Rdd<(Writable, Writable)>, SparkError> {
        let _scope = Scope::enter("hadoopFile");
        let listed = Input::list_with(self, &input.paths, &input.settings)?;
        let mut options = SplitOptions::from_conf(&listed.conf).map_err(configuration)?;
        options.sequence_files = input.format == InputFormat::SequenceFile;
        if input.min_partitions.is_none() {
            const MAX_SIZE: &str = "mapreduce.input.fileinputformat.split.maxsize";
            options.max_size = listed.conf.get_bytes(MAX_SIZE, options.max_size).map_err(configuration)?;
        }
        let splits = listed.splits_with(input.min_partitions.unwrap_or(1), &options)?;
        let mut new = split_source("hadoopFile", &splits);
        // Only the older of Hadoop's interfaces is told how many partitions there should be.
        if input.min_partitions.is_none() {
            new = new.kind("NewHadoopRDD");
        }
        let lines = LineOptions::from_conf(&listed.conf).map_err(configuration)?;
        let env = self.read_env(listed.hadoop)?;
        let records = match input.format {
            InputFormat::SequenceFile => {
                Rdd::source::<SequenceFile>(self, Location::caller(), new, |rdd_id| ReadEnv { rdd_id, ..env })
            }
            InputFormat::Text => Rdd::source::<LinesWithPositions>(self, Location::caller(), new, |rdd_id| {
                (ReadEnv { rdd_id, ..env }, lines)
            }),
        };
        records.set_name(&input.paths);
        Ok(records)
    }
}
