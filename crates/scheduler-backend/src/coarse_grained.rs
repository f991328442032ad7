//! One connection to each executor process.

use std::{io, num::NonZeroUsize, sync::Arc, time::Duration};

use firesteel_driver::{DriverHandle, PublishedBytes, Registration, ResultFetch, SchedulerBackend, StartingExecutors};
use firesteel_io_encryption::IoEncryption;
use firesteel_messages::{Answer, DriverMessage, ExecutorMessage, RegisterExecutor};
use firesteel_model::{BlockManagerId, ByteCount, ExecutorId, ExecutorInfo, ExecutorLossReason, ResourceProfileId};
use firesteel_rpc::{
    Address, Connection, Listener, Options, Ports, Receiver, Secret, SendError, Sender, check_threads,
};
use firesteel_scheduler::{ExecutorRegistration, LostOutputs};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use tracing::{debug, info, warn};

use crate::{
    ClusterManager, ExecutorRequest, FetchBlock, ManagerEvents, connections::Connections, result_getter::ResultGetter,
};

/// How the driver listens.
#[derive(Clone, Debug)]
pub struct CoarseGrainedOptions {
    /// `spark.driver.bindAddress`: the address to listen on.
    pub bind_address: String,
    /// `spark.driver.host`: the name that executors reach it by.
    pub host: String,
    /// `spark.driver.port`, and `spark.port.maxRetries`.
    pub ports: Ports,
    /// Of the connections.
    pub rpc: Options,
    /// The binary that executors must run.
    pub build_id: [u8; 32],
    /// What the application's local files are encrypted with, if they are: `spark.io.encryption.enabled`.
    pub io_encryption: Option<IoEncryption>,
}

