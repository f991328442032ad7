//! Broadcast variables (RT-55, RT-58).

mod harness;

use std::{collections::BTreeMap, sync::Arc};

use firesteel::{Broadcast, BroadcastError, Rdd, SparkContext, SparkError};
use harness::{wait_until, with_context};

/// Twice 4 MiB and a little: three pieces.
fn large() -> Vec<u64> {
    (0..1_100_000).map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

fn is_free(sc: &SparkContext) -> bool {
    sc.executor_memory_status().values().all(|memory| memory.remaining == memory.maximum)
}

#[test]
fn tasks_read_what_the_driver_wrote() {
    with_context(&[], |sc, _| {
        let names = BTreeMap::from([(1i64, "one".to_owned()), (2, "two".to_owned())]);
        let broadcast = sc.broadcast(names.clone()).unwrap();
        assert_eq!(broadcast.value(), &names);
        let named =
            sc.range(0, 4, 1, 2).with(broadcast.clone()).map(|names, number| names.value().get(&number).cloned());
        assert_eq!(named.collect().unwrap(), [None, Some("one".to_owned()), Some("two".to_owned()), None]);
        let values = large();
        let broadcast = sc.broadcast(values.clone()).unwrap();
        let sum = sc.range(0, 4, 1, 4).with(broadcast).map(|values, part| {
            values.value().iter().skip(part as usize).step_by(4).fold(0u64, |sum, value| sum.wrapping_add(*value))
        });
        let sum = sum.reduce(|left, right| left.wrapping_add(right)).unwrap();
        assert_eq!(sum, values.iter().fold(0u64, |sum, value| sum.wrapping_add(*value)));
    });
}

#[test]
fn an_action_brings_its_own() {
    with_context(&[], |sc, _| {
        let factor = sc.broadcast(7i64).unwrap();
        let total = sc.long_accumulator("total");
        let numbers = sc.range(0, 10, 1, 3);
        numbers
            .with((factor, total.clone()))
            .foreach(|(factor, total), number| total.add(factor.value() * number))
            .unwrap();
        assert_eq!(total.value(), 315);
    });
}

#[test]
fn a_data_set_keeps_the_values_of_its_closures() {
    fn shifted(sc: &SparkContext) -> Rdd<i64> {
        // The only handle ends here.
        let shift: Broadcast<i64> = sc.broadcast(100).unwrap();
        sc.range(0, 3, 1, 2).with(shift).map(|shift, number| number + shift.value())
    }
    with_context(&[], |sc, _| {
        let numbers = shifted(sc);
        for _ in 0..3 {
            assert_eq!(numbers.collect().unwrap(), [100, 101, 102]);
        }
        assert!(!is_free(sc));
        drop(numbers);
        wait_until("the value is gone", || is_free(sc));
    });
}

#[test]
fn values_go_with_their_last_handle() {
    with_context(&[], |sc, _| {
        let broadcast = sc.broadcast(large()).unwrap();
        let second = broadcast.clone();
        drop(broadcast);
        assert_eq!(second.value().len(), 1_100_000);
        sc.range(0, 1, 1, 1).count().unwrap();
        assert!(!is_free(sc), "a handle is left");
        drop(second);
        wait_until("the value is gone", || is_free(sc));
    });
}

#[test]
fn an_unpersisted_value_can_be_read_again() {
    with_context(&[], |sc, _| {
        let broadcast = sc.broadcast(5i64).unwrap();
        let numbers = sc.range(0, 3, 1, 2).with(broadcast.clone()).map(|five, number| number * five.value());
        assert_eq!(numbers.collect().unwrap(), [0, 5, 10]);
        broadcast.unpersist(true);
        assert_eq!(broadcast.value(), &5);
        assert_eq!(numbers.collect().unwrap(), [0, 5, 10]);
    });
}

#[test]
fn a_destroyed_value_says_where_it_was_destroyed() {
    with_context(&[], |sc, _| {
        let broadcast = sc.broadcast(5i64).unwrap();
        let before = sc.range(0, 3, 1, 2).with(broadcast.clone()).map(|five, number| number * five.value());
        broadcast.destroy();
        assert!(is_free(sc));
        broadcast.destroy();
        let error = broadcast.try_value().unwrap_err();
        assert!(
            matches!(&error, BroadcastError::Destroyed { destroyed_at, .. } if destroyed_at.contains("broadcast.rs"))
        );
        let expected = format!("Attempted to use Broadcast({}) after it was destroyed (destroy at ", broadcast.id());
        assert!(error.to_string().contains(&expected), "{error}");

        // A closure that took it with it before: the task says so.
        let error = before.count().unwrap_err();
        assert!(matches!(error, SparkError::JobFailed { .. }));
        assert!(error.to_string().contains(&expected), "{error}");
        // A closure that would take it now: so does the action, before any task.
        let after = sc.range(0, 3, 1, 2).with(broadcast.clone()).map(|five, number| number * five.value());
        let error = after.count().unwrap_err();
        assert!(error.to_string().contains(&expected), "{error}");
        let error = sc.range(0, 3, 1, 2).with(broadcast).foreach(|five, _| drop(five.clone())).unwrap_err();
        assert!(
            matches!(error, SparkError::NotSerializable { .. }) && error.to_string().contains(&expected),
            "{error}"
        );
    });
}

/// A value that shows whether it is still about.
#[derive(serde::Serialize, serde::Deserialize)]
struct Watched {
    number: i64,
    #[serde(skip)]
    _alive: Option<Arc<()>>,
}

#[test]
fn destroying_frees_the_drivers_value_though_handles_are_left() {
    with_context(&[], |sc, _| {
        let alive = Arc::new(());
        let broadcast = sc.broadcast(Watched { number: 5, _alive: Some(Arc::clone(&alive)) }).unwrap();
        let other = broadcast.clone();
        let numbers = sc.range(0, 3, 1, 2).with(broadcast.clone()).map(|five, number| number * five.value().number);
        assert_eq!(Arc::strong_count(&alive), 2);
        broadcast.destroy();
        assert_eq!(Arc::strong_count(&alive), 1);
        assert!(matches!(other.try_value(), Err(BroadcastError::Destroyed { .. })));
        assert!(numbers.count().is_err());
    });
}

#[test]
fn a_handle_that_was_read_keeps_a_destroyed_value_and_does_not_give_it() {
    with_context(&[], |sc, _| {
        let alive = Arc::new(());
        let broadcast = sc.broadcast(Watched { number: 5, _alive: Some(Arc::clone(&alive)) }).unwrap();
        let reader = broadcast.clone();
        let value = reader.value();
        broadcast.destroy();
        // A reference is about, and stays right.
        assert_eq!((value.number, Arc::strong_count(&alive)), (5, 2));
        assert!(matches!(reader.try_value(), Err(BroadcastError::Destroyed { .. })));
        drop(reader);
        assert_eq!(Arc::strong_count(&alive), 1);
    });
}

#[test]
fn a_stopped_context_makes_none() {
    with_context(&[], |sc, _| {
        let broadcast = sc.broadcast(1u8).unwrap();
        sc.stop();
        assert!(matches!(sc.broadcast(2u8), Err(SparkError::ContextStopped { .. })));
        assert_eq!(broadcast.value(), &1);
    });
}
