//! What went wrong, by the oracle's own count: no job fails for less than it was promised to bear (RT-30, RT-31, RT-35).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{ExecutorId, JobId, ShuffleId, StageAttemptId, StageId, TaskEndReason, TaskId};
use firesteel_scheduler::{Dependency, Determinism, JobKind, RddInfo, ShuffleDependency};

use super::tasks::Tasks;

/// As the options say: a task, and the attempts of a stage in a row.
const TASK_MAX_FAILURES: u32 = 4;
const STAGE_MAX_ATTEMPTS: usize = 4;

/// Does such an end count as a failure of the task? Not if it was killed, or lost with what it ran on or read (RT-31).
pub(super) fn is_own_fault(reason: &TaskEndReason) -> bool {
    let lost_by_application = matches!(reason, TaskEndReason::ExecutorLostFailure { exit_caused_by_app: true, .. });
    lost_by_application || matches!(reason, TaskEndReason::ExceptionFailure { .. } | TaskEndReason::TaskResultLost)
}

#[derive(Debug, Default)]
pub(super) struct Failures {
    /// How often each task of a stage attempt failed by its own fault.
    tasks: BTreeMap<(StageAttemptId, u32), u32>,
    /// Attempts that ended because a task could not read, or a barrier task ended in vain.
    stages: BTreeMap<StageId, BTreeSet<StageAttemptId>>,
    /// Of which something was lost or could not be read.
    damaged: BTreeSet<ShuffleId>,
    binaries: BTreeSet<StageId>,
}

impl Failures {
    /// An executor told how the task ended, and the driver did not know yet.
    pub(super) fn task_failed(&mut self, task_id: TaskId, reason: &TaskEndReason, tasks: &Tasks) {
        match reason {
            reason if is_own_fault(reason) => self.count(task_id, tasks),
            TaskEndReason::FetchFailed { shuffle_id, .. } => {
                self.stage_in_vain(tasks.get(task_id).stage);
                self.damaged.insert(*shuffle_id);
            }
            _ => {}
        }
    }

    /// The application ended the executor on which these tasks ran, or something else did.
    pub(super) fn executor_lost(&mut self, executor_id: &ExecutorId, caused_by_app: bool, tasks: &Tasks) {
        for (task_id, task) in tasks.running_on(executor_id) {
            if caused_by_app && task.started {
                self.count(task_id, tasks);
            }
        }
    }

    fn count(&mut self, task_id: TaskId, tasks: &Tasks) {
        let task = tasks.get(task_id);
        *self.tasks.entry((task.stage, task.index)).or_default() += 1;
    }

    /// A task could not read, or one of a barrier stage ended in vain: all of the attempt is over.
    pub(super) fn stage_in_vain(&mut self, stage: StageAttemptId) {
        self.stages.entry(stage.stage_id).or_default().insert(stage);
    }

    pub(super) fn damaged(&mut self, shuffle_id: ShuffleId) {
        self.damaged.insert(shuffle_id);
    }

    pub(super) fn binary_failed(&mut self, stage: StageAttemptId) {
        self.binaries.insert(stage.stage_id);
    }

    /// Is this why a job that needs these stages may fail?
    pub(super) fn explains(&self, job_id: JobId, needs: &Needs, message: &str) -> bool {
        let Needs { stages, .. } = needs;
        let failed_too_often = |(&(stage, index), &count): (&(StageAttemptId, u32), &u32)| {
            stages.contains(&stage.stage_id)
                && count >= TASK_MAX_FAILURES
                && message.contains(&format!("Task {index} in stage {stage} failed {TASK_MAX_FAILURES} times"))
        };
        if message.contains("times, most recent failure: Lost task") {
            self.tasks.iter().any(failed_too_often)
        } else if message.contains("maximum allowable number of times") {
            let attempts = |stage: &StageId| self.stages.get(stage).map_or(0, BTreeSet::len);
            stages.iter().any(|stage| attempts(stage) >= STAGE_MAX_ATTEMPTS)
        } else if message.contains("indeterminate output was failed and retried") {
            needs.indeterminate.iter().any(|shuffle| self.damaged.contains(shuffle))
        } else if message.contains("Task serialization failed") {
            stages.iter().any(|stage| self.binaries.contains(stage))
        } else if message.contains("[SPARK-24819]") {
            needs.barrier
        } else {
            panic!("job {job_id} fails without a reason: {message}")
        }
    }
}

/// What a job is made of.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) stages: BTreeSet<StageId>,
    /// The shuffles that it reads, whose rows are others when they are computed again.
    pub(super) indeterminate: BTreeSet<ShuffleId>,
    /// Some stage of it starts whole or not at all.
    pub(super) barrier: bool,
}

impl Needs {
    /// All but the stages, which the driver numbers.
    pub(super) fn of(kind: &JobKind) -> Self {
        let mut needs = Self::default();
        let mut to_visit = Vec::new();
        match kind {
            JobKind::Result { rdd, .. } => to_visit.push(rdd.clone()),
            JobKind::MapStage { shuffle } => needs.reads(shuffle, &mut to_visit),
        }
        while let Some(rdd) = to_visit.pop() {
            needs.barrier |= rdd.barrier;
            for dependency in &rdd.dependencies {
                match dependency {
                    Dependency::Narrow { parent, .. } => to_visit.push(parent.clone()),
                    Dependency::Shuffle(shuffle) => needs.reads(shuffle, &mut to_visit),
                }
            }
        }
        needs
    }

    fn reads(&mut self, shuffle: &ShuffleDependency, to_visit: &mut Vec<Arc<RddInfo>>) {
        if shuffle.parent.determinism == Determinism::Indeterminate {
            self.indeterminate.insert(shuffle.shuffle_id);
        }
        to_visit.push(shuffle.parent.clone());
    }
}
