//! The event loop: one thread, one owner of all scheduling state. Spark's `DAGSchedulerEventProcessLoop`, with the task
//! scheduler and the driver endpoint in it.
//!
//! Everything meets here: an [`Input`] becomes an [`Event`] in [`Loop::take`], the scheduler decides, and [`Loop::perform`] does
//! what it commands. The modules below hold what the scheduler does not know of: the bytes of stages and results, who asked
//! what, and who waits for blocks to be gone.

mod allocation;
mod launches;
mod questions;
mod results;
mod storage;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use firesteel_allocation::ExecutorAllocationManager;
use firesteel_block_store::LocalBlockManagerMaster;
use firesteel_messages::{DriverMessage, ExecutorMessage, StageDescription};
use firesteel_model::{ByteCount, ExecutorId, ExecutorLossReason, JobId, ListenerEvent, TaskId};
use firesteel_scheduler::{
    Command, Event, JobKind, JobSubmission, LostOutputs, Moment, Now, Scheduler, StarvationReason, TaskProgress,
};
use tracing::{debug, info, warn};

pub(crate) use self::launches::fits;
pub use self::results::ResultFetch;
use self::{
    allocation::IDLE,
    launches::{Files, Stages},
    questions::Questions,
    results::Results,
    storage::{Blocks, StorageSyncs},
};
use crate::{
    EventSink, SchedulerBackend, StageSource,
    input::{Input, Registration},
    job::{JobFailure, JobRequest, JobRequestKind, JobUpdate},
    map_output_answers::MapOutputAnswers,
};

/// How many inputs are taken before offers are made: enough that a burst of ended tasks costs one round.
const BATCH: usize = 512;

/// The loop's state.
pub(crate) struct Loop {
    scheduler: Scheduler,
    stage_source: Arc<dyn StageSource>,
    events: Arc<dyn EventSink>,
    blocks: Arc<LocalBlockManagerMaster>,
    backend: Arc<dyn SchedulerBackend>,
    /// Of the control plane: what is larger would never arrive.
    max_message_size: ByteCount,
    started: Instant,
    /// Those that have asked to register and that the scheduler has not yet answered.
    registering: BTreeMap<ExecutorId, Registration>,
    /// Those that are registered, and their local directories.
    executors: BTreeMap<ExecutorId, Vec<String>>,
    jobs: HashMap<JobId, Job>,
    stages: Stages,
    files: Files,
    results: Results,
    questions: Questions,
    storage_syncs: StorageSyncs,
    map_outputs: MapOutputAnswers,
    /// Dynamic allocation, if it is on.
    allocation: Option<ExecutorAllocationManager>,
    /// Why no executor can be had any more.
    gave_up: Option<String>,
    /// Events that performing commands gave rise to.
    local: Vec<Event>,
}

struct Job {
    updates: Sender<JobUpdate>,
    work: Bytes,
}

/// What the loop is made of.
pub(crate) struct LoopParts {
    pub(crate) scheduler: Scheduler,
    pub(crate) allocation: Option<ExecutorAllocationManager>,
    pub(crate) stages: Arc<dyn StageSource>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) blocks: Arc<LocalBlockManagerMaster>,
    pub(crate) backend: Arc<dyn SchedulerBackend>,
    pub(crate) map_outputs: MapOutputAnswers,
}

impl Loop {
    pub(crate) fn new(parts: LoopParts, max_message_size: ByteCount) -> Self {
        let LoopParts { scheduler, allocation, stages, events, blocks, backend, map_outputs } = parts;
        Self {
            scheduler,
            stage_source: stages,
            events,
            blocks,
            backend,
            max_message_size,
            started: Instant::now(),
            registering: BTreeMap::new(),
            executors: BTreeMap::new(),
            jobs: HashMap::new(),
            stages: Stages::default(),
            files: Files::default(),
            results: Results::default(),
            questions: Questions::default(),
            storage_syncs: StorageSyncs::default(),
            map_outputs,
            allocation,
            gave_up: None,
            local: Vec::new(),
        }
    }

