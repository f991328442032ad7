//! Applications: a driver with its client core, that works while it has executors.

use std::collections::BTreeSet;

use firesteel_model::{ApplicationId, ByteCount, Moment};
use firesteel_standalone::{
    ApplicationClient, ApplicationCommand, ApplicationDescription, ApplicationEvent, ExecutorDemand, LaunchData,
    ResourceRequirement, protocol::FromMaster,
};

use super::world::{CALM, FAULTS_END, Item, Node, Party, World};

#[derive(Debug)]
pub(super) struct Application {
    pub(super) id: Option<ApplicationId>,
    core: Option<ApplicationClient>,
    description: ApplicationDescription,
    started: u64,
    /// Milliseconds that it still works, with at least one executor.
    work_left: u64,
    /// Executors that have registered with it.
    pub(super) ready: BTreeSet<u32>,
    stopping: bool,
    /// It wants more than there is.
    too_large: bool,
    pub(super) over: bool,
}

const WORK_STEP: u64 = 500;

impl World {
    pub(super) fn new_application(&mut self, at: u64) {
        let calm = at >= CALM;
        let index = self.applications.len();
        let too_large = !calm && self.chance.per_mille(100);
        let gpus = if self.chance.per_mille(300) { self.chance.between(1, 2) as u32 } else { 0 };
        let cores = self.chance.per_mille(500).then(|| self.chance.between(1, 2) as u32);
        let description = ApplicationDescription {
            name: format!("a{index}"),
            user: String::new(),
            max_cores: self.chance.per_mille(600).then(|| self.chance.between(2, 6) as u32),
            executor: ExecutorDemand {
                cores,
                memory: if too_large { ByteCount::gib(100) } else { ByteCount::gib(self.chance.between(1, 3)) },
                resources: (gpus > 0)
                    .then(|| ResourceRequirement { name: "gpu".to_owned(), amount: gpus })
                    .into_iter()
                    .collect(),
            },
            executor_limit: self.chance.per_mille(200).then(|| self.chance.between(1, 3) as u32),
            web_ui_url: String::new(),
            queue: String::new(),
            launch: LaunchData::default(),
        };
        let work_left = self.chance.between(2000, 60_000);
        self.applications.push(Application {
            id: None,
            core: None,
            description,
            started: 0,
            work_left,
            ready: BTreeSet::new(),
            stopping: false,
            too_large,
            over: false,
        });
        self.after(at, Item::StartApplication(index));
    }

    /// It has its id.
    pub(super) fn begin_application(&mut self, index: usize, id: ApplicationId, submitted_ms: i64) {
        let masters: Vec<String> = (0..self.masters.len()).map(|index| format!("spark://m{index}:7077")).collect();
        let now = self.now;
        let application = &mut self.applications[index];
        application.started = now;
        application.id = Some(id.clone());
        let description = application.description.clone();
        application.core = Some(ApplicationClient::new(Moment(0), masters, id.clone(), submitted_ms, description));
        self.oracle.application_started(&id, index);
        for master in 0..self.masters.len() {
            self.after(1, Item::Connect { party: Party::Application(index), incarnation: 0, master, pause: 100 });
        }
        self.after(WORK_STEP, Item::Work(index));
        let patience = self.chance.between(60_000, 120_000);
        if self.applications[index].too_large {
            self.after(patience, Item::Impatient(index));
        }
        self.await_application_deadline(index);
    }

    /// A user ends what never gets anything.
    pub(super) fn impatient(&mut self, index: usize) {
        if !self.applications[index].over {
            self.application_gone(index, false);
        }
    }

    pub(super) fn application_says(&mut self, index: usize, event: ApplicationEvent) {
        self.note(|| format!("application {index} -> {event:?}"));
        self.events += 1;
        let now = Moment(self.now - self.applications[index].started);
        let Some(core) = &mut self.applications[index].core else { return };
        let commands = core.handle(now, event);
        let ended = core.has_ended();
        let id = self.applications[index].id.clone().expect("it has a core");
        for command in commands {
            self.note(|| format!("application {index} <- {command:?}"));
            match command {
                ApplicationCommand::Send { master, message } => {
                    self.send_up(Party::Application(index), master, *message);
                }
                ApplicationCommand::ExecutorAdded { executor, .. } => self.oracle.executor_added(&id, executor),
                ApplicationCommand::ExecutorLost { executor, .. } => {
                    self.applications[index].ready.remove(&executor);
                    self.oracle.executor_lost(&id, executor);
                }
                ApplicationCommand::GiveUp(reason) => {
                    self.oracle.gave_up(&id, &reason);
                    return self.application_gone(index, false);
                }
                ApplicationCommand::Registered(leader) => self.oracle.application_registered(&id, leader.term),
                ApplicationCommand::Waits(_) | ApplicationCommand::RequestTaken { .. } | ApplicationCommand::Log(_) => {
                }
            }
        }
        if ended {
            return self.application_gone(index, true);
        }
        self.await_application_deadline(index);
    }

