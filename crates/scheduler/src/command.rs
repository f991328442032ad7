//! Every output of the scheduler.
//!
//! The driver performs the commands of one call in their order, and all of them before it passes the next event, unless a
//! variant says that order does not matter. None of them is answered by a return value; what answers, answers by an event.

use std::{sync::Arc, time::Duration};

use firesteel_model::{
    AccumulatorUpdate, ExecutorId, JobId, ListenerEvent, LocalProperties, Partition, ResourceInformation,
    ResourceProfileId, ShuffleId, StageAttemptId, TaskAttemptNumber, TaskEndReason, TaskId, TaskLocality,
};

use crate::{RddInfo, ShuffleDependency};

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Serialize what every task of the stage attempt needs, once, and keep it until `ForgetStageBinary`. Answer with
    /// `StageBinaryPrepared` or `StageBinaryFailed`; may be done aside, as tasks wait for the answer.
    PrepareStageBinary {
        /// The stage attempt.
        stage: StageAttemptId,
        /// The data set that its tasks compute.
        rdd: Arc<RddInfo>,
        /// What its tasks do with the partitions.
        kind: StageBinaryKind,
        /// The job that it runs for: of several that need the stage, the first.
        job_id: JobId,
        /// `spark.task.cpus` of its resource profile.
        cpus: u32,
        /// The local properties of that job.
        properties: LocalProperties,
        /// How many tasks it has.
        tasks: u32,
    },
    /// No task of the stage attempt will be launched any more, and none runs: drop what was prepared.
    ForgetStageBinary {
        /// The stage attempt.
        stage: StageAttemptId,
    },
    /// Send these tasks to the executor, in one message. Must not overtake an earlier `KillTask` or `LaunchTasks` to the same
    /// executor; order between executors does not matter. If the executor cannot be reached, that is an `ExecutorLost`.
    LaunchTasks {
        /// Where.
        executor_id: ExecutorId,
        /// What.
        tasks: Vec<TaskLaunch>,
    },
    /// Ask the executor to end a task. The task's end is awaited; the executor must report it, as killed or as it ended
    /// before; a task that it does not know needs no report. May be repeated.
    KillTask {
        /// Where.
        executor_id: ExecutorId,
        /// Which attempt.
        task_id: TaskId,
        /// Interrupt its thread (RT-38).
        interrupt: bool,
        /// Why, as the UI shows it.
        reason: String,
    },
    /// Fetch the result that waits on the executor, then report `TaskEnded` (RT-33).
    FetchResult {
        /// Of which task.
        task_id: TaskId,
    },
    /// Hand the result of the task to the job, as its output `output_index`. Once per job and output index.
    DeliverResult {
        /// The job.
        job_id: JobId,
        /// Which of its outputs.
        output_index: u32,
        /// Whose result. The driver can forget it afterwards.
        task_id: TaskId,
    },
    /// Nobody wants the result of this task: forget it if it is there, on the driver or as a block on the executor.
    DropResult {
        /// Whose result.
        task_id: TaskId,
    },
    /// Merge what the task added into the accumulators that users read. Once per output of a result stage (RT-56); once per
    /// successful task of a map stage. Comes before the task's `TaskEnd` event, so that the driver can fill in the values.
    MergeAccumulators {
        /// Who added.
        task_id: TaskId,
        /// In which stage attempt.
        stage: StageAttemptId,
        /// What.
        updates: Vec<AccumulatorUpdate>,
    },
    /// Every output was delivered: return to the caller.
    JobSucceeded {
        /// The job.
        job_id: JobId,
        /// Of a map-stage job: the sizes of the outputs.
        statistics: Option<Arc<MapOutputStatistics>>,
    },
    /// The job failed or was cancelled: return the error to the caller. Results delivered before are void.
    JobFailed {
        /// The job.
        job_id: JobId,
        /// The error, as Spark words it.
        message: String,
        /// How the task ended that was its last chance, if it was a task.
        cause: Option<Arc<TaskEndReason>>,
    },
    /// Tell the listeners. Order among these commands is the order of what happened. The accumulators in it
    /// (`AccumulableInfo::value`, `StageSnapshot::accumulables`) and the sizes of cached data sets are the performer's to
    /// fill in: the scheduler does not know them.
    PostEvent(Box<ListenerEvent>),
    /// End an executor through the cluster manager; `ExecutorLost` may follow or not. The scheduler has forgotten an executor
    /// that is unwanted or whose heartbeat expired when it says this; in the other cases it still waits for the loss to be reported.
    KillExecutor {
        /// Which.
        executor_id: ExecutorId,
        /// Why, for logs and UI.
        reason: String,
        /// Ask the cluster manager for another one in its place.
        replace: bool,
    },
    /// Take the registration that was just handed in: tell the executor, and make its block manager known. Comes before the
    /// executor's first `LaunchTasks`.
    AcceptExecutor {
        /// Which.
        executor_id: ExecutorId,
    },
    /// Refuse the registration that was just handed in: the executor must exit with code 1 (RT-09). Its earlier namesake, if
    /// there is one, stays.
    RefuseExecutor {
        /// Which.
        executor_id: ExecutorId,
        /// Why.
        reason: String,
    },
    /// A heartbeat came from an executor that is not registered: it was given up, and must exit.
    AskToRegister {
        /// Which.
        executor_id: ExecutorId,
    },
    /// Answer a task that wants to commit (RT-37).
    AnswerCommit {
        /// From the question.
        ask: u64,
        /// It may; else its attempt must end as `TaskCommitDenied`.
        allowed: bool,
    },
    /// Answer tasks that wait at a barrier (RT-48); one command per task.
    AnswerBarrier {
        /// The stage attempt.
        stage: StageAttemptId,
        /// Who waits.
        task_id: TaskId,
        /// At which of its barriers.
        epoch: u32,
        /// The messages of all tasks by partition, or why there will be none.
        outcome: Result<Arc<[String]>, String>,
    },
    /// The map outputs of this shuffle changed: serialized statuses of earlier epochs must not be served any more (RT-62).
    /// Read the new ones with `Scheduler::map_statuses`.
    MapOutputsChanged {
        /// The shuffle.
        shuffle_id: ShuffleId,
        /// The epoch from which the change holds.
        epoch: u64,
    },
    /// A task set waits and launches nothing: say so, truthfully (AS-01, RT-15).
    WarnStarvation {
        /// The stage attempt.
        stage: StageAttemptId,
        /// How long it has waited.
        waited: Duration,
        /// How many tasks wait.
        pending: u32,
        /// What blocks them.
        reason: StarvationReason,
    },
    /// A job waits until there are as many slots as its barrier stage has tasks (RT-48): say so.
    WarnBarrierSlots {
        /// The job.
        job_id: JobId,
        /// How many slots it needs at once.
        needed: u32,
        /// How many there are, busy ones included.
        available: u32,
        /// How many looks are left before the job fails.
        checks_left: u32,
        /// The time between them.
        interval: Duration,
    },
    /// Warn that a job named a pool that the allocation file does not have; it was made with defaults (SC-05).
    WarnUnknownPool {
        /// The pool.
        pool: String,
    },
}

