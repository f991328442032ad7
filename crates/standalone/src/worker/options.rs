//! What a worker is configured with.

use std::time::Duration;

/// What a worker is configured with, as far as it decides anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerOptions {
    /// `spark.worker.timeout`: four heartbeats fit into it (SA-36).
    pub worker_timeout: Duration,
    /// About how long is waited after each of the first tries to register.
    pub first_registration_wait: Duration,
    /// About how long is waited after each of the later ones.
    pub later_registration_wait: Duration,
    /// How long an executor that is to end may take to do so by itself.
    pub executor_kill_grace: Duration,
    /// `spark.worker.driverTerminateTimeout`: the same for drivers.
    pub driver_terminate_timeout: Duration,
    /// How long the master may take to say that it knows of an end, before it is told again.
    pub update_timeout: Duration,
    /// `spark.worker.executorStateSync.maxAttempts`: how often it is told before this worker is of no use (SA-39).
    pub max_update_attempts: u32,
    /// `spark.worker.ui.retainedExecutors`
    pub retained_executors: usize,
    /// `spark.worker.ui.retainedDrivers`
    pub retained_drivers: usize,
    /// `spark.worker.cleanup.enabled` with what belongs to it.
    pub cleanup: Option<CleanupOptions>,
    /// `spark.decommission.enabled`: may it be told to leave in good order?
    pub decommission_enabled: bool,
}

/// How the work directories of applications that have ended are removed (SA-45).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CleanupOptions {
    /// `spark.worker.cleanup.interval`
    pub interval: Duration,
    /// `spark.worker.cleanup.appDataTtl`: what was written to within this time stays.
    pub data_ttl: Duration,
}

impl Default for WorkerOptions {
    /// Spark's defaults.
    fn default() -> Self {
        Self {
            worker_timeout: Duration::from_secs(60),
            first_registration_wait: Duration::from_secs(10),
            later_registration_wait: Duration::from_secs(60),
            executor_kill_grace: Duration::from_secs(10),
            driver_terminate_timeout: Duration::from_secs(10),
            update_timeout: Duration::from_secs(120),
            max_update_attempts: 5,
            retained_executors: 1000,
            retained_drivers: 1000,
            cleanup: None,
            decommission_enabled: false,
        }
    }
}

impl Default for CleanupOptions {
    /// Spark's defaults.
    fn default() -> Self {
        Self { interval: Duration::from_secs(30 * 60), data_ttl: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}
