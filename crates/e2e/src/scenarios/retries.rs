//! Stages that run again because what they have read is lost.

use firesteel::SparkContext;
use firesteel_e2e::Gates;
use firesteel_model::TaskEndReason;

use super::{Scenario, setting, task, wait_unless_killed};
use crate::ended_tasks::{EndedTask, EndedTasks};

pub(super) const SCENARIOS: &[(&str, Scenario)] =
    &[("accumulate-twice", accumulate_twice), ("scatter", scatter), ("job-of-a-stage", job_of_a_stage)];

/// An action adds each record of a shuffle to an accumulator, twice; between, the driver waits at `between`.
fn accumulate_twice(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let ended = EndedTasks::listen(spark)?;
    let records = spark.long_accumulator("records");
    let sum = spark.long_accumulator("sum");
    let scattered = spark.range(0, 10_000, 1, 4).map(|n| (n, n)).partition_by(3);
    let add = || {
        scattered.with((records.clone(), sum.clone())).foreach(|(records, sum), (_, n)| {
            records.add(1);
            sum.add(n);
        })
    };
    add()?;
    println!("before {} {}", records.value(), sum.value());
    gates.hold_first("between");
    add()?;
    println!("after {} {}", records.value(), sum.value());
    let fetch_failed = |ended: &EndedTask| matches!(ended.reason, TaskEndReason::FetchFailed { .. });
    ended.wait_for("a task that could not read its input", 1, fetch_failed);
    println!("a stage was tried again");
    Ok(())
}

/// Records are dealt out in turn, in whatever order they come from a shuffle: computed anew, they go elsewhere. Tasks that
/// have read them wait at `read-INDEX`, each the first time; with `spark.e2e.deliver` the one of index 0 does not.
fn scatter(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let ended = EndedTasks::listen(spark)?;
    let pairs = spark.range(0, 1000, 1, 4).map(|n| (n, n)).partition_by(3);
    let dealt = pairs.values().with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        gates.announce(&format!("deal-{index}-task-{}", task().task_id()));
        records
    });
    let deliver = setting(spark, "deliver")? == "true";
    let read = dealt.repartition(4).with((gates.clone(), deliver)).map_partitions_with_index(
        |(gates, deliver), index, records| {
            let records: Vec<i64> = records.collect();
            if gates.announce(&format!("read-{index}")) && !(*deliver && index == 0) {
                wait_unless_killed(gates, "never");
            }
            records
        },
    );
    let announcer = deliver.then(|| {
        let gates = gates.clone();
        std::thread::spawn(move || {
            let of_result = |ended: &EndedTask| ended.succeeded() && gates.arrived("read-0").is_some();
            // Four tasks write, three deal; the next success is a result.
            ended.wait_for("a result to be delivered", 8, of_result);
            gates.announce("delivered");
        })
    });
    match read.collect() {
        Ok(mut records) => {
            records.sort_unstable();
            println!("all of them once {}", records == (0..1000).collect::<Vec<i64>>());
        }
        Err(error) => println!("failed: {error}"),
    }
    if let Some(announcer) = announcer {
        announcer.join().expect("the thread does not panic");
    }
    Ok(())
}

/// Map tasks tell for which job they run.
fn job_of_a_stage(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    println!("first {}", spark.range(0, 10, 1, 2).count()?);
    let told = spark.range(0, 10, 1, 2).with(gates.clone()).map_partitions(|gates, records| {
        gates.announce(&format!("map-of-job-{}", task().stage_description().job_id));
        records
    });
    println!("second {}", told.map(|n| (n % 2, n)).reduce_by_key_with(|left, right| left + right, 1).count()?);
    Ok(())
}
