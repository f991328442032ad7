//! An application under the manager: the real driver, the real endpoint, and ears.

use std::{
    collections::BTreeSet,
    env, fs,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use firesteel_block_master::{BlockMaster, BlockMasterOptions};
use firesteel_block_store::LocalBlockManagerMaster;
use firesteel_driver::{
    Driver, DriverOptions, EventSink, JobRequest, JobRequestKind, PreparedStage, SchedulerBackend, StageSource,
    StartDriverError,
};
use firesteel_io_encryption::{IoEncryption, KeySize};
use firesteel_messages::{DriverMessage, ExecutorMessage};
use firesteel_model::{
    AccumulatorUpdate, ApplicationId, ByteCount, ExecutorId, ListenerEvent, Partition, RddId, ResourceProfileId,
    StageAttemptId, StorageLevel, TaskId,
};
use firesteel_rpc::{Address, Options, Ports, connect};
use firesteel_scheduler::{
    Determinism, RddInfo, ReducerLocalityOptions, SchedulerOptions, ShuffleDependency, StageOptions,
};
use firesteel_scheduler_backend::{
    ClusterManager, CoarseGrainedOptions, CoarseGrainedSchedulerBackend, DataPlane, ExecutorRequest, ManagerEvents,
};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::{
    ManagerHarness, Wanted,
    executor::{BEHAVIOUR, BUILD_ID, Behaviour, DIRECTORY, registration},
};

/// How long a case waits for a condition.
const PATIENCE: Duration = Duration::from_secs(120);

/// Something that happened to an executor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum News {
    Added(ExecutorId),
    Removed(ExecutorId, String),
}

/// A running application.
pub(crate) struct Application {
    driver: Driver,
    backend: Arc<CoarseGrainedSchedulerBackend>,
    recorded: Arc<Recorded>,
    request: ExecutorRequest,
    directory: TempDir,
}

/// What a case sees after the end.
pub(crate) struct Ended {
    pub(crate) news: Vec<News>,
    /// How many executors were ever started.
    pub(crate) started: usize,
}

#[derive(Default)]
struct Recorded(Mutex<Vec<News>>);

impl EventSink for Recorded {
    fn post(&self, event: ListenerEvent) {
        match event {
            ListenerEvent::ExecutorAdded { executor_id, .. } => self.0.lock().push(News::Added(executor_id)),
            ListenerEvent::ExecutorRemoved { executor_id, reason, .. } => {
                self.0.lock().push(News::Removed(executor_id, reason));
            }
            _ => {}
        }
    }

    fn merge_accumulators(&self, _task_id: TaskId, _stage: StageAttemptId, _updates: &[AccumulatorUpdate]) {}
}

/// Passes everything on to the manager, and keeps what it was asked for.
struct Overheard {
    manager: Arc<dyn ClusterManager>,
    request: Mutex<Option<ExecutorRequest>>,
}

impl ClusterManager for Overheard {
    fn start(&self, request: ExecutorRequest, events: ManagerEvents) {
        *self.request.lock() = Some(request.clone());
        self.manager.start(request, events);
    }

    fn kill_executor(&self, executor_id: &ExecutorId, reason: &str, replace: bool) {
        self.manager.kill_executor(executor_id, reason, replace);
    }

    fn request_total_executors(&self, total: u32) {
        self.manager.request_total_executors(total);
    }

    fn stopping(&self) {
        self.manager.stopping();
    }

    fn announces_within(&self) -> Duration {
        self.manager.announces_within()
    }

    fn executor_registered(&self, executor_id: &ExecutorId) {
        self.manager.executor_registered(executor_id);
    }

    fn stop(&self) {
        self.manager.stop();
    }
}

/// Stages that are never looked into.
struct EmptyStages;

impl StageSource for EmptyStages {
    fn map_stage(&self, _shuffle: &ShuffleDependency) -> Result<PreparedStage, String> {
        Ok(PreparedStage { binary: Bytes::new(), payloads: Box::new(|_| Vec::new()) })
    }

    fn result_stage(&self, _rdd: &RddInfo, _work: &Bytes) -> Result<PreparedStage, String> {
        Ok(PreparedStage { binary: Bytes::new(), payloads: Box::new(|_| Vec::new()) })
    }

