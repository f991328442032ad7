//! Actions.

use firesteel::{BoundedDouble, SparkConf, SparkContext, SparkError, StorageLevel, TaskEndReason};
use proptest::prelude::*;

use serde::{Deserialize, Deserializer, Serialize};

use crate::common::{partitioned, sorted, spark};

fn records() -> impl Strategy<Value = Vec<Vec<i32>>> {
    prop::collection::vec(prop::collection::vec(-1000i32..1000, 0..12), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn actions_are_those_of_the_concatenation(partitions in records(), count in 0usize..40) {
        let rdd = partitioned(&partitions);
        let all = partitions.concat();
        prop_assert_eq!(&rdd.collect().unwrap(), &all);
        prop_assert_eq!(rdd.count().unwrap(), all.len() as u64);
        prop_assert_eq!(rdd.take(count).unwrap(), all.iter().copied().take(count).collect::<Vec<_>>());
        prop_assert_eq!(rdd.is_empty().unwrap(), all.is_empty());
        prop_assert_eq!(rdd.first().ok(), all.first().copied());
        prop_assert_eq!(rdd.min().ok(), all.iter().min().copied());
        prop_assert_eq!(rdd.max().ok(), all.iter().max().copied());
        prop_assert_eq!(rdd.reduce(|a, b| a.wrapping_add(b)).ok(), all.iter().copied().reduce(|a, b| a + b));
        prop_assert_eq!(rdd.fold(0, |a, b| a + b).unwrap(), all.iter().sum::<i32>());
        let texts = rdd.aggregate(String::new(), |text, n| text + &n.to_string(), |a, b| a + &b).unwrap();
        prop_assert_eq!(texts, all.iter().map(i32::to_string).collect::<String>());
        let mut least = sorted(all.clone());
        let greatest: Vec<i32> = least.iter().rev().take(count).copied().collect();
        least.truncate(count);
        prop_assert_eq!(rdd.take_ordered(count).unwrap(), least);
        prop_assert_eq!(rdd.top(count).unwrap(), greatest);
        prop_assert_eq!(rdd.to_local_iterator().collect::<Result<Vec<_>, _>>().unwrap(), all.clone());
        let counts = rdd.count_by_value().unwrap();
        prop_assert!(all.iter().all(|n| counts[n] == all.iter().filter(|other| *other == n).count() as u64));
        let by_parity = rdd.group_by(|n| n.rem_euclid(2)).collect_as_map().unwrap();
        prop_assert_eq!(by_parity.values().map(Vec::len).sum::<usize>(), all.len());
    }
}

#[test]
fn taking_reads_no_more_partitions_than_it_must() {
    // Whoever reads a partition but the first fails.
    let rdd = spark().parallelize(0..100, 50).map_partitions_with_index(|index, records| {
        assert!(index == 0, "partition {index} was read");
        records
    });
    assert_eq!(rdd.take(2).unwrap(), [0, 1]);
    assert_eq!(rdd.first().unwrap(), 0);
    let error = rdd.take(3).unwrap_err().to_string();
    assert!(error.contains("was read"), "{error}");
}

#[test]
fn actions_take_an_environment() {
    let rdd = spark().parallelize(1..=4, 2);
    assert_eq!(rdd.with(10).reduce(|most, a, b| (a + b).min(*most)).unwrap(), 10);
    assert_eq!(rdd.with(5).fold(0, |most, a, b| (a + b).min(*most)).unwrap(), 5);
    let text = rdd.with("-".to_owned()).aggregate(
        String::new(),
        |dash, text, n| text + dash + &n.to_string(),
        |_, a, b| a + &b,
    );
    assert_eq!(text.unwrap(), "-1-2-3-4");
    assert_eq!(rdd.with(3i32).take_ordered_by(2, |to, a, b| (a - to).abs().cmp(&(b - to).abs())).unwrap(), [3, 2]);
    assert_eq!(rdd.with(7).run_job(|plus, records| records.sum::<i32>() + plus).unwrap(), [10, 14]);
    rdd.with(4).foreach(|most, n| assert!(n <= *most)).unwrap();
    rdd.with(2).foreach_partition(|count, records| assert_eq!(records.count(), *count)).unwrap();
}

/// As in Spark, whose `Ordering.max` keeps the left one. (`Ord::max` keeps the right one.)
#[test]
fn of_equal_extremes_the_first_is_given() {
    let words = ["tin", "oak", "flint", "steel", "ash"].map(str::to_owned);
    for partitions in 1..=5 {
        let words = spark().parallelize(words.clone(), partitions);
        let length = |left: &String, right: &String| left.len().cmp(&right.len());
        assert_eq!(words.max_by(length).unwrap(), "flint");
        assert_eq!(words.min_by(length).unwrap(), "tin");
        let to_four =
            |four: &usize, left: &String, right: &String| left.len().abs_diff(*four).cmp(&right.len().abs_diff(*four));
        assert_eq!(words.with(4).max_by(to_four).unwrap(), "tin");
        assert_eq!(words.with(5).min_by(to_four).unwrap(), "flint");
    }
}

/// The order that Spark's `max` and `min` have for numbers, `Double.compare`.
#[test]
fn extremes_of_floating_point_numbers_are_those_of_the_total_order() {
    for partitions in 1..=4 {
        let numbers = spark().parallelize([0.0, f64::NAN, -0.0, 2.0], partitions);
        assert!(numbers.max_by(f64::total_cmp).unwrap().is_nan());
        assert_eq!(numbers.min_by(f64::total_cmp).unwrap().to_bits(), (-0.0f64).to_bits());
        let nothing = spark().parallelize([f64::NAN], partitions);
        assert!(nothing.min_by(f64::total_cmp).unwrap().is_nan());
    }
}

#[test]
fn what_a_task_meets_is_what_the_action_says() {
    let error = spark().parallelize([1, 0], 2).map(|n| 1 / n).collect().unwrap_err();
    let SparkError::JobFailed { cause: Some(cause), .. } = &error else { panic!("{error:?}") };
    assert!(matches!(&**cause, TaskEndReason::ExceptionFailure { class_name, .. } if class_name == "panic"), "{cause}");
    assert!(error.to_string().contains("divide by zero"), "{error}");
    let empty = spark().parallelize(Vec::<i32>::new(), 2);
    assert!(matches!(empty.reduce(|a, _| a), Err(SparkError::EmptyCollection { operation: "reduce" })));
    assert!(matches!(empty.first(), Err(SparkError::EmptyCollection { operation: "first" })));
    let mut records = spark().parallelize([1, 0], 2).map(|n| 1 / n).to_local_iterator();
    assert_eq!(records.next().unwrap().unwrap(), 1);
    assert!(records.next().unwrap().is_err());
    assert!(records.next().is_none(), "nothing follows an error");
}

#[test]
fn trees_of_reductions_give_what_reductions_give() {
    for (partitions, depth) in [(1, 1), (2, 2), (7, 2), (40, 2), (40, 3), (64, 5)] {
        let numbers = spark().range(0, 500, 1, partitions);
        assert_eq!(
            numbers.tree_reduce(|a, b| a + b, depth).unwrap(),
            124_750,
            "{partitions} partitions, depth {depth}"
        );
        let largest = numbers.with(100).tree_aggregate(0, |most, a, n| n.min(*most).max(a), |_, a, b| a.max(b), depth);
        assert_eq!(largest.unwrap(), 100);
    }
    // A zero value that is none goes in as often as in Spark: for each partition, and for each result at each level.
    for (depth, sum) in [(1, 5151), (2, 5161), (3, 5175)] {
        let numbers = spark().range(0, 100, 1, 100);
        assert_eq!(numbers.tree_aggregate(1, |sum, n| sum + n, |a, b| a + b, depth).unwrap(), sum, "depth {depth}");
    }
    assert!(matches!(
        spark().empty_rdd::<i32>().tree_reduce(|a, _| a, 2),
        Err(SparkError::EmptyCollection { operation: "treeReduce" })
    ));
    assert!(matches!(spark().range(0, 1, 1, 1).tree_reduce(|a, _| a, 0), Err(SparkError::InvalidArgument(_))));
}

#[test]
fn actions_in_the_background_end_like_others() {
    let numbers = spark().range(0, 100, 1, 20);
    let (counting, collecting) = (numbers.count_async(), numbers.collect_async());
    assert_eq!(collecting.get().unwrap(), (0..100).collect::<Vec<_>>());
    assert_eq!(counting.get().unwrap(), 100);
    assert_eq!(numbers.take_async(12).unwrap().get().unwrap(), (0..12).collect::<Vec<_>>());
    numbers.with(100).foreach_async(|most, n| assert!(n < *most)).get().unwrap();
    let sums = spark().collection_accumulator("sums");
    numbers.with(sums.clone()).foreach_partition_async(|sums, records| sums.add(records.sum::<i64>())).get().unwrap();
    assert_eq!(sorted(sums.value()), (0..20).map(|n| 25 * n + 10).collect::<Vec<_>>());
    let error = numbers.foreach_partition_async(|_| panic!("not today")).get().unwrap_err().to_string();
    assert!(error.contains("not today"), "{error}");
    let error = numbers.map(|n| 1 / (n - 50)).count_async().get().unwrap_err().to_string();
    assert!(error.contains("divide by zero"), "{error}");
}

/// A record that cannot be read back.
#[derive(Clone, serde::Serialize)]
struct Unreadable;

impl<'de> serde::Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("nobody can read this")
    }
}

