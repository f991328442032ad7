//! The worker under scenarios, and under chance.

mod drivers;
mod ending;
mod executors;
mod properties;
mod registration;

use std::time::Duration;

use firesteel_model::{ApplicationId, ByteCount, Moment, Now, SubmissionId};

use super::{CleanupOptions, ProcessEnd, ProcessId, Worker, WorkerCommand, WorkerEvent, WorkerOptions};
use crate::{
    DriverDescription, LaunchData, Term, WorkerDescription,
    protocol::{FromMaster, FromWorker, LaunchDriver, LaunchExecutor, Leader, ToWorker, WorkerState},
    worker_id,
};

/// A worker with what a test sees of it.
struct Bench {
    worker: Worker,
    now: Moment,
    logs: Vec<String>,
}

/// With two masters.
fn bench() -> Bench {
    let options = WorkerOptions { decommission_enabled: true, ..WorkerOptions::default() };
    bench_with(options)
}

fn bench_with(options: WorkerOptions) -> Bench {
    let description = WorkerDescription {
        host: "h".to_owned(),
        port: 7,
        cores: 4,
        memory: ByteCount::gib(8),
        resources: Vec::new(),
        web_ui_url: String::new(),
    };
    let worker = Worker::new(options, worker_id(0, "h", 7), description, 2, 1);
    Bench { worker, now: Moment(1000), logs: Vec::new() }
}

impl Bench {
    /// What follows, without what is logged.
    fn tell(&mut self, event: WorkerEvent) -> Vec<WorkerCommand> {
        let commands = self.worker.handle_all(Now { moment: self.now, wall_clock_ms: 0 }, [event]);
        check_invariants(&self.worker);
        let (logs, commands): (Vec<_>, Vec<_>) =
            commands.into_iter().partition(|command| matches!(command, WorkerCommand::Log { .. }));
        self.logs.extend(logs.into_iter().map(|log| match log {
            WorkerCommand::Log { text, .. } => text,
            _ => unreachable!(),
        }));
        commands
    }

    fn hears(&mut self, master: usize, message: ToWorker) -> Vec<WorkerCommand> {
        self.hears_any(master, FromMaster::Worker(message))
    }

    fn hears_any(&mut self, master: usize, message: FromMaster) -> Vec<WorkerCommand> {
        self.tell(WorkerEvent::Received { master, message: Box::new(message) })
    }

    /// Lets time pass up to the next deadline.
    fn wait(&mut self) -> Vec<WorkerCommand> {
        let deadline = self.worker.next_deadline().expect("something is waited for");
        self.now = self.now.max(deadline);
        self.tell(WorkerEvent::DeadlineReached)
    }

    fn wait_for(&mut self, duration: Duration) -> Vec<WorkerCommand> {
        let until = self.now + duration;
        let mut commands = Vec::new();
        while let Some(deadline) = self.worker.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            commands.extend(self.tell(WorkerEvent::DeadlineReached));
        }
        self.now = until;
        commands
    }

    /// Registers with this master.
    fn register(&mut self, master: usize, term: u64) {
        self.tell(WorkerEvent::Connected { master });
        let commands = self.hears_any(master, FromMaster::MasterLeads(leader(term)));
        let [WorkerCommand::Send { master: to, message }] = &commands[..] else { panic!("{commands:?}") };
        assert!(*to == master && matches!(**message, FromWorker::Register(_)), "{commands:?}");
        self.hears(master, ToWorker::Registered { leader: leader(term) });
        assert_eq!(self.worker.leader(), Some(&leader(term)));
    }

    /// Starts an executor of application `a` by the master at 0, term 1.
    fn launch(&mut self, executor: u32) -> ProcessId {
        let commands = self.hears(0, ToWorker::LaunchExecutor(Box::new(launch(1, executor))));
        let [WorkerCommand::StartExecutor { process, .. }] = commands[..] else { panic!("{commands:?}") };
        process
    }

    fn launch_driver(&mut self, supervise: bool) -> ProcessId {
        let commands = self.hears(0, ToWorker::LaunchDriver(Box::new(driver(1, supervise))));
        let [WorkerCommand::StartDriver { process, .. }] = commands[..] else { panic!("{commands:?}") };
        process
    }

    fn started(&mut self, process: ProcessId) -> Vec<WorkerCommand> {
        self.tell(WorkerEvent::ProcessStarted { process, pid: 77 })
    }

    fn ended(&mut self, process: ProcessId, exit_code: i32) -> Vec<WorkerCommand> {
        let end = ProcessEnd { exit_code: Some(exit_code), caused_by_app: true, ..ProcessEnd::default() };
        self.tell(WorkerEvent::ProcessEnded { process, end })
    }

    fn logged(&self, part: &str) -> bool {
        self.logs.iter().any(|log| log.contains(part))
    }
}

