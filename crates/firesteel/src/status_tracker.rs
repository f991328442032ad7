//! What a program can ask about its own jobs: Spark's `SparkStatusTracker`.

use std::sync::Arc;

use firesteel_model::{JobId, StageId};
use firesteel_status::{ApplicationStatus, JobState};
use parking_lot::Mutex;

/// Tells what jobs and stages do, as far as listeners have heard of it: a moment behind the scheduler. Of jobs and stages
/// long ended nothing is known any more.
#[derive(Clone)]
pub struct StatusTracker {
    status: Arc<Mutex<ApplicationStatus>>,
}

/// One job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SparkJobInfo {
    /// Which.
    pub job_id: JobId,
    /// Its stages, ascending.
    pub stage_ids: Vec<StageId>,
    /// `RUNNING`, `SUCCEEDED` or `FAILED`.
    pub status: &'static str,
}

/// The last attempt of one stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SparkStageInfo {
    /// Which.
    pub stage_id: StageId,
    /// The attempt, from 0.
    pub current_attempt_id: u32,
    /// When it was submitted, in milliseconds since 1970; 0 if it was not.
    pub submission_time_ms: i64,
    /// Its call site.
    pub name: String,
    /// How many tasks it has.
    pub num_tasks: u64,
    /// How many of them run.
    pub num_active_tasks: u64,
    /// How many of them are done.
    pub num_completed_tasks: u64,
    /// How many attempts have failed.
    pub num_failed_tasks: u64,
}

impl StatusTracker {
    pub(crate) fn new(status: &Arc<Mutex<ApplicationStatus>>) -> Self {
        Self { status: Arc::clone(status) }
    }

    /// The known jobs of a group, or, with `None`, those in no group.
    pub fn job_ids_for_group(&self, group: Option<&str>) -> Vec<JobId> {
        self.status.lock().job_ids_for_group(group)
    }

    /// The known jobs with a tag.
    pub fn job_ids_for_tag(&self, tag: &str) -> Vec<JobId> {
        self.status.lock().job_ids_for_tag(tag)
    }

    /// The jobs that run.
    pub fn active_job_ids(&self) -> Vec<JobId> {
        self.status.lock().active_job_ids()
    }

    /// The stages that run.
    pub fn active_stage_ids(&self) -> Vec<StageId> {
        self.status.lock().active_stage_ids()
    }

    /// One job, if it is known.
    pub fn job_info(&self, job_id: JobId) -> Option<SparkJobInfo> {
        let status = self.status.lock();
        let job = status.job(job_id)?;
        let state: JobState = job.state;
        Some(SparkJobInfo { job_id, stage_ids: job.stage_ids.clone(), status: state.name() })
    }

    /// One stage, if it is known.
    pub fn stage_info(&self, stage_id: StageId) -> Option<SparkStageInfo> {
        let status = self.status.lock();
        let stage = status.last_stage_attempt(stage_id)?;
        let progress = stage.progress();
        Some(SparkStageInfo {
            stage_id,
            current_attempt_id: progress.id.attempt.0,
            submission_time_ms: progress.submission_time_ms,
            name: stage.snapshot.name.clone(),
            num_tasks: progress.tasks,
            num_active_tasks: progress.active_tasks,
            num_completed_tasks: progress.completed_tasks,
            num_failed_tasks: progress.failed_tasks,
        })
    }
}
