//! The application's way to its driver.

use std::{
    collections::BTreeMap,
    env,
    panic::Location,
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use firesteel_application_files::AddedFiles;
use firesteel_block_master::{BlockMaster, BlockMasterOptions};
use firesteel_block_store::{LocalBlockManagerMaster, MemoryManager};
use firesteel_conf::{MasterUrl, SparkConf, account_name, keys};
use firesteel_console::{Console, StartFacts};
use firesteel_driver::{
    AddFileError, Driver, DriverHandle, EventSink, JobRequest, JobRequestKind, Removal, SchedulerBackend,
};
use firesteel_executor::{
    DriverLink, Environment, Executor, ExecutorShuffle, ExecutorStorage, StoragePlace, TaskContext,
};
use firesteel_io_encryption::IoEncryption;
use firesteel_local::{LocalBackend, LocalLink};
use firesteel_local_dirs::LocalDirs;
use firesteel_memory::{MemoryMode, UnifiedMemoryManager};
use firesteel_messages::ApplicationFile;
use firesteel_model::{ApplicationId, BlockManagerId, ExecutorId, ListenerEvent, Partition, ResourceInformation};
use firesteel_rpc::Secret;
use firesteel_scheduler::{Event, RddInfo};
use firesteel_scheduler_backend::CoarseGrainedSchedulerBackend;
use parking_lot::{Condvar, Mutex};
use tracing::{error, warn};

use crate::{
    action::{Action, work_of},
    application_files,
    call_site::{self, CallSite},
    checkpoint::{self, CheckpointDirectory},
    cluster::{Cluster, ClusterParts},
    data::{Data, encode},
    driver_metrics::DriverMetrics,
    dynamic_allocation,
    end_line::EndLine,
    error::SparkError,
    event_log, exit, fair_scheduler_file,
    hadoop::HadoopConfiguration,
    io_encryption, job_canceller,
    lineage::{LineageRegistry, NewRdd, Payloads, RddCore, Unreachable},
    listeners::{BusSink, ConsoleOptions, Listeners},
    local_properties, logging,
    operator::{
        ParallelCollection, RangeSource,
        source::{RangeEnv, slice_bounds},
    },
    rdd::Rdd,
    resource_profile::ResourceProfile,
    resource_profiles::{Announce, ResourceProfiles},
    resources::CustomResources,
    runner::RustTaskRunner,
    settings,
    stage_lineage::current_info,
    stages::Stages,
};

/// The entry point: makes data sets, runs jobs, owns the executors. One at a time in a process (RT-13). Cheap to clone; all
/// clones are one context. It stops when [`SparkContext::stop`] is called or the last clone is dropped.
///
/// ```
/// # let spark = firesteel::examples::context();
/// assert_eq!((spark.app_name(), spark.master()), ("example", "local[2]"));
/// assert_eq!(spark.conf().get_raw("spark.app.name"), Some("example"));
/// assert!(spark.application_id().to_string().starts_with("local-"));
/// assert!(spark.default_parallelism() == 2 && spark.resources().is_empty());
/// ```
#[derive(Clone)]
pub struct SparkContext {
    inner: Arc<Inner>,
}

struct Inner {
    conf: SparkConf,
    master: String,
    app_name: String,
    app_id: ApplicationId,
    default_parallelism: u32,
    resources: BTreeMap<String, ResourceInformation>,
    resource_profiles: ResourceProfiles,
    handle: DriverHandle,
    driver: Mutex<Option<Driver>>,
    metrics: Mutex<Option<DriverMetrics>>,
    registry: Arc<LineageRegistry>,
    checkpoint_directory: Mutex<Option<CheckpointDirectory>>,
    hadoop: Mutex<Option<HadoopConfiguration>>,
    blocks: Arc<LocalBlockManagerMaster>,
    storage: ExecutorStorage,
    listeners: Listeners,
    sink: Arc<BusSink>,
    cluster: Option<(Cluster, Arc<CoarseGrainedSchedulerBackend>)>,
    files: Arc<AddedFiles>,
    /// Executors' directories are in these, so they go last.
    local_dirs: Arc<LocalDirs>,
    /// How many executors the program has asked for.
    requested_executors: Mutex<Option<u32>>,
    /// Where `stop` was called.
    stopped_at: Mutex<Option<String>>,
}

/// What a source says that is to have no partition, in Spark's words.
const NO_PARTITIONS: &str = "Positive number of partitions required";

/// The running context, for whoever must stop it without a handle.
static ACTIVE: Mutex<Weak<Inner>> = Mutex::new(Weak::new());
static CREATED_AT: Mutex<Option<String>> = Mutex::new(None);
/// Is a context being started?
static STARTING: Mutex<bool> = Mutex::new(false);
static START_ENDED: Condvar = Condvar::new();
/// How long the end of the process waits for a context to have started, which can then be stopped in order. It takes some
/// milliseconds, unless files are fetched or a script looks for resources.
const START_TIME_OUT: Duration = Duration::from_secs(2);
/// Held while a context stops, so that whoever else wants it stopped waits until it has.
static STOPPING: Mutex<()> = Mutex::new(());

impl SparkContext {
    /// Starts an application.
    ///
    /// # Errors
    ///
    /// [`SparkError::ContextExists`] if one runs in this process; [`SparkError::InsideTask`]; [`SparkError::Configuration`] if a
    /// value is wrong, or the master is one that is not built in.
    ///
    /// ```
    /// use firesteel::{SparkConf, SparkContext};
    ///
    /// let mut conf = SparkConf::new();
    /// conf.set("spark.master", "local[2]").set("spark.app.name", "sum");
    /// let spark = SparkContext::new(&conf)?;
    /// assert_eq!(spark.range(1, 101, 1, 4).sum()?, 5050);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn new(conf: &SparkConf) -> Result<Self, SparkError> {
        Self::check_on_driver("SparkContext::new")?;
        let location = Location::caller().to_string();
        {
            let mut created_at = CREATED_AT.lock();
            if let Some(created_at) = &*created_at {
                return Err(SparkError::ContextExists { created_at: created_at.clone() });
            }
            *created_at = Some(location);
        }
        exit::stop_at_exit();
        let starting = Starting::begin();
        let inner = match Inner::start(conf.clone()) {
            Ok(inner) => Arc::new(inner),
            Err(error) => {
                // In this order: the end of this start must not be taken for that of the next one, which may begin at once.
                drop(starting);
                *CREATED_AT.lock() = None;
                return Err(error);
            }
        };
        *ACTIVE.lock() = Arc::downgrade(&inner);
        Ok(Self { inner })
    }

    /// The configuration that it runs with.
    pub fn conf(&self) -> &SparkConf {
        &self.inner.conf
    }

    /// The application's name.
    pub fn app_name(&self) -> &str {
        &self.inner.app_name
    }

    /// The master URL.
    pub fn master(&self) -> &str {
        &self.inner.master
    }

    /// The id that the cluster manager gave the application.
    pub fn application_id(&self) -> &ApplicationId {
        &self.inner.app_id
    }

    /// How many partitions a data set gets where nothing says otherwise: `spark.default.parallelism`, or the cores that the
    /// application asked for, at least 2 where executors are processes (RT-16).
    pub fn default_parallelism(&self) -> u32 {
        self.inner.default_parallelism
    }

    /// The driver's own custom resources by name, as the scripts of `spark.driver.resource.R.discoveryScript` found them
    /// (SC-07). What a task may use, it learns from its `TaskContext`.
    pub fn resources(&self) -> &BTreeMap<String, ResourceInformation> {
        &self.inner.resources
    }

    /// Distributes a local collection over `partitions` partitions.
    ///
    /// # Panics
    ///
    /// If `partitions` is 0, as in Spark.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let letters = spark.parallelize(['a', 'b', 'c', 'd'], 2);
    /// assert_eq!(letters.glom().collect()?, [['a', 'b'], ['c', 'd']]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn parallelize<T: Data>(&self, records: impl IntoIterator<Item = T>, partitions: u32) -> Rdd<T> {
        assert!(partitions > 0, "{NO_PARTITIONS}");
        let records: Vec<T> = records.into_iter().collect();
        let mut rest = records.into_iter();
        let count = rest.len() as u64;
        let mut each = Vec::with_capacity(partitions as usize);
        for index in 0..partitions {
            let (from, until) = slice_bounds(count, partitions, index);
            let slice: Vec<T> = rest.by_ref().take((until - from) as usize).collect();
            // This is lazy, so it is the task that reports what cannot be encoded.
            let encoded = encode(&Ok::<_, String>(slice));
            let encoded = encoded.or_else(|error| encode(&Err::<Vec<T>, _>(error.to_string())));
            each.push(encoded.map(Bytes::from).unwrap_or_default());
        }
        let mut new = NewRdd::source("parallelize", partitions);
        new.payloads = Payloads::Each(each.into());
        Rdd::source::<ParallelCollection<T>>(self, Location::caller(), new, |rdd_id| rdd_id)
    }

    /// The whole numbers from `start` until before `end`, each `step` after the last.
    ///
    /// # Panics
    ///
    /// If `step` or `partitions` is 0.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.range(0, 10, 3, 2).collect()?, [0, 3, 6, 9]);
    /// assert_eq!(spark.range(3, 0, -1, 2).collect()?, [3, 2, 1]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn range(&self, start: i64, end: i64, step: i64, partitions: u32) -> Rdd<i64> {
        assert!(step != 0, "the step of a range must not be 0");
        assert!(partitions > 0, "{NO_PARTITIONS}");
        let distance = i128::from(end) - i128::from(start);
        let step_wide = i128::from(step);
        let count = if distance.signum() == step_wide.signum() {
            (distance.abs() + step_wide.abs() - 1) / step_wide.abs()
        } else {
            0
        };
        let env = RangeEnv { start, step, count: count as u64, partitions };
        Rdd::source::<RangeSource>(self, Location::caller(), NewRdd::source("range", partitions), |_| env)
    }

    /// Ends the application: fails jobs that are under way, ends the executors, and flushes what listeners write (RT-80). A
    /// second call does nothing. As [`SparkContext::stop_with_code`] with 0.
    ///
    /// # Panics
    ///
    /// If a listener calls it, before anything is stopped: it would wait for itself.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 3, 1, 1);
    /// spark.stop();
    /// assert!(numbers.count().unwrap_err().to_string().contains("on a stopped SparkContext"));
    /// ```
    #[track_caller]
    pub fn stop(&self) {
        self.stop_with_code(0);
    }

    /// Ends the application as [`SparkContext::stop`] does; listeners and the event log are told that this is its exit code
    /// (RT-82). The process ends with it only if the program does so.
    ///
    /// # Panics
    ///
    /// If a listener calls it, before anything is stopped: it would wait for itself.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.stop_with_code(3);
    /// assert!(spark.range(0, 1, 1, 1).count().is_err());
    /// ```
    #[track_caller]
    pub fn stop_with_code(&self, exit_code: i32) {
        if let Err(error) = self.inner.listeners.bus().check_may_stop() {
            panic!("Cannot stop SparkContext within listener bus thread: {error}");
        }
        // Not in the closure, whose caller would be this file.
        let caller = Location::caller();
        let place = call_site::said().unwrap_or_else(|| caller.to_string());
        self.inner.stop(&place, Some(exit_code));
    }

    /// Who runs the application, as Spark finds it: `SPARK_USER`, else whose process it is.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(!spark.spark_user().is_empty());
    /// ```
    pub fn spark_user(&self) -> String {
        user()
    }

    /// What this application's local files are encrypted with, if they are. For the driver of PySpark programs, whose files are
    /// local ones, too.
    #[doc(hidden)]
    pub fn io_encryption(&self) -> Option<&IoEncryption> {
        self.inner.local_dirs.encryption()
    }

    /// What the driver's own process stores.
    pub(crate) fn storage(&self) -> &ExecutorStorage {
        &self.inner.storage
    }

    /// Where every block of the application is.
    pub(crate) fn blocks(&self) -> &LocalBlockManagerMaster {
        &self.inner.blocks
    }

    /// Who is told what happens.
    pub(crate) fn listeners(&self) -> &Listeners {
        &self.inner.listeners
    }

    /// The way into the driver's event loop.
    pub(crate) fn driver(&self) -> &DriverHandle {
        &self.inner.handle
    }

    /// Where checkpoints are written.
    pub(crate) fn checkpoint_directory(&self) -> &Mutex<Option<CheckpointDirectory>> {
        &self.inner.checkpoint_directory
    }

    /// Hadoop's configuration, once something has needed it.
    pub(crate) fn hadoop(&self) -> &Mutex<Option<HadoopConfiguration>> {
        &self.inner.hadoop
    }

    /// The application's files.
    pub(crate) fn files(&self) -> &AddedFiles {
        &self.inner.files
    }

    /// Lets executors know of a file. Where this process is the executor, it is in place already.
    pub(crate) fn announce_file(&self, file: Arc<ApplicationFile>) -> Result<(), AddFileError> {
        if self.inner.cluster.is_some() { self.inner.handle.add_file(file) } else { Ok(()) }
    }

    /// Refuses what makes no sense on a context that has stopped.
    pub(crate) fn check_running(&self, operation: &str) -> Result<(), SparkError> {
        match &*self.inner.stopped_at.lock() {
            Some(stopped_at) => {
                Err(SparkError::ContextStopped { operation: operation.to_owned(), stopped_at: stopped_at.clone() })
            }
            None => Ok(()),
        }
    }

    /// Refuses what only the driver may do if a task runs on this thread. A job that a task waits for would need slots that
    /// tasks hold which wait as it does; and in another process there is nobody to run it.
    pub(crate) fn check_on_driver(operation: &str) -> Result<(), SparkError> {
        match TaskContext::get() {
            Some(task) => Err(SparkError::InsideTask {
                operation: operation.to_owned(),
                stage: task.stage(),
                partition: task.partition(),
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn registry(&self) -> &Arc<LineageRegistry> {
        &self.inner.registry
    }

    /// Runs a job and hands each encoded output to `on_output` with its index in `partitions`.
    pub(crate) fn run_job<A: Action>(
        &self,
        rdd: &Arc<RddCore>,
        call_site: &CallSite,
        partitions: Vec<Partition>,
        env: &A::Env,
        on_output: impl FnMut(u32, Bytes),
    ) -> Result<(), SparkError> {
        self.check_running(&call_site.short)?;
        let _under_way = self.registry().job_under_way();
        self.run_one_job::<A>(rdd, call_site, partitions, env, on_output)?;
        checkpoint::after_job(self, rdd)
    }

    /// The lineage of a job as the scheduler is to see it, which knows by then of all profiles in it.
    pub(crate) fn lineage_of_job(&self, rdd: &Arc<RddCore>) -> Result<Arc<RddInfo>, SparkError> {
        let info = current_info(rdd);
        self.inner.resource_profiles.prepare_job(&info, &*self.inner)?;
        Ok(info)
    }

    /// Is the driver the only executor?
    pub(crate) fn is_local_mode(&self) -> bool {
        self.inner.cluster.is_none()
    }

    pub(crate) fn requested_executors(&self) -> &Mutex<Option<u32>> {
        &self.inner.requested_executors
    }

    /// Takes a resource profile into use.
    pub(crate) fn add_resource_profile(&self, profile: &ResourceProfile) -> Result<(), SparkError> {
        self.check_running("withResources")?;
        Ok(self.inner.resource_profiles.add(profile, &*self.inner)?)
    }

    /// Runs one job, and nothing that a job gives rise to.
    pub(crate) fn run_one_job<A: Action>(
        &self,
        rdd: &Arc<RddCore>,
        call_site: &CallSite,
        partitions: Vec<Partition>,
        env: &A::Env,
        on_output: impl FnMut(u32, Bytes),
    ) -> Result<(), SparkError> {
        Self::check_on_driver(&call_site.short)?;
        rdd.check_one_context()?;
        let work = encode(&work_of::<A>(env)?).map_err(|error| SparkError::NotSerializable {
            what: call_site.short.clone(),
            message: error.to_string(),
        })?;
        let request = JobRequest {
            kind: JobRequestKind::Result { rdd: self.lineage_of_job(rdd)?, partitions, work: work.into() },
            properties: Arc::new(local_properties::of_this_thread()),
            call_site_short: call_site.short.clone(),
            call_site_long: call_site.long.clone(),
        };
        let job = job_canceller::submit(|| self.inner.handle.submit_job(request));
        let ended = job.wait(on_output);
        self.inner.listeners.job_ended();
        ended.map(drop).map_err(SparkError::from_job)
    }
}

/// As long as a context is being started.
struct Starting;

impl Starting {
    fn begin() -> Self {
        *STARTING.lock() = true;
        Self
    }

    /// Waits for the end of the start that is under way, if one is, and not for ever.
    fn wait_for_end() {
        let mut starting = STARTING.lock();
        START_ENDED.wait_while_for(&mut starting, |starting| *starting, START_TIME_OUT);
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        *STARTING.lock() = false;
        START_ENDED.notify_all();
    }
}

/// Removes scratch directories if the start fails: threads that end later still hold them, and the process may not wait.
struct RemovedUnlessStarted(Option<Arc<LocalDirs>>);

impl Drop for RemovedUnlessStarted {
    fn drop(&mut self) {
        if let Some(local_dirs) = &self.0 {
            local_dirs.remove();
        }
    }
}

/// Removes what killed applications have left in the same roots. There may be much of it, which nobody should wait for.
fn remove_abandoned_directories(local_dirs: &LocalDirs) {
    let roots: Vec<_> = local_dirs.directories().iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    let removing = move || firesteel_local_dirs::remove_abandoned(&roots);
    if let Err(error) = thread::Builder::new().name("abandoned-dirs".to_owned()).spawn(removing) {
        warn!(%error, "no thread to remove the local directories of killed applications with");
    }
}

impl Inner {
    fn start(conf: SparkConf) -> Result<Self, SparkError> {
        let configuration = |error: &dyn std::fmt::Display| SparkError::Configuration(error.to_string());
        if SparkConf::is_left_by_launcher() {
            return Err(SparkError::Configuration(
                "spark-submit has handed over settings (--master, --conf, --files) that this program has not taken, and they \
                 would be lost: begin with SparkConf::from_launcher()? in place of SparkConf::new()"
                    .to_owned(),
            ));
        }
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let master = conf.get_raw("spark.master").unwrap_or("local[*]").to_owned();
        let url: MasterUrl = match master.parse() {
            Ok(url) => url,
            Err(error) => MasterUrl::external(&master).ok_or_else(|| configuration(&error))?,
        };
        conf.check_conflicts(&url).map_err(|error| configuration(&error))?;
        let listeners =
            Listeners::new(Console::stderr(), conf.get(&keys::LISTENER_BUS_EVENT_QUEUE_CAPACITY)? as usize)?;
        // First of all, or what others have to say would be lost.
        logging::start(&conf, Some(listeners.console().clone()))?;
        let pools = fair_scheduler_file::pools(&conf)?;
        let cluster = Cluster::of(&conf, &url, &master)?;
        let threads = match &url {
            MasterUrl::Local { threads, .. } => threads.count(cores),
            _ => cluster.as_ref().map_or(1, Cluster::cores),
        };
        let (conf_parallelism, cluster_mode) = (conf.get(&keys::DEFAULT_PARALLELISM)?, cluster.is_some());
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = since_epoch.as_millis();
        let cores_per_executor = cluster.as_ref().map_or(threads, Cluster::cores_per_executor);
        let mut custom_resources = CustomResources::of(&conf)?;
        let cpus = settings::task_cpus(&conf)?;
        let task = custom_resources.task_requirements(cpus, &url, cores_per_executor)?;
        let resources = custom_resources.discover_for_driver()?;
        let app_id = cluster.as_ref().and_then(Cluster::application_id);
        let app_id = app_id.unwrap_or_else(|| local_application_id(since_epoch.as_micros() as u64));
        let app_name = conf.get(&keys::APP_NAME)?.unwrap_or_else(|| "firesteel".to_owned());
        let io_encryption = io_encryption::new_key(&conf)?;
        let local_dirs = Arc::new(settings::create_local_directories(&conf)?.with_encryption(io_encryption));
        remove_abandoned_directories(&local_dirs);
        let mut unless_started = RemovedUnlessStarted(Some(Arc::clone(&local_dirs)));
        let driver_memory = settings::memory(&conf, &keys::DRIVER_MEMORY)?;
        let executor_memory = if cluster.is_some() { conf.get(&keys::EXECUTOR_MEMORY)? } else { driver_memory.heap };
        let profile = custom_resources.default_profile(
            Some(cores_per_executor),
            executor_memory.bytes() >> 20,
            driver_memory.off_heap.bytes() >> 20,
            cpus.get(),
        );
        let profile_limits = if cluster.is_some() { Some(custom_resources.profile_limits(&conf, cpus)?) } else { None };
        let memory = UnifiedMemoryManager::from_options(&driver_memory).map_err(|error| configuration(&error))?;
        let memory = MemoryManager::of_driver(memory, MemoryManager::WAIT_LIMIT);
        let options = settings::driver(
            &conf,
            settings::scheduler(&conf, pools.pools, &url, task, cluster.as_ref().map(Cluster::cores))?,
            dynamic_allocation::options(&conf, &url, &custom_resources, cpus.get())?,
            millis as u64,
        )?;
        let environment_options = settings::environment(&conf, true)?;
        let reaper = settings::reaper(&conf)?;
        let shuffle_options = settings::shuffle(&conf)?;
        let storage_options = settings::storage(&conf, millis as u64)?;
        // What becomes unreachable is told to the driver, which is made after the registry.
        let reachability: Arc<Mutex<Option<DriverHandle>>> = Arc::default();
        let clean = conf.get(&keys::CLEANER_REFERENCE_TRACKING)?;
        let registry = LineageRegistry::new({
            let reachability = Arc::clone(&reachability);
            move |unreachable| {
                if let Some(handle) = reachability.lock().as_ref().filter(|_| clean) {
                    handle.remove(match unreachable {
                        Unreachable::Shuffle(shuffle_id) => Removal::Shuffle(shuffle_id),
                        Unreachable::Rdd(rdd_id) => Removal::Rdd(rdd_id),
                    });
                }
            }
        });
        let console = ConsoleOptions {
            show_progress: conf.get(&keys::UI_SHOW_CONSOLE_PROGRESS)?,
            update_interval: conf.get(&keys::UI_CONSOLE_PROGRESS_UPDATE_INTERVAL)?,
            lines: true,
        };
        for warning in conf.review(&url) {
            warn!("{warning}");
        }
        if let Some(warning) = conf.overridden_local_dirs(|name| env::var_os(name)) {
            warn!("{warning}");
        }
        for warning in pools.warnings.iter().chain(&custom_resources.warnings) {
            warn!("{warning}");
        }
        event_log::start(&conf, &app_id, listeners.bus())?;
        listeners.start(
            &StartFacts {
                app_name: app_name.clone(),
                app_id: app_id.clone(),
                master: master.clone(),
                cores: Some(threads),
                memory: executor_memory,
                local_dirs: local_dirs.directories().to_vec(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ui: None,
            },
            &console,
        );
        let sink = Arc::new(BusSink::new(listeners.bus()));
        let environment = event_log::environment_update(&conf, &app_id, &app_name, &master)?;
        if conf.get(&keys::LOG_CONF)? {
            listeners.print_conf(&environment);
        }
        sink.post(profile);
        sink.post(environment);
        sink.post(ListenerEvent::ApplicationStart {
            app_name: app_name.clone(),
            app_id: app_id.clone(),
            time_ms: millis as i64,
            user: user(),
        });
        let blocks = LocalBlockManagerMaster::new(
            BlockMaster::new(BlockMasterOptions {
                proactive_replication: conf.get(&keys::STORAGE_REPLICATION_PROACTIVE)?,
            }),
            millis as u64,
        );
        let files = Arc::new(application_files::of_driver(&conf, &local_dirs)?);
        let host = "localhost".to_owned();
        let stages = Arc::new(Stages(Arc::clone(&registry)));
        let sink_for_loop = Arc::clone(&sink) as Arc<dyn EventSink>;
        let mut started = None;
        let mut driver_storage = None;
        let blocks_for_loop = Arc::clone(&blocks);
        let driver = Driver::start(options, stages, sink_for_loop, blocks_for_loop, |handle| match &cluster {
            None => {
                application_files::add_configured(&conf, &files, None)?;
                let link: Arc<dyn DriverLink> = Arc::new(LocalLink::new(handle));
                let executor_id = ExecutorId::driver();
                // Nobody outside this process is ever asked, or asks.
                let shuffle = Arc::new(ExecutorShuffle::new(
                    app_id.clone(),
                    executor_id.clone(),
                    Arc::clone(&local_dirs),
                    Secret::generate(),
                    shuffle_options,
                ));
                let place = StoragePlace {
                    block_manager_id: BlockManagerId { executor_id, host: host.clone(), port: 0 },
                    memory: Arc::clone(&memory),
                    local_dirs: Arc::clone(&local_dirs),
                };
                let storage =
                    ExecutorStorage::local(place, storage_options, Arc::clone(&blocks), Arc::clone(&link), &shuffle);
                driver_storage = Some(storage.clone());
                let environment = Environment::new(
                    link,
                    Arc::default(),
                    Arc::clone(&local_dirs),
                    shuffle,
                    storage,
                    environment_options,
                )
                .with_files(Arc::clone(files.store()));
                let executor = Executor::new(Arc::new(environment), Arc::new(RustTaskRunner), threads as usize);
                if let Some(options) = reaper {
                    let unstoppable =
                        |message: &str| error!("{message}; the process goes on, as it is the driver too in local mode");
                    let watched = executor.watch_killed_tasks(options, unstoppable);
                    watched
                        .map_err(|error| configuration(&format!("no thread for spark.task.reaper.enabled: {error}")))?;
                }
                Ok::<_, SparkError>(LocalBackend::start(handle, executor, &host, threads) as Arc<dyn SchedulerBackend>)
            }
            Some(cluster) => {
                let parts = ClusterParts {
                    conf: &conf,
                    driver: handle,
                    application_id: &app_id,
                    local_dirs: &local_dirs,
                    memory: &memory,
                    blocks: &blocks,
                    storage: storage_options,
                    files: &files,
                };
                let (backend, storage) = cluster.start(parts)?;
                let [on_heap, off_heap] =
                    [MemoryMode::OnHeap, MemoryMode::OffHeap].map(|mode| memory.usage(mode).capacity.bytes());
                sink.post(ListenerEvent::BlockManagerAdded {
                    time_ms: millis as i64,
                    block_manager_id: storage.blocks().id().clone(),
                    maximum_memory: on_heap + off_heap,
                    maximum_on_heap_memory: on_heap,
                    maximum_off_heap_memory: off_heap,
                });
                driver_storage = Some(storage);
                started = Some(Arc::clone(&backend));
                Ok(backend as Arc<dyn SchedulerBackend>)
            }
        })?;
        let handle = driver.handle().clone();
        *reachability.lock() = Some(handle.clone());
        application_files::set_root_directory(Some(files.store().root_directory()));
        let metrics = DriverMetrics::start(&conf, &memory, Arc::clone(&sink) as Arc<dyn EventSink>)?;
        unless_started.0 = None;
        Ok(Self {
            conf,
            master,
            app_name,
            app_id,
            default_parallelism: conf_parallelism.unwrap_or(if cluster_mode { threads.max(2) } else { threads }),
            resources: resources.into_iter().map(|resource| (resource.name.clone(), resource)).collect(),
            resource_profiles: ResourceProfiles::new(profile_limits),
            handle,
            driver: Mutex::new(Some(driver)),
            metrics: Mutex::new(metrics),
            registry,
            checkpoint_directory: Mutex::default(),
            hadoop: Mutex::default(),
            blocks,
            storage: driver_storage.expect("the backend was made, and the storage before it"),
            listeners,
            sink,
            cluster: cluster.zip(started),
            files,
            local_dirs,
            requested_executors: Mutex::default(),
            stopped_at: Mutex::new(None),
        })
    }

    fn stop(&self, location: &str, exit_code: Option<i32>) {
        self.stop_and(EndLine::Now, location, exit_code);
    }

    fn stop_and(&self, end: EndLine, location: &str, exit_code: Option<i32>) {
        let _stopping = STOPPING.lock();
        {
            let mut stopped_at = self.stopped_at.lock();
            if stopped_at.is_some() {
                return;
            }
            *stopped_at = Some(location.to_owned());
        }
        drop(self.metrics.lock().take());
        if let Some(mut driver) = self.driver.lock().take() {
            driver.stop();
        }
        // Only now does nobody post any more: what the jobs had under way ends before the application does.
        let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        self.sink.post(ListenerEvent::ApplicationEnd { time_ms, exit_code });
        if let Some((cluster, backend)) = &self.cluster {
            backend.stop();
            cluster.stop_serving();
        }
        self.listeners.stop(end);
        // Not left to the last owner: after a signal the process ends without dropping anything.
        self.local_dirs.remove();
        application_files::set_root_directory(None);
        *ACTIVE.lock() = Weak::new();
        *CREATED_AT.lock() = None;
    }
}

/// The id of an application without a cluster manager that gives one. Spark has milliseconds in it, of which a script can start
/// several applications in one; and in one process no two have the same, even if its clock stands still or is set back.
fn local_application_id(now_micros: u64) -> ApplicationId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let next = |last: u64| now_micros.max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    ApplicationId::new(format!("local-{}", next(last.unwrap_or_else(|last| last))))
}

/// Is there a context in this process that has not stopped, or one that is being started?
pub(crate) fn is_active() -> bool {
    ACTIVE.lock().strong_count() > 0 || *STARTING.lock()
}

/// See [`SparkContext::spark_user`].
fn user() -> String {
    let variable = |name: &str| std::env::var(name).ok();
    let user = variable("SPARK_USER").filter(|user| !user.is_empty()).or_else(|| account_name(variable));
    user.unwrap_or_else(|| "unknown".to_owned())
}

/// Stops the context of this process, which ends: it has stopped when this returns, whoever has stopped it. One whose start takes
/// too long has no directories any more. The exit code is the application's, if it is known.
pub(crate) fn stop_active(location: &str, exit_code: Option<i32>) {
    Starting::wait_for_end();
    let active = ACTIVE.lock().upgrade();
    match active {
        Some(inner) => inner.stop(location, exit_code),
        // Its last handle is gone, but it may be stopping for that very reason.
        None => drop(STOPPING.lock()),
    }
    firesteel_local_dirs::remove_for_good();
}

impl Announce for Inner {
    fn to_scheduler(&self, event: Event) {
        self.handle.event(event);
    }

    fn to_listeners(&self, event: ListenerEvent) {
        self.sink.post(event);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop_and(EndLine::WithExitCode, "the end of the last SparkContext handle", None);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn applications_that_start_in_the_same_microsecond_have_different_ids() {
        let started = || (0..1000).map(|_| local_application_id(1_795_298_834_510_142)).collect::<Vec<_>>();
        let ids: BTreeSet<ApplicationId> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(started)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 4000);
        // The clock was set back.
        assert!(!ids.contains(&local_application_id(1)));
    }
}
