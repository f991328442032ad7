//! One job as people see it.

use std::{collections::BTreeMap, sync::Arc};

use firesteel_model::{JobId, JobOutcome, LocalProperties, StageId, StageSnapshot, property};

/// How a job stands; Spark's `JobExecutionStatus`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobState {
    /// Not ended.
    Running,
    /// Every partition has its result.
    Succeeded,
    /// It failed or was cancelled.
    Failed,
}

impl JobState {
    /// Spark's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }
}

/// One job: the numbers of Spark's `JobData`.
#[derive(Clone, Debug)]
pub struct JobStatus {
    /// Which.
    pub id: JobId,
    /// The call site of its last stage.
    pub name: String,
    /// What the application said of it (`spark.job.description`).
    pub description: Option<String>,
    /// `spark.jobGroup.id`.
    pub group: Option<String>,
    /// `spark.job.tags`, split.
    pub tags: Vec<String>,
    /// When it was submitted.
    pub submission_time_ms: i64,
    /// When it ended.
    pub completion_time_ms: Option<i64>,
    /// How it stands.
    pub state: JobState,
    /// Why it failed.
    pub failure: Option<String>,
    /// Its stages, ascending, skipped ones included.
    pub stage_ids: Vec<StageId>,
    /// Tasks of all stages at submission, less those of stages whose output was there already.
    pub tasks: u64,
    /// Tasks that run.
    pub active_tasks: u64,
    /// Task attempts that succeeded.
    pub completed_tasks: u64,
    /// Partitions whose task succeeded at least once; never more than [`Self::tasks`] for one attempt of each stage.
    pub completed_indices: u64,
    /// Task attempts that failed.
    pub failed_tasks: u64,
    /// Task attempts that were killed.
    pub killed_tasks: u64,
    /// Tasks of skipped stages.
    pub skipped_tasks: u64,
    /// How many tasks were killed for each reason.
    pub killed_tasks_summary: BTreeMap<String, u64>,
    /// Stages that run.
    pub active_stages: u32,
    /// Stage attempts that succeeded.
    pub completed_stages: u32,
    /// Stage attempts that failed.
    pub failed_stages: u32,
    /// Stages that did not have to run.
    pub skipped_stages: u32,
}

impl JobStatus {
    pub(crate) fn new(id: JobId, time_ms: i64, stages: &[Arc<StageSnapshot>], properties: &LocalProperties) -> Self {
        let property = |name: &str| properties.get(name).cloned();
        let tags = property(property::JOB_TAGS).unwrap_or_default();
        // A stage that has completed already is in the list with its times set, and its tasks do not run again.
        let tasks =
            stages.iter().filter(|stage| stage.completion_time_ms.is_none()).map(|stage| u64::from(stage.tasks));
        Self {
            id,
            name: stages.iter().max_by_key(|stage| stage.id).map(|stage| stage.name.clone()).unwrap_or_default(),
            description: property(property::JOB_DESCRIPTION),
            group: property(property::JOB_GROUP),
            tags: tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            submission_time_ms: time_ms,
            completion_time_ms: None,
            state: JobState::Running,
            failure: None,
            stage_ids: stages.iter().map(|stage| stage.id.stage_id).collect(),
            tasks: tasks.sum(),
            active_tasks: 0,
            completed_tasks: 0,
            completed_indices: 0,
            failed_tasks: 0,
            killed_tasks: 0,
            skipped_tasks: 0,
            killed_tasks_summary: BTreeMap::new(),
            active_stages: 0,
            completed_stages: 0,
            failed_stages: 0,
            skipped_stages: 0,
        }
    }

    pub(crate) fn end(&mut self, time_ms: i64, outcome: &JobOutcome) {
        self.completion_time_ms = Some(time_ms);
        match outcome {
            JobOutcome::Succeeded => self.state = JobState::Succeeded,
            JobOutcome::Failed { message } => {
                self.state = JobState::Failed;
                self.failure = Some(message.clone());
            }
        }
    }
}
