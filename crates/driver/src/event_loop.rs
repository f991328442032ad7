//! The event loop: one thread, one owner of all scheduling state. Spark's `DAGSchedulerEventProcessLoop`, with the task
//! scheduler and the driver endpoint in it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use firesteel_block_master::{BlockMasterCommand, UpdateBlock};
use firesteel_block_store::LocalBlockManagerMaster;
use firesteel_messages::{
    Answer, ApplicationFile, BarrierTask, DriverMessage, ExecutorMessage, Question, StageDescription, TaskDescription,
    TaskOutcome, TaskPayload, TaskResult, TaskSuccess,
};
use firesteel_model::{
    BlockId, BlockManagerId, BroadcastId, ByteCount, ExecutorId, ExecutorLossReason, JobId, ListenerEvent, Partition,
    RddId, ShuffleId, StageAttemptId, StorageLevel, TaskEndReason, TaskId, TaskLocation,
};
use firesteel_scheduler::{
    BarrierMethod, BarrierSync, BlockLocations, Command, Event, ExecutorRegistration, JobKind, JobSubmission,
    LostOutputs, Moment, Now, OptionsError, Scheduler, SchedulerOptions, StageBinaryKind, TaskEnded, TaskLaunch,
    TaskProgress,
};
use tracing::{debug, info, warn};

use crate::{
    DriverHandle, EventSink, PreparedStage, SchedulerBackend, StageSource,
    job::{JobRequest, JobRequestKind, JobUpdate},
};

/// What the loop takes.
pub(crate) enum Input {
    /// A user thread submitted a job.
    Job { job_id: JobId, request: JobRequest, updates: Sender<JobUpdate> },
    /// For the scheduler as it is.
    Event(Event),
    /// An executor said something.
    FromExecutor { executor_id: ExecutorId, message: DriverMessage },
    /// An executor has registered.
    Register(Box<Registration>),
    /// An executor is gone.
    ExecutorLost { executor_id: ExecutorId, reason: ExecutorLossReason, lost_outputs: LostOutputs },
    /// The program does not refer to something any more, or has said so; and who waits until it is gone everywhere.
    Remove { removal: Removal, done: Option<Sender<()>> },
    /// The application has another file, which tasks that are launched from now on may use.
    AddFile(Arc<ApplicationFile>),
    /// No executor can be had any more.
    GiveUp(String),
    /// A large result has come, or will not come.
    ResultFetched { task_id: TaskId, result: Option<Bytes> },
    /// Finish: fail every job and leave the loop.
    Stop,
}

/// An executor as it registers.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id, host, cores and resources.
    pub executor: ExecutorRegistration,
    /// Where its blocks are served.
    pub block_manager_id: BlockManagerId,
    /// Storage memory on heap.
    pub on_heap_memory: ByteCount,
    /// Storage memory off heap.
    pub off_heap_memory: ByteCount,
    /// Where its shuffle files are, for others on its host.
    pub local_directories: Vec<String>,
}

/// What executors may forget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// Cached partitions.
    Rdd(RddId),
    /// Shuffle files.
    Shuffle(ShuffleId),
    /// A broadcast value; on the driver too if it is destroyed.
    Broadcast {
        /// Which.
        broadcast_id: BroadcastId,
        /// The driver's own copy as well.
        from_driver: bool,
    },
}

/// A large result to fetch.
#[derive(Clone, Debug)]
pub struct ResultFetch {
    /// Whose result.
    pub task_id: TaskId,
    /// Where it is.
    pub executor_id: ExecutorId,
    /// The block.
    pub block_id: BlockId,
    /// Its size in bytes.
    pub size: u64,
}

/// What the loop is told at start beside the scheduler's own options.
#[derive(Clone, Debug)]
pub struct DriverOptions {
    /// The scheduler's.
    pub scheduler: SchedulerOptions,
    /// Seeds the scheduler's choices.
    pub seed: u64,
    /// `spark.rpc.message.maxSize` (RT-08): a task that is larger aborts its stage.
    pub max_message_size: ByteCount,
}

