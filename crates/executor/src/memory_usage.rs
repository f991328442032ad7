//! How much memory this process holds, as the kernel counts it.

use std::fs;

use firesteel_block_store::MemoryManager;
use firesteel_memory::MemoryMode;
use firesteel_model::ExecutorMetrics;

/// What this process's memory holds now: by the account of its memory manager, and as a whole, which is 0 where the kernel does
/// not say.
pub fn executor_metrics(memory: &MemoryManager) -> ExecutorMetrics {
    let [on_heap, off_heap] = [MemoryMode::OnHeap, MemoryMode::OffHeap].map(|mode| memory.usage(mode));
    ExecutorMetrics {
        on_heap_execution: on_heap.execution.bytes(),
        off_heap_execution: off_heap.execution.bytes(),
        on_heap_storage: on_heap.storage.bytes(),
        off_heap_storage: off_heap.storage.bytes(),
        on_heap_unified: on_heap.execution.bytes() + on_heap.storage.bytes(),
        off_heap_unified: off_heap.execution.bytes() + off_heap.storage.bytes(),
        virtual_memory: status_kib("VmSize:") << 10,
        resident_memory: resident_bytes(),
    }
}

/// The bytes that are resident; 0 where the kernel does not say.
pub fn resident_bytes() -> u64 {
    status_kib("VmRSS:") << 10
}

fn status_kib(field: &str) -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|value| value.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use firesteel_memory::{Eviction, PoolSize, UnifiedMemoryManager};
    use firesteel_model::{ByteCount, TaskId};

    use super::*;

    #[test]
    fn each_pool_is_told_by_what_it_is_for_and_the_process_holds_something() {
        let mut pools = UnifiedMemoryManager::new(
            PoolSize { capacity: ByteCount(1000), storage_region: ByteCount(500) },
            PoolSize { capacity: ByteCount(100), storage_region: ByteCount(50) },
        );
        for (mode, execution, storage) in [(MemoryMode::OnHeap, 30, 200), (MemoryMode::OffHeap, 4, 20)] {
            let pool = pools.pool_mut(mode);
            pool.acquire_execution(TaskId(1), ByteCount(execution), Eviction::Possible);
            pool.acquire_storage(ByteCount(storage), Eviction::Possible);
        }
        let memory = MemoryManager::new(pools, MemoryManager::WAIT_LIMIT);
        let metrics = executor_metrics(&memory);
        assert!(metrics.resident_memory > 0 && metrics.virtual_memory >= metrics.resident_memory, "{metrics:?}");
        assert_eq!((metrics.on_heap_execution, metrics.on_heap_storage, metrics.on_heap_unified), (30, 200, 230));
        assert_eq!((metrics.off_heap_execution, metrics.off_heap_storage, metrics.off_heap_unified), (4, 20, 24));
    }
}
