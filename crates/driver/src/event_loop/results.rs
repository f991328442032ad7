//! Results of tasks, from the message that brings or announces them until the scheduler says what becomes of them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use firesteel_messages::{TaskOutcome, TaskResult, TaskSuccess};
use firesteel_model::{BlockId, ByteCount, ExecutorId, TaskEndReason, TaskId};
use firesteel_scheduler::{Event, TaskEnded};
use tracing::debug;

/// A large result to fetch.
#[derive(Clone, Debug)]
pub struct ResultFetch {
    /// Whose result.
    pub task_id: TaskId,
    /// Where it is.
    pub executor_id: ExecutorId,
    /// The block.
    pub block_id: BlockId,
    /// Its size in bytes.
    pub size: u64,
}

/// Results that have come and that the scheduler has not yet said to deliver or drop.
#[derive(Default)]
pub(super) struct Results {
    held: HashMap<TaskId, HeldResult>,
}

enum HeldResult {
    Here(Bytes),
    /// It must be fetched first; the task has ended when that is done.
    OnExecutor(ResultFetch, Box<TaskEnded>),
}

impl Results {
    /// Keeps what the task brought, the first time it comes; what the scheduler is to know of its end.
    pub(super) fn take_outcome(&mut self, executor_id: &ExecutorId, outcome: TaskOutcome) -> Event {
        let TaskOutcome { task_id, result, run_time_us, accumulators, metrics, .. } = outcome;
        let ended = |outcome| {
            Box::new(TaskEnded {
                task_id,
                executor_id: executor_id.clone(),
                outcome,
                run_time: Some(Duration::from_micros(run_time_us)),
                metrics: Some(Arc::clone(&metrics)),
            })
        };
        let success = |map_status, result_size| firesteel_scheduler::TaskOutcome::Success {
            map_status,
            result_size: ByteCount(result_size),
            accumulators,
        };
        match result {
            Ok(TaskSuccess::MapOutput(status)) => Event::TaskEnded(ended(success(Some(Arc::new(status)), 0))),
            Ok(TaskSuccess::Result(TaskResult::Direct(bytes))) => {
                let size = bytes.len() as u64;
                self.held.entry(task_id).or_insert(HeldResult::Here(bytes));
                Event::TaskEnded(ended(success(None, size)))
            }
            Ok(TaskSuccess::Result(TaskResult::Indirect { block_id, size })) => {
                let fetch = ResultFetch { task_id, executor_id: executor_id.clone(), block_id, size };
                self.held.entry(task_id).or_insert_with(|| HeldResult::OnExecutor(fetch, ended(success(None, size))));
                Event::TaskGettingResult { task_id, executor_id: executor_id.clone(), result_size: ByteCount(size) }
            }
            Err(reason) => Event::TaskEnded(ended(firesteel_scheduler::TaskOutcome::Failure(reason))),
        }
    }

    /// What is to be fetched for a task; none if nothing was announced.
    pub(super) fn to_fetch(&self, task_id: TaskId) -> Option<ResultFetch> {
        match self.held.get(&task_id) {
            Some(HeldResult::OnExecutor(fetch, _)) => Some(fetch.clone()),
            Some(HeldResult::Here(_)) | None => None,
        }
    }

    /// A result was fetched, or is lost: the task has ended. None if the result is not wanted any more.
    pub(super) fn take_fetched(&mut self, task_id: TaskId, result: Option<Bytes>) -> Option<Event> {
        let Some(HeldResult::OnExecutor(_, mut ended)) = self.held.remove(&task_id) else {
            debug!(%task_id, "a fetched result is not wanted any more");
            return None;
        };
        match result {
            Some(bytes) => {
                self.held.insert(task_id, HeldResult::Here(bytes));
            }
            None => ended.outcome = firesteel_scheduler::TaskOutcome::Failure(TaskEndReason::TaskResultLost),
        }
        Some(Event::TaskEnded(ended))
    }

    /// Gives a result out; none if it is not here.
    pub(super) fn deliver(&mut self, task_id: TaskId) -> Option<Bytes> {
        match self.held.remove(&task_id)? {
            HeldResult::Here(bytes) => Some(bytes),
            not_here @ HeldResult::OnExecutor(..) => {
                self.held.insert(task_id, not_here);
                None
            }
        }
    }

    /// Forgets a result; where it still is, if it was never fetched.
    pub(super) fn drop_result(&mut self, task_id: TaskId) -> Option<ResultFetch> {
        match self.held.remove(&task_id)? {
            HeldResult::Here(_) => None,
            HeldResult::OnExecutor(fetch, _) => Some(fetch),
        }
    }
}
