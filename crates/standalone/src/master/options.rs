//! What a master is configured with.

use std::time::Duration;

/// What a master is configured with.
#[derive(Clone, Debug)]
pub struct MasterOptions {
    /// `spark://host:port`, as it shows itself.
    pub url: String,
    /// Where its web UI is; empty without one.
    pub web_ui_url: String,
    /// There is no other master: of two terms that are heard of, the higher one was its own, before its clock was set back.
    pub alone: bool,
    /// `spark.worker.timeout`: a worker that says nothing for so long is dead.
    pub worker_timeout: Duration,
    /// `spark.deploy.recoveryTimeout`: what does not answer a new leader for so long is gone.
    pub recovery_timeout: Duration,
    /// `spark.dead.worker.persistence`: a dead worker is shown for so many times `worker_timeout`.
    pub dead_worker_persistence: u32,
    /// `spark.deploy.spreadOut`
    pub spread_out: bool,
    /// `spark.deploy.defaultCores`: how many cores an application gets that does not say.
    pub default_cores: u32,
    /// `spark.deploy.maxExecutorRetries`: an application whose executors end so often in a row is removed; none for never.
    pub max_executor_retries: Option<u32>,
    /// `spark.deploy.retainedApplications`
    pub retained_applications: usize,
    /// `spark.deploy.retainedDrivers`
    pub retained_drivers: usize,
}

impl Default for MasterOptions {
    /// Spark's defaults, and no address.
    fn default() -> Self {
        let worker_timeout = Duration::from_secs(60);
        Self {
            url: String::new(),
            web_ui_url: String::new(),
            alone: true,
            worker_timeout,
            recovery_timeout: worker_timeout,
            dead_worker_persistence: 15,
            spread_out: true,
            default_cores: u32::MAX,
            max_executor_retries: Some(10),
            retained_applications: 200,
            retained_drivers: 200,
        }
    }
}
