//! The world of one run: virtual time, a network, a cluster manager, a driver that performs commands.

mod task;

use std::{collections::BTreeMap, sync::Arc};

use firesteel_model::{
    ByteCount, ExecutorId, ExecutorLossReason, JobId, MapId, MapStatus, ResourceInformation, ShuffleId, StageAttemptId,
    StageId, TaskEndReason, TaskId,
};
use firesteel_scheduler::{
    Command, Event, ExecutorRegistration, LostOutputs, Moment, Now, Scheduler, TaskEnded, TaskLaunch, TaskOutcome,
    TaskProgress,
};

use crate::{
    chance::Chance,
    executor::{FakeExecutor, Phase, StageBinary},
    oracle::{Oracle, Provenance},
    workload::{self, GPU, StaleHints, Workload},
};

/// Virtual milliseconds until nothing goes wrong any more.
const FAULTS_END: u64 = 60_000;
/// When the jobs are submitted that must succeed: executors that died last are known to be dead by then, and nobody is excluded
/// any more. A failure counts for as long as an exclusion lasts, so twice that may pass.
const CALM: u64 = FAULTS_END + 30_000 + 2 * workload::EXCLUSION_TIMEOUT.as_millis() as u64;
/// Every job must have ended by then. The longest honest wait is that of a barrier stage for slots, ten minutes.
const LIVENESS_END: u64 = CALM + 1_200_000;
/// A version of rows that cannot be: the task read two versions of one map output.
const MIXED: u64 = u64::MAX;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Jobs that succeeded.
    pub succeeded: u32,
    /// Jobs that failed, each for an honest reason.
    pub failed: u32,
    /// Events that the scheduler handled.
    pub events: u64,
    /// Task attempts that were launched.
    pub launched: u64,
    /// A fingerprint of every event and command, in their order: the same for the same seed.
    pub fingerprint: u64,
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Item {
    /// A message reaches the driver; a success brings the rows it was computed from.
    ToDriver(Event, Option<Provenance>),
    ToExecutor(ExecutorId, Order),
    Deadline,
    Heartbeat(ExecutorId),
    /// The task has done for as long as it takes what it does.
    Computed(ExecutorId, TaskId),
    /// It asks again, as the answer may have been lost.
    AskAgain(ExecutorId, TaskId),
    /// A task that was launched ahead and was the oldest some time ago goes back if it still is.
    GiveBack(ExecutorId, TaskId),
    /// Someone ends the attempt, as nobody's fault.
    KillAttempt(TaskId),
    /// The executor goes, and the application is not to blame.
    Preempt(ExecutorId),
    StartExecutor,
    Crash(ExecutorId),
    Fault,
    SubmitJob,
    FaultsEnd,
}

#[derive(Clone, Debug)]
enum Order {
    Launch(Vec<TaskLaunch>),
    Kill(TaskId),
    Commit(TaskId, bool),
    /// At which of its barriers; whether all have come.
    Barrier(TaskId, u32, bool),
}

/// What a map task wrote.
struct File {
    executor_id: ExecutorId,
    rows: Provenance,
    version: u64,
}

struct World {
    now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Item>,
    chance: Chance,
    faults: u64,
    shuffle_service: bool,
    scheduler: Scheduler,
    /// How many tasks may use one GPU at once.
    tasks_per_gpu: u32,
    oracle: Oracle,
    workload: Workload,
    executors: BTreeMap<ExecutorId, FakeExecutor>,
    next_executor: u32,
    files: BTreeMap<(ShuffleId, MapId), File>,
    /// Files that are there and cannot be read until the faults end.
    unreadable: BTreeMap<(ShuffleId, MapId), File>,
    binaries: BTreeMap<StageAttemptId, StageBinary>,
    waiting_results: BTreeMap<TaskId, (ExecutorId, Provenance)>,
    /// How many more attempts of a task are killed, one after the other, with nothing else the matter.
    pursued: BTreeMap<(StageAttemptId, u32), u32>,
    jobs: Vec<JobId>,
    events: u64,
    launched: u64,
    print_log: bool,
    fingerprint: u64,
}

