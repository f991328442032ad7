//! `local-cluster[workers,cores,memory]` as one cluster manager among others.

use std::sync::Arc;

use firesteel_conf::{MasterUrl, SparkConf, keys};
use firesteel_local::{LocalClusterLayout, LocalClusterManager, LocalClusterOptions};
use firesteel_model::ByteCount;
use firesteel_scheduler_backend::ClusterManager;

use crate::cluster_manager::{ClusterLayout, ClusterRequest, ExternalClusterManager};

/// Executors that are processes on this machine.
pub(crate) struct LocalCluster;

/// The host of executors, and of the driver unless something else is said.
const HOST: &str = "127.0.0.1";

impl ExternalClusterManager for LocalCluster {
    fn can_create(&self, master_url: &str) -> bool {
        matches!(master_url.parse(), Ok(MasterUrl::LocalCluster { .. }))
    }

    fn layout(&self, master_url: &str, conf: &SparkConf) -> Result<ClusterLayout, String> {
        let Ok(MasterUrl::LocalCluster { workers, cores_per_worker, memory_per_worker_mib }) = master_url.parse()
        else {
            return Err(format!("{master_url} is no local-cluster"));
        };
        let executor_memory = conf.get(&keys::EXECUTOR_MEMORY).map_err(|error| error.to_string())?;
        let layout = LocalClusterLayout::new(
            workers,
            cores_per_worker,
            ByteCount::mib(u64::from(memory_per_worker_mib)),
            conf.get(&keys::EXECUTOR_CORES).map_err(|error| error.to_string())?,
            executor_memory,
            conf.get(&keys::CORES_MAX).map_err(|error| error.to_string())?,
        );
        let layout = layout.map_err(|error| {
            format!("{master_url} has no room for an executor, and no task would ever start: {error}")
        })?;
        Ok(ClusterLayout {
            executors: layout.executors,
            cores_per_executor: layout.cores_per_executor,
            driver_host: HOST.to_owned(),
        })
    }

    fn create(&self, request: ClusterRequest) -> Arc<dyn ClusterManager> {
        let ClusterRequest { layout, application_id, conf, environment, scratch, logs, .. } = request;
        LocalClusterManager::new(LocalClusterOptions {
            layout: LocalClusterLayout { executors: layout.executors, cores_per_executor: layout.cores_per_executor },
            application_id,
            host: HOST.to_owned(),
            conf,
            environment,
            scratch,
            logs,
        })
    }

    fn name(&self) -> &'static str {
        "local-cluster"
    }
}
