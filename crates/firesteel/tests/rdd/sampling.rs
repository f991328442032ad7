//! Samples and splits.

use firesteel::SparkError;
use proptest::prelude::*;

use crate::common::{partitioned, sorted, spark};

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn samples_come_from_the_data_set(
        sizes in prop::collection::vec(0u32..200, 1..4), fraction in 0.0..=1.0, seed: u64,
    ) {
        let partitions: Vec<Vec<u32>> = sizes.iter().map(|size| (0..*size).collect()).collect();
        let rdd = partitioned(&partitions).zip_with_index().unwrap().values();
        let total = rdd.count().unwrap();
        let sample = rdd.sample(false, fraction, Some(seed)).collect().unwrap();
        prop_assert!(sample.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
        prop_assert!(sample.iter().all(|record| *record < total));
        prop_assert_eq!(&rdd.sample(false, fraction, Some(seed)).collect().unwrap(), &sample);
        let repeated = rdd.sample(true, fraction * 3.0, Some(seed)).collect().unwrap();
        prop_assert!(repeated.windows(2).all(|pair| pair[0] <= pair[1]));
        let parts = rdd.random_split(&[1.0, fraction, 0.5], Some(seed));
        let mut all = Vec::new();
        for part in &parts {
            all.extend(part.collect().unwrap());
        }
        prop_assert_eq!(sorted(all), (0..total).collect::<Vec<_>>(), "each record in exactly one part");
        let taken = sorted(rdd.take_sample(false, 20, Some(seed)).unwrap());
        prop_assert_eq!(taken.len() as u64, total.min(20));
        prop_assert!(taken.windows(2).all(|pair| pair[0] != pair[1]));
        let with_replacement = rdd.take_sample(true, 20, Some(seed)).unwrap();
        prop_assert_eq!(with_replacement.len(), if total == 0 { 0 } else { 20 });
    }
}

#[test]
fn fractions_by_key_are_kept() {
    let pairs = spark().parallelize((0..30_000u32).map(|n| (n % 3, n)), 4);
    for with_replacement in [false, true] {
        let sample = pairs.sample_by_key(with_replacement, [(0, 0.1), (1, 0.9), (2, 0.0)].into(), Some(11));
        let counts = sample.count_by_key().unwrap();
        assert!((800..1200).contains(&counts[&0]), "{counts:?}");
        assert!((8700..9300).contains(&counts[&1]), "{counts:?}");
        assert_eq!(counts.get(&2), None);
        let error = pairs.sample_by_key(with_replacement, [(0, 0.1), (1, 0.9)].into(), Some(11)).count().unwrap_err();
        assert!(error.to_string().contains("a record's key is not among the fractions"), "{error}");
    }
}

#[test]
fn a_fraction_of_a_key_above_one_takes_all_of_its_records() {
    let pairs = spark().parallelize((0..100u32).map(|n| (n % 2, n)), 4);
    let sample = pairs.sample_by_key(false, [(0, 1.5), (1, 0.0)].into(), Some(11));
    assert_eq!(sample.count().unwrap(), 50);
}

#[test]
fn more_records_than_a_driver_may_hold_are_no_sample() {
    let error = spark().parallelize([1], 1).take_sample(true, usize::MAX, None).unwrap_err();
    assert!(matches!(&error, SparkError::InvalidArgument(message) if message.contains("use sample")), "{error}");
}

#[test]
#[should_panic(expected = "the sampling fraction must be on interval [0, 1]: 1.5")]
fn a_fraction_above_one_needs_replacement() {
    spark().parallelize([1], 1).sample(false, 1.5, None);
}

/// No record would be in any part.
#[test]
#[should_panic(expected = "the sum of the weights must be positive and finite")]
fn weights_without_bounds_are_refused() {
    spark().parallelize([1], 1).random_split(&[1.0, f64::INFINITY], None);
}
