//! What masters, workers, applications and clients say to one another. Plain data; Spark's `DeployMessages`.
//!
//! A message that is late, doubled or about things long gone is dropped where it is handled; what matters is said until it is
//! answered, or again after the next connection.

use firesteel_model::{ApplicationId, ByteCount, ExecutorLossReason, ResourceInformation, SubmissionId, WorkerId};
use serde::{Deserialize, Serialize};

use crate::{
    ApplicationDescription, ArtifactAnswer, ArtifactRequest, DriverDescription, DriverState, ExecutorState, LaunchData,
    RecoveryState, Term, WorkerDescription,
};

/// Numbers the executors of an application, from 0: Spark's `app/N`.
pub type ExecutorNumber = u32;

/// Whatever a master hears.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToMaster {
    /// A worker.
    Worker(FromWorker),
    /// The driver of an application.
    Application(FromApplication),
    /// Somebody who asks about drivers, and goes.
    Client(ClientRequest),
    /// Somebody who brings or fetches files of a submission. For the master's store; the state machine drops it.
    Artifacts(ArtifactRequest),
}

/// Whatever a master says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromMaster {
    /// To whoever has registered: this one does not lead. The connection stays, and it says so when it does.
    MasterInStandby,
    /// To everybody that is connected: it leads from here on. Whoever belongs to the cluster registers with it.
    MasterLeads(Leader),
    /// To a worker.
    Worker(ToWorker),
    /// To the driver of an application.
    Application(ToApplication),
    /// The answer to a client.
    Client(ClientAnswer),
    /// The answer of the master's store of files.
    Artifacts(ArtifactAnswer),
}

/// The master that leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Leader {
    /// Since when.
    pub term: Term,
    /// `spark://host:port`
    pub url: String,
    /// Where its web UI is; empty without one.
    pub web_ui_url: String,
}

/// What a worker says to the master.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// The first, or after a connection was lost. Answered by `Registered`, `RegistrationFailed` or `MasterInStandby`.
    Register(WorkerState),
    /// It lives (SA-36).
    Heartbeat,
    /// An executor has started or ended. Answered by `ExecutorUpdateTaken` when it has ended (SA-39).
    ExecutorChanged(ExecutorUpdate),
    /// A driver has ended, or is started again. Answered by `DriverUpdateTaken` when it has ended.
    DriverChanged(DriverUpdate),
    /// It takes nothing more, and will leave (SA-40).
    Decommissioning,
}

/// A worker, and all that it runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkerState {
    /// Made by the worker when it started.
    pub worker_id: WorkerId,
    /// What it offers.
    pub description: WorkerDescription,
    /// Its executors that have not ended, or whose end no master has said that it knows: that follows at once.
    pub executors: Vec<RunningExecutor>,
    /// Its drivers, in the same way.
    pub drivers: Vec<RunningDriver>,
    /// It will leave, and is only listed for what it still runs.
    pub decommissioning: bool,
    /// The latest leader that it has heard of.
    pub term: Term,
}

/// An executor that a worker has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunningExecutor {
    /// Whose it is.
    pub application_id: ApplicationId,
    /// Which.
    pub executor: ExecutorNumber,
    /// Launching or running.
    pub state: ExecutorState,
    /// What it takes.
    pub cores: u32,
    /// What it takes.
    pub memory: ByteCount,
    /// What it takes.
    pub resources: Vec<ResourceInformation>,
}

/// A driver that a worker has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunningDriver {
    /// Which.
    pub submission_id: SubmissionId,
    /// What it is, so that a master that has forgotten it knows it again.
    pub description: DriverDescription,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
}

/// What became of an executor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExecutorUpdate {
    /// Whose it is.
    pub application_id: ApplicationId,
    /// Which.
    pub executor: ExecutorNumber,
    /// What it is now.
    pub state: ExecutorState,
    /// Why it ended; none while it has not.
    pub reason: Option<ExecutorLossReason>,
}

