//! Shuffle files that are lost, changed, or find no room.

use firesteel::{Rdd, SparkContext};
use firesteel_e2e::Gates;
use firesteel_executor::TaskContext;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] =
    &[("two-jobs-on-a-shuffle", two_jobs_on_a_shuffle), ("write", write), ("many-maps", many_maps)];

/// Four map tasks, each run of which is announced. The first two run at the same time, so no executor has them all.
fn counted_maps(spark: &SparkContext, gates: &Gates, count: i64) -> Rdd<(i64, i64)> {
    spark.range(0, count, 1, 4).with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        let task_id = TaskContext::get().expect("a task runs").task_id();
        gates.announce(&format!("map-{index}-task-{task_id}"));
        if index < 2 {
            gates.announce(&format!("first-{index}"));
            firesteel_e2e::wait_until("the other one of the first two", || {
                gates.arrived(&format!("first-{}", 1 - index))
            });
        }
        records.map(|n| (n % 1000, n))
    })
}

/// Two jobs on the same shuffle; between them the driver waits at `between`. Each run of a map task is announced.
fn two_jobs_on_a_shuffle(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let sums = counted_maps(spark, gates, 100_000).reduce_by_key_with(|left, right| left + right, 3);
    println!("before {}", sums.values().reduce(|left, right| left + right)?);
    gates.hold_first("between");
    println!("after {}", sums.values().reduce(|left, right| left + right)?);
    Ok(())
}

/// A shuffle of 16 MB that cannot be combined or compressed well.
fn write(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let scattered = spark.range(0, 2_000_000, 1, 2).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64), n));
    println!("count {}", scattered.partition_by(2).count()?);
    Ok(())
}

/// 700 map tasks of two records each, 2000 reducers: what all of them tell of their outputs' sizes is 1.4 MB. The second job
/// asks for the same outputs at another epoch.
fn many_maps(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let records = spark.range(0, 1400, 1, 700).map(|n| (n, n));
    let scattered = records.partition_by(2000);
    println!("sum {}", scattered.values().reduce(|left, right| left + right)?);
    let all = scattered.reduce_by_key_with(|left, right| left + right, 2);
    println!("keys {}", all.count()?);
    Ok(())
}
