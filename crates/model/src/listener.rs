//! What happened, told to whoever listens: UI, REST, event log, metrics, status tracker (D10, UI-32).
//!
//! Times are milliseconds since the Unix epoch, as in Spark's event log.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    AccumulatorId, AccumulatorUpdate, AccumulatorValue, ApplicationId, BlockId, BlockManagerId, ExecutorId,
    ExecutorMetrics, ExecutorResourceRequest, JobId, LocalProperties, Partition, RddId, ResourceInformation,
    ResourceProfileId, ShuffleId, StageAttemptId, StageId, StorageLevel, TaskAttemptNumber, TaskEndReason, TaskId,
    TaskLocality, TaskMetrics,
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum ListenerEvent {
    /// The application began.
    ApplicationStart {
        /// `spark.app.name`.
        app_name: String,
        /// The id its cluster manager gave it.
        app_id: ApplicationId,
        /// When.
        time_ms: i64,
        /// Who runs it.
        user: String,
    },
    /// The application ended.
    ApplicationEnd {
        /// When.
        time_ms: i64,
        /// The exit code, where it is known.
        exit_code: Option<i32>,
    },
    /// What the application runs with; values are redacted already (SE-08).
    EnvironmentUpdate {
        /// Versions and paths.
        runtime: Vec<(String, String)>,
        /// Every `spark.*` key that is set.
        spark_properties: Vec<(String, String)>,
        /// What the operating system says.
        system_properties: Vec<(String, String)>,
    },
    /// A job was submitted.
    JobStart {
        /// Which job.
        job_id: JobId,
        /// When.
        time_ms: i64,
        /// Every stage of it, in ascending order of ids, those that will be skipped included.
        stages: Vec<Arc<StageSnapshot>>,
        /// The submitting thread's local properties.
        properties: LocalProperties,
    },
    /// A job ended.
    JobEnd {
        /// Which job.
        job_id: JobId,
        /// When.
        time_ms: i64,
        /// How.
        outcome: JobOutcome,
    },
    /// A stage attempt was handed to the task scheduler.
    StageSubmitted {
        /// The stage as it is submitted.
        stage: Arc<StageSnapshot>,
        /// The local properties of the job that it runs for.
        properties: LocalProperties,
    },
    /// A stage attempt ended, well or not.
    StageCompleted {
        /// The stage as it ended.
        stage: Arc<StageSnapshot>,
    },
    /// A task attempt was launched.
    TaskStart {
        /// Of which stage attempt.
        stage: StageAttemptId,
        /// The task as it starts.
        task: TaskSnapshot,
    },
    /// The driver began to fetch a large result.
    TaskGettingResult {
        /// The task.
        task: TaskSnapshot,
    },
    /// A task attempt ended.
    TaskEnd {
        /// Of which stage attempt.
        stage: StageAttemptId,
        /// `ResultTask` or `ShuffleMapTask`, as Spark calls them.
        task_type: &'static str,
        /// How.
        reason: TaskEndReason,
        /// The task as it ended.
        task: TaskSnapshot,
        /// What it measured; none if the task was never heard of again.
        metrics: Option<Arc<TaskMetrics>>,
    },
    /// A speculative copy of a task was asked for (RT-45).
    SpeculativeTaskSubmitted {
        /// Of which stage attempt.
        stage: StageAttemptId,
        /// The index of the task in its set.
        task_index: u32,
        /// Its partition.
        partition: Partition,
    },
    /// An executor registered.
    ExecutorAdded {
        /// When.
        time_ms: i64,
        /// Which.
        executor_id: ExecutorId,
        /// What it is.
        info: Arc<ExecutorInfo>,
    },
    /// An executor is gone.
    ExecutorRemoved {
        /// When.
        time_ms: i64,
        /// Which.
        executor_id: ExecutorId,
        /// Why, in words.
        reason: String,
    },
    /// Executors got no more tasks after failures (RT-74).
    ExecutorExcluded {
        /// When.
        time_ms: i64,
        /// Which.
        executor_id: ExecutorId,
        /// How many failed tasks led to it.
        task_failures: u32,
        /// Only for this stage attempt; none for the whole application.
        stage: Option<StageAttemptId>,
    },
    /// An excluded executor gets tasks again.
    ExecutorUnexcluded {
        /// When.
        time_ms: i64,
        /// Which.
        executor_id: ExecutorId,
    },
    /// A host got no more tasks after failures.
    NodeExcluded {
        /// When.
        time_ms: i64,
        /// Which host.
        host: String,
        /// How many executors were excluded on it.
        executor_failures: u32,
        /// Only for this stage attempt; none for the whole application.
        stage: Option<StageAttemptId>,
    },
    /// An excluded host gets tasks again.
    NodeUnexcluded {
        /// When.
        time_ms: i64,
        /// Which host.
        host: String,
    },
    /// No executor can ever run what is left of a task set (RT-75).
    UnschedulableTaskSetAdded {
        /// Which.
        stage: StageAttemptId,
    },
    /// The task set can run again.
    UnschedulableTaskSetRemoved {
        /// Which.
        stage: StageAttemptId,
    },
    /// A block manager registered.
    BlockManagerAdded {
        /// When.
        time_ms: i64,
        /// Which.
        block_manager_id: BlockManagerId,
        /// How much storage memory it has, on heap and off heap together, in bytes.
        maximum_memory: u64,
        /// The part of it that is on heap.
        maximum_on_heap_memory: u64,
        /// The part of it that is off heap.
        maximum_off_heap_memory: u64,
    },
    /// A block manager is gone.
    BlockManagerRemoved {
        /// When.
        time_ms: i64,
        /// Which.
        block_manager_id: BlockManagerId,
    },
    /// A block was stored, moved or dropped.
    BlockUpdated(BlockUpdatedInfo),
    /// `unpersist` was called.
    UnpersistRdd {
        /// For which RDD.
        rdd_id: RddId,
    },
    /// An executor, or the driver, told what its running tasks have done so far, or what its memory holds (RT-70).
    ExecutorMetricsUpdate {
        /// Which.
        executor_id: ExecutorId,
        /// For each task: its stage attempt and what it has added so far.
        updates: Vec<(TaskId, StageAttemptId, Vec<AccumulatorUpdate>)>,
        /// The memory of the process while tasks of these stage attempts run there; with none, while any stage runs.
        memory: Vec<(Option<StageAttemptId>, ExecutorMetrics)>,
    },
    /// A resource profile came into use.
    ResourceProfileAdded {
        /// Its number.
        id: ResourceProfileId,
        /// What each executor is asked to have.
        executor_resources: Vec<ExecutorResourceRequest>,
        /// What each task takes: name, amount.
        task_resources: Vec<(String, f64)>,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// Every partition has its result.
    Succeeded,
    /// It failed or was cancelled.
    Failed {
        /// Why, as the caller of the action sees it.
        message: String,
    },
}

/// A stage attempt at one moment: Spark's `StageInfo`.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSnapshot {
    /// Which stage attempt.
    pub id: StageAttemptId,
    /// The short call site of its last RDD.
    pub name: String,
    /// The long call site.
    pub details: String,
    /// How many tasks this attempt has.
    pub tasks: u32,
    /// The RDDs it computes, by descending id.
    pub rdds: Vec<RddStorageInfo>,
    /// The stages whose output it reads.
    pub parents: Vec<StageId>,
    /// The shuffle it writes; none for a result stage.
    pub shuffle_id: Option<ShuffleId>,
    /// When it was handed to the task scheduler.
    pub submission_time_ms: Option<i64>,
    /// When it ended.
    pub completion_time_ms: Option<i64>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Accumulators that its tasks have added to, at their present values.
    pub accumulables: BTreeMap<AccumulatorId, AccumulableInfo>,
    /// The resource profile its tasks ask for.
    pub resource_profile_id: ResourceProfileId,
    /// All its tasks run together or none (RT-48).
    pub barrier: bool,
}

