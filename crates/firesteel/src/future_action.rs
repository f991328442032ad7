//! Actions that are not waited for: Spark's `AsyncRDDActions`.
//!
//! As in Spark, they bring no checkpoint about (RT-57): a marked RDD is written down after the next action that is waited for.

use std::{
    any::type_name,
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    sync::Arc,
    thread,
};

use firesteel_driver::{JobRequest, JobRequestKind};
use firesteel_executor::user_code_thread;
use firesteel_model::{JobId, LocalProperties, Partition};
use firesteel_scheduler::Event;
use parking_lot::{Condvar, Mutex};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    actions::records_work,
    call_site::CallSite,
    context::SparkContext,
    data::{Data, Records, decode, encode},
    env::Env,
    error::SparkError,
    local_properties,
    rdd::Rdd,
    take::TakeProgress,
    with::With,
};

/// An action under way: Spark's `FutureAction`. Dropping it does not cancel the action.
///
/// ```
/// # let spark = firesteel::examples::context();
/// let endless = spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
/// assert!(!endless.is_completed() && endless.job_ids().len() <= 1);
/// endless.cancel();
/// assert!(endless.is_cancelled());
/// assert!(endless.get().unwrap_err().to_string().contains("cancelled"));
/// ```
pub struct FutureAction<R> {
    context: SparkContext,
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    state: Mutex<State<R>>,
    ended: Condvar,
}

struct State<R> {
    job_ids: Vec<JobId>,
    cancelled: bool,
    /// Has it ended? The result itself may have been taken.
    completed: bool,
    result: Option<thread::Result<Result<R, SparkError>>>,
}

impl<R: Send + 'static> FutureAction<R> {
    /// Runs `work` in a thread of its own.
    fn start(
        context: &SparkContext,
        call_site: CallSite,
        work: impl FnOnce(&Jobs<R>) -> Result<R, SparkError> + Send + 'static,
    ) -> Self {
        let state = State { job_ids: Vec::new(), cancelled: false, completed: false, result: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), ended: Condvar::new() });
        let jobs = Jobs {
            context: context.clone(),
            properties: Arc::new(local_properties::of_this_thread()),
            call_site,
            shared: Arc::clone(&shared),
        };
        let action = Self { context: context.clone(), shared };
        // The new thread would not know that it works for a task.
        if let Err(error) = SparkContext::check_on_driver(&jobs.call_site.short) {
            action.shared.complete(Ok(Err(error)));
            return action;
        }
        let thread = user_code_thread("async-action").spawn(move || {
            // Results are decoded here, by code of the user's: whoever waits must hear of its panic.
            let result = catch_unwind(AssertUnwindSafe(|| work(&jobs)));
            jobs.shared.complete(result);
        });
        if let Err(error) = thread {
            let error = SparkError::Io(format!("could not start a thread for an action: {error}"));
            action.shared.complete(Ok(Err(error)));
        }
        action
    }

    /// Waits for the action and gives its result.
    ///
    /// # Errors
    ///
    /// Those of the action; [`SparkError::JobFailed`] if it was cancelled; [`SparkError::ContextStopped`].
    ///
    /// # Panics
    ///
    /// If the action has: as an action that is waited for, when the `Deserialize` of a record panics.
    pub fn get(self) -> Result<R, SparkError> {
        let mut state = self.shared.state.lock();
        while state.result.is_none() {
            self.shared.ended.wait(&mut state);
        }
        let result = state.result.take().expect("it was there a moment ago, and the lock was held");
        drop(state);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Cancels the action's job, and starts no further one. An action that has ended is not affected.
    pub fn cancel(&self) {
        let mut state = self.shared.state.lock();
        state.cancelled = true;
        if state.completed {
            return;
        }
        if let Some(&job_id) = state.job_ids.last() {
            self.context.driver().event(cancelled(job_id));
        }
    }

    /// Was [`FutureAction::cancel`] called?
    pub fn is_cancelled(&self) -> bool {
        self.shared.state.lock().cancelled
    }

    /// Has it ended, well or not?
    pub fn is_completed(&self) -> bool {
        self.shared.state.lock().completed
    }

    /// The jobs that it has started so far.
    pub fn job_ids(&self) -> Vec<JobId> {
        self.shared.state.lock().job_ids.clone()
    }
}

