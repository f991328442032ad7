//! Naming and cancelling jobs: groups, tags, descriptions (RT-39).

use firesteel_listener_bus::QueueName;
use firesteel_model::{JobId, ListenerEvent, StageId, property};
use firesteel_scheduler::Event;

use crate::{context::SparkContext, error::SparkError, status_tracker::StatusTracker};

/// Between the tags of a job, as Spark joins them.
const TAG_SEPARATOR: char = ',';

impl SparkContext {
    /// Puts the jobs that this thread starts into a group, which can be cancelled as one (RT-39): see
    /// [`SparkContext::cancel_job_group`].
    pub fn set_job_group(&self, group: &str, description: &str, interrupt_on_cancel: bool) {
        self.set_local_property(property::JOB_GROUP, Some(group));
        self.set_local_property(property::JOB_DESCRIPTION, Some(description));
        let interrupt = if interrupt_on_cancel { "true" } else { "false" };
        self.set_local_property(property::INTERRUPT_ON_CANCEL, Some(interrupt));
    }

    /// Takes this thread out of its job group: see [`SparkContext::cancel_job_group`].
    pub fn clear_job_group(&self) {
        for key in [property::JOB_GROUP, property::JOB_DESCRIPTION, property::INTERRUPT_ON_CANCEL] {
            self.set_local_property(key, None);
        }
    }

