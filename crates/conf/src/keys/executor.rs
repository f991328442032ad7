//! Executors. In local mode the driver is the executor, and `spark.driver.memory` is its memory.

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, ClusterManager, Key, KeyPrefix, Managers, Section, Unit};

/// Managers that place executors by cores.
const BY_CORES: Managers = Managers::of(&[
    ClusterManager::LocalCluster,
    ClusterManager::Standalone,
    ClusterManager::Mesos,
    ClusterManager::Kubernetes,
]);

keys! { Executor:
    /// Memory of each executor. A number alone means MiB (DX-16). An executor process may hold this, `spark.memory.offHeap.size` if that is enabled, and an overhead of a tenth of this, 384 MiB at least; when it holds more it ends with code 52. `spark.executor.memoryOverhead` and `spark.executor.memoryOverheadFactor` change nothing about that on local-cluster.
    EXECUTOR_MEMORY: ByteCount = "spark.executor.memory", since "0.7.0",
        default("1g"), unit(Unit::MiB), check(|size| size.bytes() > 0, "more than 0"),
        only_on(Managers::WITH_EXECUTORS);

    /// Cores of each executor.
    EXECUTOR_CORES: Option<u32> = "spark.executor.cores", since "1.0.0",
        computed("1 on YARN and Kubernetes, else all cores of the worker"),
        check(|number| *number != Some(0), "at least 1"), only_on(Managers::WITH_EXECUTORS);

    /// Cores of all executors of the application together. Without `spark.executor.cores`, they are dealt out among the workers.
    CORES_MAX: Option<u32> = "spark.cores.max", since "0.6.0",
        computed("no limit"), check(|number| *number != Some(0), "at least 1"), only_on(BY_CORES);

    /// How often an executor reports that it lives, with the metrics of its tasks (RT-70); in local mode, how often the event log is told what the driver's memory holds.
    EXECUTOR_HEARTBEAT_INTERVAL: Duration = "spark.executor.heartbeatInterval", since "1.1.0",
        default("10s"), unit(Unit::Milliseconds), check(|time| !time.is_zero(), "more than 0");
}

prefixes! { Executor:
    /// `spark.executorEnv.NAME`: environment variable NAME of each executor. A NAME that no variable can have, which is none or has `=` in it, is refused.
    EXECUTOR_ENV = "spark.executorEnv.", since "0.9.0", on Managers::WITH_EXECUTORS;

    /// Custom resource R of each executor. `spark.executor.resource.R.amount`: how many addresses it must have at least. `.discoveryScript`: a program of the executor's machine that prints them as `{"name": "R", "addresses": ["0", "1"]}`; the executor runs it when it starts. `.vendor`: only told to listeners here (SC-07).
    EXECUTOR_RESOURCE = "spark.executor.resource.", since "3.0.0", on Managers::WITH_EXECUTORS;

    /// Custom resource R of the driver, for `SparkContext::resources`; `.amount`, `.discoveryScript` and `.vendor` as for executors (SC-07).
    DRIVER_RESOURCE = "spark.driver.resource.", since "3.0.0", on Managers::ALL;
}
