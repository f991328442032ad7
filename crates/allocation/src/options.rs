//! What dynamic allocation is told at its start.

use std::time::Duration;

/// `spark.dynamicAllocation.*`, and what is known of executors before there is one.
#[derive(Clone, PartialEq, Debug)]
pub struct AllocationOptions {
    /// `minExecutors`: never fewer are asked for, and none below is given back.
    pub min_executors: u32,
    /// `maxExecutors`: never more are asked for.
    pub max_executors: u32,
    /// The largest of `initialExecutors`, `minExecutors` and `spark.executor.instances` (SC-21).
    pub initial_executors: u32,
    /// `executorAllocationRatio`: which part of full parallelism is wanted, above 0 and at most 1 (SC-22).
    pub executor_allocation_ratio: f64,
    /// `schedulerBacklogTimeout`: how long tasks wait before more executors are asked for.
    pub scheduler_backlog_timeout: Duration,
    /// `sustainedSchedulerBacklogTimeout`: how long after that the next ones are asked for.
    pub sustained_scheduler_backlog_timeout: Duration,
    /// `executorIdleTimeout`: after how long an executor without tasks is given back.
    pub executor_idle_timeout: Duration,
    /// `cachedExecutorIdleTimeout`: the same for one that holds cached blocks; none: never.
    pub cached_executor_idle_timeout: Option<Duration>,
    /// Map outputs go with their executors, so one that has some is kept (`shuffleTracking.enabled` without a shuffle service).
    pub shuffle_tracking: bool,
    /// `shuffleTracking.timeout`: for how long it is kept once no job needs them; none: until they are removed.
    pub shuffle_tracking_timeout: Option<Duration>,
    /// A shuffle service serves cached blocks on disk when their executor is gone (SC-37): they keep none.
    pub disk_blocks_outlive_executors: bool,
    /// What an executor that comes is expected to be.
    pub executor: ExecutorShape,
    /// What a task of the default resource profile takes: of `cpus` and of custom resources.
    pub task: Vec<(String, f64)>,
}

/// How large executors are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExecutorShape {
    /// `spark.executor.cores`; without it, what those have that are there, and 1 before there is one.
    pub cores: Option<u32>,
    /// The number of addresses of each custom resource.
    pub resources: Vec<(String, u64)>,
}

/// The options contradict one another (SC-21, SC-22, SC-23).
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum OptionsError {
    /// No executor could ever be had.
    #[error("spark.dynamicAllocation.maxExecutors is 0: at least 1 is needed for any task to run")]
    NoExecutors,
    /// The limits exclude one another.
    #[error("spark.dynamicAllocation.minExecutors ({min}) is more than spark.dynamicAllocation.maxExecutors ({max})")]
    Limits {
        /// The lower one.
        min: u32,
        /// The upper one.
        max: u32,
    },
    /// The first number is beyond the limit.
    #[error(
        "the application is to begin with {initial} executors (spark.dynamicAllocation.initialExecutors or \
         spark.executor.instances), more than spark.dynamicAllocation.maxExecutors ({max})"
    )]
    Initial {
        /// How many it is to begin with.
        initial: u32,
        /// The upper limit.
        max: u32,
    },
    /// Not a part of something.
    #[error("spark.dynamicAllocation.executorAllocationRatio is {0}: it must be above 0 and at most 1")]
    Ratio(f64),
    /// Nothing would ever be waited for.
    #[error("{0} is 0: it must be longer")]
    NoTime(&'static str),
}

impl AllocationOptions {
    /// Can these work together?
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let (min, max, initial) = (self.min_executors, self.max_executors, self.initial_executors);
        let ratio = self.executor_allocation_ratio;
        if max == 0 {
            return Err(OptionsError::NoExecutors);
        }
        if min > max {
            return Err(OptionsError::Limits { min, max });
        }
        if initial > max {
            return Err(OptionsError::Initial { initial, max });
        }
        if !(ratio > 0.0 && ratio <= 1.0) {
            return Err(OptionsError::Ratio(ratio));
        }
        if self.scheduler_backlog_timeout.is_zero() {
            return Err(OptionsError::NoTime("spark.dynamicAllocation.schedulerBacklogTimeout"));
        }
        if self.sustained_scheduler_backlog_timeout.is_zero() {
            return Err(OptionsError::NoTime("spark.dynamicAllocation.sustainedSchedulerBacklogTimeout"));
        }
        Ok(())
    }
}
