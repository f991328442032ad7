//! Stages whose tasks start together and can wait for one another (RT-48).

use std::sync::Arc;

use firesteel_executor::{AskError, TaskContext, TaskFailure};

use crate::{
    call_site::Scope,
    data::{Data, Records},
    env::Env,
    lineage::NewRdd,
    rdd::Rdd,
};

/// An RDD whose next step runs in a barrier stage: all its tasks at once or none of them; if one fails, all run again. Made
/// by [`Rdd::barrier`].
#[derive(Clone)]
pub struct RddBarrier<T> {
    rdd: Rdd<T>,
}

impl<T: Data> Rdd<T> {
    /// Marks the stage that computes this data set as a barrier stage. There must be a slot for every partition at once.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::BarrierTaskContext;
    /// let numbers = spark.parallelize([1, 2], 2);
    /// let sums = numbers.barrier().map_partitions(|records| {
    ///     let own: i32 = records.sum();
    ///     let all = BarrierTaskContext::get().all_gather(&own.to_string());
    ///     [all.join("+")]
    /// });
    /// assert_eq!(sums.collect()?, ["1+2", "1+2"]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn barrier(&self) -> RddBarrier<T> {
        RddBarrier { rdd: self.clone() }
    }

    /// Is it computed in a barrier stage, because [`Rdd::barrier`] was called on it or on what it is computed from without a
    /// shuffle?
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([1, 2], 2);
    /// let gathered = numbers.barrier().map_partitions(|records| records);
    /// assert!(!numbers.is_barrier() && gathered.is_barrier());
    /// assert!(gathered.map(|n| n + 1).is_barrier() && !gathered.repartition(2).is_barrier());
    /// ```
    pub fn is_barrier(&self) -> bool {
        self.core().info.barrier
    }
}

impl<T: Data> RddBarrier<T> {
    /// The records that `function` makes of all records of a partition. In it, [`BarrierTaskContext::get`] leads to the
    /// other tasks. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(1..=4, 2);
    /// assert_eq!(numbers.barrier().map_partitions(|records| [records.sum::<i32>()]).collect()?, [3, 7]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<I, F>(&self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        self.map_partitions_env((), move |(), _, records| function(records))
    }

    /// As [`RddBarrier::map_partitions`]; the closure also gets the partition's index.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let letters = spark.parallelize(['a', 'b'], 2).barrier();
    /// let numbered = letters.map_partitions_with_index(|index, records| records.map(move |letter| (index, letter)));
    /// assert_eq!(numbered.collect()?, [(0, 'a'), (1, 'b')]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_with_index<I, F>(&self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        self.map_partitions_env((), move |(), index, records| function(index, records))
    }

    /// As [`RddBarrier::map_partitions_with_index`] with values that the closure needs; see [`Rdd::with`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(1..=4, 2).barrier();
    /// let scaled = numbers.map_partitions_env(10, |factor, _, records| [records.sum::<i32>() * factor]);
    /// assert_eq!(scaled.collect()?, [30, 70]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_env<E: Env, I, F>(&self, env: E, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("mapPartitions");
        let mut new = NewRdd::one_to_one("mapPartitions", self.rdd.core());
        new.barrier = true;
        self.rdd.with(env).map_partitions_as(new, function)
    }

    /// As [`RddBarrier::map_partitions_env`] where the closure keeps each record's key, so that the result is partitioned as this
    /// data set is.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 'a'), (2, 'b')], 2).partition_by(2);
    /// let kept = pairs.barrier().map_partitions_preserving_partitioning((), |(), _, records| records);
    /// assert_eq!(kept.partitioner(), pairs.partitioner());
    /// assert_eq!(kept.count()?, 2);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_preserving_partitioning<E: Env, I, F>(&self, env: E, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("mapPartitions");
        let core = self.rdd.core();
        let mut new = NewRdd::one_to_one("mapPartitions", core).partitioned(core.partitioner.clone());
        new.barrier = true;
        self.rdd.with(env).map_partitions_as(new, function)
    }

    /// As [`With::map_partitions_shown_as`](crate::With::map_partitions_shown_as), in a barrier stage.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(1..=4, 2).barrier();
    /// let sums = numbers.map_partitions_shown_as("PythonRDD", false, (), |(), _, records| [records.sum::<i32>()]);
    /// assert!(sums.is_barrier() && sums.to_string().starts_with("PythonRDD["));
    /// assert_eq!(sums.collect()?, [3, 7]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_shown_as<E: Env, I, F>(
        &self,
        kind: &'static str,
        preserves_partitioning: bool,
        env: E,
        function: F,
    ) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("mapPartitions");
        let core = self.rdd.core();
        let partitioner = core.partitioner.clone().filter(|_| preserves_partitioning);
        let mut new = NewRdd::one_to_one("mapPartitions", core).kind(kind).partitioned(partitioner);
        new.barrier = true;
        self.rdd.with(env).map_partitions_as(new, function)
    }
}

