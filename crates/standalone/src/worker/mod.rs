//! The worker: registers with the masters, starts what the leading one orders, and reports how it ends (SA-33…40, SA-59).
//!
//! ```text
//! Worker::new(options, worker_id, description, masters, seed) -> Worker
//! worker.handle_all(now, events) -> Vec<WorkerCommand>
//! worker.next_deadline() -> Option<Moment>                        // then WorkerEvent::DeadlineReached
//! ```
//!
//! ```text
//!  registering ── Registered ──► registered ── the connection ends, another master leads, Reregister ──► registering
//!      └── 16 tries without an answer, or refused ──► all processes end ──► Exit(1)
//! ```
//!
//! Executors and drivers run on while there is no master. How they end is told until a master says that it knows; until then they
//! are listed with each registration, so that no master takes them for lost.
//!
//! Orders carry the term of the master that gives them. Only those of the highest term that was heard of are carried out.
//!
//! Invariants, checked after every event in tests: each process that was ordered is of one executor or driver, until its last
//! word; nothing that has ended is forgotten before a master knows; what is used is the sum of what runs.

mod applications;
mod command;
mod drivers;
mod event;
mod executors;
mod options;
mod orders;
mod records;
mod registration;
mod reports;
mod room;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use firesteel_model::{ApplicationId, Moment, Now, SubmissionId, WorkerId};

pub use command::{ProcessId, WorkerCommand};
pub use event::{ProcessEnd, WorkerEvent};
pub use options::{CleanupOptions, WorkerOptions};
pub use records::{DriverRecord, ExecutorRecord};

use self::{
    records::{ApplicationRecord, DriverPhase, KillCause},
    registration::Registration,
    reports::{Report, ReportKey},
    room::Waiting,
};
use crate::{
    Term, Usage, WorkerDescription,
    protocol::{ExecutorNumber, FromWorker, Leader},
    random::Random,
};

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct Worker {
    options: WorkerOptions,
    random: Random,
    id: WorkerId,
    description: WorkerDescription,
    registration: Registration,
    /// The masters to which there is a connection.
    connected: BTreeSet<usize>,
    /// Those that never take one, and how many there are in all.
    refused: BTreeSet<usize>,
    masters: usize,
    /// The highest that was heard of.
    term: Term,
    next_process: u64,
    /// What was ordered to start, until its last word.
    processes: BTreeMap<ProcessId, Owner>,
    /// What was ordered, and starts when there is room.
    waiting: VecDeque<Waiting>,
    executors: BTreeMap<(ApplicationId, ExecutorNumber), ExecutorRecord>,
    /// Those that have ended, in the order of their ends.
    finished_executors: VecDeque<(ApplicationId, ExecutorNumber)>,
    drivers: BTreeMap<SubmissionId, DriverRecord>,
    finished_drivers: VecDeque<SubmissionId>,
    applications: BTreeMap<ApplicationId, ApplicationRecord>,
    /// Counts the times at which applications became idle.
    idle_count: u64,
    /// Ends that no master has said it knows.
    reports: BTreeMap<ReportKey, Report>,
    cleaned_at: Option<Moment>,
    decommissioning: bool,
    /// All processes are being ended, and then the worker ends with this code.
    ending: Option<i32>,
    exited: bool,
}

/// Whose process it is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Owner {
    Executor(ApplicationId, ExecutorNumber),
    Driver(SubmissionId),
}

/// One call.
struct Turn {
    now: Now,
    commands: Vec<WorkerCommand>,
}

impl Turn {
    fn send(&mut self, master: usize, message: FromWorker) {
        self.commands.push(WorkerCommand::Send { master, message: Box::new(message) });
    }

    fn info(&mut self, text: String) {
        self.commands.push(WorkerCommand::Log { warning: false, text });
    }

    fn warn(&mut self, text: String) {
        self.commands.push(WorkerCommand::Log { warning: true, text });
    }
}

