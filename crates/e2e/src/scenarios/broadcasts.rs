//! Broadcast values, sent to executors, dropped and destroyed.

use std::{iter, process};

use firesteel::{Broadcast, SparkContext};
use firesteel_e2e::{Gates, wait_until};

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] =
    &[("broadcast", broadcast), ("broadcast-text", broadcast_text), ("unpersist-and-destroy", unpersist_and_destroy)];

const EXECUTORS: u32 = 4;

/// 100 MB that no codec makes smaller.
fn hundred_megabytes() -> Vec<u64> {
    let next =
        |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    iter::successors(Some(1), next).take(11_000_000).collect()
}

/// Gives the value's sum as seen by tasks that all wait for one another, so that each is in an executor of its own; and the
/// number of these.
fn read_everywhere(
    spark: &SparkContext,
    gates: &Gates,
    round: &str,
    value: &Broadcast<Vec<u64>>,
) -> anyhow::Result<()> {
    let env = (gates.clone(), round.to_owned(), value.clone());
    let read = spark.range(0, i64::from(EXECUTORS), 1, EXECUTORS).with(env).map(|(gates, round, value), n| {
        gates.announce(&format!("{round}-{n}"));
        for other in 0..EXECUTORS {
            wait_until("every executor to run a task", || gates.arrived(&format!("{round}-{other}")));
        }
        (process::id(), value.value().iter().fold(0_u64, |sum, &number| sum.wrapping_add(number)))
    });
    let mut read = read.collect()?;
    let expected = value.value().iter().fold(0_u64, |sum, &number| sum.wrapping_add(number));
    let right = read.iter().all(|&(_, sum)| sum == expected);
    read.sort_unstable();
    read.dedup_by_key(|(process, _)| *process);
    println!("{round}: {} executors, right {right}", read.len());
    Ok(())
}

/// A large value goes to each executor once, and nothing more is sent for a second job.
fn broadcast(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let value = spark.broadcast(hundred_megabytes())?;
    read_everywhere(spark, gates, "first", &value)?;
    gates.hold_first("between");
    read_everywhere(spark, gates, "second", &value)?;
    Ok(())
}

/// A value with a text in it that is easily found on the wire.
fn broadcast_text(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let value = spark.broadcast("in the clear for everyone to read ".repeat(1000))?;
    let lengths = spark.range(0, 2, 1, 2).with(value).map(|value, _| value.value().len());
    println!("lengths {:?}", lengths.collect()?);
    Ok(())
}

/// What executors hold of a value goes with `unpersist`, can be had again, and goes for good with `destroy`.
fn unpersist_and_destroy(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let taken = |on_driver: bool| {
        let status = spark.executor_memory_status();
        status.iter().any(|(id, memory)| id.is_driver() == on_driver && memory.remaining != memory.maximum)
    };
    let value = spark.broadcast((0..1_000_000).collect::<Vec<u64>>())?;
    read_everywhere(spark, gates, "first", &value)?;
    println!("stored: executors {}, driver {}", taken(false), taken(true));
    value.unpersist(true);
    println!("unpersisted: executors {}, driver {}", taken(false), taken(true));
    read_everywhere(spark, gates, "again", &value)?;
    let reader = spark.range(0, 4, 1, 4).with(value.clone()).map(|value, n| value.value()[n as usize]);
    value.destroy();
    wait_until("the driver's pieces to be gone", || (!taken(true)).then_some(()));
    println!("destroyed: executors {}, driver {}", taken(false), taken(true));
    match reader.collect() {
        Ok(read) => println!("a destroyed value was read: {read:?}"),
        Err(error) => println!("refused: {}", error.to_string().contains("could not be read; was it destroyed")),
    }
    Ok(())
}
