//! Data sets out of files.
//!
//! Files are listed and cut into splits when the data set is made, so that a path that does not exist is an error there; they
//! are read when an action needs them. Paths are Hadoop's: comma lists, globs, directories, `file:`, `hdfs:` and `s3a:`.

use std::{io, panic::Location};

use bytes::Bytes;
use firesteel_conf::keys;
use firesteel_filesystem::{
    Codec, CombineOptions, FileSplit, FileStatus, FileSystems, HadoopConf, HadoopPropertyError, InputOptions,
    LineOptions, LineReader, ListInputError, RecordDelimiter, SplitOptions, combine_files, decode_utf8, file_splits,
    list_input,
};
use firesteel_model::{RddId, TaskLocation};

use crate::{
    call_site::Scope,
    context::SparkContext,
    data::{Data, encode},
    error::{SparkError, chain},
    hadoop::HadoopProperties,
    lineage::{NewRdd, Payloads},
    operator::{BinaryRecords, ObjectFile, ReadEnv, TextFile, WholeFiles},
    rdd::Rdd,
};

/// Input that was listed.
pub(crate) struct Input {
    pub(crate) hadoop: HadoopProperties,
    pub(crate) conf: HadoopConf,
    systems: FileSystems,
    files: Vec<FileStatus>,
}

impl Input {
    fn list(context: &SparkContext, paths: &str) -> Result<Self, SparkError> {
        Self::list_with(context, paths, &[])
    }

    /// With settings that override Hadoop's.
    pub(crate) fn list_with(
        context: &SparkContext,
        paths: &str,
        settings: &[(String, String)],
    ) -> Result<Self, SparkError> {
        Self::list_as(context, paths, settings, InputOptions::from_conf)
    }

    fn list_as(
        context: &SparkContext,
        paths: &str,
        settings: &[(String, String)],
        options: fn(&HadoopConf) -> Result<InputOptions, HadoopPropertyError>,
    ) -> Result<Self, SparkError> {
        let (hadoop, conf) = HadoopProperties::with(context, settings)?;
        let systems = FileSystems::new(conf.clone());
        let options = options(&conf).map_err(configuration)?;
        let files = list_input(&systems, paths, options).map_err(not_listed)?;
        Ok(Self { hadoop, conf, systems, files })
    }

    fn splits(&self, min_partitions: u32) -> Result<Vec<FileSplit>, SparkError> {
        self.splits_with(min_partitions, &SplitOptions::from_conf(&self.conf).map_err(configuration)?)
    }

    /// As many lines in each as said. The driver reads the files for that, as Hadoop's does.
    pub(crate) fn splits_of_lines(&self, lines: u64, options: &LineOptions) -> Result<Vec<FileSplit>, SparkError> {
        let mut splits = Vec::new();
        for file in &self.files {
            let whole = FileSplit::whole(file);
            let io = |error: io::Error| SparkError::Io(format!("could not read {}: {error}", file.path));
            if Codec::of_path(&file.path).is_some() {
                splits.push(whole);
                continue;
            }
            let mut reader = LineReader::open(&self.systems, &whole, options.clone()).map_err(io)?;
            // Where the end of the line before it begins, what is behind it belongs to a split.
            let back = options.delimiter.as_ref().map_or(1, RecordDelimiter::length);
            let mut starts = Vec::new();
            let mut number = 0;
            while reader.next_line().map_err(io)?.is_some() {
                if number % lines == 0 {
                    starts.push(reader.line_start());
                }
                number += 1;
            }
            for (index, &begin) in starts.iter().enumerate() {
                let start = if index == 0 { 0 } else { begin - back };
                let end = starts.get(index + 1).map_or(file.length, |next| next - back);
                splits.push(FileSplit { path: file.path.clone(), start, length: end - start, hosts: Vec::new() });
            }
        }
        Ok(splits)
    }

    pub(crate) fn splits_with(
        &self,
        min_partitions: u32,
        options: &SplitOptions,
    ) -> Result<Vec<FileSplit>, SparkError> {
        file_splits(&self.systems, &self.files, min_partitions as usize, options)
            .map_err(|error| SparkError::Io(chain(&error)))
    }
}

fn not_listed(error: ListInputError) -> SparkError {
    match error {
        ListInputError::NotFound { .. } | ListInputError::NoMatch { .. } => SparkError::InputNotFound(chain(&error)),
        ListInputError::NoPath | ListInputError::Path(_) => SparkError::InvalidArgument(chain(&error)),
        _ => SparkError::Io(chain(&error)),
    }
}

pub(crate) fn configuration(error: impl std::error::Error) -> SparkError {
    SparkError::Configuration(chain(&error))
}

impl SparkContext {
    /// How many partitions files are cut into at least, where nothing says otherwise: 2, or 1 if
    /// [`Self::default_parallelism`] is 1.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!((spark.default_parallelism(), spark.default_min_partitions()), (2, 2));
    /// ```
    pub fn default_min_partitions(&self) -> u32 {
        self.default_parallelism().min(2)
    }

