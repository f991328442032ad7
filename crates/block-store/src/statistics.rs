//! What a block manager counts, for metrics and the UI.

use std::sync::atomic::{AtomicU64, Ordering};

use firesteel_memory::PoolUsage;
use firesteel_model::ByteCount;

/// What a block manager holds and has done. Counts are since the start of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StorageStatistics {
    /// The on-heap pool.
    pub on_heap: PoolUsage,
    /// The off-heap pool.
    pub off_heap: PoolUsage,
    /// Bytes of all blocks on disk.
    pub disk_used: ByteCount,
    /// How many blocks are in memory.
    pub memory_blocks: u64,
    /// Blocks found in local memory.
    pub memory_hits: u64,
    /// Blocks found on the local disk.
    pub disk_hits: u64,
    /// Blocks fetched from elsewhere.
    pub remote_hits: u64,
    /// Blocks found nowhere, and computed.
    pub computed: u64,
    /// Computed blocks that were stored nowhere for want of room.
    pub not_stored: u64,
    /// Blocks that had to leave memory for something else.
    pub evicted: u64,
    /// Those of them that went to disk.
    pub evicted_to_disk: u64,
    /// Copies that were wanted and that no peer took.
    pub replicas_failed: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) memory_hits: Counter,
    pub(crate) disk_hits: Counter,
    pub(crate) remote_hits: Counter,
    pub(crate) computed: Counter,
    pub(crate) not_stored: Counter,
    pub(crate) evicted: Counter,
    pub(crate) evicted_to_disk: Counter,
    pub(crate) replicas_failed: Counter,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
