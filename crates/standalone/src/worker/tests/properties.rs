//! Chance: messages come in any order, twice or not at all, connections end, processes do as they like.
//!
//! Safety: no executor is started twice, and no driver unless it is supervised and its last process has ended; what is used is
//! what runs. Liveness: when faults stop, every end is known to the master.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::protocol::{ExecutorNumber, ExecutorUpdate};

#[derive(Clone, Debug)]
enum Step {
    /// The master that leads orders a new executor.
    Launch,
    /// It orders one that it has ordered before to end.
    Kill(u32),
    LaunchDriver(bool),
    KillDriver(u32),
    ApplicationFinished,
    /// A message on its way arrives; and it may arrive once more.
    Deliver {
        which: u32,
        again: bool,
    },
    Lose(u32),
    /// The processes that were ordered do what processes do.
    Start(u32),
    CannotStart(u32),
    End(u32, i32),
    /// The worker's answers to the master get lost from here on until the next connection.
    Disconnect,
    /// Another master leads.
    Elect,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let index = || 0..16u32;
    prop_oneof![
        4 => Just(Step::Launch),
        2 => index().prop_map(Step::Kill),
        1 => any::<bool>().prop_map(Step::LaunchDriver),
        1 => index().prop_map(Step::KillDriver),
        1 => Just(Step::ApplicationFinished),
        12 => (index(), any::<bool>()).prop_map(|(which, again)| Step::Deliver { which, again }),
        2 => index().prop_map(Step::Lose),
        6 => index().prop_map(Step::Start),
        1 => index().prop_map(Step::CannotStart),
        4 => (index(), -1..3).prop_map(|(which, code)| Step::End(which, code)),
        1 => Just(Step::Disconnect),
        1 => Just(Step::Elect),
        2 => Just(Step::Wait),
    ]
}

/// The masters, the network and the machine around a worker.
struct World {
    bench: Bench,
    term: u64,
    /// Which of the two masters leads.
    leading: usize,
    connected: bool,
    /// To the worker, from a master.
    under_way: Vec<(usize, FromMaster)>,
    next_executor: u32,
    next_driver: u32,
    /// Ordered to start, with what it is, and whether it runs.
    processes: BTreeMap<ProcessId, (String, bool)>,
    started: BTreeMap<String, u32>,
    supervised: BTreeSet<String>,
    /// Ends that a master has heard of, and what it was told to start.
    ended: BTreeSet<String>,
    exited: bool,
}

impl World {
    fn new() -> Self {
        let mut bench = bench();
        bench.register(0, 1);
        Self {
            bench,
            term: 1,
            leading: 0,
            connected: true,
            under_way: Vec::new(),
            next_executor: 0,
            next_driver: 0,
            processes: BTreeMap::new(),
            started: BTreeMap::new(),
            supervised: BTreeSet::new(),
            ended: BTreeSet::new(),
            exited: false,
        }
    }

    fn post(&mut self, message: ToWorker) {
        self.under_way.push((self.leading, FromMaster::Worker(message)));
    }

    fn tell(&mut self, event: WorkerEvent) {
        let commands = self.bench.tell(event);
        self.perform(commands);
    }

    fn perform(&mut self, commands: Vec<WorkerCommand>) {
        for command in commands {
            match command {
                WorkerCommand::StartExecutor { process, launch } => {
                    self.order(process, executor_name(launch.executor));
                }
                WorkerCommand::StartDriver { process, launch } => self.order(process, launch.submission_id.to_string()),
                WorkerCommand::Send { master, message } if master == self.leading && self.connected => {
                    self.heard(*message);
                }
                WorkerCommand::Exit { .. } => {
                    assert!(self.processes.is_empty(), "it ends before what it has started");
                    self.exited = true;
                }
                WorkerCommand::RemoveApplication { .. } => {
                    let executor = self.processes.values().find(|(name, _)| name.starts_with("executor"));
                    assert_eq!(executor, None, "its executors need the directories");
                }
                _ => {}
            }
        }
        let cores = self.bench.worker.used().cores as usize;
        let waiting =
            self.bench.worker.drivers().filter(|d| matches!(d.phase, super::super::DriverPhase::Waits { .. }));
        let ordered = self.processes.len() + self.bench.worker.waiting.len();
        assert_eq!(cores, ordered + waiting.count());
        assert!(self.processes.len() <= self.bench.worker.description().cores as usize, "each has a core");
    }

    fn order(&mut self, process: ProcessId, name: String) {
        let running = self.processes.values().any(|(other, _)| *other == name);
        let starts = self.started.entry(name.clone()).or_default();
        assert!(*starts == 0 || (self.supervised.contains(&name) && !running), "{name} is started twice");
        *starts += 1;
        assert_eq!(self.processes.insert(process, (name, false)), None);
    }

