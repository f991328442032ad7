//! Every input of the scheduler.
//!
//! Messages from executors may be late, duplicated or about things long gone; each such case is dropped on purpose where
//! it is handled. Calls of the driver (a job is submitted, a shuffle is removed) happen once and in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use firesteel_model::{
    AccumulatorUpdate, BlockManagerId, ByteCount, ExecutorId, ExecutorInfo, ExecutorLossReason, JobId, LocalProperties,
    MapId, MapStatus, Partition, ResourceProfileId, ShuffleId, StageAttemptId, StageId, TaskAttemptNumber,
    TaskEndReason, TaskId, TaskMetrics,
};

use crate::{RddInfo, ShuffleDependency, TaskRequirements};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An action was called. Answered by `JobSucceeded` or `JobFailed`, exactly once.
    JobSubmitted(Box<JobSubmission>),
    /// Cancel one job (RT-39). Unknown and ended jobs are ignored.
    JobCancelled {
        /// Which.
        job_id: JobId,
        /// Why, as it follows `Job 3 cancelled `.
        reason: Option<String>,
    },
    /// Cancel every job of a group (RT-39).
    JobGroupCancelled {
        /// The group.
        group: String,
        /// Also fail every job that is submitted in this group from here on.
        cancel_future_jobs: bool,
        /// Why; Spark's own words if there is none.
        reason: Option<String>,
    },
    /// Cancel every job that has a tag.
    JobTagCancelled {
        /// The tag.
        tag: String,
        /// Why; Spark's own words if there is none.
        reason: Option<String>,
    },
    /// Cancel every job.
    AllJobsCancelled,
    /// Cancel every job that needs a stage.
    StageCancelled {
        /// The stage.
        stage_id: StageId,
        /// Why.
        reason: Option<String>,
    },
    /// Kill one attempt of a task; it does not count as a failure, and another attempt follows (RT-31, RT-38).
    TaskAttemptKilled {
        /// The attempt.
        task_id: TaskId,
        /// Interrupt its thread.
        interrupt: bool,
        /// Why, as the UI shows it.
        reason: String,
    },
    /// What `PrepareStageBinary` asked for is there: tasks may be launched.
    StageBinaryPrepared {
        /// The stage attempt.
        stage: StageAttemptId,
    },
    /// What `PrepareStageBinary` asked for cannot be made; the stage's jobs fail (RT-32).
    StageBinaryFailed {
        /// The stage attempt.
        stage: StageAttemptId,
        /// Why, as it follows `Task serialization failed: `.
        message: String,
    },
    /// A resource profile other than the default one came into use; sent before the first job that names it.
    ResourceProfileAdded {
        /// Its number.
        id: ResourceProfileId,
        /// What each of its tasks takes.
        task: TaskRequirements,
        /// It asks nothing of executors, as Spark's `TaskResourceProfile`: those of every profile run its tasks (SC-08).
        tasks_only: bool,
    },
    /// Stages whose data sets have exactly these resource profiles run with another one; sent before the first job with such a
    /// stage, and after the profile came into use. Nobody else submits data sets of several profiles in one stage.
    ResourceProfilesMerged {
        /// The profiles, two or more, without the default one.
        profiles: BTreeSet<ResourceProfileId>,
        /// What they become.
        into: ResourceProfileId,
    },
    /// An executor registered and has said that it is ready (RT-09). Answered by `AcceptExecutor`, or by `RefuseExecutor` if
    /// there is one of the same id or its host is excluded.
    ExecutorAdded(ExecutorRegistration),
    /// An executor is gone (RT-11). Unknown ones are ignored: a loss may be noticed in several ways.
    ExecutorLost {
        /// Which.
        executor_id: ExecutorId,
        /// Why.
        reason: ExecutorLossReason,
        /// Which map outputs are gone with it.
        lost_outputs: LostOutputs,
    },
    /// Executors are not wanted any more: no task is launched there from here on, and `KillExecutor` follows for each (SC-35, SC-41).
    ExecutorsUnwanted {
        /// Which. Unknown ones are ignored.
        executor_ids: Vec<ExecutorId>,
        /// Why.
        reason: String,
        /// Also those that have tasks, which fail there without counting. Without this they are left alone.
        busy_too: bool,
    },
    /// An executor takes no new tasks and will leave (RT-77).
    ExecutorDecommissioned {
        /// Which.
        executor_id: ExecutorId,
        /// Its whole host leaves.
        host_too: bool,
    },
    /// The task runs: until then its end with the executor is never its own fault (RT-31).
    TaskStarted {
        /// The task.
        task_id: TaskId,
        /// Where.
        executor_id: ExecutorId,
    },
    /// The task is done and its result waits to be fetched, as it is too large to be sent inline (RT-33). Answered by
    /// `FetchResult` or `DropResult`. After the fetch, `TaskEnded` follows: with success, or with `TaskResultLost`.
    TaskGettingResult {
        /// The task.
        task_id: TaskId,
        /// Where.
        executor_id: ExecutorId,
        /// The size of its result.
        result_size: ByteCount,
    },
    /// A task attempt ended. What nobody waits for is answered by `DropResult` alone.
    TaskEnded(Box<TaskEnded>),
    /// An executor gives back tasks that it has not started.
    TasksReturned {
        /// The executor.
        executor_id: ExecutorId,
        /// The tasks.
        task_ids: Vec<TaskId>,
    },
    /// An executor is alive.
    Heartbeat {
        /// Which.
        executor_id: ExecutorId,
        /// Every task that it runs or has queued, with what they have done so far. A task that the scheduler believes
        /// to run there, but that two heartbeats in a row do not name, is taken for lost; one that it does not believe to
        /// run there is killed.
        tasks: Vec<TaskProgress>,
    },
    /// A task asks whether it may commit its output (RT-37). Answered by `AnswerCommit`.
    CommitAsked {
        /// Which attempt of which stage.
        stage: StageAttemptId,
        /// The partition.
        partition: Partition,
        /// Which attempt of the task.
        attempt: TaskAttemptNumber,
        /// Comes back in the answer.
        ask: u64,
    },
    /// A task of a barrier stage waits for the others (RT-48). Answered by `AnswerBarrier` once all have come.
    BarrierSync(BarrierSync),
    /// A map output was moved to another block manager (RT-77).
    MapOutputMoved {
        /// The shuffle.
        shuffle_id: ShuffleId,
        /// Which map task attempt wrote it.
        map_id: MapId,
        /// Where it is.
        location: BlockManagerId,
    },
    /// Nothing refers to the shuffle any more: its map outputs are forgotten (RT-58). Ignored while an active job needs it.
    ShuffleRemoved {
        /// Which.
        shuffle_id: ShuffleId,
    },
    /// The moment that `next_deadline` named has come.
    DeadlineReached,
    /// The application stops: every job fails (RT-80).
    ApplicationStopping,
}

