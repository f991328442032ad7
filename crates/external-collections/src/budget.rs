//! The execution memory that one collection holds.

use std::sync::Arc;

use crate::{ExecutionMemory, SpillContext, SpillMetrics};

/// Requests are rounded up to this, so that a growing collection asks once per mebibyte at most.
const REQUEST_BYTES: u64 = 1 << 20;

/// Grants of the task's execution memory, given back when dropped.
pub(crate) struct MemoryBudget {
    memory: Arc<dyn ExecutionMemory>,
    metrics: Arc<SpillMetrics>,
    /// Usable without asking.
    initial_bytes: u64,
    granted_bytes: u64,
}

impl MemoryBudget {
    pub(crate) fn new(context: &SpillContext) -> Self {
        Self {
            memory: Arc::clone(&context.memory),
            metrics: Arc::clone(&context.metrics),
            initial_bytes: context.options.initial_memory_bytes,
            granted_bytes: 0,
        }
    }

    /// Whether so many bytes may be used in all, after asking for what is missing. A grant that falls short is kept: it
    /// goes back when the caller has spilled.
    #[inline]
    pub(crate) fn ensure(&mut self, used_bytes: u64) -> bool {
        used_bytes <= self.limit_bytes() || self.request(used_bytes)
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
