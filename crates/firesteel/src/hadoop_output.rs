//! Data sets into files in Hadoop's formats of keys and values.

use std::io::Write;

use firesteel_filesystem::{
    Codec, HadoopConf, PartWriter, SequenceFileCompression, SequenceFileDescription, SequenceFileError,
    SequenceFileWriter, Writable, WritableClass,
};
use serde::{Deserialize, Serialize};

use crate::{
    call_site::Scope,
    data::Records,
    error::SparkError,
    hadoop::HadoopProperties,
    rdd::Rdd,
    save::{Attempt, WritePartitionError, Written, configured_codec},
};

/// A format of Hadoop's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OutputFormat {
    /// `TextOutputFormat`: a line for each pair, with a tab between key and value, unless
    /// `mapreduce.output.textoutputformat.separator` says otherwise. Of a pair with `NullWritable` only the other is there.
    Text,
    /// `SequenceFileOutputFormat`
    SequenceFile,
}

/// What is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HadoopOutput {
    /// How.
    pub format: OutputFormat,
    /// The output directory, which must not exist.
    pub path: String,
    /// The class of all keys; text is of any class.
    pub key_class: WritableClass,
    /// The class of all values.
    pub value_class: WritableClass,
    /// What files' names begin with: `part-`, or `part-r-` by Hadoop's new API.
    pub file_prefix: String,
    /// What overrides Hadoop's configuration here, such as what output is compressed by.
    pub settings: Vec<(String, String)>,
}

/// What tasks are told.
#[derive(Clone, Serialize, Deserialize)]
struct Part {
    format: OutputFormat,
    key_class: WritableClass,
    value_class: WritableClass,
    prefix: String,
    codec: Option<Codec>,
    compress_type: CompressType,
    separator: String,
}

impl Rdd<(Writable, Writable)> {
    /// Writes each partition to one of Hadoop's sequence files in the directory `path`. An action. All keys are of the class that
    /// the first one is of, and so are values.
    ///
    /// # Errors
    ///
    /// [`SparkError::OutputExists`] if the directory exists, [`SparkError::EmptyCollection`], [`SparkError::Io`] if it cannot be
    /// written, and those of every action.
    ///
    /// ```
    /// # use firesteel::Writable;
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("squares").to_string_lossy().into_owned();
    /// let squares = spark.parallelize(1..=3, 2).map(|n| (Writable::Int(n), Writable::Long(i64::from(n * n))));
    /// squares.save_as_sequence_file(&path)?;
    /// assert_eq!(spark.sequence_file(&path)?.values().collect()?, [1, 4, 9].map(Writable::Long));
    /// assert!(squares.save_as_sequence_file(&path).is_err());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn save_as_sequence_file(&self, path: &str) -> Result<(), SparkError> {
        let _scope = Scope::enter("saveAsSequenceFile");
        self.save_sequence_file(path, Vec::new())
    }

    /// As [`Rdd::save_as_sequence_file`]; many records are compressed together.
    ///
    /// ```
    /// # use firesteel::{Codec, Writable};
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("zeros").to_string_lossy().into_owned();
    /// let zeros = spark.range(0, 1000, 1, 1).map(|n| (Writable::Long(n), Writable::Double(0.0)));
    /// zeros.save_as_compressed_sequence_file(&path, Codec::Zstandard)?;
    /// assert_eq!(spark.sequence_file(&path)?.count()?, 1000);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn save_as_compressed_sequence_file(&self, path: &str, codec: Codec) -> Result<(), SparkError> {
        let _scope = Scope::enter("saveAsSequenceFile");
        self.save_sequence_file(path, HadoopOutput::compressed_in_blocks(codec))
    }

    #[track_caller]
    fn save_sequence_file(&self, path: &str, settings: Vec<(String, String)>) -> Result<(), SparkError> {
        let first = self.take(1)?;
        let (key, value) = first.first().ok_or(SparkError::EmptyCollection { operation: "saveAsSequenceFile" })?;
        self.save_as_hadoop_file(&HadoopOutput {
            format: OutputFormat::SequenceFile,
            path: path.to_owned(),
            key_class: key.class(),
            value_class: value.class(),
            file_prefix: "part-".to_owned(),
            settings,
        })
    }

    /// Writes each partition to a file of a format of Hadoop's. An action.
    ///
    /// # Errors
    ///
    /// As [`Rdd::save_as_sequence_file`]; [`SparkError::Configuration`] if a setting is wrong.
    ///
    /// ```
    /// # use firesteel::{HadoopOutput, OutputFormat, Writable, WritableClass};
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("lines").to_string_lossy().into_owned();
    /// let pairs = spark.parallelize([(Writable::Int(1), Writable::Double(1.0))], 1);
    /// pairs.save_as_hadoop_file(&HadoopOutput {
    ///     format: OutputFormat::Text,
    ///     path: path.clone(),
    ///     key_class: WritableClass::Int,
    ///     value_class: WritableClass::Double,
    ///     file_prefix: "part-r-".to_owned(),
    ///     settings: vec![],
    /// })?;
    /// assert_eq!(spark.text_file(&format!("{path}/part-r-00000"))?.collect()?, ["1\t1.0"]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn save_as_hadoop_file(&self, output: &HadoopOutput) -> Result<(), SparkError> {
        let _scope = Scope::enter("saveAsHadoopFile");
        let (hadoop, conf) = HadoopProperties::with(self.context(), &output.settings)?;
        const SEPARATOR: &str = "mapreduce.output.textoutputformat.separator";
        let part = Part {
            format: output.format,
            key_class: output.key_class,
            value_class: output.value_class,
            prefix: output.file_prefix.clone(),
            codec: configured_codec(&conf)?,
            compress_type: compress_type(&conf)?,
            // A separator may well be a blank.
            separator: conf.get_raw(SEPARATOR).unwrap_or("\t").to_owned(),
        };
        match output.format {
            OutputFormat::Text => self.save(&output.path, hadoop, conf, part, write_text),
            OutputFormat::SequenceFile => self.save(&output.path, hadoop, conf, part, write_sequence_file),
        }
    }
}

