//! The life of an executor process.

use std::{
    env, io,
    io::Read,
    process,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use firesteel_executor::{DriverLink, Executor};
use firesteel_messages::{DriverMessage, ExecutorLaunch, ExecutorMessage, RegisterExecutor};
use firesteel_model::{ByteCount, ResourceInformation};
use firesteel_rpc::{Address, Options, Receiver, Secret, connect};
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

use crate::{ExecutorExitCode, RpcLink, link::forward, memory_watch};

/// Set in the environment of a process that is to be an executor.
pub const LAUNCH_VARIABLE: &str = "FIRESTEEL_EXECUTOR";

/// Is this process to be an executor?
pub fn is_executor() -> bool {
    env::var_os(LAUNCH_VARIABLE).is_some()
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
    /// The most that may be resident.
    pub memory_limit: ByteCount,
}

/// An executor process before it has its parts.
pub struct ExecutorProcess {
    launch: ExecutorLaunch,
    runtime: Runtime,
    link: Arc<RpcLink>,
    queue: tokio::sync::mpsc::UnboundedReceiver<DriverMessage>,
}

impl ExecutorProcess {
    /// Ties the process's life to its parent's and starts what its connection needs.
    pub fn new(launch: ExecutorLaunch) -> io::Result<Self> {
        // Beside the connection's end: a process that hangs before it has one must not stay either.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("executor-backend")
            .enable_io()
            .enable_time()
            .build()?;
        let (link, queue) = RpcLink::new();
        Ok(Self { launch, runtime, link: Arc::new(link), queue })
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
        let Self { launch, runtime, link, queue } = self;
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
                return ExecutorExitCode::General;
            }
        };
        let (sender, receiver) = connection.split();
        let closing = sender.clone();
        runtime.spawn(forward(queue, sender));
        link.tell(DriverMessage::Register(RegisterExecutor {
            executor_id: launch.executor_id.clone(),
            host: launch.host.clone(),
            block_port: parts.block_port,
            cores: launch.cores,
            on_heap_memory: parts.on_heap_memory.bytes(),
            off_heap_memory: parts.off_heap_memory.bytes(),
            resources: parts.resources.clone(),
            build_id: parts.build_id,
            pid: process::id(),
        }));
        if let Err(error) = watch_memory(&parts, &link, &closing, &runtime) {
            warn!(%error, "the process's memory is not watched");
        }
        let exit = runtime.block_on(receive(receiver, &parts.executor, &link, parts.heartbeat_interval));
        info!(executor_id = %launch.executor_id, ?exit, "executor ends");
        exit
    }
}

/// Ends the process if it outgrows its memory, and tells the driver why.
fn watch_memory(
    parts: &ExecutorParts,
    link: &Arc<RpcLink>,
    closing: &firesteel_rpc::Sender<DriverMessage>,
    runtime: &Runtime,
) -> io::Result<()> {
    let (limit, link, closing, handle) =
        (parts.memory_limit, Arc::clone(link), closing.clone(), runtime.handle().clone());
    let executor = parts.executor.clone();
    memory_watch::start(limit, move |resident| {
        let exit = ExecutorExitCode::OutOfMemory;
        let tasks: Vec<String> =
            executor.heartbeat().tasks.iter().map(|(task, stage, _)| format!("TID {task} (stage {stage})")).collect();
        let reason = format!(
            "the process held {resident}, more than the {limit} of spark.executor.memory and its overhead, while it ran {}",
            if tasks.is_empty() { "no task".to_owned() } else { tasks.join(", ") }
        );
        eprintln!("executor out of memory: {reason}");
        link.tell(DriverMessage::Exiting { exit_code: exit.code(), reason });
        // The news should arrive, but the memory must go: a moment is all it gets.
        handle.block_on(async {
            let _ = tokio::time::timeout(FAREWELL_TIME_OUT, async {
                // Lets the forwarding task take the message first.
                tokio::task::yield_now().await;
                closing.close().await
            })
            .await;
        });
        process::exit(exit.code());
    })
}

/// How long the news of the end may take to leave.
const FAREWELL_TIME_OUT: Duration = Duration::from_millis(500);

async fn receive(
    mut receiver: Receiver<ExecutorMessage>,
    executor: &Executor,
    link: &Arc<RpcLink>,
    heartbeat_interval: Duration,
) -> ExecutorExitCode {
    let registered = OnceLock::new();
    loop {
        let message = match receiver.receive().await {
            Ok(Some(message)) => message,
            Ok(None) => {
                warn!("the driver has closed the connection");
                return ExecutorExitCode::General;
            }
            Err(error) => {
                warn!(%error, "the driver is gone");
                return ExecutorExitCode::General;
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
                return ExecutorExitCode::General;
            }
            ExecutorMessage::Stop => {
                executor.stop("the application has ended");
                return ExecutorExitCode::Success;
            }
            message => executor.handle(message),
        }
    }
}

fn start_heartbeats(executor: Executor, link: Arc<RpcLink>, interval: Duration) {
    let started = thread::Builder::new().name("executor-heartbeater".to_owned()).spawn(move || {
        loop {
            link.tell(DriverMessage::Heartbeat(executor.heartbeat()));
            thread::sleep(interval);
        }
    });
    if let Err(error) = started {
        warn!(%error, "no heartbeats: the driver will give this executor up");
    }
}
