//! What everybody but the event loop holds.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use firesteel_messages::{ApplicationFile, DriverMessage, encoded_size};
use firesteel_model::{ByteCount, ExecutorId, ExecutorLossReason, JobId, TaskId};
use firesteel_scheduler::{Event, LostOutputs};

use crate::{
    event_loop::fits,
    input::{Input, Registration, Removal},
    job::{JobFailure, JobHandle, JobRequest, JobUpdate},
};

/// A directory of the application's has so many files that no message to an executor can name them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the names of its {files} files take {size}, more than spark.rpc.message.maxSize ({max_message_size}); add an archive of them, or raise \
     that"
)]
pub struct AddFileError {
    files: usize,
    size: ByteCount,
    max_message_size: ByteCount,
}

/// A way into the event loop; cheap to clone. After the driver has stopped, what is sent is dropped, and jobs fail.
#[derive(Clone)]
pub struct DriverHandle {
    // Unbounded, as the loop must never wait for those who wait for it. What is in it is bounded by what the application
    // can have under way: one message per running task and executor, and one per call of a user thread.
    inputs: Sender<Input>,
    next_job: Arc<AtomicU32>,
    max_message_size: ByteCount,
}

impl DriverHandle {
    pub(crate) fn new(inputs: Sender<Input>, max_message_size: ByteCount) -> Self {
        Self { inputs, next_job: Arc::new(AtomicU32::new(0)), max_message_size }
    }

    /// Submits a job. Results arrive at the handle.
    pub fn submit_job(&self, request: JobRequest) -> JobHandle {
        let job_id = JobId(self.next_job.fetch_add(1, Ordering::Relaxed));
        // Unbounded: it holds at most the job's results, which spark.driver.maxResultSize bounds.
        let (sender, updates) = unbounded();
        if let Err(refused) = self.inputs.send(Input::Job { job_id, request, updates: sender }) {
            let Input::Job { updates, .. } = refused.into_inner() else { unreachable!("a job was sent") };
            // The receiver is held below.
            let _ = updates.send(JobUpdate::Failed(JobFailure {
                message: format!("Job {job_id} cancelled because SparkContext was shut down"),
                cause: None,
            }));
        }
        JobHandle { job_id, updates }
    }

    /// Passes an event to the scheduler: cancellations, removed shuffles.
    pub fn event(&self, event: Event) {
        self.send(Input::Event(event));
    }

    /// An executor has registered and is ready. Answered by `Registered` or `Refused`.
    pub fn executor_registered(&self, registration: Registration) {
        self.send(Input::Register(Box::new(registration)));
    }

    /// An executor is gone. May be told more than once; the first reason stays.
    pub fn executor_lost(&self, executor_id: &ExecutorId, reason: ExecutorLossReason, lost_outputs: LostOutputs) {
        self.send(Input::ExecutorLost { executor_id: executor_id.clone(), reason, lost_outputs });
    }

    /// The application wants so many executors in all from here on, whatever there are (SC-41).
    pub fn request_total_executors(&self, total: u32) {
        self.send(Input::RequestTotalExecutors(total));
    }

    /// No executor can be had any more: every job that is under way or comes fails with this reason.
    pub fn give_up(&self, reason: &str) {
        self.send(Input::GiveUp(reason.to_owned()));
    }

    /// Executors may forget something.
    pub fn remove(&self, removal: Removal) {
        self.send(Input::Remove { removal, done: None });
    }

    /// As [`DriverHandle::remove`]; the receiver gets a word, or is cut off, when every executor has done it, is lost, or the
    /// driver has stopped.
    pub fn remove_and_tell(&self, removal: Removal) -> Receiver<()> {
        let (done, receiver) = bounded(1);
        self.send(Input::Remove { removal, done: Some(done) });
        receiver
    }

    /// The application has another file: executors place it before tasks that are launched after this call.
    ///
    /// # Errors
    ///
    /// Executors cannot be told of it.
    pub fn add_file(&self, file: Arc<ApplicationFile>) -> Result<(), AddFileError> {
        let size = encoded_size(&file);
        if !fits(size, self.max_message_size) {
            return Err(AddFileError {
                files: file.parts.len(),
                size: ByteCount(size),
                max_message_size: self.max_message_size,
            });
        }
        self.send(Input::AddFile(file));
        Ok(())
    }

    /// A message came from an executor.
    pub fn executor_message(&self, executor_id: &ExecutorId, message: DriverMessage) {
        self.send(Input::FromExecutor { executor_id: executor_id.clone(), message });
    }

    /// The outcome of [`SchedulerBackend::fetch_result`](crate::SchedulerBackend::fetch_result); none if the result is lost.
    pub fn result_fetched(&self, task_id: TaskId, result: Option<Bytes>) {
        self.send(Input::ResultFetched { task_id, result });
    }

    /// Runs something in the loop, in order with everything else.
    pub(crate) fn send(&self, input: Input) {
        // A stopped driver needs no news.
        let _ = self.inputs.send(input);
    }
}
