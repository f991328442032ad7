//! One task attempt as a row of the stage page.

use std::sync::Arc;

use firesteel_model::{
    ExecutorId, Partition, ResourceInformation, TaskAttemptNumber, TaskEndReason, TaskId, TaskLocality, TaskMetrics,
    TaskSnapshot,
};

/// Longer error messages are cut: rows are many, and the event log has the whole.
const ERROR_BYTES_MAX: usize = 2048;

/// How a task attempt stands; Spark's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskState {
    /// It runs.
    Running,
    /// It has ended, and the driver fetches its result.
    GettingResult,
    /// It succeeded.
    Success,
    /// It failed.
    Failed,
    /// It was killed.
    Killed,
}

impl TaskState {
    /// Spark's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::GettingResult => "GET RESULT",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// Is it over?
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Running | Self::GettingResult)
    }
}

/// One task attempt.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Which attempt.
    pub task_id: TaskId,
    /// Its index in the task set.
    pub index: u32,
    /// How often this index was launched before.
    pub attempt: TaskAttemptNumber,
    /// Its partition.
    pub partition: Partition,
    /// Where it ran.
    pub executor_id: ExecutorId,
    /// On which host.
    pub host: Arc<str>,
    /// How near to its data.
    pub locality: TaskLocality,
    /// Is it a speculative copy?
    pub speculative: bool,
    /// When it was launched.
    pub launch_time_ms: i64,
    /// When the driver began to fetch its result; 0 if it came inline.
    pub getting_result_time_ms: i64,
    /// When it ended; 0 while it runs.
    pub finish_time_ms: i64,
    /// How it stands.
    pub state: TaskState,
    /// What went wrong, cut to a readable length.
    pub error: Option<Box<str>>,
    /// What it measured, once it has ended.
    pub metrics: Option<Arc<TaskMetrics>>,
    /// Which addresses of custom resources are its own (SC-07).
    pub resources: Vec<ResourceInformation>,
}

impl TaskRow {
    pub(crate) fn start(task: &TaskSnapshot, host: Arc<str>) -> Self {
        Self {
            task_id: task.task_id,
            index: task.index,
            attempt: task.attempt,
            partition: task.partition,
            executor_id: task.executor_id.clone(),
            host,
            locality: task.locality,
            speculative: task.speculative,
            launch_time_ms: task.launch_time_ms,
            getting_result_time_ms: task.getting_result_time_ms,
            finish_time_ms: 0,
            state: TaskState::Running,
            error: None,
            metrics: None,
            resources: task.resources.clone(),
        }
    }

    pub(crate) fn end(&mut self, task: &TaskSnapshot, reason: &TaskEndReason, metrics: Option<&Arc<TaskMetrics>>) {
        self.getting_result_time_ms = task.getting_result_time_ms;
        self.finish_time_ms = task.finish_time_ms;
        self.state = end_state(reason);
        self.error = match reason {
            TaskEndReason::Success => None,
            reason => Some(cut(reason.to_string())),
        };
        self.metrics = metrics.cloned();
    }

    /// How long it ran, or runs at `now_ms`.
    pub fn duration_ms(&self, now_ms: i64) -> i64 {
        let end = if self.state.has_ended() { self.finish_time_ms } else { now_ms };
        (end - self.launch_time_ms).max(0)
    }
}

/// Denied commits count as killed, as in Spark: the task did nothing wrong.
pub(crate) fn end_state(reason: &TaskEndReason) -> TaskState {
    match reason {
        TaskEndReason::Success => TaskState::Success,
        TaskEndReason::TaskKilled { .. } | TaskEndReason::TaskCommitDenied { .. } => TaskState::Killed,
        TaskEndReason::Resubmitted
        | TaskEndReason::FetchFailed { .. }
        | TaskEndReason::ExceptionFailure { .. }
        | TaskEndReason::TaskResultLost
        | TaskEndReason::ExecutorLostFailure { .. } => TaskState::Failed,
    }
}

fn cut(mut text: String) -> Box<str> {
    if text.len() > ERROR_BYTES_MAX {
        let end = (0..=ERROR_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text.into_boxed_str()
}
