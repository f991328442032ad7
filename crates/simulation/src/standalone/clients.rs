//! Those who put one question to each master in turn until one answers, as `spark-submit` and a starting driver do.

use firesteel_model::{ByteCount, SubmissionId};
use firesteel_standalone::{
    DriverDescription, LaunchData, ResourceRequirement,
    protocol::{ClientAnswer, ClientRequest, FromMaster, ToMaster},
};

use super::world::{CALM, Item, Party, World};

/// What a client is there for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// An id for this application.
    NewApplication(usize),
    Submit,
    Status(SubmissionId),
    Kill(SubmissionId),
}

#[derive(Debug)]
pub(super) struct Client {
    purpose: Purpose,
    request: ClientRequest,
    /// Which master it asks.
    master: usize,
    attempt: u32,
    asked: bool,
    asked_at: u64,
    pub(super) over: bool,
}

impl Client {
    /// Which try it is at; none once it has its answer.
    pub(super) fn attempt(&self) -> Option<u32> {
        (!self.over).then_some(self.attempt)
    }
}

/// How long one master may take.
const TIME_OUT: u64 = 20_000;
const LARGEST_GPU_DEMAND: u64 = 2;

impl World {
    pub(super) fn start_client(&mut self, purpose: Purpose) {
        let request = match &purpose {
            Purpose::NewApplication(_) => ClientRequest::NewApplication,
            Purpose::Submit => {
                let description = self.driver_description();
                ClientRequest::SubmitDriver(Box::new(description))
            }
            Purpose::Status(id) => ClientRequest::DriverStatus(id.clone()),
            Purpose::Kill(id) => ClientRequest::KillDriver(id.clone()),
        };
        let index = self.clients.len();
        let master = self.chance.between(0, self.masters.len() as u64 - 1) as usize;
        self.clients.push(Client { purpose, request, master, attempt: 0, asked: false, asked_at: 0, over: false });
        self.try_master(index);
    }

    fn driver_description(&mut self) -> DriverDescription {
        let gpus = if self.chance.per_mille(300) { self.chance.between(1, LARGEST_GPU_DEMAND) as u32 } else { 0 };
        let number = self.oracle.next_driver_name();
        DriverDescription {
            name: format!("driver {number}"),
            user: String::new(),
            cores: self.chance.between(1, 2) as u32,
            memory: ByteCount::gib(1),
            resources: (gpus > 0)
                .then(|| ResourceRequirement { name: "gpu".to_owned(), amount: gpus })
                .into_iter()
                .collect(),
            supervise: self.chance.per_mille(500),
            artifacts: None,
            launch: LaunchData::default(),
        }
    }

    fn try_master(&mut self, index: usize) {
        let (incarnation, master) = (self.clients[index].attempt, self.clients[index].master);
        self.after(1, Item::Connect { party: Party::Client(index), incarnation, master, pause: 100 });
        self.after(TIME_OUT, Item::ClientTimeOut(index, incarnation));
    }

    pub(super) fn client_connected(&mut self, index: usize) {
        let now = self.now;
        let client = &mut self.clients[index];
        client.asked = true;
        client.asked_at = now;
        let (master, request) = (client.master, client.request.clone());
        self.send_up(Party::Client(index), master, ToMaster::Client(request));
    }

    pub(super) fn client_hears(&mut self, index: usize, message: FromMaster) {
        match message {
            FromMaster::Client(ClientAnswer::Submitted(Err(_)) | ClientAnswer::Killed(Err(_)))
            | FromMaster::MasterInStandby => {
                // Nothing was done: the next one, after a while.
                self.clients[index].asked = false;
                self.next_master(index);
            }
            FromMaster::Client(answer) => self.answered(index, answer),
            _ => {}
        }
    }

    pub(super) fn client_time_out(&mut self, index: usize, attempt: u32) {
        if self.clients[index].attempt == attempt && !self.clients[index].over {
            self.next_master(index);
        }
    }

