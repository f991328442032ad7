//! Launches: stages made ready, and tasks sent to executors with what they need.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    iter, mem,
    sync::Arc,
};

use bytes::Bytes;
use firesteel_messages::{
    ApplicationFile, BarrierTask, ExecutorMessage, StageDescription, TaskDescription, TaskPayload, encoded_size,
};
use firesteel_model::{ByteCount, ExecutorId, Partition, StageAttemptId, TaskEndReason, TaskId};
use firesteel_scheduler::{Event, RddInfo, StageBinaryKind, TaskEnded, TaskLaunch};
use tracing::warn;

use super::Loop;
use crate::PreparedStage;

/// What a message takes beyond the stages, tasks or files in it, at most.
const MESSAGE_OVERHEAD: u64 = 1 << 10;
/// RT-08: a task that carries more bytes gives one warning a stage.
const LARGE_TASK: u64 = 1000 << 10;

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
    /// In bytes, encoded.
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
        let checked = prepared.and_then(|PreparedStage { binary, payloads }| {
            let description = Arc::new(description(binary));
            check_size(&description, self.max_message_size).map(|()| (description, payloads))
        });
        let event = match checked {
            Ok((description, payloads)) => {
                let size = description.binary.len() as u64;
                let warned_of_size = size > LARGE_TASK;
                if warned_of_size {
                    warn!(
                        %stage,
                        "a stage and what its closures capture take {}; the recommended maximum is 1000 KiB, and a \
                         broadcast variable is for large values",
                        ByteCount(size)
                    );
                }
                let prepared = Prepared { description, payloads, sent_to: BTreeSet::new(), warned_of_size };
                self.stages.prepared.insert(stage, prepared);
                Event::StageBinaryPrepared { stage }
            }
            Err(message) => Event::StageBinaryFailed { stage, message },
        };
        self.local.push(event);
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
            let stage = launch.stage;
            let Some(prepared) = self.stages.prepared.get_mut(&stage) else {
                warn!(%stage, "a task was launched whose stage is not prepared");
                continue;
            };
            let payloads = (prepared.payloads)(launch.partition);
            let task = describe(launch, payloads);
            let size = encoded_size(&task);
            if !fits(size, self.max_message_size) {
                self.refuse_large_task(executor_id, task.task_id, size);
                continue;
            }
            if size > LARGE_TASK && !prepared.warned_of_size {
                prepared.warned_of_size = true;
                warn!(
                    %stage,
                    "a task carries {}; the recommended maximum is 1000 KiB",
                    ByteCount(size)
                );
            }
            if prepared.sent_to.insert(executor_id.clone()) {
                let description = Arc::clone(&prepared.description);
                self.make_room(executor_id, &mut message, encoded_size(&description));
                message.stages.push(description);
            }
            self.make_room(executor_id, &mut message, size);
            message.tasks.push(task);
        }
        if !message.tasks.is_empty() {
            self.send_launches(executor_id, message);
        }
    }

    /// Counts what is about to be added, and sends what is there already if both do not fit into one message.
    fn make_room(&mut self, executor_id: &ExecutorId, message: &mut LaunchMessage, size: u64) {
        if !fits(message.size.saturating_add(size), self.max_message_size) {
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
        for files in messages_of(&self.files.all[told..], self.max_message_size) {
            if !self.backend.send(executor_id, ExecutorMessage::AddFiles(files.to_vec())) {
                return;
            }
            *self.files.told.entry(executor_id.clone()).or_default() += files.len();
        }
    }

    /// RT-08: it would never arrive.
    fn refuse_large_task(&mut self, executor_id: &ExecutorId, task_id: TaskId, size: u64) {
        let description = format!(
            "the data of the task take {}, more than spark.rpc.message.maxSize ({}); use more partitions, or a broadcast \
             variable",
            ByteCount(size),
            self.max_message_size
        );
        let reason = TaskEndReason::ExceptionFailure {
            class_name: "TaskTooLarge".to_owned(),
            description,
            stack_trace: String::new(),
            retryable: false,
        };
        self.local.push(Event::TaskEnded(Box::new(TaskEnded {
            task_id,
            executor_id: executor_id.clone(),
            outcome: firesteel_scheduler::TaskOutcome::Failure(reason),
            run_time: None,
            metrics: None,
        })));
    }
}

