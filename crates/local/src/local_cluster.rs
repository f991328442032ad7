//! `local-cluster[n,c,m]`: executors that are processes of their own on this machine (SS-44).
//!
//! A small cluster manager for trying out what only processes show: n workers of c cores and m MiB, each of which runs as
//! many executors as fit and the application wants. An executor that ends is replaced until ten in a row have ended without registering and none
//! runs, as Spark's standalone master has it. One thread watches each place for an executor.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use firesteel_executor_process::{ExecutorProcess, ExecutorStart, exit_reason, last_lines, oom_kills};
use firesteel_messages::ExecutorLaunch;
use firesteel_model::{ApplicationId, ByteCount, ExecutorId, ExecutorLossReason};
use firesteel_scheduler::LostOutputs;
use firesteel_scheduler_backend::{ClusterManager, ExecutorExit, ExecutorRequest, ManagerEvents};
use parking_lot::{Condvar, Mutex};
use rustix::process::Pid;
use tracing::{info, warn};

/// How the executors are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalClusterLayout {
    /// How many executors there are; not 0.
    pub executors: u32,
    /// How many cores they have together, shared as evenly as can be: the first ones have one more.
    pub cores: u32,
}

/// More executors are refused: each is a process of some ten threads, and a thread and some open files of the driver. A machine
/// that could bear more has better uses for them.
const MAX_EXECUTORS: u32 = 1024;

impl LocalClusterLayout {
    /// As many executors as the workers have room for.
    ///
    /// `executor_cores` is `spark.executor.cores`; without it there is one executor on each worker, and cores are dealt to
    /// them in turn until all of the workers, or as many as `cores_max` allows, are taken, as Spark's standalone master has it.
    /// `cores_max` is `spark.cores.max`.
    ///
    /// # Errors
    ///
    /// The first limit that not even one executor keeps, or that all of them together exceed.
    pub fn new(
        workers: u32,
        worker_cores: u32,
        worker_memory: ByteCount,
        executor_cores: Option<u32>,
        executor_memory: ByteCount,
        cores_max: Option<u32>,
    ) -> Result<Self, LayoutError> {
        let by_memory = worker_memory.bytes() / executor_memory.bytes().max(1);
        if by_memory == 0 {
            return Err(LayoutError::Memory { executor: executor_memory, worker: worker_memory });
        }
        let most = cores_max.map_or(u64::MAX, u64::from);
        let (executors, cores) = match executor_cores.map(|cores| cores.max(1)) {
            Some(each) => {
                let by_cores = worker_cores / each;
                if by_cores == 0 {
                    return Err(LayoutError::Cores { executor: each, worker: worker_cores });
                }
                let room = u64::from(workers) * u64::from(by_cores).min(by_memory);
                let executors = room.min(most / u64::from(each));
                if let (0, Some(cores_max)) = (executors, cores_max) {
                    return Err(LayoutError::CoresMax { executor: each, cores_max });
                }
                (executors, executors.saturating_mul(each.into()))
            }
            None => {
                let cores = (u64::from(workers) * u64::from(worker_cores)).min(most).max(1);
                (cores.min(workers.into()).max(1), cores)
            }
        };
        match (u32::try_from(executors), u32::try_from(cores)) {
            (Ok(executors @ ..=MAX_EXECUTORS), Ok(cores)) => Ok(Self { executors, cores }),
            (Ok(..=MAX_EXECUTORS), Err(_)) => Err(LayoutError::TooManyCores { cores }),
            _ => Err(LayoutError::TooManyExecutors { executors }),
        }
    }

    /// How many cores the executor in this place has, counted from 0.
    fn cores_of(&self, place: u32) -> u32 {
        self.cores / self.executors + u32::from(place < self.cores % self.executors)
    }
}

