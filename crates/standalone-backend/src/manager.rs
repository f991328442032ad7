//! Runs the application's client beside the driver.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use firesteel_master_client::{MasterConnections, MasterNews, options};
use firesteel_messages::{Executable, ExecutorCommand};
use firesteel_model::{ApplicationId, ExecutorId, Moment};
use firesteel_rpc::{Address, Secret};
use firesteel_scheduler::LostOutputs;
use firesteel_scheduler_backend::{ClusterManager, ExecutorExit, ExecutorRequest, ManagerEvents};
use firesteel_standalone::{
    ApplicationClient, ApplicationCommand, ApplicationDescription, ApplicationEvent, LaunchData,
    protocol::ExecutorNumber,
};
use parking_lot::{Condvar, Mutex};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};
use tracing::{info, warn};

/// What an application brings along.
#[derive(Debug)]
pub struct StandaloneOptions {
    /// The masters.
    pub masters: Vec<Address>,
    /// The cluster's secret.
    pub cluster_secret: Secret,
    /// The id that a master has given.
    pub application_id: ApplicationId,
    /// When that was, in milliseconds since the Unix epoch.
    pub submitted_ms: i64,
    /// What the application is. `launch` is filled in.
    pub description: ApplicationDescription,
    /// The program that executors run.
    pub executable: Executable,
    /// `spark.executorEnv.*`
    pub environment: Vec<(String, String)>,
    /// The application's configuration.
    pub conf: Vec<(String, String)>,
}

/// The cluster manager of `spark://` masters.
pub struct StandaloneClusterManager {
    options: Mutex<Option<StandaloneOptions>>,
    running: Mutex<Option<Running>>,
    /// The master starts no more executors, or there is none that could.
    stops: Arc<(Mutex<bool>, Condvar)>,
}

struct Running {
    runtime: Runtime,
    // Unbounded, as the driver's event loop must not wait. What is in it is bounded by the executors of the application, and by
    // what a master says, which is read as fast as it comes.
    events: UnboundedSender<ApplicationEvent>,
    ended: JoinHandle<()>,
}

/// How long the master may take to hear that the application has ended.
const FAREWELL_TIME_OUT: Duration = Duration::from_secs(2);
/// How long executors may take to end, and the master to say so.
const STOP_TIME_OUT: Duration = Duration::from_secs(20);
/// How much later than an executor itself the master's word of it may come.
const ANNOUNCEMENT_TIME_OUT: Duration = Duration::from_secs(10);

impl StandaloneClusterManager {
    /// Nothing is said to a master before [`ClusterManager::start`].
    pub fn new(options: StandaloneOptions) -> Arc<Self> {
        Arc::new(Self { options: Mutex::new(Some(options)), running: Mutex::new(None), stops: Arc::default() })
    }

    fn tell(&self, event: ApplicationEvent) {
        if let Some(running) = &*self.running.lock() {
            // It has ended, and what is wanted of it is as if it were done.
            let _ = running.events.send(event);
        }
    }
}

impl ClusterManager for StandaloneClusterManager {
    fn start(&self, request: ExecutorRequest, events: ManagerEvents) {
        let Some(options) = self.options.lock().take() else { return };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("standalone-client")
            .enable_io()
            .enable_time()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return events.give_up(&format!("no thread to talk to the master with can be had: {error}")),
        };
        let (sender, received) = unbounded_channel();
        let client = Client::new(options, request, events, &runtime, &sender, Arc::clone(&self.stops));
        let ended = runtime.spawn(client.run(received));
        *self.running.lock() = Some(Running { runtime, events: sender, ended });
    }

    fn kill_executor(&self, executor_id: &ExecutorId, reason: &str, replace: bool) {
        let Some(executor) = number(executor_id) else { return };
        info!(%executor_id, reason, replace, "asking the master to end an executor");
        self.tell(ApplicationEvent::KillExecutor { executor, replace });
    }

    fn request_total_executors(&self, total: u32) {
        self.tell(ApplicationEvent::RequestExecutors { total });
    }

    fn announces_within(&self) -> Duration {
        ANNOUNCEMENT_TIME_OUT
    }

    fn executor_registered(&self, executor_id: &ExecutorId) {
        if let Some(executor) = number(executor_id) {
            self.tell(ApplicationEvent::ExecutorReady { executor });
        }
    }

    /// Waits until the master knows, or it would start others in place of those that end.
    fn stopping(&self) {
        self.tell(ApplicationEvent::Stopping);
        let deadline = Instant::now() + FAREWELL_TIME_OUT;
        let mut stops = self.stops.0.lock();
        while self.running.lock().is_some() && !*stops && !self.stops.1.wait_until(&mut stops, deadline).timed_out() {}
    }

    fn stop(&self) {
        let Some(Running { runtime, events, ended }) = self.running.lock().take() else { return };
        // Its end is waited for below.
        let _ = events.send(ApplicationEvent::Stop);
        drop(events);
        if runtime.block_on(async { timeout(STOP_TIME_OUT, ended).await }).is_err() {
            warn!("the master did not take the end of the application in time, and will find it out");
        }
        runtime.shutdown_background();
    }
}

