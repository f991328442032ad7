//! Sorted data sets: Spark's `OrderedRDDFunctions`.
//!
//! A total order over partitions needs bounds that split the keys evenly, and those need a look at the data: a job takes a
//! sample of each partition before the sort is defined, and samples again those that turn out to hold more than their share.

use std::panic::Location;

use firesteel_executor::TaskContext;
use firesteel_sampling::{
    BernoulliSample, PartitionSketch, RangeSampling, partition_seed, range_bounds, reservoir_sample,
};

use crate::{
    call_site::Scope,
    data::Data,
    env::Env,
    error::SparkError,
    lineage::NewRdd,
    operator::{SortByKey, side::side_of},
    partitioner::{Chosen, Partitioner, Partitioning, RangePartitioner},
    rdd::Rdd,
    sampling::any_seed,
    with::With,
};

impl<T: Data, E: Env> With<T, E> {
    /// As [`Rdd::sort_by`].
    #[track_caller]
    pub fn sort_by<K: Data + Ord, F>(self, key: F, ascending: bool) -> Result<Rdd<T>, SparkError>
    where
        F: Fn(&E, &T) -> K + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("sortBy");
        let partitions = self.rdd.num_partitions();
        self.sort_by_with(key, ascending, partitions)
    }

    /// As [`Rdd::sort_by_with`].
    #[track_caller]
    pub fn sort_by_with<K: Data + Ord, F>(self, key: F, ascending: bool, partitions: u32) -> Result<Rdd<T>, SparkError>
    where
        F: Fn(&E, &T) -> K + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("sortBy");
        Ok(self.key_by(key).sort_by_key_with(ascending, partitions)?.values())
    }
}

impl<T: Data> Rdd<T> {
    /// The records in the order of their keys, over all partitions. Shuffles every record, and a job samples the keys, now.
    ///
    /// # Errors
    ///
    /// Those of that job.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let words = spark.parallelize(["flint", "steel", "tin"].map(String::from), 2);
    /// assert_eq!(words.sort_by(|word| word.len(), true)?.first()?, "tin");
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sort_by<K: Data + Ord, F>(&self, key: F, ascending: bool) -> Result<Self, SparkError>
    where
        F: Fn(&T) -> K + Copy + Send + Sync + 'static,
    {
        self.with(()).sort_by(move |(), record| key(record), ascending)
    }

    /// As [`Rdd::sort_by`], in at most so many partitions.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([3, 1, 2], 2);
    /// assert_eq!(numbers.sort_by_with(|n| *n, false, 1)?.collect()?, [3, 2, 1]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sort_by_with<K: Data + Ord, F>(&self, key: F, ascending: bool, partitions: u32) -> Result<Self, SparkError>
    where
        F: Fn(&T) -> K + Copy + Send + Sync + 'static,
    {
        self.with(()).sort_by_with(move |(), record| key(record), ascending, partitions)
    }
}

