//! Checkpoints, and the executors that made them gone.

use firesteel::{Rdd, SparkContext};
use firesteel_e2e::{Gates, wait_until};
use firesteel_executor::TaskContext;

use super::{Scenario, task};

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("reliable-checkpoint", reliable_checkpoint),
    ("local-checkpoint", local_checkpoint),
    ("copied-checkpoint", copied_checkpoint),
];

/// Sums behind a shuffle; each computation of a source's partition is announced.
fn sums(spark: &SparkContext, gates: &Gates) -> Rdd<(i64, i64)> {
    let numbers = spark.range(0, 1000, 1, 4).with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        let task_id = TaskContext::get().expect("a task runs").task_id();
        gates.announce(&format!("compute-{index}-task-{task_id}"));
        records
    });
    numbers.map(|n| (n % 3, n)).reduce_by_key_with(|left, right| left + right, 3)
}

fn print_sums(when: &str, sums: &Rdd<(i64, i64)>) -> anyhow::Result<()> {
    let mut sums = sums.collect()?;
    sums.sort_unstable();
    println!("{when} {sums:?}");
    Ok(())
}

/// After the first action the lineage is cut; then every executor dies at `kill`, and the files are read.
fn reliable_checkpoint(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    // The test's own key: Spark has none for this.
    let directory = spark.conf().get_raw("checkpoints").expect("the test sets it").to_owned();
    spark.set_checkpoint_dir(&directory)?;
    let sums = sums(spark, gates);
    sums.cache()?;
    sums.checkpoint()?;
    println!("lines of lineage before: {}", sums.to_debug_string().lines().count() > 1);
    print_sums("before", &sums)?;
    println!("checkpointed {}, lineage {}", sums.is_checkpointed(), sums.dependencies().len());
    sums.unpersist(true);
    gates.hold_first("kill");
    print_sums("after", &sums)?;
    Ok(())
}

/// A local checkpoint is in the executors' storage and nowhere else.
fn local_checkpoint(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let sums = sums(spark, gates);
    sums.local_checkpoint();
    print_sums("before", &sums)?;
    println!("checkpointed {}", sums.is_checkpointed());
    print_sums("again", &sums)?;
    gates.hold_first("kill");
    match sums.collect() {
        Ok(sums) => println!("a lost local checkpoint was read: {sums:?}"),
        Err(error) => println!("lost: {error}"),
    }
    Ok(())
}

/// Each record is the number of the attempt that has computed it. Of a part of the checkpoint there are two: the copy comes to its
/// end when the first attempt has made the file and has not said so yet.
fn copied_checkpoint(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let directory = spark.conf().get_raw("checkpoints").expect("the test sets it").to_owned();
    spark.set_checkpoint_dir(&directory)?;
    let attempts = spark.range(0, 2, 1, 2).with(gates.clone()).map_partitions_with_index(|gates, index, _| {
        let gates = gates.clone();
        std::iter::once_with(move || {
            let attempt = task().attempt_number().0;
            let arrived = |gates: &Gates, name: &str| _ = wait_until(name, || gates.arrived(name));
            let at_end = gates.clone();
            // The second job writes.
            match (index, task().stage().stage_id.0, attempt) {
                (0, 1, 0) => {
                    task().on_completion(move |_| {
                        at_end.announce("file made");
                        arrived(&at_end, "copy ended");
                    });
                    arrived(&gates, "copy started");
                }
                (0, 1, 1) => {
                    task().on_completion(move |_| _ = at_end.announce("copy ended"));
                    gates.announce("copy started");
                    arrived(&gates, "file made");
                }
                _ => {}
            }
            attempt
        })
    });
    attempts.checkpoint()?;
    println!("computed {:?}", attempts.collect()?);
    println!("read {:?}", attempts.collect()?);
    Ok(())
}