/// The executors do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    /// A worker has too little memory.
    #[error("an executor takes {executor} (spark.executor.memory), and a worker has {worker}")]
    Memory {
        /// What an executor takes.
        executor: ByteCount,
        /// What a worker has.
        worker: ByteCount,
    },
    /// A worker has too few cores.
    #[error("an executor takes {executor} cores (spark.executor.cores), and a worker has {worker}")]
    Cores {
        /// What an executor takes.
        executor: u32,
        /// What a worker has.
        worker: u32,
    },
    /// The application may have fewer cores than an executor.
    #[error(
        "an executor takes {executor} cores (spark.executor.cores), and the application may have {cores_max} (spark.cores.max)"
    )]
    CoresMax {
        /// What an executor takes.
        executor: u32,
        /// What all executors may take.
        cores_max: u32,
    },
    /// One machine is not to run so many processes.
    #[error(
        "there would be {executors} executors, each a process of this machine, which is to run {MAX_EXECUTORS} at most: ask for \
         fewer workers, or set spark.cores.max"
    )]
    TooManyExecutors {
        /// How many there would be.
        executors: u64,
    },
    /// They cannot be counted.
    #[error("there would be {cores} cores, and {} are the most: ask for fewer, or set spark.cores.max", u32::MAX)]
    TooManyCores {
        /// How many there would be.
        cores: u64,
    },
}

/// What is needed to start an executor process.
#[derive(Clone, Debug)]
pub struct LocalClusterOptions {
    /// How many at most, of what size.
    pub layout: LocalClusterLayout,
    /// How many the application wants at first, if fewer will do.
    pub executor_limit: Option<u32>,
    /// The application.
    pub application_id: ApplicationId,
    /// The name that executors are reached by.
    pub host: String,
    /// The application's configuration.
    pub conf: Vec<(String, String)>,
    /// `spark.executorEnv.*`.
    pub environment: Vec<(String, String)>,
    /// Scratch space, which is there: each executor gets a directory in it, which goes with the executor.
    pub scratch: PathBuf,
    /// All scratch directories of this process: executors remove them when it was killed.
    pub driver_directories: Vec<PathBuf>,
    /// Where the executors' stdout and stderr go, a directory for each.
    pub logs: PathBuf,
}

/// The cluster manager of `local-cluster`.
pub struct LocalClusterManager {
    shared: Arc<Shared>,
}

struct Shared {
    options: LocalClusterOptions,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next_id: u32,
    /// How many executors the application wants.
    wanted: u32,
    /// From before the process is started until its end has been dealt with.
    executors: BTreeMap<ExecutorId, Place>,
    /// Executors in a row that ended without having registered.
    failures_in_a_row: u32,
    /// Executors in a row that the driver did not take, as this host is excluded after failures.
    refusals_in_a_row: u32,
    gave_up: bool,
    stopped: bool,
    watchers: Vec<JoinHandle<()>>,
}

/// What is known and wanted of an executor.
#[derive(Default)]
struct Place {
    /// While there is a process. It is not reaped before this is none again, so the number is its own.
    process: Option<Pid>,
    /// Somebody wants it to end, perhaps before it was started.
    killed: bool,
    /// It is wanted no more, so its end is no failure.
    not_replaced: bool,
}

/// What this process runs, even if the file that it was started from has been replaced or removed since: an executor of another
/// binary would be refused.
const THIS_BINARY: &str = "/proc/self/exe";
/// Spark's `spark.deploy.maxExecutorRetries`.
const MAX_FAILURES_IN_A_ROW: u32 = 10;
/// How long an executor that did not register, or was refused, is waited after before the next is started; twice as long after each further one.
const FIRST_RETRY_WAIT: Duration = Duration::from_millis(5);
/// The longest such wait.
const LONGEST_RETRY_WAIT: Duration = Duration::from_secs(5);
/// How long executors get to end by themselves when the application stops.
const STOP_TIME_OUT: Duration = Duration::from_secs(5);

impl LocalClusterManager {
    /// Nothing runs before [`ClusterManager::start`].
    pub fn new(options: LocalClusterOptions) -> Arc<Self> {
        let wanted = options.executor_limit.unwrap_or(u32::MAX);
        let state = Mutex::new(State { wanted, ..State::default() });
        let shared = Shared { options, state, changed: Condvar::new() };
        Arc::new(Self { shared: Arc::new(shared) })
    }
}

impl ClusterManager for LocalClusterManager {
    fn start(&self, request: ExecutorRequest, events: ManagerEvents) {
        let mut watchers = Vec::new();
        for place in 0..self.shared.options.layout.executors {
            let (shared, request, told) = (Arc::clone(&self.shared), request.clone(), events.clone());
            let cores = shared.options.layout.cores_of(place);
            let started = thread::Builder::new()
                .name(format!("executor-watch-{place}"))
                .spawn(move || watch(&shared, cores, &request, &told));
            match started {
                Ok(watcher) => watchers.push(watcher),
                Err(error) if watchers.is_empty() => {
                    return events.give_up(&format!("no thread to start an executor with can be had: {error}"));
                }
                Err(error) => warn!(%error, "no thread to watch an executor with"),
            }
        }
        self.shared.state.lock().watchers.append(&mut watchers);
    }

