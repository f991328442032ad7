//! Data sets into files.
//!
//! A job's output is there as a whole or not at all: tasks write where nobody looks, and what they wrote becomes visible by a
//! committer's steps. Of several attempts at a partition the driver lets one commit (RT-37).

use std::{
    fmt::Display,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_filesystem::{
    Codec, CommitError, FileError, FileSystems, HadoopConf, ObjectFileCodec, ObjectFileDescription, ObjectFileWriter,
    OutputCommitter, OutputSpec, TaskAttempt, part_file_name,
};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{
    call_site::Scope,
    data::{Data, Records, encode},
    env::Env,
    error::{SparkError, chain},
    hadoop::HadoopProperties,
    operator::object_type,
    output_commit::ask_to_commit,
    rdd::Rdd,
    writing,
};

/// What tasks that write are told.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WriteEnv<P> {
    pub(crate) hadoop: HadoopProperties,
    pub(crate) spec: OutputSpec,
    /// What is to be known of each file.
    pub(crate) part: P,
}

/// A task could not write its partition.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WritePartitionError {
    #[error("could not write the output of partition {partition}")]
    File {
        partition: u32,
        #[source]
        source: FileError,
    },
    #[error("could not write the output of partition {partition}")]
    Io {
        partition: u32,
        #[source]
        source: std::io::Error,
    },
    #[error("could not commit the output of partition {partition}")]
    Commit {
        partition: u32,
        #[source]
        source: CommitError,
    },
    #[error("could not ask the driver whether the output of partition {partition} may be committed")]
    Ask {
        partition: u32,
        #[source]
        source: firesteel_executor::AskError,
    },
    #[error("a record of type {type_name} cannot be encoded: {message}")]
    Encode { type_name: &'static str, message: String },
    #[error(
        "wrong {what} class: {found} is not class {wanted}, which the file is for; say the class that all of them have"
    )]
    Class { what: &'static str, found: &'static str, wanted: &'static str },
}

impl<T: Data + Display> Rdd<T> {
    /// Writes each partition to a text file in the directory `path`, a line for each record. An action. The directory must not
    /// exist yet, and holds nothing until the job succeeds.
    ///
    /// # Errors
    ///
    /// [`SparkError::OutputExists`] if the directory exists, [`SparkError::Io`] if it cannot be written, and those of every
    /// action.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("numbers").to_string_lossy().into_owned();
    /// spark.parallelize(1..=4, 2).save_as_text_file(&path)?;
    /// assert_eq!(spark.text_file(&path)?.collect()?, ["1", "2", "3", "4"]);
    /// assert!(spark.range(0, 9, 1, 1).save_as_text_file(&path).is_err());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_file(&self, path: &str) -> Result<(), SparkError> {
        let _scope = Scope::enter("saveAsTextFile");
        let (hadoop, conf) = HadoopProperties::of(self.context())?;
        let codec = configured_codec(&conf)?;
        self.save(path, hadoop, conf, codec, write_lines)
    }

    /// As [`Rdd::save_as_text_file`]; the files are compressed.
    ///
    /// ```
    /// # use firesteel::Codec;
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("numbers").to_string_lossy().into_owned();
    /// spark.parallelize(1..=4, 2).save_as_compressed_text_file(&path, Codec::Gzip)?;
    /// assert_eq!(spark.text_file(&path)?.count()?, 4);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn save_as_compressed_text_file(&self, path: &str, codec: Codec) -> Result<(), SparkError> {
        let _scope = Scope::enter("saveAsTextFile");
        let (hadoop, conf) = HadoopProperties::of(self.context())?;
        self.save(path, hadoop, conf, Some(codec), write_lines)
    }
}

