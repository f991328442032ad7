//! The map outputs as the driver lists them.

use std::{collections::BTreeMap, sync::Arc};

use firesteel_model::{MapStatus, Partition, ShuffleId, TaskId};

#[derive(Debug, Default)]
pub(super) struct MapOutputs {
    /// Who wrote what readers are told of.
    listed: BTreeMap<ShuffleId, Vec<Option<TaskId>>>,
}

impl MapOutputs {
    /// The task whose output readers are told of.
    pub(super) fn listed(&self, shuffle_id: ShuffleId, partition: Partition) -> Option<TaskId> {
        *self.listed.get(&shuffle_id)?.get(partition.0 as usize)?
    }

    /// What readers are told from here on.
    pub(super) fn changed(&mut self, shuffle_id: ShuffleId, statuses: &[Option<Arc<MapStatus>>]) {
        let writers = statuses.iter().map(|status| status.as_ref().map(|status| TaskId(status.map_id.0)));
        self.listed.insert(shuffle_id, writers.collect());
    }
}
