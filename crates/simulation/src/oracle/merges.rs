//! Accumulators: what counts is merged, once for each output (RT-56).

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{Partition, StageId, TaskId};

use super::{map_outputs::MapOutputs, tasks::Tasks};

#[derive(Debug, Default)]
pub(super) struct Merges {
    tasks: BTreeSet<TaskId>,
    /// Whose were merged for an output of a result stage.
    results: BTreeMap<(StageId, Partition), TaskId>,
}

impl Merges {
    pub(super) fn merged(&mut self, task_id: TaskId, tasks: &Tasks, outputs: &MapOutputs) {
        assert!(self.tasks.insert(task_id), "the accumulators of task {task_id} were merged twice");
        let task = tasks.get(task_id);
        let (stage, partition) = (task.stage, task.partition);
        match tasks.shuffle(stage) {
            None => {
                let other = self.results.insert((stage.stage_id, partition), task_id);
                assert_eq!(other, None, "partition {partition} of stage {stage}: accumulators of two tasks are merged");
            }
            Some(shuffle_id) => {
                let other = outputs.listed(shuffle_id, partition);
                assert_eq!(
                    other, None,
                    "the accumulators of map task {task_id} are merged, though partition {partition} of stage {stage} has its output"
                );
            }
        }
    }

    pub(super) fn has(&self, task_id: TaskId) -> bool {
        self.tasks.contains(&task_id)
    }
}