impl<T: Data> Rdd<T> {
    /// Writes each partition to a file of encoded records in the directory `path`, to be read by
    /// [`SparkContext::object_file`](crate::SparkContext::object_file) of a program that knows the same type. An action. The
    /// format is Firesteel's own, not Hadoop's sequence file.
    ///
    /// # Errors
    ///
    /// [`SparkError::OutputExists`] if the directory exists, [`SparkError::Io`] if it cannot be written, and those of every
    /// action.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// # let directory = firesteel::examples::directory();
    /// let path = directory.join("numbers").to_string_lossy().into_owned();
    /// spark.parallelize(1..=4, 2).save_as_object_file(&path)?;
    /// assert_eq!(spark.object_file::<i32>(&path)?.sum()?, 10);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn save_as_object_file(&self, path: &str) -> Result<(), SparkError> {
        let _scope = Scope::enter("saveAsObjectFile");
        let (hadoop, conf) = HadoopProperties::of(self.context())?;
        self.save(path, hadoop, conf, (), write_objects)
    }

    /// Runs a job that writes each partition by `write`, between the steps of its output.
    #[track_caller]
    pub(crate) fn save<P: Env, F>(
        &self,
        path: &str,
        hadoop: HadoopProperties,
        conf: HadoopConf,
        part: P,
        write: F,
    ) -> Result<(), SparkError>
    where
        F: Fn(&Attempt<'_, P>, Records<T>) -> Result<Written, WritePartitionError> + Copy + Send + Sync + 'static,
    {
        let systems = FileSystems::new(conf);
        let output = systems.path(path).map_err(|error| SparkError::Io(chain(&error)))?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let job_id = format!("{}_{:04}", since_epoch.as_nanos(), self.id().0);
        let spec = OutputSpec::from_conf(output, &job_id, systems.conf())
            .map_err(|error| SparkError::Configuration(chain(&error)))?;
        let io = |error: &dyn std::error::Error| SparkError::Io(chain(error));
        let committer = OutputCommitter::new(&systems, spec.clone()).map_err(|error| io(&error))?;
        let _writing = writing::job(&job_id);
        committer.setup_job().map_err(|error| match &error {
            CommitError::OutputExists { .. } => SparkError::OutputExists(chain(&error)),
            _ => io(&error),
        })?;
        let written = self.with(WriteEnv { hadoop, spec, part }).run_job(move |env, records| {
            write_partition(env, records, write).unwrap_or_else(|failure| failure.throw());
        });
        let committed =
            written.and_then(|_| committer.commit_partitions(self.num_partitions()).map_err(|error| io(&error)));
        committed.inspect_err(|_| {
            if !writing::wait_for_tasks(&job_id) {
                warn!(path, "a task of a job that failed still writes; what it leaves is not removed");
            }
            if let Err(error) = committer.abort_job() {
                warn!(path, error = chain(&error), "could not remove the output of a job that failed");
            }
        })
    }
}

/// The codec of text files that Hadoop's properties ask for; as in Hadoop, deflate if they do not say which.
pub(crate) fn configured_codec(conf: &HadoopConf) -> Result<Option<Codec>, SparkError> {
    const COMPRESS: &str = "mapreduce.output.fileoutputformat.compress";
    const CODEC: &str = "mapreduce.output.fileoutputformat.compress.codec";
    if !conf.get_bool(COMPRESS, false).map_err(|error| SparkError::Configuration(chain(&error)))? {
        return Ok(None);
    }
    let Some(codec) = conf.get(CODEC) else { return Ok(Some(Codec::Deflate)) };
    let unknown = |error| SparkError::Configuration(format!("{CODEC}: {error}"));
    codec.parse().map(Some).map_err(unknown)
}

/// What a partition came to.
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) records: u64,
}

/// An attempt at a partition's output. What it wrote is removed when it ends without a commit, however it ends.
pub(crate) struct Attempt<'a, P> {
    pub(crate) env: &'a WriteEnv<P>,
    pub(crate) committer: OutputCommitter,
    pub(crate) task: TaskAttempt,
    ended: bool,
}

impl<P> Attempt<'_, P> {
    fn abort(&mut self) {
        self.ended = true;
        if let Err(error) = self.committer.abort_task(self.task) {
            warn!(partition = self.task.partition, error = chain(&error), "could not remove the output of a task");
        }
    }
}

impl<P> Drop for Attempt<'_, P> {
    fn drop(&mut self) {
        if !self.ended {
            self.abort();
        }
    }
}

