//! Samples and random splits.
//!
//! Each partition draws from a generator of its own, seeded by the operation's seed and the partition's number, so that a
//! partition that is computed again gives the same sample, provided that its records come in the same order.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use firesteel_executor::TaskFailure;
use firesteel_sampling::{
    BernoulliSample, PoissonSample, SampleRandom, fraction_for_sample_size, partition_seed, poisson,
};

use crate::{
    call_site::Scope,
    data::{Data, Key, Records},
    error::SparkError,
    lineage::NewRdd,
    rdd::Rdd,
};

/// The most records of [`Rdd::take_sample`]; Spark's limit, with which its arrays can hold ten standard deviations more.
const MAX_TAKEN_SAMPLE: usize = 2_147_020_237;

/// A record of a key whose fraction nobody named.
#[derive(Debug, thiserror::Error)]
#[error("a record's key is not among the fractions to sample by: name one, perhaps 0, for every key")]
struct KeyWithoutFraction;

/// The fraction of a key, or the end of the task.
fn fraction_of<K: Key>(fractions: &HashMap<K, f64>, key: &K) -> f64 {
    fractions.get(key).copied().unwrap_or_else(|| TaskFailure::from_final_error(&KeyWithoutFraction).throw())
}

/// A seed that nobody asked for: hash maps are seeded by the system's randomness.
pub(crate) fn any_seed() -> u64 {
    RandomState::new().hash_one(0)
}

fn check_fraction(with_replacement: bool, fraction: f64) {
    if with_replacement {
        check_mean(fraction);
    } else {
        assert!((0.0..=1.0).contains(&fraction), "the sampling fraction must be on interval [0, 1]: {fraction}");
    }
}

fn check_mean(mean: f64) {
    assert!(mean >= 0.0 && mean.is_finite(), "a sampling fraction must not be negative: {mean}");
}

