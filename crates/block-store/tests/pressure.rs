//! A process that holds more than it was given: blocks go, blocks that are collected find no room, nobody waits.

mod cluster;

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
};

use cluster::{Cluster, Executor, codec, rdd, values};
use firesteel_block_store::{BlockError, BlockSource, PutBlock};
use firesteel_memory::{MemoryMode, ResidentLimits};
use firesteel_model::{ByteCount, StorageLevel};

/// Half way is at 2000, a recall is due at every 125.
const LIMITS: ResidentLimits = ResidentLimits { given: ByteCount(1000), limit: ByteCount(3000) };

/// So many records take 800 bytes as values.
const COUNT: u64 = 100;
/// So many records are more than what stays when memory is recalled.
const MANY: u64 = 20_000;

fn observe(executor: &Executor, resident: u64) {
    executor.memory.observe_resident(&LIMITS, ByteCount(resident));
}

#[test]
fn blocks_go_to_disk_or_away_when_the_pools_become_too_small_for_them() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::MEMORY_AND_DISK, COUNT);
    executor.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT);
    observe(executor, 1100);
    assert_eq!(executor.memory.relieve(), ByteCount::ZERO, "1800 are usable, 1600 are used");
    observe(executor, 1300);
    assert_eq!(executor.memory.relieve(), ByteCount(800), "1400 are usable");
    assert_eq!((executor.status(rdd(0, 0)).1, executor.status(rdd(1, 0)).1), (0, 800), "least recently used first");
    assert!(executor.status(rdd(0, 0)).2 > 0, "it is on disk");
    observe(executor, 2000);
    assert_eq!(executor.memory.relieve(), ByteCount(800), "nothing is usable");
    assert_eq!(executor.blocks.block_ids(), [rdd(0, 0)]);
    observe(executor, 500);
    let (read, source) = executor.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT);
    assert_eq!((read, source), (values(rdd(1, 0), COUNT), BlockSource::Computed));
    assert_eq!(executor.status(rdd(1, 0)).1, 800, "there is room again");
    cluster.assert_invariants();
}

#[test]
fn while_nothing_is_usable_blocks_go_to_disk_at_once_or_are_not_kept() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    observe(executor, 2500);
    for (block_id, level) in [(rdd(0, 0), StorageLevel::MEMORY_AND_DISK), (rdd(1, 0), StorageLevel::MEMORY_ONLY)] {
        let (read, source) = executor.read(block_id, level, COUNT);
        assert_eq!((read, source), (values(block_id, COUNT), BlockSource::Computed));
        let (_, memory, disk) = executor.status(block_id);
        assert_eq!((memory, disk > 0), (0, level.use_disk));
    }
    cluster.assert_invariants();
}

/// The pool is as good as empty by its own account: it is the recall that counts.
#[test]
fn a_block_that_is_collected_when_memory_is_recalled_goes_to_disk_or_is_not_kept() {
    for (level, on_disk) in [(StorageLevel::MEMORY_AND_DISK, true), (StorageLevel::MEMORY_ONLY, false)] {
        let cluster = Cluster::new(&["a1"], 10_000_000);
        let executor = &cluster.executors[0];
        let task = executor.task(1);
        let all = values(rdd(0, 0), MANY);
        let pressed = all.iter().map(|&value| {
            if value == all[MANY as usize / 2] {
                observe(executor, 1125);
            }
            Ok(value)
        });
        let put: PutBlock<'_, u64, BlockError> =
            executor.blocks.put_iterator(&task, rdd(0, 0), level, &codec(), pressed).unwrap();
        assert_eq!(put.stored, on_disk);
        let records: Vec<u64> = put.records.into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(records, all, "every record once");
        let (_, memory, disk) = executor.status(rdd(0, 0));
        assert_eq!((memory, disk > 0), (0, on_disk));
        assert_eq!(task.release_all().total(), ByteCount::ZERO);
        // The next one knows of that recall, and there is no other.
        executor.read(rdd(0, 1), level, MANY);
        assert_eq!(executor.status(rdd(0, 1)).1, 8 * MANY);
        cluster.assert_invariants();
    }
}

#[test]
fn a_small_block_stays_when_memory_is_recalled() {
    let cluster = Cluster::new(&["a1"], 10_000_000);
    let executor = &cluster.executors[0];
    let all = values(rdd(0, 0), COUNT);
    let pressed = all.iter().enumerate().map(|(index, &value)| {
        observe(executor, if index == 50 { 1125 } else { 0 });
        Ok(value)
    });
    let put: PutBlock<'_, u64, BlockError> = executor
        .blocks
        .put_iterator(&executor.task(1), rdd(0, 0), StorageLevel::MEMORY_ONLY, &codec(), pressed)
        .unwrap();
    assert!(put.stored);
    assert_eq!(executor.memory.recalls().load(Ordering::Relaxed), 1);
}

#[test]
fn a_task_that_waits_goes_on_with_nothing_when_the_process_is_pressed() {
    let memory = cluster::memory(1000);
    let task = |task_id| {
        firesteel_block_store::TaskMemory::new(
            Arc::clone(&memory),
            firesteel_model::TaskId(task_id),
            MemoryMode::OnHeap,
            Arc::default(),
        )
    };
    assert_eq!(task(1).acquire(1000), 1000);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| task(2).acquire(600));
        while memory.active_tasks(MemoryMode::OnHeap).len() < 2 {
            thread::yield_now();
        }
        memory.observe_resident(&LIMITS, ByteCount(1010));
        assert_eq!(waiting.join().unwrap(), 0);
    });
    task(1).release(500);
    assert_eq!(task(2).acquire(600), 490, "a half of what is usable, at most");
    memory.observe_resident(&LIMITS, ByteCount(1000));
    assert_eq!(task(2).acquire(600), 10);
}