    fn kill_executor(&self, executor_id: &ExecutorId, reason: &str, replace: bool) {
        let mut state = self.shared.state.lock();
        let Some(place) = state.executors.get_mut(executor_id) else { return };
        info!(%executor_id, reason, "killing executor");
        place.not_replaced |= !replace;
        place.killed = true;
        if let Some(process) = place.process {
            ExecutorProcess::kill(process);
        }
        if !replace {
            // Those that are left are all that is wanted.
            let left = state.executors.values().filter(|place| !place.killed).count() as u32;
            state.wanted = state.wanted.min(left);
        }
    }

    fn request_total_executors(&self, total: u32) {
        self.shared.state.lock().wanted = total;
        self.shared.changed.notify_all();
    }

    fn stop(&self) {
        let deadline = Instant::now() + STOP_TIME_OUT;
        let watchers = {
            let mut state = self.shared.state.lock();
            state.stopped = true;
            self.shared.changed.notify_all();
            while !state.executors.is_empty() {
                if self.shared.changed.wait_until(&mut state, deadline).timed_out() {
                    for (executor_id, process) in running(&state.executors) {
                        warn!(%executor_id, "executor did not stop in time and is killed");
                        ExecutorProcess::kill(process);
                    }
                    break;
                }
            }
            std::mem::take(&mut state.watchers)
        };
        for watcher in watchers {
            if watcher.join().is_err() {
                warn!("the thread that watched an executor had panicked");
            }
        }
    }
}

/// The processes that have not ended. Of others, only what they left behind is being removed.
fn running(executors: &BTreeMap<ExecutorId, Place>) -> impl Iterator<Item = (&ExecutorId, Pid)> {
    executors.iter().filter_map(|(executor_id, place)| Some((executor_id, place.process?)))
}

/// One place's life: an executor, and another one after it.
fn watch(shared: &Shared, cores: u32, request: &ExecutorRequest, events: &ManagerEvents) {
    loop {
        let executor_id = {
            let mut state = shared.state.lock();
            while !(state.stopped || state.gave_up) && state.executors.len() as u32 >= state.wanted {
                shared.changed.wait(&mut state);
            }
            if state.stopped || state.gave_up {
                return;
            }
            let id = ExecutorId::new(state.next_id.to_string());
            state.next_id += 1;
            state.executors.insert(id.clone(), Place::default());
            id
        };
        let logs = shared.options.logs.join(executor_id.as_str());
        events.expect(&executor_id, logs.display().to_string());
        let scratch = shared.options.scratch.join(format!("executor-{executor_id}"));
        let oom_kills = oom_kills::count();
        let launch = launch(&shared.options, request, &executor_id, cores);
        let started = start_process(&shared.options, &executor_id, &logs, &scratch);
        let reason = match started {
            Ok(process) => {
                let status = see_through(shared, &executor_id, process, &launch);
                let oom_killed = oom_kills.is_some() && oom_kills::count() > oom_kills;
                exit_reason(status, &last_lines(&logs.join("stderr")).unwrap_or_default(), oom_killed)
            }
            Err(error) => {
                let detail = format!("its process could not be started: {error}");
                ExecutorLossReason::Exited { exit_code: None, signal: None, caused_by_app: false, detail }
            }
        };
        // It may not be there if the executor never came so far.
        let _ = fs::remove_dir_all(&scratch);
        let again = after_exit(shared, events, &executor_id, &reason);
        events.exited(&executor_id, ExecutorExit { reason, lost_outputs: LostOutputs::OfExecutor });
        if !again {
            return;
        }
    }
}

