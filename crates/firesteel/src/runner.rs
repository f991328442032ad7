//! Runs stages of native Rust applications.

use std::{any::Any, sync::Arc};

use bytes::Bytes;
use firesteel_executor::{PreparedStage, TaskContext, TaskFailure, TaskRunner};
use firesteel_messages::TaskSuccess;
use firesteel_model::TaskEndReason;

use crate::{action::ConstructedWork, stage_binary::StageBinary};

/// Decodes stage binaries by this binary's function table.
pub(crate) struct RustTaskRunner;

impl TaskRunner for RustTaskRunner {
    fn prepare(&self, binary: &Bytes) -> Result<PreparedStage, TaskFailure> {
        StageBinary::construct(binary).map_err(|error| TaskFailure::from_final_error(&error))
    }

    fn run(&self, stage: &PreparedStage, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let stage: &dyn Any = &**stage;
        let Some(ConstructedWork(work)) = stage.downcast_ref::<ConstructedWork>() else {
            return Err(TaskFailure::from(TaskEndReason::ExceptionFailure {
                class_name: "StageBinary".to_owned(),
                description: "the stage binary holds no work".to_owned(),
                stack_trace: String::new(),
                retryable: false,
            }));
        };
        work.run(context.partition(), context)
    }
}