impl<K: Data + Ord, V: Data> Rdd<(K, V)> {
    /// The pairs in the order of their keys, over all partitions, of which there are at most as many as now. Shuffles every
    /// record, and with more than one partition a job samples the keys, now. The result has a [`RangePartitioner`].
    ///
    /// # Errors
    ///
    /// Those of that job.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(3, 'c'), (1, 'a'), (2, 'b')], 2);
    /// assert_eq!(pairs.sort_by_key(true)?.collect()?, [(1, 'a'), (2, 'b'), (3, 'c')]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sort_by_key(&self, ascending: bool) -> Result<Self, SparkError> {
        let _scope = Scope::enter("sortByKey");
        self.sort_by_key_with(ascending, self.num_partitions())
    }

    /// As [`Rdd::sort_by_key`], in at most so many partitions.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(3, 'c'), (1, 'a'), (2, 'b')], 2);
    /// assert_eq!(pairs.sort_by_key_with(false, 1)?.keys().collect()?, [3, 2, 1]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sort_by_key_with(&self, ascending: bool, partitions: u32) -> Result<Self, SparkError> {
        let _scope = Scope::enter("sortByKey");
        let partitioner = self.range_partitioner(ascending, partitions)?;
        Ok(self.sorted("sortByKey", &Chosen::given::<K>(&partitioner), ascending))
    }

    /// A partitioner that gives each of at most so many partitions a range of this data set's keys, all of about the same
    /// weight. An action: a job samples the keys (20 for each partition of the result), and another one those partitions
    /// again that hold more than their share. Fewer partitions come out if there are few keys.
    ///
    /// ```
    /// # use firesteel::Partitioner;
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize((0..1000).map(|n| (n, ())), 4);
    /// let partitioner = pairs.range_partitioner(true, 2)?;
    /// assert_eq!((partitioner.partition(&0), partitioner.partition(&999)), (0, 1));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn range_partitioner(&self, ascending: bool, partitions: u32) -> Result<RangePartitioner<K>, SparkError> {
        let _scope = Scope::enter("sortByKey");
        if partitions <= 1 {
            return Ok(RangePartitioner::new(Vec::new(), ascending));
        }
        let sampling = RangeSampling::new(self.num_partitions(), partitions);
        let seed = any_seed();
        let env = (sampling.sample_size_per_partition() as u64, seed);
        let sketches = self.with(env).run_job(|&(size, seed), records| {
            let keys = records.map(|record| record.0);
            let (sample, records) = reservoir_sample(keys, size as usize, partition_seed(seed, this_partition()));
            PartitionSketch { records, sample }
        })?;
        let records = sketches.iter().map(|sketch| sketch.records).sum();
        let mut candidates = Vec::new();
        let mut undersampled = Vec::new();
        for (partition, sketch) in (0..).zip(sketches) {
            if sampling.is_undersampled(&sketch, records) {
                undersampled.push(partition);
            } else {
                let weight = sketch.records as f64 / sketch.sample.len().max(1) as f64;
                candidates.extend(sketch.sample.into_iter().map(|key| (key, weight)));
            }
        }
        if !undersampled.is_empty() {
            let fraction = sampling.fraction(records);
            // Another seed, or the second sample would depend on the first.
            let again = self.with((fraction, seed.wrapping_add(1))).run_on_partitions(
                undersampled,
                |&(fraction, seed), records| {
                    let keys = records.map(|record| record.0);
                    BernoulliSample::new(keys, fraction, partition_seed(seed, this_partition())).collect::<Vec<K>>()
                },
            )?;
            candidates.extend(again.into_iter().flatten().map(|key| (key, 1.0 / fraction)));
        }
        Ok(RangePartitioner::new(range_bounds(candidates, partitions, K::cmp), ascending))
    }

    /// The same records, each in the partition that `partitioning` gives its key, and each partition sorted by key. Lazy;
    /// shuffles every record, unless the data set is partitioned so already. Cheaper than an exchange and then a sort.
    ///
    /// ```
    /// # use firesteel::HashPartitioner;
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(3, 'c'), (1, 'a'), (2, 'b')], 2);
    /// let sorted = pairs.repartition_and_sort_within_partitions(&HashPartitioner::new(1));
    /// assert_eq!(sorted.keys().collect()?, [1, 2, 3]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn repartition_and_sort_within_partitions(&self, partitioning: impl Partitioning<K>) -> Self {
        self.sorted("repartitionAndSortWithinPartitions", &Chosen::given::<K>(partitioning), true)
    }

    /// The pairs whose keys are between both bounds, which are included. Lazy; no shuffle. If the data set is sorted, that is,
    /// has a [`RangePartitioner`], only the partitions that may hold such keys are computed.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let sorted = spark.parallelize((0..100).map(|n| (n, ())), 4).sort_by_key(true)?;
    /// let some = sorted.filter_by_range(10, 12);
    /// assert_eq!(some.keys().collect()?, [10, 11, 12]);
    /// assert!(some.num_partitions() < 4);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn filter_by_range(&self, lower: K, upper: K) -> Self {
        let _scope = Scope::enter("filterByRange");
        let ranges = self.core().partitioner.as_ref().and_then(|id| id.downcast::<K, RangePartitioner<K>>());
        let pruned = match ranges {
            Some(ranges) => {
                let groups = ranges.partitions_between(&lower, &upper).map(|partition| vec![partition]).collect();
                &self.partition_groups("filterByRange", "PartitionPruningRDD", groups)
            }
            None => self,
        };
        pruned.with((lower, upper)).filter(|(lower, upper), (key, _)| (lower..=upper).contains(&key))
    }

    #[track_caller]
    fn sorted<P: Partitioner<K>>(&self, scope: &'static str, chosen: &Chosen<P>, ascending: bool) -> Self {
        let (parent, side) = side_of::<K, V, P>(self.core(), chosen);
        let kind = if side.is_some() { "ShuffledRDD" } else { "MapPartitionsRDD" };
        // Pairs with equal keys come in any order.
        let new = NewRdd::derived(scope, kind, chosen.partitioner.partitions(), vec![parent]);
        let new = new.partitioned(chosen.id.clone());
        self.derive::<SortByKey<K, V>>(Location::caller(), new, (side, ascending))
    }
}

/// The partition of the task that calls this.
fn this_partition() -> u32 {
    TaskContext::get().map_or(0, |context| context.partition().0)
}
