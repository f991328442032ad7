//! Drivers on a worker (SA-33).

use std::time::Duration;

use firesteel_model::SubmissionId;

use super::{
    Owner, ProcessEnd, Turn, Worker, WorkerCommand,
    records::{DriverPhase, DriverRecord, Kill, KillCause},
    reports::ReportKey,
    room::Launch,
};
use crate::{
    DriverState,
    protocol::{DriverUpdate, FromWorker, LaunchDriver},
};

/// How long is waited before a supervised driver is started again; twice as long after each further time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Once it has run for longer than this, the wait is the first one again.
const SUCCESSFUL_RUN: Duration = Duration::from_secs(5);

impl Worker {
    pub(super) fn launch_driver(&mut self, launch: LaunchDriver, turn: &mut Turn) {
        let id = launch.submission_id.clone();
        if let Some(driver) = self.drivers.get(&id) {
            turn.warn(format!("driver {id} was started before and is not again"));
            if driver.phase == DriverPhase::Ended {
                self.tell_leader(FromWorker::DriverChanged(driver.update()), turn);
            }
            return;
        }
        // Once it is lost with this worker, one that is supervised is started on another.
        if self.ending.is_some() {
            return turn.warn(format!("driver {id} is not started, as this worker ends"));
        }
        if self.decommissioning {
            turn.warn(format!("driver {id} is not started, as this worker leaves"));
            let message = "its worker leaves and takes nothing more".to_owned();
            let update = DriverUpdate { submission_id: id, state: DriverState::Error, exit_code: None, message };
            return self.tell_leader(FromWorker::DriverChanged(update), turn);
        }
        turn.info(format!("Asked to launch driver {id}"));
        let process = self.new_process();
        let driver = DriverRecord {
            id: id.clone(),
            description: launch.description.clone(),
            resources: launch.resources.clone(),
            state: DriverState::Running,
            exit_code: None,
            message: String::new(),
            pid: None,
            phase: DriverPhase::Process { process, started_at: None, kill: None },
            next_wait: FIRST_WAIT,
        };
        self.drivers.insert(id.clone(), driver);
        self.start_in_room(process, Owner::Driver(id), Launch::Driver(Box::new(launch)), turn);
    }

    pub(super) fn driver_started(&mut self, id: &SubmissionId, pid: u32, turn: &mut Turn) {
        let Some(driver) = self.drivers.get_mut(id) else { return };
        if let DriverPhase::Process { started_at: started_at @ None, .. } = &mut driver.phase {
            *started_at = Some(turn.now.moment);
            driver.pid = Some(pid);
            // A first start is no news.
            if driver.state == DriverState::Relaunching {
                driver.state = DriverState::Running;
                let update = driver.update();
                self.tell_leader(FromWorker::DriverChanged(update), turn);
            }
        }
    }

    /// What is not there any more, or never was, is as good as killed.
    pub(super) fn kill_driver(&mut self, id: &SubmissionId, turn: &mut Turn) {
        match self.drivers.get(id) {
            None => {
                let message = "its worker does not have it".to_owned();
                let state = DriverState::Killed;
                let update = DriverUpdate { submission_id: id.clone(), state, exit_code: None, message };
                self.tell_leader(FromWorker::DriverChanged(update), turn);
            }
            Some(driver) if driver.phase == DriverPhase::Ended => {
                let update = driver.update();
                self.tell_leader(FromWorker::DriverChanged(update), turn);
            }
            Some(_) => self.terminate_driver(id, KillCause::Ordered, turn),
        }
    }

    pub(super) fn terminate_driver(&mut self, id: &SubmissionId, why: KillCause, turn: &mut Turn) {
        let Some(driver) = self.drivers.get_mut(id) else { return };
        match &mut driver.phase {
            DriverPhase::Process { process, kill: kill @ None, .. } => {
                let forced_at = Some(turn.now.moment + self.options.driver_terminate_timeout);
                *kill = Some(Kill { why, forced_at });
                let process = *process;
                if self.withdraw(process) {
                    return self.driver_ended(id, Err("it had not been started".to_owned()), turn);
                }
                turn.commands.push(WorkerCommand::Terminate { process });
            }
            DriverPhase::Waits { .. } if why == KillCause::Ordered => {
                let message = "killed while it waited to be started again".to_owned();
                self.end_driver(id, DriverState::Killed, message, turn);
            }
            DriverPhase::Process { .. } | DriverPhase::Waits { .. } | DriverPhase::Ended => {}
        }
    }