    /// What user interfaces show for the jobs that this thread starts.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::ListenerEvent;
    ///
    /// let (send, descriptions) = std::sync::mpsc::channel();
    /// spark.add_spark_listener(move |event| {
    ///     if let ListenerEvent::JobStart { properties, .. } = event {
    ///         let _ = send.send(properties.get("spark.job.description").cloned());
    ///     }
    /// })?;
    /// spark.set_job_description("the nightly count");
    /// spark.range(0, 10, 1, 2).count()?;
    /// assert_eq!(descriptions.recv().unwrap().as_deref(), Some("the nightly count"));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn set_job_description(&self, description: &str) {
        self.set_local_property(property::JOB_DESCRIPTION, Some(description));
    }

    /// Gives the jobs that this thread starts one more tag, by which they can be cancelled.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the tag is empty or has a comma.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.add_job_tag("nightly")?;
    /// spark.add_job_tag("sums")?;
    /// assert_eq!(spark.job_tags(), ["nightly", "sums"]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
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
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.add_job_tag("nightly")?;
    /// spark.add_job_tag("sums")?;
    /// spark.remove_job_tag("nightly")?;
    /// assert_eq!(spark.job_tags(), ["sums"]);
    /// spark.clear_job_tags();
    /// assert!(spark.job_tags().is_empty());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn remove_job_tag(&self, tag: &str) -> Result<(), SparkError> {
        check_tag(tag)?;
        let mut tags = self.job_tags();
        tags.retain(|known| known != tag);
        self.set_job_tags(&tags);
        Ok(())
    }

    /// The tags that this thread gives its jobs, in the order in which they were added: see [`SparkContext::add_job_tag`].
    pub fn job_tags(&self) -> Vec<String> {
        let joined = self.local_property(property::JOB_TAGS).unwrap_or_default();
        joined.split(TAG_SEPARATOR).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
    }

    /// Takes all tags away, as [`SparkContext::remove_job_tag`] does with one.
    pub fn clear_job_tags(&self) {
        self.set_local_property(property::JOB_TAGS, None);
    }

    fn set_job_tags(&self, tags: &[String]) {
        let joined = tags.join(&TAG_SEPARATOR.to_string());
        self.set_local_property(property::JOB_TAGS, Some(&joined).filter(|joined| !joined.is_empty()).map(|x| &**x));
    }

    /// Cancels a job; one that is unknown or over is left alone. The reason becomes part of the error that the job's caller
    /// gets.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let endless = spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
    /// while endless.job_ids().is_empty() {
    ///     std::thread::yield_now();
    /// }
    /// spark.cancel_job(endless.job_ids()[0], Some("because it is late"));
    /// assert!(endless.get().unwrap_err().to_string().ends_with("because it is late"));
    /// ```
    pub fn cancel_job(&self, job_id: JobId, reason: Option<&str>) {
        self.driver().event(Event::JobCancelled { job_id, reason: reason.map(str::to_owned) });
    }

    /// Cancels every job that needs a stage.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let endless = spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
    /// while spark.status_tracker().active_stage_ids().is_empty() {
    ///     std::thread::yield_now();
    /// }
    /// spark.cancel_stage(spark.status_tracker().active_stage_ids()[0], Some("it is late"));
    /// assert!(endless.get().unwrap_err().to_string().contains("it is late"));
    /// ```
    pub fn cancel_stage(&self, stage_id: StageId, reason: Option<&str>) {
        self.driver().event(Event::StageCancelled { stage_id, reason: reason.map(str::to_owned) });
    }

    /// Cancels every job of a group. The reason becomes part of the error that the jobs' callers get.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.set_job_group("nightly", "what may take all night", false);
    /// let endless = spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
    /// while endless.job_ids().is_empty() {
    ///     std::thread::yield_now();
    /// }
    /// spark.cancel_job_group("nightly", Some("because it is morning"));
    /// assert!(endless.get().unwrap_err().to_string().ends_with("because it is morning"));
    /// spark.clear_job_group();
    /// ```
    pub fn cancel_job_group(&self, group: &str, reason: Option<&str>) {
        self.cancel_group(group, false, reason);
    }

    /// Cancels every job of a group, and those that are submitted in it from here on. The reason is that of the jobs that
    /// run; later ones are told the group.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.set_job_group("nightly", "what may take all night", false);
    /// spark.cancel_job_group_and_future_jobs("nightly", None);
    /// assert!(spark.range(0, 10, 1, 2).count().unwrap_err().to_string().contains("nightly"));
    /// spark.clear_job_group();
    /// assert_eq!(spark.range(0, 10, 1, 2).count()?, 10);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn cancel_job_group_and_future_jobs(&self, group: &str, reason: Option<&str>) {
        self.cancel_group(group, true, reason);
    }

    fn cancel_group(&self, group: &str, cancel_future_jobs: bool, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        self.driver().event(Event::JobGroupCancelled { group: group.to_owned(), cancel_future_jobs, reason });
    }

    /// Cancels every job that has a tag.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the tag is empty or has a comma.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.add_job_tag("nightly")?;
    /// let endless = spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
    /// while endless.job_ids().is_empty() {
    ///     std::thread::yield_now();
    /// }
    /// spark.cancel_jobs_with_tag("nightly", Some("because it is morning"))?;
    /// assert!(endless.get().unwrap_err().to_string().ends_with("because it is morning"));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn cancel_jobs_with_tag(&self, tag: &str, reason: Option<&str>) -> Result<(), SparkError> {
        check_tag(tag)?;
        self.driver().event(Event::JobTagCancelled { tag: tag.to_owned(), reason: reason.map(str::to_owned) });
        Ok(())
    }

    /// Cancels every job.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let endless = spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
    /// while endless.job_ids().is_empty() {
    ///     std::thread::yield_now();
    /// }
    /// spark.cancel_all_jobs();
    /// assert!(endless.get().unwrap_err().to_string().contains("cancellation of all jobs"));
    /// ```
    pub fn cancel_all_jobs(&self) {
        self.driver().event(Event::AllJobsCancelled);
    }

    /// What jobs and stages do: see [`StatusTracker`].
    pub fn status_tracker(&self) -> StatusTracker {
        StatusTracker::new(self.listeners().status())
    }

    /// Calls `listener` with everything that happens from here on. It runs in a thread of its own, after the fact; one
    /// that is too slow loses events, and the log says how many (`spark.scheduler.listenerbus.eventqueue.capacity`).
    ///
    /// # Errors
    ///
    /// [`SparkError::Configuration`] if the context was stopped, or the system gives no thread.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::ListenerEvent;
    ///
    /// let (send, ended) = std::sync::mpsc::channel();
    /// spark.add_spark_listener(move |event| {
    ///     if let ListenerEvent::JobEnd { job_id, .. } = event {
    ///         let _ = send.send(*job_id);
    ///     }
    /// })?;
    /// let counting = spark.range(0, 10, 1, 2).count_async();
    /// let job_id = ended.recv().unwrap();
    /// assert_eq!(counting.job_ids(), [job_id]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
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
