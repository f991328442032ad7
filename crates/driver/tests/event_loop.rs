//! The event loop with a backend that only listens.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use firesteel_block_master::{BlockMaster, BlockMasterOptions};
use firesteel_block_store::LocalBlockManagerMaster;
use firesteel_driver::{
    Driver, DriverOptions, EventSink, JobHandle, JobRequest, JobRequestKind, PreparedStage, PublishedBytes,
    Registration, ResultFetch, SchedulerBackend, StageSource, StartDriverError,
};
use firesteel_messages::{
    DriverMessage, ExecutorMessage, TaskDescription, TaskOutcome, TaskPayload, TaskResult, TaskSuccess,
};
use firesteel_model::{
    AccumulatorUpdate, BlockManagerId, ByteCount, ExecutorId, ListenerEvent, Partition, RddId, ResourceProfileId,
    StageAttemptId, StorageLevel, TaskId,
};
use firesteel_scheduler::{Determinism, ExecutorRegistration, RddInfo, SchedulerOptions, ShuffleDependency};

const PATIENCE: Duration = Duration::from_secs(60);
const KIB: usize = 1 << 10;

/// Hands on what executors are sent.
struct Backend(Sender<ExecutorMessage>);

impl SchedulerBackend for Backend {
    fn send(&self, _executor_id: &ExecutorId, message: ExecutorMessage) -> bool {
        self.0.send(message).is_ok()
    }

    fn kill_executor(&self, _executor_id: &ExecutorId, _reason: &str, _replace: bool) {}

    fn fetch_result(&self, _fetch: ResultFetch) {}

    fn publish(&self, _bytes: &[u8]) -> Option<Result<PublishedBytes, String>> {
        None
    }
}

/// Hands on what listeners are told.
struct Events(Sender<ListenerEvent>);

impl EventSink for Events {
    fn post(&self, event: ListenerEvent) {
        // The test may have seen enough.
        let _ = self.0.send(event);
    }

    fn merge_accumulators(&self, _task_id: TaskId, _stage: StageAttemptId, _updates: &[AccumulatorUpdate]) {}
}

/// Stages and payloads of these sizes in bytes.
#[derive(Clone, Copy)]
struct Stages {
    binary: usize,
    payload: usize,
}

impl StageSource for Stages {
    fn map_stage(&self, _shuffle: &ShuffleDependency) -> Result<PreparedStage, String> {
        unreachable!("no job here has a shuffle")
    }

    fn result_stage(&self, rdd: &RddInfo, _work: &Bytes) -> Result<PreparedStage, String> {
        let (rdd_id, payload) = (rdd.id, Bytes::from(vec![1; self.payload]));
        let payloads = move |partition| vec![TaskPayload { rdd_id, partition, bytes: payload.clone() }];
        Ok(PreparedStage { binary: vec![0; self.binary].into(), payloads: Box::new(payloads) })
    }

    fn storage_level(&self, _rdd_id: RddId) -> StorageLevel {
        StorageLevel::NONE
    }
}

struct Application {
    driver: Driver,
    sent: Receiver<ExecutorMessage>,
    events: Receiver<ListenerEvent>,
}

fn executor() -> ExecutorId {
    ExecutorId::new("1")
}

impl Application {
    /// With one executor of so many cores.
    fn start(stages: Stages, max_message_size: usize, cores: u32) -> Self {
        let (sender, sent) = unbounded();
        let (poster, events) = unbounded();
        let options = DriverOptions {
            scheduler: SchedulerOptions::minimal(),
            allocation: None,
            seed: 1,
            max_message_size: ByteCount(max_message_size as u64),
            min_size_for_broadcast: ByteCount::kib(512),
        };
        let blocks =
            LocalBlockManagerMaster::new(BlockMaster::new(BlockMasterOptions { proactive_replication: false }), 1);
        let backend = Arc::new(Backend(sender));
        let driver = Driver::start(options, Arc::new(stages), Arc::new(Events(poster)), blocks, |_| {
            Ok::<_, StartDriverError>(backend as Arc<dyn SchedulerBackend>)
        });
        let driver = driver.unwrap();
        driver.handle().executor_registered(Registration {
            executor: ExecutorRegistration::plain(executor(), "host", cores),
            block_manager_id: BlockManagerId { executor_id: executor(), host: "host".to_owned(), port: 1 },
            on_heap_memory: ByteCount::mib(1),
            off_heap_memory: ByteCount::ZERO,
            local_directories: Vec::new(),
        });
        Self { driver, sent, events }
    }

