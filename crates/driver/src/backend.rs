//! The seams around the event loop: where executors are, and who listens.

use std::fmt;

use firesteel_messages::ExecutorMessage;
use firesteel_model::{AccumulatorUpdate, BroadcastInfo, ExecutorId, ListenerEvent, StageAttemptId, TaskId};

use crate::ResultFetch;

/// Executors that were started and have not registered. `Display` is a reason for a job to wait.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StartingExecutors {
    /// How many.
    pub count: usize,
    /// Where people can read what one of them has to say.
    pub log: Option<String>,
    /// Why the cluster manager starts no more of them, as it says (AS-01).
    pub waits: Option<String>,
}

impl StartingExecutors {
    /// Is anything known that a job could wait for?
    pub fn is_reason(&self) -> bool {
        self.count > 0 || self.waits.is_some()
    }
}

impl fmt::Display for StartingExecutors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (0, Some(reason)) = (self.count, &self.waits) {
            return write!(f, "the cluster manager starts no executor: {reason}");
        }
        let (count, were) = (self.count, if self.count == 1 { "was" } else { "were" });
        write!(f, "no executor has registered: {count} {were} started and {were} not heard of yet")?;
        self.log.as_ref().map_or(Ok(()), |log| write!(f, "; see the output of one of them in {log}"))
    }
}

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

    /// The application wants so many executors in all from here on; those that are there stay. Nothing where nobody starts any.
    fn request_total_executors(&self, total: u32) {
        let _ = total;
    }

    /// Who was started and has not registered; none where nobody starts executors.
    fn starting_executors(&self) -> StartingExecutors {
        StartingExecutors::default()
    }

    /// Fetches a result that an executor has stored; [`DriverHandle::result_fetched`](crate::DriverHandle::result_fetched)
    /// tells the outcome.
    fn fetch_result(&self, fetch: ResultFetch);

    /// Makes bytes readable by every executor over the data plane, as they would hold up the messages on the control plane.
    /// None if nothing is too much for the way to executors, as in one process. Not called from the event loop: this may
    /// block. The error is for people.
    fn publish(&self, bytes: &[u8]) -> Option<Result<PublishedBytes, String>>;
}

/// Bytes that every executor can read as a broadcast value, until this is dropped.
pub struct PublishedBytes {
    info: BroadcastInfo,
    _value: Box<dyn Send>,
}

impl PublishedBytes {
    /// The value goes everywhere when `value` is dropped, which must not block.
    pub fn new(info: BroadcastInfo, value: impl Send + 'static) -> Self {
        Self { info, _value: Box::new(value) }
    }

    /// What executors must know.
    pub fn info(&self) -> &BroadcastInfo {
        &self.info
    }
}

/// Who is told what happens. Called from the event loop, so nothing here may block.
pub trait EventSink: Send + Sync {
    /// Something happened.
    fn post(&self, event: ListenerEvent);

    /// A task's accumulator updates count: merge them into the values that users read (RT-56).
    fn merge_accumulators(&self, task_id: TaskId, stage: StageAttemptId, updates: &[AccumulatorUpdate]);
}
