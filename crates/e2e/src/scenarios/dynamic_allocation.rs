//! Executors that come when there is something to do, and go when there is nothing (SC-20…41).

use firesteel::{ExecutorId, SparkContext, StorageLevel};
use firesteel_e2e::{Gates, wait_until};

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("executors-come-and-go", come_and_go),
    ("executors-that-hold-something-stay", holders_stay),
    ("executors-are-asked-for-and-killed", asked_for_and_killed),
];

/// The executors that are there.
fn executors(spark: &SparkContext) -> Vec<ExecutorId> {
    spark.executor_ids()
}

fn wait_for(spark: &SparkContext, number: usize) {
    wait_until(&format!("{number} executors to be there"), || (executors(spark).len() == number).then_some(()));
}

/// A job of so many tasks that end when all of them run at once. Gives the executors that they ran on.
fn meet(spark: &SparkContext, gates: &Gates, name: &'static str, tasks: u32) -> anyhow::Result<usize> {
    let numbers = spark.range(0, i64::from(tasks), 1, tasks);
    let mut ran_on = numbers
        .with((gates.clone(), name.to_owned(), tasks))
        .map_partitions_with_index(|(gates, name, tasks), index, _| {
            gates.announce(&format!("{name}-{index}"));
            wait_until("all tasks to run at once", || {
                (0..*tasks).all(|index| gates.arrived(&format!("{name}-{index}")).is_some()).then_some(())
            });
            [std::process::id()]
        })
        .collect()?;
    ran_on.sort_unstable();
    ran_on.dedup();
    Ok(ran_on.len())
}

fn come_and_go(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    println!("{} at first", executors(spark).len());
    println!("{} for three tasks", meet(spark, gates, "first", 3)?);
    wait_for(spark, 0);
    println!("none afterwards");
    println!("{} for two tasks", meet(spark, gates, "second", 2)?);
    let words = spark.range(0, 1000, 1, 4).map(|number| (number % 10, 1_u64)).reduce_by_key_with(|a, b| a + b, 3);
    println!("{} words", words.collect()?.into_iter().map(|(_, count)| count).sum::<u64>());
    drop(words);
    wait_for(spark, 0);
    println!("none at last");
    Ok(())
}

fn holders_stay(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let cached = spark.range(0, 10, 1, 1);
    cached.persist(StorageLevel::MEMORY_ONLY)?;
    println!("{} cached", cached.count()?);
    // One that holds nothing came and went.
    println!("{} for two tasks", meet(spark, gates, "two", 2)?);
    wait_for(spark, 1);
    println!("its holder stays");
    cached.unpersist(true);
    wait_for(spark, 0);
    let shuffled = spark.range(0, 10, 1, 1).map(|number| (number, number)).group_by_key_with(1);
    println!("{} shuffled", shuffled.count()?);
    println!("{} for two tasks", meet(spark, gates, "again", 2)?);
    wait_for(spark, 1);
    println!("the holder of map outputs stays");
    println!("{} shuffled", shuffled.count()?);
    drop(shuffled);
    wait_for(spark, 0);
    println!("none at last");
    Ok(())
}

fn asked_for_and_killed(spark: &SparkContext, _: &Gates) -> anyhow::Result<()> {
    wait_for(spark, 3);
    spark.kill_executors(&executors(spark)[..2])?;
    wait_for(spark, 1);
    println!("{} of 100", spark.range(0, 100, 1, 8).count()?);
    println!("{} is left", executors(spark).len());
    spark.request_total_executors(2)?;
    wait_for(spark, 2);
    spark.request_executors(1)?;
    wait_for(spark, 3);
    println!("three at last");
    Ok(())
}
