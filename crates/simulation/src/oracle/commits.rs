//! Leave to commit: one attempt of a partition at a time has it (RT-37).

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{Partition, StageAttemptId, StageId, TaskId};

use super::tasks::{Ended, Tasks};

#[derive(Debug, Default)]
pub(super) struct Commits {
    /// Who was the last to get leave.
    holders: BTreeMap<(StageId, Partition), TaskId>,
    /// Who made use of it.
    committed: BTreeMap<(StageId, Partition), BTreeSet<TaskId>>,
}

impl Commits {
    /// The task is told that it may. It may be told again, as its question may have come twice.
    pub(super) fn granted(&mut self, task_id: TaskId, tasks: &Tasks, void: &BTreeSet<StageAttemptId>) {
        let task = tasks.get(task_id);
        let (stage, partition) = (task.stage, task.partition);
        assert_ne!(task.ended, Some(Ended::InVain), "task {task_id} may commit, though it has ended in vain");
        let earlier = self.holders.insert((stage.stage_id, partition), task_id);
        if let Some(holder) = earlier.filter(|&holder| holder != task_id) {
            let earlier = tasks.get(holder);
            let released = match earlier.ended {
                None => false,
                Some(Ended::Succeeded) => void.contains(&earlier.stage),
                Some(Ended::InVain) => true,
            };
            assert!(
                released,
                "partition {partition} of stage {stage}: task {task_id} may commit, though task {holder} may"
            );
        }
    }

    pub(super) fn committed(&mut self, task_id: TaskId, tasks: &Tasks) {
        let task = tasks.get(task_id);
        self.committed.entry((task.stage.stage_id, task.partition)).or_default().insert(task_id);
    }

    /// The result of the task is handed to a job whose tasks commit: what stands is its output, and nobody else's.
    pub(super) fn delivered(&self, task_id: TaskId, tasks: &Tasks) {
        let task = tasks.get(task_id);
        let (stage, partition) = (task.stage, task.partition);
        let committed = self.committed.get(&(stage.stage_id, partition));
        let committed = committed.unwrap_or_else(|| panic!("partition {partition} of stage {stage} has no output"));
        assert!(committed.contains(&task_id), "task {task_id} succeeds, and has not committed its output");
        for &other in committed.iter().filter(|&&other| other != task_id) {
            let attempt = tasks.get(other);
            let undone = attempt.ended == Some(Ended::InVain) || attempt.stage != stage;
            assert!(undone, "partition {partition} of stage {stage} has the output of task {other} beside {task_id}'s");
        }
    }
}
