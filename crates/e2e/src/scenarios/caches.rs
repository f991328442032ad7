//! Cached partitions: where they are, what becomes of them when their executor goes, and when memory is short.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter, process,
    sync::{Arc, Mutex},
};

use firesteel::{Accumulator, ListenerEvent, Rdd, RddStorageInfo, SparkContext, StorageLevel};
use firesteel_e2e::{Gates, wait_until};
use firesteel_executor::TaskContext;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("every-level", every_level),
    ("read-twice", read_twice),
    ("lose-a-replica", lose_a_replica),
    ("lose-cached-blocks", lose_cached_blocks),
    ("cache-more-than-memory", cache_more_than_memory),
    ("cache-then-sort", cache_then_sort),
    ("drop-the-last-handle", drop_the_last_handle),
];

const PARTITIONS: u32 = 4;

/// Numbers in four partitions; each computation of one is announced. The first two run at the same time, so no executor has
/// them all.
fn counted(spark: &SparkContext, gates: &Gates, name: &str) -> Rdd<i64> {
    let env = (gates.clone(), name.to_owned());
    spark.range(0, 1000, 1, PARTITIONS).with(env).map_partitions_with_index(|(gates, name), index, records| {
        let task_id = TaskContext::get().expect("a task runs").task_id();
        gates.announce(&format!("{name}-{index}-task-{task_id}"));
        if index < 2 {
            gates.announce(&format!("{name}-first-{index}"));
            wait_until("the other one of the first two", || gates.arrived(&format!("{name}-first-{}", 1 - index)));
        }
        records
    })
}

fn stored<T: firesteel::Data>(spark: &SparkContext, rdd: &Rdd<T>) -> RddStorageInfo {
    let all = spark.rdd_storage_info();
    all.into_iter().find(|info| info.rdd_id == rdd.id()).expect("it is persisted")
}

/// Which executors have which block, by name, as a listener learns of it.
#[derive(Clone, Default)]
struct Holders(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>);

impl Holders {
    fn watch(spark: &SparkContext) -> anyhow::Result<Self> {
        let holders = Self::default();
        let told = holders.clone();
        spark.add_spark_listener(move |event| {
            let mut blocks = told.0.lock().expect("nobody panics with it");
            match event {
                ListenerEvent::BlockUpdated(info) => {
                    let holders = blocks.entry(info.block_id.to_string()).or_default();
                    let executor = info.block_manager_id.executor_id.to_string();
                    if info.storage_level.is_valid() {
                        holders.insert(executor);
                    } else {
                        holders.remove(&executor);
                    }
                }
                ListenerEvent::BlockManagerRemoved { block_manager_id, .. } => {
                    let executor = block_manager_id.executor_id.to_string();
                    for holders in blocks.values_mut() {
                        holders.remove(&executor);
                    }
                }
                _ => {}
            }
        })?;
        Ok(holders)
    }

    /// Everybody who has a block.
    fn executors(&self) -> BTreeSet<String> {
        let blocks = self.0.lock().expect("nobody panics with it");
        blocks.values().flatten().cloned().collect()
    }

    /// How many copies there are of each partition.
    fn copies<T: firesteel::Data>(&self, rdd: &Rdd<T>) -> Vec<usize> {
        let blocks = self.0.lock().expect("nobody panics with it");
        let name = |partition| format!("rdd_{}_{partition}", rdd.id());
        (0..rdd.num_partitions()).map(|partition| blocks.get(&name(partition)).map_or(0, BTreeSet::len)).collect()
    }
}

/// In which process each partition is read.
fn readers(rdd: &Rdd<i64>) -> anyhow::Result<Vec<u32>> {
    let readers = rdd.map_partitions(|records| {
        assert_eq!(records.count(), 250);
        iter::once(process::id())
    });
    Ok(readers.collect()?)
}

/// A record that takes much memory, and little where it is encoded.
type Wide = [u64; 32];

/// 16 partitions of 8 MiB in memory.
fn wide(spark: &SparkContext) -> (Rdd<Wide>, Accumulator<i64>) {
    let computed = spark.long_accumulator("computed partitions");
    let wide = spark.range(0, 16, 1, 16).with(computed.clone()).flat_map(|computed, partition| {
        computed.add(1);
        (0..32_768).map(move |index| [partition as u64 + index % 2; 32])
    });
    (wide, computed)
}

fn sum(records: &Rdd<Wide>) -> anyhow::Result<u64> {
    Ok(records.map(|record| record[7]).reduce(|left, right| left + right)?)
}

/// Each storage level in turn: how many copies are in memory and on disk, and what is left after `unpersist`.
fn every_level(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let holders = Holders::watch(spark)?;
    for (name, level) in StorageLevel::NAMED.into_iter().filter(|(_, level)| level.is_valid()) {
        let numbers = counted(spark, gates, name);
        numbers.persist(level)?;
        anyhow::ensure!(numbers.count()? == 1000 && numbers.count()? == 1000, "{name}: wrong count");
        let info = stored(spark, &numbers);
        let wanted = vec![usize::from(level.replication); PARTITIONS as usize];
        let copies = wait_until(&format!("the copies of {name}"), || {
            let copies = holders.copies(&numbers);
            (copies.iter().sum::<usize>() >= wanted.iter().sum()).then_some(copies)
        });
        let (memory, disk) = (info.memory_size.bytes() > 0, info.disk_size.bytes() > 0);
        println!("{name}: {} partitions, copies {copies:?}, memory {memory}, disk {disk}", info.cached_partitions);
        numbers.unpersist(true);
        let status = spark.executor_memory_status();
        anyhow::ensure!(
            status.values().all(|memory| memory.remaining == memory.maximum),
            "{name}: memory is taken after unpersist: {status:?}"
        );
    }
    Ok(())
}

