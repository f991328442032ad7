//! Driver and executor in one process (RT-05).
//!
//! The same scheduler, the same executor and the same encoded stages as on a cluster; only the messages are calls. The
//! executor's id is `driver`.

use std::sync::Arc;

use firesteel_driver::{DriverHandle, PublishedBytes, Registration, ResultFetch, SchedulerBackend};
use firesteel_executor::{DriverLink, Executor};
use firesteel_memory::MemoryMode;
use firesteel_messages::{DriverMessage, ExecutorMessage};
use firesteel_model::{BlockManagerId, ExecutorId};
use firesteel_scheduler::ExecutorRegistration;
use tracing::warn;

/// The way from this process's executor into the driver's event loop.
pub struct LocalLink {
    driver: DriverHandle,
    executor_id: ExecutorId,
}

impl LocalLink {
    /// A link for the one executor of local mode.
    pub fn new(driver: &DriverHandle) -> Self {
        Self { driver: driver.clone(), executor_id: ExecutorId::driver() }
    }
}

impl DriverLink for LocalLink {
    fn tell(&self, message: DriverMessage) {
        self.driver.executor_message(&self.executor_id, message);
    }
}

/// The backend of `local`, `local[N]` and `local[*]`.
pub struct LocalBackend {
    driver: DriverHandle,
    executor: Executor,
}

impl LocalBackend {
    /// Registers the executor with the driver, with as many slots as `threads`.
    pub fn start(driver: &DriverHandle, executor: Executor, host: &str, threads: u32) -> Arc<Self> {
        let executor_id = ExecutorId::driver();
        driver.executor_registered(Registration {
            executor: ExecutorRegistration::plain(executor_id.clone(), host, threads),
            block_manager_id: BlockManagerId { executor_id, host: host.to_owned(), port: 0 },
            on_heap_memory: executor.environment().storage_memory(MemoryMode::OnHeap),
            off_heap_memory: executor.environment().storage_memory(MemoryMode::OffHeap),
            // There is no other executor that could read them.
            local_directories: Vec::new(),
        });
        Arc::new(Self { driver: driver.clone(), executor })
    }
}

impl Drop for LocalBackend {
    /// The driver's event loop has ended. The task threads would wait for ever, and keep what the executor holds.
    fn drop(&mut self) {
        self.executor.stop("the application has ended");
    }
}

impl SchedulerBackend for LocalBackend {
    fn send(&self, executor_id: &ExecutorId, message: ExecutorMessage) -> bool {
        let here = executor_id.is_driver();
        if here {
            self.executor.handle(message);
        }
        here
    }

    fn kill_executor(&self, executor_id: &ExecutorId, reason: &str, _replace: bool) {
        warn!(%executor_id, reason, "the executor of local mode is this process and is not killed");
    }

    fn fetch_result(&self, fetch: ResultFetch) {
        // Results are handed over as they are in one process; none is ever stored.
        self.driver.result_fetched(fetch.task_id, None);
    }

    fn publish(&self, _bytes: &[u8]) -> Option<Result<PublishedBytes, String>> {
        None
    }
}
