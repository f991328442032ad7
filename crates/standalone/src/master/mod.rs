//! The master: which worker runs what, for whom (SA-20…59).
//!
//! ```text
//! Master::new(options, seed) -> Master                            // STANDBY
//! master.handle_all(now, events) -> Vec<MasterCommand>            // one round of placement for all of them
//! master.next_deadline() -> Option<Moment>                        // then MasterEvent::DeadlineReached
//! ```
//!
//! ```text
//!  STANDBY ── elected ──► RECOVERING ── all have answered, or time is up ──► COMPLETING_RECOVERY ──► ALIVE
//!      every one ◄── deposed: the process ends
//! ```
//!
//! A standby remembers nothing but its connections. When one is elected it tells all of them, and they say what they are and
//! have; until then, or until `spark.deploy.recoveryTimeout`, it starts nothing.
//!
//! Invariants, checked after every event in tests: what is used of a worker is the sum of what its executors and drivers have,
//! and never more than it offers, save what it has reported itself; each executor is listed with its worker and its application
//! or with neither.

mod applications;
mod command;
mod drivers;
mod event;
mod executors;
mod invariants;
mod options;
mod records;
mod recovery;
mod scheduling;
#[cfg(test)]
mod tests;
mod waiting;
mod workers;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use firesteel_model::{ApplicationId, Moment, Now, SubmissionId, WorkerId};

pub use command::{ApplicationEnd, DriverEnd, MasterCommand, Record, RecordKey, Stored, StoredMap};
pub use event::MasterEvent;
pub use options::MasterOptions;
pub use records::{ApplicationRecord, DriverRecord, ExecutorRecord, WorkerRecord};

use crate::{
    RecoveryState, WorkerState,
    protocol::{ClientAnswer, ClientRequest, FromMaster, Leader, ToApplication, ToMaster, ToWorker},
    random::Random,
};

/// Numbers a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

/// How long somebody whose connection has ended may take to come back. A process that was killed does not come; one that
/// has changed its mind about the connection comes at once.
const RECONNECT_TIME: Duration = Duration::from_secs(2);

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct Master {
    options: MasterOptions,
    random: Random,
    state: RecoveryState,
    leader: Option<Leader>,
    /// When recovery ends in any case.
    recovered_at: Option<Moment>,
    /// When workers are looked at next.
    workers_checked_at: Option<Moment>,
    peers: BTreeMap<PeerId, Peer>,
    workers: BTreeMap<WorkerId, WorkerRecord>,
    applications: BTreeMap<ApplicationId, ApplicationRecord>,
    /// In the order of their submission.
    order: Vec<ApplicationId>,
    completed_applications: VecDeque<ApplicationRecord>,
    drivers: BTreeMap<SubmissionId, DriverRecord>,
    waiting_drivers: VecDeque<SubmissionId>,
    completed_drivers: VecDeque<DriverRecord>,
    next_application: u64,
    next_driver: u64,
    /// Something has happened that may let somebody have more.
    to_schedule: bool,
}

/// Who is at the other end.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Peer {
    /// It has not said, or it is a client.
    Unknown,
    Worker(WorkerId),
    Application(ApplicationId),
}

/// One call.
struct Turn {
    now: Now,
    commands: Vec<MasterCommand>,
}

impl Turn {
    fn send(&mut self, peer: PeerId, message: FromMaster) {
        self.commands.push(MasterCommand::Send { peer, message: Box::new(message) });
    }

    fn store(&mut self, record: Record) {
        self.commands.push(MasterCommand::Store(Box::new(record)));
    }

    fn erase(&mut self, key: RecordKey) {
        self.commands.push(MasterCommand::Erase(key));
    }

    fn info(&mut self, text: String) {
        self.commands.push(MasterCommand::Log { warning: false, text });
    }

    fn warn(&mut self, text: String) {
        self.commands.push(MasterCommand::Log { warning: true, text });
    }
}

impl Master {
    /// A master that does not lead yet. `seed` decides which of several equal workers gets a driver.
    pub fn new(options: MasterOptions, seed: u64) -> Self {
        Self {
            options,
            random: Random::new(seed),
            state: RecoveryState::Standby,
            leader: None,
            recovered_at: None,
            workers_checked_at: None,
            peers: BTreeMap::new(),
            workers: BTreeMap::new(),
            applications: BTreeMap::new(),
            order: Vec::new(),
            completed_applications: VecDeque::new(),
            drivers: BTreeMap::new(),
            waiting_drivers: VecDeque::new(),
            completed_drivers: VecDeque::new(),
            next_application: 0,
            next_driver: 0,
            to_schedule: false,
        }
    }

