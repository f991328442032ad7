//! Leave to make a task's output visible (RT-37): of several attempts at a partition the driver gives it to one.

use firesteel_executor::{AskError, TaskContext, TaskFailure};
use firesteel_messages::{Answer, Question};
use firesteel_model::TaskEndReason;

/// Asks whether this attempt may commit. To be called when all is written and nothing is visible.
///
/// # Errors
///
/// How the task is to end that may not; `failed` makes it of a question that has no answer.
pub(crate) fn ask_to_commit(
    context: &TaskContext,
    failed: impl FnOnce(AskError) -> TaskFailure,
) -> Result<(), TaskFailure> {
    context.end_if_killed();
    let (stage, partition, attempt_number) = (context.stage(), context.partition(), context.attempt_number());
    let question = Question::MayCommit { stage, partition, attempt_number };
    match context.environment().ask(question, context) {
        Ok(Answer::MayCommit(true)) => Ok(()),
        Ok(_) => {
            let stage_id = stage.stage_id;
            Err(TaskFailure::from(TaskEndReason::TaskCommitDenied { stage_id, partition, attempt_number }))
        }
        Err(error) => Err(failed(error)),
    }
}