/// The backend could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartBackendError {
    /// No thread.
    #[error("could not start the threads of the driver's endpoint")]
    Threads(#[source] io::Error),
    /// The address cannot be listened on.
    #[error(
        "the driver cannot listen for executors on {address}, {ports} (spark.driver.bindAddress, spark.driver.port)"
    )]
    Bind {
        /// The address.
        address: String,
        /// The ports that were tried.
        ports: Ports,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes bytes a broadcast value. The error is for people.
pub type PublishBytes = Arc<dyn Fn(&[u8]) -> Result<PublishedBytes, String> + Send + Sync>;

/// What goes between the driver and executors beside messages.
#[derive(Clone)]
pub struct DataPlane {
    /// From an executor.
    pub fetch_block: FetchBlock,
    /// To executors.
    pub publish: PublishBytes,
}

/// Executors that are processes, started by a cluster manager.
pub struct CoarseGrainedSchedulerBackend {
    connections: Arc<Connections>,
    manager: Arc<dyn ClusterManager>,
    runtime: parking_lot::Mutex<Option<Runtime>>,
    results: ResultGetter,
    publish: PublishBytes,
}

/// A connection whose first message does not come in this time is closed.
const REGISTRATION_TIME_OUT: Duration = Duration::from_secs(30);
/// A lost connection is followed by the news of the process's end within this time, if the manager knows of it.
const EXIT_NEWS_TIME_OUT: Duration = Duration::from_secs(5);
/// How often it is looked whether the news has come.
const EXIT_NEWS_CHECK: Duration = Duration::from_millis(20);
/// One for the control plane: messages are small, and the event loop is one thread as well.
const THREADS: NonZeroUsize = NonZeroUsize::MIN;

impl CoarseGrainedSchedulerBackend {
    /// Listens, and asks the manager for executors.
    pub fn start(
        driver: &DriverHandle,
        manager: Arc<dyn ClusterManager>,
        secret: &Secret,
        data_plane: DataPlane,
        options: CoarseGrainedOptions,
    ) -> Result<Arc<Self>, StartBackendError> {
        check_threads(THREADS.get()).map_err(StartBackendError::Threads)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS.get())
            .thread_name("driver-endpoint")
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartBackendError::Threads)?;
        let CoarseGrainedOptions { bind_address: address, ports, .. } = options.clone();
        let listener = ports.listen(|port| {
            let bind = Address::tcp(address.clone(), port);
            let bound = runtime.block_on(Listener::bind(&bind, secret.clone(), options.rpc.clone()));
            bound.map_err(|error| error.source)
        });
        let listener = listener.map_err(|source| StartBackendError::Bind { address, ports, source })?;
        let port = listener.address().port().unwrap_or(ports.port);
        let driver_address = Address::tcp(options.host.clone(), port).to_string();
        let connections = Arc::new(Connections::new(driver.clone()));
        runtime.spawn(accept(listener, Arc::clone(&connections), options.build_id, manager.announces_within()));
        info!(driver_address, "the driver listens for executors");
        manager.start(
            ExecutorRequest { driver_address, secret: secret.clone(), io_encryption: options.io_encryption },
            ManagerEvents { connections: Arc::clone(&connections) },
        );
        let DataPlane { fetch_block, publish } = data_plane;
        let results = ResultGetter::new(Arc::clone(&connections), fetch_block);
        let runtime = parking_lot::Mutex::new(Some(runtime));
        Ok(Arc::new(Self { connections, manager, runtime, results, publish }))
    }

    /// Tells every executor to stop and waits until their processes are gone.
    pub fn stop(&self) {
        self.manager.stopping();
        self.connections.stop();
        self.manager.stop();
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

impl SchedulerBackend for CoarseGrainedSchedulerBackend {
    fn send(&self, executor_id: &ExecutorId, message: ExecutorMessage) -> bool {
        if let ExecutorMessage::Registered = message {
            self.manager.executor_registered(executor_id);
        }
        self.connections.send(executor_id, message)
    }

    fn kill_executor(&self, executor_id: &ExecutorId, reason: &str, replace: bool) {
        let lost = ExecutorLossReason::KilledByDriver { reason: reason.to_owned() };
        self.manager.kill_executor(executor_id, reason, replace);
        self.connections.report_lost(executor_id, lost, LostOutputs::OfExecutor);
    }

    fn request_total_executors(&self, total: u32) {
        info!(total, "asking the cluster manager for executors");
        self.manager.request_total_executors(total);
    }

    fn starting_executors(&self) -> StartingExecutors {
        self.connections.starting()
    }

    fn fetch_result(&self, fetch: ResultFetch) {
        self.results.fetch(fetch);
    }

    fn publish(&self, bytes: &[u8]) -> Option<Result<PublishedBytes, String>> {
        Some((self.publish)(bytes))
    }
}

async fn accept(mut listener: Listener, connections: Arc<Connections>, build_id: [u8; 32], announced_within: Duration) {
    while let Ok(connection) = listener.accept::<DriverMessage, ExecutorMessage>().await {
        tokio::spawn(serve(connection, Arc::clone(&connections), build_id, announced_within));
    }
}

/// One executor's connection from registration to its end.
async fn serve(
    connection: Connection<DriverMessage, ExecutorMessage>,
    connections: Arc<Connections>,
    build_id: [u8; 32],
    announced_within: Duration,
) {
    let peer = connection.peer().address.clone();
    let (sender, mut receiver) = connection.split();
    let registration = match timeout(REGISTRATION_TIME_OUT, receiver.receive()).await {
        Ok(Ok(Some(DriverMessage::Register(registration)))) => registration,
        Ok(Ok(Some(_))) => return warn!(peer, "the first message of a connection was no registration"),
        Ok(Ok(None)) => return debug!(peer, "connection closed before a registration"),
        Ok(Err(error)) => return warn!(peer, %error, "connection failed before a registration"),
        Err(_) => return warn!(peer, "no registration came"),
    };
    let (executor_id, cores, pid) = (registration.executor_id.clone(), registration.cores, registration.pid);
    let (messages, queue) = unbounded_channel();
    // Without it, the registration is refused below.
    connections.announced(&executor_id, announced_within).await;
    let taken = if registration.build_id == build_id {
        connections.connect(registration_of(registration), messages)
    } else {
        Err(another_build(&registration, &build_id))
    };
    if let Err(reason) = taken {
        warn!(%executor_id, peer, reason, "registration refused");
        // Whether it arrives or not, the connection ends here.
        let _ = sender.send(&ExecutorMessage::Refused(reason)).await;
        let _ = sender.close().await;
        return;
    }
    info!(%executor_id, peer, cores, pid, "executor connected");
    tokio::spawn(forward(queue, sender));
    receive(&executor_id, receiver, &connections).await;
    // The process's end tells more than the connection's; it is known a moment later.
    let news = async {
        while !connections.is_lost(&executor_id) {
            tokio::time::sleep(EXIT_NEWS_CHECK).await;
        }
    };
    if timeout(EXIT_NEWS_TIME_OUT, news).await.is_err() {
        connections.disconnected(&executor_id);
    }
}

fn another_build(registration: &RegisterExecutor, build_id: &[u8; 32]) -> String {
    let short = |id: &[u8; 32]| -> String { id[..4].iter().map(|byte| format!("{byte:02x}")).collect() };
    format!(
        "it runs another binary than the driver: build {} of Firesteel {}, where the driver is build {} of Firesteel {}; both \
         must be the same file",
        short(&registration.build_id),
        registration.version,
        short(build_id),
        firesteel_messages::VERSION
    )
}

async fn forward(mut queue: UnboundedReceiver<ExecutorMessage>, sender: Sender<ExecutorMessage>) {
    while let Some(message) = queue.recv().await {
        match sender.send(&message).await {
            Ok(()) => {}
            Err(error @ (SendError::Closed | SendError::Broken)) => {
                debug!(%error, "message to an executor was not sent");
                return;
            }
            // The connection goes on, and the driver checks the sizes of stages and tasks before it sends them.
            Err(error) => {
                warn!(%error, "message to an executor was not sent");
                // Whoever asked would wait in vain.
                if let ExecutorMessage::Answer { number, .. } = message {
                    let answer = Answer::CannotBeSent(error.to_string());
                    // If this is not sent either, the connection is at its end, and the receiver of it knows.
                    let _ = sender.send(&ExecutorMessage::Answer { number, answer }).await;
                }
            }
        }
    }
}

async fn receive(executor_id: &ExecutorId, mut receiver: Receiver<DriverMessage>, connections: &Connections) {
    loop {
        match receiver.receive().await {
            Ok(Some(DriverMessage::Exiting { exit_code, reason })) => {
                connections.farewell(executor_id, exit_code, reason);
                // It waits for this, so that its process does not end before the reason is known here.
                connections.send(executor_id, ExecutorMessage::FarewellTaken);
            }
            Ok(Some(message)) => {
                if let DriverMessage::Heartbeat(heartbeat) = &message {
                    connections.heartbeat(executor_id, heartbeat.memory.resident_memory);
                }
                connections.driver().executor_message(executor_id, message);
            }
            Ok(None) => return debug!(%executor_id, "executor closed its connection"),
            Err(error) => return debug!(%executor_id, %error, "connection to executor ended"),
        }
    }
}

fn registration_of(register: RegisterExecutor) -> Registration {
    let block_manager_id = BlockManagerId {
        executor_id: register.executor_id.clone(),
        host: register.host.clone(),
        port: register.block_port,
    };
    let info = ExecutorInfo {
        host: register.host,
        cores: register.cores,
        log_urls: Default::default(),
        attributes: Default::default(),
        resources: register.resources,
        resource_profile_id: ResourceProfileId(0),
    };
    Registration {
        executor: ExecutorRegistration { executor_id: register.executor_id, info: Arc::new(info), rack: None },
        block_manager_id,
        on_heap_memory: ByteCount(register.on_heap_memory),
        off_heap_memory: ByteCount(register.off_heap_memory),
        local_directories: register.local_directories,
    }
}
