//! The driver's side of executors that are processes, and the trait that a cluster manager implements (D8, RT-03).
//!
//! [`CoarseGrainedSchedulerBackend`] holds one authenticated connection to each executor: Spark's class of that name with its
//! driver endpoint. It takes registrations (RT-09), carries messages both ways, and reports losses with their cause
//! (AS-02). Who starts and ends the processes is a [`ClusterManager`]: local-cluster, standalone, YARN, Mesos. Core code
//! knows none of them.

#![forbid(unsafe_code)]

mod cluster_manager;
mod coarse_grained;
mod connections;
mod result_getter;

pub use cluster_manager::{ClusterManager, ExecutorExit, ExecutorRequest, ManagerEvents};
pub use coarse_grained::{
    CoarseGrainedOptions, CoarseGrainedSchedulerBackend, DataPlane, PublishBytes, StartBackendError,
};
pub use result_getter::FetchBlock;