    /// Runs until it is told to stop, or nobody is left who could tell it anything.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) {
        let mut events = Vec::new();
        let mut commands = Vec::new();
        loop {
            let first = match self.time_to_deadline() {
                Some(wait) => match inputs.recv_timeout(wait) {
                    Ok(input) => Some(input),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => Some(Input::Stop),
                },
                None => Some(inputs.recv().unwrap_or(Input::Stop)),
            };
            if first.is_none() {
                events.push(Event::DeadlineReached);
            }
            let mut stopping = false;
            for input in first.into_iter().chain(inputs.try_iter().take(BATCH)) {
                let registers = matches!(input, Input::Register(_));
                stopping |= self.take(input, &mut events);
                if registers {
                    // Decided before anything else is taken: what follows may be about the blocks of this executor.
                    self.decide(&mut events, &mut commands);
                }
            }
            if stopping {
                events.push(Event::ApplicationStopping);
            }
            self.decide(&mut events, &mut commands);
            if stopping {
                return;
            }
        }
    }

    /// Lets the scheduler decide, and does what it commands, until nothing follows; then dynamic allocation, in the same way.
    fn decide(&mut self, events: &mut Vec<Event>, commands: &mut Vec<Command>) {
        self.schedule(events, commands);
        while let Some(unwanted) = self.allocate() {
            events.push(Event::ExecutorsUnwanted {
                executor_ids: unwanted.clone(),
                reason: IDLE.to_owned(),
                busy_too: false,
            });
            self.schedule(events, commands);
            self.keep(&unwanted);
        }
    }

    fn schedule(&mut self, events: &mut Vec<Event>, commands: &mut Vec<Command>) {
        while !events.is_empty() {
            let now = self.now();
            let blocks = Blocks { stages: &*self.stage_source, registry: &self.blocks };
            self.scheduler.handle_all(now, events.drain(..), &blocks, commands);
            for command in commands.drain(..) {
                self.perform(command);
            }
            events.append(&mut self.local);
        }
    }

    fn moment(&self) -> Moment {
        Moment(self.started.elapsed().as_millis() as u64)
    }

    fn now(&self) -> Now {
        let wall_clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { moment: self.moment(), wall_clock_ms: wall_clock.as_millis() as i64 }
    }

    fn time_to_deadline(&self) -> Option<Duration> {
        let deadline = self.scheduler.next_deadline().into_iter().chain(self.allocation_deadline()).min()?;
        // One more millisecond, as moments are rounded down: it must have come when the scheduler is told so.
        Some(deadline.since(self.moment()) + Duration::from_millis(1))
    }

    /// Turns an input into events. True if the loop must end.
    fn take(&mut self, input: Input, events: &mut Vec<Event>) -> bool {
        match input {
            Input::Job { job_id, request, updates } => {
                events.push(self.take_job(job_id, request, updates));
                if let Some(reason) = &self.gave_up {
                    events.push(Event::JobCancelled { job_id, reason: Some(reason.clone()) });
                }
            }
            Input::Event(event) => events.push(event),
            Input::Register(registration) => {
                let executor = registration.executor.clone();
                self.registering.insert(executor.executor_id.clone(), *registration);
                events.push(Event::ExecutorAdded(executor));
            }
            Input::ExecutorLost { executor_id, reason, lost_outputs } => {
                self.take_loss(&executor_id);
                events.push(Event::ExecutorLost { executor_id, reason, lost_outputs });
            }
            Input::Remove { removal, done } => {
                events.extend(self.take_removal(removal));
                if let Some(done) = done {
                    self.sync_storage(done);
                }
            }
            Input::AddFile(file) => self.files.add(file),
            Input::RequestTotalExecutors(total) => self.backend.request_total_executors(total),
            Input::GiveUp(reason) => {
                let reason = format!("because {reason}");
                let mut job_ids: Vec<JobId> = self.jobs.keys().copied().collect();
                job_ids.sort_unstable();
                let cancel = |job_id| Event::JobCancelled { job_id, reason: Some(reason.clone()) };
                events.extend(job_ids.into_iter().map(cancel));
                self.gave_up = Some(reason);
            }
            Input::FromExecutor { executor_id, message } => self.take_message(&executor_id, message, events),
            Input::MapOutputsPrepared { number, prepared } => self.map_outputs.prepared(number, prepared),
            Input::ResultFetched { task_id, result } => events.extend(self.results.take_fetched(task_id, result)),
            Input::Stop => return true,
        }
        false
    }

    fn take_job(&mut self, job_id: JobId, request: JobRequest, updates: Sender<JobUpdate>) -> Event {
        let (kind, work) = match request.kind {
            JobRequestKind::Result { rdd, partitions, work } => (JobKind::Result { rdd, partitions }, work),
            JobRequestKind::MapStage(shuffle) => (JobKind::MapStage { shuffle }, Bytes::new()),
        };
        self.jobs.insert(job_id, Job { updates, work });
        Event::JobSubmitted(Box::new(JobSubmission {
            job_id,
            kind,
            properties: request.properties,
            call_site_short: request.call_site_short,
            call_site_long: request.call_site_long,
        }))
    }

    /// The scheduler takes the executor.
    fn accept(&mut self, executor_id: ExecutorId) {
        // It may be gone already; its loss is the scheduler's next news.
        let Some(registration) = self.registering.remove(&executor_id) else { return };
        let Registration { executor: _, block_manager_id, on_heap_memory, off_heap_memory, local_directories } =
            registration;
        let registered = self
            .blocks
            .with(|registry, seed| registry.register(block_manager_id.clone(), on_heap_memory, off_heap_memory, seed));
        if let Err(error) = registered {
            let reason = error.to_string();
            self.backend.send(&executor_id, ExecutorMessage::Refused(reason.clone()));
            let reason = ExecutorLossReason::KilledByDriver { reason };
            return self.local.push(Event::ExecutorLost { executor_id, reason, lost_outputs: LostOutputs::OfExecutor });
        }
        self.executors.insert(executor_id.clone(), local_directories);
        self.post(ListenerEvent::BlockManagerAdded {
            time_ms: self.now().wall_clock_ms,
            block_manager_id,
            maximum_memory: (on_heap_memory + off_heap_memory).bytes(),
            maximum_on_heap_memory: on_heap_memory.bytes(),
            maximum_off_heap_memory: off_heap_memory.bytes(),
        });
        self.backend.send(&executor_id, ExecutorMessage::Registered);
    }

    fn take_loss(&mut self, executor_id: &ExecutorId) {
        self.registering.remove(executor_id);
        if self.executors.remove(executor_id).is_none() {
            return;
        }
        self.files.executor_lost(executor_id);
        self.stages.executor_lost(executor_id);
        self.storage_syncs.executor_lost(executor_id);
        if let Some(removed) = self.blocks.with(|registry, seed| registry.remove_executor(executor_id, seed)) {
            self.post(ListenerEvent::BlockManagerRemoved {
                time_ms: self.now().wall_clock_ms,
                block_manager_id: removed.block_manager_id,
            });
            self.perform_block_commands(removed.commands);
        }
    }

    fn take_message(&mut self, executor_id: &ExecutorId, message: DriverMessage, events: &mut Vec<Event>) {
        match message {
            DriverMessage::StatusUpdates(outcomes) => {
                events.extend(outcomes.into_iter().map(|outcome| self.results.take_outcome(executor_id, outcome)));
            }
            DriverMessage::TasksReturned(task_ids) => {
                events.push(Event::TasksReturned { executor_id: executor_id.clone(), task_ids });
            }
            DriverMessage::Heartbeat(heartbeat) => {
                let stages: BTreeSet<_> = heartbeat.tasks.iter().map(|task| task.stage).collect();
                if !stages.is_empty() {
                    self.post(ListenerEvent::ExecutorMetricsUpdate {
                        executor_id: executor_id.clone(),
                        updates: Vec::new(),
                        memory: stages.into_iter().map(|stage| (Some(stage), heartbeat.memory)).collect(),
                    });
                }
                let tasks = heartbeat.tasks.into_iter().map(|task| TaskProgress {
                    task_id: task.task_id,
                    records_read: task.records_read,
                    accumulators: task.accumulators,
                });
                events.push(Event::Heartbeat { executor_id: executor_id.clone(), tasks: tasks.collect() });
            }
            DriverMessage::Ask { number, question } => {
                events.extend(self.take_question(executor_id, number, question));
            }
            DriverMessage::BlockUpdated(update) => self.take_block_update(executor_id, update),
            DriverMessage::StorageSynced(number) => self.storage_syncs.synced(executor_id, number),
            DriverMessage::Register(_) | DriverMessage::Exiting { .. } => {
                debug!(%executor_id, "message is not for the event loop");
            }
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::PrepareStageBinary { stage, rdd, kind, job_id, cpus, properties, tasks: _ } => {
                let description =
                    |binary| StageDescription { stage, job_id, partitions: rdd.partitions, binary, properties, cpus };
                self.prepare(stage, &rdd, &kind, description);
            }
            Command::ForgetStageBinary { stage } => self.forget_stage(stage),
            Command::LaunchTasks { executor_id, tasks } => self.launch(&executor_id, tasks),
            Command::KillTask { executor_id, task_id, interrupt, reason } => {
                self.backend.send(&executor_id, ExecutorMessage::KillTask { task_id, interrupt, reason });
            }
            Command::FetchResult { task_id } => match self.results.to_fetch(task_id) {
                Some(fetch) => self.backend.fetch_result(fetch),
                None => warn!(%task_id, "the scheduler wants a result fetched that nobody has announced"),
            },
            Command::DeliverResult { job_id, output_index, task_id } => self.deliver(job_id, output_index, task_id),
            Command::DropResult { task_id } => {
                if let Some(fetch) = self.results.drop_result(task_id) {
                    self.backend.send(&fetch.executor_id, ExecutorMessage::RemoveBlocks(vec![fetch.block_id]));
                }
            }
            Command::MergeAccumulators { task_id, stage, updates } => {
                self.events.merge_accumulators(task_id, stage, &updates);
            }
            Command::JobSucceeded { job_id, statistics } => self.end_job(job_id, JobUpdate::Succeeded(statistics)),
            Command::JobFailed { job_id, message, cause } => {
                self.end_job(job_id, JobUpdate::Failed(JobFailure { message, cause }));
            }
            Command::PostEvent(event) => self.post(*event),
            Command::KillExecutor { executor_id, reason, replace } => {
                self.backend.kill_executor(&executor_id, &reason, replace);
            }
            Command::AcceptExecutor { executor_id } => self.accept(executor_id),
            Command::RefuseExecutor { executor_id, reason } => {
                self.registering.remove(&executor_id);
                self.backend.send(&executor_id, ExecutorMessage::Refused(reason));
            }
            Command::AskToRegister { executor_id } => {
                self.backend.send(&executor_id, ExecutorMessage::ReRegister);
            }
            Command::AnswerCommit { ask, allowed } => self.answer_commit(ask, allowed),
            Command::AnswerBarrier { stage: _, task_id, epoch, outcome } => {
                self.answer_barrier(task_id, epoch, outcome.map(|messages| messages.to_vec()));
            }
            Command::MapOutputsChanged { shuffle_id, .. } => match self.scheduler.map_statuses(shuffle_id) {
                Some(_) => self.map_outputs.changed(shuffle_id),
                None => self.map_outputs.forget(shuffle_id),
            },
            Command::WarnStarvation { stage, waited, pending, reason } => {
                let starting = self.backend.starting_executors();
                let reason = match (&reason, starting.is_reason()) {
                    (StarvationReason::NoExecutor, true) => starting.to_string(),
                    _ => reason.to_string(),
                };
                warn!(%stage, pending, "no task of stage {stage} has started for {} s: {reason}", waited.as_secs());
            }
            Command::WarnBarrierSlots { job_id, needed, available, checks_left, interval } => warn!(
                %job_id,
                needed,
                available,
                "job {job_id} has a barrier stage that needs {needed} slots at once, but the cluster has {available}; it \
                 is looked at again when executors register, and {checks_left} times every {} s before the job fails \
                 (spark.scheduler.barrier.maxConcurrentTasksCheck.*)",
                interval.as_secs()
            ),
            Command::WarnUnknownPool { pool } => {
                warn!(
                    pool,
                    "a job was submitted with a scheduler pool that is not configured; it was created with defaults"
                );
            }
        }
    }

    fn deliver(&mut self, job_id: JobId, output_index: u32, task_id: TaskId) {
        let Some(bytes) = self.results.deliver(task_id) else {
            warn!(%job_id, %task_id, "the scheduler wants a result delivered that is not here");
            return;
        };
        if let Some(job) = self.jobs.get(&job_id) {
            // Whoever waited for the job may have left.
            let _ = job.updates.send(JobUpdate::Result { output_index, bytes });
        }
    }

    fn end_job(&mut self, job_id: JobId, update: JobUpdate) {
        if let Some(job) = self.jobs.remove(&job_id) {
            if let JobUpdate::Failed(JobFailure { message, .. }) = &update {
                info!(%job_id, message, "job failed");
            }
            // Whoever waited for the job may have left.
            let _ = job.updates.send(update);
        }
    }
}
