//! What happens to an application when its parts are harmed: the right answer or a clear failure, and nothing left over.

#![forbid(unsafe_code)]

mod addresses;
mod application;
mod barrier;
mod broadcasts;
mod caches;
mod cancel;
mod checkpoints;
mod driver_end;
mod dynamic_allocation;
mod encryption;
mod end_line;
mod events;
mod exclusion;
mod files;
mod full_disk;
mod losses;
mod masters;
mod pressure;
mod relay;
mod resource_profiles;
mod resources;
mod results;
mod retries;
mod security;
mod shares;
mod shuffles;
mod silence;
mod speculation;
mod stores;
mod tasks;

/// The masters that have executor processes.
const CLUSTER: &str = "local-cluster[2,1,1024]";
const WIDE_CLUSTER: &str = "local-cluster[2,2,1024]";
