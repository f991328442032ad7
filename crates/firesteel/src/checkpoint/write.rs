//! The jobs that make checkpoints.

use std::{marker::PhantomData, sync::Arc};

use firesteel_executor::{AskError, TaskContext, TaskFailure};
use firesteel_filesystem::{Existing, FileError, FilePath, ObjectFileCodec, ObjectFileDescription, ObjectFileWriter};
use firesteel_model::Partition;
use serde::{Deserialize, Serialize};

use super::operators::{part_name, record_type};
use crate::{
    action::Action,
    call_site::CallSite,
    context::SparkContext,
    data::{Data, Records, encode},
    error::SparkError,
    hadoop::HadoopProperties,
    lineage::RddCore,
    output_commit::ask_to_commit,
};

/// Writes a partition to its file. A file appears whole, and by one attempt: what is not computed the same each time must not
/// change when it was read already. Another attempt's takes its place if the first one's came to nothing after all.
pub(super) struct WriteCheckpoint<T> {
    env: WriteCheckpointEnv,
    records: PhantomData<fn() -> T>,
}

/// Where to, and how.
#[derive(Serialize, Deserialize)]
pub(super) struct WriteCheckpointEnv {
    pub(super) directory: FilePath,
    pub(super) hadoop: HadoopProperties,
    /// `spark.checkpoint.compress`.
    pub(super) codec: ObjectFileCodec,
}

#[derive(Debug, thiserror::Error)]
enum WriteCheckpointError {
    #[error("could not write a checkpoint")]
    File(#[from] FileError),
    #[error("a record cannot be written to a checkpoint: {0}")]
    Encode(String),
    #[error("could not ask the driver whether a checkpoint's file may be made")]
    Ask(#[from] AskError),
}

impl<T: Data> WriteCheckpoint<T> {
    /// Everything but the file's appearance.
    fn write(&self, records: Records<T>, partition: Partition) -> Result<ObjectFileWriter, WriteCheckpointError> {
        let WriteCheckpointEnv { directory, hadoop, codec } = &self.env;
        let path = directory.join(&part_name(partition));
        let file = hadoop.file_systems().get(&path)?.create(&path, Existing::Replace)?;
        let description = ObjectFileDescription { type_name: record_type::<T>(), codec: *codec };
        let mut writer = ObjectFileWriter::new(file, &path, &description)?;
        for record in records {
            let encoded = encode(&record).map_err(|error| WriteCheckpointError::Encode(error.to_string()))?;
            writer.write(&encoded)?;
        }
        Ok(writer)
    }
}

impl<T: Data> Action for WriteCheckpoint<T> {
    type Env = WriteCheckpointEnv;
    type Item = T;
    type Output = ();

    fn new(env: WriteCheckpointEnv) -> Self {
        Self { env, records: PhantomData }
    }

    fn run(&self, records: Records<T>, context: &Arc<TaskContext>) -> Result<(), TaskFailure> {
        let failed = |error: WriteCheckpointError| match error {
            // The record is the same at the next attempt (RT-32).
            WriteCheckpointError::Encode(_) => TaskFailure::from_final_error(&error),
            _ => TaskFailure::from_error(&error),
        };
        let writer = self.write(records, context.partition()).map_err(failed)?;
        ask_to_commit(context, |error| failed(error.into()))?;
        writer.finish().map_err(|error| failed(error.into()))?;
        Ok(())
    }
}

/// Goes through the records and keeps nothing: the storage does.
struct VisitPartition<T>(PhantomData<fn() -> T>);

impl<T: Data> Action for VisitPartition<T> {
    type Env = ();
    type Item = T;
    type Output = ();

    fn new((): ()) -> Self {
        Self(PhantomData)
    }

    fn run(&self, records: Records<T>, _context: &Arc<TaskContext>) -> Result<(), TaskFailure> {
        records.for_each(drop);
        Ok(())
    }
}

/// Has these partitions of a persisted RDD computed and stored.
pub(super) fn visit_partitions<T: Data>(
    context: &SparkContext,
    rdd: &Arc<RddCore>,
    call_site: &CallSite,
    partitions: Vec<Partition>,
) -> Result<(), SparkError> {
    context.run_one_job::<VisitPartition<T>>(rdd, call_site, partitions, &(), |_, _| {})
}