/// What the tasks of a stage do with the partitions they compute.
#[derive(Clone, Debug)]
pub enum StageBinaryKind {
    /// Write them as map outputs.
    Map(Arc<ShuffleDependency>),
    /// Apply the action's function.
    Result {
        /// Whose action.
        job_id: JobId,
    },
}

/// One task to launch: what differs between the tasks of a stage attempt.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskLaunch {
    /// The attempt.
    pub task_id: TaskId,
    /// Of which stage attempt, and so with which stage binary.
    pub stage: StageAttemptId,
    /// Its index in the task set.
    pub index: u32,
    /// Its partition; of a map stage also the map index.
    pub partition: Partition,
    /// How often this index was launched before.
    pub attempt: TaskAttemptNumber,
    /// How near to its data.
    pub locality: TaskLocality,
    /// `spark.task.cpus` of its profile.
    pub cpus: u32,
    /// The map-output epoch: an executor whose cached map statuses are older forgets them (RT-62).
    pub epoch: u64,
    /// Which addresses of custom resources are its own (SC-07).
    pub resources: Vec<ResourceInformation>,
    /// Of a barrier stage: where each task of it runs, by index (RT-48).
    pub barrier: Option<Arc<[BarrierTaskInfo]>>,
}

/// Where a task of a barrier stage runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BarrierTaskInfo {
    /// The executor, whose address the driver knows.
    pub executor_id: ExecutorId,
    /// Its host.
    pub host: String,
}

