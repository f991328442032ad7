//! One pool, on heap or off heap: all the arithmetic.

use std::collections::BTreeMap;

use firesteel_model::{ByteCount, TaskId};

use crate::PoolSize;

/// Can eviction still free anything? The shell says [`Eviction::Exhausted`] after an eviction that freed nothing, so that
/// asking again comes to an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Eviction {
    /// Not known to be useless.
    Possible,
    /// Tried, and nothing could go.
    Exhausted,
}

/// The answer to a task that asks for execution memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExecutionGrant {
    /// The task holds so much more now; it may be less than asked for, and zero. Spilling is the task's own decision.
    Granted(ByteCount),
    /// Evict at least so many bytes of stored blocks, return them with [`MemoryPool::release_storage`], then ask again.
    /// Storage stays at or above its region.
    MustEvict {
        /// How many.
        bytes: ByteCount,
    },
    /// The task has less than its share: ask again when anything was released, or when the number of tasks changed.
    Wait {
        /// What it may insist on.
        minimum: ByteCount,
    },
}

/// The answer to a wish to store a block or to unroll one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StorageGrant {
    /// All of it.
    Granted,
    /// Evict at least so many bytes of other blocks, return them, then ask again.
    MustEvict {
        /// How many.
        bytes: ByteCount,
    },
    /// None of it, and nothing can be done.
    Refused(StorageRefusal),
}

/// Why a block gets no memory. The block is not cached, or goes to disk (RT-53).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StorageRefusal {
    /// Even with every other block evicted it would not fit beside what tasks hold.
    #[error("at most {maximum} could be had by evicting every other block")]
    TooLarge {
        /// What could be had.
        maximum: ByteCount,
    },
    /// Everything that could go has gone: other blocks are in use or belong to the same RDD.
    #[error("no other block can be evicted for it")]
    NothingToEvict,
}

/// What one task holds of one pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TaskHolding {
    /// Execution memory.
    pub execution: ByteCount,
    /// Unroll memory.
    pub unroll: ByteCount,
}

/// How much of a pool is used for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolUsage {
    /// What both uses share.
    pub capacity: ByteCount,
    /// What tasks hold to compute with.
    pub execution: ByteCount,
    /// What stored blocks take, unroll memory included.
    pub storage: ByteCount,
    /// The part of `storage` that tasks hold while they collect a block.
    pub unroll: ByteCount,
    /// The most that storage could have: what is usable of the capacity, less what execution holds.
    pub maximum_storage: ByteCount,
}

/// One pool.
#[derive(Clone, Debug)]
pub struct MemoryPool {
    capacity: u64,
    storage_region: u64,
    /// The part of the capacity that is taken by what the pool does not know of. What was granted before may reach into it.
    unaccounted: u64,
    /// Unroll memory included.
    storage_used: u64,
    execution_used: u64,
    unroll_used: u64,
    /// Every task that holds or waits for execution memory; the values add up to `execution_used`.
    execution: BTreeMap<TaskId, u64>,
    /// Every task that holds unroll memory; the values add up to `unroll_used`.
    unroll: BTreeMap<TaskId, u64>,
}

impl MemoryPool {
    /// An empty pool.
    pub fn new(size: PoolSize) -> Self {
        assert!(size.storage_region <= size.capacity, "a region cannot be larger than its pool");
        Self {
            capacity: size.capacity.bytes(),
            storage_region: size.storage_region.bytes(),
            unaccounted: 0,
            storage_used: 0,
            execution_used: 0,
            unroll_used: 0,
            execution: BTreeMap::new(),
            unroll: BTreeMap::new(),
        }
    }

