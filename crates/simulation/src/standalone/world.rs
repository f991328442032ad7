//! The world of one run: virtual time and what will happen in it.

use std::collections::BTreeMap;

use firesteel_model::{Moment, Now};

use super::{
    applications::Application,
    clients::{Client, Purpose},
    election::{Election, Mode},
    masters::MasterHost,
    network::{Direction, Link, LinkId},
    oracle::Oracle,
    workers::{ProcessKey, WorkerHost},
};
use crate::chance::Chance;

/// Virtual milliseconds until nothing goes wrong any more.
pub(super) const FAULTS_END: u64 = 180_000;
/// When everybody has found everybody again, and what is submitted must succeed.
pub(super) const CALM: u64 = FAULTS_END + 240_000;
/// Everything must have ended by then.
const LIVENESS_END: u64 = CALM + 900_000;
/// The first moment on all clocks.
const EPOCH: i64 = 1_795_264_440_000;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Applications that did all that they wanted.
    pub succeeded: u32,
    /// Applications that were killed, crashed, or removed for an honest reason.
    pub failed: u32,
    /// Drivers that clients know to be submitted.
    pub drivers: u32,
    /// How often a master was elected.
    pub elections: u64,
    /// Orders of deposed masters that workers have ignored, and writes that the store has refused.
    pub fenced: u64,
    /// Executors that were started.
    pub executors: u64,
    /// Events that the cores have handled.
    pub events: u64,
    /// A fingerprint of every event and command: the same for the same seed.
    pub fingerprint: u64,
}

/// Who connects to masters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Party {
    Worker(usize),
    Application(usize),
    Client(usize),
}

/// A machine, as far as it can be cut off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Node {
    Master(usize),
    Party(Party),
    Election,
}

/// Something that will happen. What is for a process names its incarnation: a later one does not get it.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Connect { party: Party, incarnation: u32, master: usize, pause: u64 },
    Deliver(LinkId, Direction),
    LinkEnds(LinkId, Direction),
    MasterDeadline(usize, u32),
    WorkerDeadline(usize, u32),
    ApplicationDeadline(usize, u32),
    ClientTimeOut(usize, u32),
    Elected(usize, u32, u64),
    LeadershipLost(usize, u32),
    ElectionTick,
    StartMaster(usize),
    StartWorker(usize),
    ProcessStarts(ProcessKey),
    ProcessEnds(ProcessKey, i32),
    StartApplication(usize),
    Work(usize),
    ExecutorReady(usize, u32),
    StartClient(Purpose),
    Impatient(usize),
    Fault,
    FaultsEnd,
}

pub(super) struct World {
    pub(super) now: u64,
    sequence: u64,
    pub(super) queue: BTreeMap<(u64, u64), Item>,
    pub(super) chance: Chance,
    pub(super) faults: u64,
    pub(super) election: Election,
    pub(super) masters: Vec<MasterHost>,
    pub(super) workers: Vec<WorkerHost>,
    pub(super) applications: Vec<Application>,
    pub(super) clients: Vec<Client>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) next_link: u64,
    /// What does not get through, and until when.
    pub(super) cuts: BTreeMap<(Node, Node), u64>,
    /// Who does nothing until then.
    pub(super) pauses: BTreeMap<Node, u64>,
    /// How far a machine's wall clock is off.
    pub(super) skews: BTreeMap<Node, i64>,
    pub(super) oracle: Oracle,
    pub(super) elections: u64,
    pub(super) fenced: u64,
    pub(super) executors: u64,
    pub(super) events: u64,
    print_log: bool,
    fingerprint: u64,
}

