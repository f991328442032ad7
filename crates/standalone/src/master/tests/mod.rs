//! The master under scenarios.

mod applications;
mod drivers;
mod random;
mod recovery;
mod workers;

use std::time::Duration;

use firesteel_model::{ApplicationId, ByteCount, Moment, Now, SubmissionId, WorkerId};

use super::{Master, MasterCommand, MasterEvent, MasterOptions, PeerId, StoredMap};
use crate::{
    ApplicationDescription, DriverDescription, ExecutorDemand, ExecutorState, LaunchData, Term, WorkerDescription,
    protocol::{
        ClientAnswer, ClientRequest, ExecutorNumber, ExecutorUpdate, FromApplication, FromMaster, FromWorker,
        KnownApplication, LaunchDriver, LaunchExecutor, ToApplication, ToMaster, ToWorker, WorkerState,
    },
};

/// A master, what it has kept, and what it has said since somebody last looked.
pub(super) struct Bench {
    pub(super) master: Master,
    pub(super) store: StoredMap,
    pub(super) now: Now,
    pub(super) said: Vec<(PeerId, FromMaster)>,
    pub(super) log: Vec<String>,
    pub(super) exited: bool,
    next_peer: u64,
}

impl Bench {
    pub(super) fn standby(options: MasterOptions) -> Self {
        Self {
            master: Master::new(MasterOptions { url: "spark://m:7077".to_owned(), ..options }, 7),
            store: StoredMap::default(),
            now: Now { moment: Moment(1000), wall_clock_ms: 1_795_264_440_000 },
            said: Vec::new(),
            log: Vec::new(),
            exited: false,
            next_peer: 0,
        }
    }

    pub(super) fn leading(options: MasterOptions) -> Self {
        let mut bench = Self::standby(options);
        bench.elect(1);
        bench
    }

    pub(super) fn elect(&mut self, term: u64) {
        let stored = self.store.read();
        self.handle(MasterEvent::Elected { term: Term(term), stored });
    }

    pub(super) fn handle(&mut self, event: MasterEvent) {
        for command in self.master.handle_all(self.now, [event]) {
            match command {
                MasterCommand::Send { peer, message } => self.said.push((peer, *message)),
                MasterCommand::Store(record) => self.store.store(*record),
                MasterCommand::Erase(key) => self.store.erase(&key),
                MasterCommand::Confirm => {}
                MasterCommand::Log { text, .. } => self.log.push(text),
                MasterCommand::Exit => self.exited = true,
            }
        }
        self.master.assert_invariants();
    }