/// Should another executor follow?
fn after_exit(shared: &Shared, events: &ManagerEvents, executor_id: &ExecutorId, reason: &ExecutorLossReason) -> bool {
    let (registered, refused) = (events.has_registered(executor_id), events.was_refused(executor_id));
    let mut state = shared.state.lock();
    let place = state.executors.remove(executor_id).unwrap_or_default();
    shared.changed.notify_all();
    if state.stopped || state.gave_up {
        return false;
    }
    if place.not_replaced {
        return true;
    }
    // One that is refused could start and connect: nothing is wrong but the time.
    state.failures_in_a_row = if registered || refused { 0 } else { state.failures_in_a_row + 1 };
    state.refusals_in_a_row = if refused { state.refusals_in_a_row + 1 } else { 0 };
    let refusals = state.refusals_in_a_row;
    let (failures, others): (u32, Vec<ExecutorId>) =
        (state.failures_in_a_row, state.executors.keys().cloned().collect());
    drop(state);
    if failures < MAX_FAILURES_IN_A_ROW {
        return wait_to_start_again(shared, failures + refusals);
    }
    // As long as one works, the application can end well (RT-11).
    if others.iter().any(|other| events.has_registered(other)) {
        warn!("{failures} executors in a row ended before they had registered; the last one {reason}");
        return wait_to_start_again(shared, failures);
    }
    shared.state.lock().gave_up = true;
    shared.changed.notify_all();
    events.give_up(&format!(
        "{failures} executors in a row ended before they had registered with the driver, and no other runs; the last one {reason}"
    ));
    false
}

/// Waits the longer the more have failed; false if none is to be started any more.
fn wait_to_start_again(shared: &Shared, failures: u32) -> bool {
    let mut state = shared.state.lock();
    if failures > 0 {
        let deadline = Instant::now() + FIRST_RETRY_WAIT.saturating_mul(1 << failures.min(16)).min(LONGEST_RETRY_WAIT);
        while !(state.stopped || state.gave_up || shared.changed.wait_until(&mut state, deadline).timed_out()) {}
    }
    !(state.stopped || state.gave_up)
}

/// What an executor is told on its standard input.
fn launch(
    options: &LocalClusterOptions,
    request: &ExecutorRequest,
    executor_id: &ExecutorId,
    cores: u32,
) -> ExecutorLaunch {
    let text = |path: &Path| path.to_str().map(str::to_owned);
    ExecutorLaunch {
        application_id: options.application_id.clone(),
        executor_id: executor_id.clone(),
        driver_address: request.driver_address.clone(),
        host: options.host.clone(),
        cores,
        secret: request.secret.expose().to_owned(),
        io_encryption_key: request.io_encryption.as_ref().map(|encryption| encryption.expose().to_vec()),
        conf: options.conf.clone(),
        // On this machine all executors share the driver's scratch space.
        files_cache: text(&options.scratch.join("fetch-cache")),
        driver_directories: options.driver_directories.iter().filter_map(|path| text(path)).collect(),
    }
}

fn start_process(
    options: &LocalClusterOptions,
    executor_id: &ExecutorId,
    logs: &Path,
    scratch: &Path,
) -> io::Result<ExecutorProcess> {
    let could_not_make = |directory: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("could not make {}: {error}", directory.display()))
    };
    // Not the scratch space itself, nor what is in it: it is gone when the application is being ended, and must not come again.
    fs::create_dir(scratch).map_err(|error| could_not_make(scratch, error))?;
    let made = if logs.starts_with(&options.scratch) { fs::create_dir(logs) } else { fs::create_dir_all(logs) };
    made.map_err(|error| could_not_make(logs, error))?;
    let name = env::current_exe().unwrap_or_else(|_| THIS_BINARY.into());
    ExecutorStart {
        program: Path::new(THIS_BINARY),
        name: name.as_os_str(),
        application_id: &options.application_id,
        executor_id,
        environment: &options.environment,
        removed: &[],
        scratch: &[scratch.to_owned()],
        stdout: File::create(logs.join("stdout"))?.into(),
        stderr: File::create(logs.join("stderr"))?.into(),
    }
    .start()
}

