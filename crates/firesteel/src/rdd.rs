//! The resilient distributed data set.
//!
//! Operations have Spark's names in Rust's spelling, in modules by noun. What they have in common:
//!
//! - **Transformations** give another data set and compute nothing. A few must know their input first and so run a job at
//!   once; those return a `Result` (`sort_by_key`, `zip_with_index`). **Actions** run a job and return a `Result`.
//! - **Partitions.** An operation that exchanges records chooses the partitioner of its result as Spark does: the upstream
//!   one with the most partitions if it has not far too few, else by hash over `spark.default.parallelism` partitions, or
//!   as many as the largest upstream data set has. Its variant whose name ends in **`_with`** takes one more, last
//!   argument that decides: a number of partitions or a reference to a [`Partitioner`](crate::Partitioner), as in
//!   `reduce_by_key_with(f, 8)`; where only a number makes sense (`sort_by_key_with`), a number.
//! - **Closures** run in other processes and so capture nothing. [`Rdd::with`] names the values that one needs; every
//!   operation that takes a closure is there again on [`With`], with those values as the closure's first argument.
//! - Names that end in **`_by`** take a function that gives the key (`sort_by`) or the order (`take_ordered_by`).

use std::{fmt, marker::PhantomData, panic::Location, sync::Arc};

use firesteel_model::{RddId, StorageLevel};

use crate::{
    context::SparkContext,
    data::{Data, Records},
    env::Env,
    lineage::{NewRdd, RddCore},
    node::Operator,
    with::With,
};

/// A collection of records in partitions, computed when an action needs it and computed again when a part is lost: Spark's
/// `RDD`. Cheap to clone; nothing runs before an action (RT-06).
///
/// ```
/// # let spark = firesteel::examples::context();
/// # use firesteel::StorageLevel;
/// let digits = spark.range(0, 10, 1, 4);
/// assert_eq!(digits.num_partitions(), 4);
/// assert_eq!(digits.set_name("digits").name().as_deref(), Some("digits"));
/// assert_eq!(digits.storage_level(), StorageLevel::NONE);
/// assert_ne!(digits.id(), digits.map(|n| n + 1).id());
/// assert_eq!(digits.context().app_name(), "example");
/// ```
pub struct Rdd<T> {
    context: SparkContext,
    core: Arc<RddCore>,
    records: PhantomData<fn() -> T>,
}

impl<T> Clone for Rdd<T> {
    fn clone(&self) -> Self {
        Self { context: self.context.clone(), core: Arc::clone(&self.core), records: PhantomData }
    }
}

impl<T> fmt::Debug for Rdd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rdd[{}] {}", self.core.id(), self.core.info.call_site_short)
    }
}

impl<T> Rdd<T> {
    pub(crate) fn core(&self) -> &Arc<RddCore> {
        &self.core
    }

    /// Another handle of what is known to hold such records.
    pub(crate) fn of_core(context: &SparkContext, core: Arc<RddCore>) -> Self {
        Self { context: context.clone(), core, records: PhantomData }
    }
}

impl<T: Data> Rdd<T> {
    /// Makes a data set without a parent.
    pub(crate) fn source<O: Operator<Item = T>>(
        context: &SparkContext,
        location: &Location<'_>,
        new: NewRdd,
        environment: impl FnOnce(RddId) -> O::Env,
    ) -> Self {
        let core = RddCore::new::<O>(context.registry(), location, new, environment);
        Self { context: context.clone(), core, records: PhantomData }
    }

    /// Makes a data set out of this one.
    pub(crate) fn derive<O: Operator>(
        &self,
        location: &Location<'_>,
        new: NewRdd,
        environment: O::Env,
    ) -> Rdd<O::Item> {
        Rdd::source::<O>(&self.context, location, new, |_| environment)
    }

    /// The context that it was made in.
    pub fn context(&self) -> &SparkContext {
        &self.context
    }

    /// Its number, unique in the application.
    pub fn id(&self) -> RddId {
        self.core.id()
    }

    /// How many partitions it has: Spark's `getNumPartitions`.
    pub fn num_partitions(&self) -> u32 {
        self.core.info.partitions
    }

    /// Names it for the UI.
    pub fn set_name(&self, name: &str) -> &Self {
        self.core.set_name(Some(name));
        self
    }

    /// Takes its name away.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let digits = spark.range(0, 10, 1, 4);
    /// assert_eq!(digits.set_name("digits").clear_name().name(), None);
    /// ```
    pub fn clear_name(&self) -> &Self {
        self.core.set_name(None);
        self
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<String> {
        self.core.name()
    }

    /// Its storage level; [`StorageLevel::NONE`] if it is not persisted.
    pub fn storage_level(&self) -> StorageLevel {
        self.core.storage_level()
    }

    /// Names values that closures need, as closures here capture nothing: they run in other processes.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([7, 42, 99], 2);
    /// let threshold = 40;
    /// let large = numbers.with(threshold).filter(|threshold, number| number > threshold);
    /// assert_eq!(large.collect()?, [42, 99]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    ///
    /// A closure that captures is refused when the program is built, with a message that says so:
    ///
    /// ```compile_fail,E0080
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([7, 42, 99], 2);
    /// let threshold = 40;
    /// let large = numbers.filter(move |number| *number > threshold);
    /// assert_eq!(large.collect()?, [42, 99]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn with<E: Env>(&self, env: E) -> With<T, E> {
        With { rdd: self.clone(), env }
    }

    /// A record for each record. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(1..=3, 2).map(|n| n * n).collect()?, [1, 4, 9]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map<U: Data, F>(&self, function: F) -> Rdd<U>
    where
        F: Fn(T) -> U + Copy + Send + Sync + 'static,
    {
        self.with(()).map(move |(), record| function(record))
    }

    /// The records for which `predicate` is true. Lazy; no shuffle; keeps the partitioner.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(1..=4, 2).filter(|n| n % 2 == 0).collect()?, [2, 4]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn filter<F>(&self, predicate: F) -> Self
    where
        F: Fn(&T) -> bool + Copy + Send + Sync + 'static,
    {
        self.with(()).filter(move |(), record| predicate(record))
    }

    /// Any number of records for each record. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([2, 0, 1], 2).flat_map(|n| 0..n).collect()?, [0, 1, 0]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn flat_map<I, F>(&self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(T) -> I + Copy + Send + Sync + 'static,
    {
        self.with(()).flat_map(move |(), record| function(record))
    }

    /// The records that `function` makes of all records of a partition, which it reads one by one. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let sums = spark.parallelize(1..=4, 2).map_partitions(|records| [records.sum::<i32>()]);
    /// assert_eq!(sums.collect()?, [3, 7]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<I, F>(&self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        self.with(()).map_partitions(move |(), records| function(records))
    }

    /// As [`Rdd::map_partitions`]; the closure also gets the partition's index.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let letters = spark.parallelize(['a', 'b'], 2);
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
        self.with(()).map_partitions_with_index(move |(), index, records| function(index, records))
    }

    /// As [`Rdd::map_partitions_with_index`], for a function that leaves every record in the partition of its key: what comes
    /// of it is partitioned as this is, so that what is partitioned alike needs no shuffle. Nobody checks that.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 'a'), (2, 'b')], 2).partition_by(3);
    /// let keys = pairs.map_partitions_preserving_partitioning(|_, records| records.map(|(key, _)| key));
    /// assert_eq!(keys.partitioner(), pairs.partitioner());
    /// assert_eq!(keys.union(&keys).num_partitions(), 3);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_preserving_partitioning<I, F>(&self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        self.with(()).map_partitions_preserving_partitioning(move |(), index, records| function(index, records))
    }
}
