//! Workers come, say that they live, and go (SA-35…40).

use firesteel_model::{ApplicationId, ExecutorLossReason, SubmissionId, WorkerId};

use super::{
    ApplicationRecord, DriverRecord, ExecutorRecord, Master, Peer, PeerId, Record, RecordKey, Turn, WorkerRecord,
};
use crate::{
    ApplicationDescription, ApplicationState, DriverState, ExecutorDemand, ExecutorState, LaunchData,
    WorkerState as State,
    protocol::{ExecutorNumber, FromMaster, FromWorker, RunningDriver, RunningExecutor, ToWorker, WorkerState},
};

impl Master {
    pub(super) fn worker_says(&mut self, peer: PeerId, message: FromWorker, turn: &mut Turn) {
        if let FromWorker::Register(state) = message {
            return self.register_worker(peer, state, turn);
        }
        let Some(Peer::Worker(worker_id)) = self.peers.get(&peer).cloned() else {
            // It has registered with a leader before, or would not speak so.
            return turn.send(peer, FromMaster::Worker(ToWorker::Reregister));
        };
        let Some(worker) = self.workers.get_mut(&worker_id).filter(|worker| worker.state != State::Dead) else {
            return turn.send(peer, FromMaster::Worker(ToWorker::Reregister));
        };
        worker.last_heartbeat = turn.now.moment;
        worker.last_heartbeat_ms = turn.now.wall_clock_ms;
        match message {
            FromWorker::Register(_) | FromWorker::Heartbeat => {}
            FromWorker::ExecutorChanged(update) => self.executor_changed(&worker_id, update, turn),
            FromWorker::DriverChanged(update) => self.driver_changed(&worker_id, update, turn),
            FromWorker::Decommissioning => self.worker_leaves(&worker_id, turn),
        }
    }

    fn register_worker(&mut self, peer: PeerId, state: WorkerState, turn: &mut Turn) {
        let refuse = |message: String, turn: &mut Turn| {
            turn.warn(format!("worker {} is refused: {message}", state.worker_id));
            turn.send(peer, FromMaster::Worker(ToWorker::RegistrationFailed { message }));
        };
        self.outlive(state.term, turn);
        let WorkerState { worker_id, description, .. } = &state;
        // Of the same address, a worker with another id is an earlier process, unless it is still there.
        let same_address = |worker: &&WorkerRecord| {
            worker.id != *worker_id
                && worker.state != State::Dead
                && (&worker.description.host, worker.description.port) == (&description.host, description.port)
        };
        if let Some(other) = self.workers.values().find(same_address) {
            if other.peer.is_some() {
                let address = format!("{}:{}", description.host, description.port);
                return refuse(format!("Duplicate worker address {address}: worker {} is there", other.id), turn);
            }
            let other = other.id.clone();
            self.remove_worker(&other, &format!("worker {worker_id} has taken its address"), turn);
        }
        let known = self.workers.get(worker_id);
        if let Some(other) = known.and_then(|known| known.peer).filter(|&other| other != peer) {
            if self.workers[worker_id].state == State::Alive && self.workers[worker_id].description != *description {
                return refuse(format!("Duplicate worker ID {worker_id}"), turn);
            }
            // The old connection has not been found dead yet.
            self.peers.insert(other, Peer::Unknown);
        }
        let new = known.is_none_or(|known| known.state == State::Dead);
        if new {
            let (host, port) = (&description.host, description.port);
            let (cores, memory) = (description.cores, description.memory);
            turn.info(format!("Registering worker {host}:{port} with {cores} cores, {memory} RAM"));
            turn.store(Record::Worker { worker_id: worker_id.clone(), description: description.clone() });
            self.workers
                .insert(worker_id.clone(), WorkerRecord::new(worker_id.clone(), description.clone(), State::Alive));
        }
        let worker = self.workers.get_mut(worker_id).expect("it is there or was made");
        worker.state = if state.decommissioning { State::Decommissioned } else { State::Alive };
        worker.description = description.clone();
        worker.peer = Some(peer);
        worker.gone_at = None;
        worker.last_heartbeat = turn.now.moment;
        worker.last_heartbeat_ms = turn.now.wall_clock_ms;
        self.peers.insert(peer, Peer::Worker(worker_id.clone()));
        if let Some(leader) = self.leader.clone() {
            turn.send(peer, FromMaster::Worker(ToWorker::Registered { leader }));
        }
        self.compare_executors(&state.worker_id, state.executors, turn);
        self.compare_drivers(&state.worker_id, state.drivers, turn);
        self.to_schedule = true;
    }