/// Runs one seed to its end, printing what happens if that is asked for. Panics where a promise is broken.
pub fn run(seed: u64, print_log: bool) -> Report {
    let mut chance = Chance::new(seed);
    let mode = match seed % 5 {
        0 => Mode::None,
        1 => Mode::FileSystem,
        _ => Mode::Elected,
    };
    let masters = if mode == Mode::Elected { chance.between(2, 3) } else { 1 };
    let workers = chance.between(1, 4);
    let mut world = World {
        now: 0,
        sequence: 0,
        queue: BTreeMap::new(),
        faults: seed / 5 % 4,
        election: Election::new(mode),
        masters: (0..masters as usize).map(MasterHost::new).collect(),
        workers: (0..workers as usize).map(|index| WorkerHost::new(index, &mut chance)).collect(),
        applications: Vec::new(),
        clients: Vec::new(),
        links: BTreeMap::new(),
        next_link: 0,
        cuts: BTreeMap::new(),
        pauses: BTreeMap::new(),
        skews: BTreeMap::new(),
        oracle: Oracle::new(mode),
        chance,
        elections: 0,
        fenced: 0,
        executors: 0,
        events: 0,
        print_log,
        fingerprint: 0,
    };
    world.live();
    let (succeeded, failed) = world.oracle.tally();
    Report {
        succeeded,
        failed,
        drivers: world.oracle.submitted_drivers(),
        elections: world.elections,
        fenced: world.fenced,
        executors: world.executors,
        events: world.events,
        fingerprint: world.fingerprint,
    }
}

impl World {
    fn live(&mut self) {
        for index in 0..self.masters.len() {
            self.after(0, Item::StartMaster(index));
        }
        for index in 0..self.workers.len() {
            let at = self.chance.between(0, 5000);
            self.after(at, Item::StartWorker(index));
        }
        self.after(0, Item::ElectionTick);
        for _ in 0..self.chance.between(2, 6) {
            let at = self.chance.between(0, FAULTS_END - 20_000);
            self.new_application(at);
        }
        for _ in 0..self.chance.between(0, 6) {
            let at = self.chance.between(0, FAULTS_END - 20_000);
            self.after(at, Item::StartClient(Purpose::Submit));
        }
        if self.faults > 0 {
            self.after(5000, Item::Fault);
        }
        self.after(FAULTS_END, Item::FaultsEnd);
        for _ in 0..2 {
            self.new_application(CALM);
            self.after(CALM, Item::StartClient(Purpose::Submit));
        }
        while let Some(((at, _), item)) = self.queue.pop_first() {
            self.now = at;
            self.happen(item);
            if self.now > CALM + 1000 && self.is_over() {
                break;
            }
            assert!(self.now < LIVENESS_END, "faults ended long ago, and there still is: {}", self.what_is_left());
        }
        self.ask_for_drivers();
        self.oracle.end(self.now);
    }

