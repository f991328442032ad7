//! What there is to run: the tasks of stages that are under way.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{ResourceProfileId, StageAttemptId, StageSnapshot, TaskEndReason, TaskSnapshot};

/// The tasks of one stage attempt.
#[derive(Debug)]
struct StageLoad {
    profile: ResourceProfileId,
    tasks: u32,
    /// Indexes of tasks that were launched; those that fail are taken out, as they will be launched again.
    launched: BTreeSet<u32>,
    running: u32,
    /// Indexes of tasks that a copy is wanted of, and whether it was launched.
    copies: BTreeMap<u32, bool>,
}

/// What a resource profile has to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ProfileLoad {
    /// Tasks that no slot was found for, copies included.
    pub(crate) pending: u32,
    /// Of those, copies.
    pub(crate) pending_copies: u32,
    /// Tasks that run, copies included.
    pub(crate) running: u32,
    /// Task sets with a task that no executor may run.
    pub(crate) unschedulable: u32,
}

impl ProfileLoad {
    pub(crate) fn running_or_pending(&self) -> u32 {
        self.pending.saturating_add(self.running)
    }
}

/// The stages that are under way.
#[derive(Debug, Default)]
pub(crate) struct Load {
    stages: BTreeMap<StageAttemptId, StageLoad>,
    unschedulable: BTreeSet<StageAttemptId>,
}

impl Load {
    pub(crate) fn stage_submitted(&mut self, stage: &StageSnapshot) {
        let load = StageLoad {
            profile: stage.resource_profile_id,
            tasks: stage.tasks,
            launched: BTreeSet::new(),
            running: 0,
            copies: BTreeMap::new(),
        };
        self.stages.insert(stage.id, load);
    }

    pub(crate) fn stage_completed(&mut self, stage: StageAttemptId) {
        self.unschedulable.remove(&stage);
        let Some(load) = self.stages.get_mut(&stage) else { return };
        load.tasks = 0;
        load.launched.clear();
        load.copies.clear();
        // What still runs of it, e.g. the slower of two copies, takes slots until it ends.
        if load.running == 0 {
            self.stages.remove(&stage);
        }
    }

    pub(crate) fn copy_wanted(&mut self, stage: StageAttemptId, index: u32) {
        if let Some(load) = self.stages.get_mut(&stage) {
            load.copies.entry(index).or_insert(false);
        }
    }

    pub(crate) fn task_launched(&mut self, stage: StageAttemptId, task: &TaskSnapshot) {
        let Some(load) = self.stages.get_mut(&stage) else { return };
        load.running += 1;
        if task.speculative {
            load.copies.insert(task.index, true);
        } else {
            load.launched.insert(task.index);
        }
    }

    pub(crate) fn task_ended(&mut self, stage: StageAttemptId, task: &TaskSnapshot, reason: &TaskEndReason) {
        let Some(load) = self.stages.get_mut(&stage) else { return };
        // One whose output was lost with its executor ended long ago, and is only launched again.
        if !matches!(reason, TaskEndReason::Resubmitted) {
            load.running = load.running.saturating_sub(1);
        }
        if task.speculative || matches!(reason, TaskEndReason::Success) {
            load.copies.remove(&task.index);
        } else {
            load.launched.remove(&task.index);
        }
        if load.tasks == 0 && load.running == 0 {
            self.stages.remove(&stage);
        }
    }

    pub(crate) fn unschedulable(&mut self, stage: StageAttemptId, is: bool) {
        if is {
            self.unschedulable.insert(stage);
        } else {
            self.unschedulable.remove(&stage);
        }
    }

    /// Does any task wait for a slot?
    pub(crate) fn has_pending(&self) -> bool {
        self.stages.values().any(|stage| stage.pending() > 0) || !self.unschedulable.is_empty()
    }

    pub(crate) fn by_profile(&self) -> BTreeMap<ResourceProfileId, ProfileLoad> {
        let mut loads: BTreeMap<ResourceProfileId, ProfileLoad> = BTreeMap::new();
        for (id, stage) in &self.stages {
            let load = loads.entry(stage.profile).or_default();
            load.pending = load.pending.saturating_add(stage.pending());
            load.pending_copies = load.pending_copies.saturating_add(stage.pending_copies());
            load.running = load.running.saturating_add(stage.running);
            load.unschedulable += u32::from(self.unschedulable.contains(id));
        }
        loads
    }
}

impl StageLoad {
    fn pending_copies(&self) -> u32 {
        self.copies.values().filter(|launched| !**launched).count() as u32
    }

    fn pending(&self) -> u32 {
        self.tasks.saturating_sub(self.launched.len() as u32).saturating_add(self.pending_copies())
    }
}
