//! From the driver to an executor.

use std::{fmt, sync::Arc};

use firesteel_model::{
    ApplicationId, BlockId, BlockManagerId, BroadcastId, ExecutorId, RddId, ShuffleId, StageAttemptId, TaskId,
};
use serde::{Deserialize, Serialize};

use crate::{Answer, ApplicationFile, StageDescription, TaskDescription};

/// What the driver sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ExecutorMessage {
    /// The answer to a registration: it is accepted.
    Registered,
    /// The answer to a registration: it is not, and the executor ends with exit code 1 (RT-09).
    Refused(String),
    /// Tasks to run, and the stages that this executor has not seen yet.
    LaunchTasks {
        /// Stages that tasks of this or later messages refer to.
        stages: Vec<Arc<StageDescription>>,
        /// The tasks.
        tasks: Vec<TaskDescription>,
    },
    /// Files that were added to the application, in order. Tasks of later messages find them in place; what is known already
    /// is not sent again, so a launch carries nothing of this.
    AddFiles(Vec<Arc<ApplicationFile>>),
    /// A task to end.
    KillTask {
        /// Which attempt.
        task_id: TaskId,
        /// Interrupt its thread as well (RT-38).
        interrupt: bool,
        /// Why, for the user.
        reason: String,
    },
    /// No task of this stage attempt follows.
    RemoveStage(StageAttemptId),
    /// The answer to a question.
    Answer {
        /// The question's number.
        number: u64,
        /// The answer.
        answer: Answer,
    },
    /// Drop the cached blocks of an RDD.
    RemoveRdd(RddId),
    /// Drop single blocks.
    RemoveBlocks(Vec<BlockId>),
    /// Drop a broadcast value.
    RemoveBroadcast(BroadcastId),
    /// Delete the files of a shuffle.
    RemoveShuffle(ShuffleId),
    /// Copy a block to more executors, because holders were lost (RT-54).
    Replicate {
        /// Which block.
        block_id: BlockId,
        /// How many copies are missing.
        copies: u32,
        /// Who may get one, to be tried in this order.
        peers: Vec<BlockManagerId>,
    },
    /// Answer with `StorageSynced` and this number when every earlier order about blocks has been carried out.
    SyncStorage(u64),
    /// The driver does not know this executor: it was given up, and its tasks run elsewhere. It ends with exit code 1, so that
    /// another one takes its place.
    ReRegister,
    /// The driver knows that this executor leaves by itself, and why.
    FarewellTaken,
    /// Finish: no task follows, end with exit code 0.
    Stop,
}

/// What an executor process is started with, handed over where nobody else can read it.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExecutorLaunch {
    /// The application.
    pub application_id: ApplicationId,
    /// The id it must register with.
    pub executor_id: ExecutorId,
    /// The driver's control address.
    pub driver_address: String,
    /// The name that peers reach this host by.
    pub host: String,
    /// How many cores it offers.
    pub cores: u32,
    /// The application's secret.
    pub secret: String,
    /// The key of the application's local files, if they are encrypted.
    pub io_encryption_key: Option<Vec<u8>>,
    /// The application's configuration.
    pub conf: Vec<(String, String)>,
    /// A directory that the application's executors on this machine share, for files that they all fetch
    /// (`spark.files.useFetchCache`); whoever starts executors removes it. None if there is none.
    pub files_cache: Option<String>,
    /// Scratch directories of the driver, if it has started the process on its own machine: when it is killed, its executors
    /// remove them.
    pub driver_directories: Vec<String>,
}

/// Neither secrets nor the configuration, which may hold some.
impl fmt::Debug for ExecutorLaunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorLaunch")
            .field("application_id", &self.application_id)
            .field("executor_id", &self.executor_id)
            .field("driver_address", &self.driver_address)
            .field("host", &self.host)
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}
