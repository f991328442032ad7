//! Executors that come and go with demand (SC-20…28). Defaults are those of Spark 3.5.

use std::time::Duration;

use super::{AnyKey, Key, Managers, Section, Unit};

keys! { DynamicAllocation:
    /// Ask the cluster manager for executors while tasks wait, and give executors back that have nothing to do. Barrier stages are refused with it. Without `spark.executor.cores` on a standalone cluster, each executor takes all cores of its worker that are free (SC-40).
    DYNAMIC_ALLOCATION_ENABLED: bool = "spark.dynamicAllocation.enabled", since "1.2.0", default("false"),
        only_on(Managers::WITH_EXECUTORS);

    /// The fewest executors. So many are asked for however little there is to do.
    DYNAMIC_ALLOCATION_MIN_EXECUTORS: u32 = "spark.dynamicAllocation.minExecutors", since "1.2.0", default("0"),
        only_on(Managers::WITH_EXECUTORS);

    /// The most executors, at least 1 and at least `spark.dynamicAllocation.minExecutors`.
    DYNAMIC_ALLOCATION_MAX_EXECUTORS: Option<u32> = "spark.dynamicAllocation.maxExecutors", since "1.2.0",
        computed("no limit"), only_on(Managers::WITH_EXECUTORS);

    /// How many executors there are to be before anything is to run; more, if `spark.dynamicAllocation.minExecutors` or `spark.executor.instances` says so.
    DYNAMIC_ALLOCATION_INITIAL_EXECUTORS: Option<u32> = "spark.dynamicAllocation.initialExecutors", since "1.3.0",
        computed("spark.dynamicAllocation.minExecutors"), only_on(Managers::WITH_EXECUTORS);

    /// How many executors an application begins with if `spark.dynamicAllocation.enabled` is set.
    EXECUTOR_INSTANCES: Option<u32> = "spark.executor.instances", since "1.0.0",
        computed("spark.dynamicAllocation.initialExecutors"), only_on(Managers::WITH_EXECUTORS);

    /// How many of the executors that all tasks could keep busy are asked for: 0.5 asks for half of them.
    DYNAMIC_ALLOCATION_EXECUTOR_ALLOCATION_RATIO: f64 = "spark.dynamicAllocation.executorAllocationRatio", since "2.4.0",
        default("1.0"), check(|ratio| *ratio > 0.0 && *ratio <= 1.0, "above 0 and at most 1"), only_on(Managers::WITH_EXECUTORS);

    /// How long tasks wait before executors are asked for: one at first, then two more, four more and so on.
    DYNAMIC_ALLOCATION_SCHEDULER_BACKLOG_TIMEOUT: Duration = "spark.dynamicAllocation.schedulerBacklogTimeout", since "1.2.0",
        default("1s"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0"), only_on(Managers::WITH_EXECUTORS);

    /// How long tasks wait after that, each time, before more are asked for.
    DYNAMIC_ALLOCATION_SUSTAINED_SCHEDULER_BACKLOG_TIMEOUT: Option<Duration> =
        "spark.dynamicAllocation.sustainedSchedulerBacklogTimeout", since "1.2.0",
        computed("spark.dynamicAllocation.schedulerBacklogTimeout"), unit(Unit::Seconds),
        check(|time| time.is_none_or(|time| !time.is_zero()), "more than 0"), only_on(Managers::WITH_EXECUTORS);

    /// After how long without a task an executor is given back.
    DYNAMIC_ALLOCATION_EXECUTOR_IDLE_TIMEOUT: Duration = "spark.dynamicAllocation.executorIdleTimeout", since "1.2.0",
        default("60s"), unit(Unit::Seconds), only_on(Managers::WITH_EXECUTORS);

    /// After how long without a task an executor that holds cached blocks is given back.
    DYNAMIC_ALLOCATION_CACHED_EXECUTOR_IDLE_TIMEOUT: Option<Duration> = "spark.dynamicAllocation.cachedExecutorIdleTimeout",
        since "1.4.0", computed("such an executor is kept"), unit(Unit::Seconds), only_on(Managers::WITH_EXECUTORS);

    /// Keep executors that have map outputs which a job needs or may need. It cannot be switched off, as map outputs are gone with their executor.
    DYNAMIC_ALLOCATION_SHUFFLE_TRACKING_ENABLED: bool = "spark.dynamicAllocation.shuffleTracking.enabled", since "3.0.0",
        default("true"), only_on(Managers::WITH_EXECUTORS);

    /// After how long without a task an executor is given back whose map outputs no job needs at the moment.
    DYNAMIC_ALLOCATION_SHUFFLE_TRACKING_TIMEOUT: Option<Duration> = "spark.dynamicAllocation.shuffleTracking.timeout",
        since "3.0.0", computed("until the program does not refer to the shuffle any more"), unit(Unit::Seconds),
        only_on(Managers::WITH_EXECUTORS);
}
