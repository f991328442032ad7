//! The task that owns the state machine.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use firesteel_master_client::{MasterConnections, MasterNews};
use firesteel_model::{Moment, Now};
use firesteel_standalone::{
    protocol::{LaunchDriver, LaunchExecutor, ToMaster},
    worker::{ProcessId, Worker, WorkerCommand, WorkerEvent},
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{info, warn};

use crate::{executor::Machine, port::ClaimedPort};

/// What the loop is told.
pub(crate) enum Input {
    /// Something has happened.
    Event(WorkerEvent),
    /// Somebody wants to know something.
    Question(Box<dyn FnOnce(&Worker) + Send>),
}

/// How many inputs are taken at once.
const BATCH: usize = 256;
/// How long nothing may happen where nothing is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long masters may take to hear the last words.
const CLOSE_TIME_OUT: Duration = Duration::from_secs(2);

pub(crate) struct EventLoop {
    pub(crate) worker: Worker,
    pub(crate) inputs: UnboundedReceiver<Input>,
    pub(crate) connections: MasterConnections,
    pub(crate) machine: Arc<Machine>,
    pub(crate) ended: watch::Sender<Option<i32>>,
    pub(crate) started: Instant,
    /// Held as long as the worker is there.
    pub(crate) _port: ClaimedPort,
}

/// However the loop ends, nothing of what it has started stays.
struct KillAll(Arc<Machine>);

impl Drop for KillAll {
    fn drop(&mut self) {
        self.0.processes.kill_all();
    }
}

impl EventLoop {
    pub(crate) async fn run(mut self) {
        let _kill_all = KillAll(Arc::clone(&self.machine));
        let code = loop {
            let mut inputs = Vec::new();
            let wait = self.until_deadline();
            // The sender is in `machine`, so the channel stays open.
            let _ = timeout(wait, self.inputs.recv_many(&mut inputs, BATCH)).await;
            if let Some(code) = self.handle(inputs) {
                break code;
            }
        };
        let Self { connections, ended, .. } = self;
        connections.close(CLOSE_TIME_OUT).await;
        // Nobody who waits for it has to be told.
        let _ = ended.send(Some(code));
    }

    fn handle(&mut self, inputs: Vec<Input>) -> Option<i32> {
        let (mut events, mut questions) = (Vec::with_capacity(inputs.len() + 1), Vec::new());
        for input in inputs {
            match input {
                Input::Event(event) => events.push(event),
                Input::Question(question) => questions.push(question),
            }
        }
        if self.worker.next_deadline().is_some_and(|deadline| deadline <= self.now().moment) {
            events.push(WorkerEvent::DeadlineReached);
        }
        let commands = self.worker.handle_all(self.now(), events);
        let code = commands.into_iter().filter_map(|command| self.perform(command)).last();
        for question in questions {
            question(&self.worker);
        }
        code
    }

    fn perform(&mut self, command: WorkerCommand) -> Option<i32> {
        let machine = Arc::clone(&self.machine);
        match command {
            WorkerCommand::Send { master, message } => {
                // One that is not heard is not connected, which is told as an event.
                self.connections.send(master, &ToMaster::Worker(*message));
            }
            WorkerCommand::StartExecutor { process, launch } => start_executor(&machine, process, *launch),
            WorkerCommand::StartDriver { process, launch } => start_driver(&machine, process, launch),
            WorkerCommand::Terminate { process } => machine.processes.terminate(process),
            WorkerCommand::Kill { process } => machine.processes.kill(process),
            WorkerCommand::RemoveApplication { application_id } => {
                drop(spawn_blocking(move || machine.directories.remove_application(&application_id)));
            }
            WorkerCommand::CleanUp { data_ttl, running, running_drivers } => {
                drop(spawn_blocking(move || machine.directories.clean_up(data_ttl, &running, &running_drivers)));
            }
            WorkerCommand::Log { warning: false, text } => info!("{text}"),
            WorkerCommand::Log { warning: true, text } => warn!("{text}"),
            WorkerCommand::Exit { code } => return Some(code),
        }
        None
    }

    fn now(&self) -> Now {
        let elapsed = self.started.elapsed().as_millis();
        let wall_clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        Now {
            moment: Moment(u64::try_from(elapsed).unwrap_or(u64::MAX)),
            wall_clock_ms: i64::try_from(wall_clock).unwrap_or(i64::MAX),
        }
    }

    fn until_deadline(&self) -> Duration {
        let now = self.now().moment;
        self.worker.next_deadline().map_or(LONGEST_WAIT, |deadline| deadline.since(now)).min(LONGEST_WAIT)
    }
}

fn start_executor(machine: &Arc<Machine>, process: ProcessId, launch: LaunchExecutor) {
    let runner = Arc::clone(machine);
    let name = format!("executor-runner-{}", launch.executor);
    start(machine, process, name, move || runner.run_executor(process, launch));
}

fn start_driver(machine: &Arc<Machine>, process: ProcessId, launch: Box<LaunchDriver>) {
    let runner = Arc::clone(machine);
    start(machine, process, "driver-runner".to_owned(), move || runner.run_driver(process, &launch));
}

/// Has a thread see a process through.
fn start(machine: &Machine, process: ProcessId, name: String, run: impl FnOnce() + Send + 'static) {
    machine.processes.prepare(process);
    if let Err(error) = thread::Builder::new().name(name).spawn(run) {
        machine.processes.end(process);
        let message = format!("no thread to start it with can be had: {error}");
        // The receiver is the loop's own.
        let _ = machine.inputs.send(Input::Event(WorkerEvent::ProcessNotStarted { process, message }));
    }
}

/// What is heard of masters, as the state machine wants it.
pub(crate) fn event_of(news: MasterNews) -> Option<WorkerEvent> {
    match news {
        MasterNews::Connected { master } => Some(WorkerEvent::Connected { master }),
        MasterNews::Message { master, message } => Some(WorkerEvent::Received { master, message }),
        MasterNews::Disconnected { master } => Some(WorkerEvent::Disconnected { master }),
        MasterNews::Unreachable { master, reason, refused: true } => Some(WorkerEvent::Refused { master, reason }),
        MasterNews::Unreachable { master, reason, refused: false } => {
            info!(master, reason, "a master cannot be reached; it is tried again");
            None
        }
    }
}
