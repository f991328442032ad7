//! Copies of slow tasks.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use firesteel::{ListenerEvent, SparkContext, StorageLevel};
use firesteel_e2e::{Gates, wait_until};
use parking_lot::Mutex;

use super::{Scenario, barrier::written, setting, task, wait_unless_killed};
use crate::ended_tasks::{EndedTask, EndedTasks};

pub(super) const SCENARIOS: &[(&str, Scenario)] =
    &[("slow-task", slow_task), ("two-committers", two_committers), ("much-to-read", much_to_read)];

/// One of four tasks would never end; its copy does.
fn slow_task(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let ended = EndedTasks::listen(spark)?;
    let records = spark.range(0, 4, 1, 4).with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        if index == 0 && gates.announce("slow") {
            wait_unless_killed(gates, "never");
        }
        records
    });
    println!("records {:?}", records.collect()?);
    let both = ended.wait_for("both attempts to end", 2, |ended| ended.task.index == 0);
    let winner = both.iter().find(|ended| ended.succeeded()).expect("the job has succeeded");
    println!("winner: attempt {} speculative {}", winner.task.attempt, winner.task.speculative);
    let loser = both.iter().find(|ended| !ended.succeeded()).expect("one attempt wins");
    println!("loser: attempt {} {}", loser.task.attempt, loser.reason);
    println!("on different hosts: {}", winner.task.host != loser.task.host);
    Ok(())
}

/// Both attempts of a task have written all and ask at the same time whether they may commit.
fn two_committers(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let ended = EndedTasks::listen(spark)?;
    let output = setting(spark, "output")?;
    let parts = spark.range(0, 2, 1, 2).with(gates.clone());
    let lines = parts.map_partitions_with_index(|gates, index, records| {
        let gates = gates.clone();
        // After the last record, all that is left is to commit.
        let meeting = std::iter::once_with(move || {
            if index == 0 {
                gates.announce(&format!("writer-{}", task().attempt_number()));
                wait_until("both attempts to have written", || {
                    gates.arrived("writer-0").and(gates.arrived("writer-1"))
                });
            }
            -1
        });
        records.chain(meeting)
    });
    lines.save_as_text_file(output)?;
    for line in written(Path::new(output))? {
        println!("{line}");
    }
    let both = ended.wait_for("both attempts to end", 2, |ended| ended.task.index == 0);
    println!("succeeded {} of {}", both.iter().filter(|ended| ended.succeeded()).count(), both.len());
    Ok(())
}

/// Two tasks are slow: one as it has much to read, one for no reason. Which of them gets a copy?
///
/// The other two end, so that tasks can be slow at all, when the driver knows what the first one has read.
fn much_to_read(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let parts = spark.range(0, 4, 1, 4).map_partitions_with_index(|index, _| {
        let count: u64 = if index == 0 { 200_000 } else { 10 };
        0..count
    });
    parts.persist(StorageLevel::MEMORY_ONLY)?;
    println!("records {}", parts.count()?);

    // From here on: what of the job before is copied does not matter.
    let all_read = spark.long_accumulator("tasks that have read all");
    let copied = Arc::new(Mutex::new(Vec::new()));
    let (heard, told, all_read_id) = (Arc::clone(&copied), gates.clone(), all_read.id());
    let mut heartbeats = 0;
    spark.add_spark_listener(move |event| match event {
        ListenerEvent::SpeculativeTaskSubmitted { task_index, .. } => heard.lock().push(*task_index),
        ListenerEvent::ExecutorMetricsUpdate { updates, .. } => {
            let mut values = updates.iter().flat_map(|(_, _, values)| values);
            if values.any(|value| value.id == all_read_id) {
                heartbeats += 1;
                // The first may have counted the records before, and the accumulator after the last of them.
                if heartbeats == 2 {
                    told.open("told");
                }
            }
        }
        _ => {}
    })?;
    let ended = EndedTasks::listen(spark)?;
    let env = (gates.clone(), all_read);
    let read = parts.with(env).map_partitions_with_index(|(gates, all_read), index, records| {
        if index == 1 && gates.announce("idle") {
            wait_unless_killed(gates, "never");
        }
        let started = Instant::now();
        let count = records.count();
        match index {
            0 => {
                all_read.add(1);
                gates.wait("copied");
            }
            1 => {}
            _ => gates.wait("told"),
        }
        // What takes no millisecond has no rate to compare with.
        while started.elapsed() < Duration::from_millis(10) {
            std::hint::spin_loop();
        }
        [count]
    });
    let opener = {
        let gates = gates.clone();
        std::thread::spawn(move || {
            let is_copy = |ended: &EndedTask| ended.succeeded() && ended.task.speculative && ended.task.index == 1;
            ended.wait_for("a copy of the idle task to end", 1, is_copy);
            gates.open("copied");
        })
    };
    println!("read {:?}", read.collect()?);
    opener.join().expect("the thread does not panic");
    println!("copied {:?}", copied.lock());
    Ok(())
}