/// A task of a barrier stage, as its own code sees it.
///
/// ```
/// # let spark = firesteel::examples::context();
/// use firesteel::BarrierTaskContext;
///
/// let gathered = spark.parallelize(0..4, 2).barrier().map_partitions_with_index(|index, records| {
///     let context = BarrierTaskContext::get();
///     assert_eq!((context.partition_id(), context.stage_attempt_number()), (index, 0));
///     context.barrier();
///     let sums = context.all_gather(&records.sum::<i32>().to_string());
///     assert_eq!(sums.len(), context.task_infos().len());
///     sums
/// });
/// assert_eq!(gathered.collect()?, ["1", "5", "1", "5"]);
/// # Ok::<(), firesteel::SparkError>(())
/// ```
#[derive(Clone)]
pub struct BarrierTaskContext {
    context: Arc<TaskContext>,
}

/// Where a task of the stage runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BarrierTaskInfo {
    /// Its host.
    pub address: String,
}

/// The tasks did not all come to the barrier.
#[derive(Debug, thiserror::Error)]
#[error("the barrier was not passed")]
struct BarrierNotPassed(#[source] AskError);

impl BarrierTaskContext {
    /// The task that runs on this thread.
    ///
    /// # Panics
    ///
    /// Outside a task of a barrier stage.
    pub fn get() -> Self {
        let context = TaskContext::get().filter(|context| context.barrier().is_some());
        Self {
            context: context.expect("BarrierTaskContext::get is for tasks of a barrier stage: Rdd::barrier makes one"),
        }
    }

    /// Waits until every task of the stage has come here. All of them must call it equally often, and nothing else between
    /// two waits: otherwise the task fails, at the latest after `spark.barrier.sync.timeout`.
    pub fn barrier(&self) {
        self.sync(None);
    }

    /// Waits as [`BarrierTaskContext::barrier`] and gives what each task has brought, in the order of the partitions.
    pub fn all_gather(&self, message: &str) -> Vec<String> {
        self.sync(Some(message.to_owned()))
    }

    /// Every task of the stage, in the order of the partitions.
    pub fn task_infos(&self) -> Vec<BarrierTaskInfo> {
        let tasks = self.context.barrier().map(|tasks| &*tasks.addresses).unwrap_or_default();
        tasks.iter().map(|address| BarrierTaskInfo { address: address.clone() }).collect()
    }

    /// The partition.
    pub fn partition_id(&self) -> u32 {
        self.context.partition().0
    }

    /// How often the stage was tried before.
    pub fn stage_attempt_number(&self) -> u32 {
        self.context.stage().attempt.0
    }

    fn sync(&self, message: Option<String>) -> Vec<String> {
        match self.context.environment().barrier_sync(message, &self.context) {
            Ok(messages) => messages,
            Err(AskError::Killed) => {
                self.context.end_if_killed();
                unreachable!("only a task that was killed is told so")
            }
            // The tasks of another attempt would say as much to one another.
            Err(error @ AskError::CannotBeSent(_)) => TaskFailure::from_final_error(&BarrierNotPassed(error)).throw(),
            Err(error) => TaskFailure::from_error(&BarrierNotPassed(error)).throw(),
        }
    }
}
