//! Operations on pairs, compared with maps in memory.

use std::collections::{BTreeMap, HashMap};

use crate::common::{partitioned, sorted, spark};
use firesteel::{HashPartitioner, Partitioner, Rdd};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

type Pairs = Vec<Vec<(u8, i64)>>;

fn pairs() -> impl Strategy<Value = Pairs> {
    prop::collection::vec(prop::collection::vec((0u8..12, -100i64..100), 0..20), 1..5)
}

fn grouped(partitions: &Pairs) -> BTreeMap<u8, Vec<i64>> {
    let mut groups: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
    partitions.iter().flatten().for_each(|(key, value)| groups.entry(*key).or_default().push(*value));
    groups
}

fn sums(partitions: &Pairs) -> BTreeMap<u8, i64> {
    grouped(partitions).into_iter().map(|(key, values)| (key, values.iter().sum())).collect()
}

fn as_map<V: firesteel::Data>(rdd: &Rdd<(u8, V)>) -> BTreeMap<u8, V> {
    let collected = rdd.collect().unwrap();
    let count = collected.len();
    let map: BTreeMap<u8, V> = collected.into_iter().collect();
    assert_eq!(map.len(), count, "a key came twice");
    map
}

/// Even keys to partition 0, odd ones to 1.
#[derive(Clone, Serialize, Deserialize)]
struct Parity;

impl Partitioner<u8> for Parity {
    fn partitions(&self) -> u32 {
        2
    }

