//! One task's view of the memory manager.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use firesteel_memory::{MemoryMode, TaskLeftovers};
use firesteel_model::{ByteCount, TaskId};

use crate::{AcquireMemoryError, MemoryManager};

/// What a task asks for memory, and on whose behalf blocks are stored. Cheap to clone; every clone speaks for the same task.
///
/// Whoever runs the task calls [`TaskMemory::release_all`] once when it has ended.
#[derive(Clone)]
pub struct TaskMemory {
    manager: Arc<MemoryManager>,
    task_id: TaskId,
    mode: MemoryMode,
    killed: Arc<AtomicBool>,
    account: Arc<Account>,
}

#[derive(Default)]
struct Account {
    held: AtomicU64,
    peak: AtomicU64,
}

impl TaskMemory {
    /// For threads that run no task: the driver that stores a broadcast value, a server that receives a replica.
    pub const NO_TASK: TaskId = TaskId(u64::MAX);

    /// For a task. `killed` is the flag that ends its waits.
    pub fn new(manager: Arc<MemoryManager>, task_id: TaskId, mode: MemoryMode, killed: Arc<AtomicBool>) -> Self {
        Self { manager, task_id, mode, killed, account: Arc::default() }
    }

    /// For a thread that runs no task and cannot be killed.
    pub fn without_task(manager: Arc<MemoryManager>) -> Self {
        Self::new(manager, Self::NO_TASK, MemoryMode::OnHeap, Arc::default())
    }

    /// Execution memory, as much of `bytes` as the task may have: the caller spills if that is too little. A task that was
    /// killed, or that waited too long, gets nothing; [`Self::try_acquire`] says which.
    pub fn acquire(&self, bytes: u64) -> u64 {
        match self.try_acquire(bytes) {
            Ok(granted) => granted,
            Err(AcquireMemoryError::Killed { .. }) => 0,
            Err(error @ AcquireMemoryError::TimedOut { .. }) => {
                tracing::warn!(%error, "no execution memory");
                0
            }
        }
    }

    /// Like [`Self::acquire`], with the reason if nothing came.
    pub fn try_acquire(&self, bytes: u64) -> Result<u64, AcquireMemoryError> {
        let granted = self.manager.acquire_execution(self.task_id, ByteCount(bytes), self.mode, &self.killed)?.bytes();
        let held = self.account.held.fetch_add(granted, Ordering::Relaxed) + granted;
        self.account.peak.fetch_max(held, Ordering::Relaxed);
        Ok(granted)
    }

    /// Gives execution memory back.
    ///
    /// # Panics
    ///
    /// If the task does not hold so much.
    pub fn release(&self, bytes: u64) {
        self.manager.release_execution(self.task_id, ByteCount(bytes), self.mode);
        self.account.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The task has ended: takes everything back and says what it had not released itself.
    pub fn release_all(&self) -> TaskLeftovers {
        self.account.held.store(0, Ordering::Relaxed);
        self.manager.release_all_for_task(self.task_id)
    }

    /// The most execution memory that the task held at once, in bytes (`peakExecutionMemory` of its metrics).
    pub fn peak(&self) -> u64 {
        self.account.peak.load(Ordering::Relaxed)
    }

    /// Which task.
    pub fn task_id(&self) -> TaskId {
        self.task_id
    }

    /// Grows when memory is recalled: see [`MemoryManager::recalls`].
    pub fn recalls(&self) -> &Arc<AtomicU64> {
        self.manager.recalls()
    }

    /// The flag that ends its waits.
    pub fn killed(&self) -> &AtomicBool {
        &self.killed
    }

    pub(crate) fn manager(&self) -> &Arc<MemoryManager> {
        &self.manager
    }
}