    fn submit(&self, partitions: u32) -> JobHandle {
        let rdd = Arc::new(RddInfo {
            id: RddId(0),
            name: "numbers".to_owned(),
            scope: None,
            call_site_short: String::new(),
            call_site_long: String::new(),
            partitions,
            dependencies: Vec::new(),
            determinism: Determinism::Determinate,
            barrier: false,
            preferred_locations: None,
            resource_profile: ResourceProfileId(0),
        });
        let partitions = (0..partitions).map(Partition).collect();
        self.driver.handle().submit_job(JobRequest {
            kind: JobRequestKind::Result { rdd, partitions, work: Bytes::new() },
            properties: Arc::default(),
            call_site_short: String::new(),
            call_site_long: String::new(),
        })
    }

    /// The next launches in one message: the bytes of its stages, and its tasks.
    fn launches(&self) -> (usize, Vec<TaskDescription>) {
        loop {
            if let ExecutorMessage::LaunchTasks { stages, tasks } = self.sent.recv_timeout(PATIENCE).unwrap() {
                return (stages.iter().map(|stage| stage.binary.len()).sum(), tasks);
            }
        }
    }

    fn succeed(&self, task: &TaskDescription) {
        let outcome = TaskOutcome {
            task_id: task.task_id,
            stage: task.stage,
            result: Ok(TaskSuccess::Result(TaskResult::Direct(vec![task.partition.0 as u8].into()))),
            run_time_us: 1,
            accumulators: Vec::new(),
            metrics: Arc::default(),
        };
        self.driver.handle().executor_message(&executor(), DriverMessage::StatusUpdates(vec![outcome]));
    }
}

#[test]
fn every_launch_fits_one_message_however_large_stage_and_tasks_are() {
    // Each fits, and no two of them do.
    let stages = Stages { binary: 40 * KIB, payload: 40 * KIB };
    let application = Application::start(stages, 64 * KIB, 3);
    let job = application.submit(3);
    let mut tasks = Vec::new();
    let mut sizes = Vec::new();
    while tasks.len() < 3 {
        let (binary, launched) = application.launches();
        sizes.push(binary + launched.iter().flat_map(|task| &task.payloads).map(|it| it.bytes.len()).sum::<usize>());
        tasks.extend(launched);
    }
    assert_eq!(sizes, [40 * KIB; 4], "the stage goes first, and every task alone");
    tasks.iter().for_each(|task| application.succeed(task));
    let mut results = Vec::new();
    job.wait(|index, bytes| results.push((index, bytes[0]))).unwrap();
    results.sort_unstable();
    assert_eq!(results, [(0, 0), (1, 1), (2, 2)]);
}

#[test]
fn small_launches_go_together() {
    let application = Application::start(Stages { binary: KIB, payload: 1 }, 64 * KIB, 5);
    let _job = application.submit(5);
    let (binary, tasks) = application.launches();
    assert_eq!((binary, tasks.len()), (KIB, 5));
}

#[test]
fn what_is_under_way_has_ended_when_the_driver_has_stopped() {
    let mut application = Application::start(Stages { binary: 1, payload: 1 }, 64 * KIB, 1);
    let job = application.submit(2);
    application.launches();
    application.driver.stop();
    let message = job.wait(|_, _| ()).unwrap_err().message;
    assert!(message.contains("SparkContext was shut down"), "{message}");
    let heard: Vec<ListenerEvent> = application.events.try_iter().collect();
    let ended = heard.iter().position(|event| matches!(event, ListenerEvent::JobEnd { .. }));
    assert!(ended.is_some(), "listeners were told of the end of the job: {heard:?}");
    // Whoever is late is heard by nobody.
    application.driver.handle().executor_lost(
        &executor(),
        firesteel_model::ExecutorLossReason::Disconnected,
        firesteel_scheduler::LostOutputs::OfExecutor,
    );
    let late = application.submit(1).wait(|_, _| ()).unwrap_err().message;
    assert!(late.contains("shut down"), "{late}");
    assert!(application.events.is_empty());
}
