//! Applications come, say what they want, and go (SA-31, SA-38).

use firesteel_model::{ApplicationId, ExecutorLossReason};

use super::{ApplicationRecord, Master, Peer, PeerId, RecordKey, Turn, WorkerRecord, retain};
use crate::{
    ApplicationDescription, ApplicationState, ExecutorState, application_id,
    protocol::{
        ExecutorNumber, FromApplication, FromMaster, KnownApplication, NewApplication, ToApplication, ToWorker,
    },
};

impl Master {
    pub(super) fn application_says(&mut self, peer: PeerId, message: FromApplication, turn: &mut Turn) {
        if let FromApplication::Register { description, known } = message {
            return self.register_application(peer, description, known, turn);
        }
        let Some(Peer::Application(application_id)) = self.peers.get(&peer).cloned() else { return };
        let Some(application) = self.applications.get_mut(&application_id) else { return };
        match message {
            FromApplication::Register { .. } => {}
            FromApplication::Unregister => {
                self.finish_application(&application_id, ApplicationState::Finished, "", turn);
            }
            FromApplication::ExecutorReady { executor } => {
                if let Some(executor) = application.executors.get_mut(&executor) {
                    executor.ready = true;
                    application.failures_in_a_row = 0;
                }
            }
            FromApplication::RequestExecutors { total } => {
                application.requested = Some(total);
                self.tell_application(&application_id, ToApplication::RequestTaken { total }, turn);
                self.to_schedule = true;
            }
            FromApplication::KillExecutors { executors } => self.kill_executors(&application_id, &executors, turn),
        }
    }

    fn register_application(
        &mut self,
        peer: PeerId,
        description: ApplicationDescription,
        known: Option<Box<KnownApplication>>,
        turn: &mut Turn,
    ) {
        if let Some(Peer::Application(id)) = self.peers.get(&peer) {
            // It is, and has not heard the answer yet.
            let id = id.clone();
            return self.confirm_application(&id, turn);
        }
        if let Some(known) = &known {
            self.outlive(known.term, turn);
        }
        let id = match &known {
            Some(known) => known.application_id.clone(),
            None => self.new_application_id(turn),
        };
        let mut next_executor = 0;
        if let Some(ended) = self.completed_applications.iter().position(|ended| ended.id == id) {
            let ended_as = self.completed_applications[ended].state;
            if ended_as != ApplicationState::Finished {
                let message = format!("{ended_as}: {}", self.completed_applications[ended].end_message);
                return turn.send(peer, FromMaster::Application(ToApplication::Removed { message }));
            }
            // It was away for too long, and is there again.
            next_executor = self.completed_applications.remove(ended).map_or(0, |ended| ended.next_executor);
        }
        if let Some(other) = self.applications.get(&id).and_then(|application| application.peer) {
            // The old connection has not been found dead yet.
            self.peers.insert(other, Peer::Unknown);
        }
        let submitted_ms = known.as_ref().map_or(turn.now.wall_clock_ms, |known| known.submitted_ms);
        let application = self.applications.entry(id.clone()).or_insert_with(|| {
            self.order.push(id.clone());
            ApplicationRecord::new(id.clone(), description.clone(), ApplicationState::Waiting, submitted_ms)
        });
        application.next_executor = application.next_executor.max(next_executor);
        application.description = description;
        application.peer = Some(peer);
        application.gone_at = None;
        application.submitted_ms = submitted_ms;
        let has_any = !application.executors.is_empty();
        application.state = if has_any { ApplicationState::Running } else { ApplicationState::Waiting };
        application.requested = application.description.executor_limit;
        if let Some(known) = known {
            application.requested = known.requested.or(application.requested);
            application.next_executor = application.next_executor.max(known.next_executor);
            application.counts_on = (known.next_executor, known.executors.into_iter().collect());
        } else {
            turn.info(format!("Registered app {} with ID {id}", application.description.name));
        }
        Self::store_application(application, 0, turn);
        self.peers.insert(peer, Peer::Application(id.clone()));
        self.confirm_application(&id, turn);
        self.end_given_up(&id, turn);
        self.repeat_executors(&id, turn);
        self.to_schedule = true;
    }

    /// What a worker has reported, and the application does not want any more.
    fn end_given_up(&mut self, id: &ApplicationId, turn: &mut Turn) {
        let Some(application) = self.applications.get(id) else { return };
        let given_up = application.executors.keys().copied().filter(|&number| application.has_given_up(number));
        let given_up: Vec<ExecutorNumber> = given_up.collect();
        self.kill_executors(id, &given_up, turn);
        for number in given_up {
            self.release_executor(id, number, ExecutorState::Killed, None);
        }
    }

