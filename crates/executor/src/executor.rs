//! The executor: takes tasks, runs them in its slots, reports how they ended.

use std::{
    collections::BTreeMap,
    io, mem,
    sync::{Arc, OnceLock, Weak},
    thread,
    time::Instant,
};

use firesteel_messages::{
    DriverMessage, ExecutorMessage, Heartbeat, StageDescription, TaskDescription, TaskHeartbeat, TaskOutcome,
    TaskResult, TaskSuccess,
};
use firesteel_model::{ByteCount, StageAttemptId, TaskEndReason, TaskId};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tracing::{debug, info, warn};

use crate::{
    Environment, KillSwitch, ReaperOptions, TaskContext, TaskFailure, TaskRunner,
    cpu_time::thread_cpu_time_ns,
    panics,
    reaper::{Overdue, TaskReaper},
    runner::PreparedStage,
    slots::{Look, Slots, WATCH_INTERVAL},
    thread_dump::{self, ThreadDump},
    threads::user_code_thread,
};

/// Runs the tasks that the driver sends (RT-02). Cheap to clone; all clones are one executor.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    environment: Arc<Environment>,
    runner: Arc<dyn TaskRunner>,
    state: Mutex<State>,
    work_arrived: Condvar,
    /// For the thread that watches over waiting tasks: there are some.
    watch: Condvar,
    /// How many tasks run at once at most. Short tasks are launched ahead of free slots, at most
    /// `spark.scheduler.launchAhead.maxTasksPerSlot` for each slot, so waiting tasks are few.
    slots: usize,
    /// Watches killed tasks, if somebody wants that.
    reaper: OnceLock<Arc<TaskReaper>>,
}

struct State {
    stages: BTreeMap<StageAttemptId, Arc<Stage>>,
    slots: Slots<Launched, TaskOutcome>,
    /// Every task that waits or runs.
    tasks: BTreeMap<TaskId, Arc<Running>>,
    threads: usize,
    idle_threads: usize,
    /// Does the thread run that looks at the slots?
    watcher: bool,
    stopped: bool,
}

struct Stage {
    description: Arc<StageDescription>,
    prepared: OnceLock<Result<PreparedStage, TaskFailure>>,
}

struct Launched {
    stage: Arc<Stage>,
    task: TaskDescription,
    /// How many of the application's files were announced when it was launched: it may use those.
    files: usize,
    running: Arc<Running>,
}

/// A task as those see it who kill it or report on it.
struct Running {
    stage: StageAttemptId,
    kill: Arc<KillSwitch>,
    context: OnceLock<Arc<TaskContext>>,
    /// The kernel's number of the thread that it runs on, once it runs.
    thread: OnceLock<i32>,
}

