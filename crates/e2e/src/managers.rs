//! Cluster managers that the application brings along, for masters that nobody else knows.

use std::sync::Arc;

use firesteel::{ClusterLayout, ClusterManager, ClusterRequest, ExternalClusterManager, SparkConf};
use firesteel_local::{LocalClusterLayout, LocalClusterManager, LocalClusterOptions};

/// `dummy://N`: N executors of one core on this machine.
pub(crate) struct Dummy;

/// Wants `dummy://twice` too.
pub(crate) struct Rival;

const PREFIX: &str = "dummy://";

impl ExternalClusterManager for Dummy {
    fn can_create(&self, master_url: &str) -> bool {
        master_url.starts_with(PREFIX)
    }

    fn layout(&self, master_url: &str, _conf: &SparkConf) -> Result<ClusterLayout, String> {
        let executors = master_url.strip_prefix(PREFIX).and_then(|number| number.parse().ok());
        let executors = executors.ok_or_else(|| format!("{master_url} does not say how many executors there are"))?;
        Ok(ClusterLayout { executors, cores: executors, driver_host: "127.0.0.1".to_owned(), application: None })
    }

    fn create(&self, request: ClusterRequest) -> Result<Arc<dyn ClusterManager>, String> {
        println!("{} creates {}", self.name(), request.master_url);
        Ok(LocalClusterManager::new(LocalClusterOptions {
            layout: LocalClusterLayout { executors: request.layout.executors, cores: request.layout.cores },
            executor_limit: None,
            application_id: request.application_id,
            host: request.layout.driver_host,
            conf: request.conf,
            environment: request.environment,
            scratch: request.scratch,
            driver_directories: request.driver_directories,
            logs: request.logs,
        }))
    }

    fn name(&self) -> &'static str {
        "Dummy"
    }
}

impl ExternalClusterManager for Rival {
    fn can_create(&self, master_url: &str) -> bool {
        master_url == "dummy://twice"
    }

    fn layout(&self, master_url: &str, _conf: &SparkConf) -> Result<ClusterLayout, String> {
        Err(format!("{master_url} is claimed in vain"))
    }

    fn create(&self, _request: ClusterRequest) -> Result<Arc<dyn ClusterManager>, String> {
        unreachable!("its layout is refused")
    }

    fn name(&self) -> &'static str {
        "Rival"
    }
}