    pub(super) fn new_application(&mut self, turn: &mut Turn) -> NewApplication {
        let submitted_ms = turn.now.wall_clock_ms;
        let application_id = self.new_application_id(turn);
        let cores = |worker: &WorkerRecord| worker.description.cores;
        NewApplication {
            application_id,
            submitted_ms,
            workers: self.alive_workers().count() as u32,
            cores: self.alive_workers().map(cores).fold(0, u32::saturating_add),
            most_cores: self.alive_workers().map(cores).max().unwrap_or_default(),
            default_cores: self.options.default_cores,
        }
    }

    /// A number that no application has, whoever has counted before.
    fn new_application_id(&mut self, turn: &mut Turn) -> ApplicationId {
        let id = loop {
            let id = application_id(turn.now.wall_clock_ms, self.next_application);
            self.next_application += 1;
            if self.application(&id).is_none() {
                break id;
            }
        };
        self.store_numbers(turn);
        id
    }

    fn confirm_application(&self, id: &ApplicationId, turn: &mut Turn) {
        let (Some(application), Some(leader)) = (self.applications.get(id), self.leader.clone()) else { return };
        let submitted_ms = application.submitted_ms;
        let message = ToApplication::Registered { application_id: id.clone(), submitted_ms, leader };
        self.tell_application(id, message, turn);
    }

    /// What the application may not have heard, as it was said on a connection that has ended.
    fn repeat_executors(&self, id: &ApplicationId, turn: &mut Turn) {
        let Some(application) = self.applications.get(id) else { return };
        for executor in application.executors.values() {
            self.tell_executor_added(id, executor, turn);
        }
        for executor in &application.removed_executors {
            let message = ToApplication::ExecutorUpdated {
                executor: executor.number,
                state: executor.state,
                reason: executor.reason.clone(),
                worker_lost: matches!(executor.reason, Some(ExecutorLossReason::WorkerLost { .. })),
            };
            self.tell_application(id, message, turn);
        }
    }

    pub(super) fn kill_executors(&mut self, id: &ApplicationId, executors: &[ExecutorNumber], turn: &mut Turn) {
        for &number in executors {
            let Some(executor) = self.applications.get(id).and_then(|application| application.executors.get(&number))
            else {
                continue;
            };
            let worker_id = executor.worker_id.clone();
            let kill = ToWorker::KillExecutor { term: self.term(), application_id: id.clone(), executor: number };
            self.tell_worker(&worker_id, kill, turn);
        }
    }

    pub(super) fn kill_application(&mut self, id: &ApplicationId, turn: &mut Turn) {
        self.finish_application(id, ApplicationState::Killed, "killed by request", turn);
    }

    /// Gives up those that have not come back.
    pub(super) fn check_applications(&mut self, turn: &mut Turn) {
        let now = turn.now.moment;
        let gone: Vec<ApplicationId> = self
            .applications
            .values()
            .filter(|application| application.gone_at.is_some_and(|gone_at| gone_at <= now))
            .map(|application| application.id.clone())
            .collect();
        for id in gone {
            let message = "its driver's connection has ended, and it has not come back";
            self.finish_application(&id, ApplicationState::Finished, message, turn);
        }
    }

    /// The application has ended, and all that it had ends.
    pub(super) fn finish_application(
        &mut self,
        id: &ApplicationId,
        state: ApplicationState,
        message: &str,
        turn: &mut Turn,
    ) {
        if !self.applications.contains_key(id) {
            return;
        }
        if state != ApplicationState::Finished {
            self.tell_application(id, ToApplication::Removed { message: format!("{state}: {message}") }, turn);
        }
        let numbers: Vec<ExecutorNumber> = self.applications[id].executors.keys().copied().collect();
        self.kill_executors(id, &numbers, turn);
        for number in numbers {
            // Its cores are free when the worker says that it has ended; here nobody waits for that any more than in Spark.
            self.release_executor(id, number, ExecutorState::Killed, None);
        }
        let mut application = self.applications.remove(id).expect("it was there");
        self.order.retain(|other| other != id);
        if let Some(peer) = application.peer.take() {
            self.peers.insert(peer, Peer::Unknown);
        }
        let name = &application.description.name;
        turn.info(format!("Removing app {id} ({name}): {state} {message}"));
        application.state = state;
        application.ended_ms = Some(turn.now.wall_clock_ms);
        message.clone_into(&mut application.end_message);
        application.waits = None;
        Self::store_application(&application, 0, turn);
        self.completed_applications.push_back(application);
        for forgotten in retain(&mut self.completed_applications, self.options.retained_applications) {
            turn.erase(RecordKey::Application(forgotten.id));
        }
        let finished = ToWorker::ApplicationFinished { term: self.term(), application_id: id.clone() };
        let peers: Vec<PeerId> = self.workers.values().filter_map(|worker| worker.peer).collect();
        for peer in peers {
            turn.send(peer, FromMaster::Worker(finished.clone()));
        }
        self.to_schedule = true;
    }
}
