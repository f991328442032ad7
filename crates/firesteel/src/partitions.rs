//! Operations on whole partitions: their number, their order, their records side by side and numbered.

use std::{panic::Location, sync::Arc};

use firesteel_closure::Closure;
use firesteel_executor::TaskFailure;
use firesteel_scheduler::NarrowMapping;

use crate::{
    call_site::Scope,
    data::{Data, Records},
    env::Env,
    error::SparkError,
    lineage::{NewRdd, Parent, RddCore},
    operator::{Coalesce, ZipPartitions, Zipped, source::slice_bounds},
    rdd::Rdd,
    shuffle::{read::ShuffleRead, write},
    with::With,
};

/// What `zip` found when one side had ended.
#[derive(Debug, thiserror::Error)]
#[error("Can only zip RDDs with same number of elements in each partition")]
struct UnequalPartitions;

impl<T: Data, E: Env> With<T, E> {
    /// As [`Rdd::zip_partitions`].
    #[track_caller]
    pub fn zip_partitions<U: Data, I, F>(self, other: &Rdd<U>, function: F) -> Result<Rdd<I::Item>, SparkError>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, Records<T>, Records<U>) -> I + Copy + Send + Sync + 'static,
    {
        let zip = move |env: &E, (left, right): (Records<T>, Records<U>)| function(env, left, right);
        self.zipped::<(T, U), _, _>("ZippedPartitionsRDD2", &[other.core()], zip)
    }

    /// As [`Rdd::zip_partitions3`].
    #[track_caller]
    pub fn zip_partitions3<U: Data, V: Data, I, F>(
        self,
        second: &Rdd<U>,
        third: &Rdd<V>,
        function: F,
    ) -> Result<Rdd<I::Item>, SparkError>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, Records<T>, Records<U>, Records<V>) -> I + Copy + Send + Sync + 'static,
    {
        let zip = move |env: &E, (a, b, c): (Records<T>, Records<U>, Records<V>)| function(env, a, b, c);
        self.zipped::<(T, U, V), _, _>("ZippedPartitionsRDD3", &[second.core(), third.core()], zip)
    }

    /// As [`Rdd::zip_partitions4`].
    #[track_caller]
    pub fn zip_partitions4<U: Data, V: Data, W: Data, I, F>(
        self,
        second: &Rdd<U>,
        third: &Rdd<V>,
        fourth: &Rdd<W>,
        function: F,
    ) -> Result<Rdd<I::Item>, SparkError>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, Records<T>, Records<U>, Records<V>, Records<W>) -> I + Copy + Send + Sync + 'static,
    {
        let zip =
            move |env: &E, (a, b, c, d): (Records<T>, Records<U>, Records<V>, Records<W>)| function(env, a, b, c, d);
        let others = [second.core(), third.core(), fourth.core()];
        self.zipped::<(T, U, V, W), _, _>("ZippedPartitionsRDD4", &others, zip)
    }

    /// What `function` makes of this data set's partitions and those of the others.
    #[track_caller]
    fn zipped<Z: Zipped, I, F>(
        self,
        kind: &'static str,
        others: &[&Arc<RddCore>],
        function: F,
    ) -> Result<Rdd<I::Item>, SparkError>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, Z::Records) -> I + Copy + Send + Sync + 'static,
    {
        Closure::of(function);
        let partitions = self.rdd.num_partitions();
        let sides = || std::iter::once(self.rdd.core()).chain(others.iter().copied());
        if sides().any(|side| side.info.partitions != partitions) {
            let numbers: Vec<String> = sides().map(|side| side.info.partitions.to_string()).collect();
            return Err(SparkError::InvalidArgument(format!(
                "Can't zip RDDs with unequal numbers of partitions: {}",
                numbers.join(" and ")
            )));
        }
        let parents = sides().map(|side| Parent::Narrow(Arc::clone(side), NarrowMapping::OneToOne)).collect();
        let new = NewRdd::derived("zipPartitions", kind, partitions, parents).order_sensitive();
        Ok(self.rdd.derive::<ZipPartitions<Z, I, E, F>>(Location::caller(), new, self.env))
    }
}