    fn storage_level(&self, _rdd_id: RddId) -> StorageLevel {
        StorageLevel::NONE
    }
}

impl Application {
    pub(crate) fn start(harness: &dyn ManagerHarness, executors: u32, behaviour: Behaviour) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().expect("a directory for the case");
        for name in ["executors", "manager"] {
            fs::create_dir(directory.path().join(name)).expect("a directory for the case");
        }
        let wanted = Wanted {
            application_id: ApplicationId::new(format!("conformance-{}-{number}", std::process::id())),
            executors,
            executable: env::current_exe().expect("the suite is a file"),
            conf: vec![
                (BEHAVIOUR.to_owned(), behaviour.name().to_owned()),
                (DIRECTORY.to_owned(), directory.path().join("executors").display().to_string()),
            ],
            directory: directory.path().join("manager"),
        };
        let manager = Arc::new(Overheard { manager: harness.manager(wanted), request: Mutex::new(None) });
        let recorded = Arc::new(Recorded::default());
        let blocks = LocalBlockManagerMaster::new(
            BlockMaster::new(BlockMasterOptions { proactive_replication: false }),
            u64::from(number),
        );
        let mut backend = None;
        let options = DriverOptions {
            scheduler: scheduler(),
            allocation: None,
            seed: 1,
            max_message_size: ByteCount::mib(1),
            min_size_for_broadcast: ByteCount::kib(512),
        };
        let events = Arc::clone(&recorded) as Arc<dyn EventSink>;
        let driver = Driver::start(options, Arc::new(EmptyStages), events, blocks, |handle| {
            let started = CoarseGrainedSchedulerBackend::start(
                handle,
                Arc::clone(&manager) as Arc<dyn ClusterManager>,
                &firesteel_rpc::Secret::generate(),
                DataPlane {
                    fetch_block: Arc::new(|_, _| Err("nothing is fetched here".to_owned())),
                    publish: Arc::new(|_| Err("nothing is published here".to_owned())),
                },
                CoarseGrainedOptions {
                    bind_address: "127.0.0.1".to_owned(),
                    host: "127.0.0.1".to_owned(),
                    ports: Ports::default(),
                    rpc: Options::default(),
                    build_id: BUILD_ID,
                    io_encryption: Some(IoEncryption::generate(KeySize::default())),
                },
            )
            .expect("loopback can be listened on");
            backend = Some(Arc::clone(&started));
            Ok::<_, StartDriverError>(started as Arc<dyn SchedulerBackend>)
        })
        .expect("the driver starts");
        let request = manager.request.lock().clone().expect("the backend asks for executors when it starts");
        Self { driver, backend: backend.expect("it was made"), recorded, request, directory }
    }

    pub(crate) fn news(&self) -> Vec<News> {
        self.recorded.0.lock().clone()
    }

    /// Waits until so many executors have been added, and gives their ids in that order.
    pub(crate) fn wait_for_added(&self, count: usize) -> Vec<ExecutorId> {
        self.wait_until(&format!("{count} executors to be added"), || {
            let added = self.news().into_iter().filter_map(|news| match news {
                News::Added(executor_id) => Some(executor_id),
                News::Removed(..) => None,
            });
            let added: Vec<ExecutorId> = added.collect();
            (added.len() >= count).then_some(added)
        })
    }

    /// Waits until an executor has been removed, and says why it was.
    pub(crate) fn wait_for_removed(&self, wanted: &ExecutorId) -> String {
        self.wait_until(&format!("executor {wanted} to be removed"), || {
            self.news().into_iter().find_map(|news| match news {
                News::Removed(executor_id, reason) if executor_id == *wanted => Some(reason),
                News::Removed(..) | News::Added(_) => None,
            })
        })
    }

    pub(crate) fn wait_until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let news = self.news();
            assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}: {news:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The ids of all executors that were ever started.
    pub(crate) fn started(&self) -> Vec<ExecutorId> {
        let entries = fs::read_dir(self.directory.path().join("executors")).expect("the case's directory");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| !name.ends_with(".draft")).map(ExecutorId::new).collect()
    }

    pub(crate) fn process_of(&self, executor_id: &ExecutorId) -> Pid {
        self.wait_until(&format!("the process of executor {executor_id}"), || {
            let file = self.directory.path().join("executors").join(executor_id.as_str());
            Pid::from_raw(fs::read_to_string(file).ok()?.parse().ok()?)
        })
    }

    pub(crate) fn is_running(&self, executor_id: &ExecutorId) -> bool {
        test_kill_process(self.process_of(executor_id)).is_ok()
    }

    pub(crate) fn signal(&self, executor_id: &ExecutorId, signal: Signal) {
        kill_process(self.process_of(executor_id), signal).expect("the executor runs");
    }

    pub(crate) fn request_total(&self, total: u32) {
        self.backend.request_total_executors(total);
    }

    pub(crate) fn kill(&self, executor_id: &ExecutorId, replace: bool) {
        self.backend.kill_executor(executor_id, "the suite wants it so", replace);
    }

    /// Runs a job of one task, which nobody ever completes, and gives what it fails with.
    pub(crate) fn failure_of_job(&self) -> String {
        let rdd = Arc::new(RddInfo {
            id: RddId(0),
            name: "nothing".to_owned(),
            scope: None,
            call_site_short: "conformance".to_owned(),
            call_site_long: String::new(),
            partitions: 1,
            dependencies: Vec::new(),
            determinism: Determinism::Determinate,
            barrier: false,
            preferred_locations: None,
            resource_profile: ResourceProfileId(0),
        });
        let job = self.driver.handle().submit_job(JobRequest {
            kind: JobRequestKind::Result { rdd, partitions: vec![Partition(0)], work: Bytes::new() },
            properties: Arc::default(),
            call_site_short: "conformance".to_owned(),
            call_site_long: String::new(),
        });
        job.wait(|_, _| ()).expect_err("nobody completes the job").message
    }

    /// Connects as an executor of this id would, and gives the driver's answer.
    pub(crate) fn register(&self, executor_id: &ExecutorId, build_id: [u8; 32]) -> Option<ExecutorMessage> {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let address: Address = self.request.driver_address.parse().expect("the driver's address");
            let options = Options::default();
            let connection = connect::<ExecutorMessage, DriverMessage>(&address, &self.request.secret, &options);
            let (sender, mut receiver) = connection.await.expect("the driver listens").split();
            sender.send(&registration(executor_id, build_id)).await.expect("the driver takes messages");
            receiver.receive().await.expect("the driver answers")
        })
    }

    pub(crate) fn stop_twice(self) {
        let backend = Arc::clone(&self.backend);
        self.stop();
        backend.stop();
    }

    /// Stops, and checks what must hold after every case: no process is left, and the news of each executor is in order.
    pub(crate) fn stop(mut self) -> Ended {
        let known: Vec<Pid> = self.started().iter().map(|executor_id| self.process_of(executor_id)).collect();
        self.driver.stop();
        self.backend.stop();
        let started = self.started();
        let processes = started.iter().map(|executor_id| self.process_of(executor_id)).chain(known);
        for process in processes {
            assert!(test_kill_process(process).is_err(), "process {process:?} is left after stop");
        }
        let news = self.news();
        let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
        for item in &news {
            match item {
                News::Added(executor_id) => assert!(added.insert(executor_id), "added twice: {news:?}"),
                News::Removed(executor_id, _) => {
                    assert!(added.contains(executor_id), "removed before it was added: {news:?}");
                    assert!(removed.insert(executor_id), "removed twice: {news:?}");
                }
            }
        }
        Ended { news, started: started.len() }
    }
}

fn scheduler() -> SchedulerOptions {
    let plain = SchedulerOptions::minimal();
    let count = |count| NonZeroU32::new(count).expect("not zero");
    SchedulerOptions {
        task_max_failures: count(4),
        stage: StageOptions {
            max_consecutive_attempts: count(4),
            resubmit_delay: Duration::from_millis(200),
            unregister_output_on_host: true,
            ..plain.stage
        },
        reducer_locality: ReducerLocalityOptions { enabled: true, ..plain.reducer_locality },
        cancelled_job_groups_tracked: 1000,
        ..plain
    }
}