/// A job to run.
#[derive(Clone, Debug)]
pub struct JobSubmission {
    /// Its number; the driver counts.
    pub job_id: JobId,
    /// What it computes.
    pub kind: JobKind,
    /// The submitting thread's local properties.
    pub properties: LocalProperties,
    /// The short call site, which names its result stage.
    pub call_site_short: String,
    /// The long call site.
    pub call_site_long: String,
}

/// What a job computes.
#[derive(Clone, Debug)]
pub enum JobKind {
    /// Some partitions of a data set; the result of `partitions[i]` is output `i`.
    Result {
        /// The data set.
        rdd: Arc<RddInfo>,
        /// Which partitions, in the order of the outputs.
        partitions: Vec<Partition>,
    },
    /// Only the map outputs of a shuffle, for their sizes.
    MapStage {
        /// The shuffle.
        shuffle: Arc<ShuffleDependency>,
    },
}

/// An executor as it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorRegistration {
    /// Its id.
    pub executor_id: ExecutorId,
    /// What it is: host, cores, custom resources, resource profile.
    pub info: Arc<ExecutorInfo>,
    /// The rack of its host, where that is known (RT-24).
    pub rack: Option<String>,
}

/// Which map outputs are gone with an executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostOutputs {
    /// None: a shuffle service still serves them.
    None,
    /// Those of the executor.
    OfExecutor,
    /// Those of every executor on its host: the machine is gone.
    OfHost,
}

/// How a task attempt ended.
#[derive(Clone, Debug)]
pub struct TaskEnded {
    /// The task.
    pub task_id: TaskId,
    /// Where it ran.
    pub executor_id: ExecutorId,
    /// Well or not.
    pub outcome: TaskOutcome,
    /// How long its slot was taken; none if it did not come so far.
    pub run_time: Option<Duration>,
    /// What it measured, if it came so far.
    pub metrics: Option<Arc<TaskMetrics>>,
}

/// Well or not.
#[derive(Clone, Debug)]
pub enum TaskOutcome {
    /// It finished.
    Success {
        /// Of a map task: its output. The driver has the result of a result task already, and keeps it by task id.
        map_status: Option<Arc<MapStatus>>,
        /// The serialized result; 0 for a map task.
        result_size: ByteCount,
        /// What it added to accumulators.
        accumulators: Vec<AccumulatorUpdate>,
    },
    /// Anything else. [`TaskEndReason::Success`] and [`TaskEndReason::Resubmitted`] are no failures and are refused as
    /// failures of the task.
    Failure(TaskEndReason),
}

/// What a task has done so far.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskProgress {
    /// The task.
    pub task_id: TaskId,
    /// Records read, from input and shuffle together (RT-47).
    pub records_read: u64,
    /// What it has added to accumulators so far, for people only (RT-56).
    pub accumulators: Vec<AccumulatorUpdate>,
}

/// A task of a barrier stage waits for the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BarrierSync {
    /// Which attempt of which stage.
    pub stage: StageAttemptId,
    /// The task.
    pub task_id: TaskId,
    /// How often it has waited in this stage attempt, from 0.
    pub epoch: u32,
    /// What it called.
    pub method: BarrierMethod,
    /// What it passed to `allGather`; empty for `barrier`.
    pub message: String,
}

/// What a task of a barrier stage called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarrierMethod {
    /// `barrier()`.
    Barrier,
    /// `allGather()`.
    AllGather,
}

impl ExecutorRegistration {
    /// An executor without custom resources, logs, attributes or rack, of the default resource profile.
    pub fn plain(executor_id: ExecutorId, host: &str, cores: u32) -> Self {
        let info = ExecutorInfo {
            host: host.to_owned(),
            cores,
            log_urls: BTreeMap::new(),
            attributes: BTreeMap::new(),
            resources: vec![],
            resource_profile_id: ResourceProfileId(0),
        };
        Self { executor_id, info: Arc::new(info), rack: None }
    }
}
