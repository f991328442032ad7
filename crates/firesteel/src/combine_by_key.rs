//! Operations that combine the values of each key: Spark's `combineByKey` and what is made of it.

use std::{collections::HashMap, panic::Location};

use firesteel_closure::Closure;
use firesteel_sampling::DistinctCount;

use crate::{
    call_site::Scope,
    data::{Data, Key},
    env::Env,
    error::SparkError,
    lineage::NewRdd,
    operator::Combine,
    partitioner::{Chosen, DefaultPartitioner, Partitioner, PartitionerId, Partitioning, default_partitioner},
    rdd::Rdd,
    shuffle::{read::CombiningRead, write},
    with::With,
};

impl<K: Key, V: Data, E: Env> With<(K, V), E> {
    fn default_partitioner(&self) -> Chosen<DefaultPartitioner<K>> {
        default_partitioner(self.rdd.context(), &[self.rdd.core()])
    }

    /// As [`Rdd::combine_by_key`].
    #[track_caller]
    pub fn combine_by_key<C, Create, MergeValue, MergeCombiners>(
        self,
        create_combiner: Create,
        merge_value: MergeValue,
        merge_combiners: MergeCombiners,
    ) -> Rdd<(K, C)>
    where
        C: Data,
        Create: Fn(&E, V) -> C + Copy + Send + Sync + 'static,
        MergeValue: Fn(&E, C, V) -> C + Copy + Send + Sync + 'static,
        MergeCombiners: Fn(&E, C, C) -> C + Copy + Send + Sync + 'static,
    {
        let chosen = self.default_partitioner();
        self.combine("combineByKey", &chosen, (create_combiner, merge_value, merge_combiners))
    }

    /// As [`Rdd::combine_by_key_with`].
    #[track_caller]
    pub fn combine_by_key_with<C, Create, MergeValue, MergeCombiners>(
        self,
        create_combiner: Create,
        merge_value: MergeValue,
        merge_combiners: MergeCombiners,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, C)>
    where
        C: Data,
        Create: Fn(&E, V) -> C + Copy + Send + Sync + 'static,
        MergeValue: Fn(&E, C, V) -> C + Copy + Send + Sync + 'static,
        MergeCombiners: Fn(&E, C, C) -> C + Copy + Send + Sync + 'static,
    {
        let chosen = Chosen::given::<K>(partitioning);
        self.combine("combineByKey", &chosen, (create_combiner, merge_value, merge_combiners))
    }

    /// As [`Rdd::aggregate_by_key`].
    #[track_caller]
    pub fn aggregate_by_key<U, SeqOp, CombOp>(self, zero: U, seq_op: SeqOp, comb_op: CombOp) -> Rdd<(K, U)>
    where
        U: Data,
        SeqOp: Fn(&E, U, V) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(&E, U, U) -> U + Copy + Send + Sync + 'static,
    {
        let chosen = self.default_partitioner();
        self.aggregate_scoped("aggregateByKey", zero, seq_op, comb_op, &chosen)
    }

    /// As [`Rdd::aggregate_by_key_with`].
    #[track_caller]
    pub fn aggregate_by_key_with<U, SeqOp, CombOp>(
        self,
        zero: U,
        seq_op: SeqOp,
        comb_op: CombOp,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, U)>
    where
        U: Data,
        SeqOp: Fn(&E, U, V) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(&E, U, U) -> U + Copy + Send + Sync + 'static,
    {
        let chosen = Chosen::given::<K>(partitioning);
        self.aggregate_scoped("aggregateByKey", zero, seq_op, comb_op, &chosen)
    }

    /// As [`Rdd::fold_by_key`].
    #[track_caller]
    pub fn fold_by_key<F>(self, zero: V, function: F) -> Rdd<(K, V)>
    where
        F: Fn(&E, V, V) -> V + Copy + Send + Sync + 'static,
    {
        let chosen = self.default_partitioner();
        self.aggregate_scoped("foldByKey", zero, function, function, &chosen)
    }

    /// As [`Rdd::fold_by_key_with`].
    #[track_caller]
    pub fn fold_by_key_with<F>(self, zero: V, function: F, partitioning: impl Partitioning<K>) -> Rdd<(K, V)>
    where
        F: Fn(&E, V, V) -> V + Copy + Send + Sync + 'static,
    {
        let chosen = Chosen::given::<K>(partitioning);
        self.aggregate_scoped("foldByKey", zero, function, function, &chosen)
    }