#[test]
fn an_action_in_the_background_that_panics_keeps_nobody_waiting() {
    let collecting = spark().parallelize([1], 1).map(|_| Unreadable).collect_async();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| collecting.get().map(drop))).unwrap_err();
    assert_eq!(caught.downcast_ref::<&str>(), Some(&"nobody can read this"));
}

#[test]
fn a_cancelled_action_ends_early() {
    // It would go on for centuries.
    let counting = spark().range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
    assert!(!counting.is_completed());
    counting.cancel();
    assert!(counting.is_cancelled());
    let error = counting.get().unwrap_err();
    let SparkError::JobFailed { job_id, message, cause: None } = &error else { panic!("{error:?}") };
    assert_eq!(*message, format!("Job {job_id} cancelled by FutureAction::cancel"));
}

/// Whatever would start a job inside a task is refused there, also where the task would not wait for it.
#[test]
fn jobs_of_tasks_are_refused() {
    use std::time::Duration;
    let errors = spark().range(0, 1, 1, 1).flat_map(|_| {
        let numbers = spark().range(0, 10, 1, 2);
        let error = |error: Option<SparkError>| error.map(|error| error.to_string()).unwrap_or_default();
        [
            error(numbers.count().err()),
            error(numbers.take(1).err()),
            error(numbers.sort_by(|n| -n, true).err()),
            error(numbers.count_async().get().err()),
            error(numbers.take_async(1).map(|taking| taking.get()).and_then(|taken| taken).err()),
            error(numbers.count_approx(Duration::from_secs(600), 0.9).err()),
            error(SparkContext::new(&SparkConf::new()).err()),
        ]
    });
    let errors = errors.collect().unwrap();
    assert_eq!(errors.len(), 7);
    for (error, operation) in
        errors.iter().zip(["count", "take", "sort", "count", "take", "count", "SparkContext::new"])
    {
        assert!(error.starts_with(operation), "{error}");
        let said =
            ["was called inside a task (stage ", ", partition 0)", "can only be invoked by the driver", "SPARK-28702"];
        assert!(said.iter().all(|words| error.contains(words)), "{error}");
    }
    assert_eq!(spark().range(0, 10, 1, 2).count().unwrap(), 10, "outside of it all is as ever");
}

