//! What an executor offers to all its tasks: Spark's `SparkEnv`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use firesteel_application_files::ApplicationFiles;
use firesteel_block_store::{MemoryManager, TaskMemory};
use firesteel_local_dirs::LocalDirs;
use firesteel_memory::{MemoryMode, Pressure, ResidentLimits};
use firesteel_messages::{Answer, ExecutorMessage, Question, TaskResult};
use firesteel_model::{BlockManagerId, BroadcastInfo, ByteCount, ExecutorId, ExecutorMetrics, ShuffleId, TaskId};
use tracing::warn;

use crate::{
    KillSwitch, TaskContext, TaskFailure,
    driver_link::{AskError, DriverLink, Questions, take_turn},
    large_records::LargeRecords,
    map_outputs::{MapOutputs, MapStatuses, MapStatusesCodec},
    shuffle::ExecutorShuffle,
    storage::ExecutorStorage,
};

/// What an executor offers to all its tasks.
pub struct Environment {
    driver: Arc<dyn DriverLink>,
    questions: Arc<Questions>,
    map_outputs: MapOutputs,
    local_dirs: Arc<LocalDirs>,
    memory: Arc<MemoryManager>,
    large_records: Arc<LargeRecords>,
    shuffle: Arc<ExecutorShuffle>,
    storage: ExecutorStorage,
    files: Option<Arc<ApplicationFiles>>,
    options: EnvironmentOptions,
}

/// Sizes and time-outs. Each field names its key.
#[derive(Clone, Debug)]
pub struct EnvironmentOptions {
    /// `spark.task.maxDirectResultSize`, 1 MiB: larger results are stored and fetched (RT-33).
    pub max_direct_result_size: ByteCount,
    /// `spark.rpc.askTimeout`, 120 s.
    pub ask_time_out: Duration,
    /// `spark.barrier.sync.timeout`, 365 days: how long tasks of a barrier stage wait for one another (RT-48).
    pub barrier_sync_time_out: Duration,
    /// `spark.shuffle.spill.compress`.
    pub compress_spills: bool,
    /// `spark.shuffle.spill.numElementsForceSpillThreshold`, 2147483647: a collection with so many records in memory spills.
    pub force_spill_records: u64,
}

impl Default for EnvironmentOptions {
    fn default() -> Self {
        Self {
            max_direct_result_size: ByteCount::mib(1),
            ask_time_out: Duration::from_secs(120),
            barrier_sync_time_out: Duration::from_secs(365 * 24 * 60 * 60),
            compress_spills: true,
            force_spill_records: i32::MAX as u64,
        }
    }
}

impl Environment {
    /// The environment of one executor, which is the one that its storage says. `questions` must be those that the storage
    /// asks with.
    pub fn new(
        driver: Arc<dyn DriverLink>,
        questions: Arc<Questions>,
        local_dirs: Arc<LocalDirs>,
        shuffle: Arc<ExecutorShuffle>,
        storage: ExecutorStorage,
        options: EnvironmentOptions,
    ) -> Self {
        let memory = Arc::clone(storage.blocks().memory());
        // Beside its memory for data an executor has some hundred MiB for what is under way.
        let most = memory.usage(MemoryMode::OnHeap).capacity.bytes() / 2;
        let most = ByteCount(most.saturating_add(ByteCount::mib(64).bytes()));
        Self {
            driver,
            questions,
            map_outputs: MapOutputs::default(),
            local_dirs,
            large_records: LargeRecords::new(most, MemoryManager::WAIT_LIMIT),
            memory,
            shuffle,
            storage,
            files: None,
            options,
        }
    }

