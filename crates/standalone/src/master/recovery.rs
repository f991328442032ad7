//! A new leader hears what was there before (SA-50…54).

use firesteel_model::{ApplicationId, SubmissionId, WorkerId};

use super::{ApplicationEnd, ApplicationRecord, DriverEnd, DriverRecord, Master, Record, Stored, Turn, WorkerRecord};
use crate::{
    ApplicationState, DriverState, RecoveryState, Term, WorkerState,
    protocol::{FromMaster, Leader},
};

impl Master {
    pub(super) fn elected(&mut self, term: Term, stored: Stored, turn: &mut Turn) {
        if self.leads() {
            return;
        }
        let leader = Leader { term, url: self.options.url.clone(), web_ui_url: self.options.web_ui_url.clone() };
        self.leader = Some(leader.clone());
        self.workers_checked_at = Some(turn.now.moment + self.options.worker_timeout / 4);
        for record in stored.records {
            self.remember(record, turn);
        }
        self.completed_applications.make_contiguous().sort_by_key(|application| application.ended_ms);
        self.completed_drivers.make_contiguous().sort_by_key(|driver| driver.submitted_ms);
        self.order = self.applications.keys().cloned().collect();
        self.order.sort_by_key(|id| self.applications[id].submitted_ms);
        let found = (self.workers.len(), self.applications.len(), self.drivers.len());
        if found == (0, 0, 0) {
            self.state = RecoveryState::Alive;
            turn.info("I have been elected leader! New state: ALIVE".to_owned());
        } else {
            self.state = RecoveryState::Recovering;
            self.recovered_at = Some(turn.now.moment + self.options.recovery_timeout);
            let (workers, applications, drivers) = found;
            turn.info(format!(
                "I have been elected leader! New state: RECOVERING {workers} workers, {applications} applications and {drivers} drivers"
            ));
        }
        for peer in self.peers.keys() {
            turn.send(*peer, FromMaster::MasterLeads(leader.clone()));
        }
    }

    /// Somebody has heard of a later term. A master that is alone had that one itself, before its clock was set back; it goes
    /// on from there, as nobody would obey it. One of several is about to learn that another one leads.
    pub(super) fn outlive(&mut self, heard: Term, turn: &mut Turn) {
        let Some(leader) = self.leader.as_mut().filter(|leader| leader.term < heard) else { return };
        if !self.options.alone {
            return turn.warn(format!("a leader of term {heard} was heard of, and this one has {}", leader.term));
        }
        leader.term = Term(heard.0.saturating_add(1));
        let leader = leader.clone();
        turn.warn(format!("the clock was set back: term {heard} was before, and the term is {}", leader.term));
        for peer in self.peers.keys() {
            turn.send(*peer, FromMaster::MasterLeads(leader.clone()));
        }
    }

    fn remember(&mut self, record: Record, turn: &Turn) {
        match record {
            Record::Worker { worker_id, description } => {
                let mut worker = WorkerRecord::new(worker_id.clone(), description, WorkerState::Unknown);
                worker.last_heartbeat = turn.now.moment;
                self.workers.insert(worker_id, worker);
            }
            Record::Application { application_id, description, submitted_ms, next_executor, end } => {
                let mut application = ApplicationRecord::new(
                    application_id.clone(),
                    description,
                    ApplicationState::Unknown,
                    submitted_ms,
                );
                application.next_executor = next_executor;
                if let Some(ApplicationEnd { state, ended_ms, message }) = end {
                    application.state = state;
                    application.ended_ms = Some(ended_ms);
                    application.end_message = message;
                    return self.completed_applications.push_back(application);
                }
                self.applications.insert(application_id, application);
            }
            Record::Driver { submission_id, description, submitted_ms, state, worker_id, killed, end } => {
                let mut driver = DriverRecord::new(submission_id.clone(), *description, submitted_ms);
                driver.killed = killed;
                if let Some(end) = end {
                    driver.state = state;
                    driver.worker_id = worker_id;
                    driver.worker_host_port = end.worker_host_port;
                    driver.exit_code = end.exit_code;
                    driver.message = end.message;
                    driver.relaunched_as = end.relaunched_as;
                    return self.completed_drivers.push_back(driver);
                }
                // One that no worker ever had still waits for the first.
                if worker_id.is_none() && state == DriverState::Submitted {
                    self.waiting_drivers.push_back(submission_id.clone());
                } else {
                    driver.state = DriverState::Unknown;
                    driver.worker_id = worker_id;
                }
                self.drivers.insert(submission_id, driver);
            }
            Record::Numbers { next_application, next_driver } => {
                self.next_application = self.next_application.max(next_application);
                self.next_driver = self.next_driver.max(next_driver);
            }
        }
    }

