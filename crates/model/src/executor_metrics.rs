//! What an executor's memory holds.

use serde::{Deserialize, Serialize};

/// The memory of an executor at one moment, or the most of each over a time: Spark's `ExecutorMetrics`, as far as there is no JVM
/// in them. In bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorMetrics {
    /// Execution memory, on heap.
    pub on_heap_execution: u64,
    /// Execution memory, off heap.
    pub off_heap_execution: u64,
    /// Storage memory, on heap.
    pub on_heap_storage: u64,
    /// Storage memory, off heap.
    pub off_heap_storage: u64,
    /// Execution and storage together, on heap.
    pub on_heap_unified: u64,
    /// Execution and storage together, off heap.
    pub off_heap_unified: u64,
    /// The process's address space.
    pub virtual_memory: u64,
    /// The part of it that is resident.
    pub resident_memory: u64,
}

impl ExecutorMetrics {
    /// Makes each the greater one of both.
    pub fn raise_to(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.on_heap_execution, other.on_heap_execution),
            (&mut self.off_heap_execution, other.off_heap_execution),
            (&mut self.on_heap_storage, other.on_heap_storage),
            (&mut self.off_heap_storage, other.off_heap_storage),
            (&mut self.on_heap_unified, other.on_heap_unified),
            (&mut self.off_heap_unified, other.off_heap_unified),
            (&mut self.virtual_memory, other.virtual_memory),
            (&mut self.resident_memory, other.resident_memory),
        ] {
            *own = other.max(*own);
        }
    }
}
