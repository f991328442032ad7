//! What the event loop takes.

use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::Sender;
use firesteel_messages::{ApplicationFile, DriverMessage};
use firesteel_model::{
    BlockManagerId, BroadcastId, ByteCount, ExecutorId, ExecutorLossReason, JobId, RddId, ShuffleId, TaskId,
};
use firesteel_scheduler::{Event, ExecutorRegistration, LostOutputs};

use crate::{
    job::{JobRequest, JobUpdate},
    map_output_answers::PreparedAnswer,
};

/// One thing that happened, or that somebody wants.
pub(crate) enum Input {
    /// A user thread submitted a job.
    Job { job_id: JobId, request: JobRequest, updates: Sender<JobUpdate> },
    /// For the scheduler as it is.
    Event(Event),
    /// An executor said something.
    FromExecutor { executor_id: ExecutorId, message: DriverMessage },
    /// An executor has registered.
    Register(Box<Registration>),
    /// An executor is gone.
    ExecutorLost { executor_id: ExecutorId, reason: ExecutorLossReason, lost_outputs: LostOutputs },
    /// The program does not refer to something any more, or has said so; and who waits until it is gone everywhere.
    Remove { removal: Removal, done: Option<Sender<()>> },
    /// The application has another file, which tasks that are launched from now on may use.
    AddFile(Arc<ApplicationFile>),
    /// The program wants so many executors in all.
    RequestTotalExecutors(u32),
    /// No executor can be had any more.
    GiveUp(String),
    /// An answer about map outputs was encoded, or cannot be given.
    MapOutputsPrepared { number: u64, prepared: Result<PreparedAnswer, String> },
    /// A large result has come, or will not come.
    ResultFetched { task_id: TaskId, result: Option<Bytes> },
    /// Finish: fail every job and leave the loop.
    Stop,
}

/// An executor as it registers.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id, host, cores and resources.
    pub executor: ExecutorRegistration,
    /// Where its blocks are served.
    pub block_manager_id: BlockManagerId,
    /// Storage memory on heap.
    pub on_heap_memory: ByteCount,
    /// Storage memory off heap.
    pub off_heap_memory: ByteCount,
    /// Where its shuffle files are, for others on its host.
    pub local_directories: Vec<String>,
}

/// What executors may forget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// Cached partitions.
    Rdd(RddId),
    /// Shuffle files.
    Shuffle(ShuffleId),
    /// A broadcast value; on the driver too if it is destroyed.
    Broadcast {
        /// Which.
        broadcast_id: BroadcastId,
        /// The driver's own copy as well.
        from_driver: bool,
    },
}
