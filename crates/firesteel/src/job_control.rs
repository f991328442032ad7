//! Naming and cancelling jobs: groups, tags, descriptions (RT-39).

use firesteel_listener_bus::QueueName;
use firesteel_model::{JobId, ListenerEvent, StageId, property};
use firesteel_scheduler::Event;

use crate::{context::SparkContext, error::SparkError, status_tracker::StatusTracker};

/// Between the tags of a job, as Spark joins them.
const TAG_SEPARATOR: char = ',';

impl SparkContext {
    /// Puts the jobs that this thread starts into a group, which can be cancelled as one (RT-39).
    pub fn set_job_group(&self, group: &str, description: &str, interrupt_on_cancel: bool) {
        self.set_local_property(property::JOB_GROUP, Some(group));
        self.set_local_property(property::JOB_DESCRIPTION, Some(description));
        let interrupt = if interrupt_on_cancel { "true" } else { "false" };
        self.set_local_property(property::INTERRUPT_ON_CANCEL, Some(interrupt));
    }

    /// Takes this thread out of its job group.
    pub fn clear_job_group(&self) {
        for key in [property::JOB_GROUP, property::JOB_DESCRIPTION, property::INTERRUPT_ON_CANCEL] {
            self.set_local_property(key, None);
        }
    }

    /// What user interfaces show for the jobs that this thread starts.
    pub fn set_job_description(&self, description: &str) {
        self.set_local_property(property::JOB_DESCRIPTION, Some(description));
    }

    /// Gives the jobs that this thread starts one more tag, by which they can be cancelled.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the tag is empty or has a comma.
    pub fn add_job_tag(&self, tag: &str) -> Result<(), SparkError> {
        check_tag(tag)?;
        let mut tags = self.job_tags();
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
        self.set_job_tags(&tags);
        Ok(())
    }

    /// Takes a tag away from the jobs that this thread starts from here on. One that was not added is ignored.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the tag is empty or has a comma.
    pub fn remove_job_tag(&self, tag: &str) -> Result<(), SparkError> {
        check_tag(tag)?;
        let mut tags = self.job_tags();
        tags.retain(|known| known != tag);
        self.set_job_tags(&tags);
        Ok(())
    }

    /// The tags that this thread gives its jobs, in the order in which they were added.
    pub fn job_tags(&self) -> Vec<String> {
        let joined = self.local_property(property::JOB_TAGS).unwrap_or_default();
        joined.split(TAG_SEPARATOR).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
    }

    /// Takes all tags away.
    pub fn clear_job_tags(&self) {
        self.set_local_property(property::JOB_TAGS, None);
    }

    fn set_job_tags(&self, tags: &[String]) {
        let joined = tags.join(&TAG_SEPARATOR.to_string());
        self.set_local_property(property::JOB_TAGS, Some(&joined).filter(|joined| !joined.is_empty()).map(|x| &**x));
    }

    /// Cancels a job; one that is unknown or over is left alone. The reason becomes part of the error that the job's caller
    /// gets.
    pub fn cancel_job(&self, job_id: JobId, reason: Option<&str>) {
        self.driver().event(Event::JobCancelled { job_id, reason: reason.map(str::to_owned) });
    }

    /// Cancels every job that needs a stage.
    pub fn cancel_stage(&self, stage_id: StageId, reason: Option<&str>) {
        self.driver().event(Event::StageCancelled { stage_id, reason: reason.map(str::to_owned) });
    }

    /// Cancels every job of a group.
    pub fn cancel_job_group(&self, group: &str) {
        self.cancel_group(group, false);
    }

    /// Cancels every job of a group, and those that are submitted in it from here on.
    pub fn cancel_job_group_and_future_jobs(&self, group: &str) {
        self.cancel_group(group, true);
    }

    fn cancel_group(&self, group: &str, cancel_future_jobs: bool) {
        self.driver().event(Event::JobGroupCancelled { group: group.to_owned(), cancel_future_jobs, reason: None });
    }

    /// Cancels every job that has a tag.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the tag is empty or has a comma.
    pub fn cancel_jobs_with_tag(&self, tag: &str, reason: Option<&str>) -> Result<(), SparkError> {
        check_tag(tag)?;
        self.driver().event(Event::JobTagCancelled { tag: tag.to_owned(), reason: reason.map(str::to_owned) });
        Ok(())
    }

    /// Cancels every job.
    pub fn cancel_all_jobs(&self) {
        self.driver().event(Event::AllJobsCancelled);
    }

    /// What jobs and stages do.
    pub fn status_tracker(&self) -> StatusTracker {
        StatusTracker::new(self.listeners().status())
    }

    /// Calls `listener` with everything that happens from here on. It runs in a thread of its own, after the fact; one
    /// that is too slow loses events, and the log says how many (`spark.scheduler.listenerbus.eventqueue.capacity`).
    ///
    /// # Errors
    ///
    /// [`SparkError::Configuration`] if the context was stopped, or the system gives no thread.
    pub fn add_spark_listener(&self, listener: impl FnMut(&ListenerEvent) + Send + 'static) -> Result<(), SparkError> {
        let added = self.listeners().bus().add_listener(QueueName::SHARED, listener);
        added.map_err(|error| SparkError::Configuration(format!("the listener cannot be added: {error}")))
    }
}

fn check_tag(tag: &str) -> Result<(), SparkError> {
    if tag.is_empty() {
        return Err(SparkError::InvalidArgument("a job tag cannot be empty".to_owned()));
    }
    if tag.contains(TAG_SEPARATOR) {
        return Err(SparkError::InvalidArgument(format!("job tag {tag:?} has a comma, which separates tags")));
    }
    Ok(())
}