fn number(executor_id: &ExecutorId) -> Option<ExecutorNumber> {
    executor_id.as_str().parse().ok()
}

fn id(executor: ExecutorNumber) -> ExecutorId {
    ExecutorId::new(executor.to_string())
}

/// The state machine, and what it acts on.
struct Client {
    client: ApplicationClient,
    connections: MasterConnections,
    events: ManagerEvents,
    stops: Arc<(Mutex<bool>, Condvar)>,
    started: Instant,
}

impl Client {
    fn new(
        options: StandaloneOptions,
        request: ExecutorRequest,
        events: ManagerEvents,
        runtime: &Runtime,
        news: &UnboundedSender<ApplicationEvent>,
        stops: Arc<(Mutex<bool>, Condvar)>,
    ) -> Self {
        let StandaloneOptions { masters, cluster_secret, application_id, submitted_ms, mut description, .. } = options;
        let command = ExecutorCommand {
            executable: options.executable,
            environment: options.environment,
            driver_address: request.driver_address,
            secret: request.secret.expose().to_owned(),
            io_encryption_key: request.io_encryption.map(|encryption| encryption.expose().to_vec()),
            conf: options.conf,
        };
        description.launch = LaunchData(command.seal());
        let urls = masters.iter().map(|master| format!("spark://{master}")).collect();
        let news = news.clone();
        let connections =
            MasterConnections::start(runtime.handle(), masters, &cluster_secret, &self::options(), move |heard| {
                // The application has ended.
                let _ = news.send(event(heard));
            });
        let client = ApplicationClient::new(Moment(0), urls, application_id, submitted_ms, description);
        Self { client, connections, events, stops, started: Instant::now() }
    }

    async fn run(mut self, mut received: UnboundedReceiver<ApplicationEvent>) {
        loop {
            let deadline = self.client.next_deadline().map(|deadline| deadline.since(self.now()));
            let event = match deadline {
                Some(wait) => timeout(wait, received.recv()).await.unwrap_or(Some(ApplicationEvent::DeadlineReached)),
                None => received.recv().await,
            };
            let Some(event) = event else { break };
            for command in self.client.handle(self.now(), event) {
                self.perform(command);
            }
            if self.client.has_ended() {
                break;
            }
        }
        self.connections.close(FAREWELL_TIME_OUT).await;
    }

    fn starts_no_more(&self) {
        *self.stops.0.lock() = true;
        self.stops.1.notify_all();
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn perform(&self, command: ApplicationCommand) {
        match command {
            ApplicationCommand::Send { master, message } => {
                // Whatever is not sent is said again after the next connection.
                self.connections.send(master, &message);
            }
            ApplicationCommand::Registered(leader) => {
                info!(master = leader.url, "the master has registered the application");
            }
            ApplicationCommand::ExecutorAdded { executor, worker_id, host, log_url, cores, memory } => {
                info!(executor, %worker_id, host, cores, %memory, "executor added");
                let log =
                    if log_url.is_empty() { format!("the work directory of {worker_id} on {host}") } else { log_url };
                self.events.expect(&id(executor), log);
            }
            ApplicationCommand::ExecutorLost { executor, reason, worker_lost: _ } => {
                let exit = ExecutorExit { reason, lost_outputs: LostOutputs::OfExecutor };
                self.events.exited(&id(executor), exit);
            }
            ApplicationCommand::Waits(reason) => self.events.waits(reason),
            ApplicationCommand::RequestTaken { total: 0 } => self.starts_no_more(),
            ApplicationCommand::RequestTaken { .. } => {}
            ApplicationCommand::GiveUp(reason) => {
                self.starts_no_more();
                self.events.give_up(&reason);
            }
            ApplicationCommand::Log(text) => warn!("{text}"),
        }
    }
}

fn event(news: MasterNews) -> ApplicationEvent {
    match news {
        MasterNews::Connected { master } => ApplicationEvent::Connected { master },
        MasterNews::Message { master, message } => ApplicationEvent::Message { master, message },
        MasterNews::Disconnected { master } => ApplicationEvent::Disconnected { master },
        MasterNews::Unreachable { master, reason, refused } => {
            ApplicationEvent::Unreachable { master, reason, refused }
        }
    }
}