impl<R> Shared<R> {
    fn complete(&self, result: thread::Result<Result<R, SparkError>>) {
        let mut state = self.state.lock();
        state.completed = true;
        state.result = Some(result);
        self.ended.notify_all();
    }
}

fn cancelled(job_id: JobId) -> Event {
    Event::JobCancelled { job_id, reason: Some("by FutureAction::cancel".to_owned()) }
}

/// What runs the jobs of one action.
struct Jobs<R> {
    context: SparkContext,
    /// Those of the thread that started the action.
    properties: LocalProperties,
    call_site: CallSite,
    shared: Arc<Shared<R>>,
}

impl<R> Jobs<R> {
    /// Runs `function` on these partitions and gives the outputs in their order.
    fn run<T, E, O, F>(
        &self,
        with: &With<T, E>,
        partitions: impl IntoIterator<Item = u32>,
        function: F,
    ) -> Result<Vec<O>, SparkError>
    where
        T: Data,
        E: Env,
        O: Serialize + DeserializeOwned + 'static,
        F: Fn(&E, Records<T>) -> O + Copy + Send + Sync + 'static,
    {
        self.context.check_running(&self.call_site.short)?;
        with.rdd.core().check_one_context()?;
        let work = records_work(with, function)?;
        let work = encode(&work).map_err(|error| SparkError::NotSerializable {
            what: self.call_site.short.clone(),
            message: error.to_string(),
        })?;
        let partitions: Vec<Partition> = partitions.into_iter().map(Partition).collect();
        let mut outputs: Vec<Option<Result<O, String>>> = partitions.iter().map(|_| None).collect();
        let _under_way = self.context.registry().job_under_way();
        let rdd = self.context.lineage_of_job(with.rdd.core())?;
        let job = {
            // Under the lock, so that whoever cancels sees the job or is seen by it.
            let mut state = self.shared.state.lock();
            let job = self.context.driver().submit_job(JobRequest {
                kind: JobRequestKind::Result { rdd, partitions, work: work.into() },
                properties: Arc::clone(&self.properties),
                call_site_short: self.call_site.short.clone(),
                call_site_long: self.call_site.long.clone(),
            });
            let job_id = job.job_id();
            state.job_ids.push(job_id);
            if state.cancelled {
                self.context.driver().event(cancelled(job_id));
            }
            job
        };
        let decoded = |index: u32, bytes: bytes::Bytes| {
            outputs[index as usize] = Some(decode::<O>(&bytes).map_err(|error| error.to_string()));
        };
        job.wait(decoded).map_err(SparkError::from_job)?;
        let outputs = outputs.into_iter().map(|output| output.expect("a job that succeeded has every output"));
        outputs
            .map(|output| output.map_err(|message| SparkError::ResultDecoding { expected: type_name::<O>(), message }))
            .collect()
    }
}

impl<T: Data, E: Env> With<T, E> {
    /// As [`Rdd::foreach_async`].
    #[track_caller]
    pub fn foreach_async<F>(self, function: F) -> FutureAction<()>
    where
        F: Fn(&E, T) + Copy + Send + Sync + 'static,
    {
        let call_site = CallSite::at("foreachAsync", Location::caller());
        let context = self.rdd.context().clone();
        FutureAction::start(&context, call_site, move |jobs| {
            let each = move |env: &E, records: Records<T>| records.for_each(|record| function(env, record));
            jobs.run(&self, 0..self.rdd.num_partitions(), each).map(drop)
        })
    }

