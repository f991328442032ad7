//! Jobs that share slots, or wait for them.

use std::thread::{self, JoinHandle};

use firesteel::{SparkContext, SparkError};
use firesteel_e2e::{Gates, wait_until};

use super::{Scenario, setting};

pub(super) const SCENARIOS: &[(&str, Scenario)] =
    &[("share", share), ("wait-for-slots", wait_for_slots), ("one-task", one_task)];

/// Runs a job in a pool, whose tasks announce themselves at `NAME-INDEX` and wait at `gate`.
fn job(
    spark: &SparkContext,
    gates: &Gates,
    pool: &str,
    tasks: u32,
    gate: &'static str,
) -> JoinHandle<Result<u64, SparkError>> {
    let (spark, gates, pool) = (spark.clone(), gates.clone(), pool.to_owned());
    thread::spawn(move || {
        spark.set_local_property("spark.scheduler.pool", Some(&pool));
        let parts = spark.range(0, i64::from(tasks), 1, tasks).with((gates, pool, gate.to_owned()));
        let waiting = parts.map_partitions_with_index(|(gates, pool, gate), index, records| {
            gates.announce(&format!("{pool}-{index}"));
            gates.wait(gate);
            records
        });
        waiting.count()
    })
}

/// The scheduler has so many jobs and has been handed a stage of each.
fn wait_for_jobs(spark: &SparkContext, jobs: usize) {
    let tracker = spark.status_tracker();
    wait_until("the jobs to be submitted", || (tracker.active_stage_ids().len() == jobs).then_some(()));
}

/// Two jobs of many tasks wait, each in a pool, until three slots become free: who gets how many?
fn share(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let holder = job(spark, gates, "holder", 3, "slots");
    wait_until("every slot to be taken", || {
        (0..3).all(|index| gates.arrived(&format!("holder-{index}")).is_some()).then_some(())
    });
    let pools: Vec<&str> = setting(spark, "pools")?.split(',').collect();
    let mut jobs = Vec::new();
    for (number, pool) in pools.iter().enumerate() {
        jobs.push(job(spark, gates, pool, 6, "jobs"));
        wait_for_jobs(spark, number + 2);
    }
    gates.open("slots");
    let of_pool = |pool: &str| {
        let announced = gates.announced();
        announced.iter().filter(|name| name.strip_prefix(pool).is_some_and(|rest| rest.starts_with('-'))).count()
    };
    wait_until("three tasks to take the slots", || {
        (pools.iter().map(|pool| of_pool(pool)).sum::<usize>() == 3).then_some(())
    });
    for pool in &pools {
        println!("{pool} {}", of_pool(pool));
    }
    gates.open("jobs");
    for job in jobs.into_iter().chain([holder]) {
        println!("count {}", job.join().expect("the thread does not panic")?);
    }
    Ok(())
}

/// A job waits for slots that another one has.
fn wait_for_slots(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let holder = job(spark, gates, "holder", 2, "slots");
    wait_until("every slot to be taken", || {
        (0..2).all(|index| gates.arrived(&format!("holder-{index}")).is_some()).then_some(())
    });
    let waiting = job(spark, gates, "waiting", 3, "slots");
    for job in [holder, waiting] {
        println!("count {}", job.join().expect("the thread does not panic")?);
    }
    Ok(())
}

/// A job of one task, which announces itself.
fn one_task(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    gates.open("tasks");
    println!("count {}", job(spark, gates, "task", 1, "tasks").join().expect("the thread does not panic")?);
    Ok(())
}
