//! What the application did from its start to now, whatever was dropped since.

use firesteel_model::{ApplicationId, ExecutorId, TaskMetrics};

/// What an application did: the facts of the line that ends a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApplicationSummary {
    /// `spark.app.name`.
    pub app_name: Option<String>,
    /// Its id.
    pub app_id: Option<ApplicationId>,
    /// When it began.
    pub start_time_ms: Option<i64>,
    /// When it ended.
    pub end_time_ms: Option<i64>,
    /// Its exit code, where it is known.
    pub exit_code: Option<i32>,
    /// Jobs that were submitted.
    pub jobs: u64,
    /// Jobs that failed.
    pub failed_jobs: u64,
    /// Stage attempts that were submitted.
    pub stages: u64,
    /// Stage attempts that failed.
    pub failed_stages: u64,
    /// Stages that did not have to run.
    pub skipped_stages: u64,
    /// Task attempts that were started.
    pub tasks: u64,
    /// Task attempts that succeeded.
    pub completed_tasks: u64,
    /// Task attempts that failed.
    pub failed_tasks: u64,
    /// Task attempts that were killed.
    pub killed_tasks: u64,
    /// Sums of what all task attempts measured.
    pub totals: TaskMetrics,
    /// Executors that were removed before the application ended.
    pub removed_executors: u64,
    /// The first of them, each with its cause.
    pub removals: Vec<ExecutorRemoval>,
}

/// One executor that was removed before the application ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorRemoval {
    /// Which.
    pub executor_id: ExecutorId,
    /// Its host.
    pub host: String,
    /// Why, in words.
    pub reason: String,
}

impl ApplicationSummary {
    /// How many removals are kept with their causes: as many as a person reads.
    pub const REMOVALS_MAX: usize = 20;

    /// How long the application has run at its end, or at `now_ms`.
    pub fn duration_ms(&self, now_ms: i64) -> i64 {
        self.start_time_ms.map_or(0, |start| (self.end_time_ms.unwrap_or(now_ms) - start).max(0))
    }
}
