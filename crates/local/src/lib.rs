//! The masters that need nothing but this machine: `local[N]`, driver and executor in one process, and `local-cluster[n,c,m]`,
//! executors as processes of their own.

#![forbid(unsafe_code)]

mod local;
mod local_cluster;

pub use local::{LocalBackend, LocalLink};
pub use local_cluster::{LayoutError, LocalClusterLayout, LocalClusterManager, LocalClusterOptions};