impl Executor {
    /// An executor without tasks.
    pub fn new(environment: Arc<Environment>, runner: Arc<dyn TaskRunner>, slots: usize) -> Self {
        panics::install_hook();
        let shared = Shared {
            environment,
            runner,
            state: Mutex::new(State {
                stages: BTreeMap::new(),
                slots: Slots::new(slots.max(1)),
                tasks: BTreeMap::new(),
                threads: 0,
                idle_threads: 0,
                watcher: false,
                stopped: false,
            }),
            work_arrived: Condvar::new(),
            watch: Condvar::new(),
            slots: slots.max(1),
            reaper: OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// From now on, killed tasks are watched until they have ended (RT-38): the log says at each polling interval which ones
    /// still run. `unstoppable` is told, in words for people, of each that goes on after the time-out. A second call does
    /// nothing.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn watch_killed_tasks(
        &self,
        options: ReaperOptions,
        mut unstoppable: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<()> {
        // The watch must not keep the executor: it ends when the executor is stopped or its last handle is gone.
        let shared = Arc::downgrade(&self.shared);
        let reaper = TaskReaper::start(options, move |overdue| {
            if let Some(message) = tell_overdue(&shared, overdue, options) {
                unstoppable(&message);
            }
        })?;
        if let Err(another) = self.shared.reaper.set(reaper) {
            another.stop();
        }
        Ok(())
    }

    /// What all its tasks share.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.shared.environment
    }

    /// Does what the driver says, as far as it concerns tasks and blocks. Registration and the end of the process are the
    /// business of whoever holds the connection.
    pub fn handle(&self, message: ExecutorMessage) {
        match message {
            ExecutorMessage::LaunchTasks { stages, tasks } => self.launch(stages, tasks),
            ExecutorMessage::AddFiles(files) => match self.shared.environment.files() {
                Some(known) => known.announce(files),
                None => warn!(files = files.len(), "files of the application cannot be placed here"),
            },
            ExecutorMessage::KillTask { task_id, interrupt: _, reason } => self.kill(task_id, &reason),
            ExecutorMessage::RemoveStage(stage) => {
                self.shared.state.lock().stages.remove(&stage);
            }
            ExecutorMessage::Answer { number, answer } => self.shared.environment.questions().answered(number, answer),
            ExecutorMessage::RemoveRdd(_)
            | ExecutorMessage::RemoveBlocks(_)
            | ExecutorMessage::RemoveBroadcast(_)
            | ExecutorMessage::RemoveShuffle(_)
            | ExecutorMessage::Replicate { .. }
            | ExecutorMessage::SyncStorage(_) => self.shared.environment.handle_storage(message),
            ExecutorMessage::Stop => self.stop("the driver has stopped"),
            ExecutorMessage::Registered
            | ExecutorMessage::Refused(_)
            | ExecutorMessage::ReRegister
            | ExecutorMessage::FarewellTaken => {}
        }
    }

    /// Every waiting or running task with what it has read and added to accumulators so far (RT-47, RT-70).
    pub fn heartbeat(&self) -> Heartbeat {
        let running: Vec<(TaskId, Arc<Running>)> =
            self.shared.state.lock().tasks.iter().map(|(&id, running)| (id, Arc::clone(running))).collect();
        let tasks = running.into_iter().map(|(task_id, running)| {
            let context = running.context.get();
            // An accumulator of the user's may panic here; that fails its task, when it ends, and no heartbeat.
            let accumulators = context.and_then(|context| {
                panics::catch(|| context.accumulator_updates(false))
                    // What it panicked with may panic again when it is dropped, here, outside of a task.
                    .map_err(mem::forget)
                    .ok()
            });
            TaskHeartbeat {
                task_id,
                stage: running.stage,
                records_read: context.map_or(0, |context| context.metrics().records_read()),
                accumulators: accumulators.unwrap_or_default(),
            }
        });
        Heartbeat { tasks: tasks.collect(), memory: self.shared.environment.executor_metrics() }
    }

    /// Kills every task and takes no more.
    pub fn stop(&self, reason: &str) {
        let mut state = self.shared.state.lock();
        state.stopped = true;
        state.slots.clear();
        for running in state.tasks.values() {
            running.kill.kill(reason);
        }
        self.shared.work_arrived.notify_all();
        self.shared.watch.notify_all();
        if let Some(reaper) = self.shared.reaper.get() {
            reaper.stop();
        }
    }

    fn launch(&self, stages: Vec<Arc<StageDescription>>, tasks: Vec<TaskDescription>) {
        // Messages keep their order: what the driver knew when it launched these tasks has been announced.
        let files = self.shared.environment.files().map_or(0, |files| files.announced());
        let mut state = self.shared.state.lock();
        if state.stopped {
            return;
        }
        for description in stages {
            let stage = description.stage;
            state.stages.entry(stage).or_insert_with(|| Arc::new(Stage { description, prepared: OnceLock::new() }));
        }
        for task in tasks {
            if state.tasks.contains_key(&task.task_id) {
                debug!(task_id = %task.task_id, "task was launched twice");
                continue;
            }
            let Some(stage) = state.stages.get(&task.stage).cloned() else {
                drop_unknown_stage(&self.shared.environment, &task);
                continue;
            };
            let running = Arc::new(Running {
                stage: task.stage,
                kill: Arc::new(KillSwitch::default()),
                context: OnceLock::new(),
                thread: OnceLock::new(),
            });
            state.tasks.insert(task.task_id, Arc::clone(&running));
            state.slots.push(Launched { stage, task, files, running });
        }
        let wanted = state.slots.waiting();
        let new_threads =
            wanted.saturating_sub(state.idle_threads).min(self.shared.slots - state.threads.min(self.shared.slots));
        state.threads += new_threads;
        for _ in 0..wanted.min(state.idle_threads) {
            self.shared.work_arrived.notify_one();
        }
        let watch = state.slots.wants_watching();
        let start_watcher = watch && !state.watcher;
        state.watcher |= watch;
        drop(state);
        if watch {
            self.shared.watch.notify_one();
        }
        if start_watcher {
            self.start_watcher();
        }
        for _ in 0..new_threads {
            let shared = Arc::clone(&self.shared);
            let started = user_code_thread("executor-task").spawn(move || run_tasks(&shared));
            if let Err(error) = started {
                warn!(%error, "could not start a task thread");
                self.thread_not_started(&error);
            }
        }
    }

    /// What waits is taken by the threads that there are; if there are none, it fails.
    fn thread_not_started(&self, error: &io::Error) {
        let mut state = self.shared.state.lock();
        state.threads -= 1;
        if state.threads > 0 {
            return;
        }
        let mut ended = Vec::new();
        while let Some(launched) = state.slots.start() {
            let (task_id, stage) = (launched.task.task_id, launched.task.stage);
            state.forget(task_id, &self.shared);
            let reason =
                exception("TaskThread", format!("the executor could not start a thread for the task: {error}"));
            ended.extend(state.slots.end(without_result(task_id, stage, reason), Instant::now()));
        }
        ended.extend(state.slots.take_ended());
        drop(state);
        self.shared.report(ended);
    }

    fn start_watcher(&self) {
        let shared = Arc::clone(&self.shared);
        let started = thread::Builder::new().name("executor-watch".to_owned()).spawn(move || watch(&shared));
        if let Err(error) = started {
            // The next tasks that wait try again; until then these wait as long as it takes.
            warn!(%error, "could not start the thread that gives waiting tasks back");
            let mut state = self.shared.state.lock();
            state.watcher = false;
            let ended = state.slots.stop_watching();
            drop(state);
            self.shared.report(ended);
        }
    }

    fn kill(&self, task_id: TaskId, reason: &str) {
        let state = self.shared.state.lock();
        match state.tasks.get(&task_id) {
            Some(running) => {
                running.kill.kill(reason);
                // Under the lock: the task's end, which is told after it, comes later than this.
                if let Some(reaper) = self.shared.reaper.get() {
                    reaper.killed(task_id);
                }
            }
            None => debug!(%task_id, "task to kill is not here"),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(reaper) = self.reaper.get() {
            reaper.stop();
        }
    }
}

/// Says in the log that a killed task still runs, or gives what is to be said because its time is over.
fn tell_overdue(shared: &Weak<Shared>, overdue: Overdue, options: ReaperOptions) -> Option<String> {
    let shared = shared.upgrade()?;
    let Overdue { task_id, elapsed, timed_out } = overdue;
    // It may have ended just now.
    let running = Arc::clone(shared.state.lock().tasks.get(&task_id)?);
    let doing = if options.thread_dump { describe_thread(&running) } else { String::new() };
    let elapsed_ms = elapsed.as_millis();
    if !timed_out {
        warn!(stage = %running.stage, "killed task {task_id} is still running after {elapsed_ms} ms{doing}");
        return None;
    }
    let reason = running.kill.reason().unwrap_or_default();
    Some(format!(
        "task {task_id} of stage {} was killed ({reason}) and could not be stopped within {elapsed_ms} ms \
         (spark.task.reaper.killTimeout){doing}",
        running.stage
    ))
}

fn describe_thread(running: &Running) -> String {
    match running.thread.get().map(|&thread| ThreadDump::of(thread)) {
        Some(Ok(dump)) => format!("; {dump}"),
        Some(Err(error)) => format!("; what its thread does is not known: {error}"),
        None => "; it has not begun".to_owned(),
    }
}

/// A task whose stage never came: messages of one connection keep their order, so this is an engine's fault, told as such.
fn drop_unknown_stage(environment: &Environment, task: &TaskDescription) {
    let reason = exception("UnknownStage", format!("the executor was not told what stage {} is", task.stage));
    let outcome = without_result(task.task_id, task.stage, reason);
    environment.driver().tell(DriverMessage::StatusUpdates(vec![outcome]));
}

fn exception(class_name: &str, description: String) -> TaskEndReason {
    let (class_name, stack_trace) = (class_name.to_owned(), String::new());
    TaskEndReason::ExceptionFailure { class_name, description, stack_trace, retryable: true }
}

/// The outcome of a task of which nothing is known but why it failed.
fn without_result(task_id: TaskId, stage: StageAttemptId, reason: TaskEndReason) -> TaskOutcome {
    TaskOutcome {
        task_id,
        stage,
        result: Err(reason),
        run_time_us: 0,
        accumulators: Vec::new(),
        metrics: Arc::default(),
    }
}

impl State {
    /// The task has ended here, or went back without a start.
    fn forget(&mut self, task_id: TaskId, shared: &Shared) {
        self.tasks.remove(&task_id);
        if let Some(reaper) = shared.reaper.get() {
            reaper.ended(task_id);
        }
    }
}

impl Shared {
    fn report(&self, outcomes: Vec<TaskOutcome>) {
        if !outcomes.is_empty() {
            self.environment.driver().tell(DriverMessage::StatusUpdates(outcomes));
        }
    }
}

/// Sends outcomes that were held back while a longer task runs, and gives tasks back that wait behind one.
fn watch(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.stopped {
        if state.slots.rest() {
            shared.watch.wait(&mut state);
            continue;
        }
        shared.watch.wait_for(&mut state, WATCH_INTERVAL);
        let Look { ended, returned } = state.slots.look(Instant::now());
        let returned: Vec<TaskId> = returned.into_iter().map(|launched| launched.task.task_id).collect();
        for task_id in &returned {
            state.forget(*task_id, shared);
        }
        if ended.is_empty() && returned.is_empty() {
            continue;
        }
        MutexGuard::unlocked(&mut state, || {
            shared.report(ended);
            if !returned.is_empty() {
                debug!(tasks = returned.len(), "tasks that were launched ahead are given back");
                shared.environment.driver().tell(DriverMessage::TasksReturned(returned));
            }
        });
    }
}

/// One slot's life: takes the next waiting task until the executor stops.
fn run_tasks(shared: &Shared) {
    let thread = thread_dump::this_thread();
    let mut state = shared.state.lock();
    while !state.stopped {
        let Some(launched) = state.slots.start() else {
            state.idle_threads += 1;
            shared.work_arrived.wait(&mut state);
            state.idle_threads -= 1;
            continue;
        };
        if let Ok(thread) = &thread {
            // Set once: a task is run once.
            let _ = launched.running.thread.set(*thread);
        }
        let (task_id, stage) = (launched.task.task_id, launched.task.stage);
        let outcome = MutexGuard::unlocked(&mut state, || {
            // The task's work is caught inside. What is left is code of the user that runs after it, in accumulators and in
            // drops: it must not take the slot with it, nor leave the driver to wait for the task.
            panics::catch(|| run_task(shared, launched)).unwrap_or_else(|(caught, location)| {
                without_result(task_id, stage, TaskFailure::from_caught(caught, location).0)
            })
        });
        state.forget(outcome.task_id, shared);
        let ended = state.slots.end(outcome, Instant::now());
        if !ended.is_empty() {
            MutexGuard::unlocked(&mut state, || shared.report(ended));
        }
    }
    state.threads -= 1;
}

fn run_task(shared: &Shared, launched: Launched) -> TaskOutcome {
    let Launched { stage, task, files, running } = launched;
    let environment = &shared.environment;
    let (task_id, stage_id) = (task.task_id, task.stage);
    environment.map_outputs().forget_before(task.epoch);
    let context =
        TaskContext::new(Arc::clone(&stage.description), task, Arc::clone(environment), Arc::clone(&running.kill));
    // Set once: a task is run once.
    let _ = running.context.set(Arc::clone(&context));
    let (started, cpu_started) = (Instant::now(), thread_cpu_time_ns());
    let metrics = context.metrics();

    let outcome = panics::catch(|| {
        context.enter(|| {
            context.end_if_killed();
            if let Some(placed) = environment.files() {
                placed.place(files, &|| context.is_interrupted())?;
            }
            let prepared = stage.prepared.get_or_init(|| shared.runner.prepare(&stage.description.binary));
            metrics.executor_deserialize_time_ms.add(started.elapsed().as_millis() as u64);
            metrics.executor_deserialize_cpu_time_ns.add(thread_cpu_time_ns() - cpu_started);
            let prepared = prepared.as_ref().map_err(Clone::clone)?;
            shared.runner.run(prepared, &context)
        })
    });
    let mut result = match outcome {
        Ok(result) => result,
        Err((caught, location)) => Err(TaskFailure::from_caught(caught, location)),
    };
    // A task that was told to end has ended for that reason, whatever it stumbled over on its way out.
    if let (Err(_), Some(reason)) = (&result, running.kill.reason()) {
        result = Err(TaskEndReason::TaskKilled { reason }.into());
    }
    if let Err((caught, location)) = panics::catch(|| context.enter(|| context.complete())) {
        let failure = TaskFailure::from_caught(caught, location);
        warn!(%task_id, error = %failure, "a completion listener of the task failed");
        result = result.and(Err(failure));
    }
    let leftovers = context.memory().release_all();
    if leftovers.total() != ByteCount::ZERO && result.is_ok() {
        warn!(%task_id, leaked = %leftovers.total(), "the task ended without giving back its memory");
    }
    if let Ok(TaskSuccess::Result(TaskResult::Direct(bytes))) = &mut result {
        metrics.result_size_bytes.add(bytes.len() as u64);
        if bytes.len() as u64 > environment.max_direct_result_size().bytes() {
            // Not shared any more: the store keeps these very bytes.
            let stored = environment.store_result(task_id, std::mem::take(bytes));
            result = stored.map(TaskSuccess::Result);
        }
    }
    let run_time = started.elapsed();
    metrics.executor_run_time_ms.add(run_time.as_millis() as u64);
    metrics.executor_cpu_time_ns.add(thread_cpu_time_ns() - cpu_started);
    match &result {
        Ok(_) => debug!(%task_id, stage = %stage_id, "task finished"),
        Err(failure) => info!(%task_id, stage = %stage_id, reason = %failure, "task ended without a result"),
    }
    TaskOutcome {
        task_id,
        stage: stage_id,
        accumulators: context.accumulator_updates(result.is_err()),
        result: result.map_err(|failure| failure.0),
        run_time_us: run_time.as_micros() as u64,
        metrics: Arc::new(metrics.snapshot()),
    }
}