fn write_partition<T: Data, P>(
    env: &WriteEnv<P>,
    records: Records<T>,
    write: impl Fn(&Attempt<'_, P>, Records<T>) -> Result<Written, WritePartitionError>,
) -> Result<(), TaskFailure> {
    let context = TaskContext::get().expect("actions run in tasks");
    let partition = context.partition().0;
    let file = |source| TaskFailure::from_error(&WritePartitionError::File { partition, source });
    let commit = |source| TaskFailure::from_error(&WritePartitionError::Commit { partition, source });
    let systems = env.hadoop.file_systems();
    let committer = OutputCommitter::new(&systems, env.spec.clone()).map_err(file)?;
    let _writing = writing::task(&env.spec.job_id);
    // Unique among all attempts at the partition: those of one stage attempt are numbered, and so are stage attempts.
    let attempt = (context.stage().attempt.0 << 16) | context.attempt_number().0;
    let task = TaskAttempt { partition, attempt };
    let mut attempt = Attempt { env, committer, task, ended: false };
    attempt.committer.setup_task(task).map_err(commit)?;
    let written = write(&attempt, records).map_err(|error| match error {
        // The record is the same at the next attempt (RT-32).
        WritePartitionError::Encode { .. } | WritePartitionError::Class { .. } => TaskFailure::from_final_error(&error),
        error => TaskFailure::from_error(&error),
    })?;
    context.metrics().output_bytes_written.add(written.bytes);
    context.metrics().output_records_written.add(written.records);
    if !attempt.committer.needs_commit(task).map_err(file)? {
        attempt.ended = true;
        return Ok(());
    }
    ask_to_commit(&context, |source| TaskFailure::from_error(&WritePartitionError::Ask { partition, source }))?;
    attempt.committer.commit_task(task).map_err(commit)?;
    attempt.ended = true;
    Ok(())
}

fn write_lines<T: Data + Display>(
    attempt: &Attempt<'_, Option<Codec>>,
    records: Records<T>,
) -> Result<Written, WritePartitionError> {
    let partition = attempt.task.partition;
    let file = |source| WritePartitionError::File { partition, source };
    let mut part = attempt.committer.create_part(attempt.task, attempt.env.part).map_err(file)?;
    let mut count = 0;
    for record in records {
        writeln!(part, "{record}").map_err(|source| WritePartitionError::Io { partition, source })?;
        count += 1;
    }
    Ok(Written { bytes: part.finish().map_err(file)?, records: count })
}

fn write_objects<T: Data>(attempt: &Attempt<'_, ()>, records: Records<T>) -> Result<Written, WritePartitionError> {
    let partition = attempt.task.partition;
    let file = |source| WritePartitionError::File { partition, source };
    let name = part_file_name(partition, None);
    let created = attempt.committer.create_file(attempt.task, &name).map_err(file)?;
    let description = ObjectFileDescription { type_name: object_type::<T>(), codec: ObjectFileCodec::Lz4 };
    let path = attempt.env.spec.output.join(&name);
    let mut part = ObjectFileWriter::new(created, &path, &description).map_err(file)?;
    let mut count = 0;
    for record in records {
        let encoded = encode(&record).map_err(|error| WritePartitionError::Encode {
            type_name: std::any::type_name::<T>(),
            message: error.to_string(),
        })?;
        part.write(&encoded).map_err(file)?;
        count += 1;
    }
    Ok(Written { bytes: part.finish().map_err(file)?, records: count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_files_are_compressed_as_hadoops_properties_say() {
        let asked = |settings: &[(&str, &str)]| {
            let mut conf = HadoopConf::default();
            settings.iter().for_each(|(name, value)| {
                conf.set(name, value);
            });
            configured_codec(&conf)
        };
        let (compress, codec) =
            ("mapreduce.output.fileoutputformat.compress", "mapreduce.output.fileoutputformat.compress.codec");
        assert_eq!(asked(&[]).unwrap(), None);
        assert_eq!(asked(&[(codec, "gzip")]).unwrap(), None);
        assert_eq!(asked(&[(compress, "false"), (codec, "gzip")]).unwrap(), None);
        assert_eq!(asked(&[(compress, "true")]).unwrap(), Some(Codec::Deflate));
        let gzip = "org.apache.hadoop.io.compress.GzipCodec";
        assert_eq!(asked(&[(compress, "true"), (codec, gzip)]).unwrap(), Some(Codec::Gzip));
        let of_old = [("mapred.output.compress", "true"), ("mapred.output.compression.codec", gzip)];
        assert_eq!(asked(&of_old).unwrap(), Some(Codec::Gzip));
        let error = asked(&[(compress, "true"), (codec, "com.example.Lzo")]).unwrap_err().to_string();
        assert!(error.contains(codec) && error.contains("com.example.Lzo"), "{error}");
    }
}
