//! Barriers: nobody goes on before all have come, and one barrier follows another (RT-48).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{StageAttemptId, TaskId};
use firesteel_scheduler::BarrierSync;

#[derive(Debug, Default)]
struct Meeting {
    /// What those said who have come.
    arrived: BTreeMap<TaskId, String>,
    released: BTreeSet<TaskId>,
}

#[derive(Debug, Default)]
pub(super) struct Barriers {
    /// How many tasks each stage attempt has.
    tasks: BTreeMap<StageAttemptId, u32>,
    meetings: BTreeMap<StageAttemptId, BTreeMap<u32, Meeting>>,
}

impl Barriers {
    pub(super) fn prepared(&mut self, stage: StageAttemptId, tasks: u32) {
        self.tasks.insert(stage, tasks);
    }

    /// How many tasks the stage attempt has.
    pub(super) fn tasks(&self, stage: StageAttemptId) -> u32 {
        self.tasks.get(&stage).copied().unwrap_or_default()
    }

    /// A task has come to a barrier, and the driver has heard of it.
    pub(super) fn arrived(&mut self, sync: &BarrierSync) {
        let meeting = self.meetings.entry(sync.stage).or_default().entry(sync.epoch).or_default();
        meeting.arrived.insert(sync.task_id, sync.message.clone());
    }

    /// A task may go on from a barrier.
    pub(super) fn released(&mut self, stage: StageAttemptId, task_id: TaskId, epoch: u32, messages: &Arc<[String]>) {
        let tasks = self.tasks[&stage];
        let meetings = self.meetings.entry(stage).or_default();
        let complete = |meeting: &Meeting| meeting.released.len() as u32 == tasks;
        let before = meetings.range(..epoch).filter(|(_, meeting)| complete(meeting)).count() as u32;
        assert_eq!(before, epoch, "task {task_id} of {stage} goes on from barrier {epoch} before the earlier ones");
        let meeting = meetings.entry(epoch).or_default();
        let here = meeting.arrived.len() as u32;
        assert_eq!(here, tasks, "task {task_id} of {stage} goes on from barrier {epoch} before all have come");
        assert!(meeting.arrived.contains_key(&task_id), "task {task_id} of {stage} never came to barrier {epoch}");
        assert!(meeting.released.insert(task_id), "task {task_id} of {stage} goes on twice from barrier {epoch}");
        let mut said: Vec<&String> = meeting.arrived.values().collect();
        let mut told: Vec<&String> = messages.iter().collect();
        said.sort_unstable();
        told.sort_unstable();
        assert_eq!(said, told, "task {task_id} of {stage} is not told at barrier {epoch} what the others said");
    }
}
