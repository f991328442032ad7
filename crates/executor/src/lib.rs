//! The executor: takes tasks, runs them in its slots, reports how they ended (RT-02).
//!
//! It knows stages as bytes and tasks as numbers; what they compute is the business of a [`TaskRunner`]. What tasks share
//! (scratch directories, blocks, memory, map outputs) is in the [`Environment`]; what one task knows of itself is in its
//! [`TaskContext`]. It has never heard of SQL or Python, and not of sockets either: messages come in by
//! [`Executor::handle`] and go out by a [`DriverLink`].

#![forbid(unsafe_code)]

mod cpu_time;
mod driver_link;
mod environment;
mod executor;
mod failure;
mod host_local;
mod large_records;
mod map_outputs;
mod memory_usage;
mod metrics;
mod panics;
mod process_group;
mod reaper;
mod resource_discovery;
mod runner;
mod shuffle;
mod slots;
mod storage;
mod task_context;
mod thread_dump;
mod threads;

pub use driver_link::{AskError, DriverLink, Questions};
pub use environment::{Environment, EnvironmentOptions};
pub use executor::Executor;
pub use failure::TaskFailure;
pub use large_records::{LARGE_RECORD, RoomForRecord};
pub use map_outputs::{MapOutputs, MapStatuses};
pub use memory_usage::{executor_metrics, resident_bytes};
pub use metrics::{Counter, TaskMetricsRecorder};
pub use process_group::ProcessGroup;
pub use reaper::ReaperOptions;
pub use resource_discovery::{DiscoverResourceError, ResourceToDiscover, discover_resource};
pub use runner::{PreparedStage, TaskRunner};
pub use shuffle::{ExecutorShuffle, ShuffleOptions, StartDataPlaneError};
pub use storage::{
    DataPlaneTransfer, ExecutorBlockSource, ExecutorStorage, StorageOptions, StorageOrders, StoragePlace,
    fetch_task_result,
};
pub use task_context::{BlockInHand, KillSwitch, TaskAccumulator, TaskContext};
pub use thread_dump::ThreadDump;
pub use threads::user_code_thread;
