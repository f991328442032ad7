//! Which master a worker belongs to, and how it comes to one (SA-36, SA-37).

use firesteel_model::Moment;

use super::{Turn, Worker};
use crate::{
    ExecutorState,
    protocol::{FromMaster, FromWorker, Leader, WorkerState},
    worker::reports::ReportKey,
};

/// So many tries to register are made in short intervals.
const FIRST_TRIES: u32 = 6;
/// So many are made in all.
const ALL_TRIES: u32 = 16;

/// Where it stands with the masters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Registration {
    /// It belongs to none, and tries.
    Tries {
        /// How often it has tried.
        tries: u32,
        /// When it tries again.
        again_at: Moment,
    },
    /// It belongs to this one.
    Done {
        /// Its number in the list.
        master: usize,
        /// What it has said of itself.
        leader: Leader,
        /// When the next sign of life is due.
        heartbeat_at: Moment,
    },
}

impl Registration {
    pub(super) fn begun(now: Moment) -> Self {
        Self::Tries { tries: 0, again_at: now }
    }

    pub(super) fn leader(&self) -> Option<(usize, &Leader)> {
        match self {
            Self::Tries { .. } => None,
            Self::Done { master, leader, .. } => Some((*master, leader)),
        }
    }

    pub(super) fn deadline(&self) -> Moment {
        match self {
            Self::Tries { again_at, .. } => *again_at,
            Self::Done { heartbeat_at, .. } => *heartbeat_at,
        }
    }
}

impl Worker {
    pub(super) fn received(&mut self, master: usize, message: FromMaster, turn: &mut Turn) {
        match message {
            FromMaster::MasterLeads(leader) => self.master_leads(master, &leader, turn),
            FromMaster::MasterInStandby => {
                if self.is_leader(master) {
                    turn.warn("the master leads no more".to_owned());
                    self.register_anew(turn);
                }
            }
            FromMaster::Worker(message) => self.ordered(master, message, turn),
            // To others.
            FromMaster::Application(_) | FromMaster::Client(_) | FromMaster::Artifacts(_) => {}
        }
    }

    pub(super) fn is_leader(&self, master: usize) -> bool {
        self.registration.leader().is_some_and(|(number, _)| number == master)
    }

    fn master_leads(&mut self, master: usize, leader: &Leader, turn: &mut Turn) {
        let known = self.registration.leader().is_some_and(|(number, known)| number == master && known == leader);
        if leader.term < self.term || known {
            return;
        }
        self.term = leader.term;
        if self.registration.leader().is_some() {
            turn.info(format!("the master has changed: {} leads", leader.url));
            self.register_anew(turn);
        }
        self.register_with(master, turn);
    }

    pub(super) fn registered(&mut self, master: usize, leader: Leader, turn: &mut Turn) {
        if leader.term < self.term {
            return turn.warn(format!("the registration with {} is void: a later master was heard of", leader.url));
        }
        self.term = leader.term;
        turn.info(format!("successfully registered with master {}", leader.url));
        let heartbeat_at = turn.now.moment + self.options.worker_timeout / 4;
        self.registration = Registration::Done { master, leader, heartbeat_at };
        self.report_all(turn);
    }

    pub(super) fn registration_failed(&mut self, master: usize, message: &str, turn: &mut Turn) {
        if self.registration.leader().is_some() && !self.is_leader(master) {
            return turn.warn(format!("a master that does not lead has refused this worker: {message}"));
        }
        turn.warn(format!("Worker registration failed: {message}"));
        self.end(1, turn);
    }

    /// The master does not know this worker.
    pub(super) fn reregister(&mut self, master: usize, turn: &mut Turn) {
        if self.registration.leader().is_some() && !self.is_leader(master) {
            return turn.warn("a master that does not lead wants this worker to register; it is ignored".to_owned());
        }
        self.register_anew(turn);
        self.register_with(master, turn);
    }

    pub(super) fn disconnected(&mut self, master: usize, turn: &mut Turn) {
        self.connected.remove(&master);
        if self.is_leader(master) {
            turn.warn("the connection to the master has ended; waiting for it or another one".to_owned());
            self.register_anew(turn);
        }
    }

    pub(super) fn refused(&mut self, master: usize, reason: &str, turn: &mut Turn) {
        turn.warn(format!("a master will never take this worker: {reason}"));
        self.refused.insert(master);
        if self.refused.len() == self.masters {
            turn.warn("no master takes this worker".to_owned());
            self.end(1, turn);
        }
    }

    /// From no master to one: the tries are counted from the start.
    fn register_anew(&mut self, turn: &Turn) {
        if self.registration.leader().is_some() {
            let again_at = turn.now.moment + self.options.first_registration_wait.mul_f64(self.jitter());
            self.registration = Registration::Tries { tries: 1, again_at };
            self.reports.values_mut().for_each(|report| report.again_at = None);
        }
    }

    /// So that not all workers that have lost their master come at once.
    fn jitter(&mut self) -> f64 {
        0.5 + self.random.fraction()
    }

    /// What is due: a sign of life, or the next try.
    pub(super) fn keep_registered(&mut self, turn: &mut Turn) {
        let now = turn.now.moment;
        match &mut self.registration {
            Registration::Done { master, heartbeat_at, .. } if *heartbeat_at <= now => {
                *heartbeat_at = now + self.options.worker_timeout / 4;
                turn.send(*master, FromWorker::Heartbeat);
            }
            Registration::Tries { tries, again_at } if *again_at <= now => {
                if *tries == ALL_TRIES {
                    turn.warn("All masters are unresponsive! Giving up.".to_owned());
                    return self.end(1, turn);
                }
                let tries = *tries + 1;
                let wait = match tries {
                    ..FIRST_TRIES => self.options.first_registration_wait,
                    _ => self.options.later_registration_wait,
                };
                let again_at = now + wait.mul_f64(self.jitter());
                self.registration = Registration::Tries { tries, again_at };
                turn.info(format!("registering with the masters (attempt # {tries})"));
                // One that has not answered may have lost its memory; the others say that they do not lead.
                let masters: Vec<usize> = self.connected.iter().copied().collect();
                masters.into_iter().for_each(|master| self.register_with(master, turn));
            }
            Registration::Done { .. } | Registration::Tries { .. } => {}
        }
    }

    fn register_with(&self, master: usize, turn: &mut Turn) {
        let executors = self.executors.iter().filter(|((application_id, number), executor)| {
            let key = || ReportKey::Executor(application_id.clone(), *number);
            !ExecutorState::is_final(executor.state) || self.reports.contains_key(&key())
        });
        let drivers = self.drivers.values().filter(|driver| {
            !driver.state.is_final() || self.reports.contains_key(&ReportKey::Driver(driver.id.clone()))
        });
        let state = WorkerState {
            worker_id: self.id.clone(),
            description: self.description.clone(),
            executors: executors.map(|(_, executor)| executor.as_running()).collect(),
            drivers: drivers.map(|driver| driver.as_running()).collect(),
            decommissioning: self.decommissioning || self.ending.is_some(),
            term: self.term,
        };
        turn.send(master, FromWorker::Register(state));
    }
}
