//! Operations on whole partitions.

use firesteel::SparkError;
use proptest::prelude::*;

use crate::common::{partitioned, sorted, spark};

fn records() -> impl Strategy<Value = Vec<Vec<u16>>> {
    prop::collection::vec(prop::collection::vec(any::<u16>(), 0..12), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn partitions_are_seen_as_they_are(partitions in records()) {
        let rdd = partitioned(&partitions);
        prop_assert_eq!(&rdd.glom().collect().unwrap(), &partitions);
        prop_assert_eq!(&rdd.collect_partitions().unwrap(), &partitions);
        let expected: Vec<(u16, u64)> = partitions.concat().into_iter().zip(0..).collect();
        prop_assert_eq!(rdd.zip_with_index().unwrap().collect().unwrap(), expected);
        let ids = rdd.zip_with_unique_id().values().collect().unwrap();
        let distinct = sorted(ids.clone());
        prop_assert!(distinct.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", ids);
        let squares = rdd.map(|n| u32::from(n) * u32::from(n));
        let expected: Vec<(u16, u32)> =
            partitions.concat().into_iter().map(|n| (n, u32::from(n) * u32::from(n))).collect();
        prop_assert_eq!(rdd.zip(&squares).unwrap().collect().unwrap(), expected);
    }

    #[test]
    fn coalescing_keeps_the_order(partitions in records(), wanted in 1u32..8) {
        let coalesced = partitioned(&partitions).coalesce(wanted);
        prop_assert_eq!(coalesced.num_partitions(), wanted.min(partitions.len() as u32));
        prop_assert_eq!(coalesced.collect().unwrap(), partitions.concat());
    }

    #[test]
    fn repartitioning_keeps_the_records_and_evens_them_out(partitions in records(), wanted in 1u32..8) {
        let parts = partitioned(&partitions).repartition(wanted).collect_partitions().unwrap();
        prop_assert_eq!(parts.len() as u32, wanted);
        // Each of the old partitions gives the new ones the same number, or one more to some.
        let (least, most) = (parts.iter().map(Vec::len).min().unwrap(), parts.iter().map(Vec::len).max().unwrap());
        prop_assert!(most - least <= partitions.len());
        prop_assert_eq!(sorted(parts.concat()), sorted(partitions.concat()));
    }
}

#[test]
fn zipping_what_does_not_fit_is_an_error() {
    let (two, three) = (spark().parallelize(0..6, 2), spark().parallelize(0..6, 3));
    let error = two.zip(&three).unwrap_err();
    assert!(matches!(&error, SparkError::InvalidArgument(_)), "{error}");
    assert!(error.to_string().contains("unequal numbers of partitions: 2 and 3"), "{error}");
    let longer = spark().parallelize(0..7, 2);
    let error = two.zip(&longer).unwrap().count().unwrap_err().to_string();
    assert!(error.contains("Can only zip RDDs with same number of elements in each partition"), "{error}");
}

#[test]
fn partitions_are_zipped_with_an_environment() {
    let (left, right) = (spark().parallelize(1..=4, 2), spark().parallelize([10, 20], 2));
    let scaled =
        left.with(100).zip_partitions(&right, |factor, left, right| [left.sum::<i32>() * factor + right.sum::<i32>()]);
    assert_eq!(scaled.unwrap().collect().unwrap(), [310, 720]);
    let letters = spark().parallelize(['a', 'b', 'c'], 2);
    let three = left.with(100).zip_partitions3(&letters, &right, |factor, left, letters, right| {
        [(left.sum::<i32>() * factor + right.sum::<i32>(), letters.collect::<String>())]
    });
    assert_eq!(three.unwrap().collect().unwrap(), [(310, "a".to_owned()), (720, "bc".to_owned())]);
    let four = left.with(100).zip_partitions4(&letters, &right, &letters, |factor, left, letters, right, more| {
        [(left.sum::<i32>() * factor + right.sum::<i32>(), letters.chain(more).collect::<String>())]
    });
    let four = four.unwrap();
    assert_eq!(four.collect().unwrap(), [(310, "aa".to_owned()), (720, "bcbc".to_owned())]);
    assert!(four.to_debug_string().starts_with("(2) ZippedPartitionsRDD4["), "{}", four.to_debug_string());
    let error = left.zip_partitions3(&right, &spark().parallelize(0..3, 3), |_, _, _| [0]).unwrap_err();
    assert!(error.to_string().ends_with("unequal numbers of partitions: 2 and 2 and 3"), "{error}");
}

#[test]
fn the_lineage_is_drawn_as_in_spark() {
    let numbers = spark().parallelize([(1u8, 1)], 2);
    let joined = numbers.map_values(|v| v + 1).reduce_by_key_with(|a, b| a + b, 12).union(&numbers);
    let text = joined.to_debug_string();
    let shape: Vec<String> = text.lines().map(|line| line.split('[').next().unwrap().to_owned()).collect();
    assert_eq!(
        shape,
        [
            "(14) UnionRDD",
            " |   ShuffledRDD",
            " +-(2) MapPartitionsRDD",
            "    |  ParallelCollectionRDD",
            " |   ParallelCollectionRDD",
        ],
        "{text}"
    );
    assert!(text.contains("at reduceByKey at partitions.rs:"), "{text}");
}

#[test]
fn sources_refuse_to_have_no_partition() {
    let message = |make: fn() -> u32| {
        let refused = std::panic::catch_unwind(make).unwrap_err();
        let constant = refused.downcast_ref::<&str>().map(|text| (*text).to_owned());
        refused.downcast_ref::<String>().cloned().or(constant)
    };
    let makes: [fn() -> u32; 3] = [
        || spark().parallelize([1, 2], 0).num_partitions(),
        || spark().parallelize(Vec::<i32>::new(), 0).num_partitions(),
        || spark().range(0, 10, 1, 0).num_partitions(),
    ];
    for make in makes {
        assert_eq!(message(make).as_deref(), Some("Positive number of partitions required"));
    }
    assert_eq!(spark().parallelize(Vec::<i32>::new(), 3).num_partitions(), 3);
}

/// Not all of its fields are always written, which a reader of bytes without names cannot know.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Sale {
    #[serde(skip_serializing_if = "is_zero", default)]
    discount: u64,
    price: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[test]
fn records_that_would_come_back_as_fewer_are_an_error() {
    let sales = spark().range(0, 12, 1, 3).map(|_| Sale { discount: 0, price: 10 });
    assert_eq!(sales.map(|sale| sale.price + sale.discount).sum().unwrap(), 120);
    let error = sales.repartition(2).count().unwrap_err();
    assert!(error.to_string().contains("did not come back as they were written"), "{error}");
}
