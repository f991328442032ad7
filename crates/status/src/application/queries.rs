//! What others read of the tables.

use std::collections::BTreeMap;

use firesteel_model::{ExecutorId, JobId, ResourceProfileId, StageAttempt, StageAttemptId, StageId, TaskId};

use super::{ApplicationStatus, Properties, ResourceProfileStatus};
use crate::{ApplicationSummary, ExecutorStatus, JobState, JobStatus, RddStatus, StageProgress, StageStatus, TaskRow};

impl ApplicationStatus {
    /// What the application did so far.
    pub fn summary(&self) -> &ApplicationSummary {
        &self.summary
    }

    /// Who runs it.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Versions and paths.
    pub fn runtime(&self) -> &Properties {
        &self.runtime
    }

    /// Every `spark.*` key that is set, redacted.
    pub fn spark_properties(&self) -> &Properties {
        &self.spark_properties
    }

    /// What the operating system says.
    pub fn system_properties(&self) -> &Properties {
        &self.system_properties
    }

    /// The resource profiles that came into use.
    pub fn resource_profiles(&self) -> &BTreeMap<ResourceProfileId, ResourceProfileStatus> {
        &self.resource_profiles
    }

    /// The jobs that are kept, ascending.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &JobStatus> {
        self.jobs.values()
    }

    /// One job, if it is kept: `getJobInfo` of the status tracker.
    pub fn job(&self, id: JobId) -> Option<&JobStatus> {
        self.jobs.get(&id)
    }

    /// The jobs of a group, or (none) those without one: `getJobIdsForGroup` of the status tracker.
    pub fn job_ids_for_group(&self, group: Option<&str>) -> Vec<JobId> {
        self.jobs.values().filter(|job| job.group.as_deref() == group).map(|job| job.id).collect()
    }

    /// The jobs with a tag: `getJobIdsForTag` of the status tracker.
    pub fn job_ids_for_tag(&self, tag: &str) -> Vec<JobId> {
        self.jobs.values().filter(|job| job.tags.iter().any(|own| own == tag)).map(|job| job.id).collect()
    }

    /// The jobs that run: `getActiveJobsIds` of the status tracker.
    pub fn active_job_ids(&self) -> Vec<JobId> {
        self.jobs.values().filter(|job| job.state == JobState::Running).map(|job| job.id).collect()
    }

    /// The stage attempts that are kept, ascending.
    pub fn stages(&self) -> impl DoubleEndedIterator<Item = &StageStatus> {
        self.stages.values()
    }

    /// One stage attempt, if it is kept.
    pub fn stage(&self, id: StageAttemptId) -> Option<&StageStatus> {
        self.stages.get(&id)
    }

    /// The kept attempts of a stage, ascending.
    pub fn stage_attempts(&self, stage_id: StageId) -> impl DoubleEndedIterator<Item = &StageStatus> {
        let first = StageAttemptId { stage_id, attempt: StageAttempt(0) };
        let last = StageAttemptId { stage_id, attempt: StageAttempt(u32::MAX) };
        self.stages.range(first..=last).map(|(_, stage)| stage)
    }

    /// The last attempt of a stage: `getStageInfo` of the status tracker.
    pub fn last_stage_attempt(&self, stage_id: StageId) -> Option<&StageStatus> {
        self.stage_attempts(stage_id).next_back()
    }

    /// The stages that run, in the order in which they were submitted: `getActiveStageIds` of the status tracker.
    pub fn active_stage_ids(&self) -> Vec<StageId> {
        self.active_stages.iter().map(|id| id.stage_id).collect()
    }

    /// Progress of the stages that run, by ascending id: what the progress bar draws (UI-20).
    pub fn active_stages(&self) -> Vec<StageProgress> {
        let mut active: Vec<_> =
            self.active_stages.iter().filter_map(|id| self.stages.get(id)).map(StageStatus::progress).collect();
        active.sort_by_key(|progress| progress.id);
        active
    }

    /// The executors that are kept, alive and gone, the driver's block manager among them.
    pub fn executors(&self) -> impl Iterator<Item = &ExecutorStatus> {
        self.executors.values()
    }

    /// One executor, if it is kept.
    pub fn executor_status(&self, id: &ExecutorId) -> Option<&ExecutorStatus> {
        self.executors.get(id)
    }

    /// The persisted RDDs.
    pub fn rdds(&self) -> impl Iterator<Item = &RddStatus> {
        self.rdds.values()
    }

    /// One task row, if it is kept.
    pub fn task(&self, stage: StageAttemptId, task_id: TaskId) -> Option<&TaskRow> {
        self.stages.get(&stage)?.task(task_id)
    }
}
