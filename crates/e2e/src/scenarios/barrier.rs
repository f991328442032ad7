//! Stages whose tasks run all at once.

use std::{path::Path, thread};

use firesteel::{BarrierTaskContext, SparkContext};
use firesteel_e2e::Gates;

use super::{Scenario, setting};
use crate::ended_tasks::{EndedTask, EndedTasks};

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("barrier", barrier),
    ("barrier-with-a-failure", barrier_with_a_failure),
    ("barrier-that-commits", barrier_that_commits),
    ("barrier-of-many-words", barrier_of_many_words),
];

/// Every task announces itself, waits for all, then says what it found, and hears what the others have.
fn barrier(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let tasks: u32 = setting(spark, "tasks")?.parse()?;
    let parts = spark.range(0, i64::from(tasks), 1, tasks).barrier();
    let told = parts.map_partitions_env((gates.clone(), tasks), |(gates, tasks), index, _| {
        let context = BarrierTaskContext::get();
        gates.announce(&format!("before-{index}"));
        context.barrier();
        let all_came = (0..*tasks).all(|index| gates.arrived(&format!("before-{index}")).is_some());
        let parts = context.all_gather(&context.partition_id().to_string());
        let again = context.all_gather(&parts.concat());
        assert!(again.iter().all(|told| *told == parts.concat()), "every task heard the same: {again:?}");
        [format!("{all_came} {} of {}", parts.concat(), context.task_infos().len())]
    });
    match told.collect() {
        Ok(lines) => lines.iter().for_each(|line| println!("{line}")),
        Err(error) => println!("failed: {error}"),
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// What the tasks say to one another is more than a message may hold, even if what each says is not.
fn barrier_of_many_words(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let kib: u64 = setting(spark, "kib")?.parse()?;
    let parts = spark.range(0, 2, 1, 2).barrier();
    let told = parts.map_partitions_env((gates.clone(), kib), |(gates, kib), index, _| {
        let context = BarrierTaskContext::get();
        gates.announce(&format!("attempt-{}-{index}", context.stage_attempt_number()));
        context.all_gather(&"x".repeat((*kib as usize) << 10)).into_iter().map(|words| words.len())
    });
    println!("heard {:?}", told.collect()?);
    Ok(())
}

/// One task fails while the others wait for it.
fn barrier_with_a_failure(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let attempts = spark.range(0, 4, 1, 4).barrier().map_partitions_with_index(|index, _| {
        let context = BarrierTaskContext::get();
        assert!(index != 2 || context.stage_attempt_number() > 0, "the first attempt fails");
        context.barrier();
        [context.stage_attempt_number()]
    });
    println!("attempts {:?}", attempts.collect()?);
    Ok(())
}

/// One task fails when the others have committed what they wrote: all of it is written anew.
fn barrier_that_commits(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let ended = EndedTasks::listen(spark)?;
    let opener = {
        let gates = gates.clone();
        thread::spawn(move || {
            ended.wait_for("three tasks to commit", 3, EndedTask::succeeded);
            gates.open("others-have-committed");
        })
    };
    let output = setting(spark, "output")?;
    let lines = spark.range(0, 4, 1, 4).barrier().map_partitions_env(gates.clone(), |gates, index, records| {
        let attempt = BarrierTaskContext::get().stage_attempt_number();
        if index == 2 && attempt == 0 {
            gates.wait("others-have-committed");
            panic!("the first attempt fails");
        }
        records.map(move |n| format!("{n} of attempt {attempt}")).collect::<Vec<_>>()
    });
    lines.save_as_text_file(output)?;
    opener.join().expect("the thread does not panic");
    for line in written(Path::new(output))? {
        println!("{line}");
    }
    Ok(())
}

/// Every line of every file in the directory of an output, in the order of the files' names.
pub(super) fn written(output: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(output)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file)?;
        lines.extend(text.lines().map(|line| format!("{name}: {line}")));
    }
    Ok(lines)
}
