//! Drivers that were submitted (SA-33).

use firesteel_model::{SubmissionId, WorkerId};

use super::{DriverRecord, Master, RecordKey, Turn, retain};
use crate::{
    DriverDescription, DriverState, RecoveryState,
    number::submission_id,
    protocol::{DriverStatus, DriverUpdate, ToWorker},
};

impl Master {
    pub(super) fn submit_driver(
        &mut self,
        description: DriverDescription,
        turn: &mut Turn,
    ) -> Result<SubmissionId, String> {
        turn.info(format!("Driver submitted {}", description.name));
        let id = self.add_driver(description, turn);
        self.to_schedule = true;
        Ok(id)
    }

    fn add_driver(&mut self, description: DriverDescription, turn: &mut Turn) -> SubmissionId {
        let id = loop {
            let id = submission_id(turn.now.wall_clock_ms, self.next_driver);
            self.next_driver += 1;
            if self.driver(&id).is_none() {
                break id;
            }
        };
        self.store_numbers(turn);
        let driver = DriverRecord::new(id.clone(), description, turn.now.wall_clock_ms);
        Self::store_driver(&driver, turn);
        self.drivers.insert(id.clone(), driver);
        self.waiting_drivers.push_back(id.clone());
        id
    }

    /// A driver, ended or not.
    pub fn driver(&self, submission_id: &SubmissionId) -> Option<&DriverRecord> {
        let ended = || self.completed_drivers.iter().rev().find(|driver| driver.id == *submission_id);
        self.drivers.get(submission_id).or_else(ended)
    }

    /// What runs for this submission now: the driver itself, or what has followed it.
    fn latest(&self, submission_id: &SubmissionId) -> Option<&DriverRecord> {
        let mut driver = self.driver(submission_id)?;
        while let Some(next) = driver.relaunched_as.as_ref().and_then(|next| self.driver(next)) {
            driver = next;
        }
        Some(driver)
    }

    pub(super) fn driver_status(&self, submission_id: &SubmissionId) -> Option<DriverStatus> {
        let driver = self.latest(submission_id)?;
        let followed = (driver.id != *submission_id).then(|| format!("it was relaunched as {}", driver.id));
        let message: Vec<&str> =
            followed.iter().map(String::as_str).chain([driver.message.as_str()]).filter(|m| !m.is_empty()).collect();
        Some(DriverStatus {
            state: driver.state,
            worker: driver.worker_id.clone().map(|worker_id| (worker_id, driver.worker_host_port.clone())),
            exit_code: driver.exit_code,
            message: message.join("; "),
        })
    }

    pub(super) fn kill_driver(&mut self, submission_id: &SubmissionId, turn: &mut Turn) -> Result<String, String> {
        let latest = self.latest(submission_id).map(|driver| (driver.id.clone(), driver.state));
        let Some((id, state)) = latest.filter(|(_, state)| !state.is_final()) else {
            return Err(format!("Driver {submission_id} has already finished or does not exist"));
        };
        turn.info(format!("Asked to kill driver {submission_id}"));
        if self.waiting_drivers.contains(&id) {
            self.waiting_drivers.retain(|waiting| *waiting != id);
            self.end_driver(&id, DriverState::Killed, "killed before it was started", turn);
            return Ok(format!("Killed driver {id} before it was started"));
        }
        let driver = self.drivers.get_mut(&id).expect("it has not ended");
        driver.killed = true;
        let worker_id = driver.worker_id.clone();
        Self::store_driver(driver, turn);
        if let Some(worker_id) = worker_id.filter(|_| state != DriverState::Unknown) {
            self.tell_worker(&worker_id, ToWorker::KillDriver { term: self.term(), submission_id: id.clone() }, turn);
        }
        Ok(format!("Kill request for {id} submitted"))
    }

    pub(super) fn kill_all_drivers(&mut self, turn: &mut Turn) -> String {
        let ids: Vec<SubmissionId> = self.drivers.keys().cloned().collect();
        for id in &ids {
            // All of them have not ended.
            let _ = self.kill_driver(id, turn);
        }
        format!("Kill request for all drivers submitted: there were {}", ids.len())
    }

    pub(super) fn clear_completed(&mut self) {
        self.completed_drivers.clear();
        self.completed_applications.clear();
    }

    pub(super) fn driver_changed(&mut self, worker_id: &WorkerId, update: DriverUpdate, turn: &mut Turn) {
        if update.state.is_final() {
            let submission_id = update.submission_id.clone();
            self.tell_worker(worker_id, ToWorker::DriverUpdateTaken { submission_id }, turn);
        }
        let here = |driver: &&mut DriverRecord| driver.worker_id.as_ref() == Some(worker_id);
        let Some(driver) = self.drivers.get_mut(&update.submission_id).filter(here) else { return };
        driver.exit_code = update.exit_code;
        if update.state.is_final() {
            self.end_driver(&update.submission_id, update.state, &update.message, turn);
        } else {
            driver.state = update.state;
            driver.message = update.message;
        }
    }

    /// Its worker does not have it any more. One that is supervised follows it on another worker, under a new id: should the
    /// worker come back, the old one is ended.
    pub(super) fn driver_lost(&mut self, submission_id: &SubmissionId, message: &str, turn: &mut Turn) {
        let Some(driver) = self.drivers.get(submission_id) else { return };
        if driver.killed {
            return self.end_driver(submission_id, DriverState::Killed, message, turn);
        }
        if !driver.description.supervise {
            return self.end_driver(submission_id, DriverState::Error, message, turn);
        }
        let description = driver.description.clone();
        let next = self.add_driver(description, turn);
        turn.warn(format!("Re-launching driver {submission_id} as {next}: {message}"));
        if let Some(driver) = self.drivers.get_mut(submission_id) {
            driver.relaunched_as = Some(next);
        }
        self.end_driver(submission_id, DriverState::Relaunching, message, turn);
    }

    /// The driver has ended: its room is free.
    fn end_driver(&mut self, submission_id: &SubmissionId, state: DriverState, message: &str, turn: &mut Turn) {
        let Some(mut driver) = self.drivers.remove(submission_id) else { return };
        turn.info(format!("Removing driver {submission_id} with state {state}: {message}"));
        if let Some(worker) = driver.worker_id.as_ref().and_then(|worker_id| self.workers.get_mut(worker_id))
            && worker.drivers.remove(submission_id)
        {
            worker.release(driver.description.cores, driver.description.memory, &driver.resources);
        }
        driver.state = state;
        message.clone_into(&mut driver.message);
        Self::store_ended_driver(&driver, turn);
        self.completed_drivers.push_back(driver);
        for forgotten in retain(&mut self.completed_drivers, self.options.retained_drivers) {
            turn.erase(RecordKey::Driver(forgotten.id));
        }
        self.to_schedule = true;
    }

    /// How many drivers wait for a worker.
    pub fn waiting_drivers(&self) -> usize {
        self.waiting_drivers.len()
    }

    /// Can drivers be taken?
    pub fn is_alive(&self) -> bool {
        self.state == RecoveryState::Alive
    }
}