    /// As [`Rdd::foreach_partition_async`].
    #[track_caller]
    pub fn foreach_partition_async<F>(self, function: F) -> FutureAction<()>
    where
        F: Fn(&E, Records<T>) + Copy + Send + Sync + 'static,
    {
        let call_site = CallSite::at("foreachPartitionAsync", Location::caller());
        let context = self.rdd.context().clone();
        FutureAction::start(&context, call_site, move |jobs| {
            jobs.run(&self, 0..self.rdd.num_partitions(), function).map(drop)
        })
    }
}

impl<T: Data> Rdd<T> {
    /// As [`Rdd::count`], in the background.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let counting = spark.range(0, 1000, 1, 4).count_async();
    /// assert_eq!(counting.get()?, 1000);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_async(&self) -> FutureAction<u64> {
        let call_site = CallSite::at("countAsync", Location::caller());
        let with = self.with(());
        FutureAction::start(self.context(), call_site, move |jobs| {
            let counts = jobs.run(&with, 0..with.rdd.num_partitions(), |(), records| records.count() as u64)?;
            Ok(counts.into_iter().sum())
        })
    }

    /// As [`Rdd::collect`], in the background.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let collecting = spark.range(0, 3, 1, 2).collect_async();
    /// assert_eq!(collecting.get()?, [0, 1, 2]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn collect_async(&self) -> FutureAction<Vec<T>> {
        let call_site = CallSite::at("collectAsync", Location::caller());
        let with = self.with(());
        FutureAction::start(self.context(), call_site, move |jobs| {
            let all = 0..with.rdd.num_partitions();
            let parts = jobs.run(&with, all, |(), records| records.collect::<Vec<T>>())?;
            Ok(parts.into_iter().flatten().collect())
        })
    }

    /// As [`Rdd::take`], in the background.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let taking = spark.range(0, 1000, 1, 10).take_async(3)?;
    /// assert_eq!(taking.get()?, [0, 1, 2]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SparkError::Configuration`] if a key that it needs has a value that cannot be used.
    #[track_caller]
    pub fn take_async(&self, count: usize) -> Result<FutureAction<Vec<T>>, SparkError> {
        let call_site = CallSite::at("takeAsync", Location::caller());
        let rdd = self.clone();
        let mut progress = TakeProgress::new(self, count)?;
        Ok(FutureAction::start(self.context(), call_site, move |jobs| {
            while let Some((partitions, left)) = progress.next_partitions() {
                let parts = jobs.run(&rdd.with(left as u64), partitions, |left, records| {
                    records.take(*left as usize).collect::<Vec<T>>()
                })?;
                progress.add(parts);
            }
            Ok(progress.into_taken())
        }))
    }

    /// As [`Rdd::foreach`], in the background.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let sum = spark.long_accumulator("sum");
    /// let doing = spark.range(0, 10, 1, 2).with(sum.clone()).foreach_async(|sum, n| sum.add(n));
    /// doing.get()?;
    /// assert_eq!(sum.value(), 45);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn foreach_async<F>(&self, function: F) -> FutureAction<()>
    where
        F: Fn(T) + Copy + Send + Sync + 'static,
    {
        self.with(()).foreach_async(move |(), record| function(record))
    }

    /// As [`Rdd::foreach_partition`], in the background.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let sizes = spark.collection_accumulator("sizes of partitions");
    /// let numbers = spark.range(0, 10, 1, 2);
    /// let doing = numbers.with(sizes.clone()).foreach_partition_async(|sizes, records| sizes.add(records.count()));
    /// doing.get()?;
    /// assert_eq!(sizes.value(), [5, 5]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition_async<F>(&self, function: F) -> FutureAction<()>
    where
        F: Fn(Records<T>) + Copy + Send + Sync + 'static,
    {
        self.with(()).foreach_partition_async(move |(), records| function(records))
    }
}
