//! Every input of a worker.

use super::ProcessId;
use crate::protocol::FromMaster;

/// One thing that happened. Masters are numbered as they were listed.
#[derive(Clone, Debug)]
pub enum WorkerEvent {
    /// There is a connection to a master.
    Connected {
        /// Which.
        master: usize,
    },
    /// A master has said something.
    Received {
        /// Which.
        master: usize,
        /// What.
        message: Box<FromMaster>,
    },
    /// A connection has ended, and the next one is being tried for.
    Disconnected {
        /// To which master.
        master: usize,
    },
    /// A master will never take a connection, as it has another secret or is another release.
    Refused {
        /// Which.
        master: usize,
        /// Why.
        reason: String,
    },
    /// A process runs that this worker was told to start.
    ProcessStarted {
        /// Which start.
        process: ProcessId,
        /// Its number on this machine.
        pid: u32,
    },
    /// No process runs, nor will one. The last word of a start.
    ProcessNotStarted {
        /// Which start.
        process: ProcessId,
        /// Why.
        message: String,
    },
    /// A process has ended, and nothing of it runs any more. The last word of a start.
    ProcessEnded {
        /// Which start.
        process: ProcessId,
        /// How.
        end: ProcessEnd,
    },
    /// Whoever runs the machine wants this worker to leave in good order (SA-40).
    Decommission,
    /// Whoever runs the machine wants this worker to end.
    Stop,
    /// The moment of [`super::Worker::next_deadline`] is there.
    DeadlineReached,
}

/// How a process has ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProcessEnd {
    /// Its exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The end counts as the application's fault.
    pub caused_by_app: bool,
    /// What is known beside.
    pub detail: String,
}
