//! `local-cluster[workers,cores,memory]` as one cluster manager among others.

use std::{env, sync::Arc};

use firesteel_conf::{MasterUrl, SparkConf, keys};
use firesteel_local::{LocalClusterLayout, LocalClusterManager, LocalClusterOptions};
use firesteel_model::ByteCount;
use firesteel_scheduler_backend::ClusterManager;

use crate::{
    cluster::is_one_address,
    cluster_manager::{ClusterLayout, ClusterRequest, ExternalClusterManager},
    dynamic_allocation,
};

/// Executors that are processes on this machine.
pub(crate) struct LocalCluster;

/// The host of executors, and of the driver unless something else is said, if `SPARK_LOCAL_IP` names none.
const HOST: &str = "127.0.0.1";

/// `SPARK_LOCAL_IP` is the address of whatever runs on this machine.
fn host(local_ip: Option<String>) -> String {
    local_ip.filter(|address| !address.is_empty() && is_one_address(address)).unwrap_or_else(|| HOST.to_owned())
}

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
        let layout = layout.map_err(|error| format!("{master_url} cannot run the application's executors: {error}"))?;
        Ok(ClusterLayout {
            executors: layout.executors,
            cores: layout.cores,
            driver_host: host(env::var("SPARK_LOCAL_IP").ok()),
            application: None,
        })
    }

    fn create(&self, request: ClusterRequest) -> Result<Arc<dyn ClusterManager>, String> {
        let ClusterRequest { layout, application_id, conf, environment, scratch, driver_directories, logs, .. } =
            request;
        let limit = dynamic_allocation::initial_executors(&conf.iter().cloned().collect());
        Ok(LocalClusterManager::new(LocalClusterOptions {
            executor_limit: limit.map_err(|error| error.to_string())?,
            layout: LocalClusterLayout { executors: layout.executors, cores: layout.cores },
            application_id,
            host: layout.driver_host,
            conf,
            environment,
            scratch,
            driver_directories,
            logs,
        }))
    }

    fn name(&self) -> &'static str {
        "local-cluster"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_are_where_the_machine_is_said_to_be() {
        for (local_ip, expected) in
            [(None, HOST), (Some(""), HOST), (Some("0.0.0.0"), HOST), (Some("::"), HOST), (Some("::1"), "::1")]
        {
            assert_eq!(host(local_ip.map(str::to_owned)), expected);
        }
    }
}
