//! The memory of one process, shared by its threads (RT-52).
//!
//! The rules are `firesteel-memory`'s; this shell holds them under one lock, has blocks evicted, and lets threads wait.
//! The lock is never held while blocks are evicted, so a block that goes to disk stops nobody; whoever asked asks again
//! afterwards, and an eviction that freed nothing ends the asking.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use firesteel_memory::{
    Eviction, ExecutionGrant, MemoryMode, PoolUsage, Pressure, ResidentLimits, StorageGrant, StorageRefusal,
    TaskLeftovers, UnifiedMemoryManager,
};
use firesteel_model::{BlockId, ByteCount, TaskId};
use parking_lot::{Condvar, Mutex};

/// How often a waiting thread looks at its kill flag. A kill is noticed at most so much later.
const KILL_CHECK: Duration = Duration::from_millis(50);

/// Frees storage memory on request: the block manager.
pub(crate) trait StorageEvictor: Send + Sync {
    /// Evicts blocks of the pool until about `bytes` are free, and gives their memory back to the memory manager. Returns
    /// how much it freed; zero means that asking again is useless.
    fn evict(&self, mode: MemoryMode, bytes: ByteCount, reason: EvictionReason) -> ByteCount;
}

/// What the memory is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EvictionReason {
    /// A task computes: whatever can be freed helps. Whole blocks go, so the last of them may reach into the storage
    /// region, as in Spark.
    Execution,
    /// This block wants in. No block of its own RDD goes for it, and none goes unless all that is needed can go (RT-53).
    Block(BlockId),
}

/// No execution memory came.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AcquireMemoryError {
    /// The task's kill flag was raised.
    #[error("task {task_id} was killed while it waited for {bytes} of {mode} memory")]
    Killed {
        /// Which task.
        task_id: TaskId,
        /// What it asked for.
        bytes: ByteCount,
        /// From which pool.
        mode: MemoryMode,
    },
    /// Nobody released enough for as long as the memory manager lets a task wait.
    #[error(
        "task {task_id} waited {waited:?} for {bytes} of {mode} memory; its share is at least {minimum}, and the tasks that hold memory are {holders:?}; raise {setting} or run fewer tasks at once (spark.task.cpus)"
    )]
    TimedOut {
        /// Which task.
        task_id: TaskId,
        /// What it asked for.
        bytes: ByteCount,
        /// From which pool.
        mode: MemoryMode,
        /// How long.
        waited: Duration,
        /// What it may insist on.
        minimum: ByteCount,
        /// Who holds how much.
        holders: BTreeMap<TaskId, ByteCount>,
        /// The key that says how large the pool is.
        setting: &'static str,
    },
}

/// The memory of one process.
pub struct MemoryManager {
    core: Mutex<UnifiedMemoryManager>,
    /// Signalled whenever memory was released, or the number of active tasks or the size of the pools changed.
    changed: Condvar,
    /// How often memory was recalled.
    recalls: Arc<AtomicU64>,
    evictor: OnceLock<Weak<dyn StorageEvictor>>,
    wait_limit: Duration,
    /// What the size of the heap follows from.
    heap_setting: &'static str,
}

impl MemoryManager {
    /// How long a task waits for its share unless told otherwise. Spark waits for ever; a task that gets nothing for so
    /// long spills what it has, or says who holds the memory. This also ends the one circle that is possible: a task that
    /// computes a block waits for memory of a task that waits for this block.
    pub const WAIT_LIMIT: Duration = Duration::from_secs(120);

    /// Shares the pools of an executor between threads.
    pub fn new(core: UnifiedMemoryManager, wait_limit: Duration) -> Arc<Self> {
        Self::sized_by("spark.executor.memory", core, wait_limit)
    }

    /// As [`MemoryManager::new`] for the driver, which runs tasks too in local mode: whoever waits there in vain is told to
    /// raise the driver's memory.
    pub fn of_driver(core: UnifiedMemoryManager, wait_limit: Duration) -> Arc<Self> {
        Self::sized_by("spark.driver.memory", core, wait_limit)
    }

