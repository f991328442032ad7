//! Both pools together.

use firesteel_model::{ByteCount, TaskId};

use crate::{
    MemoryMode, MemoryOptions, MemoryOptionsError, MemoryPool, PoolSize, Pressure, ResidentLimits, TaskHolding,
    pressure::Recalls,
};

/// The memory of one process: an on-heap and an off-heap pool.
#[derive(Clone, Debug)]
pub struct UnifiedMemoryManager {
    on_heap: MemoryPool,
    off_heap: MemoryPool,
    recalls: Recalls,
}

/// What a task still held when it ended. Anything but zero is a leak: whoever acquired it forgot to release it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TaskLeftovers {
    /// From the on-heap pool.
    pub on_heap: TaskHolding,
    /// From the off-heap pool.
    pub off_heap: TaskHolding,
}

impl TaskLeftovers {
    /// Everything together.
    pub fn total(&self) -> ByteCount {
        self.on_heap.execution + self.on_heap.unroll + self.off_heap.execution + self.off_heap.unroll
    }
}

impl UnifiedMemoryManager {
    /// Pools as large as the options say.
    pub fn from_options(options: &MemoryOptions) -> Result<Self, MemoryOptionsError> {
        let (on_heap, off_heap) = options.pool_sizes()?;
        Ok(Self::new(on_heap, off_heap))
    }

    /// Pools of these sizes.
    pub fn new(on_heap: PoolSize, off_heap: PoolSize) -> Self {
        let (on_heap, off_heap) = (MemoryPool::new(on_heap), MemoryPool::new(off_heap));
        Self { on_heap, off_heap, recalls: Recalls::default() }
    }

    /// One of the pools.
    pub fn pool(&self, mode: MemoryMode) -> &MemoryPool {
        match mode {
            MemoryMode::OnHeap => &self.on_heap,
            MemoryMode::OffHeap => &self.off_heap,
        }
    }

    /// One of the pools, to ask it for memory or to give memory back.
    pub fn pool_mut(&mut self, mode: MemoryMode) -> &mut MemoryPool {
        match mode {
            MemoryMode::OnHeap => &mut self.on_heap,
            MemoryMode::OffHeap => &mut self.off_heap,
        }
    }

    /// The task ended: takes back everything it still holds and says how much that was.
    pub fn release_task(&mut self, task_id: TaskId) -> TaskLeftovers {
        TaskLeftovers { on_heap: self.on_heap.release_task(task_id), off_heap: self.off_heap.release_task(task_id) }
    }

    /// The process holds so much: takes from both pools what they do not know of, in equal parts of their size, and says what
    /// follows.
    pub fn observe_resident(&mut self, limits: &ResidentLimits, resident: ByteCount) -> Pressure {
        let mut is_changed = false;
        for pool in [&mut self.on_heap, &mut self.off_heap] {
            let unaccounted = limits.unaccounted(pool.usage().capacity.bytes(), resident);
            is_changed |= pool.set_unaccounted(ByteCount(unaccounted));
        }
        let is_recall = self.recalls.observe(limits, resident);
        Pressure { is_pressed: resident > limits.given, is_changed, is_recall }
    }

    /// Checks what must hold after every call.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn assert_invariants(&self) {
        self.on_heap.assert_invariants();
        self.off_heap.assert_invariants();
    }
}