    /// Takes note of events, in their order, then places what can be placed.
    pub fn handle_all(&mut self, now: Now, events: impl IntoIterator<Item = MasterEvent>) -> Vec<MasterCommand> {
        let mut turn = Turn { now, commands: Vec::new() };
        for event in events {
            self.handle(event, &mut turn);
        }
        self.finish_recovery_if_done(&mut turn);
        if std::mem::take(&mut self.to_schedule) && self.state == RecoveryState::Alive {
            self.schedule(&mut turn);
        }
        turn.commands
    }

    /// When it must be told [`MasterEvent::DeadlineReached`] at the latest; none while nothing is waited for.
    pub fn next_deadline(&self) -> Option<Moment> {
        let workers = self.workers.values().filter_map(|worker| worker.gone_at);
        let applications = self.applications.values().filter_map(|application| application.gone_at);
        workers.chain(applications).chain(self.recovered_at).chain(self.workers_checked_at).min()
    }

    fn handle(&mut self, event: MasterEvent, turn: &mut Turn) {
        match event {
            MasterEvent::Connected { peer } => {
                self.peers.insert(peer, Peer::Unknown);
                if let Some(leader) = &self.leader {
                    turn.send(peer, FromMaster::MasterLeads(leader.clone()));
                }
            }
            MasterEvent::Received { peer, message } => self.received(peer, *message, turn),
            MasterEvent::Disconnected { peer, silent } => self.disconnected(peer, silent, turn),
            MasterEvent::Elected { term, stored } => self.elected(term, stored, turn),
            MasterEvent::Deposed => {
                if self.leader.take().is_some() {
                    turn.warn("another master leads; this one ends".to_owned());
                    turn.commands.push(MasterCommand::Exit);
                }
                self.state = RecoveryState::Standby;
            }
            _ if !self.leads() => {}
            MasterEvent::KillApplication { application_id } => self.kill_application(&application_id, turn),
            MasterEvent::KillDriver { submission_id } => {
                let _ = self.kill_driver(&submission_id, turn);
            }
            MasterEvent::DecommissionWorkers { hosts } => self.decommission_workers(&hosts, turn),
            MasterEvent::DeadlineReached => {
                self.check_workers(turn);
                self.check_applications(turn);
            }
        }
    }

