//! Numbers.

use firesteel::SparkError;
use proptest::prelude::*;

use crate::common::{partitioned, spark};

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn statistics_are_those_of_all(partitions in prop::collection::vec(prop::collection::vec(-100i32..100, 0..20), 1..5)) {
        let rdd = partitioned(&partitions);
        let all = partitions.concat();
        prop_assert_eq!(rdd.sum().unwrap(), all.iter().map(|n| i64::from(*n)).sum::<i64>());
        let stats = rdd.stats().unwrap();
        prop_assert_eq!(stats.count(), all.len() as u64);
        if all.is_empty() {
            prop_assert!(rdd.variance().unwrap().is_nan());
            return Ok(());
        }
        let mean = all.iter().map(|n| f64::from(*n)).sum::<f64>() / all.len() as f64;
        prop_assert!((rdd.mean().unwrap() - mean).abs() < 1e-9);
        prop_assert_eq!(stats.max(), f64::from(*all.iter().max().unwrap()));
        let (bounds, counts) = rdd.histogram(4).unwrap();
        prop_assert_eq!(counts.iter().sum::<u64>(), all.len() as u64);
        prop_assert_eq!(bounds.len(), counts.len() + 1);
        let expected: Vec<u64> = (0..counts.len()).map(|bucket| {
            let last = bucket + 1 == counts.len();
            all.iter().map(|n| f64::from(*n)).filter(|n| {
                *n >= bounds[bucket] && (*n < bounds[bucket + 1] || last && *n == bounds[bucket + 1])
            }).count() as u64
        }).collect();
        prop_assert_eq!(counts, expected);
    }
}

#[test]
fn histograms_refuse_what_they_cannot_count() {
    let numbers = spark().parallelize([1.0, f64::NAN], 2);
    assert!(matches!(numbers.histogram(2), Err(SparkError::InvalidArgument(_))));
    assert!(matches!(spark().parallelize(Vec::<f64>::new(), 2).histogram(2), Err(SparkError::InvalidArgument(_))));
    assert!(matches!(numbers.histogram_within(&[2.0, 1.0]), Err(SparkError::InvalidArgument(_))));
    assert!(matches!(numbers.histogram_within(&[2.0]), Err(SparkError::InvalidArgument(_))));
    assert_eq!(numbers.histogram_within(&[0.0, 1.0]).unwrap(), [1]);
    let (bounds, counts) = spark().parallelize([3, 3], 2).histogram(5).unwrap();
    assert_eq!((bounds, counts), (vec![3.0, 3.0], vec![2]));
}

#[test]
fn buckets_span_all_that_a_number_can_be() {
    let numbers = spark().parallelize([-1e308, -1.0, 1.0, 1e308], 2);
    assert_eq!(numbers.histogram(2).unwrap(), (vec![-1e308, 0.0, 1e308], vec![2, 2]));
    let (bounds, counts) = spark().parallelize([f64::MIN, 0.5, f64::MAX], 2).histogram(3).unwrap();
    assert_eq!((bounds[0], bounds[3], counts), (f64::MIN, f64::MAX, vec![1, 1, 1]));
    // The width fits, and a multiple of it does not.
    let (bounds, counts) = spark().parallelize([0.0, 1e308], 1).histogram(1000).unwrap();
    assert!(bounds.iter().all(|bound| bound.is_finite()), "{bounds:?}");
    assert_eq!((counts.len(), counts[0], counts[999]), (1000, 1, 1));
}

#[test]
fn statistics_of_what_is_not_a_number_are_not_numbers() {
    for partitions in 1..=3 {
        let stats = spark().parallelize([1.0, f64::NAN, 3.0], partitions).stats().unwrap();
        assert!(stats.max().is_nan() && stats.min().is_nan() && stats.mean().is_nan(), "{stats:?}");
    }
}

#[test]
fn a_sum_that_does_not_fit_is_an_error() {
    let error = spark().parallelize([i64::MAX, 1], 1).sum().unwrap_err().to_string();
    assert!(error.contains("does not fit into 64 bits"), "{error}");
    assert!(spark().parallelize([i64::MAX, 1], 2).sum().is_err());
}

#[test]
fn statistics_of_no_partition_are_none_and_those_of_an_empty_one_count_nothing() {
    let none = spark().empty_rdd::<i64>();
    assert!(matches!(none.stats(), Err(SparkError::EmptyCollection { operation: "stats" })));
    assert!(none.mean().is_err() && none.stdev().is_err());
    assert_eq!(none.sum().unwrap(), 0);
    assert_eq!(spark().parallelize([0_i64; 0], 2).stats().unwrap().count(), 0);
}