    fn partition(&self, key: &u8) -> u32 {
        u32::from(*key % 2)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn combining_by_key_is_folding_a_map(partitions in pairs(), reducers in 1u32..6) {
        let rdd = partitioned(&partitions);
        let expected = sums(&partitions);
        prop_assert_eq!(&as_map(&rdd.reduce_by_key(|a, b| a + b)), &expected);
        prop_assert_eq!(&as_map(&rdd.reduce_by_key_with(|a, b| a + b, reducers)), &expected);
        prop_assert_eq!(&as_map(&rdd.fold_by_key(0, |a, b| a + b)), &expected);
        prop_assert_eq!(&as_map(&rdd.aggregate_by_key_with(0, |a, b| a + b, |a, b| a + b, reducers)), &expected);
        let combined = rdd.combine_by_key(|v| (v, 1u32), |(s, n), v| (s + v, n + 1), |a, b| (a.0 + b.0, a.1 + b.1));
        let expected_with_counts: BTreeMap<u8, (i64, u32)> =
            grouped(&partitions).into_iter().map(|(k, v)| (k, (v.iter().sum(), v.len() as u32))).collect();
        prop_assert_eq!(&as_map(&combined), &expected_with_counts);
        let locally: BTreeMap<u8, i64> = rdd.reduce_by_key_locally(|a, b| a + b).unwrap().into_iter().collect();
        prop_assert_eq!(&locally, &expected);
    }

    #[test]
    fn grouping_gathers_every_value(partitions in pairs(), reducers in 1u32..6) {
        let rdd = partitioned(&partitions);
        let expected: BTreeMap<u8, Vec<i64>> = grouped(&partitions).into_iter().map(|(k, v)| (k, sorted(v))).collect();
        for groups in [rdd.group_by_key(), rdd.group_by_key_with(reducers), rdd.partition_by(reducers).group_by_key()] {
            let groups: BTreeMap<u8, Vec<i64>> = as_map(&groups).into_iter().map(|(k, v)| (k, sorted(v))).collect();
            prop_assert_eq!(&groups, &expected);
        }
        let counts: BTreeMap<u8, u64> = rdd.count_by_key().unwrap().into_iter().collect();
        let expected_counts: BTreeMap<u8, u64> = expected.iter().map(|(k, v)| (*k, v.len() as u64)).collect();
        prop_assert_eq!(counts, expected_counts);
    }

    #[test]
    fn partitioning_moves_records_and_keeps_them(partitions in pairs(), reducers in 1u32..6) {
        let rdd = partitioned(&partitions);
        let partitioner = HashPartitioner::new(reducers);
        let parts = rdd.partition_by(&partitioner).collect_partitions().unwrap();
        prop_assert_eq!(parts.len() as u32, reducers);
        for (index, part) in (0..).zip(&parts) {
            prop_assert!(part.iter().all(|(key, _)| partitioner.partition(key) == index));
        }
        prop_assert_eq!(sorted(parts.concat()), sorted(partitions.concat()));
    }

    #[test]
    fn what_is_partitioned_already_is_combined_without_a_shuffle(partitions in pairs()) {
        let rdd = partitioned(&partitions).partition_by(&Parity);
        let reduced = rdd.reduce_by_key(|a, b| a + b);
        prop_assert_eq!(reduced.partitioner(), rdd.partitioner());
        prop_assert!(reduced.dependencies().iter().all(|dependency| !dependency.is_shuffle()));
        prop_assert_eq!(as_map(&reduced), sums(&partitions));
        let reduced = rdd.reduce_by_key_with(|a, b| a + b, &Parity);
        prop_assert!(reduced.dependencies().iter().all(|dependency| !dependency.is_shuffle()));
        prop_assert_eq!(as_map(&reduced), sums(&partitions));
    }

    #[test]
    fn lookup_finds_all_values(partitions in pairs(), key in 0u8..14) {
        let expected = sorted(grouped(&partitions).remove(&key).unwrap_or_default());
        let rdd = partitioned(&partitions);
        prop_assert_eq!(&sorted(rdd.lookup(&key).unwrap()), &expected);
        prop_assert_eq!(&sorted(rdd.partition_by(3).lookup(&key).unwrap()), &expected);
        prop_assert_eq!(&sorted(rdd.partition_by(&Parity).lookup(&key).unwrap()), &expected);
    }
}

#[test]
fn closures_may_bring_values_along() {
    let rdd = spark().parallelize([(1u8, 2i64), (1, 3), (2, 5)], 2);
    let scaled = rdd.with(10).map_values(|factor, value| value * factor).with(1000);
    assert_eq!(as_map(&scaled.clone().reduce_by_key(|cap, a, b| (a + b).min(*cap))), [(1, 50), (2, 50)].into());
    assert_eq!(as_map(&scaled.clone().fold_by_key(0, |cap, a, b| (a + b).min(*cap))), [(1, 50), (2, 50)].into());
    let most = scaled.clone().aggregate_by_key(0, |_, a, b| a.max(b), |_, a, b| a.max(b));
    assert_eq!(as_map(&most), [(1, 30), (2, 50)].into());
    let capped = scaled.combine_by_key_with(|cap, v| v.min(*cap), |_, a, b| a + b, |_, a, b| a + b, 3);
    assert_eq!(as_map(&capped), [(1, 50), (2, 50)].into());
    let repeated = rdd.with(2usize).flat_map_values(|times, value| vec![value; *times]);
    assert_eq!(repeated.values().collect().unwrap(), [2, 2, 3, 3, 5, 5]);
    let local = rdd.with(100).reduce_by_key_locally(|cap, a, b| (a + b).min(*cap)).unwrap();
    assert_eq!(local, HashMap::from([(1, 5), (2, 5)]));
    let numbers = spark().parallelize(1u8..=7, 3);
    let keyed = numbers.with(3).key_by(|modulus, n| n % modulus);
    assert_eq!(as_map(&keyed.map_values(i64::from).reduce_by_key(|a, b| a + b)), [(0, 9), (1, 12), (2, 7)].into());
    let groups = numbers.with(3).group_by(|modulus, n| n % modulus).map_values(sorted);
    assert_eq!(as_map(&groups), [(0, vec![3, 6]), (1, vec![1, 4, 7]), (2, vec![2, 5])].into());
}

#[test]
fn the_default_partitioner_is_the_largest_upstream_one() {
    let spark = spark();
    let rdd = spark.parallelize((0..100u8).map(|n| (n, 0i64)), 4);
    assert_eq!(rdd.reduce_by_key(|a, _| a).num_partitions(), 4);
    let (three, seven) = (rdd.partition_by(3), rdd.partition_by(7));
    assert_eq!(three.join(&seven).num_partitions(), 7);
    assert_eq!(seven.join(&rdd).num_partitions(), 7);
    assert_eq!(three.cogroup(&rdd).num_partitions(), 3, "few, but not by a factor of ten");
    let many = spark.parallelize((0..100u8).map(|n| (n, 0i64)), 40);
    assert_eq!(three.join(&many).num_partitions(), 40, "3 is less than a tenth of 40");
    // A partitioner of the user's own is taken over as well, though the operation does not know its type.
    let by_parity = rdd.partition_by(&Parity);
    let joined = by_parity.join(&rdd);
    assert_eq!((joined.num_partitions(), joined.partitioner()), (2, by_parity.partitioner()));
    assert_eq!(joined.count().unwrap(), 100);
}

#[test]
fn an_approximate_count_by_key_is_near() {
    let rdd = spark().parallelize((0..20_000u32).map(|n| (n % 2, n % 5000)), 4);
    for (_, count) in rdd.count_approx_distinct_by_key(0.05).collect().unwrap() {
        assert!((2000..3000).contains(&count), "{count}");
    }
}

#[test]
#[should_panic(expected = "Nowhere has no partitions")]
fn a_partitioner_without_partitions_loses_nothing() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Nowhere;
    impl Partitioner<u8> for Nowhere {
        fn partitions(&self) -> u32 {
            0
        }
        fn partition(&self, _key: &u8) -> u32 {
            0
        }
    }
    let _ = spark().parallelize([(1u8, 2i64)], 1).partition_by(&Nowhere);
}

#[test]
fn a_partitioner_that_goes_too_far_fails_the_job() {
    #[derive(Clone, Serialize, Deserialize)]
    struct TooFar;
    impl Partitioner<u8> for TooFar {
        fn partitions(&self) -> u32 {
            2
        }
        fn partition(&self, _key: &u8) -> u32 {
            2
        }
    }
    let pairs = spark().parallelize([(1u8, 2i64)], 1);
    let moved = pairs.partition_by(&TooFar).count();
    let combined = pairs.reduce_by_key_with(|left, right| left + right, &TooFar).count();
    for outcome in [moved, combined] {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("the partitioner gave partition 2"), "{error}");
    }
}
