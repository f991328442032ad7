//! Where to cut the range of keys so that partitions come out equal: Spark's `RangePartitioner`.
//!
//! The way is Spark's. Each partition gives a small sample and its number of records. A partition that has far more records
//! than its share of the sample stands for is sampled again, with the fraction that all others were sampled with.
//! Each sampled key weighs as many records as it stands for, and the bounds cut the sum of weights into equal parts.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Sampled keys for each partition of the result, Spark's `samplePointsPerPartitionHint`.
const POINTS_PER_PARTITION: f64 = 20.0;
/// No more keys than these come to the driver.
const SAMPLE_SIZE_MAX: f64 = 1e6;
/// Each partition is asked for more than its share, since partitions are of unlike size.
const OVERSAMPLING: f64 = 3.0;

/// How much to sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RangeSampling {
    sample_size: f64,
    input_partitions: u32,
}

/// What one input partition's sample says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PartitionSketch<K> {
    /// The number of records in the partition.
    pub records: u64,
    /// Some of their keys, each as likely as any other.
    pub sample: Vec<K>,
}

impl RangeSampling {
    /// For so many partitions of the input and of the result.
    pub fn new(input_partitions: u32, partitions: u32) -> Self {
        let sample_size = (POINTS_PER_PARTITION * f64::from(partitions)).min(SAMPLE_SIZE_MAX);
        Self { sample_size, input_partitions }
    }

    /// The size of the reservoir with which each input partition is sampled first.
    pub fn sample_size_per_partition(&self) -> usize {
        (OVERSAMPLING * self.sample_size / f64::from(self.input_partitions.max(1))).ceil() as usize
    }

    /// The fraction with which a partition is sampled again.
    pub fn fraction(&self, records: u64) -> f64 {
        (self.sample_size / (records.max(1) as f64)).min(1.0)
    }

    /// Whether this partition's sample is too small for its records, out of `records` in all. Such a partition is sampled again
    /// with [`BernoulliSample`](crate::BernoulliSample) and [`fraction`](Self::fraction).
    pub fn is_undersampled<K>(&self, sketch: &PartitionSketch<K>, records: u64) -> bool {
        self.fraction(records) * sketch.records as f64 > self.sample_size_per_partition() as f64
    }
}

