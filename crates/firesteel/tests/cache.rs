//! Persisted RDDs (RT-50, RT-52, RT-53, RT-58).

mod harness;

use std::sync::atomic::{AtomicBool, Ordering};

use firesteel::{Accumulator, Rdd, SparkContext, SparkError, StorageLevel};
use harness::{files_named, wait_until, with_context};

/// The numbers below `count` in four partitions, and how many were computed.
fn counted(sc: &SparkContext, count: i64) -> (Rdd<i64>, Accumulator<i64>) {
    let computed = sc.long_accumulator("computed");
    let numbers = sc.range(0, count, 1, 4).with(computed.clone()).map(|computed, number| {
        computed.add(1);
        number * 2
    });
    (numbers, computed)
}

#[test]
fn every_level_keeps_its_blocks_where_it_says() {
    let off_heap = [("spark.memory.offHeap.enabled", "true"), ("spark.memory.offHeap.size", "64m")];
    with_context(&off_heap, |sc, directory| {
        let expected: Vec<i64> = (0..1000).map(|number| number * 2).collect();
        for (name, level) in StorageLevel::NAMED.into_iter().filter(|(_, level)| level.is_valid()) {
            let (numbers, computed) = counted(sc, 1000);
            assert_eq!(numbers.persist(level).unwrap().storage_level(), level, "{name}");
            assert_eq!(sc.rdd_storage_info()[0].cached_partitions, 0, "{name}: nothing before an action");
            for _ in 0..3 {
                assert_eq!(numbers.collect().unwrap(), expected, "{name}");
            }
            assert_eq!(computed.value(), 1000, "{name}: each record is computed once");

            let [info] = &sc.rdd_storage_info()[..] else { panic!("{name}: one RDD is persisted") };
            assert_eq!((info.rdd_id, info.storage_level), (numbers.id(), level));
            assert_eq!((info.partitions, info.cached_partitions), (4, 4), "{name}");
            assert_eq!(info.memory_size.bytes() > 0, level.use_memory, "{name}: {info:?}");
            assert_eq!(info.disk_size.bytes() > 0, !level.use_memory, "{name}: {info:?}");
            let files = files_named(directory, "rdd_");
            assert_eq!(files.len(), if level.use_memory { 0 } else { 4 }, "{name}: {files:?}");

            numbers.unpersist(true);
            assert_eq!(numbers.storage_level(), StorageLevel::NONE);
            assert_eq!(sc.rdd_storage_info(), [], "{name}");
            assert_eq!(files_named(directory, "rdd_").len(), 0, "{name}");
            assert_eq!(numbers.collect().unwrap(), expected, "{name}");
            assert_eq!(computed.value(), 2000, "{name}: what is not stored is computed again");
        }
        let storage = sc.executor_memory_status();
        assert!(storage.values().all(|memory| memory.remaining == memory.maximum), "{storage:?}");
    });
}

#[test]
fn children_read_the_cache_and_not_the_source() {
    with_context(&[], |sc, _| {
        let (numbers, computed) = counted(sc, 100);
        numbers.cache().unwrap();
        let odd = numbers.map(|number| number + 1);
        assert_eq!(odd.filter(|number| number % 4 == 1).count().unwrap(), 50);
        assert_eq!(odd.reduce(|left, right| left + right).unwrap(), 10_000);
        assert_eq!(
            numbers.map(|number| (number % 3, 1)).reduce_by_key_with(|left, right| left + right, 2).count().unwrap(),
            3
        );
        assert_eq!(computed.value(), 100);
    });
}

#[test]
fn partitions_of_one_action_are_stored_and_the_others_are_not() {
    with_context(&[], |sc, _| {
        let (numbers, computed) = counted(sc, 100);
        numbers.cache().unwrap();
        let other = sc.range(0, 100, 1, 4);
        other.cache().unwrap();
        assert_eq!(numbers.count().unwrap(), 100);
        let stored: Vec<u32> = sc.rdd_storage_info().iter().map(|info| info.cached_partitions).collect();
        assert_eq!(stored, if numbers.id() < other.id() { [4, 0] } else { [0, 4] });
        assert_eq!(computed.value(), 100);
    });
}

/// A record of 256 bytes in memory, and of few more than 32 where it is encoded.
type Wide = [u64; 32];

/// 128 MiB of records in memory, for a heap that has 90 MiB for blocks.
fn wide(sc: &SparkContext) -> (Rdd<Wide>, Accumulator<i64>) {
    let computed = sc.long_accumulator("computed partitions");
    let wide = sc.range(0, 16, 1, 16).with(computed.clone()).flat_map(|computed, partition| {
        computed.add(1);
        (0..32_768).map(move |index| [partition as u64 + index % 2; 32])
    });
    (wide, computed)
}

fn sum(records: &Rdd<Wide>) -> u64 {
    records.map(|record| record[7]).reduce(|left, right| left + right).unwrap()
}

const SMALL_HEAP: [(&str, &str); 1] = [("spark.driver.memory", "450m")];
/// Of all partitions' numbers, half of them one more.
const WIDE_SUM: u64 = 120 * 32_768 + 16 * 16_384;

#[test]
fn a_cache_larger_than_memory_completes() {
    with_context(&SMALL_HEAP, |sc, _| {
        let (records, computed) = wide(sc);
        records.cache().unwrap();
        assert_eq!(sum(&records), WIDE_SUM);
        assert_eq!(computed.value(), 16);
        let stored = sc.rdd_storage_info()[0].cached_partitions;
        assert!((5..16).contains(&stored), "{stored} partitions fit into 90 MiB");
        assert_eq!(sum(&records), WIDE_SUM);
        let computed = computed.value() - 16;
        assert!((1..=11).contains(&computed), "{computed} partitions were computed again, of 16 - {stored}");
    });
}

