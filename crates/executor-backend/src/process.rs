//! The life of an executor process.

use std::{
    env,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    io::Read,
    path::PathBuf,
    process,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use firesteel_executor::{DriverLink, Environment, Executor, ReaperOptions};
use firesteel_executor_process::{LAUNCH_ARGUMENT, LAUNCH_VARIABLE};
use firesteel_memory::ResidentLimits;
use firesteel_messages::{DriverMessage, ExecutorLaunch, ExecutorMessage, RegisterExecutor};
use firesteel_model::{ByteCount, ResourceInformation};
use firesteel_rpc::{Address, Options, Receiver, Secret, check_threads, connect};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Notify,
};
use tracing::{info, warn};

use crate::{ExecutorExitCode, RpcLink, driver_process::DriverProcess, link::forward, memory_watch};

/// Is this process to be an executor?
pub fn is_executor() -> bool {
    env::var_os(LAUNCH_VARIABLE).is_some() && env::args_os().nth(1).is_some_and(|argument| argument == LAUNCH_ARGUMENT)
}

/// What the process was started with cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadLaunchError {
    /// Standard input.
    #[error("could not read the executor's launch data from standard input")]
    Read(#[from] io::Error),
    /// Its content.
    #[error(
        "standard input holds no launch data for an executor ({LAUNCH_VARIABLE} is set, but nobody who starts executors started this process): {0}"
    )]
    Decode(String),
}

/// Reads what the process was started with.
pub fn read_launch() -> Result<ExecutorLaunch, ReadLaunchError> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(|error| ReadLaunchError::Decode(error.to_string()))
}

/// What the process is made of, made by whoever knows the application's kind.
pub struct ExecutorParts {
    /// Runs the tasks.
    pub executor: Executor,
    /// Where this process serves blocks.
    pub block_port: u16,
    /// Storage memory on heap.
    pub on_heap_memory: ByteCount,
    /// Storage memory off heap.
    pub off_heap_memory: ByteCount,
    /// Custom resources.
    pub resources: Vec<ResourceInformation>,
    /// The hash of this binary.
    pub build_id: [u8; 32],
    /// `spark.executor.heartbeatInterval`.
    pub heartbeat_interval: Duration,
    /// How much may be resident.
    pub memory_limits: ResidentLimits,
    /// How killed tasks are watched, if they are.
    pub reaper: Option<ReaperOptions>,
}

/// An executor process before it has its parts.
pub struct ExecutorProcess {
    launch: ExecutorLaunch,
    driver: Option<DriverProcess>,
    runtime: Runtime,
    link: Arc<RpcLink>,
    queue: tokio::sync::mpsc::UnboundedReceiver<DriverMessage>,
}

impl ExecutorProcess {
    /// Ties the process's life to its parent's and starts what its connection needs.
    pub fn new(launch: ExecutorLaunch) -> io::Result<Self> {
        // The watch and the runtime.
        check_threads(2)?;
        // Beside the connection's end: a process that hangs before it has one must not stay either.
        let driver = DriverProcess::watch(launch.driver_directories.iter().map(PathBuf::from).collect())?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("executor-backend")
            .enable_io()
            .enable_time()
            .build()?;
        let (link, queue) = RpcLink::new();
        Ok(Self { launch, driver, runtime, link: Arc::new(link), queue })
    }

    /// What it was started with.
    pub fn launch(&self) -> &ExecutorLaunch {
        &self.launch
    }

    /// The way to the driver.
    pub fn link(&self) -> Arc<RpcLink> {
        Arc::clone(&self.link)
    }

    /// Registers, runs tasks until the driver says stop or is gone, and says how the process is to end.
    pub fn run(self, secret: &Secret, options: &Options, parts: ExecutorParts) -> ExecutorExitCode {
        let Self { launch, driver, runtime, link, queue } = self;
        let address: Address = match launch.driver_address.parse() {
            Ok(address) => address,
            Err(error) => {
                warn!(%error, "the driver's address cannot be used");
                return ExecutorExitCode::General;
            }
        };
        let connection = match runtime.block_on(connect::<ExecutorMessage, DriverMessage>(&address, secret, options)) {
            Ok(connection) => connection,
            Err(error) => {
                warn!(%error, driver = launch.driver_address, "could not connect to the driver");
                driver.iter().for_each(DriverProcess::end_with);
                return ExecutorExitCode::General;
            }
        };
        let (sender, receiver) = connection.split();
        let closing = sender.clone();
        let environment = Arc::clone(parts.executor.environment());
        runtime.spawn(forward(queue, sender, move |number, answer| environment.questions().answered(number, answer)));
        link.tell(DriverMessage::Register(RegisterExecutor {
            executor_id: launch.executor_id.clone(),
            host: launch.host.clone(),
            block_port: parts.block_port,
            local_directories: local_directories(parts.executor.environment()),
            cores: launch.cores,
            on_heap_memory: parts.on_heap_memory.bytes(),
            off_heap_memory: parts.off_heap_memory.bytes(),
            resources: parts.resources.clone(),
            version: firesteel_messages::VERSION.to_owned(),
            build_id: parts.build_id,
            pid: process::id(),
        }));
        let taken = Arc::<Notify>::default();
        let farewell = Farewell { connection: closing, runtime: runtime.handle().clone(), taken: Arc::clone(&taken) };
        if let Err(error) = watch_memory(&parts, farewell.clone()) {
            warn!(%error, "the process's memory is not watched");
        }
        if let Some(options) = parts.reaper {
            let unstoppable =
                move |reason: &str| farewell.leave(ExecutorExitCode::UncaughtException, reason.to_owned());
            if let Err(error) = parts.executor.watch_killed_tasks(options, unstoppable) {
                warn!(%error, "killed tasks are not watched (spark.task.reaper.enabled)");
            }
        }
        let end = runtime.block_on(receive(receiver, &parts.executor, &link, parts.heartbeat_interval, &taken));
        let exit = end.unwrap_or_else(|LostConnection| {
            driver.iter().for_each(DriverProcess::end_with);
            ExecutorExitCode::General
        });
        info!(executor_id = %launch.executor_id, ?exit, "executor ends");
        exit
    }
}

