//! The map outputs as the driver lists them: what is there is not made again (RT-35), and what may be gone is not listed
//! (RT-62).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{BlockManagerId, ExecutorId, MapStatus, Partition, ShuffleId, TaskId};

use super::tasks::Tasks;

#[derive(Debug)]
struct Listed {
    writer: TaskId,
    at: BlockManagerId,
    /// Nothing that the driver heard since speaks against it.
    sound: bool,
}

#[derive(Debug, Default)]
pub(super) struct MapOutputs {
    /// What readers are told of, by partition.
    listed: BTreeMap<ShuffleId, Vec<Option<Listed>>>,
    /// All of these is computed again whenever a part of it is: by tasks that run together, or from rows that may change.
    whole: BTreeSet<ShuffleId>,
    /// The newest epoch of the readers that could read nothing at an executor.
    unreadable: BTreeMap<ExecutorId, u64>,
}

impl MapOutputs {
    pub(super) fn made_as_a_whole(&mut self, shuffle_id: ShuffleId) {
        self.whole.insert(shuffle_id);
    }

    /// The task whose output readers are told of.
    pub(super) fn listed(&self, shuffle_id: ShuffleId, partition: Partition) -> Option<TaskId> {
        self.listed_at(shuffle_id, partition).map(|listed| listed.writer)
    }

    fn listed_at(&self, shuffle_id: ShuffleId, partition: Partition) -> Option<&Listed> {
        self.listed.get(&shuffle_id)?.get(partition.0 as usize)?.as_ref()
    }

    /// What readers are told from here on.
    pub(super) fn changed(&mut self, shuffle_id: ShuffleId, statuses: &[Option<Arc<MapStatus>>], tasks: &Tasks) {
        for (index, status) in statuses.iter().enumerate() {
            let Some(status) = status else {
                self.assert_not_sound(shuffle_id, Partition(index as u32), "forgotten");
                continue;
            };
            let (writer, executor_id) = (TaskId(status.map_id.0), &status.location.executor_id);
            let known = self.listed(shuffle_id, Partition(index as u32)) == Some(writer);
            let unreadable = self.unreadable.get(executor_id).copied();
            assert!(
                known || unreadable.is_none_or(|epoch| tasks.get(writer).epoch > epoch),
                "the output of task {writer} is taken, though executor {executor_id} was known to have lost its outputs"
            );
        }
        let listed = |status: &Option<Arc<MapStatus>>| {
            let status = status.as_ref()?;
            Some(Listed { writer: TaskId(status.map_id.0), at: status.location.clone(), sound: true })
        };
        self.listed.insert(shuffle_id, statuses.iter().map(listed).collect());
    }

    /// A map task is launched.
    pub(super) fn launched(&self, shuffle_id: ShuffleId, partition: Partition) {
        self.assert_not_sound(shuffle_id, partition, "computed again");
    }

    fn assert_not_sound(&self, shuffle_id: ShuffleId, partition: Partition, what: &str) {
        let sound = self.listed_at(shuffle_id, partition).filter(|listed| listed.sound);
        if let Some(listed) = sound.filter(|_| !self.whole.contains(&shuffle_id)) {
            panic!("partition {partition} of shuffle {shuffle_id} is {what}, though nothing happened to {listed:?}");
        }
    }

    /// A reader of a set that was made at this epoch could read nothing there, and the driver acts on it.
    pub(super) fn unreadable(&mut self, executor_id: &ExecutorId, epoch: u64) {
        let known = self.unreadable.entry(executor_id.clone()).or_default();
        *known = epoch.max(*known);
    }

    /// What is there may be gone. The shuffles of which that is so.
    pub(super) fn suspected(&mut self, gone: impl Fn(&BlockManagerId) -> bool) -> BTreeSet<ShuffleId> {
        let mut shuffles = BTreeSet::new();
        for (&shuffle_id, outputs) in &mut self.listed {
            for listed in outputs.iter_mut().flatten().filter(|listed| gone(&listed.at)) {
                listed.sound = false;
                shuffles.insert(shuffle_id);
            }
        }
        shuffles
    }
}
