//! Executors that end in the middle of their work.

use std::process;

use firesteel::SparkContext;
use firesteel_e2e::Gates;
use rustix::process::{Signal, getpid, kill_process};

use super::Scenario;
use crate::hosts;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("hold-map", hold_map),
    ("hold-reduce", hold_reduce),
    ("exit-once", exit_once),
    ("exit-always", exit_always),
    ("segfault-once", segfault_once),
    ("segfault-always", segfault_always),
    ("hold-every-task", hold_every_task),
    ("idle", idle),
    ("twin", twin),
];

/// Sums by key, where the first map task waits at `map`.
fn hold_map(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let numbers = spark.range(0, 1000, 1, 4).with(gates.clone()).map_partitions(|gates, records| {
        gates.hold_first("map");
        records
    });
    let mut sums = numbers.map(|n| (n % 3, n)).reduce_by_key_with(|left, right| left + right, 3).collect()?;
    sums.sort_unstable();
    println!("sums {sums:?}");
    Ok(())
}

/// Sums by key, where the first reduce task waits at `reduce` before it hands on what it has read.
fn hold_reduce(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let sums = spark.range(0, 1000, 1, 4).map(|n| (n % 3, n)).reduce_by_key_with(|left, right| left + right, 3);
    let held = sums.with(gates.clone()).map_partitions(|gates, records| {
        gates.hold_first("reduce");
        records
    });
    let mut sums = held.collect()?;
    sums.sort_unstable();
    println!("sums {sums:?}");
    Ok(())
}

/// A task ends its process as if all were well, once.
fn exit_once(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let count = spark.range(0, 100, 1, 2).with(gates.clone()).map(|gates, n| {
        if n == 70 && gates.announce("exit") {
            process::exit(0);
        }
        n
    });
    println!("count {}", count.count()?);
    Ok(())
}

/// A task ends its process as if all were well, at every attempt.
fn exit_always(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    spark.range(0, 100, 1, 2).foreach(|n| {
        if n == 70 {
            process::exit(0);
        }
    })?;
    Ok(())
}

/// The first signal goes to Rust's handler for overflown stacks, which takes itself away; the next one ends the process.
fn segfault() {
    loop {
        let _ = kill_process(getpid(), Signal::SEGV);
    }
}

/// A task's process is ended by SIGSEGV, once.
fn segfault_once(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let count = spark.range(0, 100, 1, 2).with(gates.clone()).map(|gates, n| {
        if n == 70 && gates.announce("segfault") {
            segfault();
        }
        n
    });
    println!("count {}", count.count()?);
    Ok(())
}

/// A task's process is ended by SIGSEGV, at every attempt.
fn segfault_always(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    spark.range(0, 100, 1, 2).foreach(|n| {
        if n == 70 {
            segfault();
        }
    })?;
    Ok(())
}

/// Two tasks wait at `task-0` and `task-1`, each the first time that it runs.
fn hold_every_task(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let held = spark.range(0, 100, 1, 2).with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        gates.hold_first(&format!("task-{index}"));
        records
    });
    println!("count {}", held.count()?);
    Ok(())
}

/// A task starts a second process that says to be its own executor; then comes a job.
fn twin(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let ends = spark.range(0, 1, 1, 1).map(|_| {
        let twin = hosts::run_twin().expect("the executor's binary can be run");
        (twin.status.code(), String::from_utf8_lossy(&twin.stderr).into_owned())
    });
    for (code, said) in ends.collect()? {
        println!("code {code:?} refused {}", said.contains("is registered already"));
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// One job, then the driver waits at `driver`, then another job.
fn idle(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    println!("before {}", spark.range(0, 100, 1, 4).count()?);
    gates.hold_first("driver");
    println!("after {}", spark.range(0, 200, 1, 4).count()?);
    Ok(())
}
