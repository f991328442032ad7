//! How much is kept of what has ended (UI-18).

/// How much is kept of what has ended. What still runs is always kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetainedLimits {
    /// `spark.ui.retainedJobs`.
    pub jobs: usize,
    /// `spark.ui.retainedStages`: stage attempts.
    pub stages: usize,
    /// `spark.ui.retainedTasks`: task rows of one stage attempt.
    pub tasks: usize,
    /// Task rows of all stage attempts together. Spark has no such bound: its rows add up to `stages` × `tasks`.
    pub all_tasks: usize,
    /// `spark.ui.retainedDeadExecutors`.
    pub dead_executors: usize,
}

impl Default for RetainedLimits {
    /// Spark's defaults; for all task rows, twice those of one stage attempt.
    fn default() -> Self {
        Self { jobs: 1000, stages: 1000, tasks: 100_000, all_tasks: 200_000, dead_executors: 100 }
    }
}