impl ExecutorUpdate {
    /// Did it end in a way that says that something is wrong (SA-32)? Exit code 0, being ended and leaving with a worker do not.
    pub fn is_abnormal(&self) -> bool {
        match (&self.reason, self.state) {
            (Some(ExecutorLossReason::Exited { exit_code: Some(0), .. }), _) => false,
            (_, state) => matches!(state, ExecutorState::Failed | ExecutorState::Exited | ExecutorState::Lost),
        }
    }
}

/// What became of a driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DriverUpdate {
    /// Which.
    pub submission_id: SubmissionId,
    /// What it is now.
    pub state: DriverState,
    /// Its exit code if it has one.
    pub exit_code: Option<i32>,
    /// What people should know of its end; may be empty.
    pub message: String,
}

/// What the master says to a worker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// It belongs to the cluster.
    Registered {
        /// Whose orders it takes.
        leader: Leader,
    },
    /// It does not: it must end.
    RegistrationFailed {
        /// Why.
        message: String,
    },
    /// The master does not know it any more: it registers anew, with all that it runs.
    Reregister,
    /// Start an executor.
    LaunchExecutor(Box<LaunchExecutor>),
    /// End an executor. Unknown ones are ignored.
    KillExecutor {
        /// Who orders it.
        term: Term,
        /// Whose it is.
        application_id: ApplicationId,
        /// Which.
        executor: ExecutorNumber,
    },
    /// The end of an executor is known.
    ExecutorUpdateTaken {
        /// Whose it was.
        application_id: ApplicationId,
        /// Which.
        executor: ExecutorNumber,
    },
    /// The end of a driver is known.
    DriverUpdateTaken {
        /// Which.
        submission_id: SubmissionId,
    },
    /// An application has ended: what it has on this worker can go (SA-46).
    ApplicationFinished {
        /// Who says so.
        term: Term,
        /// Which.
        application_id: ApplicationId,
    },
    /// Start a driver.
    LaunchDriver(Box<LaunchDriver>),
    /// End a driver, and do not start it again. Unknown ones are answered as killed.
    KillDriver {
        /// Who orders it.
        term: Term,
        /// Which.
        submission_id: SubmissionId,
    },
    /// Take nothing more and leave (SA-40).
    Decommission {
        /// Who orders it.
        term: Term,
    },
}

/// An executor to start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LaunchExecutor {
    /// Who orders it.
    pub term: Term,
    /// Whose it is.
    pub application_id: ApplicationId,
    /// What people call the application.
    pub application_name: String,
    /// Whose application it is.
    pub user: String,
    /// Which.
    pub executor: ExecutorNumber,
    /// How many cores it has.
    pub cores: u32,
    /// How much memory it has.
    pub memory: ByteCount,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
    /// Where its application's web UI is; empty without one.
    pub web_ui_url: String,
    /// What it is started with.
    pub launch: LaunchData,
}

/// A driver to start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LaunchDriver {
    /// Who orders it.
    pub term: Term,
    /// Which.
    pub submission_id: SubmissionId,
    /// What it is.
    pub description: DriverDescription,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
}

/// What an application says to the master.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromApplication {
    /// The first, or after a connection was lost. Answered by `Registered`, `Removed` or `MasterInStandby`.
    Register {
        /// What it is.
        description: ApplicationDescription,
        /// What it was told before, if it was.
        known: Option<Box<KnownApplication>>,
    },
    /// It has ended.
    Unregister,
    /// An executor has registered with its driver: it was started well (SA-32).
    ExecutorReady {
        /// Which.
        executor: ExecutorNumber,
    },
    /// How many executors it wants in all from here on.
    RequestExecutors {
        /// The sum.
        total: u32,
    },
    /// End some executors; none follows unless more are requested.
    KillExecutors {
        /// Which.
        executors: Vec<ExecutorNumber>,
    },
}