impl<T: Data> Rdd<T> {
    /// About `fraction` of the records: each with that probability, or, with replacement, each so many times on average.
    /// Without a seed, one is drawn now. Lazy; no shuffle; keeps the partitioner.
    ///
    /// # Panics
    ///
    /// If the fraction is negative, or without replacement more than 1.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(0..1000, 4);
    /// let sample = numbers.sample(false, 0.1, Some(7));
    /// assert!((50..150).contains(&sample.count()?));
    /// assert_eq!(sample.collect()?, numbers.sample(false, 0.1, Some(7)).collect()?);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sample(&self, with_replacement: bool, fraction: f64, seed: Option<u64>) -> Self {
        check_fraction(with_replacement, fraction);
        let env = (fraction, seed.unwrap_or_else(any_seed));
        let new = self.sampled("sample");
        if with_replacement {
            self.with(env).map_partitions_as(new, |&(mean, seed), index, records| {
                PoissonSample::new(records, mean, partition_seed(seed, index))
            })
        } else {
            self.with(env).map_partitions_as(new, |&(fraction, seed), index, records| {
                BernoulliSample::new(records, fraction, partition_seed(seed, index))
            })
        }
    }

    /// The records dealt out at random to as many data sets as there are weights, in about their proportion. Every record is
    /// in exactly one, provided that this data set always comes in the same order: persist it if it does not. Lazy; no
    /// shuffle; each part reads the whole data set.
    ///
    /// # Panics
    ///
    /// If a weight is negative, their sum is not finite, or all are 0.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(0..1000, 4);
    /// let parts = numbers.random_split(&[0.9, 0.1], Some(7));
    /// assert_eq!(parts[0].count()? + parts[1].count()?, 1000);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn random_split(&self, weights: &[f64], seed: Option<u64>) -> Vec<Self> {
        assert!(weights.iter().all(|weight| *weight >= 0.0), "weights must not be negative: {weights:?}");
        let sum: f64 = weights.iter().sum();
        assert!(sum > 0.0 && sum.is_finite(), "the sum of the weights must be positive and finite: {weights:?}");
        let seed = seed.unwrap_or_else(any_seed);
        let mut bounds = vec![0.0];
        let mut cumulated = 0.0;
        for weight in weights {
            cumulated += weight / sum;
            bounds.push(cumulated);
        }
        // Whatever rounding has left over.
        if let Some(last) = bounds.last_mut() {
            *last = 1.0;
        }
        let mut parts = Vec::with_capacity(weights.len());
        for cell in bounds.windows(2) {
            let new = self.sampled("randomSplit");
            let env = (cell[0], cell[1], seed);
            parts.push(self.with(env).map_partitions_as(new, |&(from, until, seed), index, records: Records<T>| {
                let mut random = SampleRandom::new(partition_seed(seed, index));
                records.filter(move |_| (from..until).contains(&random.next_f64()))
            }));
        }
        parts
    }

    /// Exactly `count` records chosen at random (with replacement, some perhaps more than once), in random order; all of them
    /// if there are fewer and none is to be chosen twice. An action: a job counts, another samples, and, rarely, more follow.
    /// The sample must fit into the driver's memory.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if it is more than 2,147,020,237 records, Spark's limit.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(0..1000, 4);
    /// let mut sample = numbers.take_sample(false, 10, Some(7))?;
    /// assert_eq!(sample, numbers.take_sample(false, 10, Some(7))?);
    /// sample.sort();
    /// sample.dedup();
    /// assert_eq!(sample.len(), 10);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn take_sample(&self, with_replacement: bool, count: usize, seed: Option<u64>) -> Result<Vec<T>, SparkError> {
        let _scope = Scope::enter("takeSample");
        if count == 0 {
            return Ok(Vec::new());
        }
        if count > MAX_TAKEN_SAMPLE {
            return Err(SparkError::InvalidArgument(format!(
                "a sample of {count} records is more than {MAX_TAKEN_SAMPLE}, the most that the driver is asked to hold; use sample, \
                 whose result stays distributed"
            )));
        }
        let total = self.count()?;
        if total == 0 {
            return Ok(Vec::new());
        }
        let mut random = SampleRandom::new(seed.unwrap_or_else(any_seed));
        if !with_replacement && count as u64 >= total {
            let mut all = self.collect()?;
            shuffle(&mut all, &mut random);
            return Ok(all);
        }
        let fraction = fraction_for_sample_size(count as u64, total, with_replacement);
        loop {
            let mut sample = self.sample(with_replacement, fraction, Some(random.next_u64())).collect()?;
            // The fraction makes a sample that is too small as rare as one in ten thousand.
            if sample.len() >= count {
                shuffle(&mut sample, &mut random);
                sample.truncate(count);
                return Ok(sample);
            }
        }
    }

    fn sampled(&self, scope: &'static str) -> NewRdd {
        NewRdd::one_to_one(scope, self.core())
            .kind("PartitionwiseSampledRDD")
            .partitioned(self.core().partitioner.clone())
            .order_sensitive()
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// About so large a fraction of the records of each key. See [`Rdd::sample`]. Lazy; no shuffle; the map travels with the
    /// tasks. Every key must be in the map: as in Spark, an action that meets another one fails.
    ///
    /// # Panics
    ///
    /// If a fraction is negative or no number. Without replacement, one above 1 takes all records, as in Spark.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize((0..1000).map(|n| (n % 2, n)), 4);
    /// let sample = pairs.sample_by_key(false, [(0, 1.0), (1, 0.1)].into(), Some(7));
    /// assert_eq!(sample.filter(|(key, _)| *key == 0).count()?, 500);
    /// assert!(sample.count()? < 600);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sample_by_key(&self, with_replacement: bool, fractions: HashMap<K, f64>, seed: Option<u64>) -> Self {
        fractions.values().for_each(|fraction| check_mean(*fraction));
        let new = self.sampled("sampleByKey");
        let env = (fractions, seed.unwrap_or_else(any_seed));
        if with_replacement {
            self.with(env).map_partitions_as(new, |(means, seed), index, records: Records<(K, V)>| {
                let (means, mut random) = (means.clone(), SampleRandom::new(partition_seed(*seed, index)));
                records.flat_map(move |record| {
                    let mean = fraction_of(&means, &record.0);
                    std::iter::repeat_n(record, poisson(&mut random, mean) as usize)
                })
            })
        } else {
            self.with(env).map_partitions_as(new, |(fractions, seed), index, records: Records<(K, V)>| {
                let (fractions, mut random) = (fractions.clone(), SampleRandom::new(partition_seed(*seed, index)));
                records.filter(move |record| {
                    let fraction = fraction_of(&fractions, &record.0);
                    random.next_f64() < fraction
                })
            })
        }
    }
}

/// Fisher and Yates.
fn shuffle<T>(records: &mut [T], random: &mut SampleRandom) {
    for last in (1..records.len()).rev() {
        records.swap(last, random.below(last as u64 + 1) as usize);
    }
}
