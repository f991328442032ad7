//! Keeping tasks off executors and nodes that fail (RT-74, RT-75).

use std::time::Duration;

use super::{AnyKey, Key, Managers, Section, Unit};

keys! { ExcludeOnFailure:
    /// Keep tasks off executors and nodes on which tasks failed.
    EXCLUDE_ON_FAILURE_ENABLED: bool = "spark.excludeOnFailure.enabled", since "3.1.0",
        default("false"), formerly(&["spark.blacklist.enabled"]), only_on(Managers::WITH_EXECUTORS);

    /// How often one task may fail on one executor before it is not tried there again.
    EXCLUDE_MAX_TASK_ATTEMPTS_PER_EXECUTOR: u32 = "spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor",
        since "3.1.0", default("1"), check(|number| *number > 0, "at least 1"),
        formerly(&["spark.blacklist.task.maxTaskAttemptsPerExecutor"]);

    /// How often one task may fail on one node before it is not tried there again.
    EXCLUDE_MAX_TASK_ATTEMPTS_PER_NODE: u32 = "spark.excludeOnFailure.task.maxTaskAttemptsPerNode",
        since "3.1.0", default("2"), check(|number| *number > 0, "at least 1"),
        formerly(&["spark.blacklist.task.maxTaskAttemptsPerNode"]);

    /// How many different tasks of one stage may fail on an executor before the stage leaves it alone.
    EXCLUDE_STAGE_MAX_FAILED_TASKS_PER_EXECUTOR: u32 = "spark.excludeOnFailure.stage.maxFailedTasksPerExecutor",
        since "3.1.0", default("2"), check(|number| *number > 0, "at least 1"),
        formerly(&["spark.blacklist.stage.maxFailedTasksPerExecutor"]);

    /// How many excluded executors make the stage leave their node alone.
    EXCLUDE_STAGE_MAX_FAILED_EXECUTORS_PER_NODE: u32 = "spark.excludeOnFailure.stage.maxFailedExecutorsPerNode",
        since "3.1.0", default("2"), check(|number| *number > 0, "at least 1"),
        formerly(&["spark.blacklist.stage.maxFailedExecutorsPerNode"]);

    /// How many different tasks of task sets that succeeded may have failed on an executor before the application leaves it alone.
    EXCLUDE_APPLICATION_MAX_FAILED_TASKS_PER_EXECUTOR: u32 =
        "spark.excludeOnFailure.application.maxFailedTasksPerExecutor", since "3.1.0",
        default("2"), check(|number| *number > 0, "at least 1"),
        formerly(&["spark.blacklist.application.maxFailedTasksPerExecutor"]);

    /// How many excluded executors make the application leave their node alone.
    EXCLUDE_APPLICATION_MAX_FAILED_EXECUTORS_PER_NODE: u32 =
        "spark.excludeOnFailure.application.maxFailedExecutorsPerNode", since "3.1.0",
        default("2"), check(|number| *number > 0, "at least 1"),
        formerly(&["spark.blacklist.application.maxFailedExecutorsPerNode"]);

    /// A fetch failure excludes at once: the executor, or the node if a shuffle service serves it.
    EXCLUDE_APPLICATION_FETCH_FAILURE_ENABLED: bool = "spark.excludeOnFailure.application.fetchFailure.enabled",
        since "3.1.0", default("false"), formerly(&["spark.blacklist.application.fetchFailure.enabled"]);

    /// How long the application leaves an executor or a node alone.
    EXCLUDE_TIMEOUT: Duration = "spark.excludeOnFailure.timeout", since "3.1.0",
        default("1h"), unit(Unit::Milliseconds), check(|time| !time.is_zero(), "more than 0"),
        formerly(&["spark.blacklist.timeout"]);

    /// Kill executors that the application leaves alone.
    EXCLUDE_KILL_EXCLUDED_EXECUTORS: bool = "spark.excludeOnFailure.killExcludedExecutors", since "3.1.0",
        default("false"), formerly(&["spark.blacklist.killBlacklistedExecutors"]);

    /// How long a task set that no executor may run waits for another executor before its jobs are aborted (RT-75).
    UNSCHEDULABLE_TASK_SET_TIMEOUT: Duration = "spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout",
        since "2.4.1", default("120s"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0"),
        formerly(&["spark.scheduler.blacklist.unschedulableTaskSetTimeout"]);
}
