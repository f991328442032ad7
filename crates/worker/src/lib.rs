//! The worker of a standalone cluster as a process: Spark's `Worker`, `ExecutorRunner` and `DriverRunner`.
//!
//! [`firesteel_standalone::worker`] decides; this crate does it. One task owns that state machine; each executor and each driver has a
//! thread that sees it through: directories, program, process, end.
//!
//! ```text
//!  work directory/app-…/N/{stdout,stderr}           what an executor writes; stays
//!                 driver-…/{stdout,stderr,…}       what a driver writes, and its program and files; stays
//!                 executables/DIGEST                programs that drivers on other machines have served
//!  local directory/blockmgr-…/app-…/N/              scratch space; goes with the executor, the application, the worker
//! ```
//!
//! An executor is the application's own program, so it need not be installed here: what has the right content is taken from the
//! path that it has on the driver's machine, or fetched from the driver.
//!
//! A driver is a process of the same installation until it has what belongs to it, and then becomes the driver ([`DriverProgram`]).

#![forbid(unsafe_code)]

mod directories;
mod driver;
mod event_loop;
mod executables;
mod executor;
mod handle;
mod log_files;
mod options;
mod port;
mod processes;
mod web_ui;
mod worker;

pub use driver::DriverProgram;
pub use handle::WorkerHandle;
pub use log_files::{LogRolling, RollingStrategy};
pub use options::WorkerOptions;
pub use web_ui::web_ui;
pub use worker::{StartWorkerError, Worker};