    fn heard(&mut self, message: FromWorker) {
        match message {
            FromWorker::Register(state) => {
                assert_eq!(state.drivers.len() + state.executors.len(), {
                    let unknown = self.bench.worker.reports.len();
                    let waiting = self.bench.worker.drivers();
                    let waiting =
                        waiting.filter(|d| matches!(d.phase, super::super::DriverPhase::Waits { .. })).count();
                    self.processes.len() + self.bench.worker.waiting.len() + waiting + unknown
                });
                self.post(ToWorker::Registered { leader: leader(self.term) });
            }
            FromWorker::ExecutorChanged(ExecutorUpdate { application_id, executor, state, .. }) => {
                if state.is_final() {
                    let name = executor_name(executor);
                    assert!(!self.processes.values().any(|(other, _)| *other == name), "{name} has not ended");
                    self.ended.insert(name);
                    self.post(ToWorker::ExecutorUpdateTaken { application_id, executor });
                }
            }
            FromWorker::DriverChanged(update) if update.state.is_final() => {
                self.ended.insert(update.submission_id.to_string());
                self.post(ToWorker::DriverUpdateTaken { submission_id: update.submission_id });
            }
            FromWorker::DriverChanged(_) | FromWorker::Heartbeat | FromWorker::Decommissioning => {}
        }
    }

    fn step(&mut self, step: Step) {
        let term = self.term;
        match step {
            Step::Launch => {
                self.post(ToWorker::LaunchExecutor(Box::new(launch(term, self.next_executor))));
                self.next_executor += 1;
            }
            Step::Kill(which) => self.post(kill(term, which)),
            Step::LaunchDriver(supervise) => {
                let mut driver = driver(term, supervise);
                let name = format!("driver-{}", self.next_driver);
                self.next_driver += 1;
                driver.submission_id = SubmissionId::new(name.as_str());
                if supervise {
                    self.supervised.insert(name);
                }
                self.post(ToWorker::LaunchDriver(Box::new(driver)));
            }
            Step::KillDriver(which) => {
                let submission_id = SubmissionId::new(format!("driver-{which}"));
                self.post(ToWorker::KillDriver { term: Term(term), submission_id });
            }
            Step::ApplicationFinished => self.post(finished(term)),
            Step::Deliver { which, again } => self.deliver(which as usize, again),
            Step::Lose(which) => {
                if !self.under_way.is_empty() {
                    let which = which as usize % self.under_way.len();
                    self.under_way.remove(which);
                }
            }
            Step::Start(which) => {
                if let Some(process) = self.process(which, false) {
                    self.processes.get_mut(&process).unwrap().1 = true;
                    self.tell(WorkerEvent::ProcessStarted { process, pid: 7 });
                }
            }
            Step::CannotStart(which) => {
                if let Some(process) = self.process(which, false) {
                    self.processes.remove(&process);
                    self.tell(WorkerEvent::ProcessNotStarted { process, message: "no".to_owned() });
                }
            }
            Step::End(which, code) => {
                if let Some(process) = self.process(which, true) {
                    self.processes.remove(&process);
                    let exit_code = (code >= 0).then_some(code);
                    let end = ProcessEnd { exit_code, ..ProcessEnd::default() };
                    self.tell(WorkerEvent::ProcessEnded { process, end });
                }
            }
            Step::Disconnect => {
                self.connected = false;
                self.tell(WorkerEvent::Disconnected { master: self.leading });
            }
            Step::Elect => {
                self.leading = 1 - self.leading;
                self.term += 1;
                self.connect();
            }
            Step::Wait => {
                let commands = self.bench.wait();
                self.perform(commands);
            }
        }
    }

    fn connect(&mut self) {
        self.connected = true;
        self.tell(WorkerEvent::Connected { master: self.leading });
        self.under_way.push((self.leading, FromMaster::MasterLeads(leader(self.term))));
    }

    fn deliver(&mut self, which: usize, again: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let which = which % self.under_way.len();
        let (master, message) = if again { self.under_way[which].clone() } else { self.under_way.remove(which) };
        self.tell(WorkerEvent::Received { master, message: Box::new(message) });
    }

    fn process(&self, which: u32, running: bool) -> Option<ProcessId> {
        let some: Vec<_> = self.processes.iter().filter(|(_, (_, runs))| *runs == running).map(|(id, _)| *id).collect();
        (!some.is_empty()).then(|| some[which as usize % some.len()])
    }

    /// No more faults: everything arrives in order, and all processes end well.
    fn settle(&mut self) {
        self.step(Step::Elect);
        for _ in 0..1000 {
            while !self.under_way.is_empty() {
                self.deliver(0, false);
            }
            if let Some(process) = self.process(0, false) {
                self.processes.get_mut(&process).unwrap().1 = true;
                self.tell(WorkerEvent::ProcessStarted { process, pid: 7 });
            } else if self.process(0, true).is_some() {
                self.step(Step::End(0, 0));
            } else if self.bench.worker.used().cores > 0 {
                // A driver waits to be started again.
                self.step(Step::Wait);
            } else {
                return;
            }
        }
        panic!("it does not come to an end");
    }
}

fn executor_name(number: ExecutorNumber) -> String {
    format!("executor-{number}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_is_started_twice_nothing_forgotten_and_every_end_is_told(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            if world.exited {
                break;
            }
            world.step(step);
        }
        if !world.exited {
            world.settle();
            let started: BTreeSet<String> = world.started.keys().cloned().collect();
            let untold: Vec<_> = started.difference(&world.ended).collect();
            prop_assert!(untold.is_empty(), "never told: {untold:?}");
            prop_assert!(world.bench.worker.reports.is_empty());
        }
    }
}