    /// What the worker has, and what the master thinks it has (SA-39).
    fn compare_executors(&mut self, worker_id: &WorkerId, reported: Vec<RunningExecutor>, turn: &mut Turn) {
        let missing: Vec<(ApplicationId, ExecutorNumber)> = self.workers[worker_id]
            .executors
            .iter()
            .filter(|(id, number)| !reported.iter().any(|has| has.application_id == *id && has.executor == *number))
            .cloned()
            .collect();
        for (application_id, number) in missing {
            // Its end was reported on a connection that is gone, or the order never arrived.
            let message = "its worker does not have it any more".to_owned();
            let reason = ExecutorLossReason::WorkerLost { message };
            self.remove_executor(&application_id, number, ExecutorState::Lost, Some(reason), false, turn);
            // Should the order still be under way, it is followed by this one.
            let kill = ToWorker::KillExecutor { term: self.term(), application_id, executor: number };
            self.tell_worker(worker_id, kill, turn);
        }
        for executor in reported {
            self.adopt_executor(worker_id, executor, turn);
        }
    }

    fn adopt_executor(&mut self, worker_id: &WorkerId, reported: RunningExecutor, turn: &mut Turn) {
        let RunningExecutor { application_id, executor: number, state, cores, memory, resources } = reported;
        let ended = self.completed_applications.iter().any(|ended| ended.id == application_id);
        if !self.applications.contains_key(&application_id) && !ended {
            // A master that has lost its memory: the application's driver will tell what it is.
            let waited_for = turn.now.moment + self.options.recovery_timeout;
            let mut application = ApplicationRecord::new(
                application_id.clone(),
                unknown_description(),
                ApplicationState::Unknown,
                turn.now.wall_clock_ms,
            );
            application.gone_at = Some(waited_for);
            self.applications.insert(application_id.clone(), application);
            self.order.push(application_id.clone());
        }
        let here = (application_id.clone(), number);
        let given_up = self.applications.get(&application_id).is_some_and(|known| known.has_given_up(number));
        let wanted = match self.applications.get_mut(&application_id) {
            None => false,
            Some(application) => match application.executors.get_mut(&number) {
                Some(executor) if executor.worker_id == *worker_id => {
                    executor.state = state;
                    true
                }
                Some(_) => false,
                // Whatever was told to be lost stays lost: the driver has given it up.
                None if given_up => false,
                None if application.removed_executors.iter().any(|removed| removed.number == number) => false,
                None => {
                    let worker = self.workers.get_mut(worker_id).expect("it has just registered");
                    worker.hold(cores, memory, &resources);
                    worker.executors.insert(here.clone());
                    application.next_executor = application.next_executor.max(number + 1);
                    application.executors.insert(
                        number,
                        ExecutorRecord {
                            number,
                            worker_id: worker_id.clone(),
                            cores,
                            memory,
                            resources,
                            state,
                            reason: None,
                            ready: true,
                        },
                    );
                    true
                }
            },
        };
        if !wanted {
            let kill = ToWorker::KillExecutor { term: self.term(), application_id, executor: number };
            self.tell_worker(worker_id, kill, turn);
        }
    }

    fn compare_drivers(&mut self, worker_id: &WorkerId, reported: Vec<RunningDriver>, turn: &mut Turn) {
        let has = |id: &SubmissionId| reported.iter().any(|driver| driver.submission_id == *id);
        let missing: Vec<_> = self.workers[worker_id].drivers.iter().filter(|id| !has(id)).cloned().collect();
        for submission_id in missing {
            self.driver_lost(&submission_id, "its worker does not have it any more", turn);
            // As for executors: the order may be under way.
            self.tell_worker(worker_id, ToWorker::KillDriver { term: self.term(), submission_id }, turn);
        }
        for RunningDriver { submission_id, description, resources } in reported {
            let ended = self.completed_drivers.iter().any(|ended| ended.id == submission_id);
            let elsewhere = self.drivers.get(&submission_id).is_some_and(|driver| {
                driver.state == DriverState::Running && driver.worker_id.as_ref() != Some(worker_id)
            });
            if ended || elsewhere {
                let kill = ToWorker::KillDriver { term: self.term(), submission_id };
                self.tell_worker(worker_id, kill, turn);
                continue;
            }
            let worker = self.workers.get_mut(worker_id).expect("it has just registered");
            if worker.drivers.insert(submission_id.clone()) {
                worker.hold(description.cores, description.memory, &resources);
            }
            let host_port = format!("{}:{}", worker.description.host, worker.description.port);
            let submitted_ms = turn.now.wall_clock_ms;
            let driver = self.drivers.entry(submission_id.clone());
            let driver = driver.or_insert_with(|| DriverRecord::new(submission_id.clone(), description, submitted_ms));
            self.waiting_drivers.retain(|waiting| *waiting != submission_id);
            driver.state = DriverState::Running;
            driver.worker_id = Some(worker_id.clone());
            driver.worker_host_port = host_port;
            driver.resources = resources;
            Self::store_driver(driver, turn);
            if driver.killed {
                let kill = ToWorker::KillDriver { term: self.term(), submission_id };
                self.tell_worker(worker_id, kill, turn);
            }
        }
    }