/// An application that has had a master before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownApplication {
    /// Its id, which it keeps.
    pub application_id: ApplicationId,
    /// One more than the highest executor number that it has heard of: no number is used twice.
    pub next_executor: ExecutorNumber,
    /// When it was submitted, in milliseconds since the Unix epoch.
    pub submitted_ms: i64,
    /// Of the numbers below, those that it still counts on. It has given up the others, whatever a worker says of them.
    pub executors: Vec<ExecutorNumber>,
    /// How many executors it wants, if it has said so.
    pub requested: Option<u32>,
    /// The latest leader that has had it.
    pub term: Term,
}

/// What the master says to an application.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToApplication {
    /// It is listed.
    Registered {
        /// Its id.
        application_id: ApplicationId,
        /// When it was submitted, in milliseconds since the Unix epoch.
        submitted_ms: i64,
        /// The master.
        leader: Leader,
    },
    /// A worker was told to start an executor for it.
    ExecutorAdded {
        /// Which.
        executor: ExecutorNumber,
        /// Where.
        worker_id: WorkerId,
        /// The name that its host is reached by.
        host: String,
        /// Where its output can be seen.
        log_url: String,
        /// How many cores it has.
        cores: u32,
        /// How much memory it has.
        memory: ByteCount,
    },
    /// An executor has started or ended.
    ExecutorUpdated {
        /// Which.
        executor: ExecutorNumber,
        /// What it is now.
        state: ExecutorState,
        /// Why it ended; none while it has not.
        reason: Option<ExecutorLossReason>,
        /// Its worker is gone, and what it had on disk.
        worker_lost: bool,
    },
    /// The answer to `RequestExecutors`: from here on no more are started.
    RequestTaken {
        /// The sum.
        total: u32,
    },
    /// Why it has fewer executors than it wants; none if it has what it wants (AS-01).
    Waits {
        /// For people.
        reason: Option<String>,
    },
    /// The master has taken it off its list: it gets nothing more.
    Removed {
        /// Why.
        message: String,
    },
}

/// What a client asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ClientRequest {
    /// Run this driver.
    SubmitDriver(Box<DriverDescription>),
    /// End a driver.
    KillDriver(SubmissionId),
    /// End all drivers.
    KillAllDrivers,
    /// Forget the drivers and applications that have ended.
    ClearCompleted,
    /// What is known of a driver.
    DriverStatus(SubmissionId),
    /// An id for an application that is about to start, and what there is for it.
    NewApplication,
    /// How the master is.
    MasterStatus,
}

/// What a client is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ClientAnswer {
    /// To a submission: the id, or why there is none.
    Submitted(Result<SubmissionId, String>),
    /// To the wish to forget what has ended: done, or why it is not.
    Cleared(Result<(), String>),
    /// To the wish to end one driver, or all: what is done, or why nothing is.
    Killed(Result<String, String>),
    /// What is known of a driver; none if nothing is.
    Status(Option<DriverStatus>),
    /// To an application that is about to start.
    NewApplication(NewApplication),
    /// Who answers, and what it is.
    Master {
        /// What it is.
        state: RecoveryState,
        /// Who leads, as far as it knows.
        leader: Option<Leader>,
    },
}

/// What a driver learns before it starts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewApplication {
    /// The id that it has from here on.
    pub application_id: ApplicationId,
    /// When it was given, in milliseconds since the Unix epoch.
    pub submitted_ms: i64,
    /// How many workers are alive.
    pub workers: u32,
    /// How many cores they have together.
    pub cores: u32,
    /// How many cores the largest of them has.
    pub most_cores: u32,
    /// How many cores an application gets that does not say (`spark.deploy.defaultCores`).
    pub default_cores: u32,
}

/// What is known of a driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DriverStatus {
    /// What it is.
    pub state: DriverState,
    /// Where it runs, or ran.
    pub worker: Option<(WorkerId, String)>,
    /// Its exit code if it has ended with one.
    pub exit_code: Option<i32>,
    /// What people should know of its end; may be empty.
    pub message: String,
}
