//! A pool that is asked for execution memory, and keeps its invariants whatever it answers.

use firesteel_memory::{Eviction, ExecutionGrant, MemoryPool, PoolSize};
use firesteel_model::{ByteCount, TaskId};

pub fn pool(capacity: u64, storage_region: u64) -> MemoryPool {
    MemoryPool::new(PoolSize { capacity: ByteCount(capacity), storage_region: ByteCount(storage_region) })
}

pub fn execute(pool: &mut MemoryPool, task: u64, bytes: u64) -> ExecutionGrant {
    let grant = pool.acquire_execution(TaskId(task), ByteCount(bytes), Eviction::Possible);
    pool.assert_invariants();
    grant
}

pub fn granted(bytes: u64) -> ExecutionGrant {
    ExecutionGrant::Granted(ByteCount(bytes))
}
