//! Data sets as sets and bags.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::common::{partitioned, sorted, spark};

fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(0u8..12, 0..10), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn set_operations_are_those_of_sets(left in records(), right in records()) {
        let (a, b) = (partitioned(&left), partitioned(&right));
        let (lefts, rights) = (left.concat(), right.concat());
        let set = |records: &[u8]| records.iter().copied().collect::<BTreeSet<u8>>();
        prop_assert_eq!(a.union(&b).collect().unwrap(), [lefts.clone(), rights.clone()].concat());
        prop_assert_eq!(sorted(a.distinct().collect().unwrap()), set(&lefts).into_iter().collect::<Vec<_>>());
        let both: Vec<u8> = set(&lefts).intersection(&set(&rights)).copied().collect();
        prop_assert_eq!(&sorted(a.intersection(&b).collect().unwrap()), &both);
        prop_assert_eq!(&sorted(a.intersection_with(&b, 2).collect().unwrap()), &both);
        let rest = sorted(lefts.iter().filter(|record| !rights.contains(record)).copied());
        prop_assert_eq!(&sorted(a.subtract(&b).collect().unwrap()), &rest);
        prop_assert_eq!(&sorted(a.subtract_with(&b, 3).collect().unwrap()), &rest);
        let product: Vec<(u8, u8)> = lefts.iter().flat_map(|l| rights.iter().map(move |r| (*l, *r))).collect();
        prop_assert_eq!(sorted(a.cartesian(&b).collect().unwrap()), sorted(product));
    }
}

#[test]
fn distinct_needs_no_shuffle_behind_a_partitioner() {
    let pairs = partitioned(&[vec![(1u8, 1u8), (2, 2)], vec![(1, 1), (1, 2)]]).partition_by(3);
    let distinct = pairs.distinct();
    assert_eq!(distinct.partitioner(), pairs.partitioner());
    assert_eq!(distinct.to_debug_string().matches("+-").count(), 1, "{}", distinct.to_debug_string());
    assert_eq!(sorted(distinct.collect().unwrap()), [(1, 1), (1, 2), (2, 2)]);
}

#[test]
fn a_union_of_data_sets_partitioned_alike_is_too() {
    let (a, b) =
        (spark().parallelize([(1u8, 1)], 2).partition_by(3), spark().parallelize([(1u8, 2)], 2).partition_by(3));
    let union = a.union(&b);
    assert_eq!((union.num_partitions(), union.partitioner()), (3, a.partitioner()));
    let groups = union.group_by_key();
    assert!(!groups.dependencies()[0].is_shuffle());
    assert_eq!(groups.collect().unwrap(), [(1, vec![1, 2])]);
}

#[test]
fn nothing_is_a_data_set_too() {
    let empty = spark().empty_rdd::<u8>();
    assert_eq!((empty.num_partitions(), empty.count().unwrap()), (0, 0));
    let one = spark().parallelize([1u8], 1);
    assert_eq!(one.union(&empty).collect().unwrap(), [1]);
    assert_eq!(one.cartesian(&empty).count().unwrap(), 0);
    assert_eq!(empty.distinct().count().unwrap(), 0);
    assert_eq!(empty.map(|n| (n, n)).reduce_by_key(|a, _| a).count().unwrap(), 0);
    assert_eq!(empty.map(|n| (n, n)).sort_by_key(true).unwrap().count().unwrap(), 0);
    assert!(spark().union::<u8>(&[]).is_empty().unwrap());
}

/// A record that has no fields has no bytes either.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
struct Nothing;

#[test]
fn records_without_bytes_go_through_every_shuffle() {
    let nothings = spark().parallelize(vec![Nothing; 100], 7);
    assert_eq!(nothings.repartition(5).count().unwrap(), 100);
    assert_eq!(nothings.distinct().collect().unwrap(), [Nothing]);
    assert_eq!(nothings.intersection(&nothings).collect().unwrap(), [Nothing]);
    assert_eq!(nothings.sort_by(|nothing| *nothing, true).unwrap().count().unwrap(), 100);
    let pairs = nothings.map(|nothing| (nothing, ()));
    assert_eq!(pairs.partition_by(3).count().unwrap(), 100);
    assert_eq!(pairs.group_by_key().collect().unwrap(), [(Nothing, vec![(); 100])]);
    assert_eq!(pairs.reduce_by_key(|(), ()| ()).count().unwrap(), 1);
    assert_eq!(pairs.join(&pairs).count().unwrap(), 10_000);
}

/// As many partitions as an index can count, and one more.
#[test]
fn a_union_of_too_many_partitions_is_refused_when_it_is_made() {
    let half = |partitions| spark().range(0, 1, 1, partitions);
    let (most, one_more) = (half((1 << 31) - 1), half(1 << 31));
    assert_eq!(one_more.union(&most).num_partitions(), u32::MAX);
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one_more.union(&one_more).num_partitions()));
    let message = refused.unwrap_err();
    let message = message.downcast_ref::<String>().map(String::as_str).or(message.downcast_ref::<&str>().copied());
    let message = message.expect("a panic with a message");
    assert!(message.contains("the partitions of a union must be fewer than 2^32"), "{message}");
}