/// One RDD of a stage: Spark's `RDDInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RddStorageInfo {
    /// Which.
    pub id: RddId,
    /// The name that the user gave it, or its kind.
    pub name: String,
    /// The kind of operation (`map`), for the DAG picture.
    pub scope: Option<String>,
    /// The short call site.
    pub call_site: String,
    /// Its parents.
    pub parents: Vec<RddId>,
    /// Its storage level.
    pub storage_level: StorageLevel,
    /// Does it run in a barrier stage?
    pub barrier: bool,
    /// How many partitions it has.
    pub partitions: u32,
    /// How many of them are stored.
    pub cached_partitions: u32,
    /// Bytes of them in memory.
    pub memory_size: u64,
    /// Bytes of them on disk.
    pub disk_size: u64,
}

/// A task attempt at one moment: Spark's `TaskInfo`.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSnapshot {
    /// Which attempt.
    pub task_id: TaskId,
    /// Its index in the task set.
    pub index: u32,
    /// How often this index was launched before.
    pub attempt: TaskAttemptNumber,
    /// Its partition.
    pub partition: Partition,
    /// When it was launched.
    pub launch_time_ms: i64,
    /// Where.
    pub executor_id: ExecutorId,
    /// On which host.
    pub host: String,
    /// How near to its data.
    pub locality: TaskLocality,
    /// Is it a speculative copy?
    pub speculative: bool,
    /// When the driver began to fetch its result; 0 if it came inline.
    pub getting_result_time_ms: i64,
    /// When it ended; 0 while it runs.
    pub finish_time_ms: i64,
    /// Did it fail?
    pub failed: bool,
    /// Was it killed?
    pub killed: bool,
    /// What it added to accumulators.
    pub accumulables: Vec<AccumulableInfo>,
    /// Which addresses of custom resources are its own (SC-07); Spark's event log does not have them.
    pub resources: Vec<ResourceInformation>,
}

/// An accumulator as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct AccumulableInfo {
    /// Which.
    pub id: AccumulatorId,
    /// Its name.
    pub name: Option<String>,
    /// What this task added.
    pub update: Option<AccumulatorValue>,
    /// The value after that.
    pub value: Option<AccumulatorValue>,
}

/// What an executor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorInfo {
    /// Its host.
    pub host: String,
    /// How many cores it offers.
    pub cores: u32,
    /// Its log pages by name.
    pub log_urls: BTreeMap<String, String>,
    /// What its cluster manager says of it.
    pub attributes: BTreeMap<String, String>,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
    /// The resource profile it was asked for.
    pub resource_profile_id: ResourceProfileId,
}

/// A block as it is stored after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockUpdatedInfo {
    /// Where.
    pub block_manager_id: BlockManagerId,
    /// Which block.
    pub block_id: BlockId,
    /// How it is kept there; an invalid level means that it is gone.
    pub storage_level: StorageLevel,
    /// Bytes in memory.
    pub memory_size: u64,
    /// Bytes on disk.
    pub disk_size: u64,
}
