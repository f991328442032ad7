//! Persisted RDDs as the Storage page has them (UI-13).

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{ExecutorId, Partition, RddId, RddStorageInfo, StorageLevel};

/// One persisted RDD.
#[derive(Clone, Debug)]
pub struct RddStatus {
    /// Which.
    pub id: RddId,
    /// Its name.
    pub name: String,
    /// How it is persisted.
    pub storage_level: StorageLevel,
    /// How many partitions it has.
    pub partitions: u32,
    /// The ones of which a block is kept.
    pub cached: BTreeMap<Partition, RddPartitionStatus>,
    /// Bytes in memory, all copies together.
    pub memory_used: u64,
    /// Bytes on disk, all copies together.
    pub disk_used: u64,
}

/// One stored partition of an RDD.
#[derive(Clone, Debug, Default)]
pub struct RddPartitionStatus {
    /// Its copies, each with bytes in memory and on disk.
    pub copies: BTreeMap<ExecutorId, (u64, u64)>,
}

impl RddPartitionStatus {
    /// Who holds a copy.
    pub fn executors(&self) -> BTreeSet<&ExecutorId> {
        self.copies.keys().collect()
    }
}

impl RddStatus {
    pub(crate) fn new(info: &RddStorageInfo) -> Self {
        Self {
            id: info.id,
            name: info.name.clone(),
            storage_level: info.storage_level,
            partitions: info.partitions,
            cached: BTreeMap::new(),
            memory_used: 0,
            disk_used: 0,
        }
    }

    /// Notes one copy as it is after a change (none: it is gone), and returns what it was before.
    pub(crate) fn set_copy(
        &mut self,
        partition: Partition,
        executor_id: &ExecutorId,
        sizes: Option<(u64, u64)>,
    ) -> Option<(u64, u64)> {
        let copies = &mut self.cached.entry(partition).or_default().copies;
        let before = match sizes {
            Some(sizes) => copies.insert(executor_id.clone(), sizes),
            None => copies.remove(executor_id),
        };
        if copies.is_empty() {
            self.cached.remove(&partition);
        }
        let (memory_before, disk_before) = before.unwrap_or_default();
        let (memory, disk) = sizes.unwrap_or_default();
        self.memory_used = self.memory_used - memory_before + memory;
        self.disk_used = self.disk_used - disk_before + disk;
        before
    }
}
