//! Workers as processes, and what they have started.

use std::{collections::BTreeMap, time::Duration};

use firesteel_model::{ApplicationId, ByteCount, ResourceInformation, SubmissionId};
use firesteel_standalone::{
    WorkerDescription,
    protocol::{FromMaster, ToMaster, ToWorker},
    worker::{ProcessEnd, ProcessId, Worker, WorkerCommand, WorkerEvent, WorkerOptions},
    worker_id,
};

use super::world::{FAULTS_END, Item, Node, Party, World};
use crate::chance::Chance;

#[derive(Debug)]
pub(super) struct WorkerHost {
    index: usize,
    pub(super) core: Option<Worker>,
    pub(super) incarnation: u32,
    started: u64,
    pub(super) cores: u32,
    pub(super) memory: ByteCount,
    pub(super) gpus: u32,
    /// What runs, or is about to.
    pub(super) processes: BTreeMap<ProcessId, Process>,
}

/// Names a process among all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ProcessKey {
    pub(super) worker: usize,
    incarnation: u32,
    process: ProcessId,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) what: What,
    pub(super) cores: u32,
    pub(super) memory: ByteCount,
    pub(super) resources: Vec<ResourceInformation>,
    runs: bool,
    /// It does not end when it is asked to.
    stubborn: bool,
    /// Its end was ordered, and with what code it will come.
    ends: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum What {
    Executor(ApplicationId, u32),
    Driver(SubmissionId),
}

impl WorkerHost {
    pub(super) fn new(index: usize, chance: &mut Chance) -> Self {
        Self {
            index,
            core: None,
            incarnation: 0,
            started: 0,
            cores: chance.between(2, 5) as u32,
            memory: ByteCount::gib(chance.between(3, 8)),
            // What applications and drivers ask for at most.
            gpus: 2,
            processes: BTreeMap::new(),
        }
    }
}

impl World {
    pub(super) fn start_worker(&mut self, index: usize) {
        if self.workers[index].core.is_some() {
            return;
        }
        let now = self.now;
        let seed = self.chance.next();
        let clock = self.clocks(Node::Party(Party::Worker(index)), now).wall_clock_ms;
        let masters = self.masters.len();
        let host = &mut self.workers[index];
        host.incarnation += 1;
        host.started = now;
        let name = format!("w{}", host.index);
        let addresses = (0..host.gpus).map(|gpu| gpu.to_string()).collect();
        let description = WorkerDescription {
            host: name.clone(),
            port: 7078,
            cores: host.cores,
            memory: host.memory,
            resources: vec![ResourceInformation { name: "gpu".to_owned(), addresses }],
            web_ui_url: String::new(),
        };
        let options = WorkerOptions {
            update_timeout: Duration::from_secs(30),
            retained_executors: 3,
            retained_drivers: 3,
            ..WorkerOptions::default()
        };
        host.core = Some(Worker::new(options, worker_id(clock, &name, 7078), description, masters, seed));
        let incarnation = host.incarnation;
        self.note(|| format!("worker {index} starts"));
        for master in 0..masters {
            self.after(1, Item::Connect { party: Party::Worker(index), incarnation, master, pause: 100 });
        }
        self.await_worker_deadline(index);
    }

    /// The process is gone with all that it has started.
    pub(super) fn worker_gone(&mut self, index: usize, restart_after: u64) {
        self.note(|| format!("worker {index} is gone"));
        self.workers[index].core = None;
        let processes = std::mem::take(&mut self.workers[index].processes);
        for process in processes.into_values() {
            self.oracle.process_ended(index, &process, None);
        }
        self.process_gone(Node::Party(Party::Worker(index)));
        self.after(restart_after, Item::StartWorker(index));
    }

    pub(super) fn worker_connected(&mut self, index: usize, master: usize) {
        self.worker_says(index, WorkerEvent::Connected { master });
    }

    pub(super) fn worker_disconnected(&mut self, index: usize, master: usize) {
        self.worker_says(index, WorkerEvent::Disconnected { master });
    }

    pub(super) fn worker_hears(&mut self, index: usize, master: usize, message: FromMaster) {
        self.worker_says(index, WorkerEvent::Received { master, message: Box::new(message) });
    }