/// RT-08: an executor would never hear of a stage that fits into no message.
fn check_size(stage: &StageDescription, max_message_size: ByteCount) -> Result<(), String> {
    let limit = format!("more than spark.rpc.message.maxSize ({})", max_message_size);
    if !fits(stage.binary.len() as u64, max_message_size) {
        return Err(format!(
            "the stage and what its closures capture take {}, {limit}; use a broadcast variable for large values",
            ByteCount(stage.binary.len() as u64)
        ));
    }
    if fits(encoded_size(stage), max_message_size) {
        return Ok(());
    }
    let largest = stage.properties.iter().max_by_key(|(name, value)| name.len() + value.len());
    let (name, value) = largest.map_or(("", ""), |(name, value)| (name.as_str(), value.as_str()));
    Err(format!(
        "the local properties of the job take {}, and with the stage {limit}; the largest is {name} with {}: give it a \
         shorter value",
        ByteCount(encoded_size(&stage.properties)),
        ByteCount(value.len() as u64)
    ))
}

/// Cuts a list of files so that each part goes into one message. The application has refused what is too long alone.
fn messages_of(
    files: &[Arc<ApplicationFile>],
    max_message_size: ByteCount,
) -> impl Iterator<Item = &[Arc<ApplicationFile>]> {
    let mut rest = files;
    iter::from_fn(move || {
        let mut size = 0;
        let fitting = rest.iter().take_while(|file| {
            size = encoded_size(file).saturating_add(size);
            fits(size, max_message_size)
        });
        let (part, left) = rest.split_at(fitting.count().max(1).min(rest.len()));
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}

/// Do so many bytes go into one message?
pub(crate) fn fits(bytes: u64, max_message_size: ByteCount) -> bool {
    bytes.saturating_add(MESSAGE_OVERHEAD) <= max_message_size.bytes()
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

#[cfg(test)]
mod tests {
    use firesteel_messages::{ApplicationFileKind, FilePart, FileSource};
    use firesteel_model::{JobId, LocalProperties, StageAttempt, StageId};

    use super::*;

    fn stage(binary: usize, properties: &[(&str, usize)]) -> StageDescription {
        let properties = properties.iter().map(|(name, length)| ((*name).to_owned(), "x".repeat(*length)));
        StageDescription {
            stage: StageAttemptId { stage_id: StageId(0), attempt: StageAttempt(0) },
            job_id: JobId(0),
            partitions: 1,
            binary: Bytes::from(vec![0; binary]),
            properties: LocalProperties::new(properties.collect()),
            cpus: 1,
        }
    }

    #[test]
    fn a_stage_that_fits_into_no_message_is_refused_by_what_makes_it_large() {
        let check = |stage: StageDescription| check_size(&stage, ByteCount::mib(1)).err().unwrap_or_default();
        assert_eq!(check(stage(500_000, &[("a", 500_000)])), "");
        let closure = check(stage(1 << 20, &[]));
        assert!(closure.contains("closures capture take 1024.0 KiB, more than spark.rpc.message.maxSize"), "{closure}");
        let properties = check(stage(600_000, &[("short", 10), ("long", 600_000)]));
        assert!(properties.contains("the largest is long with 585.9 KiB"), "{properties}");
    }

    #[test]
    fn files_go_out_in_as_many_messages_as_they_need() {
        let file = |parts: u32| {
            let part = |number| FilePart { path: format!("{number:0100}"), length: 1, digest: [0; 32] };
            Arc::new(ApplicationFile {
                name: "files".to_owned(),
                source: FileSource::Driver { host: String::new(), port: 1, number: 0 },
                kind: ApplicationFileKind::Directory,
                parts: (0..parts).map(part).collect(),
            })
        };
        let files = [file(3000), file(3000), file(3000), file(5000), file(8000), file(2), file(2)];
        let sizes = |files| messages_of(files, ByteCount::mib(1)).map(<[_]>::len).collect::<Vec<_>>();
        let known: Vec<u64> = files.iter().map(encoded_size).collect();
        // The one of 8000 parts fits into none.
        assert_eq!(sizes(&files), [2, 1, 1, 1, 2], "{known:?}");
        assert_eq!(sizes(&[]), [0; 0]);
    }
}
