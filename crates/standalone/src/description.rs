//! What applications, drivers and workers say of themselves when they register.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use firesteel_model::{ByteCount, ResourceInformation};
use serde::{Deserialize, Serialize};

use crate::ArtifactsId;

/// What a process is started with. It belongs to those who wrote it and those who start the process, and holds secrets: the
/// managers carry it and never look into it.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaunchData(pub Bytes);

impl fmt::Debug for LaunchData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaunchData({} bytes)", self.0.len())
    }
}

/// How much of one custom resource something takes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ResourceRequirement {
    /// The kind, such as `gpu`.
    pub name: String,
    /// How many addresses.
    pub amount: u32,
}

/// What each executor of an application takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExecutorDemand {
    /// `spark.executor.cores`; without it an executor takes what cores there are (SA-22).
    pub cores: Option<u32>,
    /// `spark.executor.memory` with all that comes on top: must fit a worker (SA-20).
    pub memory: ByteCount,
    /// Custom resources.
    pub resources: Vec<ResourceRequirement>,
}

/// An application that wants executors: Spark's `ApplicationDescription`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApplicationDescription {
    /// `spark.app.name`
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// `spark.cores.max`; without it `spark.deploy.defaultCores` of the master counts (SA-21).
    pub max_cores: Option<u32>,
    /// What each executor takes.
    pub executor: ExecutorDemand,
    /// How many executors it wants at most at first; no limit without dynamic allocation.
    pub executor_limit: Option<u32>,
    /// Where its own web UI is; empty without one.
    pub web_ui_url: String,
    /// `spark.deploy.queue.name`: the queue that it waits in (AS-08); empty for the default one.
    pub queue: String,
    /// What its executors are started with.
    pub launch: LaunchData,
}

/// A driver that is to run on a worker: Spark's `DriverDescription`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DriverDescription {
    /// What people call it: the main class, or the name of a script.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// `spark.driver.cores`
    pub cores: u32,
    /// `spark.driver.memory`
    pub memory: ByteCount,
    /// Custom resources.
    pub resources: Vec<ResourceRequirement>,
    /// `--supervise`: it is started again when it fails (SA-33).
    pub supervise: bool,
    /// Files of the submitting machine that the master keeps for it (AS-06).
    pub artifacts: Option<ArtifactsId>,
    /// What it is started with.
    pub launch: LaunchData,
}

/// A worker: what it is, and what it offers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkerDescription {
    /// The name that others reach its host by.
    pub host: String,
    /// Its own port. There is one worker at an address.
    pub port: u16,
    /// How many cores it offers.
    pub cores: u32,
    /// How much memory it offers.
    pub memory: ByteCount,
    /// Custom resources that it has found (SA-26).
    pub resources: Vec<ResourceInformation>,
    /// Where its web UI is.
    pub web_ui_url: String,
}

/// What is taken of a worker.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Cores.
    pub cores: u32,
    /// Memory.
    pub memory: ByteCount,
    /// Addresses of custom resources, by kind, in the order in which they were taken.
    pub resources: BTreeMap<String, Vec<String>>,
}