/// Cuts keys into at most `partitions` parts of equal weight: gives the upper bound of each part but the last, ascending in the
/// order of `compare`. A key equal to a bound belongs to the part below it.
///
/// Each candidate is a sampled key with the number of records that it stands for: in a first sample `records / sample.len()`,
/// in a second one `1 / fraction`. The result depends on the candidates and their order only. Fewer parts come out if there
/// are few distinct keys.
pub fn range_bounds<K>(mut candidates: Vec<(K, f64)>, partitions: u32, compare: impl Fn(&K, &K) -> Ordering) -> Vec<K> {
    candidates.sort_by(|a, b| compare(&a.0, &b.0));
    let parts = (partitions as usize).min(candidates.len());
    let weights: f64 = candidates.iter().map(|candidate| candidate.1).sum();
    let step = weights / parts.max(1) as f64;
    let mut bounds: Vec<K> = Vec::new();
    let (mut cumulated, mut target) = (0.0, step);
    for (key, weight) in candidates {
        if bounds.len() + 1 >= parts {
            break;
        }
        cumulated += weight;
        if cumulated >= target && bounds.last().is_none_or(|last| compare(&key, last).is_gt()) {
            bounds.push(key);
            target += step;
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{BernoulliSample, partition_seed, reservoir_sample};

    /// The part that a key belongs to.
    fn part_of<K>(bounds: &[K], key: &K, compare: impl Fn(&K, &K) -> Ordering) -> usize {
        bounds.partition_point(|bound| compare(bound, key).is_lt())
    }

    /// The whole way, as a driver and its tasks go it.
    fn sampled_bounds(input: &[Vec<u64>], partitions: u32) -> Vec<u64> {
        let sampling = RangeSampling::new(input.len() as u32, partitions);
        let sketches: Vec<_> = (0..)
            .zip(input)
            .map(|(number, keys)| {
                let seed = partition_seed(42, number);
                let (sample, records) =
                    reservoir_sample(keys.iter().copied(), sampling.sample_size_per_partition(), seed);
                PartitionSketch { records, sample }
            })
            .collect();
        let records = sketches.iter().map(|sketch| sketch.records).sum();
        let mut candidates = Vec::new();
        for (number, sketch) in (0..).zip(sketches) {
            if sampling.is_undersampled(&sketch, records) {
                let fraction = sampling.fraction(records);
                let again = BernoulliSample::new(input[number as usize].iter(), fraction, partition_seed(43, number));
                candidates.extend(again.map(|key| (*key, 1.0 / fraction)));
            } else {
                let weight = sketch.records as f64 / sketch.sample.len().max(1) as f64;
                candidates.extend(sketch.sample.into_iter().map(|key| (key, weight)));
            }
        }
        range_bounds(candidates, partitions, u64::cmp)
    }

    fn shares(input: &[Vec<u64>], bounds: &[u64]) -> Vec<usize> {
        let mut shares = vec![0; bounds.len() + 1];
        for key in input.iter().flatten() {
            shares[part_of(bounds, key, u64::cmp)] += 1;
        }
        shares
    }

    #[test]
    fn partitions_are_about_equal_however_the_input_is_split() {
        let spread = |key: u64| key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let even: Vec<Vec<u64>> =
            (0..10).map(|part| (part * 10_000..(part + 1) * 10_000).map(spread).collect()).collect();
        // One partition has nearly all records, and keys of its own range.
        let mut uneven = vec![(0..91_000).map(|key| (1 << 50) + key).collect::<Vec<u64>>()];
        uneven.extend((0..9).map(|part| (part * 1_000..(part + 1) * 1_000).collect()));
        for input in [even, uneven] {
            let bounds = sampled_bounds(&input, 8);
            assert_eq!(bounds.len(), 7);
            let shares = shares(&input, &bounds);
            assert!(shares.iter().all(|share| (6_000..20_000).contains(share)), "{shares:?}");
            assert_eq!(sampled_bounds(&input, 8), bounds, "the seed decides");
        }
    }

    #[test]
    fn few_distinct_keys_make_few_partitions() {
        let bounds = range_bounds(vec![(1, 1.0), (2, 1.0), (1, 1.0), (2, 1.0)], 10, i32::cmp);
        assert_eq!(bounds, [1, 2]);
        assert_eq!([0, 1, 2, 3].map(|key| part_of(&bounds, &key, i32::cmp)), [0, 0, 1, 2]);
        assert_eq!(range_bounds(Vec::<(i32, f64)>::new(), 10, i32::cmp), []);
        assert_eq!(range_bounds(vec![(5, 1.0)], 1, i32::cmp), []);
    }

    #[test]
    fn weights_move_the_bounds() {
        let candidates = (0..10).map(|key| (key, if key == 0 { 9.0 } else { 1.0 })).collect();
        assert_eq!(range_bounds(candidates, 2, i32::cmp), [0], "half of the records are at the first key");
    }

    proptest! {
        /// Partitions follow each other, and every key is in one.
        #[test]
        fn keys_of_lower_partitions_are_lower(candidates in prop::collection::vec((any::<u8>(), 0.1..10.0), 0..100), partitions in 1u32..20) {
            let bounds = range_bounds(candidates, partitions, |a, b| b.cmp(a));
            prop_assert!(bounds.len() < partitions as usize);
            let of = |key: u8| part_of(&bounds, &key, |a, b| b.cmp(a));
            prop_assert!((0..u8::MAX).all(|key| of(key) >= of(key + 1)), "descending, as the order is");
        }
    }
}
