//! Launches: stages made ready, and tasks sent to executors with what they need.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    sync::Arc,
};

use bytes::Bytes;
use firesteel_messages::{
    ApplicationFile, BarrierTask, ExecutorMessage, StageDescription, TaskDescription, TaskPayload,
};
use firesteel_model::{ByteCount, ExecutorId, Partition, StageAttemptId, TaskEndReason, TaskId};
use firesteel_scheduler::{Event, RddInfo, StageBinaryKind, TaskEnded, TaskLaunch};
use tracing::warn;

use super::Loop;
use crate::PreparedStage;

/// What a stage or a task takes in a message beyond the bytes that it carries, at most: ids, properties, addresses.
const MESSAGE_OVERHEAD: u64 = 1 << 10;
/// RT-08: a task that carries more bytes gives one warning a stage.
const LARGE_TASK: usize = 1000 << 10;

/// The stages whose tasks may be launched.
#[derive(Default)]
pub(super) struct Stages {
    prepared: BTreeMap<StageAttemptId, Prepared>,
}

struct Prepared {
    description: Arc<StageDescription>,
    payloads: Box<dyn Fn(Partition) -> Vec<TaskPayload> + Send>,
    sent_to: BTreeSet<ExecutorId>,
    warned_of_size: bool,
}

impl Stages {
    pub(super) fn executor_lost(&mut self, executor_id: &ExecutorId) {
        for prepared in self.prepared.values_mut() {
            prepared.sent_to.remove(executor_id);
        }
    }
}

/// The application's files, and how many of them each executor has been told of. None is ever removed.
#[derive(Default)]
pub(super) struct Files {
    all: Vec<Arc<ApplicationFile>>,
    told: HashMap<ExecutorId, usize>,
}

impl Files {
    pub(super) fn add(&mut self, file: Arc<ApplicationFile>) {
        self.all.push(file);
    }

    pub(super) fn executor_lost(&mut self, executor_id: &ExecutorId) {
        self.told.remove(executor_id);
    }
}

/// Stages and tasks for one executor that go together.
#[derive(Default)]
struct LaunchMessage {
    stages: Vec<Arc<StageDescription>>,
    tasks: Vec<TaskDescription>,
    /// In bytes, with [`MESSAGE_OVERHEAD`] for each of them.
    size: u64,
}

impl Loop {
    /// Has the stage encoded; how that went is an event.
    pub(super) fn prepare(
        &mut self,
        stage: StageAttemptId,
        rdd: &RddInfo,
        kind: &StageBinaryKind,
        description: impl FnOnce(Bytes) -> StageDescription,
    ) {
        let prepared = match kind {
            StageBinaryKind::Map(shuffle) => self.stage_source.map_stage(shuffle),
            StageBinaryKind::Result { job_id } => {
                let work = self.jobs.get(job_id).map(|job| job.work.clone()).unwrap_or_default();
                self.stage_source.result_stage(rdd, &work)
            }
        };
        let checked = prepared.and_then(|prepared| self.check_size(prepared));
        let event = match checked {
            Ok(PreparedStage { binary, payloads }) => {
                let warned_of_size = binary.len() > LARGE_TASK;
                if warned_of_size {
                    warn!(
                        %stage,
                        "a stage and what its closures capture take {}; the recommended maximum is 1000 KiB, and a \
                         broadcast variable is for large values",
                        ByteCount(binary.len() as u64)
                    );
                }
                let description = Arc::new(description(binary));
                let prepared = Prepared { description, payloads, sent_to: BTreeSet::new(), warned_of_size };
                self.stages.prepared.insert(stage, prepared);
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

    pub(super) fn forget_stage(&mut self, stage: StageAttemptId) {
        if let Some(prepared) = self.stages.prepared.remove(&stage) {
            for executor_id in &prepared.sent_to {
                self.backend.send(executor_id, ExecutorMessage::RemoveStage(stage));
            }
        }
    }

    pub(super) fn launch(&mut self, executor_id: &ExecutorId, launches: Vec<TaskLaunch>) {
        let mut message = LaunchMessage::default();
        for launch in launches {
            let Some(prepared) = self.stages.prepared.get_mut(&launch.stage) else {
                warn!(stage = %launch.stage, "a task was launched whose stage is not prepared");
                continue;
            };
            let payloads = (prepared.payloads)(launch.partition);
            let size: usize = payloads.iter().map(|payload| payload.bytes.len()).sum();
            if size as u64 + MESSAGE_OVERHEAD > self.max_message_size.bytes() {
                self.refuse_large_task(executor_id, &launch, size);
                continue;
            }
            if size > LARGE_TASK && !prepared.warned_of_size {
                prepared.warned_of_size = true;
                warn!(
                    stage = %launch.stage,
                    "a task carries {}; the recommended maximum is 1000 KiB",
                    ByteCount(size as u64)
                );
            }
            if prepared.sent_to.insert(executor_id.clone()) {
                let description = Arc::clone(&prepared.description);
                self.make_room(executor_id, &mut message, description.binary.len());
                message.stages.push(description);
            }
            self.make_room(executor_id, &mut message, size);
            message.tasks.push(describe(launch, payloads));
        }
        if !message.tasks.is_empty() {
            self.send_launches(executor_id, message);
        }
    }

    /// Counts what is about to be added, and sends what is there already if both do not fit into one message.
    fn make_room(&mut self, executor_id: &ExecutorId, message: &mut LaunchMessage, bytes: usize) {
        let size = bytes as u64 + MESSAGE_OVERHEAD;
        if message.size + size > self.max_message_size.bytes() {
            self.send_launches(executor_id, mem::take(message));
        }
        message.size += size;
    }

    /// A task counts as started when it is on its way to an executor that is connected: what ends that executor from then on
    /// may be the task's fault (RT-31). Waiting for the executor to say so would cost a message for each task.
    fn send_launches(&mut self, executor_id: &ExecutorId, message: LaunchMessage) {
        let LaunchMessage { stages, tasks, size: _ } = message;
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
