//! A task of a barrier stage whose code is Python's.

use std::sync::Arc;

use firesteel_executor::{AskError, TaskContext, TaskFailure};
use parking_lot::Mutex;

use crate::channel::BarrierServer;

/// The tasks did not all come to the barrier.
#[derive(Debug, thiserror::Error)]
#[error("the barrier was not passed")]
struct BarrierNotPassed(#[source] AskError);

/// Where the task's worker waits for the other tasks.
pub(super) struct Barrier {
    pub(super) server: BarrierServer,
    /// Why it waited in vain.
    error: Arc<Mutex<Option<AskError>>>,
}

impl Barrier {
    pub(super) fn start(context: &Arc<TaskContext>) -> Self {
        let error = Arc::new(Mutex::new(None));
        let (context, failed) = (Arc::clone(context), Arc::clone(&error));
        let sync = move |message| match context.environment().barrier_sync(message, &context) {
            Ok(messages) => Some(messages),
            Err(error) => {
                *failed.lock() = Some(error);
                None
            }
        };
        let server = BarrierServer::start(sync).unwrap_or_else(|error| TaskFailure::from_error(&error).throw());
        Self { server, error }
    }

    /// Fails the task for the reason that its worker could not know.
    pub(super) fn fail_if_not_passed(&self) {
        match self.error.lock().take() {
            None => {}
            // The tasks of another attempt would say as much to one another.
            Some(error @ AskError::CannotBeSent(_)) => TaskFailure::from_final_error(&BarrierNotPassed(error)).throw(),
            Some(error) => TaskFailure::from_error(&BarrierNotPassed(error)).throw(),
        }
    }
}