/// A record whose `Serialize` fails if it is 7.
#[derive(Clone, PartialEq, Eq, Hash, serde::Deserialize)]
struct Fussy(i64);

impl serde::Serialize for Fussy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 7 { Err(serde::ser::Error::custom("seven is odd")) } else { serializer.serialize_i64(self.0) }
    }
}

#[test]
fn what_a_record_says_of_its_encoding_is_told() {
    let fussy = spark().range(0, 10, 1, 2).map(Fussy);
    let result = fussy.collect().map(drop);
    let by_key = fussy.map(|record| (record, 1)).reduce_by_key_with(|left, right| left + right, 2).count().map(drop);
    let dealt = fussy.repartition(3).count().map(drop);
    let cached = fussy.persist(StorageLevel::DISK_ONLY).unwrap().count().map(drop);
    let broadcast = spark().broadcast(vec![Fussy(7)]).map(drop);
    let sent = spark().parallelize((5..9).map(Fussy), 2).count().map(drop);
    for outcome in [result, by_key, dealt, cached, broadcast, sent] {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("its Serialize fails: seven is odd"), "{error}");
    }
}

#[test]
fn late_answers_come_with_bounds() {
    use std::time::Duration;
    let numbers = spark().range(0, 1000, 1, 8);
    let count = numbers.count_approx(Duration::from_secs(600), 0.9).unwrap();
    assert!(count.is_initial_value_final());
    assert_eq!((count.initial_value().mean, count.initial_value().low), (1000.0, 1000.0));
    let nothing_yet = numbers.sum_approx(Duration::ZERO, 0.9).unwrap();
    assert!(!nothing_yet.is_initial_value_final() || nothing_yet.initial_value().mean == 499_500.0);
    assert_eq!(nothing_yet.final_value().unwrap().mean, 499_500.0);
    assert_eq!(numbers.mean_approx(Duration::ZERO, 0.9).unwrap().final_value().unwrap().mean, 499.5);
    assert!(numbers.count_approx(Duration::ZERO, 1.5).is_err());
    let exact = |number: f64| BoundedDouble { mean: number, confidence: 1.0, low: number, high: number };
    let by_value = numbers.map(|n| n % 3).count_by_value_approx(Duration::ZERO, 0.9).unwrap();
    assert_eq!(by_value.final_value().unwrap(), [(0, exact(334.0)), (1, exact(333.0)), (2, exact(333.0))].into());
    let by_key = numbers.map(|n| (n % 2 == 0, n)).count_by_key_approx(Duration::from_secs(600), 0.9).unwrap();
    assert_eq!(*by_key.initial_value(), [(false, exact(500.0)), (true, exact(500.0))].into());
    assert!(numbers.count_by_value_approx(Duration::ZERO, -0.1).is_err());
    let error = numbers.map(|n| 1 / (n - 50)).count_approx(Duration::from_secs(600), 0.9).err().unwrap();
    assert!(error.to_string().contains("divide by zero"), "{error}");
    let distinct = numbers.map(|n| n % 100).count_approx_distinct(0.02).unwrap();
    assert!((90..110).contains(&distinct), "{distinct}");
}

/// A record that tasks can decode, and nobody else.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
struct ForTasks(u8);

impl<'de> Deserialize<'de> for ForTasks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert_eq!(std::thread::current().name(), Some("executor-task"), "not for drivers");
        u8::deserialize(deserializer).map(Self)
    }
}

#[test]
fn who_waits_for_an_estimate_is_told_that_its_outputs_cannot_be_decoded() {
    let records = spark().parallelize([1, 2, 1], 2).map(ForTasks);
    let an_hour = std::time::Duration::from_secs(3600);
    let estimate = records.count_by_value_approx(an_hour, 0.95).err().unwrap().to_string();
    assert!(estimate.contains("cannot be decoded") && estimate.contains("not for drivers"), "{estimate}");
    // The exact answer too, for whoever does not wait at first.
    let now = std::time::Duration::ZERO;
    let exact = records.count_by_value_approx(now, 0.95).and_then(|estimate| estimate.final_value());
    assert!(exact.is_err(), "{exact:?}");
}