    /// The lines of text files: of all that a comma list of paths, globs and directories stands for. Files whose names tell a
    /// codec (`.gz`, `.bz2`, `.zst`, …) are decompressed, each in one partition unless it is bzip2; that and other files are
    /// cut at about their blocks. Malformed UTF-8 is replaced. Lazy, except that the files are listed now.
    ///
    /// # Errors
    ///
    /// [`SparkError::InputNotFound`] if a path does not exist, [`SparkError::Io`] if it cannot be listed.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("words.txt");
    /// std::fs::write(&path, "flint\nsteel\n").expect("the file is written");
    /// assert_eq!(spark.text_file(&path.to_string_lossy())?.collect()?, ["flint", "steel"]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn text_file(&self, paths: &str) -> Result<Rdd<String>, SparkError> {
        let _scope = Scope::enter("textFile");
        self.text_file_with(paths, self.default_min_partitions())
    }

    /// As [`SparkContext::text_file`], in at least about so many partitions.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("words.txt");
    /// std::fs::write(&path, "flint\nsteel\n").expect("the file is written");
    /// assert_eq!(spark.text_file_with(&path.to_string_lossy(), 4)?.count()?, 2);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn text_file_with(&self, paths: &str, min_partitions: u32) -> Result<Rdd<String>, SparkError> {
        let _scope = Scope::enter("textFile");
        let input = Input::list(self, paths)?;
        let options = LineOptions::from_conf(&input.conf).map_err(configuration)?;
        let new = split_source("textFile", &input.splits(min_partitions)?);
        let env = self.read_env(input.hadoop)?;
        let lines =
            Rdd::source::<TextFile>(self, Location::caller(), new, |rdd_id| (ReadEnv { rdd_id, ..env }, options));
        lines.set_name(paths);
        Ok(lines)
    }

    /// Each file's path and whole text; small files share a partition. Decompresses as [`SparkContext::text_file`] does. Lazy,
    /// except that the files are listed now; each file must fit into memory.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// std::fs::write(directory.join("a.txt"), "one\ntwo\n").expect("the file is written");
    /// let files = spark.whole_text_files(&directory.to_string_lossy())?;
    /// assert_eq!(files.values().collect()?, ["one\ntwo\n"]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn whole_text_files(&self, paths: &str) -> Result<Rdd<(String, String)>, SparkError> {
        let _scope = Scope::enter("wholeTextFiles");
        self.whole_text_files_with(paths, self.default_min_partitions())
    }

    /// As [`SparkContext::whole_text_files`], in at least about so many partitions, if there are as many files.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// for name in ["a", "b", "c"] {
    ///     std::fs::write(directory.join(name), name).expect("the file is written");
    /// }
    /// let files = spark.whole_text_files_with(&directory.to_string_lossy(), 3)?;
    /// assert_eq!(files.values().glom().collect()?, [["a"], ["b"], ["c"]]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn whole_text_files_with(&self, paths: &str, min_partitions: u32) -> Result<Rdd<(String, String)>, SparkError> {
        let _scope = Scope::enter("wholeTextFiles");
        let files = self.whole_files("wholeTextFiles", paths, min_partitions, true)?;
        Ok(files.map_values(|content| decode_utf8(&content)))
    }

    /// Each file's path and whole content, as it is stored. Lazy, except that the files are listed now; each file must fit
    /// into memory.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// std::fs::write(directory.join("a.bin"), [1, 2, 3]).expect("the file is written");
    /// let files = spark.binary_files(&directory.to_string_lossy())?;
    /// assert_eq!(files.values().first()?.as_ref(), [1, 2, 3]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn binary_files(&self, paths: &str) -> Result<Rdd<(String, Bytes)>, SparkError> {
        let _scope = Scope::enter("binaryFiles");
        self.binary_files_with(paths, self.default_min_partitions())
    }

    /// As [`SparkContext::binary_files`], in at least about so many partitions, if there are as many files; as in Spark, the
    /// default parallelism counts if it is larger.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// for name in ["a", "b", "c"] {
    ///     std::fs::write(directory.join(name), name).expect("the file is written");
    /// }
    /// let files = spark.binary_files_with(&directory.to_string_lossy(), 3)?;
    /// assert_eq!(files.values().map(|content| content[0]).glom().collect()?, [[b'a'], [b'b'], [b'c']]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn binary_files_with(&self, paths: &str, min_partitions: u32) -> Result<Rdd<(String, Bytes)>, SparkError> {
        let _scope = Scope::enter("binaryFiles");
        self.whole_files("binaryFiles", paths, min_partitions.max(self.default_parallelism()), false)
    }

    /// The records of binary files in which each record takes `record_length` bytes. Lazy, except that the files are listed
    /// now. A file that ends within a record fails the action.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the length is 0, [`SparkError::Io`] if a path cannot be listed or a file is compressed (`.gz`, …).
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// std::fs::write(directory.join("a.bin"), [1, 2, 3, 4]).expect("the file is written");
    /// let records = spark.binary_records(&directory.to_string_lossy(), 2)?;
    /// assert_eq!(records.map(|record| record[0]).collect()?, [1, 3]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn binary_records(&self, paths: &str, record_length: u32) -> Result<Rdd<Bytes>, SparkError> {
        let _scope = Scope::enter("binaryRecords");
        if record_length == 0 {
            return Err(SparkError::InvalidArgument("the length of binary records must be positive".to_owned()));
        }
        let input = Input::list(self, paths)?;
        if let Some(file) = input.files.iter().find(|file| Codec::of_path(&file.path).is_some()) {
            return Err(SparkError::Io(format!(
                "{} is compressed, as its name says, and records of one length are not found in compressed files; decompress it, \
                 or leave it out",
                file.path
            )));
        }
        let new = split_source("binaryRecords", &input.splits(self.default_min_partitions())?);
        let env = self.read_env(input.hadoop)?;
        Ok(Rdd::source::<BinaryRecords>(self, Location::caller(), new, |rdd_id| {
            (ReadEnv { rdd_id, ..env }, record_length)
        }))
    }

    /// What [`Rdd::save_as_object_file`] saved. `T` must be the type that it was saved with. Lazy, except that the files are
    /// listed now.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("pairs").to_string_lossy().into_owned();
    /// spark.parallelize([(1, 'a'), (2, 'b')], 2).save_as_object_file(&path)?;
    /// assert_eq!(spark.object_file::<(i32, char)>(&path)?.collect()?, [(1, 'a'), (2, 'b')]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn object_file<T: Data>(&self, paths: &str) -> Result<Rdd<T>, SparkError> {
        let _scope = Scope::enter("objectFile");
        self.object_file_with(paths, self.default_min_partitions())
    }

    /// As [`SparkContext::object_file`], in at least about so many partitions.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("numbers").to_string_lossy().into_owned();
    /// spark.range(0, 10_000, 1, 1).save_as_object_file(&path)?;
    /// let numbers = spark.object_file_with::<i64>(&path, 3)?;
    /// assert_eq!((numbers.num_partitions(), numbers.sum()?), (3, 49_995_000));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn object_file_with<T: Data>(&self, paths: &str, min_partitions: u32) -> Result<Rdd<T>, SparkError> {
        let _scope = Scope::enter("objectFile");
        let input = Input::list(self, paths)?;
        let new = split_source("objectFile", &input.splits(min_partitions)?);
        let env = self.read_env(input.hadoop)?;
        Ok(Rdd::source::<ObjectFile<T>>(self, Location::caller(), new, |rdd_id| ReadEnv { rdd_id, ..env }))
    }

    #[track_caller]
    fn whole_files(
        &self,
        scope: &'static str,
        paths: &str,
        min_partitions: u32,
        decompress: bool,
    ) -> Result<Rdd<(String, Bytes)>, SparkError> {
        let input = Input::list_as(self, paths, &[], InputOptions::of_whole_files)?;
        let min_partitions = min_partitions as usize;
        let splits = combine_files(&input.files, &CombineOptions { min_partitions, ..CombineOptions::default() });
        let mut new = NewRdd::source(scope, splits.len() as u32).kind("BinaryFileRDD");
        new.payloads = payloads(&splits);
        let env = self.read_env(input.hadoop)?;
        let files =
            Rdd::source::<WholeFiles>(self, Location::caller(), new, |rdd_id| (ReadEnv { rdd_id, ..env }, decompress));
        files.set_name(paths);
        Ok(files)
    }

    pub(crate) fn read_env(&self, hadoop: HadoopProperties) -> Result<ReadEnv, SparkError> {
        Ok(ReadEnv {
            // Replaced when the data set has its number.
            rdd_id: RddId(0),
            hadoop,
            ignore_missing: self.conf().get(&keys::FILES_IGNORE_MISSING_FILES)?,
            ignore_corrupt: self.conf().get(&keys::FILES_IGNORE_CORRUPT_FILES)?,
        })
    }
}

/// One partition for each split, near the hosts that hold it.
pub(crate) fn split_source(scope: &'static str, splits: &[FileSplit]) -> NewRdd {
    let mut new = NewRdd::source(scope, splits.len() as u32).kind("HadoopRDD");
    new.payloads = payloads(splits);
    if splits.iter().any(|split| !split.hosts.is_empty()) {
        let hosts = |split: &FileSplit| split.hosts.iter().cloned().map(TaskLocation::Host).collect();
        new.preferred_locations = Some(splits.iter().map(hosts).collect());
    }
    new
}

fn payloads<S: serde::Serialize>(splits: &[S]) -> Payloads {
    let encoded = splits.iter().map(|split| {
        // A split is made of texts and numbers, which can always be written.
        Bytes::from(encode(split).unwrap_or_default())
    });
    Payloads::Each(encoded.collect())
}
