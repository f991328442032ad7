//! Executors that the program itself asks for and ends: Spark's `requestTotalExecutors` and its kin (SC-41).

use firesteel_conf::keys;
use firesteel_model::ExecutorId;
use firesteel_scheduler::Event;
use tracing::warn;

use crate::{context::SparkContext, error::SparkError};

impl SparkContext {
    /// The ids of the executors that are there; in local mode none, as the driver is the executor.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(spark.executor_ids().is_empty());
    /// ```
    pub fn executor_ids(&self) -> Vec<ExecutorId> {
        self.status_tracker().executor_ids()
    }

    /// Asks the cluster manager for so many executors in all, from here on. Fewer than there are end nobody; see
    /// [`SparkContext::kill_executors`]. With dynamic allocation the number holds until that wants another one. False in local
    /// mode, where there are none.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(!spark.request_total_executors(4)?, "there are none in local mode");
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The context has stopped.
    pub fn request_total_executors(&self, total: u32) -> Result<bool, SparkError> {
        self.check_running("requestTotalExecutors")?;
        if !self.has_executors("Requesting executors") {
            return Ok(false);
        }
        *self.requested_executors().lock() = Some(total);
        self.driver().request_total_executors(total);
        Ok(true)
    }

    /// Asks for so many executors more than were asked for, or than there are if nobody has. False in local mode.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(!spark.request_executors(1)?);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The context has stopped.
    pub fn request_executors(&self, additional: u32) -> Result<bool, SparkError> {
        self.check_running("requestExecutors")?;
        let requested = *self.requested_executors().lock();
        let base = requested.unwrap_or_else(|| u32::try_from(self.executor_ids().len()).unwrap_or(u32::MAX));
        self.request_total_executors(base.saturating_add(additional))
    }

    /// Ends executors for good, whatever they run: their tasks run elsewhere, and nobody takes their place. Unknown ones are
    /// ignored. False in local mode.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(!spark.kill_executors(&[firesteel::ExecutorId::new("1")])?);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The context has stopped; or dynamic allocation is on, which would start others.
    pub fn kill_executors(&self, executor_ids: &[ExecutorId]) -> Result<bool, SparkError> {
        self.check_running("killExecutors")?;
        if !self.has_executors("Killing executors") {
            return Ok(false);
        }
        if self.conf().get(&keys::DYNAMIC_ALLOCATION_ENABLED)? {
            let words = "killExecutors() unsupported with Dynamic Allocation turned on".to_owned();
            return Err(SparkError::InvalidArgument(words));
        }
        let killed = u32::try_from(executor_ids.len()).unwrap_or(u32::MAX);
        if let Some(requested) = self.requested_executors().lock().as_mut() {
            *requested = requested.saturating_sub(killed);
        }
        self.driver().event(Event::ExecutorsUnwanted {
            executor_ids: executor_ids.to_vec(),
            reason: "the program has ended it (killExecutors)".to_owned(),
            busy_too: true,
        });
        Ok(true)
    }

    fn has_executors(&self, what: &str) -> bool {
        let has = !self.is_local_mode();
        if !has {
            warn!("{what} is not supported in local mode, whose executor is the driver");
        }
        has
    }
}