/// What others on this host need to read shuffle files. Without the ones that have no name in Unicode none is told: the
/// place of a file depends on all of them.
fn local_directories(environment: &Environment) -> Vec<String> {
    let directories = environment.local_dirs().directories().iter();
    directories.map(|path| path.to_str().map(str::to_owned)).collect::<Option<_>>().unwrap_or_default()
}

/// Ends the process by itself, and tells the driver why.
#[derive(Clone)]
struct Farewell {
    connection: firesteel_rpc::Sender<DriverMessage>,
    runtime: Handle,
    /// The driver knows.
    taken: Arc<Notify>,
}

impl Farewell {
    fn leave(&self, exit: ExecutorExitCode, reason: String) -> ! {
        eprintln!("the executor ends: {reason}");
        // The news should arrive, but what is wrong must end: a moment is all it gets. It goes past what is queued.
        self.runtime.block_on(async {
            let farewell = DriverMessage::Exiting { exit_code: exit.code(), reason };
            let _ = tokio::time::timeout(FAREWELL_TIME_OUT, async {
                if self.connection.send(&farewell).await.is_ok() {
                    self.taken.notified().await;
                }
            })
            .await;
        });
        process::exit(exit.code());
    }
}

/// Ends the process if it outgrows its memory, and tells the driver why.
fn watch_memory(parts: &ExecutorParts, farewell: Farewell) -> io::Result<()> {
    let (limits, executor) = (parts.memory_limits, parts.executor.clone());
    let environment = Arc::clone(executor.environment());
    memory_watch::start(limits, environment, move |resident| {
        let tasks: Vec<String> = executor
            .heartbeat()
            .tasks
            .iter()
            .map(|task| format!("TID {} (stage {})", task.task_id, task.stage))
            .collect();
        let reason = format!(
            "the process held {resident}, more than the {} of spark.executor.memory and its overhead, while it ran {}",
            limits.limit,
            if tasks.is_empty() { "no task".to_owned() } else { tasks.join(", ") }
        );
        farewell.leave(ExecutorExitCode::OutOfMemory, reason);
    })
}

/// How long the news of the end may take to be known to the driver.
const FAREWELL_TIME_OUT: Duration = Duration::from_millis(500);

/// The driver has said nothing that would explain it.
struct LostConnection;

async fn receive(
    mut receiver: Receiver<ExecutorMessage>,
    executor: &Executor,
    link: &Arc<RpcLink>,
    heartbeat_interval: Duration,
    farewell_taken: &Notify,
) -> Result<ExecutorExitCode, LostConnection> {
    let registered = OnceLock::new();
    loop {
        let message = match receiver.receive().await {
            Ok(Some(message)) => message,
            Ok(None) => {
                warn!("the driver has closed the connection");
                return Err(LostConnection);
            }
            Err(error) => {
                warn!(%error, "the driver is gone");
                return Err(LostConnection);
            }
        };
        match message {
            ExecutorMessage::Registered => {
                if registered.set(()).is_ok() {
                    info!("registered with the driver");
                    start_heartbeats(executor.clone(), Arc::clone(link), heartbeat_interval);
                }
            }
            ExecutorMessage::Refused(reason) => {
                eprintln!("the driver refused this executor: {reason}");
                return Ok(ExecutorExitCode::General);
            }
            ExecutorMessage::ReRegister => {
                warn!("the driver has given this executor up");
                return Ok(ExecutorExitCode::General);
            }
            ExecutorMessage::Stop => {
                executor.stop("the application has ended");
                return Ok(ExecutorExitCode::Success);
            }
            ExecutorMessage::FarewellTaken => farewell_taken.notify_one(),
            message => executor.handle(message),
        }
    }
}

fn start_heartbeats(executor: Executor, link: Arc<RpcLink>, interval: Duration) {
    let started = thread::Builder::new().name("executor-heartbeater".to_owned()).spawn(move || {
        thread::sleep(first_heartbeat(interval, RandomState::new().build_hasher().finish()));
        loop {
            link.tell(DriverMessage::Heartbeat(executor.heartbeat()));
            thread::sleep(interval);
        }
    });
    if let Err(error) = started {
        warn!(%error, "no heartbeats: the driver will give this executor up");
    }
}

/// When the first heartbeat is due. Executors that register together, as at start, do not all report together ever after.
fn first_heartbeat(interval: Duration, chance: u64) -> Duration {
    interval.mul_f64(chance as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_heartbeats_are_spread_over_one_interval() {
        let interval = Duration::from_secs(10);
        let due = |chance| first_heartbeat(interval, chance).as_millis();
        assert_eq!([due(0), due(u64::MAX / 4), due(u64::MAX / 2), due(u64::MAX)], [0, 2500, 5000, 10_000]);
    }
}