    pub(super) fn worker_deadline(&mut self, index: usize, incarnation: u32) {
        let host = &self.workers[index];
        if host.incarnation != incarnation {
            return;
        }
        let now = self.clocks(Node::Party(Party::Worker(index)), host.started).moment;
        let due = |core: &Worker| core.next_deadline().is_some_and(|at| at <= now);
        if host.core.as_ref().is_some_and(due) {
            self.worker_says(index, WorkerEvent::DeadlineReached);
            let again = self.workers[index].core.as_ref().is_some_and(due);
            assert!(!again, "a deadline does not go away when it is met");
        }
    }

    fn await_worker_deadline(&mut self, index: usize) {
        let host = &self.workers[index];
        let Some(at) = host.core.as_ref().and_then(Worker::next_deadline) else { return };
        let (incarnation, delay) = (host.incarnation, (at.0 + host.started).saturating_sub(self.now));
        self.after(delay, Item::WorkerDeadline(index, incarnation));
    }

    fn worker_says(&mut self, index: usize, event: WorkerEvent) {
        self.note(|| format!("worker {index} -> {event:?}"));
        self.events += 1;
        let now = self.clocks(Node::Party(Party::Worker(index)), self.workers[index].started);
        let ordered = match &event {
            WorkerEvent::Received { message, .. } => match &**message {
                FromMaster::Worker(ToWorker::LaunchExecutor(launch)) => Some(launch.term),
                _ => None,
            },
            _ => None,
        };
        let Some(core) = &mut self.workers[index].core else { return };
        let commands = core.handle_all(now, [event]);
        for command in commands {
            self.note(|| format!("worker {index} <- {command:?}"));
            match command {
                WorkerCommand::Send { master, message } => {
                    self.send_up(Party::Worker(index), master, ToMaster::Worker(*message));
                }
                WorkerCommand::StartExecutor { process, launch } => {
                    let what = What::Executor(launch.application_id.clone(), launch.executor);
                    // What has waited for room was ordered earlier.
                    if let Some(term) = ordered {
                        self.oracle.obeyed(index, self.workers[index].incarnation, term);
                    }
                    self.executors += 1;
                    self.start_process(index, process, what, launch.cores, launch.memory, launch.resources);
                }
                WorkerCommand::StartDriver { process, launch } => {
                    let what = What::Driver(launch.submission_id.clone());
                    let wanted = &launch.description;
                    self.start_process(index, process, what, wanted.cores, wanted.memory, launch.resources);
                }
                WorkerCommand::Terminate { process } => {
                    let delay = self.chance.between(10, 3000);
                    self.end_process(index, process, delay, false);
                }
                WorkerCommand::Kill { process } => {
                    let delay = self.chance.between(1, 50);
                    self.end_process(index, process, delay, true);
                }
                WorkerCommand::Log { text, .. } => {
                    self.fenced += u64::from(text.contains("it is ignored, as term"));
                }
                WorkerCommand::RemoveApplication { application_id } => {
                    let of_it =
                        |process: &&Process| matches!(&process.what, What::Executor(id, _) if *id == application_id);
                    let needs = self.workers[index].processes.values().find(of_it);
                    assert!(needs.is_none(), "{needs:?} needs the directories that are removed");
                }
                WorkerCommand::CleanUp { .. } => {}
                WorkerCommand::Exit { code } => {
                    let left = &self.workers[index].processes;
                    assert!(left.is_empty(), "worker {index} ends with {code} before {left:?}");
                    let delay = self.chance.between(1000, 10_000);
                    return self.worker_gone(index, delay);
                }
            }
        }
        self.await_worker_deadline(index);
    }

    fn start_process(
        &mut self,
        index: usize,
        process: ProcessId,
        what: What,
        cores: u32,
        memory: ByteCount,
        resources: Vec<ResourceInformation>,
    ) {
        let stubborn = self.chance.per_mille(100);
        let started = Process { what, cores, memory, resources, runs: false, stubborn, ends: false };
        let host = &mut self.workers[index];
        assert!(host.processes.insert(process, started.clone()).is_none(), "{process:?} is started twice");
        let key = ProcessKey { worker: index, incarnation: host.incarnation, process };
        self.oracle.process_started(index, host, &started);
        let delay = self.chance.between(1, 1500);
        self.after(delay, Item::ProcessStarts(key));
    }