/// Gives the process its launch data and waits for its end.
fn see_through(
    shared: &Shared,
    executor_id: &ExecutorId,
    mut process: ExecutorProcess,
    launch: &ExecutorLaunch,
) -> io::Result<ExitStatus> {
    let pid = process.pid();
    {
        let mut state = shared.state.lock();
        let stopped = state.stopped;
        let place = state.executors.entry(executor_id.clone()).or_default();
        place.process = Some(pid);
        // Started while somebody wanted it to end: nobody has told it so.
        if stopped || place.killed {
            ExecutorProcess::kill(pid);
        }
    }
    if let Err(error) = process.tell(launch) {
        // The process tells more by its exit status than this does.
        warn!(%executor_id, %error, "executor did not take its launch data");
    }
    // Not reaped yet, so that its number is not another's while `kill` may use it.
    process.wait();
    if let Some(place) = shared.state.lock().executors.get_mut(executor_id) {
        place.process = None;
    }
    process.reap().map(|reaped| reaped.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_are_laid_out_as_they_fit() {
        let gib = ByteCount::gib;
        let layout = |workers, cores, memory, executor_cores, executor_memory, max| {
            LocalClusterLayout::new(workers, cores, gib(memory), executor_cores, gib(executor_memory), max)
                .map(|layout| (0..layout.executors).map(|place| layout.cores_of(place)).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        let of = |cores: &[u32]| Ok(cores.to_vec());
        assert_eq!(layout(2, 1, 1, None, 1, None), of(&[1, 1]));
        assert_eq!(layout(2, 4, 4, None, 1, None), of(&[4, 4]));
        assert_eq!(layout(2, 4, 4, Some(1), 1, None), of(&[1; 8]));
        assert_eq!(layout(2, 4, 2, Some(1), 1, None), of(&[1; 4]));
        assert_eq!(layout(u32::MAX, 2, 2, Some(1), 1, Some(4)), of(&[1; 4]), "more than can be counted");
        let refused = |why: &str| Err(why.to_owned());
        let memory = "an executor takes 2.0 GiB (spark.executor.memory), and a worker has 1024.0 MiB";
        assert_eq!(layout(1, 1, 1, None, 2, None), refused(memory));
        let cores = "an executor takes 3 cores (spark.executor.cores), and a worker has 2";
        assert_eq!(layout(1, 2, 4, Some(3), 1, None), refused(cores));
        let cores_max =
            "an executor takes 2 cores (spark.executor.cores), and the application may have 1 (spark.cores.max)";
        assert_eq!(layout(1, 2, 1, Some(2), 1, Some(1)), refused(cores_max));
    }

    #[test]
    fn without_a_size_of_executors_those_of_all_workers_share_the_cores_that_the_application_may_have() {
        let layout = |workers, cores, max| {
            let layout = LocalClusterLayout::new(workers, cores, ByteCount::gib(1), None, ByteCount::gib(1), Some(max));
            let layout = layout.unwrap();
            (0..layout.executors).map(|place| layout.cores_of(place)).collect::<Vec<_>>()
        };
        assert_eq!(layout(2, 2, 1), [1]);
        assert_eq!(layout(2, 2, 2), [1, 1]);
        assert_eq!(layout(2, 2, 3), [2, 1]);
        assert_eq!(layout(2, 2, 9), [2, 2]);
        assert_eq!(layout(3, 2, 4), [2, 1, 1]);
        assert_eq!(layout(u32::MAX, 1, 3), [1, 1, 1]);
    }

    #[test]
    fn more_executors_or_cores_than_can_be_are_refused() {
        let refused = |workers, cores| {
            let gib = ByteCount::gib(1);
            LocalClusterLayout::new(workers, cores, gib, None, gib, None).unwrap_err()
        };
        assert_eq!(refused(3_000_000_000, 1), LayoutError::TooManyExecutors { executors: 3_000_000_000 });
        assert_eq!(refused(1025, 1), LayoutError::TooManyExecutors { executors: 1025 });
        assert_eq!(refused(2, u32::MAX), LayoutError::TooManyCores { cores: 2 * u64::from(u32::MAX) });
        let message = refused(u32::MAX, u32::MAX).to_string();
        assert!(
            message.contains("there would be 4294967295 executors") && message.contains("fewer workers"),
            "{message}"
        );
    }

    #[test]
    fn an_executor_whose_process_has_ended_is_not_killed_at_the_end() {
        let place = |process| Place { process, ..Place::default() };
        let own = Pid::from_raw(77);
        let executors = BTreeMap::from([(ExecutorId::from("0"), place(None)), (ExecutorId::from("1"), place(own))]);
        let running: Vec<_> = running(&executors).map(|(id, process)| (id.as_str(), process)).collect();
        assert_eq!(running, [("1", own.unwrap())]);
    }
}
