//! The cluster manager of `spark://` masters, as an application's driver has it: Spark's `StandaloneSchedulerBackend`.
//!
//! The driver asks a master for executors; workers start them, and they come to the driver by themselves. What happens between
//! the driver and the masters is decided by [`firesteel_standalone::ApplicationClient`].

#![forbid(unsafe_code)]

mod manager;

pub use manager::{StandaloneClusterManager, StandaloneOptions};