impl Worker {
    /// A worker that has not registered yet. `masters` is how many there are. `seed` decides how long exactly is waited between tries to register.
    pub fn new(
        options: WorkerOptions,
        id: WorkerId,
        description: WorkerDescription,
        masters: usize,
        seed: u64,
    ) -> Self {
        Self {
            options,
            random: Random::new(seed),
            id,
            description,
            registration: Registration::begun(Moment::default()),
            connected: BTreeSet::new(),
            refused: BTreeSet::new(),
            masters,
            term: Term::default(),
            next_process: 0,
            processes: BTreeMap::new(),
            waiting: VecDeque::new(),
            executors: BTreeMap::new(),
            finished_executors: VecDeque::new(),
            drivers: BTreeMap::new(),
            finished_drivers: VecDeque::new(),
            applications: BTreeMap::new(),
            idle_count: 0,
            reports: BTreeMap::new(),
            cleaned_at: None,
            decommissioning: false,
            ending: None,
            exited: false,
        }
    }

    /// Takes note of events, in their order.
    pub fn handle_all(&mut self, now: Now, events: impl IntoIterator<Item = WorkerEvent>) -> Vec<WorkerCommand> {
        let mut turn = Turn { now, commands: Vec::new() };
        for event in events {
            self.handle(event, &mut turn);
        }
        turn.commands
    }

