//! An executor as a process: Spark's `CoarseGrainedExecutorBackend`.
//!
//! The process gets its [`ExecutorLaunch`](firesteel_messages::ExecutorLaunch) on standard input, where nobody else can read
//! it, connects to its driver, registers, runs what it is sent, and ends when the driver tells it to or is gone (RT-72,
//! RT-81). It is the user's own binary for a native application, so it is entered from the application's `main`.

#![deny(unsafe_code)]

mod driver_process;
mod exit;
mod freed_memory;
mod link;
mod memory_relief;
mod memory_watch;
mod process;

pub use exit::ExecutorExitCode;
pub use firesteel_executor_process::{LAUNCH_ARGUMENT, LAUNCH_VARIABLE};
pub use link::RpcLink;
pub use process::{ExecutorParts, ExecutorProcess, ReadLaunchError, is_executor, read_launch};
