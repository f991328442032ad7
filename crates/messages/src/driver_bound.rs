//! From an executor to its driver.

use firesteel_model::{
    AccumulatorUpdate, BlockId, BlockManagerId, BlockUpdatedInfo, ExecutorId, ExecutorMetrics, Partition,
    ResourceInformation, ShuffleId, StageAttemptId, TaskAttemptNumber, TaskId,
};
use serde::{Deserialize, Serialize};

use crate::{EncodedMapStatuses, TaskOutcome};

/// What an executor sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum DriverMessage {
    /// The first message of a connection.
    Register(RegisterExecutor),
    /// Tasks that ended, as many as there were when the message left.
    StatusUpdates(Vec<TaskOutcome>),
    /// Tasks that were launched ahead of a free slot and have waited for one too long. They were not started and are forgotten.
    TasksReturned(Vec<TaskId>),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// A block was stored, moved or dropped; an invalid level means that it is gone.
    BlockUpdated(BlockUpdatedInfo),
    /// A question; the answer carries the same number.
    Ask {
        /// The executor's own numbering.
        number: u64,
        /// What it wants to know.
        question: Question,
    },
    /// Every order about blocks before the `SyncStorage` of this number has been carried out.
    StorageSynced(u64),
    /// The last message: the executor leaves by itself, with this exit code (RT-73).
    Exiting {
        /// The code that its process ends with.
        exit_code: i32,
        /// Why.
        reason: String,
    },
}

/// Who the executor is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegisterExecutor {
    /// The id that it was started with.
    pub executor_id: ExecutorId,
    /// The name that peers reach its host by.
    pub host: String,
    /// The port that serves its blocks.
    pub block_port: u16,
    /// The local directories that hold its shuffle files, in the order that decides where each is: others on its host may
    /// read them in place.
    pub local_directories: Vec<String>,
    /// How many cores it offers.
    pub cores: u32,
    /// Storage memory, on heap, in bytes.
    pub on_heap_memory: u64,
    /// Storage memory, off heap, in bytes.
    pub off_heap_memory: u64,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
    /// The release of Firesteel that its binary is built on, for people.
    pub version: String,
    /// Hash of the binary it runs; the driver refuses another one than its own.
    pub build_id: [u8; 32],
    /// Its process.
    pub pid: u32,
}

/// A sign of life, with what running tasks have done so far (RT-70).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Tasks that wait or run.
    pub tasks: Vec<TaskHeartbeat>,
    /// What the process's memory holds.
    pub memory: ExecutorMetrics,
}

/// What a task has done so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskHeartbeat {
    /// The task.
    pub task_id: TaskId,
    /// Of which stage attempt.
    pub stage: StageAttemptId,
    /// Records read, from input and shuffle together (RT-47).
    pub records_read: u64,
    /// What it has added to accumulators.
    pub accumulators: Vec<AccumulatorUpdate>,
}

/// What an executor may ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Question {
    /// Where the map outputs of a shuffle are.
    MapOutputs(ShuffleId),
    /// Who has a block.
    BlockLocations(Vec<BlockId>),
    /// Other block managers, for replication.
    Peers,
    /// The local directories of executors, to read their shuffle files in place.
    LocalDirectories(Vec<ExecutorId>),
    /// May this attempt commit the partition's output (RT-37)?
    MayCommit {
        /// Of which stage attempt.
        stage: StageAttemptId,
        /// The partition.
        partition: Partition,
        /// The asking attempt.
        attempt_number: TaskAttemptNumber,
    },
    /// Wait for all tasks of the barrier stage, and exchange messages (RT-48).
    BarrierSync {
        /// Of which stage attempt.
        stage: StageAttemptId,
        /// The asking task.
        task_id: TaskId,
        /// How many barriers this task has passed.
        epoch: u32,
        /// Its message for `all_gather`; none for `barrier`.
        message: Option<String>,
    },
}

/// What the driver answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// The epoch, and each map partition's output; none where it is missing.
    MapOutputs {
        /// Grows whenever outputs are lost; an executor that has an older epoch forgets what it knew.
        epoch: u64,
        /// By map partition.
        statuses: EncodedMapStatuses,
    },
    /// For each asked block, who has it.
    BlockLocations(Vec<Vec<BlockManagerId>>),
    /// The other block managers.
    Peers(Vec<BlockManagerId>),
    /// For each asked executor, its local directories; none if it is gone.
    LocalDirectories(Vec<Vec<String>>),
    /// May it commit?
    MayCommit(bool),
    /// Every task has arrived; their messages by partition.
    BarrierPassed(Vec<String>),
    /// The question cannot be answered.
    Refused(String),
    /// There is an answer, and it cannot be sent, nor could it be if it were asked for again; and why.
    CannotBeSent(String),
}
