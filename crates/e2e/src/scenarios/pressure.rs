//! Records that take more memory than they show, until their executor is larger than it was given.

use std::iter;

use firesteel::{ListenerEvent, Rdd, SparkContext, StorageLevel};
use firesteel_e2e::{Gates, wait_until};
use serde::{Deserialize, Serialize};

use super::{Scenario, setting};

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("sort-hidden", sort_hidden),
    ("group-hidden", group_hidden),
    ("cache-hidden", cache_hidden),
    ("aggregate-beside-a-hoard", aggregate_beside_a_hoard),
    ("hoard-in-a-reducer", hoard_in_a_reducer),
];

/// Nothing but its small variants shows in what it serializes, and so nothing shows that each is as large as the large one.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "it is the difference that matters here")]
enum Slot {
    Empty,
    Full([u64; 32]),
}

/// A sixteenth of a MiB that is estimated as a thousandth of that.
type Hidden = Vec<Slot>;

const SLOTS: usize = (64 << 10) / size_of::<Slot>();

/// So many records are a MiB.
const PER_MIB: i64 = 16;

/// Numbers in no order, each with a record; so many MiB in all as the test says, `spark.e2e.mib`.
fn hidden(spark: &SparkContext, partitions: u32) -> anyhow::Result<Rdd<(i64, Hidden)>> {
    let records = setting(spark, "mib")?.parse::<i64>()? * PER_MIB;
    // Odd, so that it meets each number once.
    let scattered = spark.range(0, records, 1, partitions).with(records);
    Ok(scattered.map(|&records, number| (number.wrapping_mul(7_919) % records, vec![Slot::Empty; SLOTS])))
}

/// How many records there are, and whether they are whole and their keys never fall.
fn in_order(records: &Rdd<(i64, Hidden)>) -> anyhow::Result<(i64, bool)> {
    let checked = records.map_partitions(|records| {
        let (mut last, mut count, mut right) = (i64::MIN, 0, true);
        for (key, hidden) in records {
            right &= last <= key && hidden.len() == SLOTS && hidden.iter().all(|slot| *slot == Slot::Empty);
            last = key;
            count += 1;
        }
        iter::once((count, right))
    });
    let parts = checked.collect()?;
    Ok((parts.iter().map(|(count, _)| count).sum(), parts.iter().all(|(_, right)| *right)))
}

fn sort_hidden(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let (count, right) = in_order(&hidden(spark, 2)?.sort_by_key_with(true, 1)?)?;
    println!("sorted {count}, right {right}");
    Ok(())
}

/// 64 keys for all records.
fn group_hidden(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let groups = hidden(spark, 2)?.map(|(key, hidden)| (key % 64, hidden)).group_by_key_with(1);
    let mut sizes =
        groups.map(|(_, hidden)| hidden.into_iter().filter(|hidden| hidden.len() == SLOTS).count()).collect()?;
    sizes.sort_unstable();
    sizes.dedup();
    println!("groups of {sizes:?}");
    Ok(())
}

/// Each partition is cached; then all are read again.
fn cache_hidden(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let computed = spark.long_accumulator("computed partitions");
    let records = hidden(spark, 16)?.with(computed.clone()).map_partitions(|computed, records| {
        computed.add(1);
        records
    });
    records.persist(StorageLevel::MEMORY_AND_DISK)?;
    let whole = |records: &Rdd<(i64, Hidden)>| records.filter(|(_, hidden)| hidden.len() == SLOTS).count();
    println!("counts {} {}", whole(&records)?, whole(&records)?);
    let all = spark.rdd_storage_info();
    let info = all.iter().find(|info| info.rdd_id == records.id());
    let info = info.ok_or_else(|| anyhow::anyhow!("it is persisted"))?;
    println!(
        "stored {}, on disk {}, computed {}",
        info.cached_partitions,
        info.disk_size.bytes() > 0,
        computed.value()
    );
    Ok(())
}

/// A closure holds more than the executor was given, so many MiB as the test says, while its records are combined by as many
/// keys. Nobody's estimate is wrong, but there is no room for the table of the combined records, nor for what is cached.
fn aggregate_beside_a_hoard(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let hoard_mib = setting(spark, "mib")?.parse::<usize>()?;
    let cached = spark.range(0, 1_000_000, 1, 1);
    cached.persist(StorageLevel::MEMORY_AND_DISK)?;
    println!("cached {}", cached.count()?);
    let pairs = spark.range(0, 2_000_000, 1, 1).map(|n| (n.wrapping_mul(7_919), n));
    let beside = pairs.with(hoard_mib).map_partitions(|&hoard_mib, records| {
        let hoard: Vec<Vec<u8>> = (0..hoard_mib).map(|_| vec![1; 1 << 20]).collect();
        records.map(move |(key, n)| (key, n + i64::from(hoard[0][0])))
    });
    let sums = beside.reduce_by_key_with(|left, right| left + right, 1);
    println!("keys {}, sum {}", sums.count()?, sums.values().reduce(|left, right| left + right)?);
    let all = spark.rdd_storage_info();
    let info = all.iter().find(|info| info.rdd_id == cached.id());
    let info = info.ok_or_else(|| anyhow::anyhow!("it is persisted"))?;
    println!("stored {}, in memory {}", info.cached_partitions, info.memory_size);
    println!("cached {}", cached.count()?);
    Ok(())
}

/// The first reducer allocates until its executor ends, once; all others begin to read when the driver knows of that.
fn hoard_in_a_reducer(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let lost = gates.clone();
    spark.add_spark_listener(move |event| {
        if matches!(event, ListenerEvent::ExecutorRemoved { .. }) {
            lost.open("lost");
        }
    })?;
    // Both map tasks run at the same time, so each executor has one output.
    let pairs = spark.range(0, 100, 1, 2).with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        gates.announce(&format!("map-{index}"));
        wait_until("the other map task", || gates.arrived(&format!("map-{}", 1 - index)));
        records.map(|n| (n, n))
    });
    let read = pairs.partition_by(4).with(gates.clone()).map_partitions_with_index(|gates, index, records| {
        if index == 0 && gates.announce("hoard") {
            let mut hoard = Vec::new();
            loop {
                hoard.push(vec![1_u8; 1 << 20]);
            }
        }
        wait_until("an executor to be lost", || gates.is_open("lost").then_some(()));
        records
    });
    println!("count {}", read.count()?);
    Ok(())
}