    fn received(&mut self, peer: PeerId, message: ToMaster, turn: &mut Turn) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        match message {
            ToMaster::Client(request) => self.client_asks(peer, request, turn),
            // Answered where the files are.
            ToMaster::Artifacts(_) => {}
            // Whoever has said so registers again when this one leads.
            _ if !self.leads() => turn.send(peer, FromMaster::MasterInStandby),
            ToMaster::Worker(message) => self.worker_says(peer, message, turn),
            ToMaster::Application(message) => self.application_says(peer, message, turn),
        }
    }

    fn client_asks(&mut self, peer: PeerId, request: ClientRequest, turn: &mut Turn) {
        let answer = match request {
            ClientRequest::MasterStatus => ClientAnswer::Master { state: self.state, leader: self.leader.clone() },
            ClientRequest::SubmitDriver(description) => {
                ClientAnswer::Submitted(self.if_alive("submit").and_then(|()| self.submit_driver(*description, turn)))
            }
            ClientRequest::KillDriver(submission_id) => {
                ClientAnswer::Killed(self.if_alive("kill").and_then(|()| self.kill_driver(&submission_id, turn)))
            }
            ClientRequest::KillAllDrivers => {
                ClientAnswer::Killed(self.if_alive("kill").map(|()| self.kill_all_drivers(turn)))
            }
            ClientRequest::ClearCompleted => {
                ClientAnswer::Cleared(self.if_alive("forget").map(|()| self.clear_completed()))
            }
            // Not before recovery has ended: the id of one that is still to answer might be given twice.
            ClientRequest::NewApplication if self.state != RecoveryState::Alive => {
                return turn.send(peer, FromMaster::MasterInStandby);
            }
            ClientRequest::NewApplication => ClientAnswer::NewApplication(self.new_application(turn)),
            ClientRequest::DriverStatus(_) if self.state != RecoveryState::Alive => {
                return turn.send(peer, FromMaster::MasterInStandby);
            }
            ClientRequest::DriverStatus(submission_id) => {
                turn.commands.push(MasterCommand::Confirm);
                ClientAnswer::Status(self.driver_status(&submission_id))
            }
        };
        turn.send(peer, FromMaster::Client(answer));
    }

    /// SA-58: what nobody but an active master can do.
    fn if_alive(&self, what: &str) -> Result<(), String> {
        match self.state {
            RecoveryState::Alive => Ok(()),
            state => {
                Err(format!("the master {} is {state} and cannot {what} drivers; it must be ALIVE", self.options.url))
            }
        }
    }

    fn disconnected(&mut self, peer: PeerId, silent: bool, turn: &mut Turn) {
        let grace = if silent { self.options.worker_timeout } else { RECONNECT_TIME };
        let gone_at = Some(turn.now.moment + grace);
        match self.peers.remove(&peer) {
            Some(Peer::Worker(worker_id)) => {
                if let Some(worker) = self.workers.get_mut(&worker_id).filter(|worker| worker.peer == Some(peer)) {
                    worker.peer = None;
                    worker.gone_at = gone_at;
                }
            }
            Some(Peer::Application(application_id)) => {
                let application = self.applications.get_mut(&application_id);
                if let Some(application) = application.filter(|application| application.peer == Some(peer)) {
                    application.peer = None;
                    application.gone_at = gone_at;
                }
            }
            Some(Peer::Unknown) | None => {}
        }
    }

    /// Has it been elected, and not been deposed?
    pub fn leads(&self) -> bool {
        self.leader.is_some()
    }

    /// What it is.
    pub fn state(&self) -> RecoveryState {
        self.state
    }

    /// Itself, while it leads.
    pub fn leader(&self) -> Option<&Leader> {
        self.leader.as_ref()
    }

    /// What it was configured with.
    pub fn options(&self) -> &MasterOptions {
        &self.options
    }

    /// All workers that are shown, dead ones too.
    pub fn workers(&self) -> impl Iterator<Item = &WorkerRecord> {
        self.workers.values()
    }

    /// A worker.
    pub fn worker(&self, worker_id: &WorkerId) -> Option<&WorkerRecord> {
        self.workers.get(worker_id)
    }

    /// Applications that have not ended, in the order of their submission.
    pub fn applications(&self) -> impl Iterator<Item = &ApplicationRecord> {
        self.order.iter().filter_map(|id| self.applications.get(id))
    }

    /// The last applications that have ended, the latest last.
    pub fn completed_applications(&self) -> impl Iterator<Item = &ApplicationRecord> {
        self.completed_applications.iter()
    }

    /// An application, ended or not.
    pub fn application(&self, application_id: &ApplicationId) -> Option<&ApplicationRecord> {
        let ended = || self.completed_applications.iter().rev().find(|application| application.id == *application_id);
        self.applications.get(application_id).or_else(ended)
    }

    /// Drivers that have not ended.
    pub fn drivers(&self) -> impl Iterator<Item = &DriverRecord> {
        self.drivers.values()
    }

    /// The last drivers that have ended, the latest last.
    pub fn completed_drivers(&self) -> impl Iterator<Item = &DriverRecord> {
        self.completed_drivers.iter()
    }

    fn alive_workers(&self) -> impl Iterator<Item = &WorkerRecord> {
        self.workers.values().filter(|worker| worker.state == WorkerState::Alive)
    }

    /// Tells the driver of an application something, if it can be reached.
    fn tell_application(&self, application_id: &ApplicationId, message: ToApplication, turn: &mut Turn) {
        if let Some(peer) = self.applications.get(application_id).and_then(|application| application.peer) {
            turn.send(peer, FromMaster::Application(message));
        }
    }

    /// Tells a worker something, if it can be reached.
    fn tell_worker(&self, worker_id: &WorkerId, message: ToWorker, turn: &mut Turn) {
        if let Some(peer) = self.workers.get(worker_id).and_then(|worker| worker.peer) {
            turn.send(peer, FromMaster::Worker(message));
        }
    }

    /// Its term. Orders are only given while it leads.
    fn term(&self) -> crate::Term {
        self.leader.as_ref().map(|leader| leader.term).unwrap_or_default()
    }
}

/// Drops a tenth of what is kept, and at least one, when there is too much (SA-59). Returns what is dropped.
fn retain<T>(kept: &mut VecDeque<T>, most: usize) -> Vec<T> {
    if kept.len() <= most {
        return Vec::new();
    }
    let surplus = (most / 10).max(1).max(kept.len() - most);
    kept.drain(..surplus.min(kept.len())).collect()
}