impl HadoopOutput {
    /// The settings by which sequence files are compressed in blocks, and text as a whole.
    ///
    /// ```
    /// # use firesteel::{Codec, HadoopOutput};
    /// let settings = HadoopOutput::compressed_in_blocks(Codec::Gzip);
    /// assert!(settings.iter().any(|(_, value)| value == "org.apache.hadoop.io.compress.GzipCodec"));
    /// ```
    pub fn compressed_in_blocks(codec: Codec) -> Vec<(String, String)> {
        let settings = [
            ("mapreduce.output.fileoutputformat.compress", "true"),
            ("mapreduce.output.fileoutputformat.compress.codec", codec.class_name()),
            (COMPRESS_TYPE, "BLOCK"),
        ];
        settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    }
}

const COMPRESS_TYPE: &str = "mapreduce.output.fileoutputformat.compress.type";

/// What of a sequence file is compressed, if output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum CompressType {
    None,
    Record,
    Block,
}

fn compress_type(conf: &HadoopConf) -> Result<CompressType, SparkError> {
    match conf.get(COMPRESS_TYPE) {
        None | Some("RECORD") => Ok(CompressType::Record),
        Some("NONE") => Ok(CompressType::None),
        Some("BLOCK") => Ok(CompressType::Block),
        Some(other) => {
            Err(SparkError::Configuration(format!("{COMPRESS_TYPE} is {other:?}, but NONE, RECORD or BLOCK is wanted")))
        }
    }
}

fn write_text(
    attempt: &Attempt<'_, Part>,
    records: Records<(Writable, Writable)>,
) -> Result<Written, WritePartitionError> {
    let (partition, part) = (attempt.task.partition, &attempt.env.part);
    let file = |source| WritePartitionError::File { partition, source };
    let name = format!("{}{partition:05}{}", part.prefix, part.codec.map_or("", Codec::suffix));
    let created = attempt.committer.create_file(attempt.task, &name).map_err(file)?;
    let mut output = PartWriter::new(created, part.codec, &attempt.env.spec.output.join(&name)).map_err(file)?;
    let mut count = 0;
    for record in records {
        let written = match &record {
            (Writable::Null, Writable::Null) => Ok(()),
            (Writable::Null, only) | (only, Writable::Null) => writeln!(output, "{only}"),
            (key, value) => writeln!(output, "{key}{}{value}", part.separator),
        };
        written.map_err(|source| WritePartitionError::Io { partition, source })?;
        count += 1;
    }
    Ok(Written { bytes: output.finish().map_err(file)?, records: count })
}

fn write_sequence_file(
    attempt: &Attempt<'_, Part>,
    records: Records<(Writable, Writable)>,
) -> Result<Written, WritePartitionError> {
    let (partition, part) = (attempt.task.partition, &attempt.env.part);
    let file = |source| WritePartitionError::File { partition, source };
    let name = format!("{}{partition:05}", part.prefix);
    let created = attempt.committer.create_file(attempt.task, &name).map_err(file)?;
    let path = attempt.env.spec.output.join(&name);
    let compression = match (part.codec, part.compress_type) {
        (None, _) | (_, CompressType::None) => SequenceFileCompression::None,
        (Some(codec), CompressType::Record) => SequenceFileCompression::Record(codec),
        (Some(codec), CompressType::Block) => SequenceFileCompression::Block(codec),
    };
    let (key_class, value_class) = (part.key_class.name().to_owned(), part.value_class.name().to_owned());
    let description = SequenceFileDescription { key_class, value_class, compression };
    let conf = attempt.env.hadoop.conf();
    let mut output = SequenceFileWriter::new(created, &path, &description, &conf).map_err(|error| match error {
        SequenceFileError::File(source) => file(source),
        SequenceFileError::Property(error) => {
            WritePartitionError::Io { partition, source: std::io::Error::new(std::io::ErrorKind::InvalidInput, error) }
        }
    })?;
    let mut count = 0;
    let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
    for (key, value) in records {
        encode("key", &key, part.key_class, &mut key_bytes)?;
        encode("value", &value, part.value_class, &mut value_bytes)?;
        output.write(&key_bytes, &value_bytes).map_err(file)?;
        count += 1;
    }
    Ok(Written { bytes: output.finish().map_err(file)?, records: count })
}

fn encode(
    what: &'static str,
    value: &Writable,
    class: WritableClass,
    output: &mut Vec<u8>,
) -> Result<(), WritePartitionError> {
    if value.class() != class {
        return Err(WritePartitionError::Class { what, found: value.class().name(), wanted: class.name() });
    }
    output.clear();
    value
        .encode(output)
        .map_err(|error| WritePartitionError::Encode { type_name: value.class().name(), message: error.to_string() })
}
