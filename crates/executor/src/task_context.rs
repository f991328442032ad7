//! What a running task knows and may ask for: Spark's `TaskContext`.

use std::{
    any::Any,
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use firesteel_block_store::TaskMemory;
use firesteel_messages::{BarrierTask, StageDescription, TaskDescription};
use firesteel_model::{
    AccumulatorId, AccumulatorUpdate, Partition, RddId, ResourceInformation, StageAttemptId, TaskAttemptNumber,
    TaskEndReason, TaskId,
};
use parking_lot::Mutex;

use crate::{
    Environment, LARGE_RECORD, RoomForRecord, TaskFailure, large_records::Asker, metrics::TaskMetricsRecorder,
};

/// One running task attempt. Handed to everything that computes for it; [`TaskContext::get`] finds it from user code.
pub struct TaskContext {
    stage: Arc<StageDescription>,
    task: TaskDescription,
    environment: Arc<Environment>,
    kill: Arc<KillSwitch>,
    memory: TaskMemory,
    metrics: TaskMetricsRecorder,
    accumulators: Mutex<BTreeMap<AccumulatorId, Box<dyn TaskAccumulator>>>,
    completion: Mutex<Vec<CompletionListener>>,
    barrier_epoch: AtomicU64,
    /// How many blocks it is computing, one for another. Other tasks wait for them.
    blocks_in_hand: AtomicU64,
}

/// A block that a task is computing. See [`TaskContext::computes_block`].
pub struct BlockInHand<'a>(&'a TaskContext);

