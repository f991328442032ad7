//! What an executor does not know: how the bytes of a stage become work.

use std::{any::Any, sync::Arc};

use bytes::Bytes;
use firesteel_messages::TaskSuccess;

use crate::{TaskContext, TaskFailure};

/// A stage's work after decoding; shared by its tasks.
pub type PreparedStage = Arc<dyn Any + Send + Sync>;

/// Runs tasks of one kind of application: native Rust, Python, SQL (D2).
pub trait TaskRunner: Send + Sync {
    /// Decodes the work of a stage. Called once per stage and executor.
    fn prepare(&self, binary: &Bytes) -> Result<PreparedStage, TaskFailure>;

    /// Runs one task on the calling thread. May unwind; a thrown [`TaskFailure`] is that failure, any other payload a panic of
    /// the user's code.
    fn run(&self, stage: &PreparedStage, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure>;
}