/// What holds after every event.
fn check_invariants(worker: &Worker) {
    for (process, owner) in &worker.processes {
        let found = match owner {
            super::Owner::Executor(id, number) => {
                let executor = &worker.executors[&(id.clone(), *number)];
                executor.process == *process && !executor.state.is_final()
            }
            super::Owner::Driver(id) => matches!(
                worker.drivers[id].phase, super::DriverPhase::Process { process: own, .. } if own == *process
            ),
        };
        assert!(found, "{process:?} of {owner:?}");
    }
    let running = worker.executors.values().filter(|executor| !executor.state.is_final());
    let drivers = worker.drivers.values();
    let of_drivers = drivers.filter(|driver| matches!(driver.phase, super::DriverPhase::Process { .. })).count();
    assert_eq!(running.count() + of_drivers, worker.processes.len() + worker.waiting.len());
    let ended = worker.executors.values().filter(|executor| executor.state.is_final()).count();
    assert_eq!(ended, worker.finished_executors.len());
    for key in worker.reports.keys() {
        let ended = match key {
            super::ReportKey::Executor(id, number) => worker.executors[&(id.clone(), *number)].state.is_final(),
            super::ReportKey::Driver(id) => worker.drivers[id].state.is_final(),
        };
        assert!(ended, "{key:?} is reported and has not ended");
    }
    if worker.exited {
        assert!(worker.processes.is_empty() && worker.next_deadline().is_none());
    }
}

fn app() -> ApplicationId {
    ApplicationId::from("a")
}

fn submission() -> SubmissionId {
    SubmissionId::from("d")
}

fn leader(term: u64) -> Leader {
    Leader { term: Term(term), url: format!("spark://m{term}:7077"), web_ui_url: String::new() }
}

fn launch(term: u64, executor: u32) -> LaunchExecutor {
    LaunchExecutor {
        term: Term(term),
        application_id: app(),
        application_name: "name".to_owned(),
        user: "user".to_owned(),
        executor,
        cores: 1,
        memory: ByteCount::gib(1),
        resources: Vec::new(),
        web_ui_url: String::new(),
        launch: LaunchData::default(),
    }
}

fn driver(term: u64, supervise: bool) -> LaunchDriver {
    let description = DriverDescription {
        name: "Main".to_owned(),
        user: "user".to_owned(),
        cores: 1,
        memory: ByteCount::gib(1),
        resources: Vec::new(),
        supervise,
        artifacts: None,
        launch: LaunchData::default(),
    };
    LaunchDriver { term: Term(term), submission_id: submission(), description, resources: Vec::new() }
}

fn kill(term: u64, executor: u32) -> ToWorker {
    ToWorker::KillExecutor { term: Term(term), application_id: app(), executor }
}

fn taken(executor: u32) -> ToWorker {
    ToWorker::ExecutorUpdateTaken { application_id: app(), executor }
}

fn finished(term: u64) -> ToWorker {
    ToWorker::ApplicationFinished { term: Term(term), application_id: app() }
}

/// What was said to masters.
fn said(commands: &[WorkerCommand]) -> Vec<(usize, &FromWorker)> {
    commands
        .iter()
        .filter_map(|command| match command {
            WorkerCommand::Send { master, message } => Some((*master, &**message)),
            _ => None,
        })
        .collect()
}

/// The registration that was sent, and to whom.
fn registration(commands: &[WorkerCommand]) -> (usize, &WorkerState) {
    let found = said(commands).into_iter().find_map(|(master, message)| match message {
        FromWorker::Register(state) => Some((master, state)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{commands:?}"))
}
