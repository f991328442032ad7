//! The execution memory that one collection holds.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{ExecutionMemory, SpillContext, SpillMetrics};

/// Requests are rounded up to this, so that a growing collection asks once per mebibyte at most.
const REQUEST_BYTES: u64 = 1 << 20;

/// A collection that has given way to recalls so many times gives way to the next one only if it has so many bytes more than
/// none, by its own estimate. The first ones cost little though they may be small, and help if the estimate is wrong; a
/// thousand spills have some megabytes each.
const RECALL_BYTES: u64 = 4 << 10;

/// Grants of the task's execution memory, given back when dropped.
pub(crate) struct MemoryBudget {
    memory: Arc<dyn ExecutionMemory>,
    metrics: Arc<SpillMetrics>,
    /// Usable without asking.
    initial_bytes: u64,
    granted_bytes: u64,
    /// Grows when memory is recalled, …
    recalls: Arc<AtomicU64>,
    /// … from which this collection knows it.
    known_recalls: u64,
    /// How often it has given way to one.
    given_way: u64,
    /// Nothing may be used any more until everything was given back.
    is_giving_way: bool,
}

impl MemoryBudget {
    pub(crate) fn new(context: &SpillContext) -> Self {
        Self {
            memory: Arc::clone(&context.memory),
            metrics: Arc::clone(&context.metrics),
            initial_bytes: context.options.initial_memory_bytes,
            granted_bytes: 0,
            recalls: Arc::clone(&context.recalls),
            known_recalls: context.recalls.load(Relaxed),
            given_way: 0,
            is_giving_way: false,
        }
    }

    /// Whether memory was recalled since this was last asked to [`ensure`](Self::ensure) anything. The collection then does so
    /// at once: by the estimates that it goes by otherwise, its turn might be far away.
    #[inline]
    pub(crate) fn is_recalled(&self) -> bool {
        self.recalls.load(Relaxed) != self.known_recalls
    }

    /// Whether so many bytes may be used in all, after asking for what is missing. A grant that falls short is kept: it
    /// goes back when the caller has spilled. If memory was recalled nothing may be used, until it was given back.
    #[inline]
    pub(crate) fn ensure(&mut self, used_bytes: u64) -> bool {
        if self.is_recalled() {
            self.recall(used_bytes);
        }
        !self.is_giving_way && (used_bytes <= self.limit_bytes() || self.request(used_bytes))
    }

    #[cold]
    fn recall(&mut self, used_bytes: u64) {
        self.known_recalls = self.recalls.load(Relaxed);
        if !self.is_giving_way && used_bytes > self.given_way * RECALL_BYTES {
            self.is_giving_way = true;
            self.given_way += 1;
        }
    }

    #[cold]
    fn request(&mut self, used_bytes: u64) -> bool {
        let missing = used_bytes - self.limit_bytes();
        let granted = self.memory.acquire(missing.checked_next_multiple_of(REQUEST_BYTES).unwrap_or(missing));
        self.granted_bytes += granted;
        self.metrics.count_granted(granted);
        used_bytes <= self.limit_bytes()
    }

    /// What may be used without asking again.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.initial_bytes.saturating_add(self.granted_bytes)
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self) {
        self.is_giving_way = false;
        if self.granted_bytes > 0 {
            self.memory.release(self.granted_bytes);
            self.metrics.count_released(self.granted_bytes);
            self.granted_bytes = 0;
        }
    }
}

impl Drop for MemoryBudget {
    fn drop(&mut self) {
        self.release();
    }
}
