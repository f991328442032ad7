//! Whose turn it is: while a set waits that any executor may run, no later one of its pool gets a slot (SC-01, SC-02).
//!
//! Judged where nothing else decides: there is no wait for locality, and nothing of the earlier set has failed. What was
//! launched ahead of a slot is no turn.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{JobId, LocalProperties, StageAttemptId, StageId, TaskId, property};
use firesteel_scheduler::{SchedulerOptions, SchedulingMode, TaskLaunch};

#[derive(Debug)]
struct Set {
    pool: Option<String>,
    /// The job that first needed the stage, then the stage.
    order: (JobId, StageAttemptId),
    /// How many of its tasks were never launched, at least.
    waiting: u32,
    launched: BTreeSet<u32>,
    active: bool,
}

#[derive(Debug, Default)]
pub(super) struct Turns {
    /// There is no wait for locality, so every task can run anywhere at once.
    judges: bool,
    pools: bool,
    first_jobs: BTreeMap<StageId, JobId>,
    sets: BTreeMap<StageAttemptId, Set>,
    /// Tasks that got a slot in this turn, and those that were launched in it.
    started: BTreeSet<TaskId>,
    launched: Vec<(TaskId, StageAttemptId)>,
}

impl Turns {
    pub(super) fn new(options: &SchedulerOptions) -> Self {
        let locality = &options.locality;
        let waits = [locality.wait_process, locality.wait_node, locality.wait_rack];
        Self {
            judges: waits.iter().all(|wait| wait.is_zero()),
            pools: options.mode == SchedulingMode::Fair,
            ..Self::default()
        }
    }

    pub(super) fn job_started(&mut self, job_id: JobId, stages: impl Iterator<Item = StageId>) {
        stages.for_each(|stage_id| _ = self.first_jobs.entry(stage_id).or_insert(job_id));
    }

    pub(super) fn stage_submitted(
        &mut self,
        stage: StageAttemptId,
        barrier: bool,
        tasks: u32,
        properties: &LocalProperties,
    ) {
        self.sets.retain(|other, _| other.stage_id != stage.stage_id);
        // A barrier stage waits for slots of its own.
        let waiting = if barrier { 0 } else { tasks };
        let pool = properties.get(property::POOL).filter(|_| self.pools).cloned();
        let order = (self.first_jobs[&stage.stage_id], stage);
        self.sets.insert(stage, Set { pool, order, waiting, launched: BTreeSet::new(), active: false });
    }

    pub(super) fn stage_prepared(&mut self, stage: StageAttemptId) {
        if let Some(set) = self.sets.get_mut(&stage) {
            set.active = true;
        }
    }

    pub(super) fn stage_over(&mut self, stage: StageAttemptId) {
        if let Some(set) = self.sets.get_mut(&stage) {
            set.waiting = 0;
        }
    }

    /// A task of an earlier attempt brought an output that waits here.
    pub(super) fn succeeded(&mut self, stage: StageAttemptId) {
        for (_, set) in self.sets.iter_mut().filter(|(id, _)| id.stage_id == stage.stage_id && **id != stage) {
            set.waiting = set.waiting.saturating_sub(1);
        }
    }

    pub(super) fn started(&mut self, task_id: TaskId) {
        self.started.insert(task_id);
    }

    pub(super) fn launched(&mut self, launch: &TaskLaunch) {
        self.launched.push((launch.task_id, launch.stage));
        if let Some(set) = self.sets.get_mut(&launch.stage)
            && set.launched.insert(launch.index)
        {
            set.waiting = set.waiting.saturating_sub(1);
        }
    }

    /// All that follows from one event is known.
    pub(super) fn over(&mut self, is_free: impl Fn(StageAttemptId) -> bool) {
        let started = std::mem::take(&mut self.started);
        for (task_id, stage) in std::mem::take(&mut self.launched) {
            let Some(own) = self.sets.get(&stage).filter(|_| self.judges && started.contains(&task_id)) else {
                continue;
            };
            let earlier = |set: &&Set| {
                let waits = set.active && set.waiting > 0 && is_free(set.order.1);
                waits && set.pool == own.pool && set.order < own.order
            };
            if let Some(earlier) = self.sets.values().find(earlier) {
                panic!("task {task_id} of {stage} gets a slot, though it is the turn of {earlier:?}");
            }
        }
    }
}
