//! What every cluster manager must do (D8), as tests that each of them passes.
//!
//! A manager brings a [`ManagerHarness`] and one test target without libtest, because the test's own binary is what the
//! manager starts as executors:
//!
//! ```no_run
//! # use firesteel_conformance::ManagerHarness;
//! fn run(harness: &dyn ManagerHarness) -> std::process::ExitCode {
//!     firesteel_conformance::main(harness)
//! }
//! ```
//!
//! Each case runs the manager under the real driver and the real endpoint and looks at what a user can see: executors that are
//! added and removed, processes that are there or not, and the message a job fails with. Cases wait for conditions; they
//! never sleep for a guessed time.

#![forbid(unsafe_code)]

mod application;
mod cases;
mod executor;

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use firesteel_executor_backend::is_executor;
use firesteel_model::ApplicationId;
use firesteel_scheduler_backend::ClusterManager;

/// How the suite gets a manager to test.
pub trait ManagerHarness {
    /// A manager that has started nothing yet.
    fn manager(&self, wanted: Wanted) -> Arc<dyn ClusterManager>;
}

/// What a manager is to start.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The application.
    pub application_id: ApplicationId,
    /// How many executors, of one core each.
    pub executors: u32,
    /// The binary to run, with [`firesteel_executor_backend::LAUNCH_VARIABLE`] set, [`firesteel_executor_backend::LAUNCH_ARGUMENT`] as
    /// its first argument, and its launch data on standard input.
    pub executable: PathBuf,
    /// The application's configuration, which must reach the executors.
    pub conf: Vec<(String, String)>,
    /// A directory for whatever the manager writes.
    pub directory: PathBuf,
}

/// Runs every case whose name has the first argument in it, or all. In a process that the manager has started, this is the
/// executor.
pub fn main(harness: &dyn ManagerHarness) -> ExitCode {
    if is_executor() {
        return executor::run();
    }
    let mut arguments = env::args().skip(1).peekable();
    if arguments.any(|argument| argument == "--list") {
        for (name, _) in cases::ALL {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut failed = 0;
    for (name, case) in cases::ALL.iter().filter(|(name, _)| name.contains(&filter)) {
        // A case owns all that it touches.
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| case(harness)));
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += u32::from(outcome.is_err());
    }
    println!("\ntest result: {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