    /// Gives up those of whom nothing was heard.
    pub(super) fn check_workers(&mut self, turn: &mut Turn) {
        let now = turn.now.moment;
        let mut gone: Vec<(WorkerId, String)> = Vec::new();
        let mut forgotten = Vec::new();
        let shown = self.options.worker_timeout * (self.options.dead_worker_persistence.saturating_add(1));
        for worker in self.workers.values() {
            let silence = now.since(worker.last_heartbeat);
            match worker.state {
                State::Dead if silence > shown => forgotten.push(worker.id.clone()),
                // Those wait for the end of recovery.
                State::Dead | State::Unknown => {}
                _ if worker.gone_at.is_some_and(|gone_at| gone_at <= now) => {
                    gone.push((worker.id.clone(), "its connection has ended, and it has not come back".to_owned()));
                }
                _ if silence > self.options.worker_timeout => {
                    let seconds = silence.as_secs();
                    gone.push((worker.id.clone(), format!("Not receiving heartbeat for {seconds} seconds")));
                }
                _ => {}
            }
        }
        for (worker_id, message) in gone {
            self.remove_worker(&worker_id, &message, turn);
        }
        for worker_id in forgotten {
            self.workers.remove(&worker_id);
        }
        if self.workers_checked_at.is_some_and(|at| at <= now) {
            self.workers_checked_at = Some(now + self.options.worker_timeout / 4);
        }
    }

    /// The worker is dead, and all that it had is lost.
    pub(super) fn remove_worker(&mut self, worker_id: &WorkerId, message: &str, turn: &mut Turn) {
        let Some(worker) = self.workers.get_mut(worker_id) else { return };
        let (host, port) = (worker.description.host.clone(), worker.description.port);
        turn.warn(format!("Removing {worker_id} on {host}:{port}: {message}"));
        worker.state = State::Dead;
        worker.gone_at = None;
        if let Some(peer) = worker.peer.take() {
            self.peers.insert(peer, Peer::Unknown);
        }
        let executors = std::mem::take(&mut worker.executors);
        let drivers = std::mem::take(&mut worker.drivers);
        for (application_id, number) in executors {
            let reason = ExecutorLossReason::WorkerLost { message: format!("worker {worker_id}: {message}") };
            self.remove_executor(&application_id, number, ExecutorState::Lost, Some(reason), true, turn);
        }
        for submission_id in drivers {
            self.driver_lost(&submission_id, &format!("its worker {worker_id} is lost: {message}"), turn);
        }
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.used = crate::Usage::default();
        }
        turn.erase(RecordKey::Worker(worker_id.clone()));
        self.to_schedule = true;
    }

    /// SA-40: the worker gets nothing more. What it runs stays its own until it ends.
    fn worker_leaves(&mut self, worker_id: &WorkerId, turn: &mut Turn) {
        if let Some(worker) = self.workers.get_mut(worker_id).filter(|worker| worker.state == State::Alive) {
            worker.state = State::Decommissioned;
            turn.info(format!("worker {worker_id} is decommissioned"));
        }
    }

    pub(super) fn decommission_workers(&mut self, hosts: &[String], turn: &mut Turn) {
        let leaving: Vec<WorkerId> = self
            .alive_workers()
            .filter(|worker| hosts.contains(&worker.description.host))
            .map(|worker| worker.id.clone())
            .collect();
        for worker_id in leaving {
            self.tell_worker(&worker_id, ToWorker::Decommission { term: self.term() }, turn);
            self.worker_leaves(&worker_id, turn);
        }
    }
}

/// An application of which only executors are known.
fn unknown_description() -> ApplicationDescription {
    ApplicationDescription {
        name: String::new(),
        user: String::new(),
        max_cores: Some(0),
        executor: ExecutorDemand { cores: None, memory: firesteel_model::ByteCount::ZERO, resources: Vec::new() },
        executor_limit: None,
        web_ui_url: String::new(),
        queue: String::new(),
        launch: LaunchData::default(),
    }
}