/// Runs one seed to its end, printing every event and command if that is asked for. Panics where a promise is broken.
pub fn run(seed: u64, print_log: bool) -> Report {
    let mut chance = Chance::new(seed);
    let shuffle_service = chance.per_mille(300);
    let options = workload::options(&mut chance, shuffle_service);
    let tasks_per_gpu = options.task.resources.first().map_or(0, |request| request.amount.tasks(1));
    let oracle = Oracle::new(&options);
    let mut world = World {
        now: 0,
        sequence: 0,
        queue: BTreeMap::new(),
        faults: seed % 4,
        shuffle_service,
        scheduler: Scheduler::new(options, seed).expect("the options are valid"),
        tasks_per_gpu,
        oracle,
        workload: Workload::new(&mut chance),
        chance,
        executors: BTreeMap::new(),
        next_executor: 0,
        files: BTreeMap::new(),
        unreadable: BTreeMap::new(),
        binaries: BTreeMap::new(),
        waiting_results: BTreeMap::new(),
        pursued: BTreeMap::new(),
        jobs: Vec::new(),
        events: 0,
        launched: 0,
        print_log,
        fingerprint: 0,
    };
    world.live();
    let (succeeded, failed) = world.oracle.tally();
    Report { succeeded, failed, events: world.events, launched: world.launched, fingerprint: world.fingerprint }
}

impl World {
    fn live(&mut self) {
        for _ in 0..self.chance.between(2, 5) {
            self.after(0, Item::StartExecutor);
        }
        for _ in 0..self.chance.between(3, 12) {
            let at = self.chance.between(0, FAULTS_END / 2);
            self.after(at, Item::SubmitJob);
        }
        if self.faults > 0 {
            self.after(500, Item::Fault);
        }
        self.after(FAULTS_END, Item::FaultsEnd);
        for _ in 0..3 {
            self.after(CALM, Item::SubmitJob);
        }
        while let Some(((at, _), item)) = self.queue.pop_first() {
            self.now = at;
            self.happen(item);
            let open = self.oracle.open_jobs();
            if self.now > CALM && open.is_empty() && self.scheduler.running_tasks() == 0 {
                break;
            }
            assert!(self.now < LIVENESS_END, "faults ended long ago, and these jobs have not: {open:?}");
        }
        assert_eq!(self.scheduler.active_jobs(), 0);
        assert_eq!(self.scheduler.pending_tasks(), 0);
        assert_eq!(self.oracle.leaked_results(), 0, "the driver keeps results that nobody wants");
        assert!(self.binaries.is_empty(), "the driver keeps stage binaries that nobody wants");
    }

