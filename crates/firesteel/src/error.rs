//! What can go wrong for the caller of an action.

use std::sync::Arc;

use firesteel_driver::JobError;
pub(crate) use firesteel_model::error_chain as chain;
use firesteel_model::{JobId, Partition, RddId, StageAttemptId, StorageLevel, TaskEndReason};

use crate::resource_profile::ResourceProfileError;

/// Why an action, or the start of an application, failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SparkError {
    /// The job was aborted: a task failed too often, a stage was retried too often, a result was too large.
    #[error("{message}")]
    JobFailed {
        /// Which job.
        job_id: JobId,
        /// Why, with the last failure of a task where there was one.
        message: String,
        /// How that task ended.
        cause: Option<Arc<TaskEndReason>>,
    },
    /// Something that must travel to executors cannot be encoded.
    #[error("{what} cannot be serialized: {message}")]
    NotSerializable {
        /// What.
        what: String,
        /// The encoder's words.
        message: String,
    },
    /// A result arrived that cannot be decoded: its type's `Serialize` and `Deserialize` do not fit together.
    #[error("a task's result cannot be decoded as {expected}: {message}")]
    ResultDecoding {
        /// The expected type.
        expected: &'static str,
        /// The decoder's words.
        message: String,
    },
    /// The collection is empty where at least one record is needed.
    #[error("{operation} of an empty collection")]
    EmptyCollection {
        /// Which action.
        operation: &'static str,
    },
    /// An argument does not make sense.
    #[error("{0}")]
    InvalidArgument(String),
    /// A persisted RDD was given another storage level (RT-50).
    #[error(
        "cannot change the storage level of RDD {rdd_id} from {current} to {wanted}: it is persisted already; unpersist it first"
    )]
    StorageLevelChange {
        /// Which RDD.
        rdd_id: RddId,
        /// The level that it has.
        current: StorageLevel,
        /// The level that was to be.
        wanted: StorageLevel,
    },
    /// A broadcast value could not be made (RT-55).
    #[error("{0}")]
    Broadcast(String),
    /// A checkpoint is wanted and there is no directory for it (RT-57).
    #[error("Checkpoint directory has not been set in the SparkContext; call SparkContext::set_checkpoint_dir first")]
    NoCheckpointDirectory,
    /// The context was stopped (RT-80).
    #[error("cannot call {operation} on a stopped SparkContext; it was stopped at {stopped_at}")]
    ContextStopped {
        /// What was called.
        operation: String,
        /// Where `stop` was called, or why it stopped.
        stopped_at: String,
    },
    /// A task did what only the driver can do (SPARK-5063, SPARK-28702).
    #[error(
        "{operation} was called inside a task (stage {stage}, partition {partition}): RDD actions can only be invoked by the driver, and a SparkContext only be created there, not inside of other transformations (SPARK-5063, SPARK-28702); compute the value before, and hand it on with `with` or as a broadcast value, or join the data sets"
    )]
    InsideTask {
        /// What was called.
        operation: String,
        /// The task's stage.
        stage: StageAttemptId,
        /// The task's partition.
        partition: Partition,
    },
    /// What belongs to a stopped context was combined with an RDD of a new one.
    #[error(
        "RDD {rdd_id} was made from RDDs of two SparkContexts; an RDD is of no use after its context was stopped: make it anew"
    )]
    OfTwoContexts {
        /// The RDD that an action was called on.
        rdd_id: RddId,
    },
    /// There is a context in this process already (RT-13).
    #[error("only one SparkContext may run in a process; the running one was created at {created_at}")]
    ContextExists {
        /// Where.
        created_at: String,
    },
    /// Something cannot be one of the application's files (SS-80).
    #[error("{0}")]
    AddFile(String),
    /// A resource profile cannot be served, or several meet in one stage (SC-08).
    #[error(transparent)]
    ResourceProfile(#[from] ResourceProfileError),
    /// The configuration is wrong.
    #[error("{0}")]
    Configuration(String),
    /// The directory for an action's output is there already.
    #[error("{0}")]
    OutputExists(String),
    /// There is no such input: a path does not exist, or a pattern matches nothing.
    #[error("{0}")]
    InputNotFound(String),
    /// Input or output failed on the driver's side.
    #[error("{0}")]
    Io(String),
}

impl SparkError {
    pub(crate) fn from_job(JobError { job_id, message, cause }: JobError) -> Self {
        Self::JobFailed { job_id, message, cause }
    }
}

impl From<firesteel_driver::StartDriverError> for SparkError {
    fn from(error: firesteel_driver::StartDriverError) -> Self {
        Self::Configuration(error.to_string())
    }
}
