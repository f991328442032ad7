//! What happens to an application when its parts are harmed: the right answer or a clear failure, and nothing left over.

#![forbid(unsafe_code)]

mod application;
mod driver_end;
mod full_disk;
mod losses;
mod results;
mod security;
mod shuffles;
mod silence;
mod tasks;

/// The masters that have executor processes.
const CLUSTER: &str = "local-cluster[2,1,1024]";
const WIDE_CLUSTER: &str = "local-cluster[2,2,1024]";