    /// As [`Rdd::reduce_by_key`].
    #[track_caller]
    pub fn reduce_by_key<F>(self, function: F) -> Rdd<(K, V)>
    where
        F: Fn(&E, V, V) -> V + Copy + Send + Sync + 'static,
    {
        let chosen = self.default_partitioner();
        self.combine("reduceByKey", &chosen, (|_: &E, value: V| value, function, function))
    }

    /// As [`Rdd::reduce_by_key_with`].
    #[track_caller]
    pub fn reduce_by_key_with<F>(self, function: F, partitioning: impl Partitioning<K>) -> Rdd<(K, V)>
    where
        F: Fn(&E, V, V) -> V + Copy + Send + Sync + 'static,
    {
        let chosen = Chosen::given::<K>(partitioning);
        self.combine("reduceByKey", &chosen, (|_: &E, value: V| value, function, function))
    }

    /// As [`Rdd::reduce_by_key_locally`].
    #[track_caller]
    pub fn reduce_by_key_locally<F>(self, function: F) -> Result<HashMap<K, V>, SparkError>
    where
        F: Fn(&E, V, V) -> V + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("reduceByKeyLocally");
        let parts = self.run_job(move |env, records| {
            let mut reduced: HashMap<K, Option<V>> = HashMap::new();
            records.for_each(|(key, value)| {
                merge_into(&mut reduced, key, value, |left, right| function(env, left, right))
            });
            reduced
        })?;
        let mut all = HashMap::new();
        for (key, value) in parts.into_iter().flatten() {
            if let Some(value) = value {
                merge_into(&mut all, key, value, |left, right| function(&self.env, left, right));
            }
        }
        Ok(all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    #[track_caller]
    fn aggregate_scoped<U, SeqOp, CombOp, P>(
        self,
        scope: &'static str,
        zero: U,
        seq_op: SeqOp,
        comb_op: CombOp,
        chosen: &Chosen<P>,
    ) -> Rdd<(K, U)>
    where
        U: Data,
        P: Partitioner<K>,
        SeqOp: Fn(&E, U, V) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(&E, U, U) -> U + Copy + Send + Sync + 'static,
    {
        self.rdd.with((self.env, zero)).combine(
            scope,
            chosen,
            (
                move |(env, zero): &(E, U), value: V| seq_op(env, zero.clone(), value),
                move |(env, _): &(E, U), combiner: U, value: V| seq_op(env, combiner, value),
                move |(env, _): &(E, U), left: U, right: U| comb_op(env, left, right),
            ),
        )
    }

    /// Combines by key: within the partitions if they are as they should be, else with a map side and an exchange.
    #[track_caller]
    fn combine<C: Data, P: Partitioner<K>, F: Combining<V, C, E>>(
        self,
        scope: &'static str,
        chosen: &Chosen<P>,
        functions: F,
    ) -> Rdd<(K, C)> {
        let core = self.rdd.core();
        if chosen.partitions(core) {
            return self.combine_within_partitions(scope, chosen.id.clone(), functions);
        }
        let shuffle = write::combining::<K, V, C, P, E, F>(core, chosen, &self.env, functions);
        let shuffle_id = shuffle.id();
        let new = NewRdd::shuffled(scope, shuffle, chosen.id.clone());
        self.rdd.derive::<CombiningRead<K, V, C, E, F>>(Location::caller(), new, (shuffle_id, self.env))
    }

    /// Combines by key in each partition by itself; all values of a key must be in one.
    #[track_caller]
    pub(crate) fn combine_within_partitions<C: Data, F: Combining<V, C, E>>(
        self,
        scope: &'static str,
        partitioner: Option<PartitionerId>,
        functions: F,
    ) -> Rdd<(K, C)> {
        Closure::of(functions);
        let new = NewRdd::one_to_one(scope, self.rdd.core()).partitioned(partitioner).unordered();
        self.rdd.derive::<Combine<K, V, C, E, F>>(Location::caller(), new, (None, self.env))
    }
}

/// The functions that make combiners of values, with the environment as their first argument: closures that travel as one type,
/// and so capture nothing.
pub(crate) trait Combining<V, C, E>: Copy + Send + Sync + 'static {
    /// The combiner of a key's first value.
    fn create_combiner(self, env: &E, value: V) -> C;

    /// The combiner with a further value.
    fn merge_value(self, env: &E, combiner: C, value: V) -> C;

    /// The combiner of the values of both.
    fn merge_combiners(self, env: &E, left: C, right: C) -> C;
}

