//! How a task fails.

use std::{any::Any, mem, panic};

use firesteel_application_files::PlaceFileError;
use firesteel_block_store::BlockError;
use firesteel_model::{TaskEndReason, error_chain};

/// A task's failure on its way to the executor's boundary.
///
/// Records flow through iterators, whose items carry no errors: a user's closure takes a record, not a `Result`. What goes
/// wrong below it (a shuffle block that cannot be fetched, a file that ends early) unwinds the task's thread with this
/// value, exactly as a panic of the user's own code does, and is caught where the task was started. Engine code outside
/// iterators returns it as an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TaskFailure(pub TaskEndReason);

impl From<TaskEndReason> for TaskFailure {
    fn from(reason: TaskEndReason) -> Self {
        Self(reason)
    }
}

impl From<BlockError> for TaskFailure {
    /// A killed task has ended as such. A record that cannot be encoded is the same at the next attempt (RT-32). Everything
    /// else is tried again: another attempt finds another block, or computes it.
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Killed { .. } => Self(TaskEndReason::TaskKilled { reason: error.to_string() }),
            error @ BlockError::Encode { .. } => Self::from_final_error(&error),
            error => Self::from_error(&error),
        }
    }
}

impl From<PlaceFileError> for TaskFailure {
    /// As above: another attempt may find the file, or run where it can be written.
    fn from(error: PlaceFileError) -> Self {
        match error {
            PlaceFileError::Killed => Self(TaskEndReason::TaskKilled { reason: error.to_string() }),
            error => Self::from_error(&error),
        }
    }
}

impl TaskFailure {
    /// A failure of the task's own work: the error's kind, and its chain of messages.
    pub fn from_error<E: std::error::Error>(error: &E) -> Self {
        let kind = std::any::type_name::<E>().rsplit("::").next().unwrap_or_default();
        Self::exception(kind, error_chain(error), true)
    }

    /// A failure that will be the same at every attempt, so that none follows (RT-32).
    pub fn from_final_error<E: std::error::Error>(error: &E) -> Self {
        let kind = std::any::type_name::<E>().rsplit("::").next().unwrap_or_default();
        Self::exception(kind, error_chain(error), false)
    }

    fn exception(class_name: &str, description: String, retryable: bool) -> Self {
        Self(TaskEndReason::ExceptionFailure {
            class_name: class_name.to_owned(),
            description,
            stack_trace: String::new(),
            retryable,
        })
    }

    /// Unwinds to the executor's boundary. The panic hook is not called: nothing is wrong with the program.
    pub fn throw(self) -> ! {
        panic::resume_unwind(Box::new(self))
    }

    /// What was caught at the boundary: a thrown failure, or a panic of the user's code.
    pub fn from_caught(caught: Box<dyn Any + Send>, location: Option<String>) -> Self {
        let caught = match caught.downcast::<Self>() {
            Ok(failure) => return *failure,
            Err(caught) => caught,
        };
        let message = match (caught.downcast_ref::<&str>(), caught.downcast_ref::<String>()) {
            (Some(message), _) => (*message).to_owned(),
            (None, Some(message)) => message.clone(),
            (None, None) => "the task panicked with a value that is not text".to_owned(),
        };
        if !(caught.is::<&str>() || caught.is::<String>()) {
            // Its drop is the user's code too, and may panic with yet another such value.
            mem::forget(caught);
        }
        Self(TaskEndReason::ExceptionFailure {
            class_name: "panic".to_owned(),
            description: message,
            stack_trace: location.map(|location| format!("\tat {location}")).unwrap_or_default(),
            retryable: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn a_task_that_panics_with_a_value_whose_drop_panics_has_failed_and_no_more() {
        let failure = TaskFailure::from_caught(Box::new(Bomb), None);
        let TaskEndReason::ExceptionFailure { description, .. } = &failure.0 else { panic!("{failure:?}") };
        assert!(description.contains("a value that is not text"), "{description}");
    }
}
