//! The standalone cluster: master, worker, and applications on it.

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, ClusterManager, Key, Managers, Section, Unit};

const STANDALONE: Managers = Managers::of(&[ClusterManager::Standalone]);
/// Those that start drivers, and those of them that start one again.
const WITH_DRIVERS: Managers = Managers::of(&[
    ClusterManager::Standalone,
    ClusterManager::Mesos,
    ClusterManager::Yarn,
    ClusterManager::Kubernetes,
]);
const SUPERVISING: Managers = Managers::of(&[ClusterManager::Standalone, ClusterManager::Mesos]);

keys! { Standalone:
    /// A file with the secret that masters, workers and those who submit prove to one another, unless `spark.authenticate.secret` says it. Only its owner may be able to read it. The first master that starts makes it.
    DEPLOY_SECRET_FILE: Option<String> = "spark.deploy.secret.file", since "firesteel 0.1",
        computed("`cluster-secret` in the configuration directory"), only_on(STANDALONE);

    /// A worker that says nothing for so long is dead; it says that it lives four times in this time (SA-36). For master and workers.
    WORKER_TIMEOUT: Duration = "spark.worker.timeout", since "0.6.2",
        default("60"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0"), only_on(STANDALONE);

    /// A dead worker is shown by its master for so many times `spark.worker.timeout`.
    DEAD_WORKER_PERSISTENCE: u32 = "spark.dead.worker.persistence", since "0.8.0", default("15"), only_on(STANDALONE);

    /// Deal the cores of an application out among as many workers as there are, or fill one before the next (SA-23).
    DEPLOY_SPREAD_OUT: bool = "spark.deploy.spreadOut", since "0.6.1", default("true"), only_on(STANDALONE);

    /// How many cores an application gets that does not set `spark.cores.max` (SA-21).
    DEPLOY_DEFAULT_CORES: Option<u32> = "spark.deploy.defaultCores", since "0.9.0",
        computed("no limit"), check(|cores| *cores != Some(0), "at least 1"), only_on(STANDALONE);

    /// An application is removed when so many of its executors in a row have ended before they had registered with its driver, and none runs; -1 for never (SA-32).
    DEPLOY_MAX_EXECUTOR_RETRIES: i32 = "spark.deploy.maxExecutorRetries", since "1.6.3",
        default("10"), check(|retries| *retries >= -1, "at least -1"), only_on(STANDALONE);

    /// How many applications that have ended the master remembers (SA-59).
    DEPLOY_RETAINED_APPLICATIONS: u32 = "spark.deploy.retainedApplications", since "0.8.0", default("200"), only_on(STANDALONE);

    /// How many drivers that have ended the master remembers (SA-59).
    DEPLOY_RETAINED_DRIVERS: u32 = "spark.deploy.retainedDrivers", since "1.1.0", default("200"), only_on(STANDALONE);

    /// What outlives a master: `NONE`; `FILESYSTEM` for files in `spark.deploy.recoveryDirectory` (SA-56); `ZOOKEEPER` for several masters of which ZooKeeper elects one (SA-50).
    DEPLOY_RECOVERY_MODE: String = "spark.deploy.recoveryMode", since "0.8.1", default("NONE"), only_on(STANDALONE);

    /// Where the master keeps what outlives it.
    DEPLOY_RECOVERY_DIRECTORY: Option<String> = "spark.deploy.recoveryDirectory", since "0.8.1", only_on(STANDALONE);

    /// With `ZOOKEEPER`: its servers, `host:port,host:port`. A path may follow, once at the end or after every host; all is below it.
    DEPLOY_ZOOKEEPER_URL: Option<String> = "spark.deploy.zookeeper.url", since "0.8.1", only_on(STANDALONE);

    /// With `ZOOKEEPER`: the directory of this cluster, the same for all of its masters and for nobody else.
    DEPLOY_ZOOKEEPER_DIR: String = "spark.deploy.zookeeper.dir", since "0.8.1",
        default("/spark"), check(|directory| directory.starts_with('/') && directory.len() > 1 && !directory.contains("//"), "a path such as /spark"), only_on(STANDALONE);

    /// With `ZOOKEEPER`: a master of which it hears nothing for so long leads no more, and another one does. Its servers allow no less than two of their ticks.
    DEPLOY_ZOOKEEPER_SESSION_TIMEOUT: Duration = "spark.deploy.zookeeper.sessionTimeout", since "firesteel 0.1",
        default("4s"), unit(Unit::Milliseconds), check(|time| time.as_millis() >= 100, "at least 100ms"), only_on(STANDALONE);

    /// What does not answer a new master for so long is gone (SA-53).
    DEPLOY_RECOVERY_TIMEOUT: Option<Duration> = "spark.deploy.recoveryTimeout", since "4.0.0",
        computed("`spark.worker.timeout`"), unit(Unit::Seconds), only_on(STANDALONE);

    /// Whether workers remove the work directories of applications that have ended (SA-45).
    WORKER_CLEANUP_ENABLED: bool = "spark.worker.cleanup.enabled", since "1.0.0", default("false"), only_on(STANDALONE);

    /// How often they look.
    WORKER_CLEANUP_INTERVAL: Duration = "spark.worker.cleanup.interval", since "1.0.0",
        default("1800"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0"), only_on(STANDALONE);

    /// A directory in which something was written within this time stays.
    WORKER_CLEANUP_APP_DATA_TTL: Duration = "spark.worker.cleanup.appDataTtl", since "1.0.0",
        default("604800"), unit(Unit::Seconds), only_on(STANDALONE);

    /// How many executors that have ended a worker remembers (SA-59).
    WORKER_UI_RETAINED_EXECUTORS: u32 = "spark.worker.ui.retainedExecutors", since "1.5.0", default("1000"), only_on(STANDALONE);

    /// How often the master is told the end of an executor before the worker ends, as it is of no use without an answer (SA-39).
    WORKER_EXECUTOR_STATE_SYNC_MAX_ATTEMPTS: u32 = "spark.worker.executorStateSync.maxAttempts", since "3.3.0",
        default("5"), check(|attempts| *attempts > 0, "at least 1"), only_on(STANDALONE);

    /// When the output of executors is rolled over to a new file: `time`, `size`, or not at all (SA-47). Of the worker, not of applications.
    EXECUTOR_LOGS_ROLLING_STRATEGY: Option<String> = "spark.executor.logs.rolling.strategy", since "1.1.0",
        check(|strategy| strategy.as_deref().is_none_or(|strategy| ["", "time", "size"].contains(&strategy)), "time or size, or empty"),
        only_on(STANDALONE);

    /// With the strategy `time`: `daily`, `hourly`, `minutely`, or a number of seconds.
    EXECUTOR_LOGS_ROLLING_TIME_INTERVAL: String = "spark.executor.logs.rolling.time.interval", since "1.1.0",
        default("daily"),
        check(|interval| ["daily", "hourly", "minutely"].contains(&interval.as_str()) || interval.parse().is_ok_and(|seconds: u64| seconds > 0), "daily, hourly, minutely, or a number of seconds"),
        only_on(STANDALONE);

    /// With the strategy `size`: the largest size of a file, in bytes.
    EXECUTOR_LOGS_ROLLING_MAX_SIZE: ByteCount = "spark.executor.logs.rolling.maxSize", since "1.4.0",
        default("1m"), unit(Unit::Bytes), check(|size| size.bytes() > 0, "more than 0"), only_on(STANDALONE);

    /// How many files that were rolled over are kept; -1 for all.
    EXECUTOR_LOGS_ROLLING_MAX_RETAINED_FILES: i32 = "spark.executor.logs.rolling.maxRetainedFiles", since "1.1.0",
        default("-1"), check(|files| *files >= -1, "at least -1"), only_on(STANDALONE);

    /// Compress what was rolled over.
    EXECUTOR_LOGS_ROLLING_ENABLE_COMPRESSION: bool = "spark.executor.logs.rolling.enableCompression", since "2.0.2",
        default("false"), only_on(STANDALONE);

    /// How many cores the driver takes of its worker in cluster deploy mode.
    DRIVER_CORES: u32 = "spark.driver.cores", since "1.3.0",
        default("1"), check(|cores| *cores > 0, "at least 1"), only_on(WITH_DRIVERS);

    /// Whether a driver that was submitted in cluster deploy mode is started again when it fails (SA-33).
    DRIVER_SUPERVISE: bool = "spark.driver.supervise", since "1.3.0", default("false"), only_on(SUPERVISING);

    /// Whether `spark-submit` waits in cluster deploy mode until the driver has ended, and then ends with its exit code (SS-105).
    STANDALONE_SUBMIT_WAIT_APP_COMPLETION: bool = "spark.standalone.submit.waitAppCompletion", since "3.1.0",
        default("false"), only_on(STANDALONE);

    /// How long a driver that is to be killed may take to end by itself before its worker ends it.
    WORKER_DRIVER_TERMINATE_TIMEOUT: Duration = "spark.worker.driverTerminateTimeout", since "2.1.0",
        default("10s"), unit(Unit::Milliseconds), only_on(STANDALONE);

    /// Where the master keeps files that came with submissions in cluster deploy mode until their drivers have ended (AS-06).
    DEPLOY_ARTIFACTS_DIRECTORY: Option<String> = "spark.deploy.artifacts.directory", since "firesteel 0.1",
        computed("`artifacts/HOST-PORT` in `SPARK_HOME`"), only_on(STANDALONE);

    /// How much the files of one submission may be together; 0 means that the master takes none.
    DEPLOY_ARTIFACTS_MAX_SIZE: ByteCount = "spark.deploy.artifacts.maxSize", since "firesteel 0.1",
        default("2g"), unit(Unit::Bytes), only_on(STANDALONE);
}