/// The sizes of a map stage's outputs: Spark's `MapOutputStatistics`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapOutputStatistics {
    /// The shuffle.
    pub shuffle_id: ShuffleId,
    /// About how many bytes each reducer will read.
    pub bytes_by_partition: Vec<u64>,
}

/// What keeps a task set from launching anything (AS-01). `Display` is a sentence for people.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum StarvationReason {
    /// There is no executor at all.
    #[error("no executor has registered; check that the cluster has workers with enough free memory and cores")]
    NoExecutor,
    /// There is no executor, and those that come from these hosts are refused (RT-74).
    #[error(
        "no executor is left, and executors on {hosts} are refused for another {} s, as tasks failed there (spark.excludeOnFailure.timeout)",
        left.as_secs()
    )]
    HostsExcluded {
        /// The hosts' names.
        hosts: String,
        /// Until the first of them is taken again.
        left: Duration,
    },
    /// The first task waits for more executors (RT-14).
    #[error(
        "{registered} of {wanted} {unit} have registered (spark.scheduler.minRegisteredResourcesRatio); tasks start when they have, or after spark.scheduler.maxRegisteredResourcesWaitingTime"
    )]
    MinRegisteredResources {
        /// What is there.
        registered: u32,
        /// What is waited for.
        wanted: u32,
        /// `cores` or `executors`.
        unit: &'static str,
    },
    /// Executors exist, but none of the stage's resource profile.
    #[error("none of the {executors} executors has resource profile {profile}")]
    NoExecutorOfProfile {
        /// The profile.
        profile: ResourceProfileId,
        /// How many others there are.
        executors: u32,
    },
    /// No executor is large enough for one task.
    #[error("a task takes {needed} cores ({}), but the largest executor has {largest}", asked_by(*profile, "spark.task.cpus"))]
    CoresPerTask {
        /// What a task takes.
        needed: u32,
        /// What the largest has.
        largest: u32,
        /// The profile that says so.
        profile: ResourceProfileId,
    },
    /// No executor has enough of a custom resource.
    #[error(
        "a task takes {needed} of resource {name} ({}), but no executor has more than {most}",
        asked_by(*profile, &format!("spark.task.resource.{name}.amount"))
    )]
    ResourcePerTask {
        /// Which resource.
        name: String,
        /// How many addresses a task takes.
        needed: u32,
        /// The most that an executor has.
        most: u32,
        /// The profile that says so.
        profile: ResourceProfileId,
    },
    /// Every suitable executor is excluded after failures (RT-74).
    #[error("all {executors} suitable executors are excluded after failures (spark.excludeOnFailure.*)")]
    AllExcluded {
        /// How many.
        executors: u32,
    },
    /// Every suitable executor is leaving (RT-77).
    #[error("all {executors} suitable executors are being decommissioned")]
    AllDecommissioned {
        /// How many.
        executors: u32,
    },
    /// A barrier stage needs more slots at once than are free (RT-48).
    #[error("a barrier stage needs {needed} free slots at once, but {free} are free")]
    BarrierSlots {
        /// What it needs.
        needed: u32,
        /// What is free.
        free: u32,
    },
    /// Slots are free, but none near enough to the data yet (RT-21).
    #[error("waiting for a slot at locality level {level} (spark.locality.wait)")]
    LocalityWait {
        /// The farthest level allowed.
        level: TaskLocality,
    },
    /// Others have every slot.
    #[error("all {slots} slots are taken by {running} running tasks of other stages")]
    SlotsTaken {
        /// How many slots there are.
        slots: u32,
        /// How many tasks run.
        running: u32,
    },
}

/// What says how much a task takes: the key of the default profile, or another profile.
fn asked_by(profile: ResourceProfileId, key: &str) -> String {
    match profile {
        ResourceProfileId(0) => key.to_owned(),
        profile => format!("resource profile {profile}"),
    }
}