    /// With the application's files, which are placed before the tasks that may need them.
    #[must_use]
    pub fn with_files(self, files: Arc<ApplicationFiles>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// Which executor this is.
    pub fn executor_id(&self) -> &ExecutorId {
        &self.block_manager_id().executor_id
    }

    /// The name that peers reach its host by.
    pub fn host(&self) -> &str {
        &self.block_manager_id().host
    }

    /// Where its blocks are served.
    pub fn block_manager_id(&self) -> &BlockManagerId {
        self.storage.blocks().id()
    }

    /// What it has for shuffles.
    pub fn shuffle(&self) -> &Arc<ExecutorShuffle> {
        &self.shuffle
    }

    /// What it stores: cached partitions, broadcast values, large results.
    pub fn storage(&self) -> &ExecutorStorage {
        &self.storage
    }

    /// The way to the driver.
    pub fn driver(&self) -> &dyn DriverLink {
        &*self.driver
    }

    /// The scratch directories.
    pub fn local_dirs(&self) -> &Arc<LocalDirs> {
        &self.local_dirs
    }

    /// The application's files, if it can have any. Whoever runs tasks in a process of its own, as Python workers do, tells
    /// that process their root directory.
    pub fn files(&self) -> Option<&Arc<ApplicationFiles>> {
        self.files.as_ref()
    }

    /// Questions that wait for the driver's answers.
    pub fn questions(&self) -> &Questions {
        &self.questions
    }

    /// What is known of map outputs.
    pub fn map_outputs(&self) -> &MapOutputs {
        &self.map_outputs
    }

    /// Where the outputs of a shuffle are, asked by a task.
    pub fn map_statuses(&self, shuffle_id: ShuffleId, context: &TaskContext) -> Result<MapStatuses, AskError> {
        let ask = || self.ask(Question::MapOutputs(shuffle_id), context);
        let read = |info: &BroadcastInfo| self.storage.broadcasts().read(info, &MapStatusesCodec);
        self.map_outputs.get(shuffle_id, self.options.ask_time_out, ask, read, || context.is_interrupted())
    }

    /// Makes the shuffle files of those among `holders` that are on this host readable in place. It is not tried again for
    /// an executor for which it fails: that one is fetched from.
    pub fn open_host_local<'a>(
        &self,
        holders: impl Iterator<Item = &'a BlockManagerId> + Clone,
        context: &TaskContext,
    ) {
        let (host_local, ours) = (self.shuffle.host_local(), self.block_manager_id());
        if host_local.unknown(ours, holders.clone()).is_empty() {
            return;
        }
        let killed = || context.is_interrupted();
        // Whoever does not get a turn in time fetches over the network.
        let Ok(_asking) = take_turn(host_local.asking(), self.options.ask_time_out, killed) else { return };
        // Another task may have asked meanwhile.
        let unknown = host_local.unknown(ours, holders);
        if unknown.is_empty() {
            return;
        }
        let directories = match self.ask(Question::LocalDirectories(unknown.clone()), context) {
            Ok(Answer::LocalDirectories(directories)) => directories,
            // The task notices by itself, and another one asks again.
            Err(AskError::Killed) => return,
            other => {
                warn!(?other, "the driver did not tell the local directories of executors on this host");
                Vec::new()
            }
        };
        let mut directories = directories.into_iter();
        for executor_id in &unknown {
            let directories = directories.next().unwrap_or_default();
            host_local.learn(self.shuffle.application_id(), executor_id, &directories, self.shuffle.resolver());
        }
    }

    /// Asks the driver something for a task.
    pub fn ask(&self, question: Question, context: &TaskContext) -> Result<Answer, AskError> {
        self.questions.ask(self.driver(), question, self.options.ask_time_out, || context.is_interrupted())
    }

    /// Waits until all tasks of the stage attempt have come to the same barrier, and gives what each of them brought. The
    /// driver ends the wait when its time is up; only if it does not answer at all does the task give up by itself.
    pub fn barrier_sync(&self, message: Option<String>, context: &TaskContext) -> Result<Vec<String>, AskError> {
        let question = Question::BarrierSync {
            stage: context.stage(),
            task_id: context.task_id(),
            epoch: context.next_barrier_epoch(),
            message,
        };
        let time_out = self.options.barrier_sync_time_out.saturating_add(self.options.ask_time_out);
        match self.questions.ask(self.driver(), question, time_out, || context.is_interrupted())? {
            Answer::BarrierPassed(messages) => Ok(messages),
            other => Err(AskError::Refused(format!("the answer to a barrier was {other:?}"))),
        }
    }

    pub(crate) fn max_direct_result_size(&self) -> ByteCount {
        self.options.max_direct_result_size
    }

    pub(crate) fn store_result(&self, task_id: TaskId, bytes: Bytes) -> Result<TaskResult, TaskFailure> {
        self.storage.store_result(task_id, bytes)
    }

    /// The most storage memory there can be.
    pub fn storage_memory(&self, mode: MemoryMode) -> ByteCount {
        self.memory.usage(mode).capacity
    }

    /// What a single record may take for the process to outlive it, and what the large records of all tasks may take together.
    pub fn most_record_bytes(&self) -> ByteCount {
        self.large_records.most()
    }

    pub(crate) fn large_records(&self) -> &Arc<LargeRecords> {
        &self.large_records
    }

    /// What this process's memory holds now.
    pub fn executor_metrics(&self) -> ExecutorMetrics {
        crate::memory_usage::executor_metrics(&self.memory)
    }

    /// The process holds so much, as the kernel counts it: see [`MemoryManager::observe_resident`].
    pub fn observe_resident(&self, limits: &ResidentLimits, resident: ByteCount) -> Pressure {
        self.memory.observe_resident(limits, resident)
    }

    /// Evicts the blocks for which memory has become too small, and says how much that freed. It may wait for disks.
    pub fn relieve_memory(&self) -> ByteCount {
        self.memory.relieve()
    }

    /// Are spilled runs compressed?
    pub fn compress_spills(&self) -> bool {
        self.options.compress_spills
    }

    /// A collection with so many records in memory spills, however much memory is free.
    pub fn force_spill_records(&self) -> u64 {
        self.options.force_spill_records
    }

    /// Memory in the name of a task.
    pub(crate) fn task_memory(&self, task_id: TaskId, kill: &KillSwitch) -> TaskMemory {
        TaskMemory::new(Arc::clone(&self.memory), task_id, MemoryMode::OnHeap, Arc::clone(kill.flag()))
    }

    /// Takes an order about what is stored; it is carried out apart from the caller.
    pub(crate) fn handle_storage(&self, message: ExecutorMessage) {
        if let ExecutorMessage::RemoveShuffle(shuffle_id) = message {
            self.map_outputs.forget(shuffle_id);
        }
        self.storage.orders().give(message);
    }
}
