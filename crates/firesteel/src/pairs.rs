//! Operations on data sets of pairs that map, move, group or look up the values of a key: Spark's `PairRDDFunctions`, of which
//! `combine_by_key` has the rest.

use std::{collections::HashMap, panic::Location};

use firesteel_closure::Closure;

use crate::{
    call_site::Scope,
    data::{Data, Key},
    env::Env,
    error::SparkError,
    lineage::NewRdd,
    operator::{self, GroupByKey, side::side_of},
    partitioner::{Chosen, DefaultPartitioner, Partitioner, PartitionerId, Partitioning, default_partitioner},
    rdd::Rdd,
    shuffle::{read::ShuffleRead, write},
    with::With,
};

impl<K: Data, V: Data, E: Env> With<(K, V), E> {
    /// As [`Rdd::map_values`].
    #[track_caller]
    pub fn map_values<W: Data, F>(self, function: F) -> Rdd<(K, W)>
    where
        F: Fn(&E, V) -> W + Copy + Send + Sync + 'static,
    {
        Closure::of(function);
        let core = self.rdd.core();
        let new = NewRdd::one_to_one("mapValues", core).partitioned(core.partitioner.clone());
        self.rdd.derive::<operator::MapValues<K, V, W, E, F>>(Location::caller(), new, self.env)
    }

    /// As [`Rdd::flat_map_values`].
    #[track_caller]
    pub fn flat_map_values<I, F>(self, function: F) -> Rdd<(K, I::Item)>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(&E, V) -> I + Copy + Send + Sync + 'static,
    {
        Closure::of(function);
        let partitioner = self.rdd.core().partitioner.clone();
        self.flat_map_as("flatMapValues", partitioner, move |env, (key, value): (K, V)| {
            function(env, value).into_iter().map(move |value| (key.clone(), value))
        })
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// The same keys with other values. Lazy; no shuffle; keeps the partitioner, as the keys do not change.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([("a", 1), ("b", 2)].map(|(key, value)| (key.to_owned(), value)), 2);
    /// assert_eq!(pairs.map_values(|value| value * 10).values().collect()?, [10, 20]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn map_values<W: Data, F>(&self, function: F) -> Rdd<(K, W)>
    where
        F: Fn(V) -> W + Copy + Send + Sync + 'static,
    {
        self.with(()).map_values(move |(), value| function(value))
    }

    /// Any number of values for each value, under the same key. Lazy; no shuffle; keeps the partitioner.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 2), (2, 0), (3, 1)], 2);
    /// assert_eq!(pairs.flat_map_values(|count| 0..count).collect()?, [(1, 0), (1, 1), (3, 0)]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn flat_map_values<I, F>(&self, function: F) -> Rdd<(K, I::Item)>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(V) -> I + Copy + Send + Sync + 'static,
    {
        self.with(()).flat_map_values(move |(), value| function(value))
    }

    /// The keys, in order and as often as they occur. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([(1, 'a'), (2, 'b')], 2).keys().collect()?, [1, 2]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn keys(&self) -> Rdd<K> {
        let _scope = Scope::enter("keys");
        self.map(|(key, _)| key)
    }

