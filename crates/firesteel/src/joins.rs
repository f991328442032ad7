//! Joins and cogroups of data sets of pairs.
//!
//! A side that is partitioned already as the result is to be is read as it is, partition by partition; any other is exchanged.
//! Sides stream and spill: no partition needs to fit into memory, only what a single key's rows come to in a cogroup.

#![expect(clippy::type_complexity, reason = "the rows that an operation gives are best read in its signature")]

use std::{panic::Location, sync::Arc};

use crate::{
    call_site::Scope,
    data::{Data, Key},
    lineage::{NewRdd, RddCore},
    operator::{
        CoGroup2, CoGroup3, CoGroup4, FullOuter, Inner, Join, JoinKind, LeftOuter, RightOuter, Subtract, side::side_of,
    },
    partitioner::{Chosen, DefaultPartitioner, Partitioner, Partitioning, default_partitioner},
    rdd::Rdd,
};

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Each pair of records with equal keys. Lazy; shuffles both sides, except one that is partitioned already as the result
    /// is: see [`Rdd::partition_by`]. Rows come in no particular order.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let mut rows = ages.join(&names).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, (30, 'a')), (1, (30, 'b'))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn join<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (V, W))> {
        self.join_chosen::<W, Inner, _>("join", other, &self.default_with(&[other.core()]))
    }

    /// As [`Rdd::join`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let joined = ages.join_with(&names, 5);
    /// assert_eq!((joined.num_partitions(), joined.count()?), (5, 2));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn join_with<W: Data>(&self, other: &Rdd<(K, W)>, partitioning: impl Partitioning<K>) -> Rdd<(K, (V, W))> {
        self.join_chosen::<W, Inner, _>("join", other, &Chosen::given::<K>(partitioning))
    }

    /// As [`Rdd::join`], and each record of this data set whose key the other does not have.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let mut rows = ages.left_outer_join(&names).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, (30, Some('a'))), (1, (30, Some('b'))), (2, (40, None))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn left_outer_join<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (V, Option<W>))> {
        self.join_chosen::<W, LeftOuter, _>("leftOuterJoin", other, &self.default_with(&[other.core()]))
    }

    /// As [`Rdd::left_outer_join`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let joined = ages.left_outer_join_with(&names, 5);
    /// assert_eq!((joined.num_partitions(), joined.lookup(&2)?), (5, vec![(40, None)]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn left_outer_join_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, (V, Option<W>))> {
        self.join_chosen::<W, LeftOuter, _>("leftOuterJoin", other, &Chosen::given::<K>(partitioning))
    }

    /// As [`Rdd::join`], and each record of the other data set whose key this one does not have.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let mut rows = ages.right_outer_join(&names).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, (Some(30), 'a')), (1, (Some(30), 'b')), (3, (None, 'c'))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn right_outer_join<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Option<V>, W))> {
        self.join_chosen::<W, RightOuter, _>("rightOuterJoin", other, &self.default_with(&[other.core()]))
    }

    /// As [`Rdd::right_outer_join`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let joined = ages.right_outer_join_with(&names, 5);
    /// assert_eq!((joined.num_partitions(), joined.lookup(&3)?), (5, vec![(None, 'c')]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn right_outer_join_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, (Option<V>, W))> {
        self.join_chosen::<W, RightOuter, _>("rightOuterJoin", other, &Chosen::given::<K>(partitioning))
    }

    /// As [`Rdd::join`], and each record of either data set whose key the other does not have.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let mut rows = ages.full_outer_join(&names).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [
    ///     (1, (Some(30), Some('a'))),
    ///     (1, (Some(30), Some('b'))),
    ///     (2, (Some(40), None)),
    ///     (3, (None, Some('c'))),
    /// ]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn full_outer_join<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Option<V>, Option<W>))> {
        self.join_chosen::<W, FullOuter, _>("fullOuterJoin", other, &self.default_with(&[other.core()]))
    }

    /// As [`Rdd::full_outer_join`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// let joined = ages.full_outer_join_with(&names, 5);
    /// assert_eq!((joined.num_partitions(), joined.lookup(&3)?), (5, vec![(None, Some('c'))]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn full_outer_join_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, (Option<V>, Option<W>))> {
        self.join_chosen::<W, FullOuter, _>("fullOuterJoin", other, &Chosen::given::<K>(partitioning))
    }

    /// The records whose key the other data set does not have. Lazy; partitioned as this data set is, or by hash over as many
    /// partitions, so that this side is not shuffled if it has a partitioner.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// assert_eq!(ages.subtract_by_key(&names).collect()?, [(2, 40)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn subtract_by_key<W: Data>(&self, other: &Rdd<(K, W)>) -> Self {
        let own = self.core().partitioner.as_ref().and_then(Chosen::upstream);
        let chosen = own.unwrap_or_else(|| Chosen::hash(self.num_partitions()));
        self.join_chosen::<W, Subtract, _>("subtractByKey", other, &chosen)
    }

    /// As [`Rdd::subtract_by_key`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2);
    /// let names = spark.parallelize([(1, 'a'), (1, 'b'), (3, 'c')], 2);
    /// assert_eq!(ages.subtract_by_key_with(&names, 1).collect()?, [(2, 40)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn subtract_by_key_with<W: Data>(&self, other: &Rdd<(K, W)>, partitioning: impl Partitioning<K>) -> Self {
        self.join_chosen::<W, Subtract, _>("subtractByKey", other, &Chosen::given::<K>(partitioning))
    }

    /// For each key of any of both data sets, its values in each. The values of one key must fit into memory together.
    /// Lazy; shuffles every side that is not partitioned already as the result is.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30)], 2);
    /// let names = spark.parallelize([(1, 'a')], 2);
    /// assert_eq!(ages.cogroup(&names).collect()?, [(1, (vec![30], vec!['a']))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn cogroup<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Vec<V>, Vec<W>))> {
        let chosen = self.default_with(&[other.core()]);
        self.cogroup_chosen(other, &chosen)
    }

    /// As [`Rdd::cogroup`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30)], 2);
    /// let names = spark.parallelize([(1, 'a')], 2);
    /// let groups = ages.cogroup_with(&names, 3);
    /// assert_eq!((groups.num_partitions(), groups.collect()?), (3, vec![(1, (vec![30], vec!['a']))]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn cogroup_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>))> {
        self.cogroup_chosen(other, &Chosen::given::<K>(partitioning))
    }

    /// As [`Rdd::cogroup`]: Spark's other name for it.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30)], 2);
    /// assert_eq!(ages.group_with(&ages).collect()?, [(1, (vec![30], vec![30]))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn group_with<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Vec<V>, Vec<W>))> {
        let _scope = Scope::enter("groupWith");
        self.cogroup(other)
    }

    /// For each key of any of three data sets, its values in each. The values of one key must fit into memory together.
    /// Lazy; shuffles every side that is not partitioned already as the result is.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30)], 2);
    /// let names = spark.parallelize([(1, 'a')], 2);
    /// assert_eq!(ages.cogroup3(&names, &ages).collect()?, [(1, (vec![30], vec!['a'], vec![30]))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn cogroup3<W: Data, X: Data>(
        &self,
        first: &Rdd<(K, W)>,
        second: &Rdd<(K, X)>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>, Vec<X>))> {
        let chosen = self.default_with(&[first.core(), second.core()]);
        self.cogroup3_chosen(first, second, &chosen)
    }

    /// As [`Rdd::cogroup3`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30)], 2);
    /// let names = spark.parallelize([(1, 'a')], 2);
    /// let groups = ages.cogroup3_with(&names, &ages, 3);
    /// assert_eq!((groups.num_partitions(), groups.collect()?), (3, vec![(1, (vec![30], vec!['a'], vec![30]))]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn cogroup3_with<W: Data, X: Data>(
        &self,
        first: &Rdd<(K, W)>,
        second: &Rdd<(K, X)>,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>, Vec<X>))> {
        self.cogroup3_chosen(first, second, &Chosen::given::<K>(partitioning))
    }

    /// For each key of any of four data sets, its values in each. The values of one key must fit into memory together.
    /// Lazy; shuffles every side that is not partitioned already as the result is.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30)], 2);
    /// let names = spark.parallelize([(1, 'a')], 2);
    /// assert_eq!(ages.cogroup4(&names, &ages, &names).collect()?, [(1, (vec![30], vec!['a'], vec![30], vec!['a']))]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn cogroup4<W: Data, X: Data, Y: Data>(
        &self,
        first: &Rdd<(K, W)>,
        second: &Rdd<(K, X)>,
        third: &Rdd<(K, Y)>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>, Vec<X>, Vec<Y>))> {
        let chosen = self.default_with(&[first.core(), second.core(), third.core()]);
        self.cogroup4_chosen(first, second, third, &chosen)
    }

    /// As [`Rdd::cogroup4`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let ages = spark.parallelize([(1, 30)], 2);
    /// let names = spark.parallelize([(1, 'a')], 2);
    /// let groups = ages.cogroup4_with(&names, &ages, &names, 3);
    /// let expected = vec![(1, (vec![30], vec!['a'], vec![30], vec!['a']))];
    /// assert_eq!((groups.num_partitions(), groups.collect()?), (3, expected));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn cogroup4_with<W: Data, X: Data, Y: Data>(
        &self,
        first: &Rdd<(K, W)>,
        second: &Rdd<(K, X)>,
        third: &Rdd<(K, Y)>,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>, Vec<X>, Vec<Y>))> {
        self.cogroup4_chosen(first, second, third, &Chosen::given::<K>(partitioning))
    }

    /// The default partitioner of an operation on this data set and others.
    fn default_with(&self, others: &[&Arc<RddCore>]) -> Chosen<DefaultPartitioner<K>> {
        let mut upstream: Vec<&RddCore> = vec![self.core()];
        upstream.extend(others.iter().map(|core| &***core));
        default_partitioner(self.context(), &upstream)
    }

    #[track_caller]
    fn join_chosen<W: Data, Kind: JoinKind<K, V, W>, P: Partitioner<K>>(
        &self,
        scope: &'static str,
        other: &Rdd<(K, W)>,
        chosen: &Chosen<P>,
    ) -> Rdd<(K, Kind::Row)> {
        let (left_parent, left) = side_of::<K, V, P>(self.core(), chosen);
        let (right_parent, right) = side_of::<K, W, P>(other.core(), chosen);
        let partitions = chosen.partitioner.partitions();
        let new = NewRdd::derived(scope, Kind::KIND, partitions, vec![left_parent, right_parent]);
        let new = new.partitioned(chosen.id.clone()).unordered();
        self.derive::<Join<K, V, W, Kind>>(Location::caller(), new, (left, right))
    }

    #[track_caller]
    fn cogroup_chosen<W: Data, P: Partitioner<K>>(
        &self,
        other: &Rdd<(K, W)>,
        chosen: &Chosen<P>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>))> {
        let (parent0, side0) = side_of::<K, V, P>(self.core(), chosen);
        let (parent1, side1) = side_of::<K, W, P>(other.core(), chosen);
        let new = NewRdd::derived("cogroup", "CoGroupedRDD", chosen.partitioner.partitions(), vec![parent0, parent1]);
        let new = new.partitioned(chosen.id.clone()).unordered();
        self.derive::<CoGroup2<K, V, W>>(Location::caller(), new, [side0, side1])
    }

    #[track_caller]
    fn cogroup3_chosen<W: Data, X: Data, P: Partitioner<K>>(
        &self,
        first: &Rdd<(K, W)>,
        second: &Rdd<(K, X)>,
        chosen: &Chosen<P>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>, Vec<X>))> {
        let (parent0, side0) = side_of::<K, V, P>(self.core(), chosen);
        let (parent1, side1) = side_of::<K, W, P>(first.core(), chosen);
        let (parent2, side2) = side_of::<K, X, P>(second.core(), chosen);
        let new = NewRdd::derived(
            "cogroup",
            "CoGroupedRDD",
            chosen.partitioner.partitions(),
            vec![parent0, parent1, parent2],
        );
        let new = new.partitioned(chosen.id.clone()).unordered();
        self.derive::<CoGroup3<K, V, W, X>>(Location::caller(), new, [side0, side1, side2])
    }

    #[track_caller]
    fn cogroup4_chosen<W: Data, X: Data, Y: Data, P: Partitioner<K>>(
        &self,
        first: &Rdd<(K, W)>,
        second: &Rdd<(K, X)>,
        third: &Rdd<(K, Y)>,
        chosen: &Chosen<P>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>, Vec<X>, Vec<Y>))> {
        let (parent0, side0) = side_of::<K, V, P>(self.core(), chosen);
        let (parent1, side1) = side_of::<K, W, P>(first.core(), chosen);
        let (parent2, side2) = side_of::<K, X, P>(second.core(), chosen);
        let (parent3, side3) = side_of::<K, Y, P>(third.core(), chosen);
        let new = NewRdd::derived(
            "cogroup",
            "CoGroupedRDD",
            chosen.partitioner.partitions(),
            vec![parent0, parent1, parent2, parent3],
        );
        let new = new.partitioned(chosen.id.clone()).unordered();
        self.derive::<CoGroup4<K, V, W, X, Y>>(Location::caller(), new, [side0, side1, side2, side3])
    }
}