    /// When it must be told [`WorkerEvent::DeadlineReached`] at the latest; none while nothing is waited for.
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.exited {
            return None;
        }
        let executors = self.executors.values().filter_map(|executor| executor.kill.and_then(|kill| kill.forced_at));
        let drivers = self.drivers.values().filter_map(|driver| match driver.phase {
            DriverPhase::Process { kill, .. } => kill.and_then(|kill| kill.forced_at),
            DriverPhase::Waits { .. } | DriverPhase::Ended => None,
        });
        let forced = executors.chain(drivers).min();
        if self.ending.is_some() {
            return forced;
        }
        let waits = self.drivers.values().filter_map(|driver| match driver.phase {
            DriverPhase::Waits { until } => Some(until),
            DriverPhase::Process { .. } | DriverPhase::Ended => None,
        });
        let reports = self.reports.values().filter_map(|report| report.again_at);
        let due = [Some(self.registration.deadline()), forced, self.cleaned_at];
        due.into_iter().flatten().chain(waits).chain(reports).min()
    }

    fn handle(&mut self, event: WorkerEvent, turn: &mut Turn) {
        if self.exited {
            return;
        }
        match event {
            WorkerEvent::Connected { master } => {
                // The leader says so by itself.
                self.connected.insert(master);
            }
            WorkerEvent::Received { master, message } => self.received(master, *message, turn),
            WorkerEvent::Disconnected { master } => self.disconnected(master, turn),
            WorkerEvent::Refused { master, reason } => self.refused(master, &reason, turn),
            WorkerEvent::ProcessStarted { process, pid } => self.process_started(process, pid, turn),
            WorkerEvent::ProcessNotStarted { process, message } => self.process_ended(process, Err(message), turn),
            WorkerEvent::ProcessEnded { process, end } => self.process_ended(process, Ok(end), turn),
            WorkerEvent::Decommission => self.decommission(turn),
            WorkerEvent::Stop => {
                turn.info("this worker was told to end".to_owned());
                self.end(0, turn);
            }
            WorkerEvent::DeadlineReached => self.deadline_reached(turn),
        }
        self.exit_if_done(turn);
    }

    fn deadline_reached(&mut self, turn: &mut Turn) {
        self.force_executors(turn);
        self.force_drivers(turn);
        if self.ending.is_none() {
            self.restart_drivers(turn);
            self.clean_up(turn);
            self.report_again(turn);
        }
        if self.ending.is_none() {
            self.keep_registered(turn);
        }
    }

    fn process_started(&mut self, process: ProcessId, pid: u32, turn: &mut Turn) {
        match self.processes.get(&process).cloned() {
            Some(Owner::Executor(application_id, number)) => {
                self.executor_started(&(application_id, number), pid, turn);
            }
            Some(Owner::Driver(submission_id)) => self.driver_started(&submission_id, pid, turn),
            None => {}
        }
    }

    fn process_ended(&mut self, process: ProcessId, end: Result<ProcessEnd, String>, turn: &mut Turn) {
        match self.processes.remove(&process) {
            Some(Owner::Executor(application_id, number)) => {
                self.executor_ended(&(application_id, number), end, turn);
            }
            Some(Owner::Driver(submission_id)) => self.driver_ended(&submission_id, end, turn),
            None => {}
        }
        if self.ending.is_none() {
            self.start_waiting(turn);
        }
    }

    fn new_process(&mut self) -> ProcessId {
        let process = ProcessId(self.next_process);
        self.next_process += 1;
        process
    }

    /// SA-40: takes nothing more, and leaves when nothing runs any more.
    fn decommission(&mut self, turn: &mut Turn) {
        if !self.options.decommission_enabled {
            let text = "this worker was told to leave, and stays: spark.decommission.enabled is false";
            return turn.warn(text.to_owned());
        }
        if self.decommissioning || self.ending.is_some() {
            return;
        }
        self.decommissioning = true;
        turn.info("this worker takes nothing more, and leaves when nothing runs on it".to_owned());
        self.tell_leader(FromWorker::Decommissioning, turn);
    }

    /// Ends all processes, then the worker.
    fn end(&mut self, code: i32, turn: &mut Turn) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(code);
        // So that nothing is placed here in the place of what ends.
        if !self.decommissioning {
            self.tell_leader(FromWorker::Decommissioning, turn);
        }
        let executors: Vec<_> = self.executors.keys().cloned().collect();
        executors.iter().for_each(|key| self.terminate_executor(key, KillCause::WorkerEnds, turn));
        let drivers: Vec<_> = self.drivers.keys().cloned().collect();
        drivers.iter().for_each(|id| self.terminate_driver(id, KillCause::WorkerEnds, turn));
    }

    fn exit_if_done(&mut self, turn: &mut Turn) {
        let runs = !self.processes.is_empty() || !self.waiting.is_empty();
        let waits = self.drivers.values().any(|driver| driver.phase != DriverPhase::Ended);
        let code = match self.ending {
            Some(code) if !runs => code,
            None if self.decommissioning && !runs && !waits && self.reports.is_empty() => 0,
            _ => return,
        };
        self.exited = true;
        turn.commands.push(WorkerCommand::Exit { code });
    }

    /// Its id.
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// What it offers.
    pub fn description(&self) -> &WorkerDescription {
        &self.description
    }

    /// The master that it is registered with.
    pub fn leader(&self) -> Option<&Leader> {
        self.registration.leader().map(|(_, leader)| leader)
    }

    /// Does it take nothing more?
    pub fn is_decommissioning(&self) -> bool {
        self.decommissioning
    }

    /// What its executors and drivers take.
    pub fn used(&self) -> Usage {
        let executors = self.executors.values().filter(|executor| !executor.state.is_final());
        let executors = executors.map(|executor| (executor.cores, executor.memory, executor.resources.as_slice()));
        let drivers = self
            .drivers
            .values()
            .filter(|driver| driver.phase != DriverPhase::Ended)
            .map(|driver| (driver.description.cores, driver.description.memory, driver.resources.as_slice()));
        records::sum(executors.chain(drivers))
    }

    /// Its executors, also those that have ended and are still shown.
    pub fn executors(&self) -> impl Iterator<Item = &ExecutorRecord> {
        self.executors.values()
    }

    /// Its drivers, also those that have ended and are still shown.
    pub fn drivers(&self) -> impl Iterator<Item = &DriverRecord> {
        self.drivers.values()
    }

    fn tell_leader(&self, message: FromWorker, turn: &mut Turn) {
        if let Some((master, _)) = self.registration.leader() {
            turn.send(master, message);
        }
    }
}
