//! Data sets as sets and bags: union, intersection, difference, distinct records, cartesian product.

use std::{panic::Location, sync::Arc};

use firesteel_scheduler::NarrowMapping;

use crate::{
    call_site::Scope,
    context::SparkContext,
    data::{Data, Key},
    lineage::{NewRdd, Parent, RddCore},
    operator::{AlignedUnion, Cartesian, ParallelCollection, Union},
    partitioner::Partitioning,
    rdd::Rdd,
};

impl SparkContext {
    /// A data set without partitions and records.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(spark.empty_rdd::<String>().is_empty()?);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn empty_rdd<T: Data>(&self) -> Rdd<T> {
        let new = NewRdd::source("emptyRDD", 0).kind("EmptyRDD");
        Rdd::source::<ParallelCollection<T>>(self, Location::caller(), new, |rdd_id| rdd_id)
    }

    /// All records of several data sets, repeated ones included. Lazy; no shuffle. The partitions are those of the data sets,
    /// one after another; if all are partitioned by the same partitioner, the result is too.
    ///
    /// # Panics
    ///
    /// If there are 2^32 partitions or more.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let parts: Vec<_> = (0..3).map(|n| spark.parallelize([n, n], 1)).collect();
    /// assert_eq!(spark.union(&parts).collect()?, [0, 0, 1, 1, 2, 2]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn union<T: Data>(&self, rdds: &[Rdd<T>]) -> Rdd<T> {
        let with_records: Vec<&Arc<RddCore>> =
            rdds.iter().map(Rdd::core).filter(|core| core.info.partitions > 0).collect();
        let Some(first) = with_records.first() else { return self.empty_rdd() };
        let location = Location::caller();
        if first.partitioner.is_some() && with_records.iter().all(|core| core.partitioner == first.partitioner) {
            let parent = |core: &&Arc<RddCore>| Parent::Narrow(Arc::clone(core), NarrowMapping::OneToOne);
            let parents = with_records.iter().map(parent).collect();
            let new = NewRdd::derived("union", "PartitionerAwareUnionRDD", first.info.partitions, parents);
            let new = new.partitioned(first.partitioner.clone());
            return Rdd::source::<AlignedUnion<T>>(self, location, new, |_| ());
        }
        let (mut starts, mut parents, mut next) = (Vec::new(), Vec::new(), 0u32);
        for core in with_records {
            let length = core.info.partitions;
            starts.push(next);
            let mapping = NarrowMapping::Range { in_start: 0, out_start: next, length };
            parents.push(Parent::Narrow(Arc::clone(core), mapping));
            next = next.checked_add(length).expect("the partitions of a union must be fewer than 2^32");
        }
        Rdd::source::<Union<T>>(self, location, NewRdd::derived("union", "UnionRDD", next, parents), |_| starts)
    }
}

impl<T: Data> Rdd<T> {
    /// All records of both data sets, repeated ones included. Lazy; no shuffle. See [`SparkContext::union`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([1, 2], 1);
    /// assert_eq!(numbers.union(&numbers).collect()?, [1, 2, 1, 2]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn union(&self, other: &Self) -> Self {
        self.context().union(&[self.clone(), other.clone()])
    }

    /// Each record of this data set with each of the other. Lazy; no shuffle, but the other side is computed anew for each
    /// record of this one: persist it, and let it be the smaller. There are as many partitions as both numbers multiplied.
    ///
    /// # Panics
    ///
    /// If that product does not fit into 32 bits.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let (numbers, letters) = (spark.parallelize([1, 2], 2), spark.parallelize(['a', 'b'], 1));
    /// assert_eq!(numbers.cartesian(&letters).collect()?, [(1, 'a'), (1, 'b'), (2, 'a'), (2, 'b')]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn cartesian<U: Data>(&self, other: &Rdd<U>) -> Rdd<(T, U)> {
        let partitions = self.num_partitions().checked_mul(other.num_partitions());
        let partitions = partitions.expect("the partitions of a cartesian product must be fewer than 2^32");
        let divisor = other.num_partitions().max(1);
        let parents = vec![
            Parent::Narrow(Arc::clone(self.core()), NarrowMapping::Quotient { divisor }),
            Parent::Narrow(Arc::clone(other.core()), NarrowMapping::Remainder { divisor }),
        ];
        let new = NewRdd::derived("cartesian", "CartesianRDD", partitions, parents);
        self.derive::<Cartesian<T, U>>(Location::caller(), new, divisor)
    }
}

