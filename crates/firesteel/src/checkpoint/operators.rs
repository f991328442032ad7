//! What reads a checkpoint.

use std::{any::type_name, io, iter, marker::PhantomData, sync::Arc};

use firesteel_closure::ConstructError;
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_filesystem::{FilePath, FileSplit, FileSystems, ObjectFileReader};
use firesteel_model::{Partition, RddId};
use serde::{Deserialize, Serialize};

use crate::{
    data::{Data, Records, decode},
    hadoop::HadoopProperties,
    interruptible::Interruptible,
    node::{Operator, Parents},
};

/// Reads each partition from its file.
pub(crate) struct CheckpointFile<T> {
    rdd_id: RddId,
    directory: FilePath,
    systems: FileSystems,
    records: PhantomData<fn() -> T>,
}

/// Where the files are, and how their system is reached.
#[derive(Serialize, Deserialize)]
pub(crate) struct CheckpointFileEnv {
    pub(crate) rdd_id: RddId,
    pub(crate) directory: FilePath,
    pub(crate) hadoop: HadoopProperties,
}

/// A part of a checkpoint cannot be read. Another attempt may meet a file system in a better mood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadCheckpointError {
    #[error("could not read the checkpoint of RDD {rdd_id}, partition {partition}, from {path}")]
    Read {
        rdd_id: RddId,
        partition: Partition,
        path: FilePath,
        #[source]
        source: io::Error,
    },
    #[error(
        "the checkpoint of RDD {rdd_id}, partition {partition}, in {path} holds records of {found}, and {expected} are expected"
    )]
    OtherType { rdd_id: RddId, partition: Partition, path: FilePath, found: String, expected: String },
    #[error(
        "a record in the checkpoint of RDD {rdd_id}, partition {partition}, in {path} cannot be decoded: {message}"
    )]
    Decode { rdd_id: RddId, partition: Partition, path: FilePath, message: String },
}

/// The name of a partition's file.
pub(crate) fn part_name(partition: Partition) -> String {
    format!("part-{:05}", partition.0)
}

/// What a file says about its records.
pub(crate) fn record_type<T>() -> String {
    format!("{} (postcard)", type_name::<T>())
}

/// A file is read to its end, wherever that is.
const WHOLE_FILE: u64 = i64::MAX as u64;

impl<T: Data> CheckpointFile<T> {
    fn open(&self, partition: Partition) -> Result<ObjectFileReader, ReadCheckpointError> {
        let (rdd_id, path) = (self.rdd_id, self.directory.join(&part_name(partition)));
        let split = FileSplit { path: path.clone(), start: 0, length: WHOLE_FILE, hosts: Vec::new() };
        let reader = match ObjectFileReader::open(&self.systems, &split) {
            Ok(reader) => reader,
            Err(source) => return Err(ReadCheckpointError::Read { rdd_id, partition, path, source }),
        };
        let expected = record_type::<T>();
        if reader.description().type_name != expected {
            let found = reader.description().type_name.clone();
            return Err(ReadCheckpointError::OtherType { rdd_id, partition, path, found, expected });
        }
        Ok(reader)
    }

    fn next(&self, reader: &mut ObjectFileReader, partition: Partition) -> Result<Option<T>, ReadCheckpointError> {
        let path = || self.directory.join(&part_name(partition));
        let rdd_id = self.rdd_id;
        match reader.next_record() {
            Ok(Some(bytes)) => decode(bytes).map(Some).map_err(|error| ReadCheckpointError::Decode {
                rdd_id,
                partition,
                path: path(),
                message: error.to_string(),
            }),
            Ok(None) => Ok(None),
            Err(source) => Err(ReadCheckpointError::Read { rdd_id, partition, path: path(), source }),
        }
    }
}

impl<T: Data> Operator for CheckpointFile<T> {
    type Env = CheckpointFileEnv;
    type Item = T;

    fn construct(env: CheckpointFileEnv, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        let CheckpointFileEnv { rdd_id, directory, hadoop } = env;
        Ok(Self { rdd_id, directory, systems: hadoop.file_systems(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let mut reader = self.open(partition).unwrap_or_else(|error| TaskFailure::from_error(&error).throw());
        let records = iter::from_fn(move || {
            self.next(&mut reader, partition).unwrap_or_else(|error| TaskFailure::from_error(&error).throw())
        });
        Box::new(Interruptible::new(records, context))
    }
}

/// Stands behind a local checkpoint, which is the RDD's blocks: whoever computes this has found a block lost.
pub(crate) struct LocalCheckpoint<T> {
    rdd_id: RddId,
    records: PhantomData<fn() -> T>,
}

/// Whose checkpoint it is.
#[derive(Serialize, Deserialize)]
pub(crate) struct LocalCheckpointEnv {
    pub(crate) rdd_id: RddId,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "Checkpoint block rdd_{rdd_id}_{partition} not found! Either the executor that originally checkpointed this partition is no longer alive, or the original RDD is unpersisted. If this problem persists, you may consider using checkpoint() instead, which is slower than local checkpointing but more fault-tolerant."
)]
struct CheckpointBlockNotFound {
    rdd_id: RddId,
    partition: Partition,
}

impl<T: Data> Operator for LocalCheckpoint<T> {
    type Env = LocalCheckpointEnv;
    type Item = T;

    fn construct(env: LocalCheckpointEnv, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { rdd_id: env.rdd_id, records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, _context: &Arc<TaskContext>) -> Records<T> {
        TaskFailure::from_final_error(&CheckpointBlockNotFound { rdd_id: self.rdd_id, partition }).throw()
    }
}