impl<T: Data> Rdd<T> {
    /// Each partition as one record: the vector of its records, which must fit into memory. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(1..=5, 2).glom().collect()?, [vec![1, 2], vec![3, 4, 5]]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn glom(&self) -> Rdd<Vec<T>> {
        let _scope = Scope::enter("glom");
        self.map_partitions(|records| [records.collect::<Vec<T>>()])
    }

    /// What `function` makes of each partition and the partition of the same number of the other data set. Lazy; no shuffle.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the numbers of partitions differ.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let (left, right) = (spark.parallelize(1..=4, 2), spark.parallelize(1..=6, 2));
    /// let sums = left.zip_partitions(&right, |left, right| [left.sum::<i32>() * right.sum::<i32>()])?;
    /// assert_eq!(sums.collect()?, [3 * 6, 7 * 15]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions<U: Data, I, F>(&self, other: &Rdd<U>, function: F) -> Result<Rdd<I::Item>, SparkError>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(Records<T>, Records<U>) -> I + Copy + Send + Sync + 'static,
    {
        self.with(()).zip_partitions(other, move |(), left, right| function(left, right))
    }

    /// As [`Rdd::zip_partitions`], of three data sets.
    ///
    /// # Errors
    ///
    /// As [`Rdd::zip_partitions`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(1..=4, 2);
    /// let letters = spark.parallelize(['a', 'b'], 2);
    /// let all = numbers.zip_partitions3(&letters, &numbers, |numbers, letters, others| {
    ///     [(numbers.sum::<i32>(), letters.collect::<String>(), others.count())]
    /// })?;
    /// assert_eq!(all.collect()?, [(3, "a".to_owned(), 2), (7, "b".to_owned(), 2)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions3<U: Data, V: Data, I, F>(
        &self,
        second: &Rdd<U>,
        third: &Rdd<V>,
        function: F,
    ) -> Result<Rdd<I::Item>, SparkError>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(Records<T>, Records<U>, Records<V>) -> I + Copy + Send + Sync + 'static,
    {
        self.with(()).zip_partitions3(second, third, move |(), a, b, c| function(a, b, c))
    }

    /// As [`Rdd::zip_partitions`], of four data sets.
    ///
    /// # Errors
    ///
    /// As [`Rdd::zip_partitions`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(1..=4, 2);
    /// let sums = numbers.zip_partitions4(&numbers, &numbers, &numbers, |a, b, c, d| {
    ///     [a.chain(b).chain(c).chain(d).sum::<i32>()]
    /// })?;
    /// assert_eq!(sums.collect()?, [4 * 3, 4 * 7]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn zip_partitions4<U: Data, V: Data, W: Data, I, F>(
        &self,
        second: &Rdd<U>,
        third: &Rdd<V>,
        fourth: &Rdd<W>,
        function: F,
    ) -> Result<Rdd<I::Item>, SparkError>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(Records<T>, Records<U>, Records<V>, Records<W>) -> I + Copy + Send + Sync + 'static,
    {
        self.with(()).zip_partitions4(second, third, fourth, move |(), a, b, c, d| function(a, b, c, d))
    }

    /// Each record with the record at the same place of the other data set. Lazy; no shuffle.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the numbers of partitions differ. If two partitions differ in the number of their
    /// records, the first action fails.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(1..=3, 2);
    /// assert_eq!(numbers.zip(&numbers.map(|n| n * n))?.collect()?, [(1, 1), (2, 4), (3, 9)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn zip<U: Data>(&self, other: &Rdd<U>) -> Result<Rdd<(T, U)>, SparkError> {
        let _scope = Scope::enter("zip");
        self.zip_partitions(other, |mut left, mut right| {
            std::iter::from_fn(move || match (left.next(), right.next()) {
                (Some(left), Some(right)) => Some((left, right)),
                (None, None) => None,
                _ => TaskFailure::from_final_error(&UnequalPartitions).throw(),
            })
        })
    }

    /// Each record with its number, from 0, in the order of the partitions. No shuffle, but with more than one partition a
    /// job counts the records of all partitions but the last, now.
    ///
    /// # Errors
    ///
    /// Those of that job.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let letters = spark.parallelize(['a', 'b', 'c'], 2);
    /// assert_eq!(letters.zip_with_index()?.collect()?, [('a', 0), ('b', 1), ('c', 2)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn zip_with_index(&self) -> Result<Rdd<(T, u64)>, SparkError> {
        let _scope = Scope::enter("zipWithIndex");
        let counted = 0..self.num_partitions().saturating_sub(1);
        let mut starts = vec![0];
        if !counted.is_empty() {
            let counts = self.with(()).run_on_partitions(counted, |(), records| records.count() as u64)?;
            for count in counts {
                starts.push(starts.last().copied().unwrap_or(0) + count);
            }
        }
        let new = NewRdd::one_to_one("zipWithIndex", self.core()).kind("ZippedWithIndexRDD").order_sensitive();
        Ok(self.with(starts).map_partitions_as(new, |starts, index, records| records.zip(starts[index as usize]..)))
    }

    /// Each record with a number that no other record has: of the partition `p` of `n`, the numbers `p`, `p + n`,
    /// `p + 2 n`, …. Lazy; no job, no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let letters = spark.parallelize(['a', 'b', 'c', 'd'], 2);
    /// assert_eq!(letters.zip_with_unique_id().collect()?, [('a', 0), ('b', 2), ('c', 1), ('d', 3)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn zip_with_unique_id(&self) -> Rdd<(T, u64)> {
        let new = NewRdd::one_to_one("zipWithUniqueId", self.core()).order_sensitive();
        self.with(self.num_partitions()).map_partitions_as(new, |partitions, index, records| {
            records.zip((u64::from(index)..).step_by(*partitions as usize))
        })
    }

    /// The same records in at most so many partitions: each is several neighbouring ones of this data set. Lazy; no shuffle,
    /// so that as few tasks compute everything before it, too; where that is too few, [`Rdd::repartition`] (Spark's
    /// `coalesce` with a shuffle) keeps the parallelism.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(0..100, 10).filter(|n| n % 10 == 0);
    /// assert_eq!(numbers.coalesce(2).num_partitions(), 2);
    /// assert_eq!(numbers.coalesce(2).count()?, 10);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `partitions` is 0.
    #[track_caller]
    pub fn coalesce(&self, partitions: u32) -> Self {
        assert!(partitions > 0, "the number of partitions to coalesce to must be positive");
        let parents = self.num_partitions();
        let partitions = partitions.min(parents);
        let group = |index| {
            let (from, until) = slice_bounds(u64::from(parents), partitions, index);
            (from as u32..until as u32).collect::<Vec<u32>>()
        };
        self.partition_groups("coalesce", "CoalescedRDD", (0..partitions).map(group).collect())
    }

    /// Each new partition is these of this data set, one after another.
    #[track_caller]
    pub(crate) fn partition_groups(&self, scope: &'static str, kind: &'static str, groups: Vec<Vec<u32>>) -> Self {
        let parent = Parent::Narrow(Arc::clone(self.core()), NarrowMapping::Many(groups.clone().into()));
        let new = NewRdd::derived(scope, kind, groups.len() as u32, vec![parent]);
        self.derive::<Coalesce<T>>(Location::caller(), new, groups)
    }

    /// The same records in exactly so many partitions of nearly equal size: each partition's records are dealt out in turn.
    /// Lazy; shuffles every record. To have fewer partitions without a shuffle, see [`Rdd::coalesce`].
    ///
    /// Which partition a record goes to depends on the order in which its partition is computed: if that order may change,
    /// as behind another shuffle, the loss of a part makes a running job compute everything behind it again, or fail if it has
    /// delivered results (RT-36). What stands in a cache or was delivered by earlier jobs, as the elements that an iterator of
    /// [`Rdd::to_local_iterator`] has given, is as it was: it and what is dealt out anew may have records twice and lack others.
    /// Sort before, or [`Rdd::checkpoint`] the result, where an executor may be lost in between.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(0..100, 1).repartition(4);
    /// assert_eq!(numbers.glom().map(|records| records.len()).collect()?, [25, 25, 25, 25]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `partitions` is 0.
    #[track_caller]
    pub fn repartition(&self, partitions: u32) -> Self {
        assert!(partitions > 0, "the number of partitions to repartition to must be positive");
        let _scope = Scope::enter("repartition");
        // A data set of its own, as determinism is a property of data sets, and it is here that the order begins to matter.
        let dealt = NewRdd::one_to_one("repartition", self.core()).order_sensitive();
        let dealt = self.with(()).map_partitions_as(dealt, |(), _, records| records);
        let shuffle = write::round_robin::<T>(dealt.core(), partitions);
        let shuffle_id = shuffle.id();
        let new = NewRdd::shuffled("repartition", shuffle, None);
        self.derive::<ShuffleRead<T>>(Location::caller(), new, shuffle_id)
    }
}