/// The driver could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartDriverError {
    /// The scheduler's options cannot work.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The system gave no thread.
    #[error("could not start the thread of the scheduler's event loop")]
    Thread(#[source] io::Error),
}

/// The driver's event loop.
pub struct Driver {
    handle: DriverHandle,
    thread: Option<JoinHandle<()>>,
}

/// A message holds a task and a little more than it.
const MESSAGE_OVERHEAD: u64 = 1 << 10;
/// RT-08: from here on, one warning a stage.
const LARGE_TASK: usize = 1000 << 10;
/// How many inputs are taken before offers are made: enough that a burst of ended tasks costs one round.
const BATCH: usize = 512;

impl Driver {
    /// Starts the loop. `backend` is made with the handle that it reports through.
    pub fn start<E: From<StartDriverError>>(
        options: DriverOptions,
        stages: Arc<dyn StageSource>,
        events: Arc<dyn EventSink>,
        blocks: Arc<LocalBlockManagerMaster>,
        backend: impl FnOnce(&DriverHandle) -> Result<Arc<dyn SchedulerBackend>, E>,
    ) -> Result<Self, E> {
        let (sender, inputs) = unbounded();
        let handle = DriverHandle::new(sender);
        let scheduler = Scheduler::new(options.scheduler.clone(), options.seed).map_err(StartDriverError::Options)?;
        let backend = backend(&handle)?;
        let state = Loop {
            scheduler,
            stages,
            events,
            blocks,
            executors: BTreeMap::new(),
            backend,
            max_message_size: options.max_message_size,
            started: Instant::now(),
            jobs: HashMap::new(),
            prepared: BTreeMap::new(),
            results: HashMap::new(),
            questions: HashMap::new(),
            barrier_questions: HashMap::new(),
            next_question: 0,
            storage_syncs: BTreeMap::new(),
            next_storage_sync: 0,
            files: Files::default(),
            gave_up: None,
            local: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("dag-scheduler-event-loop".to_owned())
            .spawn(move || state.run(&inputs))
            .map_err(StartDriverError::Thread)?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// The way in.
    pub fn handle(&self) -> &DriverHandle {
        &self.handle
    }

    /// Fails every job that is under way and ends the loop; returns when it has ended. Further calls do nothing.
    pub fn stop(&mut self) {
        self.handle.send(Input::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the scheduler's event loop had ended by a panic");
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Loop {
    scheduler: Scheduler,
    stages: Arc<dyn StageSource>,
    events: Arc<dyn EventSink>,
    blocks: Arc<LocalBlockManagerMaster>,
    /// Those that are registered, and their local directories.
    executors: BTreeMap<ExecutorId, Vec<String>>,
    backend: Arc<dyn SchedulerBackend>,
    max_message_size: ByteCount,
    started: Instant,
    jobs: HashMap<JobId, Job>,
    prepared: BTreeMap<StageAttemptId, Prepared>,
    /// Results that have come and that the scheduler has not yet said to deliver or drop.
    results: HashMap<TaskId, HeldResult>,
    /// Whom to answer.
    questions: HashMap<u64, (ExecutorId, u64)>,
    next_question: u64,
    /// Why no executor can be had any more.
    gave_up: Option<String>,
    /// Whom to answer at which barrier.
    barrier_questions: HashMap<(TaskId, u32), (ExecutorId, u64)>,
    /// Who waits for which executors to have removed something.
    storage_syncs: BTreeMap<u64, StorageSync>,
    next_storage_sync: u64,
    files: Files,
    /// Events that performing commands gave rise to.
    local: Vec<Event>,
}

struct Job {
    updates: Sender<JobUpdate>,
    work: Bytes,
}

struct Prepared {
    description: Arc<StageDescription>,
    payloads: Box<dyn Fn(Partition) -> Vec<TaskPayload> + Send>,
    sent_to: BTreeSet<ExecutorId>,
    warned_of_size: bool,
}

/// The application's files, and how many of them each executor has been told of. None is ever removed.
#[derive(Default)]
struct Files {
    all: Vec<Arc<ApplicationFile>>,
    told: HashMap<ExecutorId, usize>,
}

struct StorageSync {
    executors: BTreeSet<ExecutorId>,
    done: Sender<()>,
}

enum HeldResult {
    Here(Bytes),
    OnExecutor(ResultFetch, Box<TaskEnded>),
}

impl Loop {
    fn run(mut self, inputs: &Receiver<Input>) {
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
            let mut stopping = false;
            match first {
                Some(input) => stopping = self.take(input, &mut events),
                None => events.push(Event::DeadlineReached),
            }
            for input in inputs.try_iter().take(BATCH) {
                stopping |= self.take(input, &mut events);
            }
            if stopping {
                events.push(Event::ApplicationStopping);
            }
            while !events.is_empty() {
                let now = self.now();
                let blocks = Blocks { stages: &*self.stages, registry: &self.blocks };
                self.scheduler.handle_all(now, events.drain(..), &blocks, &mut commands);
                for command in commands.drain(..) {
                    self.perform(command);
                }
                events.append(&mut self.local);
            }
            if stopping {
                return;
            }
        }
    }

    fn now(&self) -> Now {
        let wall_clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { moment: Moment(self.started.elapsed().as_millis() as u64), wall_clock_ms: wall_clock.as_millis() as i64 }
    }

    fn time_to_deadline(&self) -> Option<Duration> {
        let deadline = self.scheduler.next_deadline()?;
        // One more millisecond, as moments are rounded down: it must have come when the scheduler is told so.
        Some(deadline.since(Moment(self.started.elapsed().as_millis() as u64)) + Duration::from_millis(1))
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
            Input::Register(registration) => events.extend(self.take_registration(*registration)),
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
            Input::AddFile(file) => self.files.all.push(file),
            Input::GiveUp(reason) => {
                let reason = format!("because {reason}");
                let mut job_ids: Vec<JobId> = self.jobs.keys().copied().collect();
                job_ids.sort_unstable();
                let cancel = |job_id| Event::JobCancelled { job_id, reason: Some(reason.clone()) };
                events.extend(job_ids.into_iter().map(cancel));
                self.gave_up = Some(reason);
            }
            Input::FromExecutor { executor_id, message } => self.take_message(&executor_id, message, events),
            Input::ResultFetched { task_id, result } => self.take_fetched(task_id, result, events),
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

    fn take_registration(&mut self, registration: Registration) -> Option<Event> {
        let Registration { executor, block_manager_id, on_heap_memory, off_heap_memory, local_directories } =
            registration;
        let executor_id = executor.executor_id.clone();
        let registered = self
            .blocks
            .with(|registry, seed| registry.register(block_manager_id.clone(), on_heap_memory, off_heap_memory, seed));
        if let Err(error) = registered {
            self.backend.send(&executor_id, ExecutorMessage::Refused(error.to_string()));
            return None;
        }
        self.executors.insert(executor_id.clone(), local_directories);
        self.events.post(ListenerEvent::BlockManagerAdded {
            time_ms: self.now().wall_clock_ms,
            block_manager_id,
            maximum_memory: (on_heap_memory + off_heap_memory).bytes(),
            maximum_on_heap_memory: on_heap_memory.bytes(),
            maximum_off_heap_memory: off_heap_memory.bytes(),
        });
        self.backend.send(&executor_id, ExecutorMessage::Registered);
        Some(Event::ExecutorAdded(executor))
    }

    fn take_loss(&mut self, executor_id: &ExecutorId) {
        if self.executors.remove(executor_id).is_none() {
            return;
        }
        self.files.told.remove(executor_id);
        for prepared in self.prepared.values_mut() {
            prepared.sent_to.remove(executor_id);
        }
        // What it stored is gone with it.
        let waiting: Vec<u64> = self.storage_syncs.keys().copied().collect();
        for number in waiting {
            self.take_storage_synced(executor_id, number);
        }
        if let Some(removed) = self.blocks.with(|registry, seed| registry.remove_executor(executor_id, seed)) {
            self.events.post(ListenerEvent::BlockManagerRemoved {
                time_ms: self.now().wall_clock_ms,
                block_manager_id: removed.block_manager_id,
            });
            self.perform_block_commands(removed.commands);
        }
    }

    fn take_removal(&mut self, removal: Removal) -> Option<Event> {
        match removal {
            Removal::Rdd(rdd_id) => {
                let commands = self.blocks.with(|registry, _| registry.remove_rdd(rdd_id));
                self.perform_block_commands(commands);
                self.events.post(ListenerEvent::UnpersistRdd { rdd_id });
                None
            }
            Removal::Broadcast { broadcast_id, from_driver } => {
                let commands = self.blocks.with(|registry, _| registry.remove_broadcast(broadcast_id, from_driver));
                self.perform_block_commands(commands);
                None
            }
            Removal::Shuffle(shuffle_id) => {
                for executor_id in self.executors.keys() {
                    self.backend.send(executor_id, ExecutorMessage::RemoveShuffle(shuffle_id));
                }
                Some(Event::ShuffleRemoved { shuffle_id })
            }
        }
    }

    /// Lets `done` know when every executor has carried out the orders that it was sent up to now.
    fn sync_storage(&mut self, done: Sender<()>) {
        let number = self.next_storage_sync;
        self.next_storage_sync += 1;
        let told = self.executors.keys().filter(|&id| self.backend.send(id, ExecutorMessage::SyncStorage(number)));
        let executors: BTreeSet<ExecutorId> = told.cloned().collect();
        if executors.is_empty() {
            // Whoever waited may have left.
            let _ = done.send(());
        } else {
            self.storage_syncs.insert(number, StorageSync { executors, done });
        }
    }

    fn take_storage_synced(&mut self, executor_id: &ExecutorId, number: u64) {
        let Some(sync) = self.storage_syncs.get_mut(&number) else { return };
        sync.executors.remove(executor_id);
        if sync.executors.is_empty() {
            // As above.
            let _ = sync.done.send(());
            self.storage_syncs.remove(&number);
        }
    }

    fn perform_block_commands(&self, commands: Vec<BlockMasterCommand>) {
        for command in commands {
            let (to, message) = match command {
                BlockMasterCommand::RemoveRdd { from, rdd_id } => (from, ExecutorMessage::RemoveRdd(rdd_id)),
                BlockMasterCommand::RemoveBroadcast { from, broadcast_id } => {
                    (from, ExecutorMessage::RemoveBroadcast(broadcast_id))
                }
                BlockMasterCommand::RemoveBlock { from, block_id } => {
                    (from, ExecutorMessage::RemoveBlocks(vec![block_id]))
                }
                BlockMasterCommand::ReplicateBlock { holder, block_id, copies, peers } => {
                    (holder, ExecutorMessage::Replicate { block_id, copies: copies as u32, peers })
                }
            };
            self.backend.send(&to.executor_id, message);
        }
    }

    fn take_message(&mut self, executor_id: &ExecutorId, message: DriverMessage, events: &mut Vec<Event>) {
        match message {
            DriverMessage::StatusUpdates(outcomes) => {
                events.extend(outcomes.into_iter().map(|outcome| self.take_outcome(executor_id, outcome)));
            }
            DriverMessage::TasksReturned(task_ids) => {
                events.push(Event::TasksReturned { executor_id: executor_id.clone(), task_ids });
            }
            DriverMessage::Heartbeat(heartbeat) => {
                let tasks = heartbeat.tasks.into_iter().map(|task| TaskProgress {
                    task_id: task.task_id,
                    records_read: task.records_read,
                    accumulators: task.accumulators,
                });
                events.push(Event::Heartbeat { executor_id: executor_id.clone(), tasks: tasks.collect() });
            }
            DriverMessage::Ask { number, question } => self.take_question(executor_id, number, question, events),
            DriverMessage::BlockUpdated(update) => {
                let outcome = self.blocks.with(|registry, _| registry.update_block(&update));
                match outcome {
                    UpdateBlock::Recorded => self.events.post(ListenerEvent::BlockUpdated(update)),
                    UpdateBlock::UnknownBlockManager => {
                        self.backend.send(executor_id, ExecutorMessage::ReRegister);
                    }
                }
            }
            DriverMessage::StorageSynced(number) => self.take_storage_synced(executor_id, number),
            DriverMessage::Register(_) | DriverMessage::Exiting { .. } => {
                debug!(%executor_id, "message is not for the event loop");
            }
        }
    }

    fn take_outcome(&mut self, executor_id: &ExecutorId, outcome: TaskOutcome) -> Event {
        let TaskOutcome { task_id, result, run_time_us, accumulators, metrics, .. } = outcome;
        let ended = |outcome| {
            Box::new(TaskEnded {
                task_id,
                executor_id: executor_id.clone(),
                outcome,
                run_time: Some(Duration::from_micros(run_time_us)),
                metrics: Some(Arc::clone(&metrics)),
            })
        };
        let success = |map_status, result_size| firesteel_scheduler::TaskOutcome::Success {
            map_status,
            result_size: ByteCount(result_size),
            accumulators,
        };
        match result {
            Ok(TaskSuccess::MapOutput(status)) => Event::TaskEnded(ended(success(Some(Arc::new(status)), 0))),
            Ok(TaskSuccess::Result(TaskResult::Direct(bytes))) => {
                let size = bytes.len() as u64;
                self.results.insert(task_id, HeldResult::Here(bytes));
                Event::TaskEnded(ended(success(None, size)))
            }
            Ok(TaskSuccess::Result(TaskResult::Indirect { block_id, size })) => {
                let fetch = ResultFetch { task_id, executor_id: executor_id.clone(), block_id, size };
                self.results.insert(task_id, HeldResult::OnExecutor(fetch, ended(success(None, size))));
                Event::TaskGettingResult { task_id, executor_id: executor_id.clone(), result_size: ByteCount(size) }
            }
            Err(reason) => Event::TaskEnded(ended(firesteel_scheduler::TaskOutcome::Failure(reason))),
        }
    }

    fn take_fetched(&mut self, task_id: TaskId, result: Option<Bytes>, events: &mut Vec<Event>) {
        let Some(HeldResult::OnExecutor(_, mut ended)) = self.results.remove(&task_id) else {
            debug!(%task_id, "a fetched result is not wanted any more");
            return;
        };
        match result {
            Some(bytes) => {
                self.results.insert(task_id, HeldResult::Here(bytes));
            }
            None => ended.outcome = firesteel_scheduler::TaskOutcome::Failure(TaskEndReason::TaskResultLost),
        }
        events.push(Event::TaskEnded(ended));
    }

    fn take_question(&mut self, executor_id: &ExecutorId, number: u64, question: Question, events: &mut Vec<Event>) {
        match question {
            Question::MapOutputs(shuffle_id) => {
                let answer = match self.scheduler.map_statuses(shuffle_id) {
                    Some((epoch, statuses)) => {
                        let statuses = statuses.iter().map(|status| status.as_deref().cloned()).collect();
                        Answer::MapOutputs { epoch, statuses }
                    }
                    None => Answer::Refused(format!("shuffle {shuffle_id} is not known")),
                };
                self.backend.send(executor_id, ExecutorMessage::Answer { number, answer });
            }
            Question::MayCommit { stage, partition, attempt_number } => {
                let ask = self.remember_question(executor_id, number);
                events.push(Event::CommitAsked { stage, partition, attempt: attempt_number, ask });
            }
            Question::BlockLocations(block_ids) => {
                let locations = self
                    .blocks
                    .with(|registry, _| block_ids.iter().map(|block_id| registry.locations(block_id)).collect());
                let answer = Answer::BlockLocations(locations);
                self.backend.send(executor_id, ExecutorMessage::Answer { number, answer });
            }
            Question::Peers => {
                let answer = Answer::Peers(self.blocks.with(|registry, _| registry.peers(executor_id)));
                self.backend.send(executor_id, ExecutorMessage::Answer { number, answer });
            }
            Question::LocalDirectories(executor_ids) => {
                let directories = executor_ids.iter().map(|id| self.executors.get(id).cloned().unwrap_or_default());
                let answer = Answer::LocalDirectories(directories.collect());
                self.backend.send(executor_id, ExecutorMessage::Answer { number, answer });
            }
            Question::BarrierSync { stage, task_id, epoch, message } => {
                self.barrier_questions.insert((task_id, epoch), (executor_id.clone(), number));
                let method = if message.is_some() { BarrierMethod::AllGather } else { BarrierMethod::Barrier };
                let message = message.unwrap_or_default();
                events.push(Event::BarrierSync(BarrierSync { stage, task_id, epoch, method, message }));
            }
        }
    }

    fn remember_question(&mut self, executor_id: &ExecutorId, number: u64) -> u64 {
        let ask = self.next_question;
        self.next_question += 1;
        self.questions.insert(ask, (executor_id.clone(), number));
        ask
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::PrepareStageBinary { stage, rdd, kind, job_id, cpus, properties, tasks: _ } => {
                let description =
                    |binary| StageDescription { stage, job_id, partitions: rdd.partitions, binary, properties, cpus };
                self.prepare(stage, &rdd, &kind, description);
            }
            Command::ForgetStageBinary { stage } => {
                if let Some(prepared) = self.prepared.remove(&stage) {
                    for executor_id in &prepared.sent_to {
                        self.backend.send(executor_id, ExecutorMessage::RemoveStage(stage));
                    }
                }
            }
            Command::LaunchTasks { executor_id, tasks } => self.launch(&executor_id, tasks),
            Command::KillTask { executor_id, task_id, interrupt, reason } => {
                self.backend.send(&executor_id, ExecutorMessage::KillTask { task_id, interrupt, reason });
            }
            Command::FetchResult { task_id } => match self.results.get(&task_id) {
                Some(HeldResult::OnExecutor(fetch, _)) => self.backend.fetch_result(fetch.clone()),
                _ => warn!(%task_id, "the scheduler wants a result fetched that nobody has announced"),
            },
            Command::DeliverResult { job_id, output_index, task_id } => self.deliver(job_id, output_index, task_id),
            Command::DropResult { task_id } => {
                if let Some(HeldResult::OnExecutor(fetch, _)) = self.results.remove(&task_id) {
                    self.backend.send(&fetch.executor_id, ExecutorMessage::RemoveBlocks(vec![fetch.block_id]));
                }
            }
            Command::MergeAccumulators { task_id, stage, updates } => {
                self.events.merge_accumulators(task_id, stage, &updates);
            }
            Command::JobSucceeded { job_id, statistics } => self.end_job(job_id, JobUpdate::Succeeded(statistics)),
            Command::JobFailed { job_id, message } => self.end_job(job_id, JobUpdate::Failed(message)),
            Command::PostEvent(event) => self.events.post(*event),
            Command::KillExecutor { executor_id, reason, replace } => {
                self.backend.kill_executor(&executor_id, &reason, replace);
            }
            Command::RefuseExecutor { executor_id, reason } => {
                self.backend.send(&executor_id, ExecutorMessage::Refused(reason));
            }
            Command::AskToRegister { executor_id } => {
                self.backend.send(&executor_id, ExecutorMessage::ReRegister);
            }
            Command::AnswerCommit { ask, allowed } => {
                if let Some((executor_id, number)) = self.questions.remove(&ask) {
                    let answer = Answer::MayCommit(allowed);
                    self.backend.send(&executor_id, ExecutorMessage::Answer { number, answer });
                }
            }
            Command::AnswerBarrier { stage: _, task_id, epoch, outcome } => {
                if let Some((executor_id, number)) = self.barrier_questions.remove(&(task_id, epoch)) {
                    let answer = match outcome {
                        Ok(messages) => Answer::BarrierPassed(messages.to_vec()),
                        Err(reason) => Answer::Refused(reason),
                    };
                    self.backend.send(&executor_id, ExecutorMessage::Answer { number, answer });
                }
            }
            Command::MapOutputsChanged { shuffle_id, epoch } => debug!(%shuffle_id, epoch, "map outputs changed"),
            Command::WarnStarvation { stage, waited, pending, reason } => warn!(
                %stage,
                pending,
                "no task of stage {stage} has started for {} s: {reason}",
                waited.as_secs()
            ),
            Command::WarnUnknownPool { pool } => {
                warn!(
                    pool,
                    "a job was submitted with a scheduler pool that is not configured; it was created with defaults"
                );
            }
        }
    }

    fn prepare(
        &mut self,
        stage: StageAttemptId,
        rdd: &Arc<firesteel_scheduler::RddInfo>,
        kind: &StageBinaryKind,
        description: impl FnOnce(Bytes) -> StageDescription,
    ) {
        let prepared = match kind {
            StageBinaryKind::Map(shuffle) => self.stages.map_stage(shuffle),
            StageBinaryKind::Result { job_id } => {
                let work = self.jobs.get(job_id).map(|job| job.work.clone()).unwrap_or_default();
                self.stages.result_stage(rdd, &work)
            }
        };
        let checked = prepared.and_then(|prepared| self.check_size(prepared));
        let event = match checked {
            Ok(PreparedStage { binary, payloads }) => {
                self.prepared.insert(
                    stage,
                    Prepared {
                        description: Arc::new(description(binary)),
                        payloads,
                        sent_to: BTreeSet::new(),
                        warned_of_size: false,
                    },
                );
                Event::StageBinaryPrepared { stage }
            }
            Err(message) => Event::StageBinaryFailed { stage, message },
        };
        self.local.push(event);
    }

    fn check_size(&self, prepared: PreparedStage) -> Result<PreparedStage, String> {
        let size = ByteCount(prepared.binary.len() as u64 + MESSAGE_OVERHEAD);
        if size > self.max_message_size {
            return Err(format!(
                "the stage and what its closures capture take {size}, more than spark.rpc.message.maxSize ({}); use a \
                 broadcast variable for large values",
                self.max_message_size
            ));
        }
        Ok(prepared)
    }

    fn launch(&mut self, executor_id: &ExecutorId, launches: Vec<TaskLaunch>) {
        let mut stages = Vec::new();
        let mut tasks = Vec::with_capacity(launches.len());
        let mut size = 0;
        for launch in launches {
            let Some(prepared) = self.prepared.get_mut(&launch.stage) else {
                warn!(stage = %launch.stage, "a task was launched whose stage is not prepared");
                continue;
            };
            let payloads = (prepared.payloads)(launch.partition);
            let task_size: usize = payloads.iter().map(|payload| payload.bytes.len()).sum();
            if task_size as u64 + MESSAGE_OVERHEAD > self.max_message_size.bytes() {
                self.refuse_large_task(executor_id, &launch, task_size);
                continue;
            }
            if task_size > LARGE_TASK && !prepared.warned_of_size {
                prepared.warned_of_size = true;
                warn!(
                    stage = %launch.stage,
                    "a task carries {}; the recommended maximum is 1000 KiB",
                    ByteCount(task_size as u64)
                );
            }
            if prepared.sent_to.insert(executor_id.clone()) {
                size += prepared.description.binary.len();
                stages.push(Arc::clone(&prepared.description));
            }
            size += task_size;
            tasks.push(describe(launch, payloads));
            if size as u64 > self.max_message_size.bytes() / 2 {
                self.send_tasks(executor_id, std::mem::take(&mut stages), std::mem::take(&mut tasks));
                size = 0;
            }
        }
        if !tasks.is_empty() {
            self.send_tasks(executor_id, stages, tasks);
        }
    }

    /// A task counts as started when it is on its way to an executor that is connected: what ends that executor from then on
    /// may be the task's fault (RT-31). Waiting for the executor to say so would cost a message for each task.
    fn send_tasks(
        &mut self,
        executor_id: &ExecutorId,
        stages: Vec<Arc<StageDescription>>,
        tasks: Vec<TaskDescription>,
    ) {
        self.tell_files(executor_id);
        let task_ids: Vec<TaskId> = tasks.iter().map(|task| task.task_id).collect();
        if self.backend.send(executor_id, ExecutorMessage::LaunchTasks { stages, tasks }) {
            let started = |task_id| Event::TaskStarted { task_id, executor_id: executor_id.clone() };
            self.local.extend(task_ids.into_iter().map(started));
        }
    }

    /// Tells an executor of the files that were added since it was last told, ahead of the tasks that may use them. So launches
    /// carry nothing of files, where Spark sends the whole list with each task.
    fn tell_files(&mut self, executor_id: &ExecutorId) {
        let told = self.files.told.get(executor_id).copied().unwrap_or_default();
        let new = &self.files.all[told..];
        if !new.is_empty() && self.backend.send(executor_id, ExecutorMessage::AddFiles(new.to_vec())) {
            self.files.told.insert(executor_id.clone(), self.files.all.len());
        }
    }

    /// RT-08: it would never arrive.
    fn refuse_large_task(&mut self, executor_id: &ExecutorId, launch: &TaskLaunch, size: usize) {
        let description = format!(
            "the data of the task take {}, more than spark.rpc.message.maxSize ({}); use more partitions, or a broadcast \
             variable",
            ByteCount(size as u64),
            self.max_message_size
        );
        let reason = TaskEndReason::ExceptionFailure {
            class_name: "TaskTooLarge".to_owned(),
            description,
            stack_trace: String::new(),
            retryable: false,
        };
        self.local.push(Event::TaskEnded(Box::new(TaskEnded {
            task_id: launch.task_id,
            executor_id: executor_id.clone(),
            outcome: firesteel_scheduler::TaskOutcome::Failure(reason),
            run_time: None,
            metrics: None,
        })));
    }

    fn deliver(&mut self, job_id: JobId, output_index: u32, task_id: TaskId) {
        let Some(HeldResult::Here(bytes)) = self.results.get(&task_id) else {
            warn!(%job_id, %task_id, "the scheduler wants a result delivered that is not here");
            return;
        };
        if let Some(job) = self.jobs.get(&job_id) {
            // Whoever waited for the job may have left.
            let _ = job.updates.send(JobUpdate::Result { output_index, bytes: bytes.clone() });
        }
        self.results.remove(&task_id);
    }

    fn end_job(&mut self, job_id: JobId, update: JobUpdate) {
        if let Some(job) = self.jobs.remove(&job_id) {
            if let JobUpdate::Failed(message) = &update {
                info!(%job_id, message, "job failed");
            }
            // Whoever waited for the job may have left.
            let _ = job.updates.send(update);
        }
    }
}

fn describe(launch: TaskLaunch, payloads: Vec<TaskPayload>) -> TaskDescription {
    TaskDescription {
        task_id: launch.task_id,
        stage: launch.stage,
        index: launch.index,
        partition: launch.partition,
        attempt_number: launch.attempt,
        locality: launch.locality,
        epoch: launch.epoch,
        resources: launch.resources,
        payloads,
        barrier: launch
            .barrier
            .map(|tasks| BarrierTask { addresses: tasks.iter().map(|task| task.host.clone()).collect() }),
    }
}

/// What the scheduler asks about blocks.
struct Blocks<'a> {
    stages: &'a dyn StageSource,
    registry: &'a LocalBlockManagerMaster,
}

impl BlockLocations for Blocks<'_> {
    fn storage_level(&self, rdd_id: RddId) -> StorageLevel {
        self.stages.storage_level(rdd_id)
    }

    fn cached_locations(&self, rdd_id: RddId, partition: Partition) -> Vec<TaskLocation> {
        self.registry.with(|registry, _| registry.cached_locations(rdd_id, partition))
    }
}