    /// Those that were asked to end, and have not in time.
    pub(super) fn force_drivers(&mut self, turn: &mut Turn) {
        for driver in self.drivers.values_mut() {
            let DriverPhase::Process { process, kill: Some(kill), .. } = &mut driver.phase else { continue };
            if kill.forced_at.is_some_and(|moment| moment <= turn.now.moment) {
                kill.forced_at = None;
                turn.warn(format!("driver {} did not end in time and is killed", driver.id));
                turn.commands.push(WorkerCommand::Kill { process: *process });
            }
        }
    }

    /// Those whose wait is over.
    pub(super) fn restart_drivers(&mut self, turn: &mut Turn) {
        let due =
            |driver: &DriverRecord| matches!(driver.phase, DriverPhase::Waits { until } if until <= turn.now.moment);
        let ids: Vec<SubmissionId> =
            self.drivers.values().filter(|driver| due(driver)).map(|driver| driver.id.clone()).collect();
        for id in ids {
            let process = self.new_process();
            let term = self.term;
            let driver = self.drivers.get_mut(&id).expect("it was found there");
            driver.phase = DriverPhase::Process { process, started_at: None, kill: None };
            let (description, resources) = (driver.description.clone(), driver.resources.clone());
            let launch = Box::new(LaunchDriver { term, submission_id: id.clone(), description, resources });
            self.start_in_room(process, Owner::Driver(id), Launch::Driver(launch), turn);
        }
    }

    pub(super) fn driver_ended(&mut self, id: &SubmissionId, end: Result<ProcessEnd, String>, turn: &mut Turn) {
        let Some(driver) = self.drivers.get_mut(id) else { return };
        let DriverPhase::Process { started_at, kill, .. } = driver.phase else { return };
        driver.pid = None;
        let end = match end {
            Ok(end) => end,
            Err(message) => {
                let state = if kill.is_some() { DriverState::Killed } else { DriverState::Error };
                return self.end_driver(id, state, message, turn);
            }
        };
        driver.exit_code = end.exit_code;
        let message = describe(&end);
        if kill.is_some() {
            return self.end_driver(id, DriverState::Killed, message, turn);
        }
        if end.exit_code == Some(0) {
            return self.end_driver(id, DriverState::Finished, String::new(), turn);
        }
        if !driver.description.supervise {
            return self.end_driver(id, DriverState::Failed, message, turn);
        }
        if started_at.is_some_and(|started| turn.now.moment.since(started) > SUCCESSFUL_RUN) {
            driver.next_wait = FIRST_WAIT;
        }
        let wait = driver.next_wait;
        driver.next_wait = wait.saturating_mul(2);
        driver.phase = DriverPhase::Waits { until: turn.now.moment + wait };
        driver.state = DriverState::Relaunching;
        turn.info(format!("driver {id} {message}; it is started again after {} s", wait.as_secs()));
        driver.message = message;
        let update = driver.update();
        self.tell_leader(FromWorker::DriverChanged(update), turn);
    }

    fn end_driver(&mut self, id: &SubmissionId, state: DriverState, message: String, turn: &mut Turn) {
        let told = if message.is_empty() { String::new() } else { format!(": {message}") };
        turn.info(format!("Driver {id} finished with state {state}{told}"));
        let driver = self.drivers.get_mut(id).expect("who calls has seen it");
        let by_worker =
            matches!(driver.phase, DriverPhase::Process { kill: Some(kill), .. } if kill.why == KillCause::WorkerEnds);
        driver.phase = DriverPhase::Ended;
        driver.state = state;
        driver.message = message;
        self.finished_drivers.push_back(id.clone());
        // It is lost with this worker: one that is supervised is to go on elsewhere, and KILLED would be its end.
        if !by_worker {
            self.report(ReportKey::Driver(id.clone()), turn);
        }
        self.forget_surplus();
    }
}

/// What people are told.
fn describe(end: &ProcessEnd) -> String {
    let how = match (end.exit_code, end.signal) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "exited".to_owned(),
    };
    if end.detail.is_empty() { how } else { format!("{how}; {}", end.detail) }
}
