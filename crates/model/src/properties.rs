//! Local properties: what a thread of the driver sets for the jobs it starts.

use std::{collections::BTreeMap, sync::Arc};

/// The local properties of the thread that submitted a job, fixed when the job is submitted.
pub type LocalProperties = Arc<BTreeMap<String, String>>;

/// Names of the local properties that the engine itself reads; Spark's own.
pub mod property {
    /// The fair-scheduler pool (SC-05).
    pub const POOL: &str = "spark.scheduler.pool";
    /// The job group that `cancel_job_group` names (RT-39).
    pub const JOB_GROUP: &str = "spark.jobGroup.id";
    /// What the UI shows for the jobs.
    pub const JOB_DESCRIPTION: &str = "spark.job.description";
    /// `true`: cancelling interrupts the task's thread (RT-38).
    pub const INTERRUPT_ON_CANCEL: &str = "spark.job.interruptOnCancel";
    /// Comma list of job tags.
    pub const JOB_TAGS: &str = "spark.job.tags";
    /// The call site that the UI shows, short form.
    pub const CALL_SITE_SHORT: &str = "callSite.short";
    /// The call site that the UI shows, long form.
    pub const CALL_SITE_LONG: &str = "callSite.long";
}
