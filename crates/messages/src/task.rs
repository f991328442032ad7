//! Tasks as they are launched and as they end.

use std::sync::Arc;

use bytes::Bytes;

use firesteel_model::{
    AccumulatorUpdate, BlockId, JobId, LocalProperties, MapStatus, Partition, RddId, ResourceInformation,
    StageAttemptId, TaskAttemptNumber, TaskEndReason, TaskId, TaskLocality, TaskMetrics,
};
use serde::{Deserialize, Serialize};

/// What all tasks of one stage attempt share. Sent once to each executor that runs any of them (D2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageDescription {
    /// Which stage attempt.
    pub stage: StageAttemptId,
    /// The job that the stage was first submitted for.
    pub job_id: JobId,
    /// How many tasks the stage has, counting those that are not part of this attempt.
    pub partitions: u32,
    /// The encoded work; only the task runner of the application's kind can read it.
    pub binary: Bytes,
    /// The local properties of the job.
    pub properties: LocalProperties,
    /// How many cores each task takes.
    pub cpus: u32,
}

/// One task attempt to launch. Small: what its siblings share is in [`StageDescription`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDescription {
    /// Which attempt.
    pub task_id: TaskId,
    /// Of which stage attempt.
    pub stage: StageAttemptId,
    /// Its index in the task set.
    pub index: u32,
    /// Its partition.
    pub partition: Partition,
    /// How often this index was launched before.
    pub attempt_number: TaskAttemptNumber,
    /// How near to its data it was placed.
    pub locality: TaskLocality,
    /// The map-output epoch: an executor whose cached map statuses are older forgets them (RT-62).
    pub epoch: u64,
    /// The addresses of custom resources that it may use.
    pub resources: Vec<ResourceInformation>,
    /// Data of source partitions that only this task needs, such as input splits.
    pub payloads: Vec<TaskPayload>,
    /// Set in barrier stages: who the others are.
    pub barrier: Option<BarrierTask>,
}

/// Data that belongs to one partition of one source RDD: a slice of a local collection, an input split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPayload {
    /// The source.
    pub rdd_id: RddId,
    /// Its partition.
    pub partition: Partition,
    /// The data.
    pub bytes: Bytes,
}

/// What a task of a barrier stage knows about its siblings (RT-48).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarrierTask {
    /// The host of every task of the stage attempt, by index.
    pub addresses: Vec<String>,
}

/// How a task attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskOutcome {
    /// Which attempt.
    pub task_id: TaskId,
    /// Of which stage attempt.
    pub stage: StageAttemptId,
    /// Success, or why not.
    pub result: Result<TaskSuccess, TaskEndReason>,
    /// How long it took its slot, in microseconds; 0 if it never ran.
    pub run_time_us: u64,
    /// What it added to accumulators; of a failed task only those that count failed values.
    pub accumulators: Vec<AccumulatorUpdate>,
    /// What it measured.
    pub metrics: Arc<TaskMetrics>,
}

/// What a successful task brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TaskSuccess {
    /// A map task: where its output is.
    MapOutput(MapStatus),
    /// A result task.
    Result(TaskResult),
}

/// The encoded result of a result task (RT-33).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskResult {
    /// Inline, at most `spark.task.maxDirectResultSize`.
    Direct(Bytes),
    /// Stored by the executor's block manager, to be fetched by the driver.
    Indirect {
        /// The block.
        block_id: BlockId,
        /// Its size in bytes.
        size: u64,
    },
}

impl TaskResult {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Direct(bytes) => bytes.len() as u64,
            Self::Indirect { size, .. } => *size,
        }
    }
}