impl Drop for BlockInHand<'_> {
    fn drop(&mut self) {
        self.0.blocks_in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

type CompletionListener = Box<dyn FnOnce(&TaskContext) + Send>;

/// A task's own part of an accumulator, merged at the driver when the task has succeeded (RT-56).
pub trait TaskAccumulator: Any + Send {
    /// What was added so far.
    fn update(&self) -> AccumulatorUpdate;
    /// Does it count even if the task fails?
    fn counts_failed_values(&self) -> bool;
    /// For the typed handle that added it.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// Tells a running task to end. It is looked at wherever records flow: sources, shuffle reads, sorts, sinks.
#[derive(Debug, Default)]
pub struct KillSwitch {
    killed: Arc<AtomicBool>,
    reason: Mutex<Option<String>>,
}

impl KillSwitch {
    /// Asks the task to end. The first reason stays.
    pub fn kill(&self, reason: &str) {
        self.reason.lock().get_or_insert_with(|| reason.to_owned());
        self.killed.store(true, Ordering::Release);
    }

    /// The flag itself, for loops that only look.
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.killed
    }

    /// The reason, once the task was asked to end.
    pub fn reason(&self) -> Option<String> {
        self.killed.load(Ordering::Acquire).then(|| self.reason.lock().clone().unwrap_or_default())
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<TaskContext>>> = const { RefCell::new(None) };
}

impl TaskContext {
    /// Makes the context of a task that is about to run.
    pub fn new(
        stage: Arc<StageDescription>,
        task: TaskDescription,
        environment: Arc<Environment>,
        kill: Arc<KillSwitch>,
    ) -> Arc<Self> {
        let memory = environment.task_memory(task.task_id, &kill);
        Arc::new(Self {
            stage,
            task,
            environment,
            kill,
            memory,
            metrics: TaskMetricsRecorder::default(),
            accumulators: Mutex::new(BTreeMap::new()),
            completion: Mutex::new(Vec::new()),
            barrier_epoch: AtomicU64::new(0),
            blocks_in_hand: AtomicU64::new(0),
        })
    }

    /// The task that runs on this thread; none outside a task.
    pub fn get() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `work` with this as the thread's current task.
    pub fn enter<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        /// Puts back what was there, also when `work` unwinds.
        struct Leave(Option<Arc<TaskContext>>);
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _leave = Leave(CURRENT.replace(Some(Arc::clone(self))));
        work()
    }

    /// The stage attempt.
    pub fn stage(&self) -> StageAttemptId {
        self.stage.stage
    }

    /// What the tasks of the stage share.
    pub fn stage_description(&self) -> &Arc<StageDescription> {
        &self.stage
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.task.partition
    }

    /// How many partitions the stage has.
    pub fn partitions(&self) -> u32 {
        self.stage.partitions
    }

    /// The task attempt, unique in the application.
    pub fn task_id(&self) -> TaskId {
        self.task.task_id
    }

    /// How often this task was launched before.
    pub fn attempt_number(&self) -> TaskAttemptNumber {
        self.task.attempt_number
    }

    /// How many cores it was given (`spark.task.cpus`).
    pub fn cpus(&self) -> u32 {
        self.stage.cpus
    }

    /// The addresses of custom resources that it may use (SC-07).
    pub fn resources(&self) -> &[ResourceInformation] {
        &self.task.resources
    }

    /// The addresses of one custom resource that it may use; none if it did not ask for any.
    pub fn resource(&self, name: &str) -> Option<&ResourceInformation> {
        self.task.resources.iter().find(|resource| resource.name == name)
    }

    /// All of them as one JSON object by name, for programs that it starts:
    /// `{"gpu":{"name":"gpu","addresses":["0"]}}`.
    pub fn resources_json(&self) -> String {
        let by_name: BTreeMap<&str, &ResourceInformation> =
            self.task.resources.iter().map(|resource| (resource.name.as_str(), resource)).collect();
        serde_json::to_string(&by_name).expect("names and texts are JSON")
    }

    /// A local property of the thread that started the job.
    pub fn local_property(&self, key: &str) -> Option<&str> {
        self.stage.properties.get(key).map(String::as_str)
    }

    /// The siblings of a task in a barrier stage.
    pub fn barrier(&self) -> Option<&BarrierTask> {
        self.task.barrier.as_ref()
    }

    /// The number of the next barrier that this task will meet.
    pub fn next_barrier_epoch(&self) -> u32 {
        self.barrier_epoch.fetch_add(1, Ordering::Relaxed) as u32
    }

    /// What the executor offers to all tasks.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Execution memory for its collections, and the account that blocks are unrolled on.
    pub fn memory(&self) -> &TaskMemory {
        &self.memory
    }

    /// Says that it computes a block that other tasks of the process may wait for, as long as the result lives: meanwhile it does not
    /// wait for them.
    pub fn computes_block(&self) -> BlockInHand<'_> {
        self.blocks_in_hand.fetch_add(1, Ordering::Relaxed);
        BlockInHand(self)
    }

    /// Room for a record of so many bytes, or of so many more, which is held until it is dropped; none for what is not [large](LARGE_RECORD).
    /// Waits until there is some. Asked for before the bytes are there, and held as long as they are, it keeps several tasks with large
    /// records from being more than the process can hold.
    ///
    /// Unwinds as the task's end if the task is killed meanwhile, or there is none in time.
    pub fn room_for_record(&self, bytes: usize) -> Option<RoomForRecord> {
        if bytes < LARGE_RECORD {
            return None;
        }
        let asker = Asker {
            task_id: self.task.task_id,
            killed: self.kill.flag(),
            // The others of its stage wait for it, or whoever wants the block.
            can_wait: self.task.barrier.is_none() && self.blocks_in_hand.load(Ordering::Relaxed) == 0,
        };
        let room = self.environment.large_records().room(bytes as u64, &asker);
        Some(room.unwrap_or_else(|error| {
            self.end_if_killed();
            TaskFailure::from_error(&error).throw()
        }))
    }

    /// Where measurements are kept.
    pub fn metrics(&self) -> &TaskMetricsRecorder {
        &self.metrics
    }

    /// Was the task asked to end?
    pub fn is_interrupted(&self) -> bool {
        self.kill.flag().load(Ordering::Relaxed)
    }

    /// The switch by which it is asked to end.
    pub fn kill_switch(&self) -> &Arc<KillSwitch> {
        &self.kill
    }

    /// Ends the task, by unwinding, if it was asked to end.
    #[inline]
    pub fn end_if_killed(&self) {
        if self.is_interrupted() {
            self.end_as_killed();
        }
    }

    #[cold]
    fn end_as_killed(&self) -> ! {
        let reason = self.kill.reason().unwrap_or_default();
        TaskFailure::from(TaskEndReason::TaskKilled { reason }).throw()
    }

    /// The data that the driver sent along for a partition of a source.
    pub fn payload(&self, rdd_id: RddId, partition: Partition) -> Option<&Bytes> {
        let mut payloads = self.task.payloads.iter();
        payloads
            .find(|payload| payload.rdd_id == rdd_id && payload.partition == partition)
            .map(|payload| &payload.bytes)
    }

    /// Calls `listener` when the task has ended, well or not; the last one added is called first, as in Spark.
    pub fn on_completion(&self, listener: impl FnOnce(&Self) + Send + 'static) {
        self.completion.lock().push(Box::new(listener));
    }

    /// Calls the completion listeners. The executor does this once.
    pub fn complete(&self) {
        loop {
            // Not held while a listener runs: it may add another.
            let Some(listener) = self.completion.lock().pop() else { return };
            listener(self);
        }
    }

    /// Adds to this task's part of an accumulator, which `start` makes at the first use.
    pub fn accumulate<A: TaskAccumulator>(
        &self,
        id: AccumulatorId,
        start: impl FnOnce() -> A,
        add: impl FnOnce(&mut A),
    ) {
        let mut accumulators = self.accumulators.lock();
        let part = accumulators.entry(id).or_insert_with(|| Box::new(start()));
        let part = part.as_any_mut().downcast_mut::<A>().expect("an accumulator id belongs to one accumulator");
        add(part);
    }

    /// What the task has added to accumulators; with `failed`, only what counts in spite of that.
    pub fn accumulator_updates(&self, failed: bool) -> Vec<AccumulatorUpdate> {
        let accumulators = self.accumulators.lock();
        accumulators.values().filter(|part| !failed || part.counts_failed_values()).map(|part| part.update()).collect()
    }
}
