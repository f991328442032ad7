//! Data sets out of files in Hadoop's formats of keys and values.

use std::panic::Location;

use firesteel_filesystem::{HadoopConf, LineOptions, SplitOptions, Writable};

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
    /// `KeyValueTextInputFormat`: lines cut in two at the first tab, or at the first character of
    /// `mapreduce.input.keyvaluelinerecordreader.key.value.separator`; a line without one is a key with an empty value.
    KeyValueText,
    /// `NLineInputFormat`: as `Text`, in partitions of as many lines each as `mapreduce.input.lineinputformat.linespermap` says,
    /// which is 1 by default. A compressed file is one partition.
    NLine,
    /// `CombineTextInputFormat`: as `Text`, with all files in as few partitions as
    /// `mapreduce.input.fileinputformat.split.maxsize` allows; without it, in one.
    CombineText,
    /// `SequenceFileInputFormat`: what its writer put in.
    SequenceFile,
    /// `SequenceFileAsTextInputFormat`: the same as texts.
    SequenceFileAsText,
}

impl InputFormat {
    fn is_of_sequence_files(self) -> bool {
        matches!(self, Self::SequenceFile | Self::SequenceFileAsText)
    }
}

/// The names of today come first.
const SEPARATOR: [&str; 2] =
    ["mapreduce.input.keyvaluelinerecordreader.key.value.separator", "key.value.separator.in.input.line"];
const LINES_PER_MAP: [&str; 2] =
    ["mapreduce.input.lineinputformat.linespermap", "mapred.line.input.format.linespermap"];
const MAX_SIZE: &str = "mapreduce.input.fileinputformat.split.maxsize";

fn first_of(conf: &HadoopConf, names: [&str; 2]) -> Option<String> {
    names.into_iter().find_map(|name| conf.get_raw(name)).map(str::to_owned)
}

/// A line cut in two.
fn key_and_value(separator: &char, (_, line): (Writable, Writable)) -> (Writable, Writable) {
    let Writable::Text(line) = line else { return (line, Writable::Text(String::new())) };
    let (key, value) = line.split_once(*separator).unwrap_or((&line, ""));
    (Writable::Text(key.to_owned()), Writable::Text(value.to_owned()))
}

fn as_texts((key, value): (Writable, Writable)) -> (Writable, Writable) {
    (Writable::Text(key.to_string()), Writable::Text(value.to_string()))
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
        options.sequence_files = input.format.is_of_sequence_files();
        if input.min_partitions.is_none() {
            options.max_size = listed.conf.get_bytes(MAX_SIZE, options.max_size).map_err(configuration)?;
        }
        let lines = LineOptions::from_conf(&listed.conf).map_err(configuration)?;
        let mut splits = listed.splits_with(input.min_partitions.unwrap_or(1), &options)?;
        if input.format == InputFormat::NLine {
            let lines_per_map = first_of(&listed.conf, LINES_PER_MAP).unwrap_or_else(|| "1".to_owned());
            let lines_per_map = lines_per_map.trim().parse().ok().filter(|lines| *lines > 0).ok_or_else(|| {
                SparkError::Configuration(format!(
                    "{} is {lines_per_map:?}; it must be a number from 1 on",
                    LINES_PER_MAP[0]
                ))
            })?;
            splits = listed.splits_of_lines(lines_per_map, &lines)?;
        }
        let size = splits.iter().map(|split| split.length).sum::<u64>();
        let mut new = split_source("hadoopFile", &splits);
        // Only the older of Hadoop's interfaces is told how many partitions there should be.
        if input.min_partitions.is_none() {
            new = new.kind("NewHadoopRDD");
        }
        let combined = {
            let largest = listed.conf.get_bytes(MAX_SIZE, u64::MAX).map_err(configuration)?.max(1);
            u32::try_from(size.div_ceil(largest)).unwrap_or(u32::MAX).max(1)
        };
        let separator = first_of(&listed.conf, SEPARATOR).and_then(|text| text.chars().next()).unwrap_or('\t');
        let env = self.read_env(listed.hadoop)?;
        let source = if input.format.is_of_sequence_files() {
            Rdd::source::<SequenceFile>(self, Location::caller(), new, |rdd_id| ReadEnv { rdd_id, ..env })
        } else {
            Rdd::source::<LinesWithPositions>(self, Location::caller(), new, |rdd_id| {
                (ReadEnv { rdd_id, ..env }, lines)
            })
        };
        let records = match input.format {
            InputFormat::Text | InputFormat::NLine | InputFormat::SequenceFile => source,
            InputFormat::KeyValueText => source.with(separator).map(key_and_value),
            InputFormat::SequenceFileAsText => source.map(as_texts),
            InputFormat::CombineText if source.num_partitions() == 0 => source,
            InputFormat::CombineText => source.coalesce(combined),
        };
        records.set_name(&input.paths);
        Ok(records)
    }
}
