//! What the Storage and Executors pages show (UI-13).

use std::collections::BTreeMap;

use firesteel_model::{BlockId, BlockManagerId, ByteCount, ExecutorId, Partition, StorageLevel};

use crate::BlockStatus;

/// What is stored of one RDD.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RddStorage {
    /// Every stored partition, in order; how many they are is the page's "cached partitions".
    pub partitions: BTreeMap<Partition, PartitionStorage>,
    /// Bytes in memory, every copy counted.
    pub memory_size: ByteCount,
    /// Bytes on disk, every copy counted.
    pub disk_size: ByteCount,
}

/// What is stored of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartitionStorage {
    /// How it is kept, by its first holder.
    pub level: StorageLevel,
    /// Bytes in memory, every copy counted.
    pub memory_size: ByteCount,
    /// Bytes on disk, every copy counted.
    pub disk_size: ByteCount,
    /// Who has it.
    pub executors: Vec<ExecutorId>,
}

/// One block manager's storage at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockManagerStorage {
    /// Which.
    pub id: BlockManagerId,
    /// How much storage memory it can have on heap.
    pub maximum_on_heap: ByteCount,
    /// How much storage memory it can have off heap.
    pub maximum_off_heap: ByteCount,
    /// Bytes of its blocks in memory.
    pub memory_used: ByteCount,
    /// Bytes of its blocks on disk.
    pub disk_used: ByteCount,
    /// How many cached partitions it holds.
    pub rdd_blocks: usize,
}

impl RddStorage {
    /// Sums up the copies; `blocks` come in the order of partitions.
    pub(crate) fn of<'a>(blocks: impl Iterator<Item = (&'a BlockId, &'a BTreeMap<ExecutorId, BlockStatus>)>) -> Self {
        let mut storage = Self::default();
        for (block_id, holders) in blocks {
            let BlockId::Rdd(_, partition) = *block_id else { continue };
            let mut stored = PartitionStorage { executors: holders.keys().cloned().collect(), ..Default::default() };
            for (index, status) in holders.values().enumerate() {
                if index == 0 {
                    stored.level = status.level;
                }
                stored.memory_size += status.memory_size;
                stored.disk_size += status.disk_size;
            }
            storage.memory_size += stored.memory_size;
            storage.disk_size += stored.disk_size;
            storage.partitions.insert(partition, stored);
        }
        storage
    }
}
