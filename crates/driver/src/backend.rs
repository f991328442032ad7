//! The seams around the event loop: where executors are, and who listens.

use firesteel_messages::ExecutorMessage;
use firesteel_model::{AccumulatorUpdate, ExecutorId, ListenerEvent, StageAttemptId, TaskId};

use crate::ResultFetch;

/// The driver's way to its executors. One implementation runs tasks in this process; the other holds connections to
/// executor processes, which a cluster manager starts.
///
/// Called from the event loop, so nothing here may block: messages are queued.
pub trait SchedulerBackend: Send + Sync {
    /// Queues a message for an executor, in order with earlier ones to it. False if it is not connected; its loss is
    /// reported by [`DriverHandle::executor_lost`](crate::DriverHandle::executor_lost) apart from that.
    fn send(&self, executor_id: &ExecutorId, message: ExecutorMessage) -> bool;

    /// Ends an executor, through the cluster manager if need be, and asks for another one if `replace`.
    fn kill_executor(&self, executor_id: &ExecutorId, reason: &str, replace: bool);

    /// Fetches a result that an executor has stored; [`DriverHandle::result_fetched`](crate::DriverHandle::result_fetched)
    /// tells the outcome.
    fn fetch_result(&self, fetch: ResultFetch);
}

/// Who is told what happens. Called from the event loop, so nothing here may block.
pub trait EventSink: Send + Sync {
    /// Something happened.
    fn post(&self, event: ListenerEvent);

    /// A task's accumulator updates count: merge them into the values that users read (RT-56).
    fn merge_accumulators(&self, task_id: TaskId, stage: StageAttemptId, updates: &[AccumulatorUpdate]);
}
