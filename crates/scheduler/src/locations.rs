//! What the scheduler asks the block registry.

use firesteel_model::{Partition, RddId, StorageLevel, TaskLocation};

/// Where cached partitions are. The driver's block registry implements it; the scheduler asks only while it handles an event.
pub trait BlockLocations {
    /// The storage level that the user gave the data set; [`StorageLevel::NONE`] if none.
    fn storage_level(&self, rdd_id: RddId) -> StorageLevel;

    /// The executors that hold the partition.
    fn cached_locations(&self, rdd_id: RddId, partition: Partition) -> Vec<TaskLocation>;

    /// Is every partition held somewhere? Then nothing that the data set is computed from needs to run.
    fn is_fully_cached(&self, rdd_id: RddId, partitions: u32) -> bool {
        (0..partitions).all(|partition| !self.cached_locations(rdd_id, Partition(partition)).is_empty())
    }
}

/// No data set is cached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NothingCached;

impl BlockLocations for NothingCached {
    fn storage_level(&self, _: RddId) -> StorageLevel {
        StorageLevel::NONE
    }

    fn cached_locations(&self, _: RddId, _: Partition) -> Vec<TaskLocation> {
        Vec::new()
    }
}
