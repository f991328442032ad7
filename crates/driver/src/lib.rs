//! The driver's inside: one event loop that owns the scheduler and performs what it commands (D1).
//!
//! Everybody else holds a [`DriverHandle`]: user threads submit jobs through it, backends report executors and carry their
//! messages. What a stage computes is bytes from a [`StageSource`]; where executors are is the business of a
//! [`SchedulerBackend`]. The driver knows neither Rust closures nor Python, neither YARN nor Mesos.

#![forbid(unsafe_code)]

mod backend;
mod driver;
mod event_loop;
mod handle;
mod input;
mod job;
mod map_output_answers;
mod stage_source;

pub use backend::{EventSink, PublishedBytes, SchedulerBackend, StartingExecutors};
pub use driver::{Driver, DriverOptions, StartDriverError};
pub use event_loop::ResultFetch;
pub use handle::{AddFileError, DriverHandle};
pub use input::{Registration, Removal};
pub use job::{JobError, JobHandle, JobRequest, JobRequestKind, JobUpdate};
pub use stage_source::{PreparedStage, StageSource};
