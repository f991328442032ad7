//! Who may hold how much memory: the rules of Spark's unified memory manager (RT-52) as plain decisions.
//!
//! There are two pools, on heap and off heap, and in each two uses: *execution* (sorts, joins, aggregations: belongs to
//! one task) and *storage* (cached blocks: belongs to nobody). They borrow from one another, with one asymmetry:
//!
//! ```text
//!  |<------------------------------- capacity ------------------------------->|
//!  |<--------- storage region --------->|
//!  [ storage, safe here                 | storage beyond: execution may evict ][ free ][ execution: never evicted ]
//! ```
//!
//! - Storage takes whatever is free, and beyond that can only evict other stored blocks.
//! - Execution takes whatever is free, and may have stored blocks evicted until storage is down to its region.
//! - Among N tasks that hold or ask for execution memory each can hold at most 1/N of the pool, and may insist on
//!   1/(2N): a task that has less waits for others instead of spilling tiny runs.
//! - *Unroll* memory is storage that a task holds while it collects a block whose size is unknown yet; it cannot be
//!   evicted, and becomes storage when the block is complete.
//! - What the process holds beyond what it was given is taken from both pools, and *recalled* from whoever gathers records
//!   (see [`Pressure`]). While a pool is smaller for that, nobody waits for memory that is not there.
//!
//! Nothing here waits, evicts or allocates: a call answers with a grant, or says what must happen first
//! ([`ExecutionGrant`], [`StorageGrant`]), and the shell (`block-store`) does that and asks again.
//!
//! What does not belong here: which blocks there are and which of them goes first. That is the memory store's.

#![forbid(unsafe_code)]

mod manager;
mod options;
mod pool;
mod pressure;

pub use manager::{TaskLeftovers, UnifiedMemoryManager};
pub use options::{MINIMUM_HEAP, MemoryOptions, MemoryOptionsError, PoolSize, RESERVED_HEAP};
pub use pool::{Eviction, ExecutionGrant, MemoryPool, PoolUsage, StorageGrant, StorageRefusal, TaskHolding};
pub use pressure::{Pressure, ResidentLimits};

/// Which of the two pools.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemoryMode {
    /// Sized by `spark.executor.memory`.
    OnHeap,
    /// Sized by `spark.memory.offHeap.size`.
    OffHeap,
}

impl MemoryMode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OnHeap, Self::OffHeap];
}

impl std::fmt::Display for MemoryMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OnHeap => "on-heap",
            Self::OffHeap => "off-heap",
        })
    }
}
