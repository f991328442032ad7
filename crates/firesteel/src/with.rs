//! Closures with an environment.

use std::panic::Location;

use firesteel_closure::Closure;

use crate::{
    data::{Data, Records},
    env::Env,
    lineage::NewRdd,
    operator,
    partitioner::PartitionerId,
    rdd::Rdd,
};

/// An RDD and values that closures on it need; made by [`Rdd::with`]. Every operation that takes a closure is here again, with
/// the environment as the closure's first argument.
#[derive(Clone)]
pub struct With<T, E> {
    pub(crate) rdd: Rdd<T>,
    pub(crate) env: E,
}

impl<T: Data, E: Env> With<T, E> {
    /// As [`Rdd::map`].
    #[track_caller]
    pub fn map<U: Data, F>(self, function: F) -> Rdd<U>
    where
        F: Fn(&E, T) -> U + Copy + Send + Sync + 'static,
    {
        self.map_as("map", None, function)
    }

    /// As [`Rdd::filter`].
    #[track_caller]
    pub fn filter<F>(self, predicate: F) -> Rdd<T>
    where
        F: Fn(&E, &T) -> bool + Copy + Send + Sync + 'static,
    {
        Closure::of(predicate);
        let core = self.rdd.core();
        let new = NewRdd::one_to_one("filter", core).partitioned(core.partitioner.clone());
        self.rdd.derive::<operator::Filter<T, E, F>>(Location::caller(), new, self.env)
    }

    /// As [`Rdd::flat_map`].
    #[track_caller]
    pub fn flat_map<I, F>(self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, T) -> I + Copy + Send + Sync + 'static,
    {
        self.flat_map_as("flatMap", None, function)
    }

    /// As [`Rdd::map_partitions`].
    #[track_caller]
    pub fn map_partitions<I, F>(self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        let new = NewRdd::one_to_one("mapPartitions", self.rdd.core());
        self.map_partitions_as(new, move |env, _, records| function(env, records))
    }

    /// As [`Rdd::map_partitions_with_index`].
    #[track_caller]
    pub fn map_partitions_with_index<I, F>(self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        let new = NewRdd::one_to_one("mapPartitionsWithIndex", self.rdd.core());
        self.map_partitions_as(new, function)
    }

    /// As [`Rdd::map_partitions_preserving_partitioning`].
    #[track_caller]
    pub fn map_partitions_preserving_partitioning<I, F>(self, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        let core = self.rdd.core();
        let new = NewRdd::one_to_one("mapPartitionsWithIndex", core).partitioned(core.partitioner.clone());
        self.map_partitions_as(new, function)
    }

    /// As [`Rdd::map_partitions_with_index`], or as [`Rdd::map_partitions_preserving_partitioning`], into a data set that is shown
    /// as one of this class: for programs that run others, whose functions are not what runs here.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 4, 1, 2);
    /// let sums = numbers.with(1).map_partitions_shown_as("PythonRDD", false, |_, _, numbers| [numbers.sum::<i64>()]);
    /// assert_eq!(sums.collect()?, [1, 5]);
    /// assert!(sums.to_string().starts_with("PythonRDD["));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_shown_as<I, F>(
        self,
        kind: &'static str,
        preserves_partitioning: bool,
        function: F,
    ) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        let core = self.rdd.core();
        let partitioner = core.partitioner.clone().filter(|_| preserves_partitioning);
        let new = NewRdd::one_to_one("mapPartitionsWithIndex", core).kind(kind).partitioned(partitioner);
        self.map_partitions_as(new, function)
    }

    /// `map` under another name. `partitioner` says how the new records are partitioned, if they are.
    #[track_caller]
    pub(crate) fn map_as<U: Data, F>(
        self,
        scope: &'static str,
        partitioner: Option<PartitionerId>,
        function: F,
    ) -> Rdd<U>
    where
        F: Fn(&E, T) -> U + Copy + Send + Sync + 'static,
    {
        Closure::of(function);
        let new = NewRdd::one_to_one(scope, self.rdd.core()).partitioned(partitioner);
        self.rdd.derive::<operator::Map<T, U, E, F>>(Location::caller(), new, self.env)
    }

    /// `flat_map` under another name.
    #[track_caller]
    pub(crate) fn flat_map_as<I, F>(
        self,
        scope: &'static str,
        partitioner: Option<PartitionerId>,
        function: F,
    ) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, T) -> I + Copy + Send + Sync + 'static,
    {
        Closure::of(function);
        let new = NewRdd::one_to_one(scope, self.rdd.core()).partitioned(partitioner);
        self.rdd.derive::<operator::FlatMap<T, I, E, F>>(Location::caller(), new, self.env)
    }

    /// `map_partitions_with_index` in its general form.
    #[track_caller]
    pub(crate) fn map_partitions_as<I, F>(self, new: NewRdd, function: F) -> Rdd<I::Item>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
    {
        Closure::of(function);
        self.rdd.derive::<operator::MapPartitions<T, I, E, F>>(Location::caller(), new, self.env)
    }
}
