//! Input and output files with Hadoop's semantics.
//!
//! Everything by which the engine reads input files and writes output files: local files, S3 and HDFS behind one
//! [`FileSystem`]; globs and comma lists; splits; lines; compressed files; output that is committed or not there at all; and a
//! container for objects. Shuffle and spill files are not its business: they have one writer, one reader and no name that
//! a user knows. Nor is it decided here which attempt of a task may commit.
//!
//! ```
//! use firesteel_filesystem::*;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let input = directory.path().join("input.txt");
//! # std::fs::write(&input, "one\ntwo\n")?;
//! # let (input, output) = (input.display().to_string(), directory.path().join("output").display().to_string());
//! let conf = HadoopConf::from_spark([("spark.hadoop.fs.s3a.endpoint.region", "eu-west-1")]).with_environment()?;
//! let systems = FileSystems::new(conf);
//! let files = list_input(&systems, &input, InputOptions::from_conf(systems.conf())?)?;
//! let splits = file_splits(&systems, &files, 2, &SplitOptions::from_conf(systems.conf())?)?;
//!
//! let job = OutputCommitter::new(
//!     &systems,
//!     OutputSpec::from_conf(systems.path(&output)?, "202611211345_0001", systems.conf())?,
//! )?;
//! job.setup_job()?;
//! for (partition, split) in splits.iter().enumerate() {
//!     // On an executor, with a committer made from `job.spec()`.
//!     let task = TaskAttempt { partition: partition as u32, attempt: 0 };
//!     job.setup_task(task)?;
//!     let mut part = job.create_part(task, Some("gzip".parse()?))?;
//!     let mut lines = LineReader::open(&systems, split, LineOptions::default())?;
//!     while let Some(line) = lines.next_line()? {
//!         std::io::Write::write_all(&mut part, &[line, b"\n"].concat())?;
//!     }
//!     part.finish()?;
//!     job.commit_task(task)?;
//! }
//! job.commit_job()?;
//! # assert!(directory.path().join("output/_SUCCESS").exists() && directory.path().join("output/part-00001.gz").exists());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod codec;
mod error;
mod file_system;
mod file_systems;
mod hadoop_conf;
#[cfg(feature = "hdfs")]
mod hdfs;
#[cfg(feature = "http")]
mod http;
mod input;
mod local;
mod object_file;
mod output;
mod path;
#[cfg(any(feature = "s3", feature = "hdfs", feature = "http"))]
mod runtime;
#[cfg(feature = "s3")]
mod s3;
mod sequence_file;
#[cfg(any(feature = "s3", feature = "hdfs"))]
mod stream_reader;
mod umask;
mod writable;

pub use codec::{Codec, Decoder, Encoder, UnknownCodecError};
pub use error::{BoxedError, FileError, FileIoError};
pub use file_system::{
    BlockLocation, Existing, FileRead, FileStatus, FileSystem, FileWrite, PendingUpload, PendingUploads, PendingWrite,
};
pub use file_systems::FileSystems;
pub use hadoop_conf::{HadoopConf, HadoopPropertyError, LoadHadoopConfError};
#[cfg(feature = "hdfs")]
pub use hdfs::HdfsFileSystem;
#[cfg(feature = "http")]
pub use http::{HttpFile, OpenHttpError};
pub use input::{
    CombineOptions, CombinedSplit, FileSplit, GlobError, GlobPattern, InputOptions, LineOptions, LineReader, Lines,
    ListInputError, RecordDelimiter, SplitOptions, SubDirectories, combine_files, decode_utf8, decode_utf8_into,
    file_splits, find_files, list_input, open_input, read_whole_file,
};
pub use local::{LOCAL_BLOCK_SIZE, LocalFileSystem};
pub use object_file::{ObjectFileCodec, ObjectFileDescription, ObjectFileReader, ObjectFileWriter};
pub use output::{CommitAlgorithm, CommitError, OutputCommitter, OutputSpec, PartWriter, TaskAttempt, part_file_name};
pub use path::{FilePath, ParsePathError, Scheme, split_comma_list};
#[cfg(feature = "s3")]
pub use s3::S3FileSystem;
pub use sequence_file::{
    SequenceFileCompression, SequenceFileDescription, SequenceFileError, SequenceFileReader, SequenceFileWriter,
};
pub use writable::{DecodeWritableError, EncodeWritableError, UnknownWritableError, Writable, WritableClass};