    /// Grants a task execution memory, as much of `bytes` as the rules allow (RT-52).
    ///
    /// The task counts as active from now until it holds nothing, or [`Self::cancel_wait`].
    pub fn acquire_execution(&mut self, task_id: TaskId, bytes: ByteCount, eviction: Eviction) -> ExecutionGrant {
        let held = *self.execution.entry(task_id).or_insert(0);
        let active_tasks = self.execution.len() as u64;
        let (usable, region) = (self.usable(), self.usable_storage_region());
        let maximum_pool = usable - self.storage_used.min(region);
        let wanted = bytes.bytes().min((maximum_pool / active_tasks).saturating_sub(held));
        if eviction == Eviction::Possible {
            let evict = self.missing(wanted).min(self.evictable(region));
            if evict > 0 {
                return ExecutionGrant::MustEvict { bytes: ByteCount(evict) };
            }
        }
        let grant = wanted.min(self.free());
        let minimum = usable.saturating_sub(self.storage_used) / (2 * active_tasks);
        // Nobody releases what is taken by something else: a task has to go on with what there is.
        if grant < bytes.bytes() && held + grant < minimum && self.unaccounted == 0 {
            return ExecutionGrant::Wait { minimum: ByteCount(minimum) };
        }
        self.execution_used += grant;
        self.execution.insert(task_id, held + grant);
        ExecutionGrant::Granted(ByteCount(grant))
    }

    /// A task that was told to wait gives up: it no longer counts among those that share the pool, unless it holds memory.
    pub fn cancel_wait(&mut self, task_id: TaskId) {
        if self.execution.get(&task_id) == Some(&0) {
            self.execution.remove(&task_id);
        }
    }

    /// Takes execution memory back.
    ///
    /// # Panics
    ///
    /// If the task does not hold so much: the account of whoever released it is wrong.
    pub fn release_execution(&mut self, task_id: TaskId, bytes: ByteCount) {
        take_from(&mut self.execution, task_id, bytes, "execution");
        self.execution_used -= bytes.bytes();
    }

    /// Grants memory for a stored block, all of it or none.
    pub fn acquire_storage(&mut self, bytes: ByteCount, eviction: Eviction) -> StorageGrant {
        let wanted = bytes.bytes();
        let maximum = self.usable().saturating_sub(self.execution_used + self.unroll_used);
        if wanted > maximum {
            return StorageGrant::Refused(StorageRefusal::TooLarge { maximum: ByteCount(maximum) });
        }
        let missing = self.missing(wanted);
        // Nothing is to be had even where more was granted than is usable.
        if missing == 0 || wanted == 0 {
            self.storage_used += wanted;
            return StorageGrant::Granted;
        }
        match eviction {
            Eviction::Possible => StorageGrant::MustEvict { bytes: ByteCount(missing) },
            Eviction::Exhausted => StorageGrant::Refused(StorageRefusal::NothingToEvict),
        }
    }

    /// Takes the memory of a stored block back.
    ///
    /// # Panics
    ///
    /// If no so much is stored.
    pub fn release_storage(&mut self, bytes: ByteCount) {
        let stored = self.storage_used - self.unroll_used;
        assert!(bytes.bytes() <= stored, "released {} bytes of storage memory, of {stored}", bytes.bytes());
        self.storage_used -= bytes.bytes();
    }

    /// Grants a task memory to unroll a block into, all of it or none.
    pub fn acquire_unroll(&mut self, task_id: TaskId, bytes: ByteCount, eviction: Eviction) -> StorageGrant {
        let grant = self.acquire_storage(bytes, eviction);
        if grant == StorageGrant::Granted && bytes > ByteCount::ZERO {
            self.unroll_used += bytes.bytes();
            *self.unroll.entry(task_id).or_insert(0) += bytes.bytes();
        }
        grant
    }

    /// Takes unroll memory back.
    ///
    /// # Panics
    ///
    /// If the task does not hold so much.
    pub fn release_unroll(&mut self, task_id: TaskId, bytes: ByteCount) {
        self.unroll_to_storage(task_id, bytes);
        self.storage_used -= bytes.bytes();
    }

    /// The block is complete: what the task held to unroll it belongs to the block now. Nothing can come between.
    ///
    /// # Panics
    ///
    /// If the task does not hold so much.
    pub fn unroll_to_storage(&mut self, task_id: TaskId, bytes: ByteCount) {
        take_from(&mut self.unroll, task_id, bytes, "unroll");
        self.unroll_used -= bytes.bytes();
    }

