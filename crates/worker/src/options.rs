//! What a worker is started with.

use std::path::PathBuf;

use firesteel_model::{ByteCount, ResourceInformation};
use firesteel_rpc::{Address, Ports, Secret};
use firesteel_standalone::worker;

use crate::{DriverProgram, LogRolling};

/// What a worker is started with.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The masters, of which one leads.
    pub masters: Vec<Address>,
    /// The cluster's secret.
    pub secret: Secret,
    /// The name that others reach this host by.
    pub host: String,
    /// What makes it another worker than others of this host; 0 lets the system choose.
    pub ports: Ports,
    /// How many cores it offers.
    pub cores: u32,
    /// How much memory it offers.
    pub memory: ByteCount,
    /// Custom resources that it offers.
    pub resources: Vec<ResourceInformation>,
    /// Where its web UI is; empty without one.
    pub web_ui_url: String,
    /// Where the output of executors and drivers goes: `SPARK_WORKER_DIR`.
    pub work_directory: PathBuf,
    /// Where executors' scratch space is: `SPARK_LOCAL_DIRS`.
    pub local_directories: Vec<PathBuf>,
    /// Variables of this process that executors and drivers do not get, such as those that hold the cluster's secret.
    pub private_variables: Vec<String>,
    /// How executors' output is rolled over, if it is.
    pub log_rolling: Option<LogRolling>,
    /// What becomes a driver, in cluster deploy mode.
    pub driver_program: DriverProgram,
    /// How it decides.
    pub decisions: worker::WorkerOptions,
}