    fn after(&mut self, delay: u64, item: Item) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), item);
    }

    fn in_trouble(&self) -> bool {
        self.faults > 0 && self.now < FAULTS_END
    }

    /// Sends over the network, which may be late, send twice, or lose.
    fn send(&mut self, item: Item) {
        let trouble = if self.in_trouble() { self.faults * 10 } else { 0 };
        if self.chance.per_mille(trouble) {
            return;
        }
        // What comes twice is the harder test: what is lost is only asked for again.
        if self.chance.per_mille(trouble * 3) {
            let late = self.chance.between(1, 3000);
            self.after(late, item.clone());
        }
        let delay =
            if self.chance.per_mille(trouble) { self.chance.between(1, 4000) } else { self.chance.between(1, 10) };
        self.after(delay, item);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let line = line();
        if self.print_log {
            println!("{:>8} {line}", self.now);
        }
        for byte in line.bytes() {
            self.fingerprint = (self.fingerprint ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn tell(&mut self, event: Event) {
        self.note(|| format!("-> {event:?}"));
        self.events += 1;
        self.oracle.heard(&event);
        let now = Now { moment: Moment(self.now), wall_clock_ms: self.now as i64 };
        let mut commands = Vec::new();
        self.scheduler.handle(now, event, &StaleHints, &mut commands);
        self.scheduler.assert_invariants();
        for command in commands {
            self.note(|| format!("<- {command:?}"));
            self.perform(command);
        }
        self.oracle.turn_over();
        if let Some(at) = self.scheduler.next_deadline() {
            self.after(at.0.saturating_sub(self.now), Item::Deadline);
        }
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::ToDriver(event, rows) => {
                if let (Event::TaskEnded(ended), Some(rows)) = (&event, rows) {
                    self.oracle.result_arrived(ended.task_id, rows);
                }
                self.tell(event);
            }
            Item::ToExecutor(executor_id, order) => self.obey(&executor_id, order),
            Item::Deadline => {
                let due = |scheduler: &Scheduler, now| scheduler.next_deadline().is_some_and(|at| at.0 <= now);
                if due(&self.scheduler, self.now) {
                    self.tell(Event::DeadlineReached);
                    assert!(!due(&self.scheduler, self.now), "a deadline does not go away when it is met");
                }
            }
            Item::Heartbeat(executor_id) => self.heartbeat(&executor_id),
            Item::Computed(executor_id, task_id) => self.computed(&executor_id, task_id),
            Item::GiveBack(executor_id, task_id) => self.give_back(&executor_id, task_id),
            Item::AskAgain(executor_id, task_id) => self.ask(&executor_id, task_id),
            Item::KillAttempt(task_id) => {
                let reason = "someone clicked".to_owned();
                self.tell(Event::TaskAttemptKilled { task_id, interrupt: true, reason });
            }
            Item::StartExecutor => self.start_executor(0),
            Item::Crash(executor_id) => {
                let caused_by_app = self.chance.per_mille(300);
                self.crash(&executor_id, Some(caused_by_app));
            }
            Item::Preempt(executor_id) => self.crash(&executor_id, Some(false)),
            Item::Fault => self.fault(),
            Item::SubmitJob => self.submit_job(),
            Item::FaultsEnd => {
                for executor in self.executors.values_mut() {
                    executor.hangs_until = 0;
                }
                self.files.append(&mut self.unreadable);
                self.start_executor(8);
            }
        }
    }

    fn submit_job(&mut self) {
        let (submission, outputs) = self.workload.next_job(&mut self.chance);
        let must_succeed = self.faults == 0 || self.now >= CALM;
        self.oracle.submitted(&submission, outputs, workload::commits(submission.job_id), must_succeed);
        self.jobs.push(submission.job_id);
        self.tell(Event::JobSubmitted(Box::new(submission)));
    }
}

/// The driver's performing side.
impl World {
    fn perform(&mut self, command: Command) {
        self.oracle.told(&command);
        match command {
            Command::PrepareStageBinary { stage, rdd, kind, tasks, .. } => {
                assert!(self.binaries.insert(stage, StageBinary { rdd, kind, tasks }).is_none(), "{stage} twice");
                let fails = self.in_trouble() && self.chance.per_mille(5);
                let message = "the fake serializer does not like it".to_owned();
                let answer = if fails {
                    Event::StageBinaryFailed { stage, message }
                } else {
                    Event::StageBinaryPrepared { stage }
                };
                let delay = self.chance.between(0, 20);
                self.after(delay, Item::ToDriver(answer, None));
            }
            Command::ForgetStageBinary { stage } => {
                assert!(self.binaries.remove(&stage).is_some(), "{stage} was not prepared, or forgotten before");
            }
            Command::LaunchTasks { executor_id, tasks } => {
                self.launched += tasks.len() as u64;
                assert!(tasks.iter().all(|task| self.binaries.contains_key(&task.stage)));
                tasks.iter().for_each(|task| self.pursue(&executor_id, task));
                self.send(Item::ToExecutor(executor_id, Order::Launch(tasks)));
            }
            Command::KillTask { executor_id, task_id, .. } => {
                self.send(Item::ToExecutor(executor_id, Order::Kill(task_id)));
            }
            Command::FetchResult { task_id } => self.fetch_result(task_id),
            Command::DeliverResult { job_id, output_index, task_id } => {
                self.oracle.delivered(job_id, output_index, task_id);
            }
            Command::DropResult { task_id } => {
                self.oracle.result_dropped(task_id);
                self.waiting_results.remove(&task_id);
            }
            Command::JobSucceeded { job_id, .. } => self.oracle.succeeded(job_id),
            Command::JobFailed { job_id, message, .. } => self.oracle.failed(job_id, &message),
            Command::KillExecutor { executor_id, replace, .. } => {
                self.after(5, Item::Crash(executor_id));
                if replace {
                    self.after(2000, Item::StartExecutor);
                }
            }
            Command::RefuseExecutor { executor_id, .. } | Command::AskToRegister { executor_id } => {
                self.after(5, Item::Crash(executor_id));
            }
            Command::AnswerCommit { ask, allowed } => {
                let task_id = TaskId(ask);
                if let Some(executor_id) = self.executor_of(task_id) {
                    self.send(Item::ToExecutor(executor_id, Order::Commit(task_id, allowed)));
                }
            }
            Command::AnswerBarrier { task_id, epoch, outcome, .. } => {
                if let Some(executor_id) = self.executor_of(task_id) {
                    self.send(Item::ToExecutor(executor_id, Order::Barrier(task_id, epoch, outcome.is_ok())));
                }
            }
            Command::MapOutputsChanged { shuffle_id, .. } => {
                let statuses = self.scheduler.map_statuses(shuffle_id).map_or(&[][..], |(_, statuses)| statuses);
                self.oracle.map_outputs_changed(shuffle_id, statuses);
            }
            Command::AcceptExecutor { .. }
            | Command::MergeAccumulators { .. }
            | Command::PostEvent(_)
            | Command::WarnStarvation { .. }
            | Command::WarnBarrierSlots { .. }
            | Command::WarnUnknownPool { .. } => {}
        }
    }

    /// Some tasks are killed over and over, or while there is trouble lose their executor, more often than a task may fail. Not those of barrier stages: all of those fail
    /// with one.
    fn pursue(&mut self, executor_id: &ExecutorId, launch: &TaskLaunch) {
        let key = (launch.stage, launch.index);
        if launch.attempt.0 == 0 && launch.barrier.is_none() && self.chance.per_mille(10) {
            self.pursued.insert(key, 5);
        }
        if let Some(left) = self.pursued.get_mut(&key).filter(|left| **left > 0) {
            *left -= 1;
            let lost = self.in_trouble() && launch.stage.stage_id.0.is_multiple_of(2);
            let item = if lost { Item::Preempt(executor_id.clone()) } else { Item::KillAttempt(launch.task_id) };
            let delay = self.chance.between(1, 40);
            self.after(delay, item);
        }
    }

    fn executor_of(&self, task_id: TaskId) -> Option<ExecutorId> {
        self.executors.values().find(|executor| executor.tasks.contains_key(&task_id)).map(|it| it.id.clone())
    }

    fn fetch_result(&mut self, task_id: TaskId) {
        let (executor_id, rows) = self.waiting_results.remove(&task_id).expect("a result that waits is fetched once");
        let there = self.executors.contains_key(&executor_id);
        let outcome = if there { success(None) } else { TaskOutcome::Failure(TaskEndReason::TaskResultLost) };
        let ended = TaskEnded { task_id, executor_id, outcome, run_time: None, metrics: None };
        self.after(5, Item::ToDriver(Event::TaskEnded(Box::new(ended)), there.then_some(rows)));
    }
}

/// Executors and their cluster manager.
impl World {
    fn start_executor(&mut self, cores: u32) {
        if self.executors.len() >= 8 && cores == 0 {
            return;
        }
        let id = ExecutorId::from(self.next_executor.to_string().as_str());
        self.next_executor += 1;
        let host = format!("host{}", self.chance.between(0, 3));
        let (cores, gpus) = if cores == 0 {
            let cores = self.chance.between(1, 4);
            (cores as u32, self.chance.between(1, cores))
        } else {
            (cores, u64::from(cores))
        };
        self.executors.insert(id.clone(), FakeExecutor::new(id.clone(), host.clone(), cores));
        self.after(1000, Item::Heartbeat(id.clone()));
        let mut registration = ExecutorRegistration::plain(id, &host, cores);
        let addresses = (0..gpus).map(|address| address.to_string()).collect();
        Arc::make_mut(&mut registration.info).resources = vec![ResourceInformation { name: GPU.to_owned(), addresses }];
        self.after(1, Item::ToDriver(Event::ExecutorAdded(registration), None));
    }

    /// An executor ends. If that is noticed: whether the application caused it.
    fn crash(&mut self, executor_id: &ExecutorId, noticed: Option<bool>) {
        let Some(executor) = self.executors.remove(executor_id) else { return };
        self.note(|| format!("** executor {executor_id} on {} ends", executor.host));
        if !self.shuffle_service {
            self.files.retain(|_, file| file.executor_id != *executor_id);
            self.unreadable.retain(|_, file| file.executor_id != *executor_id);
        }
        if let Some(caused_by_app) = noticed {
            let reason =
                ExecutorLossReason::Exited { exit_code: Some(1), signal: None, caused_by_app, detail: String::new() };
            let lost_outputs = if self.shuffle_service { LostOutputs::None } else { LostOutputs::OfExecutor };
            let delay = self.chance.between(0, 2000);
            let event = Event::ExecutorLost { executor_id: executor_id.clone(), reason, lost_outputs };
            self.after(delay, Item::ToDriver(event, None));
        }
        let delay = self.chance.between(500, 5000);
        self.after(delay, Item::StartExecutor);
    }

    fn fault(&mut self) {
        if self.now >= FAULTS_END {
            return;
        }
        let next = self.chance.between(200, 6000 / self.faults);
        self.after(next, Item::Fault);
        let alive: Vec<ExecutorId> = self.executors.keys().cloned().collect();
        let victim = (!alive.is_empty()).then(|| alive[self.chance.next() as usize % alive.len()].clone());
        let job_id = (!self.jobs.is_empty()).then(|| self.jobs[self.chance.next() as usize % self.jobs.len()]);
        match (self.chance.between(0, 13), victim, job_id) {
            (0..=2, Some(victim), _) => {
                let caused_by_app = self.chance.per_mille(300);
                self.crash(&victim, Some(caused_by_app));
            }
            (3, Some(victim), _) => self.crash(&victim, None),
            (4, Some(victim), _) => {
                let until = self.now + self.chance.between(1000, 20_000);
                self.executors.get_mut(&victim).expect("it is alive").hangs_until = until;
            }
            (5, Some(victim), _) => {
                let event = Event::ExecutorDecommissioned { executor_id: victim.clone(), host_too: false };
                self.tell(event);
                self.after(3000, Item::Crash(victim));
            }
            (6, _, Some(job_id)) if !self.oracle.is_over(job_id) => {
                self.oracle.cancelled(job_id);
                self.tell(Event::JobCancelled { job_id, reason: None });
            }
            (7, _, Some(job_id)) if self.chance.per_mille(200) => {
                let group = job_id.0 % 5;
                for other in self.jobs.clone() {
                    if other.0 % 5 == group {
                        self.oracle.cancelled(other);
                    }
                }
                let group = format!("group {group}");
                self.tell(Event::JobGroupCancelled { group, cancel_future_jobs: false, reason: None });
            }
            (8, _, _) if self.chance.per_mille(200) => {
                let stage_id = StageId(self.chance.between(0, 30) as u32);
                self.oracle.stage_cancelled(stage_id);
                self.tell(Event::StageCancelled { stage_id, reason: None });
            }
            (9, _, _) => {
                let task_id = TaskId(self.launched.saturating_sub(self.chance.between(1, 4)));
                let reason = "someone clicked".to_owned();
                self.tell(Event::TaskAttemptKilled { task_id, interrupt: true, reason });
            }
            (10..=12, _, _) if !self.files.is_empty() => {
                // A disk cannot read one file: nobody knows before a task wants it.
                let at = self.chance.next() as usize % self.files.len();
                let lost = *self.files.keys().nth(at).expect("there are so many");
                self.note(|| format!("** file of {lost:?} cannot be read"));
                self.unreadable.extend(self.files.remove_entry(&lost));
            }
            (13, Some(victim), _) if self.chance.per_mille(300) => {
                // A disk cannot read anything, and its executor works on.
                self.note(|| format!("** no file of executor {victim} can be read"));
                self.unreadable.extend(self.files.extract_if(.., |_, file| file.executor_id == victim));
            }
            _ => {}
        }
    }

    fn heartbeat(&mut self, executor_id: &ExecutorId) {
        let Some(executor) = self.executors.get(executor_id) else { return };
        if executor.hangs_until <= self.now {
            let waiting = executor.waiting.iter().map(|launch| launch.task_id);
            let tasks = executor.tasks.keys().copied().chain(waiting);
            let progress = tasks.map(|task_id| TaskProgress { task_id, records_read: 0, accumulators: Vec::new() });
            let event = Event::Heartbeat { executor_id: executor_id.clone(), tasks: progress.collect() };
            self.send(Item::ToDriver(event, None));
        }
        self.after(1000, Item::Heartbeat(executor_id.clone()));
    }

    fn obey(&mut self, executor_id: &ExecutorId, order: Order) {
        let Some(executor) = self.executors.get_mut(executor_id) else { return };
        if executor.hangs_until > self.now {
            let delay = executor.hangs_until - self.now;
            return self.after(delay, Item::ToExecutor(executor_id.clone(), order));
        }
        match order {
            Order::Launch(tasks) => {
                for launch in tasks {
                    self.start_task(executor_id, launch);
                }
            }
            Order::Kill(task_id) => {
                let waiting = executor.waiting.len();
                executor.waiting.retain(|launch| launch.task_id != task_id);
                let hears = executor.tasks.get(&task_id).is_some_and(|task| !task.deaf);
                if hears || executor.waiting.len() < waiting {
                    let reason = "killed".to_owned();
                    self.end_task(
                        executor_id,
                        task_id,
                        TaskOutcome::Failure(TaskEndReason::TaskKilled { reason }),
                        None,
                    );
                }
            }
            Order::Commit(task_id, allowed) => self.commit_answered(executor_id, task_id, allowed),
            Order::Barrier(task_id, epoch, met) => {
                let waits = executor.tasks.get_mut(&task_id).filter(|task| task.phase == Phase::AtBarrier { epoch });
                if let Some(task) = waits {
                    let last = epoch + 1 == workload::barriers(task.launch.stage.stage_id);
                    task.phase = if last { Phase::Reading } else { Phase::AtBarrier { epoch: epoch + 1 } };
                    let time = self.time_of_work();
                    if !met {
                        self.end_task(executor_id, task_id, exception("the barrier broke"), None);
                    } else if last {
                        self.after(time, Item::Computed(executor_id.clone(), task_id));
                    } else {
                        self.after(time, Item::AskAgain(executor_id.clone(), task_id));
                    }
                }
            }
        }
    }
}

fn success(map_status: Option<Arc<MapStatus>>) -> TaskOutcome {
    let update = firesteel_model::AccumulatorUpdate {
        id: firesteel_model::AccumulatorId(1),
        name: None,
        value: firesteel_model::AccumulatorValue::Long(1),
        additions: 1,
    };
    TaskOutcome::Success { map_status, result_size: ByteCount(100), accumulators: vec![update] }
}

fn exception(description: &str) -> TaskOutcome {
    TaskOutcome::Failure(TaskEndReason::ExceptionFailure {
        class_name: "FakeError".to_owned(),
        description: description.to_owned(),
        stack_trace: String::new(),
        retryable: true,
    })
}