impl<T: Key> Rdd<T> {
    /// Each record once, in no particular order. Lazy; repeated records are dropped before they are shuffled. A data set that
    /// has a partitioner and as many partitions as the result needs no shuffle: equal records are together already.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([1, 2, 2, 3, 1], 3).distinct().count()?, 3);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn distinct(&self) -> Self {
        let _scope = Scope::enter("distinct");
        if self.core().partitioner.is_some() {
            return self.distinct_within_partitions();
        }
        self.distinct_with(self.num_partitions())
    }

    /// As [`Rdd::distinct`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let distinct = spark.parallelize([1, 2, 2, 3, 1], 3).distinct_with(2);
    /// assert_eq!((distinct.num_partitions(), distinct.count()?), (2, 3));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn distinct_with(&self, partitioning: impl Partitioning<T>) -> Self {
        let _scope = Scope::enter("distinct");
        self.map(|record| (record, ())).reduce_by_key_with(|(), ()| (), partitioning).keys()
    }

    /// Equal records are in one partition: whatever the partitioner looks at is equal in them.
    fn distinct_within_partitions(&self) -> Self {
        let paired = self.map(|record| (record, ()));
        let distinct = paired.with(()).combine_within_partitions(
            "distinct",
            None,
            (|_: &(), ()| (), |_: &(), (), ()| (), |_: &(), (), ()| ()),
        );
        distinct.with(()).map_as("distinct", self.core().partitioner.clone(), |(), (record, ())| record)
    }

    /// The records that both data sets have, each once. Lazy; shuffles both sides.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let (left, right) = (spark.parallelize([1, 2, 2], 2), spark.parallelize([2, 3], 2));
    /// assert_eq!(left.intersection(&right).collect()?, [2]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn intersection(&self, other: &Self) -> Self {
        let _scope = Scope::enter("intersection");
        let (left, right) = (self.map(|record| (record, ())), other.map(|record| (record, ())));
        in_both(&left.cogroup(&right))
    }

    /// As [`Rdd::intersection`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let (left, right) = (spark.parallelize([1, 2, 2], 2), spark.parallelize([2, 3], 2));
    /// assert_eq!(left.intersection_with(&right, 1).collect()?, [2]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn intersection_with(&self, other: &Self, partitioning: impl Partitioning<T>) -> Self {
        let _scope = Scope::enter("intersection");
        let (left, right) = (self.map(|record| (record, ())), other.map(|record| (record, ())));
        in_both(&left.cogroup_with(&right, partitioning))
    }

    /// The records that the other data set does not have, as often as they occur here. Lazy; shuffles both sides, over as
    /// many partitions as this data set has.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let (left, right) = (spark.parallelize([1, 1, 2], 2), spark.parallelize([2, 3], 2));
    /// assert_eq!(left.subtract(&right).collect()?, [1, 1]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn subtract(&self, other: &Self) -> Self {
        let _scope = Scope::enter("subtract");
        self.subtract_with(other, self.num_partitions())
    }

    /// As [`Rdd::subtract`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let (left, right) = (spark.parallelize([1, 1, 2], 2), spark.parallelize([2, 3], 2));
    /// assert_eq!(left.subtract_with(&right, 1).collect()?, [1, 1]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn subtract_with(&self, other: &Self, partitioning: impl Partitioning<T>) -> Self {
        let _scope = Scope::enter("subtract");
        let (left, right) = (self.map(|record| (record, ())), other.map(|record| (record, ())));
        left.subtract_by_key_with(&right, partitioning).keys()
    }
}

/// How often a record is on the left and on the right: vectors of nothing only count.
type Presence = (Vec<()>, Vec<()>);

fn in_both<T: Key>(groups: &Rdd<(T, Presence)>) -> Rdd<T> {
    groups.filter(|(_, (left, right))| !left.is_empty() && !right.is_empty()).keys()
}
