//! What a cluster manager does for an application.

use std::{sync::Arc, time::Duration};

use firesteel_io_encryption::IoEncryption;
use firesteel_model::{ExecutorId, ExecutorLossReason};
use firesteel_rpc::Secret;
use firesteel_scheduler::LostOutputs;

use crate::connections::Connections;

/// Starts and ends executor processes. Called from the driver's event loop and from connections, so nothing may block for
/// long, save [`Self::stop`].
pub trait ClusterManager: Send + Sync {
    /// Starts as many executors as the application is to have. Each must be announced by [`ManagerEvents::expect`] before
    /// its process can connect.
    fn start(&self, request: ExecutorRequest, events: ManagerEvents);

    /// Ends an executor for good, and starts another one in its place if `replace`. Unknown ones are ignored.
    fn kill_executor(&self, executor_id: &ExecutorId, reason: &str, replace: bool);

    /// The application wants so many executors in all from here on (SC-32). Fewer than there are end nobody: who is not wanted is
    /// named by [`Self::kill_executor`].
    fn request_total_executors(&self, total: u32);

    /// How much later than the executor itself its announcement may come. Not at all where the manager starts it; a manager that
    /// only hears of it may hear of it late.
    fn announces_within(&self) -> Duration {
        Duration::ZERO
    }

    /// An executor has registered with the driver. Called for each, soon after.
    fn executor_registered(&self, executor_id: &ExecutorId) {
        let _ = executor_id;
    }

    /// The application is about to end: executors will be told to stop, and none is to follow those that do.
    fn stopping(&self) {}

    /// The application ends: every process must be gone when this returns. Executors have been told to stop.
    fn stop(&self);
}

/// What every executor is started with.
#[derive(Clone, Debug)]
pub struct ExecutorRequest {
    /// Where the driver is reached, `host:port`.
    pub driver_address: String,
    /// The application's secret. It may travel only where nobody else can read it.
    pub secret: Secret,
    /// The key of the application's local files, if they are encrypted. It may travel only where nobody else can read it, and an
    /// executor of such an application does not start without it.
    pub io_encryption: Option<IoEncryption>,
}

/// How a cluster manager tells what happens to executors. Cheap to clone.
#[derive(Clone)]
pub struct ManagerEvents {
    pub(crate) connections: Arc<Connections>,
}

/// An executor process that is gone.
#[derive(Clone, Debug)]
pub struct ExecutorExit {
    /// Why, as far as the manager knows.
    pub reason: ExecutorLossReason,
    /// Which map outputs went with it.
    pub lost_outputs: LostOutputs,
}

impl ManagerEvents {
    /// An executor of this id is about to be started: its registration will be taken. `log` tells people where they can read
    /// its output.
    pub fn expect(&self, executor_id: &ExecutorId, log: String) {
        self.connections.expect(executor_id, log);
    }

    /// Did the driver refuse it though nothing was wrong with it, as its host is excluded after failures? So it will be with
    /// the next one, for a while.
    pub fn was_refused(&self, executor_id: &ExecutorId) -> bool {
        self.connections.was_refused(executor_id)
    }

    /// Has the executor ever registered, and been taken? One that ends before has most likely a wrong environment, and so will the next.
    pub fn has_registered(&self, executor_id: &ExecutorId) -> bool {
        self.connections.has_registered(executor_id)
    }

    /// The executor's process has ended. Told once.
    pub fn exited(&self, executor_id: &ExecutorId, exit: ExecutorExit) {
        self.connections.exited(executor_id, exit);
    }

    /// Why there are fewer executors than are wanted, for people; none if there are enough (AS-01).
    pub fn waits(&self, reason: Option<String>) {
        self.connections.waits(reason);
    }

    /// No executor can be had any more: every job fails with this reason.
    pub fn give_up(&self, reason: &str) {
        self.connections.give_up(reason);
    }
}