#[test]
fn what_memory_has_no_room_for_goes_to_disk() {
    with_context(&SMALL_HEAP, |sc, directory| {
        let (records, computed) = wide(sc);
        records.persist(StorageLevel::MEMORY_AND_DISK).unwrap();
        assert_eq!(sum(&records), WIDE_SUM);
        assert_eq!(sum(&records), WIDE_SUM);
        assert_eq!(computed.value(), 16);
        let info = &sc.rdd_storage_info()[0];
        assert_eq!(info.cached_partitions, 16);
        assert!(info.memory_size.bytes() > 0 && info.disk_size.bytes() > 0, "{info:?}");
        assert!(!files_named(directory, "rdd_").is_empty());
    });
}

#[test]
fn blocks_of_another_rdd_are_evicted_least_recently_used_first() {
    with_context(&SMALL_HEAP, |sc, _| {
        let (first, first_computed) = wide(sc);
        let (second, _) = wide(sc);
        first.cache().unwrap();
        assert_eq!(sum(&first), WIDE_SUM);
        let before = sc.rdd_storage_info()[0].cached_partitions;
        second.cache().unwrap();
        assert_eq!(sum(&second), WIDE_SUM);
        let infos = sc.rdd_storage_info();
        let of = |rdd: &Rdd<Wide>| infos.iter().find(|info| info.rdd_id == rdd.id()).unwrap().cached_partitions;
        assert!(of(&second) >= 5 && of(&first) < before, "{before} before, then {infos:?}");
        assert_eq!(sum(&first), WIDE_SUM);
        assert!(first_computed.value() > 16);
    });
}

#[test]
fn the_level_of_a_persisted_rdd_cannot_be_changed() {
    with_context(&[], |sc, _| {
        let numbers = sc.range(0, 10, 1, 2);
        assert!(matches!(numbers.persist(StorageLevel::NONE), Err(SparkError::InvalidArgument(_))));
        numbers.cache().unwrap().cache().unwrap();
        let error = numbers.persist(StorageLevel::DISK_ONLY).unwrap_err();
        assert!(matches!(error, SparkError::StorageLevelChange { wanted: StorageLevel::DISK_ONLY, .. }));
        assert!(error.to_string().contains("unpersist it first"), "{error}");
        numbers.unpersist(false).persist(StorageLevel::DISK_ONLY).unwrap();
        assert_eq!(numbers.count().unwrap(), 10);
        assert_eq!(sc.rdd_storage_info()[0].storage_level, StorageLevel::DISK_ONLY);
    });
}

#[test]
fn blocks_go_with_the_last_handle() {
    with_context(&[], |sc, directory| {
        let (numbers, _) = counted(sc, 1000);
        numbers.persist(StorageLevel::DISK_ONLY).unwrap();
        let child = numbers.map(|number| number + 1);
        drop(numbers);
        assert_eq!(child.count().unwrap(), 1000);
        assert_eq!(files_named(directory, "rdd_").len(), 4, "a child is a handle");
        drop(child);
        wait_until("the files are gone", || files_named(directory, "rdd_").is_empty());
        // The event loop has taken the removal before this job.
        assert_eq!(sc.range(0, 1, 1, 1).count().unwrap(), 1);
        assert!(sc.executor_memory_status().values().all(|memory| memory.remaining == memory.maximum));
    });
}

#[test]
fn a_partition_whose_computation_fails_is_not_stored() {
    static FAIL: AtomicBool = AtomicBool::new(true);
    with_context(&[], |sc, _| {
        let numbers = sc.range(0, 100, 1, 4).map(|number| {
            assert!(number != 60 || !FAIL.load(Ordering::Relaxed), "sixty is bad");
            number
        });
        numbers.cache().unwrap();
        let error = numbers.count().unwrap_err();
        assert!(error.to_string().contains("sixty is bad"), "{error}");
        FAIL.store(false, Ordering::Relaxed);
        assert_eq!(numbers.collect().unwrap(), (0..100).collect::<Vec<_>>());
        assert_eq!(sc.rdd_storage_info()[0].cached_partitions, 4);
    });
}

static ARMED: AtomicBool = AtomicBool::new(false);

/// Panics when it is dropped, once for each time that it was armed.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Explosive(i64);

impl Drop for Explosive {
    fn drop(&mut self) {
        if ARMED.swap(false, Ordering::AcqRel) {
            panic!("an explosive was dropped");
        }
    }
}

#[test]
fn values_whose_drop_panics_keep_nobody_waiting() {
    with_context(&[], |sc, _| {
        let explosives = sc.range(0, 10, 1, 2).map(Explosive);
        explosives.persist(StorageLevel::MEMORY_ONLY).unwrap();
        assert_eq!(explosives.count().unwrap(), 10);
        ARMED.store(true, Ordering::Release);
        explosives.unpersist(true);
        wait_until("the values are dropped", || !ARMED.load(Ordering::Acquire));
        // What is removed afterwards is waited for as ever.
        let numbers = sc.range(0, 10, 1, 2);
        numbers.persist(StorageLevel::MEMORY_ONLY).unwrap();
        assert_eq!(numbers.count().unwrap(), 10);
        numbers.unpersist(true);
        assert_eq!(explosives.count().unwrap(), 10);
    });
}