    /// The values, in order. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([(1, 'a'), (2, 'b')], 2).values().collect()?, ['a', 'b']);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn values(&self) -> Rdd<V> {
        let _scope = Scope::enter("values");
        self.map(|(_, value)| value)
    }

    /// The same records, each in the partition that `partitioning` gives its key: a [`Partitioner`], or a number of
    /// partitions. Lazy; shuffles every record. A data set that is partitioned so already is given back as it is.
    ///
    /// ```
    /// # use firesteel::HashPartitioner;
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize((0..100).map(|n| (n % 10, n)), 3);
    /// let by_key = pairs.partition_by(&HashPartitioner::new(4));
    /// assert_eq!(by_key.num_partitions(), 4);
    /// // Needs no shuffle: all values of a key are in one partition.
    /// assert_eq!(by_key.reduce_by_key(|left, right| left + right).count()?, 10);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn partition_by(&self, partitioning: impl Partitioning<K>) -> Self {
        let chosen = Chosen::given::<K>(partitioning);
        if chosen.partitions(self.core()) {
            return self.clone();
        }
        let shuffle = write::plain::<K, V, _>(self.core(), &chosen);
        let shuffle_id = shuffle.id();
        let new = NewRdd::shuffled("partitionBy", shuffle, chosen.id);
        self.derive::<ShuffleRead<(K, V)>>(Location::caller(), new, shuffle_id)
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// All values of each key in one vector, in no particular order; one key's values must fit into memory. Lazy; shuffles
    /// every record. To sum, count or otherwise reduce the values, [`Rdd::reduce_by_key`] or [`Rdd::aggregate_by_key`] are
    /// far cheaper.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// let mut ones = pairs.group_by_key().collect_as_map()?.remove(&1).unwrap_or_default();
    /// ones.sort();
    /// assert_eq!(ones, [3, 4]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn group_by_key(&self) -> Rdd<(K, Vec<V>)> {
        self.group_chosen(&default_partitioner(self.context(), &[self.core()]))
    }

    /// As [`Rdd::group_by_key`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// assert_eq!(pairs.group_by_key_with(3).count()?, 2);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn group_by_key_with(&self, partitioning: impl Partitioning<K>) -> Rdd<(K, Vec<V>)> {
        self.group_chosen(&Chosen::given::<K>(partitioning))
    }

    #[track_caller]
    fn group_chosen<P: Partitioner<K>>(&self, chosen: &Chosen<P>) -> Rdd<(K, Vec<V>)> {
        let (parent, side) = side_of::<K, V, P>(self.core(), chosen);
        let kind = if side.is_some() { "ShuffledRDD" } else { "MapPartitionsRDD" };
        let partitions = chosen.partitioner.partitions();
        let new = NewRdd::derived("groupByKey", kind, partitions, vec![parent]);
        self.derive::<GroupByKey<K, V>>(Location::caller(), new.partitioned(chosen.id.clone()).unordered(), side)
    }

    /// The values of one key. An action. Reads only the key's partition if the data set has a partitioner, else all.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// assert_eq!(pairs.lookup(&1)?, [3, 4]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn lookup(&self, key: &K) -> Result<Vec<V>, SparkError> {
        let _scope = Scope::enter("lookup");
        let all = 0..self.num_partitions();
        let partition = self.core().partitioner.as_ref().and_then(|id| id.partition_of(key));
        let partitions = partition.filter(|partition| all.contains(partition)).map_or(all, |one| one..one + 1);
        let found = self.with(key.clone()).run_on_partitions(partitions, |key, records| {
            records.filter(|record| record.0 == *key).map(|record| record.1).collect::<Vec<V>>()
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// How often each key occurs, in a map on the driver, which must hold all keys. An action; shuffles one number for each
    /// key and partition.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// assert_eq!(pairs.count_by_key()?[&1], 2);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_by_key(&self) -> Result<HashMap<K, u64>, SparkError> {
        let _scope = Scope::enter("countByKey");
        self.map_values(|_| 1).reduce_by_key(|left, right| left + right).collect_as_map()
    }

    /// All pairs in a map on the driver, which must hold them; of several values of a key, the last one stays. An action.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5)], 2);
    /// assert_eq!(pairs.collect_as_map()?[&2], 5);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn collect_as_map(&self) -> Result<HashMap<K, V>, SparkError> {
        let _scope = Scope::enter("collectAsMap");
        Ok(self.collect()?.into_iter().collect())
    }
}

impl PartitionerId {
    /// The partition of a key, if this is a partitioner of such keys.
    fn partition_of<K: Key>(&self, key: &K) -> Option<u32> {
        Chosen::<DefaultPartitioner<K>>::upstream(self).map(|chosen| chosen.partitioner.partition(key))
    }
}