    /// What was asked may have been heard.
    pub(super) fn next_master(&mut self, index: usize) {
        let masters = self.masters.len();
        let party = Party::Client(index);
        let client = &mut self.clients[index];
        if client.over {
            return;
        }
        let old = client.master;
        let unknown = client.asked;
        client.master = (client.master + 1) % masters;
        client.attempt += 1;
        client.asked = false;
        let gives_up = match client.purpose {
            Purpose::NewApplication(_) => false,
            // It may have been submitted: a second one would be another driver.
            Purpose::Submit => unknown,
            Purpose::Status(_) | Purpose::Kill(_) => client.attempt > 6,
        };
        if let Some(link) = self.link_of(party, old) {
            self.break_link(link, false);
        }
        if gives_up {
            self.clients[index].over = true;
            return;
        }
        let incarnation = self.clients[index].attempt;
        let master = self.clients[index].master;
        let delay = self.chance.between(200, 2000);
        self.after(delay, Item::Connect { party, incarnation, master, pause: 100 });
        self.after(delay + TIME_OUT, Item::ClientTimeOut(index, incarnation));
    }

    fn answered(&mut self, index: usize, answer: ClientAnswer) {
        let client = &mut self.clients[index];
        if client.over {
            return;
        }
        client.over = true;
        let (party, master) = (Party::Client(index), client.master);
        let purpose = client.purpose.clone();
        self.note(|| format!("client {index} ({purpose:?}) is told {answer:?}"));
        if let Some(link) = self.link_of(party, master) {
            self.break_link(link, false);
        }
        match (purpose, answer) {
            (Purpose::NewApplication(application), ClientAnswer::NewApplication(new)) => {
                self.oracle.application_id_given(&new.application_id);
                self.begin_application(application, new.application_id, new.submitted_ms);
            }
            (Purpose::Submit, ClientAnswer::Submitted(Ok(id))) => {
                let calm = self.faults == 0 || self.now >= CALM;
                let ClientRequest::SubmitDriver(description) = &self.clients[index].request else { return };
                self.oracle.submitted(&id, description, calm);
                for _ in 0..self.chance.between(0, 4) {
                    let at = self.chance.between(100, 60_000);
                    self.after(at, Item::StartClient(Purpose::Status(id.clone())));
                }
                if self.chance.per_mille(200) && self.in_trouble() {
                    let at = self.chance.between(0, 40_000);
                    self.after(at, Item::StartClient(Purpose::Kill(id)));
                }
            }
            (Purpose::Status(id), ClientAnswer::Status(status)) => {
                let asked_at = self.clients[index].asked_at;
                let ended = status.as_ref().is_some_and(|status| status.state.is_final());
                // Somebody else asks too, perhaps another master.
                if ended && self.in_trouble() && self.chance.per_mille(800) {
                    let at = self.chance.between(10, 8000);
                    self.after(at, Item::StartClient(Purpose::Status(id.clone())));
                }
                self.oracle.status_told(&id, status, asked_at, self.now);
            }
            (Purpose::Kill(id), ClientAnswer::Killed(Ok(_))) => self.oracle.kill_promised(&id),
            (purpose, answer) => panic!("{purpose:?} is answered {answer:?}"),
        }
    }

    /// Asked of the leader at the very end.
    pub(super) fn ask_for_drivers(&mut self) {
        let leader = self.masters.iter().find_map(|host| host.core.as_ref().filter(|core| core.is_alive()));
        let leader = leader.expect("it has been waited for");
        for id in self.oracle.drivers() {
            let driver = leader.driver(&id);
            let mut latest = driver;
            while let Some(next) = latest.and_then(|driver| leader.driver(driver.relaunched_as.as_ref()?)) {
                latest = Some(next);
            }
            let known = driver.map(|driver| (driver.state, driver.exit_code));
            self.oracle.known_at_the_end(&id, known, latest.map(|driver| driver.state));
        }
    }
}