    pub(super) fn after(&mut self, delay: u64, item: Item) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), item);
    }

    pub(super) fn in_trouble(&self) -> bool {
        self.faults > 0 && self.now < FAULTS_END
    }

    /// A fault that happens so many times in a thousand at the lowest level.
    pub(super) fn trouble(&mut self, per_mille: u64) -> bool {
        let part = if self.in_trouble() { self.faults * per_mille } else { 0 };
        self.chance.per_mille(part)
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let line = line();
        if self.print_log {
            println!("{:>8} {line}", self.now);
        }
        for byte in line.bytes() {
            self.fingerprint = (self.fingerprint ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    /// The clocks of a process that was started then.
    pub(super) fn clocks(&self, node: Node, started: u64) -> Now {
        let skew = self.skews.get(&node).copied().unwrap_or_default();
        Now { moment: Moment(self.now - started), wall_clock_ms: EPOCH + self.now as i64 + skew }
    }

    /// None if the process can do something now.
    pub(super) fn paused(&self, node: Node) -> Option<u64> {
        self.pauses.get(&node).filter(|until| **until > self.now).map(|until| until - self.now)
    }

    fn happen(&mut self, item: Item) {
        let paused = self.whose(&item).and_then(|node| self.paused(node));
        if let Some(delay) = paused {
            return self.after(delay, item);
        }
        match item {
            Item::Connect { party, incarnation, master, pause } => self.connect(party, incarnation, master, pause),
            Item::Deliver(link, direction) => self.deliver(link, direction),
            Item::LinkEnds(link, direction) => self.link_ends(link, direction),
            Item::MasterDeadline(index, incarnation) => self.master_deadline(index, incarnation),
            Item::WorkerDeadline(index, incarnation) => self.worker_deadline(index, incarnation),
            Item::ApplicationDeadline(index, incarnation) => self.application_deadline(index, incarnation),
            Item::ClientTimeOut(index, attempt) => self.client_time_out(index, attempt),
            Item::Elected(index, incarnation, term) => self.elected(index, incarnation, term),
            Item::LeadershipLost(index, incarnation) => self.leadership_lost(index, incarnation),
            Item::ElectionTick => self.election_tick(),
            Item::StartMaster(index) => self.start_master(index),
            Item::StartWorker(index) => self.start_worker(index),
            Item::ProcessStarts(key) => self.process_starts(key),
            Item::ProcessEnds(key, code) => self.process_ends(key, code),
            Item::StartApplication(index) => self.start_client(Purpose::NewApplication(index)),
            Item::Work(index) => self.work(index),
            Item::ExecutorReady(index, executor) => self.executor_ready(index, executor),
            Item::StartClient(purpose) => self.start_client(purpose),
            Item::Impatient(index) => self.impatient(index),
            Item::Fault => self.fault(),
            Item::FaultsEnd => self.faults_end(),
        }
    }

    /// Which process does it, if it is one that may be paused.
    fn whose(&self, item: &Item) -> Option<Node> {
        match item {
            Item::Deliver(link, direction) | Item::LinkEnds(link, direction) => {
                let link = self.links.get(link)?;
                Some(match direction {
                    Direction::Up => Node::Master(link.master),
                    Direction::Down => Node::Party(link.party),
                })
            }
            Item::Connect { party, .. } => Some(Node::Party(*party)),
            Item::MasterDeadline(index, _) | Item::Elected(index, ..) | Item::LeadershipLost(index, _) => {
                Some(Node::Master(*index))
            }
            Item::WorkerDeadline(index, _) => Some(Node::Party(Party::Worker(*index))),
            _ => None,
        }
    }

    fn is_over(&self) -> bool {
        let leader = self.masters.iter().find_map(|host| host.core.as_ref().filter(|core| core.is_alive()));
        leader.is_some_and(|core| core.applications().count() == 0 && core.drivers().count() == 0)
            && self.applications.iter().all(|application| application.over)
            && self.clients.iter().all(|client| client.over)
            && self.workers.iter().all(|host| host.processes.is_empty())
    }

    fn what_is_left(&self) -> String {
        let mut left = Vec::new();
        for (index, host) in self.masters.iter().enumerate() {
            let Some(core) = &host.core else {
                left.push(format!("master {index} is down"));
                continue;
            };
            let applications: Vec<_> =
                core.applications().map(|known| format!("{} {} {:?}", known.id, known.state, known.waits)).collect();
            let drivers: Vec<_> = core.drivers().map(|known| format!("{} {}", known.id, known.state)).collect();
            left.push(format!(
                "master {index} {} stalled {} {applications:?} {drivers:?}",
                core.state(),
                host.stalled.is_some()
            ));
        }
        for (index, host) in self.workers.iter().enumerate() {
            let registered = host.core.as_ref().map(|core| core.leader().map(|leader| leader.term));
            left.push(format!("worker {index} {registered:?} {:?}", host.processes.values().collect::<Vec<_>>()));
        }
        for application in self.applications.iter().filter(|application| !application.over) {
            left.push(format!("{application:?}"));
        }
        for client in self.clients.iter().filter(|client| !client.over) {
            left.push(format!("{client:?}"));
        }
        left.join("\n")
    }
}