    fn process(&mut self, key: ProcessKey) -> Option<&mut Process> {
        let host = self.workers.get_mut(key.worker)?;
        if host.incarnation != key.incarnation { None } else { host.processes.get_mut(&key.process) }
    }

    pub(super) fn process_starts(&mut self, key: ProcessKey) {
        let fails = self.trouble(10);
        let code = if self.trouble(100) { 1 } else { 0 };
        let Some(process) = self.process(key) else { return };
        if fails || process.ends {
            let process = self.workers[key.worker].processes.remove(&key.process).expect("it was there");
            self.oracle.process_ended(key.worker, &process, None);
            let message = "there is no such program".to_owned();
            return self.worker_says(key.worker, WorkerEvent::ProcessNotStarted { process: key.process, message });
        }
        process.runs = true;
        let what = process.what.clone();
        self.worker_says(key.worker, WorkerEvent::ProcessStarted { process: key.process, pid: 1 });
        let (delay, code) = match what {
            What::Driver(id) => (self.chance.between(500, 30_000), self.oracle.exit_code_of(&id)),
            What::Executor(id, executor) => {
                let of_it = |application: &super::applications::Application| application.id.as_ref() == Some(&id);
                let application = self.applications.iter().position(of_it);
                let index = application.expect("it has an id");
                if self.applications[index].over {
                    // Nobody is there to register with; some never find out.
                    if self.chance.per_mille(200) {
                        return;
                    }
                    (self.chance.between(10, 3000), 1)
                } else if code != 0 {
                    (self.chance.between(1, 500), 1)
                } else {
                    let delay = self.chance.between(1, 100);
                    self.after(delay, Item::ExecutorReady(index, executor));
                    if self.now >= FAULTS_END || self.faults == 0 || self.chance.per_mille(700) {
                        return;
                    }
                    (self.chance.between(1000, 60_000), i32::from(self.chance.per_mille(500)))
                }
            }
        };
        self.after(delay, Item::ProcessEnds(key, code));
    }

    pub(super) fn process_ends(&mut self, key: ProcessKey, code: i32) {
        if self.process(key).is_none() {
            return;
        }
        let process = self.workers[key.worker].processes.remove(&key.process).expect("it was there");
        if let Some(delay) = self.paused(Node::Party(Party::Worker(key.worker))) {
            // It has ended, and its worker sees it when it does anything again. Its room counts until then.
            self.workers[key.worker].processes.insert(key.process, process);
            return self.after(delay, Item::ProcessEnds(key, code));
        }
        let killed = process.ends && code < 0;
        self.oracle.process_ended(key.worker, &process, (!killed).then_some(code));
        let end = ProcessEnd {
            exit_code: (!killed).then_some(code),
            signal: killed.then_some(9),
            caused_by_app: false,
            detail: String::new(),
        };
        self.worker_says(key.worker, WorkerEvent::ProcessEnded { process: key.process, end });
    }

    fn end_process(&mut self, index: usize, process: ProcessId, delay: u64, by_force: bool) {
        let key = ProcessKey { worker: index, incarnation: self.workers[index].incarnation, process };
        let Some(process) = self.process(key) else { return };
        if process.stubborn && !by_force {
            return;
        }
        process.ends = true;
        if process.runs {
            self.after(delay, Item::ProcessEnds(key, -9));
        }
    }

    /// Executors find out that their driver is gone, or are told by it to end; some do not.
    pub(super) fn end_executors_of(&mut self, id: &ApplicationId, well: bool) {
        let mut ending = Vec::new();
        for (worker, host) in self.workers.iter().enumerate() {
            for (process, running) in &host.processes {
                let of_it = matches!(&running.what, What::Executor(other, _) if other == id);
                if of_it && running.runs && !running.stubborn {
                    ending.push(ProcessKey { worker, incarnation: host.incarnation, process: *process });
                }
            }
        }
        for key in ending {
            let delay = self.chance.between(10, 3000);
            self.after(delay, Item::ProcessEnds(key, i32::from(!well)));
        }
    }
}