    fn await_application_deadline(&mut self, index: usize) {
        let application = &self.applications[index];
        let Some(at) = application.core.as_ref().and_then(ApplicationClient::next_deadline) else { return };
        let delay = (at.0 + application.started).saturating_sub(self.now);
        self.after(delay, Item::ApplicationDeadline(index, 0));
    }

    pub(super) fn application_deadline(&mut self, index: usize, _: u32) {
        let now = Moment(self.now - self.applications[index].started);
        let due = self.applications[index].core.as_ref().and_then(ApplicationClient::next_deadline);
        if due.is_some_and(|at| at <= now) {
            self.application_says(index, ApplicationEvent::DeadlineReached);
        }
    }

    /// The driver's process has ended.
    pub(super) fn application_gone(&mut self, index: usize, well: bool) {
        let application = &mut self.applications[index];
        application.core = None;
        application.over = true;
        if let Some(id) = application.id.clone() {
            self.oracle.application_over(&id, well, self.now);
            self.end_executors_of(&id, false);
        }
        self.process_gone(Node::Party(Party::Application(index)));
    }

    /// An executor has registered with the driver, if that is there.
    pub(super) fn executor_ready(&mut self, index: usize, executor: u32) {
        if self.applications[index].core.is_some() {
            self.applications[index].ready.insert(executor);
            self.application_says(index, ApplicationEvent::ExecutorReady { executor });
        }
    }

    pub(super) fn work(&mut self, index: usize) {
        if self.applications[index].core.is_none() || self.applications[index].stopping {
            return;
        }
        let application = &mut self.applications[index];
        if !application.ready.is_empty() {
            application.work_left = application.work_left.saturating_sub(WORK_STEP);
        }
        if application.work_left == 0 {
            application.stopping = true;
            let id = application.id.clone().expect("it works");
            self.application_says(index, ApplicationEvent::Stopping);
            self.end_executors_of(&id, true);
            return self.application_says(index, ApplicationEvent::Stop);
        }
        if self.now < FAULTS_END && self.chance.per_mille(10) {
            let total = self.chance.between(1, 4) as u32;
            self.application_says(index, ApplicationEvent::RequestExecutors { total });
        }
        let executor = self.applications[index].ready.first().copied();
        if let Some(executor) = executor.filter(|_| self.now < FAULTS_END && self.chance.per_mille(5)) {
            self.application_says(index, ApplicationEvent::KillExecutor { executor, replace: true });
        }
        self.after(WORK_STEP, Item::Work(index));
    }

    /// Whether there is such a process, and which.
    pub(super) fn incarnation(&self, party: Party) -> Option<u32> {
        match party {
            Party::Worker(index) => self.workers[index].core.is_some().then_some(self.workers[index].incarnation),
            Party::Application(index) => self.applications[index].core.is_some().then_some(0),
            Party::Client(index) => self.clients[index].attempt(),
        }
    }

    pub(super) fn connected(&mut self, party: Party, master: usize) {
        match party {
            Party::Worker(index) => self.worker_connected(index, master),
            Party::Application(index) => self.application_says(index, ApplicationEvent::Connected { master }),
            Party::Client(index) => self.client_connected(index),
        }
    }

    pub(super) fn disconnected(&mut self, party: Party, master: usize) {
        match party {
            Party::Worker(index) => self.worker_disconnected(index, master),
            Party::Application(index) => self.application_says(index, ApplicationEvent::Disconnected { master }),
            Party::Client(index) => self.next_master(index),
        }
    }

    pub(super) fn unreachable(&mut self, party: Party, master: usize) {
        match party {
            Party::Worker(_) => {}
            Party::Application(index) => {
                let reason = "nobody there".to_owned();
                self.application_says(index, ApplicationEvent::Unreachable { master, reason, refused: false });
            }
            Party::Client(index) => self.next_master(index),
        }
    }

    pub(super) fn party_hears(&mut self, party: Party, master: usize, message: FromMaster) {
        match party {
            Party::Worker(index) => self.worker_hears(index, master, message),
            Party::Application(index) => {
                self.application_says(index, ApplicationEvent::Message { master, message: Box::new(message) });
            }
            Party::Client(index) => self.client_hears(index, message),
        }
    }
}