impl<V, C, E, Create, MergeValue, MergeCombiners> Combining<V, C, E> for (Create, MergeValue, MergeCombiners)
where
    Create: Fn(&E, V) -> C + Copy + Send + Sync + 'static,
    MergeValue: Fn(&E, C, V) -> C + Copy + Send + Sync + 'static,
    MergeCombiners: Fn(&E, C, C) -> C + Copy + Send + Sync + 'static,
{
    #[inline]
    fn create_combiner(self, env: &E, value: V) -> C {
        (self.0)(env, value)
    }

    #[inline]
    fn merge_value(self, env: &E, combiner: C, value: V) -> C {
        (self.1)(env, combiner, value)
    }

    #[inline]
    fn merge_combiners(self, env: &E, left: C, right: C) -> C {
        (self.2)(env, left, right)
    }
}

/// Merges a value into the map; the entry is empty only while `function` runs.
fn merge_into<K: Key, V>(map: &mut HashMap<K, Option<V>>, key: K, value: V, function: impl FnOnce(V, V) -> V) {
    let entry = map.entry(key).or_default();
    *entry = Some(match entry.take() {
        Some(before) => function(before, value),
        None => value,
    });
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// One combiner for each key: `create_combiner` makes it of a first value, `merge_value` adds a further one,
    /// `merge_combiners` adds another partition's. The general form of all aggregation by key. Lazy; shuffles one combiner
    /// for each key and partition, or nothing if the data set is partitioned already.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let scores = spark.parallelize([(1, 3.0), (2, 5.0), (1, 4.0)], 2);
    /// let means = scores
    ///     .combine_by_key(|v| (v, 1), |(sum, n), v| (sum + v, n + 1), |a, b| (a.0 + b.0, a.1 + b.1))
    ///     .map_values(|(sum, n): (f64, i32)| sum / f64::from(n));
    /// assert_eq!(means.collect_as_map()?[&1], 3.5);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key<C, Create, MergeValue, MergeCombiners>(
        &self,
        create_combiner: Create,
        merge_value: MergeValue,
        merge_combiners: MergeCombiners,
    ) -> Rdd<(K, C)>
    where
        C: Data,
        Create: Fn(V) -> C + Copy + Send + Sync + 'static,
        MergeValue: Fn(C, V) -> C + Copy + Send + Sync + 'static,
        MergeCombiners: Fn(C, C) -> C + Copy + Send + Sync + 'static,
    {
        self.with(()).combine_by_key(
            move |(), value| create_combiner(value),
            move |(), combiner, value| merge_value(combiner, value),
            move |(), left, right| merge_combiners(left, right),
        )
    }

    /// As [`Rdd::combine_by_key`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// let lists = pairs.combine_by_key_with(
    ///     |v| vec![v],
    ///     |mut list, v| { list.push(v); list },
    ///     |mut left, right| { left.extend(right); left },
    ///     3,
    /// );
    /// assert_eq!(lists.num_partitions(), 3);
    /// assert_eq!(lists.lookup(&2)?, [vec![5]]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key_with<C, Create, MergeValue, MergeCombiners>(
        &self,
        create_combiner: Create,
        merge_value: MergeValue,
        merge_combiners: MergeCombiners,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, C)>
    where
        C: Data,
        Create: Fn(V) -> C + Copy + Send + Sync + 'static,
        MergeValue: Fn(C, V) -> C + Copy + Send + Sync + 'static,
        MergeCombiners: Fn(C, C) -> C + Copy + Send + Sync + 'static,
    {
        self.with(()).combine_by_key_with(
            move |(), value| create_combiner(value),
            move |(), combiner, value| merge_value(combiner, value),
            move |(), left, right| merge_combiners(left, right),
            partitioning,
        )
    }

    /// One value for each key, starting with `zero`: `seq_op` adds a value, `comb_op` adds another partition's result.
    /// `zero` counts once for each key and partition, so it must be neutral. Lazy; shuffles one result for each key and
    /// partition.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// let largest = pairs.aggregate_by_key(i32::MIN, |most, v| most.max(v), |left, right| left.max(right));
    /// assert_eq!(largest.lookup(&1)?, [4]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key<U, SeqOp, CombOp>(&self, zero: U, seq_op: SeqOp, comb_op: CombOp) -> Rdd<(K, U)>
    where
        U: Data,
        SeqOp: Fn(U, V) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(U, U) -> U + Copy + Send + Sync + 'static,
    {
        self.with(()).aggregate_by_key(
            zero,
            move |(), combiner, value| seq_op(combiner, value),
            move |(), left, right| comb_op(left, right),
        )
    }

    /// As [`Rdd::aggregate_by_key`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// let counts = pairs.aggregate_by_key_with(0, |count, _| count + 1, |left, right| left + right, 1);
    /// assert_eq!(counts.sort_by_key(true)?.collect()?, [(1, 2), (2, 1)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key_with<U, SeqOp, CombOp>(
        &self,
        zero: U,
        seq_op: SeqOp,
        comb_op: CombOp,
        partitioning: impl Partitioning<K>,
    ) -> Rdd<(K, U)>
    where
        U: Data,
        SeqOp: Fn(U, V) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(U, U) -> U + Copy + Send + Sync + 'static,
    {
        self.with(()).aggregate_by_key_with(
            zero,
            move |(), combiner, value| seq_op(combiner, value),
            move |(), left, right| comb_op(left, right),
            partitioning,
        )
    }

    /// One value for each key, starting with `zero`, which must be neutral: it counts once for each key and partition.
    /// `function` must be associative. Lazy; shuffles one value for each key and partition.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// assert_eq!(pairs.fold_by_key(1, |left, right| left * right).lookup(&1)?, [12]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn fold_by_key<F>(&self, zero: V, function: F) -> Self
    where
        F: Fn(V, V) -> V + Copy + Send + Sync + 'static,
    {
        self.with(()).fold_by_key(zero, move |(), left, right| function(left, right))
    }

    /// As [`Rdd::fold_by_key`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// let sums = pairs.fold_by_key_with(0, |left, right| left + right, 1);
    /// assert_eq!((sums.num_partitions(), sums.lookup(&1)?), (1, vec![7]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn fold_by_key_with<F>(&self, zero: V, function: F, partitioning: impl Partitioning<K>) -> Self
    where
        F: Fn(V, V) -> V + Copy + Send + Sync + 'static,
    {
        self.with(()).fold_by_key_with(zero, move |(), left, right| function(left, right), partitioning)
    }

    /// One value for each key, combined two by two. `function` must be commutative and associative. Lazy; values are
    /// combined before they are exchanged, so that one value for each key and partition is shuffled; nothing is if the data
    /// set is partitioned already.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let lines = spark.parallelize(["to be or", "not to be"].map(String::from), 2);
    /// let counts = lines
    ///     .flat_map(|line| line.split(' ').map(String::from).collect::<Vec<_>>())
    ///     .map(|word| (word, 1))
    ///     .reduce_by_key(|left, right| left + right);
    /// assert_eq!(counts.collect_as_map()?["be"], 2);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key<F>(&self, function: F) -> Self
    where
        F: Fn(V, V) -> V + Copy + Send + Sync + 'static,
    {
        self.with(()).reduce_by_key(move |(), left, right| function(left, right))
    }

    /// As [`Rdd::reduce_by_key`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// let sums = pairs.reduce_by_key_with(|left, right| left + right, 5);
    /// assert_eq!((sums.num_partitions(), sums.lookup(&1)?), (5, vec![7]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_with<F>(&self, function: F, partitioning: impl Partitioning<K>) -> Self
    where
        F: Fn(V, V) -> V + Copy + Send + Sync + 'static,
    {
        self.with(()).reduce_by_key_with(move |(), left, right| function(left, right), partitioning)
    }

    /// One value for each key, combined two by two, in a map on the driver, which must hold all of them. An action; no
    /// shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// assert_eq!(pairs.reduce_by_key_locally(|left, right| left + right)?[&1], 7);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_locally<F>(&self, function: F) -> Result<HashMap<K, V>, SparkError>
    where
        F: Fn(V, V) -> V + Copy + Send + Sync + 'static,
    {
        self.with(()).reduce_by_key_locally(move |(), left, right| function(left, right))
    }

    /// About how many distinct values each key has; see [`Rdd::count_approx_distinct`]. Lazy; shuffles one sketch for each key
    /// and partition.
    ///
    /// # Panics
    ///
    /// If the standard deviation is not positive, or below 0.00026.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize((0..1000).map(|n| (n % 2, n % 10)), 4);
    /// assert_eq!(pairs.count_approx_distinct_by_key(0.05).lookup(&0)?, [5]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_approx_distinct_by_key(&self, relative_standard_deviation: f64) -> Rdd<(K, u64)>
    where
        V: std::hash::Hash,
    {
        let _scope = Scope::enter("countApproxDistinctByKey");
        self.aggregate_by_key(
            DistinctCount::new(relative_standard_deviation),
            |mut sketch, value| {
                sketch.add(&value);
                sketch
            },
            |mut left, right| {
                left.merge(&right).expect("all sketches are clones of one");
                left
            },
        )
        .map_values(|sketch| sketch.estimate())
    }
}
