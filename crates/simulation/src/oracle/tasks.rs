//! Every task attempt that was launched, and what the driver has heard of it.

use std::collections::BTreeMap;

use firesteel_model::{ExecutorId, Partition, ShuffleId, StageAttemptId, TaskId};
use firesteel_scheduler::{StageBinaryKind, TaskLaunch};

/// How the end of an attempt was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its output counts.
    Succeeded,
    /// It does not, whatever the executor said: it failed, was lost, was killed, or another attempt was first.
    InVain,
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) stage: StageAttemptId,
    pub(super) index: u32,
    pub(super) partition: Partition,
    pub(super) executor_id: ExecutorId,
    /// The map-output epoch when its set was made.
    pub(super) epoch: u64,
    /// All tasks of its stage run together.
    pub(super) barrier: bool,
    /// The driver has heard that it runs.
    pub(super) started: bool,
    pub(super) ended: Option<Ended>,
}

#[derive(Debug, Default)]
pub(super) struct Tasks {
    tasks: BTreeMap<TaskId, Task>,
    /// Which shuffle the tasks of a stage attempt write; none for results.
    shuffles: BTreeMap<StageAttemptId, Option<ShuffleId>>,
}

impl Tasks {
    pub(super) fn prepared(&mut self, stage: StageAttemptId, kind: &StageBinaryKind) {
        let shuffle_id = match kind {
            StageBinaryKind::Map(shuffle) => Some(shuffle.shuffle_id),
            StageBinaryKind::Result { .. } => None,
        };
        self.shuffles.insert(stage, shuffle_id);
    }

    pub(super) fn launched(&mut self, executor_id: &ExecutorId, launch: &TaskLaunch) {
        let task = Task {
            stage: launch.stage,
            index: launch.index,
            partition: launch.partition,
            executor_id: executor_id.clone(),
            epoch: launch.epoch,
            barrier: launch.barrier.is_some(),
            started: false,
            ended: None,
        };
        let task_id = launch.task_id;
        assert!(self.tasks.insert(task_id, task).is_none(), "task {task_id} is launched twice");
    }

    pub(super) fn get(&self, task_id: TaskId) -> &Task {
        self.tasks.get(&task_id).unwrap_or_else(|| panic!("task {task_id} was never launched"))
    }

    /// Is the task known to run there, so that what the executor says of it is news?
    pub(super) fn runs(&self, task_id: TaskId, executor_id: &ExecutorId) -> bool {
        let task = self.tasks.get(&task_id);
        task.is_some_and(|task| task.ended.is_none() && task.executor_id == *executor_id)
    }

    pub(super) fn running_on(&self, executor_id: &ExecutorId) -> impl Iterator<Item = (TaskId, &Task)> {
        let all = self.tasks.iter().map(|(&task_id, task)| (task_id, task));
        all.filter(|(task_id, _)| self.runs(*task_id, executor_id))
    }

    pub(super) fn started(&mut self, task_id: TaskId, executor_id: &ExecutorId) {
        if self.runs(task_id, executor_id) {
            self.tasks.get_mut(&task_id).expect("it runs").started = true;
        }
    }

    pub(super) fn shuffle(&self, stage: StageAttemptId) -> Option<ShuffleId> {
        self.shuffles[&stage]
    }

    /// The listeners hear of the end.
    pub(super) fn ended(&mut self, task_id: TaskId, how: Ended) {
        let task = self.tasks.get_mut(&task_id).unwrap_or_else(|| panic!("task {task_id} was never launched"));
        assert_eq!(task.ended.replace(how), None, "task {task_id} ends twice");
    }
}
