//! Stages and jobs as the scheduler keeps them.

use std::{collections::BTreeSet, fmt, sync::Arc};

use firesteel_model::{
    AccumulatorUpdate, JobId, LocalProperties, Partition, StageAttempt, StageAttemptId, StageId, StageSnapshot, TaskId,
};

use crate::{Determinism, JobSubmission, Moment, RddInfo, ShuffleDependency, bit_set::BitSet};

/// What a stage makes.
#[derive(Clone, Debug)]
pub(crate) enum StageKind {
    Map(Arc<ShuffleDependency>),
    Result(JobId),
}

/// Where a stage stands. What has failed and waits for its resubmission stands in `Scheduler::resubmit` besides, as a
/// stage may run while it is asked to be submitted again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StageStatus {
    /// Not submitted, or ended.
    Idle,
    /// Its parents must run first.
    Waiting,
    /// Its latest attempt was handed to the task scheduler.
    Running,
}

#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) id: StageId,
    pub(crate) rdd: Arc<RddInfo>,
    pub(crate) kind: StageKind,
    pub(crate) parents: Vec<StageId>,
    pub(crate) first_job: JobId,
    /// Every active job that needs it.
    pub(crate) jobs: BTreeSet<JobId>,
    pub(crate) status: StageStatus,
    /// How often it was submitted.
    pub(crate) attempts: u32,
    /// Attempts that failed since it last succeeded (RT-35).
    pub(crate) failed_attempts: BTreeSet<StageAttempt>,
    /// How many executors had been lost when it was made.
    pub(crate) losses_before: u64,
    /// Attempts before this one computed from data that is void: what they still bring is dropped (RT-36).
    pub(crate) first_valid_attempt: u32,
    /// Of a map stage: the partitions that its latest attempt has yet to see succeed.
    pub(crate) pending: BitSet,
    /// As it was last submitted, or as it would be.
    pub(crate) snapshot: StageSnapshot,
}

impl Stage {
    pub(crate) fn latest(&self) -> StageAttemptId {
        StageAttemptId { stage_id: self.id, attempt: StageAttempt(self.attempts.saturating_sub(1)) }
    }

    pub(crate) fn is_indeterminate(&self) -> bool {
        self.rdd.determinism == Determinism::Indeterminate
    }
}

impl fmt::Display for Stage {
    /// As Spark prints it in errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StageKind::Map(_) => "ShuffleMapStage",
            StageKind::Result(_) => "ResultStage",
        };
        write!(f, "{kind} {} ({})", self.id, self.snapshot.name)
    }
}

/// A result of a barrier stage that waits for all the others.
#[derive(Debug)]
pub(crate) struct HeldResult {
    pub(crate) output: u32,
    pub(crate) task_id: TaskId,
    pub(crate) stage: StageAttemptId,
    pub(crate) accumulators: Vec<AccumulatorUpdate>,
}

/// What a job waits for.
#[derive(Debug)]
pub(crate) enum JobProgress {
    /// The outputs that were delivered, or are held.
    Result { partitions: Arc<[Partition]>, finished: BitSet, held: Vec<HeldResult> },
    /// The map stage.
    MapStage,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) final_stage: StageId,
    pub(crate) progress: JobProgress,
    pub(crate) properties: LocalProperties,
    pub(crate) stages: BTreeSet<StageId>,
}

/// A job with a barrier stage that finds too few slots and is tried again (RT-48).
#[derive(Debug)]
pub(crate) struct DelayedJob {
    pub(crate) submission: Box<JobSubmission>,
    pub(crate) failed_checks: u32,
    pub(crate) next_check: Moment,
}