    /// Ends recovery when all have answered, or when time is up.
    pub(super) fn finish_recovery_if_done(&mut self, turn: &mut Turn) {
        if self.state != RecoveryState::Recovering {
            return;
        }
        let time_is_up = self.recovered_at.is_some_and(|moment| moment <= turn.now.moment);
        let silent = self.workers.values().any(|worker| worker.state == WorkerState::Unknown)
            || self.applications.values().any(|application| application.state == ApplicationState::Unknown);
        if silent && !time_is_up {
            return;
        }
        self.state = RecoveryState::CompletingRecovery;
        self.recovered_at = None;
        let workers: Vec<WorkerId> =
            self.workers.values().filter(|worker| worker.state == WorkerState::Unknown).map(|w| w.id.clone()).collect();
        for worker_id in workers {
            self.remove_worker(&worker_id, "it did not answer the new master", turn);
        }
        let silent = |application: &&ApplicationRecord| application.state == ApplicationState::Unknown;
        let applications: Vec<ApplicationId> =
            self.applications.values().filter(silent).map(|application| application.id.clone()).collect();
        for application_id in applications {
            let message = "it did not answer the new master";
            self.finish_application(&application_id, ApplicationState::Finished, message, turn);
        }
        // What no worker has reported.
        let drivers: Vec<SubmissionId> =
            self.drivers.values().filter(|driver| driver.state == DriverState::Unknown).map(|d| d.id.clone()).collect();
        for submission_id in drivers {
            self.driver_lost(&submission_id, "no worker has reported it to the new master", turn);
        }
        self.state = RecoveryState::Alive;
        self.to_schedule = true;
        turn.info("Recovery complete - resuming operations!".to_owned());
    }

    /// What a leader keeps of an application that is about to get so many executors; also of one that has ended, so that it stays
    /// so, and that none of its numbers is used again should it only have been away.
    pub(super) fn store_application(application: &ApplicationRecord, more: u32, turn: &mut Turn) {
        let mut description = application.description.clone();
        description.launch = crate::LaunchData::default();
        turn.store(Record::Application {
            application_id: application.id.clone(),
            description,
            submitted_ms: application.submitted_ms,
            next_executor: application.next_executor.saturating_add(more),
            end: application.state.is_final().then(|| ApplicationEnd {
                state: application.state,
                ended_ms: application.ended_ms.unwrap_or_default(),
                message: application.end_message.clone(),
            }),
        });
    }

    pub(super) fn store_numbers(&self, turn: &mut Turn) {
        turn.store(Record::Numbers { next_application: self.next_application, next_driver: self.next_driver });
    }

    pub(super) fn store_driver(driver: &DriverRecord, turn: &mut Turn) {
        turn.store(Record::Driver {
            submission_id: driver.id.clone(),
            description: Box::new(driver.description.clone()),
            submitted_ms: driver.submitted_ms,
            state: driver.state,
            worker_id: driver.worker_id.clone(),
            killed: driver.killed,
            end: None,
        });
    }

    /// One that has ended is kept too, so that nobody hears that it runs from a worker that was away; without what it was
    /// started with.
    pub(super) fn store_ended_driver(driver: &DriverRecord, turn: &mut Turn) {
        let mut description = driver.description.clone();
        description.launch = crate::LaunchData::default();
        turn.store(Record::Driver {
            submission_id: driver.id.clone(),
            description: Box::new(description),
            submitted_ms: driver.submitted_ms,
            state: driver.state,
            worker_id: driver.worker_id.clone(),
            killed: driver.killed,
            end: Some(DriverEnd {
                exit_code: driver.exit_code,
                message: driver.message.clone(),
                relaunched_as: driver.relaunched_as.clone(),
                worker_host_port: driver.worker_host_port.clone(),
            }),
        });
    }
}
