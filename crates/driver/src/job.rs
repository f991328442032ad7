//! A job as the thread sees it that waits for it.

use bytes::Bytes;
use crossbeam_channel::Receiver;
use firesteel_model::{JobId, LocalProperties, Partition, TaskEndReason};
use firesteel_scheduler::{MapOutputStatistics, RddInfo, ShuffleDependency};
use std::sync::Arc;

/// A job to run.
pub struct JobRequest {
    /// What it computes.
    pub kind: JobRequestKind,
    /// The submitting thread's local properties.
    pub properties: LocalProperties,
    /// The short call site.
    pub call_site_short: String,
    /// The long call site.
    pub call_site_long: String,
}

/// What a job computes.
pub enum JobRequestKind {
    /// An action on some partitions.
    Result {
        /// The data set.
        rdd: Arc<RddInfo>,
        /// Which partitions, in the order of the outputs.
        partitions: Vec<Partition>,
        /// The action, encoded.
        work: Bytes,
    },
    /// Only the map outputs of a shuffle.
    MapStage(Arc<ShuffleDependency>),
}

/// A job that was submitted.
pub struct JobHandle {
    pub(crate) job_id: JobId,
    pub(crate) updates: Receiver<JobUpdate>,
}

/// What happens to a job. Results come in any order; then one of the others, and nothing after that.
#[derive(Debug)]
pub enum JobUpdate {
    /// One output, encoded.
    Result {
        /// Which, in the order of the request's partitions.
        output_index: u32,
        /// The bytes.
        bytes: Bytes,
    },
    /// Every output was delivered.
    Succeeded(Option<Arc<MapOutputStatistics>>),
    /// It failed or was cancelled; outputs delivered before are void.
    Failed(JobFailure),
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// In Spark's words.
    pub message: String,
    /// How the task ended that was its last chance, if it was a task.
    pub cause: Option<Arc<TaskEndReason>>,
}

/// The job failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// Which job.
    pub job_id: JobId,
    /// Why.
    pub message: String,
    /// How the task ended that was its last chance, if it was a task.
    pub cause: Option<Arc<TaskEndReason>>,
}

impl JobHandle {
    /// Its number.
    pub fn job_id(&self) -> JobId {
        self.job_id
    }

    /// Waits for the job and hands each output to `on_result` as it comes, on the calling thread.
    pub fn wait(self, mut on_result: impl FnMut(u32, Bytes)) -> Result<Option<Arc<MapOutputStatistics>>, JobError> {
        loop {
            let failed = |JobFailure { message, cause }| JobError { job_id: self.job_id, message, cause };
            match self.updates.recv() {
                Ok(JobUpdate::Result { output_index, bytes }) => on_result(output_index, bytes),
                Ok(JobUpdate::Succeeded(statistics)) => return Ok(statistics),
                Ok(JobUpdate::Failed(failure)) => return Err(failed(failure)),
                Err(_) => {
                    let message = format!("Job {} ended without a result: the driver has stopped", self.job_id);
                    return Err(failed(JobFailure { message, cause: None }));
                }
            }
        }
    }
}
