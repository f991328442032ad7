//! Every output of a master.

use std::collections::BTreeMap;

use firesteel_model::{ApplicationId, SubmissionId, WorkerId};
use serde::{Deserialize, Serialize};

use super::PeerId;
use crate::{
    ApplicationDescription, ApplicationState, DriverDescription, DriverState, WorkerDescription,
    protocol::{ExecutorNumber, FromMaster},
};

/// One thing to do. Commands are done in order.
#[derive(Clone, PartialEq, Debug)]
pub enum MasterCommand {
    /// Say this to somebody. Who is gone is not told.
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        message: Box<FromMaster>,
    },
    /// Keep this for the next leader, in place of what has its key. It must be kept before what follows is done.
    Store(Box<Record>),
    /// Nobody needs this any more.
    Erase(RecordKey),
    /// Make sure that this master still leads before what follows is done: somebody is told what must not be taken back.
    Confirm,
    /// For whoever reads the master's log.
    Log {
        /// Something is wrong.
        warning: bool,
        /// What happened.
        text: String,
    },
    /// End the process: another master leads (SA-54).
    Exit,
}

/// Names a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RecordKey {
    /// A worker.
    Worker(WorkerId),
    /// An application.
    Application(ApplicationId),
    /// A driver.
    Driver(SubmissionId),
    /// What ids are counted with; there is one.
    Numbers,
}

/// What is kept for the next leader (SA-52). Executors are not: their workers report them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Record {
    /// A worker.
    Worker {
        /// Its id.
        worker_id: WorkerId,
        /// What it offers.
        description: WorkerDescription,
    },
    /// An application, without what its executors are started with: its driver tells that again.
    Application {
        /// Its id.
        application_id: ApplicationId,
        /// What it is.
        description: ApplicationDescription,
        /// When it was submitted, in milliseconds since the Unix epoch.
        submitted_ms: i64,
        /// None of its executors has this number, or a higher one.
        next_executor: ExecutorNumber,
        /// How it has ended, if it has; it is kept as long as it is remembered.
        end: Option<ApplicationEnd>,
    },
    /// A driver; also one that has ended, as long as it is remembered.
    Driver {
        /// Its id.
        submission_id: SubmissionId,
        /// What it is.
        description: Box<DriverDescription>,
        /// When it was submitted, in milliseconds since the Unix epoch.
        submitted_ms: i64,
        /// What it is.
        state: DriverState,
        /// Where it was started.
        worker_id: Option<WorkerId>,
        /// Somebody wants it to end, and was told that it will.
        killed: bool,
        /// How it has ended.
        end: Option<DriverEnd>,
    },
    /// What the next ids are made of: no leader gives one that another has given.
    Numbers {
        /// Of applications.
        next_application: u64,
        /// Of drivers.
        next_driver: u64,
    },
}

/// How an application has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApplicationEnd {
    /// What it is.
    pub state: ApplicationState,
    /// When, in milliseconds since the Unix epoch.
    pub ended_ms: i64,
    /// What people should know of its end; may be empty.
    pub message: String,
}

/// How a driver has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DriverEnd {
    /// Its exit code if it has ended with one.
    pub exit_code: Option<i32>,
    /// What people should know of its end; may be empty.
    pub message: String,
    /// What runs in its place since its worker was lost.
    pub relaunched_as: Option<SubmissionId>,
    /// Where it was.
    pub worker_host_port: String,
}

impl Record {
    /// What names it.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Worker { worker_id, .. } => RecordKey::Worker(worker_id.clone()),
            Self::Application { application_id, .. } => RecordKey::Application(application_id.clone()),
            Self::Driver { submission_id, .. } => RecordKey::Driver(submission_id.clone()),
            Self::Numbers { .. } => RecordKey::Numbers,
        }
    }
}

/// Everything that the last leader has left.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stored {
    /// The records, in any order.
    pub records: Vec<Record>,
}

/// What [`Stored`] would be after some commands; a store in memory, for one master alone and for tests.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StoredMap {
    records: BTreeMap<RecordKey, Record>,
}

impl StoredMap {
    /// Keeps a record.
    pub fn store(&mut self, record: Record) {
        self.records.insert(record.key(), record);
    }

    /// Forgets a record.
    pub fn erase(&mut self, key: &RecordKey) {
        self.records.remove(key);
    }

    /// All that is kept.
    pub fn read(&self) -> Stored {
        Stored { records: self.records.values().cloned().collect() }
    }
}
