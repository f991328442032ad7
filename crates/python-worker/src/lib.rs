//! Python worker processes.
//!
//! Python code of tasks runs in processes of its own, never in an executor: what crashes there takes no executor along, and no
//! interpreter lock is shared. Each interpreter and environment has one `pyspark.daemon`, which forks a worker for whoever
//! connects; a worker serves one task at a time and is used again by later ones.
//!
//! - [`TaskInput`] and [`OutputDecoder`]: the protocol of PySpark's workers, from values to bytes and from bytes to values. Pure.
//! - [`Release`]: which PySpark this is. The protocol differs from release to release, so unknown ones are refused.
//! - [`WorkerFactory`]: starts daemons, or workers without one, hands out workers, takes them back, ends those that are idle.
//! - [`PythonRun`]: one task in one worker. A single thread writes what the worker reads and reads what it writes, whichever
//!   is possible, so that neither side can wait for the other for ever, and a task that is killed ends at once.
//! - `functions`: Python modules that give workers faster equivalents of PySpark's own functions.
//!
//! Not here: what is computed from what (the crate `pyspark`), and Arrow's formats.

#![forbid(unsafe_code)]

mod broadcasts;
mod channel;
mod daemon;
mod factory;
mod functions;
pub mod huge_pages;
mod idle;
mod output;
mod release;
mod run;
pub mod secret;
mod shown;
mod single;
mod start;
mod task;
mod wait;
mod worker;

pub use broadcasts::{BroadcastServerAddress, Broadcasts};
pub use channel::Channel;
pub use factory::{WorkerError, WorkerFactory, WorkerKey, WorkerLaunch};
pub use output::{DecodeError, Output, OutputDecoder};
pub use release::{Release, UnsupportedVersion};
pub use run::{PythonRun, RunError, RunOptions};
pub use start::StartPythonError;
pub use task::{TaskContextInfo, TaskInput, TaskResource, encode_element};
pub use worker::Worker;