    fn sized_by(heap_setting: &'static str, core: UnifiedMemoryManager, wait_limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            core: Mutex::new(core),
            changed: Condvar::new(),
            recalls: Arc::default(),
            evictor: OnceLock::new(),
            wait_limit,
            heap_setting,
        })
    }

    /// Says who evicts blocks. The block manager does this for itself, once; until then nothing is stored.
    pub(crate) fn set_evictor(&self, evictor: Weak<dyn StorageEvictor>) {
        assert!(self.evictor.set(evictor).is_ok(), "a memory manager belongs to one block manager");
    }

    /// Gets the task execution memory: as much of `bytes` as the rules allow, which may be nothing. Evicts stored blocks
    /// beyond the storage region; waits while the task has less than half its share and others hold the rest.
    pub fn acquire_execution(
        &self,
        task_id: TaskId,
        bytes: ByteCount,
        mode: MemoryMode,
        killed: &AtomicBool,
    ) -> Result<ByteCount, AcquireMemoryError> {
        let mut waited_since = None;
        let mut eviction = Eviction::Possible;
        let mut core = self.core.lock();
        loop {
            let active_before = core.pool(mode).active_tasks().count();
            let grant = core.pool_mut(mode).acquire_execution(task_id, bytes, eviction);
            if core.pool(mode).active_tasks().count() != active_before {
                self.changed.notify_all();
            }
            let minimum = match grant {
                ExecutionGrant::Granted(granted) => return Ok(granted),
                ExecutionGrant::MustEvict { bytes } => {
                    drop(core);
                    if self.evict(mode, bytes, EvictionReason::Execution) == ByteCount::ZERO {
                        eviction = Eviction::Exhausted;
                    }
                    core = self.core.lock();
                    continue;
                }
                ExecutionGrant::Wait { minimum } => minimum,
            };
            let waited = waited_since.get_or_insert_with(Instant::now).elapsed();
            let error = if killed.load(Ordering::Acquire) {
                AcquireMemoryError::Killed { task_id, bytes, mode }
            } else if waited >= self.wait_limit {
                let holders = core.pool(mode).active_tasks().filter(|(_, held)| *held > ByteCount::ZERO).collect();
                let setting = match mode {
                    MemoryMode::OnHeap => self.heap_setting,
                    MemoryMode::OffHeap => "spark.memory.offHeap.size",
                };
                AcquireMemoryError::TimedOut { task_id, bytes, mode, waited, minimum, holders, setting }
            } else {
                self.changed.wait_for(&mut core, KILL_CHECK.min(self.wait_limit - waited));
                eviction = Eviction::Possible;
                continue;
            };
            core.pool_mut(mode).cancel_wait(task_id);
            self.changed.notify_all();
            return Err(error);
        }
    }

    /// Gives execution memory back.
    ///
    /// # Panics
    ///
    /// If the task does not hold so much.
    pub fn release_execution(&self, task_id: TaskId, bytes: ByteCount, mode: MemoryMode) {
        self.core.lock().pool_mut(mode).release_execution(task_id, bytes);
        self.changed.notify_all();
    }

    /// The task ended: takes back everything it still holds. Anything but zero is a leak, and the caller logs it.
    pub fn release_all_for_task(&self, task_id: TaskId) -> TaskLeftovers {
        let left = self.core.lock().release_task(task_id);
        self.changed.notify_all();
        left
    }

    /// The process holds so much, as the kernel counts it: the pools become smaller or larger accordingly, and memory is
    /// recalled when its time has come. While the process is pressed, somebody who can wait for disks calls [`Self::relieve`].
    pub fn observe_resident(&self, limits: &ResidentLimits, resident: ByteCount) -> Pressure {
        let pressure = self.core.lock().observe_resident(limits, resident);
        if pressure.is_recall {
            self.recalls.fetch_add(1, Ordering::Relaxed);
        }
        if pressure.is_changed {
            self.changed.notify_all();
        }
        pressure
    }

    /// A number that grows with each recall: whoever gathers records looks whether it has, and then puts them on disk.
    pub fn recalls(&self) -> &Arc<AtomicU64> {
        &self.recalls
    }

    /// Evicts the blocks for which the pools have become too small. Returns how much that freed.
    pub fn relieve(&self) -> ByteCount {
        let evict = |mode| {
            let excess = self.core.lock().pool(mode).excess_storage();
            if excess == ByteCount::ZERO { excess } else { self.evict(mode, excess, EvictionReason::Execution) }
        };
        MemoryMode::ALL.into_iter().map(evict).sum()
    }

    /// How much of a pool is used for what.
    pub fn usage(&self, mode: MemoryMode) -> PoolUsage {
        self.core.lock().pool(mode).usage()
    }

    /// Every task that holds or waits for execution memory of this pool, with what it holds.
    pub fn active_tasks(&self, mode: MemoryMode) -> BTreeMap<TaskId, ByteCount> {
        self.core.lock().pool(mode).active_tasks().collect()
    }

    /// Memory for a block of known size; evicts others if need be.
    pub(crate) fn acquire_storage(
        &self,
        block_id: BlockId,
        bytes: ByteCount,
        mode: MemoryMode,
    ) -> Result<(), StorageRefusal> {
        self.until_granted(block_id, mode, |core, eviction| core.pool_mut(mode).acquire_storage(bytes, eviction))
    }

    pub(crate) fn release_storage(&self, bytes: ByteCount, mode: MemoryMode) {
        self.core.lock().pool_mut(mode).release_storage(bytes);
        self.changed.notify_all();
    }

    /// Memory for a task that unrolls this block; evicts others if need be.
    pub(crate) fn acquire_unroll(
        &self,
        task_id: TaskId,
        block_id: BlockId,
        bytes: ByteCount,
        mode: MemoryMode,
    ) -> Result<(), StorageRefusal> {
        self.until_granted(block_id, mode, |core, eviction| {
            core.pool_mut(mode).acquire_unroll(task_id, bytes, eviction)
        })
    }

    /// Gives unroll memory back, at most as much as the task still holds: the end of its task may have come first.
    pub(crate) fn release_unroll(&self, task_id: TaskId, bytes: ByteCount, mode: MemoryMode) {
        let mut core = self.core.lock();
        let pool = core.pool_mut(mode);
        let bytes = bytes.min(pool.held_by(task_id).unroll);
        pool.release_unroll(task_id, bytes);
        drop(core);
        self.changed.notify_all();
    }

    /// What the task holds to unroll belongs to a stored block now. False if the task does not hold it: it ended.
    pub(crate) fn unroll_to_storage(&self, task_id: TaskId, bytes: ByteCount, mode: MemoryMode) -> bool {
        let mut core = self.core.lock();
        let pool = core.pool_mut(mode);
        let held = pool.held_by(task_id).unroll >= bytes;
        if held {
            pool.unroll_to_storage(task_id, bytes);
        }
        held
    }

    fn until_granted(
        &self,
        block_id: BlockId,
        mode: MemoryMode,
        mut ask: impl FnMut(&mut UnifiedMemoryManager, Eviction) -> StorageGrant,
    ) -> Result<(), StorageRefusal> {
        let mut eviction = Eviction::Possible;
        loop {
            let grant = ask(&mut self.core.lock(), eviction);
            match grant {
                StorageGrant::Granted => return Ok(()),
                StorageGrant::Refused(refusal) => return Err(refusal),
                StorageGrant::MustEvict { bytes } => {
                    if self.evict(mode, bytes, EvictionReason::Block(block_id)) == ByteCount::ZERO {
                        eviction = Eviction::Exhausted;
                    }
                }
            }
        }
    }

    fn evict(&self, mode: MemoryMode, bytes: ByteCount, reason: EvictionReason) -> ByteCount {
        let evictor = self.evictor.get().and_then(Weak::upgrade);
        evictor.map_or(ByteCount::ZERO, |evictor| evictor.evict(mode, bytes, reason))
    }
}
