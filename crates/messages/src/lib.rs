//! What crosses the boundary between the driver and its executors.
//!
//! Plain data, converted at the edge; both sides run the same build (the handshake compares build ids), so no message needs
//! to be read by another version. Names are Spark's: `LaunchTasks`, `StatusUpdate`, `KillTask`.

#![forbid(unsafe_code)]

mod application_file;
mod driver_bound;
mod driver_command;
mod executor_bound;
mod executor_command;
mod map_statuses;
mod size;
mod task;

/// The release of Firesteel that this binary is built on.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub use application_file::{ApplicationFile, ApplicationFileKind, ArchiveFormat, FilePart, FileSource};
pub use driver_bound::{Answer, DriverMessage, Heartbeat, Question, RegisterExecutor, TaskHeartbeat};
pub use driver_command::{DriverCommand, DriverFile, DriverLaunch, DriverResource, OpenDriverCommandError};
pub use executor_bound::{ExecutorLaunch, ExecutorMessage};
pub use executor_command::{Executable, ExecutorCommand, OpenCommandError};
pub use map_statuses::{EncodedMapStatuses, MapStatusesCodecError, decode_map_statuses, encode_map_statuses};
pub use size::encoded_size;
pub use task::{BarrierTask, StageDescription, TaskDescription, TaskOutcome, TaskPayload, TaskResult, TaskSuccess};
