//! Sorted data sets.

use firesteel::{HashPartitioner, Partitioner};
use proptest::prelude::*;

use crate::common::{partitioned, sorted, spark};

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn sorting_sorts_over_all_partitions(
        partitions in prop::collection::vec(prop::collection::vec((0u8..50, any::<u16>()), 0..30), 1..5),
        wanted in 1u32..6,
        ascending: bool,
    ) {
        let rdd = partitioned(&partitions);
        let all = partitions.concat();
        let mut keys = sorted(all.iter().map(|pair| pair.0));
        if !ascending {
            keys.reverse();
        }
        let by_key = rdd.sort_by_key_with(ascending, wanted).unwrap();
        prop_assert!(by_key.num_partitions() <= wanted);
        let pairs = by_key.collect().unwrap();
        prop_assert_eq!(pairs.iter().map(|pair| pair.0).collect::<Vec<_>>(), keys);
        prop_assert_eq!(sorted(pairs), sorted(all.clone()));
        let by_value: Vec<u16> = rdd.sort_by(|pair| pair.1, ascending).unwrap().values().collect().unwrap();
        let mut values = sorted(all.iter().map(|pair| pair.1));
        if !ascending {
            values.reverse();
        }
        prop_assert_eq!(by_value, values);
        let within = by_key.filter_by_range(10, 20).keys().collect().unwrap();
        prop_assert_eq!(sorted(within), sorted(all.iter().map(|pair| pair.0).filter(|key| (10..=20).contains(key))));
    }

    #[test]
    fn partitions_are_sorted_by_themselves(
        partitions in prop::collection::vec(prop::collection::vec((0u8..50, any::<u16>()), 0..30), 1..5),
        wanted in 1u32..6,
    ) {
        let partitioner = HashPartitioner::new(wanted);
        let rdd = partitioned(&partitions);
        for sorted_within in [
            rdd.repartition_and_sort_within_partitions(&partitioner),
            rdd.partition_by(&partitioner).repartition_and_sort_within_partitions(&partitioner),
        ] {
            let parts = sorted_within.collect_partitions().unwrap();
            for (index, part) in (0..).zip(&parts) {
                prop_assert!(part.iter().all(|pair| partitioner.partition(&pair.0) == index));
                prop_assert!(part.windows(2).all(|pair| pair[0].0 <= pair[1].0));
            }
            prop_assert_eq!(sorted(parts.concat()), sorted(partitions.concat()));
        }
    }
}

#[test]
fn skewed_input_is_split_evenly_too() {
    // One partition has nearly everything, and keys of its own range.
    let skewed =
        partitioned(&[(0..20_000u32).map(|n| (n, ())).collect(), vec![(30_000, ())], vec![], vec![(40_000, ())]]);
    let sizes: Vec<usize> =
        skewed.sort_by_key_with(true, 4).unwrap().collect_partitions().unwrap().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 20_002);
    assert!(sizes.iter().all(|size| (2_000..9_000).contains(size)), "{sizes:?}");
}

#[test]
fn a_range_of_a_sorted_data_set_reads_only_its_partitions() {
    let sorted = spark().parallelize((0..1000u32).map(|n| (n, n)), 4).sort_by_key(false).unwrap();
    let some = sorted.filter_by_range(100, 102);
    assert!(some.num_partitions() < sorted.num_partitions());
    assert_eq!(some.keys().collect().unwrap(), [102, 101, 100]);
    assert_eq!(sorted.filter_by_range(5, 4).count().unwrap(), 0);
}

#[test]
fn sorting_takes_an_environment() {
    let numbers = spark().parallelize([5i32, 1, 9], 2);
    let nearest = numbers.with(8).sort_by(|to, n| (n - to).abs(), true).unwrap();
    assert_eq!(nearest.collect().unwrap(), [9, 5, 1]);
}
