//! Every output of a worker.

use std::time::Duration;

use firesteel_model::{ApplicationId, SubmissionId};

use crate::protocol::{FromWorker, LaunchDriver, LaunchExecutor};

/// Numbers what a worker starts: an executor once, a driver again for each time that it is started anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProcessId(pub u64);

/// One thing to do. Commands are done in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WorkerCommand {
    /// Say this to a master. If there is no connection it is not said.
    Send {
        /// To which.
        master: usize,
        /// What.
        message: Box<FromWorker>,
    },
    /// Start an executor. `ProcessStarted` and `ProcessEnded` follow, or `ProcessNotStarted`.
    StartExecutor {
        /// What it is called from here on.
        process: ProcessId,
        /// What it is.
        launch: Box<LaunchExecutor>,
    },
    /// Start a driver; as for executors.
    StartDriver {
        /// What it is called from here on.
        process: ProcessId,
        /// What it is.
        launch: Box<LaunchDriver>,
    },
    /// Ask a process to end. One that has not been started yet is not started.
    Terminate {
        /// Which.
        process: ProcessId,
    },
    /// End a process with all that it has started.
    Kill {
        /// Which.
        process: ProcessId,
    },
    /// Remove the scratch directories of an application: nothing of it runs here. Should an executor of it come after all,
    /// they are made anew.
    RemoveApplication {
        /// Whose.
        application_id: ApplicationId,
    },
    /// Remove the work directories of applications and drivers that nothing was written to for so long.
    CleanUp {
        /// How long.
        data_ttl: Duration,
        /// Those that stay in any case.
        running: Vec<ApplicationId>,
        /// And those.
        running_drivers: Vec<SubmissionId>,
    },
    /// For whoever reads the worker's log.
    Log {
        /// Something is wrong.
        warning: bool,
        /// What happened.
        text: String,
    },
    /// End the worker, once what was said has been sent. Nothing that it has started runs any more.
    Exit {
        /// With this code.
        code: i32,
    },
}