    /// Time passes, and all deadlines in it are told.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.moment + time;
        while let Some(deadline) = self.master.next_deadline().filter(|deadline| *deadline <= end) {
            let step = deadline.since(self.now.moment);
            self.now.moment = self.now.moment.max(deadline);
            self.now.wall_clock_ms += step.as_millis() as i64;
            self.handle(MasterEvent::DeadlineReached);
        }
        let step = end.since(self.now.moment);
        self.now.moment = end;
        self.now.wall_clock_ms += step.as_millis() as i64;
    }

    pub(super) fn connect(&mut self) -> PeerId {
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        self.handle(MasterEvent::Connected { peer });
        peer
    }

    pub(super) fn say(&mut self, peer: PeerId, message: ToMaster) {
        self.handle(MasterEvent::Received { peer, message: Box::new(message) });
    }

    pub(super) fn worker_says(&mut self, peer: PeerId, message: FromWorker) {
        self.say(peer, ToMaster::Worker(message));
    }

    pub(super) fn application_says(&mut self, peer: PeerId, message: FromApplication) {
        self.say(peer, ToMaster::Application(message));
    }

    pub(super) fn disconnect(&mut self, peer: PeerId) {
        self.handle(MasterEvent::Disconnected { peer, silent: false });
    }

    /// A worker that registers with nothing running.
    pub(super) fn worker(&mut self, name: &str, cores: u32, gib: u64) -> PeerId {
        let peer = self.connect();
        self.worker_says(peer, FromWorker::Register(worker_state(name, cores, gib)));
        peer
    }

    /// An application that registers for the first time.
    pub(super) fn application(&mut self, description: ApplicationDescription) -> (PeerId, ApplicationId) {
        let peer = self.connect();
        self.application_says(peer, FromApplication::Register { description, known: None });
        let registered = self.told_application(peer).into_iter().find_map(|message| match message {
            ToApplication::Registered { application_id, .. } => Some(application_id),
            _ => None,
        });
        (peer, registered.expect("it was registered"))
    }

    pub(super) fn submit(&mut self, description: DriverDescription) -> SubmissionId {
        match self.ask(ClientRequest::SubmitDriver(Box::new(description))) {
            Some(ClientAnswer::Submitted(Ok(id))) => id,
            other => panic!("{other:?}"),
        }
    }

    /// A client's question; none if a standby has answered.
    pub(super) fn ask(&mut self, request: ClientRequest) -> Option<ClientAnswer> {
        let peer = self.connect();
        self.say(peer, ToMaster::Client(request));
        let answer = self.said.iter().rev().find_map(|(to, message)| match message {
            FromMaster::Client(answer) if *to == peer => Some(answer.clone()),
            _ => None,
        });
        self.disconnect(peer);
        answer
    }

    /// What the master has said to a worker, all of it so far. Looked at once.
    pub(super) fn told_worker(&mut self, peer: PeerId) -> Vec<ToWorker> {
        self.take(peer, |message| match message {
            FromMaster::Worker(message) => Some(message),
            _ => None,
        })
    }

    pub(super) fn told_application(&mut self, peer: PeerId) -> Vec<ToApplication> {
        self.take(peer, |message| match message {
            FromMaster::Application(message) => Some(message),
            _ => None,
        })
    }

    fn take<T>(&mut self, peer: PeerId, of: impl Fn(FromMaster) -> Option<T>) -> Vec<T> {
        let (own, others) = std::mem::take(&mut self.said).into_iter().partition(|(to, _)| *to == peer);
        self.said = others;
        let own: Vec<(PeerId, FromMaster)> = own;
        own.into_iter().filter_map(|(_, message)| of(message)).collect()
    }

    pub(super) fn launches(&mut self, peer: PeerId) -> Vec<LaunchExecutor> {
        let launch = |message| match message {
            ToWorker::LaunchExecutor(launch) => Some(*launch),
            _ => None,
        };
        self.told_worker(peer).into_iter().filter_map(launch).collect()
    }

    pub(super) fn driver_launches(&mut self, peer: PeerId) -> Vec<LaunchDriver> {
        let launch = |message| match message {
            ToWorker::LaunchDriver(launch) => Some(*launch),
            _ => None,
        };
        self.told_worker(peer).into_iter().filter_map(launch).collect()
    }

    pub(super) fn executor_ends(
        &mut self,
        worker: PeerId,
        application_id: &ApplicationId,
        executor: ExecutorNumber,
        exit_code: i32,
    ) {
        let reason = firesteel_model::ExecutorLossReason::Exited {
            exit_code: Some(exit_code),
            signal: None,
            caused_by_app: true,
            detail: String::new(),
        };
        let update = ExecutorUpdate {
            application_id: application_id.clone(),
            executor,
            state: ExecutorState::Exited,
            reason: Some(reason),
        };
        self.worker_says(worker, FromWorker::ExecutorChanged(update));
    }
}

pub(super) fn worker_state(name: &str, cores: u32, gib: u64) -> WorkerState {
    WorkerState {
        worker_id: WorkerId::new(format!("worker-{name}")),
        description: WorkerDescription {
            host: name.to_owned(),
            port: 7078,
            cores,
            memory: ByteCount::gib(gib),
            resources: Vec::new(),
            web_ui_url: format!("http://{name}:8081"),
        },
        executors: Vec::new(),
        drivers: Vec::new(),
        decommissioning: false,
        term: Term(0),
    }
}

pub(super) fn application(max_cores: Option<u32>) -> ApplicationDescription {
    ApplicationDescription {
        name: "app".to_owned(),
        user: "u".to_owned(),
        max_cores,
        executor: ExecutorDemand { cores: None, memory: ByteCount::gib(1), resources: Vec::new() },
        executor_limit: None,
        web_ui_url: String::new(),
        queue: String::new(),
        launch: LaunchData::default(),
    }
}

pub(super) fn driver(cores: u32, supervise: bool) -> DriverDescription {
    DriverDescription {
        name: "d".to_owned(),
        user: "u".to_owned(),
        cores,
        memory: ByteCount::gib(1),
        resources: Vec::new(),
        supervise,
        artifacts: None,
        launch: LaunchData::default(),
    }
}

pub(super) fn known(application_id: &ApplicationId, next_executor: ExecutorNumber) -> Option<Box<KnownApplication>> {
    let application_id = application_id.clone();
    let executors = (0..next_executor).collect();
    let known =
        KnownApplication { application_id, next_executor, submitted_ms: 1, executors, requested: None, term: Term(0) };
    Some(Box::new(known))
}
