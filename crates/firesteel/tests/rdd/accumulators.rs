//! Accumulators: what tasks add, merged on the driver.

use firesteel::Accumulate;
use serde::{Deserialize, Serialize};

use crate::common::{sorted, spark};

/// The least and the greatest number; the driver must merge what tasks have, and not add it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Span(Option<(i64, i64)>);

impl Accumulate for Span {
    type Input = i64;

    fn add(&mut self, input: i64) {
        self.merge(Self(Some((input, input))));
    }

    fn merge(&mut self, other: Self) {
        self.0 = match (self.0, other.0) {
            (Some(left), Some(right)) => Some((left.0.min(right.0), left.1.max(right.1))),
            (left, right) => left.or(right),
        };
    }

    fn display(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[test]
fn accumulators_of_the_users_own_kind_are_merged() {
    let span = spark().accumulator::<Span>("span");
    assert_eq!(span.value(), Span(None));
    let numbers = spark().range(0, 100, 1, 8);
    numbers.with(span.clone()).foreach(|span, n| span.add((n - 30) * 2)).unwrap();
    assert_eq!((span.value(), span.count()), (Span(Some((-60, 138))), 100));
    // On the driver it is added at once.
    span.clone().add(1000);
    assert_eq!((span.value(), span.count()), (Span(Some((-60, 1000))), 101));
    span.reset();
    assert_eq!((span.value(), span.count()), (Span(None), 0));
}

#[test]
fn numbers_and_lists_know_how_often_they_were_added_to() {
    let (long, double) = (spark().long_accumulator("long"), spark().double_accumulator("double"));
    let list = spark().collection_accumulator("list");
    assert!(long.avg().is_nan() && double.avg().is_nan());
    let all = (long.clone(), double.clone(), list.clone());
    let add_all = spark().range(0, 10, 1, 4).with(all);
    add_all
        .foreach(|(long, double, list), n| {
            long.add(n);
            double.add(n as f64 / 4.0);
            list.add(n);
        })
        .unwrap();
    assert_eq!((long.value(), long.count(), long.avg()), (45, 10, 4.5));
    assert_eq!((double.value(), double.count(), double.avg()), (11.25, 10, 1.125));
    assert_eq!((sorted(list.value()), list.count()), ((0..10).collect(), 10));
}

#[test]
fn what_a_failed_task_has_added_does_not_count() {
    let added = spark().long_accumulator("added");
    let failing = spark().range(0, 1, 1, 1).with(added.clone());
    let error = failing.foreach(|added, _| {
        added.add(7);
        panic!("after the addition");
    });
    assert!(error.unwrap_err().to_string().contains("after the addition"));
    assert_eq!((added.value(), added.count()), (0, 0));
}

/// Whose code panics where it meets 13.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Superstitious(i64);

impl Accumulate for Superstitious {
    type Input = i64;

    fn add(&mut self, input: i64) {
        self.0 += input;
    }

    fn merge(&mut self, other: Self) {
        assert_ne!(other.0, 13, "not that number");
        self.0 += other.0;
    }

    fn display(&self) -> String {
        self.0.to_string()
    }
}

/// As in Spark: on the driver, an accumulator's own code costs its update at most.
#[test]
fn a_merge_that_panics_costs_its_update_and_nothing_else() {
    let sum = spark().accumulator::<Superstitious>("sum");
    let numbers = spark().parallelize([1, 13, 2], 3);
    numbers.with(sum.clone()).foreach(|sum, number| sum.add(number)).unwrap();
    assert_eq!(sum.value().0, 3);
    assert_eq!(numbers.count().unwrap(), 3, "the driver goes on");
}