    /// The task ended: takes back everything it still holds and says how much that was.
    pub fn release_task(&mut self, task_id: TaskId) -> TaskHolding {
        let execution = self.execution.remove(&task_id).unwrap_or(0);
        let unroll = self.unroll.remove(&task_id).unwrap_or(0);
        self.execution_used -= execution;
        self.unroll_used -= unroll;
        self.storage_used -= unroll;
        TaskHolding { execution: ByteCount(execution), unroll: ByteCount(unroll) }
    }

    /// So much of the pool is taken by what it does not know of, at most all of it. What was granted stays granted; who asks
    /// gets less, at once, until this is less again. Says whether it was another amount before.
    pub fn set_unaccounted(&mut self, bytes: ByteCount) -> bool {
        let unaccounted = bytes.bytes().min(self.capacity);
        std::mem::replace(&mut self.unaccounted, unaccounted) != unaccounted
    }

    /// The stored blocks that have to go for the pool to be within what is usable of it; the storage region is spared as far as
    /// it is usable.
    pub fn excess_storage(&self) -> ByteCount {
        ByteCount(self.missing(0).min(self.evictable(self.usable_storage_region())))
    }

    /// What the task holds.
    pub fn held_by(&self, task_id: TaskId) -> TaskHolding {
        let of = |map: &BTreeMap<TaskId, u64>| ByteCount(map.get(&task_id).copied().unwrap_or(0));
        TaskHolding { execution: of(&self.execution), unroll: of(&self.unroll) }
    }

    /// Every task that holds or waits for execution memory, with what it holds, in the order of task ids.
    pub fn active_tasks(&self) -> impl Iterator<Item = (TaskId, ByteCount)> {
        self.execution.iter().map(|(task_id, bytes)| (*task_id, ByteCount(*bytes)))
    }

    /// How much is used for what.
    pub fn usage(&self) -> PoolUsage {
        PoolUsage {
            capacity: ByteCount(self.capacity),
            execution: ByteCount(self.execution_used),
            storage: ByteCount(self.storage_used),
            unroll: ByteCount(self.unroll_used),
            maximum_storage: ByteCount(self.usable().saturating_sub(self.execution_used)),
        }
    }

    /// Checks what must hold after every call.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn assert_invariants(&self) {
        assert!(self.storage_used + self.execution_used <= self.capacity, "over-committed: {self:?}");
        assert!(self.unaccounted <= self.capacity);
        assert_eq!(self.execution.values().sum::<u64>(), self.execution_used);
        assert_eq!(self.unroll.values().sum::<u64>(), self.unroll_used);
        assert!(self.unroll_used <= self.storage_used);
        assert!(self.unroll.values().all(|bytes| *bytes > 0));
    }

    /// What both uses share while something else takes its part.
    fn usable(&self) -> u64 {
        self.capacity - self.unaccounted
    }

    /// The storage region takes its share of what is lost.
    fn usable_storage_region(&self) -> u64 {
        if self.unaccounted == 0 {
            return self.storage_region;
        }
        (u128::from(self.storage_region) * u128::from(self.usable()) / u128::from(self.capacity)) as u64
    }

    fn free(&self) -> u64 {
        self.usable().saturating_sub(self.storage_used + self.execution_used)
    }

    /// How much has to be released before so much more is usable. More than `wanted` if the pool was granted beyond what is
    /// usable of it.
    fn missing(&self, wanted: u64) -> u64 {
        (self.storage_used + self.execution_used).saturating_add(wanted).saturating_sub(self.usable())
    }

    /// Stored blocks beyond this region; unroll memory cannot go.
    fn evictable(&self, region: u64) -> u64 {
        self.storage_used.saturating_sub(region).min(self.storage_used - self.unroll_used)
    }
}

/// Takes `bytes` from what the task holds, and the task from the map when nothing is left.
fn take_from(map: &mut BTreeMap<TaskId, u64>, task_id: TaskId, bytes: ByteCount, what: &str) {
    let bytes = bytes.bytes();
    if bytes == 0 {
        return;
    }
    let held = map.get(&task_id).copied().unwrap_or(0);
    assert!(bytes <= held, "task {task_id} released {bytes} bytes of {what} memory and held {held}");
    if bytes == held {
        map.remove(&task_id);
    } else {
        map.insert(task_id, held - bytes);
    }
}
