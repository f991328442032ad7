//! The executor: takes tasks, runs them in its slots, reports how they ended.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock},
    thread,
    time::Instant,
};

use firesteel_messages::{
    DriverMessage, ExecutorMessage, Heartbeat, StageDescription, TaskDescription, TaskOutcome, TaskResult, TaskSuccess,
};
use firesteel_model::{ByteCount, StageAttemptId, TaskEndReason, TaskId};
use parking_lot::{Condvar, Mutex};
use tracing::{debug, info, warn};

use crate::{
    Environment, KillSwitch, TaskContext, TaskFailure, TaskRunner, cpu_time::thread_cpu_time_ns, panics,
    runner::PreparedStage,
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
    /// How many tasks run at once at most. The driver never sends more than it has counted free, so waiting tasks are few.
    slots: usize,
}

#[derive(Default)]
struct State {
    stages: BTreeMap<StageAttemptId, Arc<Stage>>,
    waiting: VecDeque<Launched>,
    /// Every task that waits or runs.
    tasks: BTreeMap<TaskId, Arc<Running>>,
    threads: usize,
    idle_threads: usize,
    stopped: bool,
}

struct Stage {
    description: Arc<StageDescription>,
    prepared: OnceLock<Result<PreparedStage, TaskFailure>>,
}

struct Launched {
    stage: Arc<Stage>,
    task: TaskDescription,
    running: Arc<Running>,
}

/// A task as those see it who kill it or report on it.
struct Running {
    stage: StageAttemptId,
    kill: Arc<KillSwitch>,
    context: OnceLock<Arc<TaskContext>>,
}

impl Executor {
    /// An executor without tasks.
    pub fn new(environment: Arc<Environment>, runner: Arc<dyn TaskRunner>, slots: usize) -> Self {
        panics::install_hook();
        let shared = Shared {
            environment,
            runner,
            state: Mutex::new(State::default()),
            work_arrived: Condvar::new(),
            slots: slots.max(1),
        };
        Self { shared: Arc::new(shared) }
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
            ExecutorMessage::Registered | ExecutorMessage::Refused(_) | ExecutorMessage::ReRegister => {}
        }
    }

    /// Every waiting or running task with what it has added to accumulators so far (RT-70).
    pub fn heartbeat(&self) -> Heartbeat {
        let running: Vec<(TaskId, Arc<Running>)> =
            self.shared.state.lock().tasks.iter().map(|(&id, running)| (id, Arc::clone(running))).collect();
        let tasks = running.into_iter().map(|(task_id, running)| {
            let updates = running.context.get().map(|context| context.accumulator_updates(false)).unwrap_or_default();
            (task_id, running.stage, updates)
        });
        Heartbeat { tasks: tasks.collect(), peak_memory: crate::memory_usage::peak_resident_bytes() }
    }

    /// Kills every task and takes no more.
    pub fn stop(&self, reason: &str) {
        let mut state = self.shared.state.lock();
        state.stopped = true;
        state.waiting.clear();
        for running in state.tasks.values() {
            running.kill.kill(reason);
        }
        self.shared.work_arrived.notify_all();
    }

    fn launch(&self, stages: Vec<Arc<StageDescription>>, tasks: Vec<TaskDescription>) {
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
            });
            state.tasks.insert(task.task_id, Arc::clone(&running));
            state.waiting.push_back(Launched { stage, task, running });
        }
        let wanted = state.waiting.len();
        let new_threads =
            wanted.saturating_sub(state.idle_threads).min(self.shared.slots - state.threads.min(self.shared.slots));
        state.threads += new_threads;
        for _ in 0..wanted.min(state.idle_threads) {
            self.shared.work_arrived.notify_one();
        }
        drop(state);
        for _ in 0..new_threads {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new().name("executor-task".to_owned()).spawn(move || run_tasks(&shared));
            if let Err(error) = started {
                warn!(%error, "could not start a task thread");
                self.shared.state.lock().threads -= 1;
            }
        }
    }

    fn kill(&self, task_id: TaskId, reason: &str) {
        let state = self.shared.state.lock();
        match state.tasks.get(&task_id) {
            Some(running) => running.kill.kill(reason),
            None => debug!(%task_id, "task to kill is not here"),
        }
    }
}

/// A task whose stage never came: messages of one connection keep their order, so this is an engine's fault, told as such.
fn drop_unknown_stage(environment: &Environment, task: &TaskDescription) {
    let reason = TaskEndReason::ExceptionFailure {
        class_name: "UnknownStage".to_owned(),
        description: format!("the executor was not told what stage {} is", task.stage),
        stack_trace: String::new(),
        retryable: true,
    };
    environment.driver().tell(DriverMessage::StatusUpdates(vec![TaskOutcome {
        task_id: task.task_id,
        stage: task.stage,
        result: Err(reason),
        accumulators: vec![],
        metrics: Arc::default(),
    }]));
}

/// One slot's life: takes the next waiting task until the executor stops.
fn run_tasks(shared: &Shared) {
    loop {
        let launched = {
            let mut state = shared.state.lock();
            loop {
                if state.stopped {
                    state.threads -= 1;
                    return;
                }
                if let Some(launched) = state.waiting.pop_front() {
                    break launched;
                }
                state.idle_threads += 1;
                shared.work_arrived.wait(&mut state);
                state.idle_threads -= 1;
            }
        };
        let task_id = launched.task.task_id;
        let outcome = run_task(shared, launched);
        shared.state.lock().tasks.remove(&task_id);
        shared.environment.driver().tell(DriverMessage::StatusUpdates(vec![outcome]));
    }
}

fn run_task(shared: &Shared, launched: Launched) -> TaskOutcome {
    let Launched { stage, task, running } = launched;
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
    metrics.executor_run_time_ms.add(started.elapsed().as_millis() as u64);
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
        metrics: Arc::new(metrics.snapshot()),
    }
}
