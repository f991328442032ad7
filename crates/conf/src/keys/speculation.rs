//! Second copies of slow tasks (RT-45…47). Defaults are those of Spark 3.5 (DX-24).

use std::time::Duration;

use super::{AnyKey, Key, Managers, Section, Unit};

keys! { Speculation:
    /// Run a second copy of tasks that are slow, on another host.
    SPECULATION_ENABLED: bool = "spark.speculation", since "0.6.0", default("false"),
        only_on(Managers::WITH_EXECUTORS);

    /// How often to look for slow tasks.
    SPECULATION_INTERVAL: Duration = "spark.speculation.interval", since "0.6.0",
        default("100ms"), unit(Unit::Milliseconds), check(|time| !time.is_zero(), "more than 0");

    /// The share of a task set's tasks that must have succeeded before any is slow.
    SPECULATION_QUANTILE: f64 = "spark.speculation.quantile", since "0.6.0",
        default("0.75"), check(|share| (0.0..=1.0).contains(share), "from 0 to 1");

    /// How many times the median makes a task slow.
    SPECULATION_MULTIPLIER: f64 = "spark.speculation.multiplier", since "0.6.0",
        default("1.5"), check(|factor| *factor > 0.0, "more than 0");

    /// No task is slow before this time.
    SPECULATION_MIN_TASK_RUNTIME: Duration = "spark.speculation.minTaskRuntime", since "3.2.0",
        default("100ms"), unit(Unit::Milliseconds);

    /// In task sets that fit one executor, a task is slow after this time.
    SPECULATION_TASK_DURATION_THRESHOLD: Option<Duration> = "spark.speculation.task.duration.threshold", since "3.0.0",
        computed("small task sets are not looked at"), unit(Unit::Milliseconds);

    /// Judge by records per second as well, so that a task with more data is not slow.
    SPECULATION_EFFICIENCY_ENABLED: bool = "spark.speculation.efficiency.enabled", since "3.4.0", default("true");

    /// The share of the average rate below which a task is inefficient.
    SPECULATION_EFFICIENCY_PROCESS_RATE_MULTIPLIER: f64 = "spark.speculation.efficiency.processRateMultiplier",
        since "3.4.0", default("0.75"), check(|share| *share > 0.0 && *share <= 1.0, "above 0 and at most 1");

    /// A task is slow whatever its rate after this many times the threshold.
    SPECULATION_EFFICIENCY_LONG_RUN_TASK_FACTOR: f64 = "spark.speculation.efficiency.longRunTaskFactor", since "3.4.0",
        default("2.0"), check(|factor| *factor >= 1.0, "at least 1");
}
