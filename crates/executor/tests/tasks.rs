//! Tasks whose user's code goes wrong where no task runs any more.

use std::{any::Any, sync::Arc, time::Duration};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use firesteel_block_master::{BlockMaster, BlockMasterOptions};
use firesteel_block_store::{
    BlockManagerOptions, BroadcastOptions, CompressionCodec, LocalBlockManagerMaster, MemoryManager,
};
use firesteel_executor::{
    DriverLink, Environment, EnvironmentOptions, Executor, ExecutorShuffle, ExecutorStorage, PreparedStage,
    ShuffleOptions, StorageOptions, StoragePlace, TaskAccumulator, TaskContext, TaskFailure, TaskRunner,
};
use firesteel_local_dirs::LocalDirs;
use firesteel_memory::{MemoryOptions, UnifiedMemoryManager};
use firesteel_messages::{
    DriverMessage, ExecutorMessage, StageDescription, TaskDescription, TaskOutcome, TaskResult, TaskSuccess,
};
use firesteel_model::{
    AccumulatorId, AccumulatorUpdate, ApplicationId, BlockManagerId, ByteCount, ExecutorId, JobId, Partition,
    StageAttempt, StageAttemptId, StageId, TaskAttemptNumber, TaskEndReason, TaskId, TaskLocality,
};
use firesteel_rpc::Secret;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const STAGE: StageAttemptId = StageAttemptId { stage_id: StageId(0), attempt: StageAttempt(0) };

/// Hands on how tasks ended.
struct Link(Sender<TaskOutcome>);

impl DriverLink for Link {
    fn tell(&self, message: DriverMessage) {
        if let DriverMessage::StatusUpdates(outcomes) = message {
            for outcome in outcomes {
                self.0.send(outcome).unwrap();
            }
        }
    }
}

/// An accumulator whose value cannot be told.
struct Untold;

impl TaskAccumulator for Untold {
    fn update(&self) -> AccumulatorUpdate {
        panic!("it does not know what it has added")
    }

    fn counts_failed_values(&self) -> bool {
        false
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Partition 0 uses the accumulator and lets the test look at it; the others do nothing.
struct Runner {
    added: Sender<()>,
    go_on: Receiver<()>,
}

impl TaskRunner for Runner {
    fn prepare(&self, _binary: &Bytes) -> Result<PreparedStage, TaskFailure> {
        Ok(Arc::new(()))
    }

    fn run(&self, _stage: &PreparedStage, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        if context.partition() == Partition(0) {
            context.accumulate(AccumulatorId(0), || Untold, |_| ());
            self.added.send(()).unwrap();
            self.go_on.recv_timeout(PATIENCE).unwrap();
        }
        Ok(TaskSuccess::Result(TaskResult::Direct(Bytes::new())))
    }
}

fn environment(directory: &TempDir, link: Arc<dyn DriverLink>) -> Environment {
    let (local_dirs, _) = LocalDirs::create(&[directory.path().to_owned()]).unwrap();
    let local_dirs = Arc::new(local_dirs);
    let memory = MemoryOptions {
        heap: ByteCount::gib(1),
        heap_setting: "spark.executor.memory",
        fraction: 0.6,
        storage_fraction: 0.5,
        off_heap: ByteCount::ZERO,
    };
    let memory = MemoryManager::new(UnifiedMemoryManager::from_options(&memory).unwrap(), MemoryManager::WAIT_LIMIT);
    let executor_id = ExecutorId::driver();
    let shuffle = Arc::new(ExecutorShuffle::new(
        ApplicationId::new("app"),
        executor_id.clone(),
        Arc::clone(&local_dirs),
        Secret::generate(),
        ShuffleOptions::default(),
    ));
    let place = StoragePlace {
        block_manager_id: BlockManagerId { executor_id, host: "localhost".to_owned(), port: 0 },
        memory,
        local_dirs: Arc::clone(&local_dirs),
    };
    let options = StorageOptions {
        blocks: BlockManagerOptions {
            compress_rdds: false,
            compression: CompressionCodec::Lz4,
            unroll_memory_threshold: ByteCount::mib(1),
            max_replication_failures: 1,
            cached_peers_ttl: Duration::from_secs(60),
            seed: 1,
        },
        broadcast: BroadcastOptions { block_size: ByteCount::mib(4), compress: true, checksum: true },
    };
    let registry =
        LocalBlockManagerMaster::new(BlockMaster::new(BlockMasterOptions { proactive_replication: false }), 1);
    let storage = ExecutorStorage::local(place, options, registry, Arc::clone(&link), &shuffle);
    Environment::new(link, Arc::default(), local_dirs, shuffle, storage, EnvironmentOptions::default())
}

fn task(partition: u32) -> TaskDescription {
    TaskDescription {
        task_id: TaskId(u64::from(partition)),
        stage: STAGE,
        index: partition,
        partition: Partition(partition),
        attempt_number: TaskAttemptNumber(0),
        locality: TaskLocality::Any,
        epoch: 0,
        resources: Vec::new(),
        payloads: Vec::new(),
        barrier: None,
    }
}

#[test]
fn an_accumulator_that_panics_fails_its_task_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let (sender, outcomes) = unbounded();
    let (added, has_added) = unbounded();
    let (lets_go_on, go_on) = unbounded();
    let environment = Arc::new(environment(&directory, Arc::new(Link(sender))));
    let executor = Executor::new(environment, Arc::new(Runner { added, go_on }), 1);
    let stage = StageDescription {
        stage: STAGE,
        job_id: JobId(0),
        partitions: 2,
        binary: Bytes::new(),
        properties: Arc::default(),
        cpus: 1,
    };
    executor.handle(ExecutorMessage::LaunchTasks { stages: vec![Arc::new(stage)], tasks: vec![task(0)] });
    has_added.recv_timeout(PATIENCE).unwrap();
    let heartbeat = executor.heartbeat();
    assert_eq!((heartbeat.tasks.len(), heartbeat.tasks[0].accumulators.len()), (1, 0), "the heartbeat goes on");
    lets_go_on.send(()).unwrap();
    let failed = outcomes.recv_timeout(PATIENCE).unwrap();
    let Err(TaskEndReason::ExceptionFailure { description, .. }) = &failed.result else { panic!("{failed:?}") };
    assert_eq!((failed.task_id, description.as_str()), (TaskId(0), "it does not know what it has added"));

    // The only slot takes the next task.
    executor.handle(ExecutorMessage::LaunchTasks { stages: Vec::new(), tasks: vec![task(1)] });
    let outcome = outcomes.recv_timeout(PATIENCE).unwrap();
    assert!(outcome.task_id == TaskId(1) && outcome.result.is_ok(), "{outcome:?}");
    executor.stop("the test is over");
}