/// A cached RDD is read where it is stored.
fn read_twice(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let numbers = counted(spark, gates, "compute");
    numbers.cache()?;
    let first = readers(&numbers)?;
    let second = readers(&numbers)?;
    println!("the same processes {}", first == second);
    Ok(())
}

/// Two copies of each partition; the driver waits at `kill` and then for the second copies to be back.
fn lose_a_replica(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let numbers = counted(spark, gates, "compute");
    numbers.persist(StorageLevel::MEMORY_ONLY_2)?;
    let holders = Holders::watch(spark)?;
    println!("count {}", numbers.count()?);
    wait_until("two copies of each partition", || (holders.copies(&numbers) == [2; PARTITIONS as usize]).then_some(()));
    let executors = holders.executors();
    gates.hold_first("kill");
    wait_until("the killed executor to be gone", || {
        // It has had a block, so the listener hears of it no sooner than its copies are forgotten.
        (!executors.is_subset(&holders.executors())).then_some(())
    });
    wait_until("two copies of each partition", || (holders.copies(&numbers) == [2; PARTITIONS as usize]).then_some(()));
    println!("again {}, stored {}", numbers.count()?, stored(spark, &numbers).cached_partitions);
    Ok(())
}

/// One copy of each partition; the driver waits at `kill` and then reads them all again.
fn lose_cached_blocks(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let numbers = counted(spark, gates, "compute");
    numbers.cache()?;
    println!("count {}", numbers.count()?);
    gates.hold_first("kill");
    println!("again {}", numbers.count()?);
    Ok(())
}

/// 128 MiB of records for executors that have 90 MiB for blocks.
fn cache_more_than_memory(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let (records, computed) = wide(spark);
    records.cache()?;
    let sums = [sum(&records)?, sum(&records)?];
    let info = stored(spark, &records);
    println!(
        "memory only: sums {sums:?}, all stored {}, again {}",
        info.cached_partitions == 16,
        computed.value() > 16
    );
    records.unpersist(true);

    let (records, computed) = wide(spark);
    records.persist(StorageLevel::MEMORY_AND_DISK)?;
    let sums = [sum(&records)?, sum(&records)?];
    let info = stored(spark, &records);
    let (memory, disk) = (info.memory_size.bytes() > 0, info.disk_size.bytes() > 0);
    println!(
        "memory and disk: sums {sums:?}, stored {}, memory {memory}, disk {disk}, computed {}",
        info.cached_partitions,
        computed.value()
    );
    Ok(())
}

/// The cache takes all that there is, then a sort needs more than is left to it.
fn cache_then_sort(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let (records, _) = wide(spark);
    records.cache()?;
    sum(&records)?;
    let before = stored(spark, &records).memory_size;
    let [memory] = &spark
        .executor_memory_status()
        .into_values()
        .filter(|memory| memory.maximum.bytes() < 100 << 20)
        .collect::<Vec<_>>()[..]
    else {
        anyhow::bail!("one small executor: {:?}", spark.executor_memory_status());
    };
    let half = memory.maximum.bytes() / 2;
    let count = 4_000_000;
    let scattered = spark.range(0, count, 1, 2).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64), [n; 4]));
    let sorted = scattered.sort_by_key_with(true, 2)?;
    let in_order = sorted.map_partitions(|records| {
        let mut last = i64::MIN;
        let mut count = 0_u64;
        for (key, _) in records {
            assert!(last <= key, "out of order");
            last = key;
            count += 1;
        }
        iter::once(count)
    });
    let sorted: u64 = in_order.collect()?.into_iter().sum();
    let after = stored(spark, &records).memory_size;
    println!(
        "sorted {sorted}, full before {}, smaller after {}, half kept {}",
        before.bytes() > half * 3 / 2,
        after < before,
        // Whole blocks go, so the last one may take it below by its size.
        after.bytes() + (9 << 20) >= half
    );
    println!("sum {}", sum(&records)?);
    Ok(())
}

/// Nothing is kept of what nobody can reach any more.
fn drop_the_last_handle(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let numbers = counted(spark, gates, "compute");
    numbers.persist(StorageLevel::MEMORY_AND_DISK_2)?;
    let on_disk = spark.range(0, 1000, 1, PARTITIONS).map(|n| n + 1);
    on_disk.persist(StorageLevel::DISK_ONLY)?;
    let values = spark.broadcast(vec![7_i64; 1000])?;
    let sums = numbers
        .map(|n| (n % 3, n))
        .with(values)
        .map(|values, (key, n)| (key, n + values.value()[0]))
        .reduce_by_key_with(|left, right| left + right, 3);
    println!("count {} {}", sums.count()?, on_disk.count()?);
    gates.hold_first("look");
    drop((sums, numbers, on_disk));
    wait_until("the driver to know of no block", || {
        let taken = spark.executor_memory_status().values().any(|memory| memory.remaining != memory.maximum);
        (!taken && spark.rdd_storage_info().is_empty()).then_some(())
    });
    gates.hold_first("gone");
    Ok(())
}
