//! Executors and hosts on which tasks fail.

use std::process;

use firesteel::{ListenerEvent, SparkContext};
use firesteel_e2e::{Gates, wait_until};
use parking_lot::Mutex;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[("bad-executor", bad_executor), ("bad-task", bad_task)];

/// The process that comes first is bad: tasks fail there. Two of them must before others succeed. Where does the next job
/// run?
fn bad_executor(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let excluded = std::sync::Arc::new(Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&excluded);
    spark.add_spark_listener(move |event| {
        if let ListenerEvent::ExecutorExcluded { stage, task_failures, .. } = event {
            let scope = if stage.is_some() { "stage" } else { "application" };
            heard.lock().push(format!("{scope} after {task_failures}"));
        }
    })?;
    let first = spark.range(0, 4, 1, 4).with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        gates.announce("bad");
        if gates.arrived("bad") == Some(process::id()) {
            gates.announce(&format!("failure-{index}"));
            panic!("tasks fail here");
        }
        wait_until("two tasks to fail", || {
            (gates.announced().iter().filter(|name| name.starts_with("failure-")).count() >= 2).then_some(())
        });
        records
    });
    println!("count {}", first.count()?);
    let second = spark
        .range(0, 8, 1, 8)
        .with(gates.clone())
        .map_partitions(|gates, _| [gates.arrived("bad") == Some(process::id())]);
    let on_bad = second.collect()?.into_iter().filter(|bad| *bad).count();
    println!("on the bad executor {on_bad}");
    let told = wait_until("listeners to hear of both exclusions", || {
        let told = excluded.lock().clone();
        (told.len() >= 2).then_some(told)
    });
    println!("excluded {told:?}");
    Ok(())
}

/// A task fails everywhere, and each process on which it has failed is announced.
fn bad_task(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    spark.range(0, 2, 1, 2).with(gates.clone()).foreach(|gates, n| {
        if n == 1 {
            gates.announce(&format!("failed-at-{}", process::id()));
            panic!("the task fails everywhere");
        }
    })?;
    Ok(())
}
