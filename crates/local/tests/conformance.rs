//! `local-cluster` keeps what every cluster manager promises.

use std::{fs, process::ExitCode, sync::Arc};

use firesteel_conformance::{ManagerHarness, Wanted};
use firesteel_local::{LocalClusterLayout, LocalClusterManager, LocalClusterOptions};
use firesteel_scheduler_backend::ClusterManager;

fn main() -> ExitCode {
    firesteel_conformance::main(&LocalCluster)
}

struct LocalCluster;

impl ManagerHarness for LocalCluster {
    fn manager(&self, wanted: Wanted) -> Arc<dyn ClusterManager> {
        let scratch = wanted.directory.join("scratch");
        fs::create_dir(&scratch).expect("the test has a directory");
        LocalClusterManager::new(LocalClusterOptions {
            layout: LocalClusterLayout { executors: wanted.executors, cores: wanted.executors },
            executor_limit: None,
            application_id: wanted.application_id,
            host: "127.0.0.1".to_owned(),
            conf: wanted.conf,
            environment: Vec::new(),
            scratch,
            driver_directories: Vec::new(),
            logs: wanted.directory.join("logs"),
        })
    }
}
