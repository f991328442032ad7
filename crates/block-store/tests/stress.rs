//! Many threads, little memory, and any sequence of calls: every reader gets the right records, and the accounts add up.

mod cluster;

use std::{collections::BTreeMap, fs, path::Path, sync::Barrier};

use cluster::{Cluster, options, rdd, values};
use firesteel_block_store::BlockManagerOptions;
use firesteel_memory::MemoryMode;
use firesteel_model::{BlockId, ByteCount, RddId, StorageLevel, TaskId};
use proptest::prelude::*;

const LEVELS: [StorageLevel; 5] = [
    StorageLevel::MEMORY_ONLY,
    StorageLevel::MEMORY_AND_DISK,
    StorageLevel::MEMORY_ONLY_SER,
    StorageLevel::MEMORY_AND_DISK_SER,
    StorageLevel::DISK_ONLY,
];

/// Each RDD has one level; its partitions have different sizes.
fn level_of(block_id: BlockId) -> StorageLevel {
    LEVELS[block_id.rdd_id().unwrap().0 as usize % LEVELS.len()]
}

fn count_of(block_id: BlockId) -> u64 {
    let BlockId::Rdd(RddId(rdd_id), partition) = block_id else { panic!("no partition") };
    u64::from(rdd_id * 37 + partition.0 * 61) % 400
}

/// A small pseudo-random sequence, so that every thread has its own and a run can be repeated.
fn next(state: &mut u64) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as u32
}

#[test]
fn threads_that_read_evict_compute_and_remove_all_see_the_right_records() {
    const THREADS: u64 = 8;
    let options = BlockManagerOptions { compress_rdds: true, ..options() };
    let cluster = Cluster::with_options(&["a1"], 12_000, &options);
    let executor = &cluster.executors[0];
    let start = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let start = &start;
            scope.spawn(move || {
                let task = executor.task(thread + 1);
                let mut random = thread;
                let mut held = 0;
                start.wait();
                for _ in 0..250 {
                    let block_id = rdd(next(&mut random) % 10, next(&mut random) % 8);
                    match next(&mut random) % 16 {
                        0 => _ = executor.blocks.remove_block(&block_id),
                        1 => _ = executor.blocks.remove_rdd(block_id.rdd_id().unwrap()),
                        2 => held += task.acquire(200),
                        3 => task.release(std::mem::take(&mut held)),
                        _ => {
                            let (level, count) = (level_of(block_id), count_of(block_id));
                            let found = executor.get_or_compute(&task, block_id, level, count).unwrap();
                            let read: Vec<u64> = found.records.into_iter().map(Result::unwrap).collect();
                            assert_eq!(read, values(block_id, count), "{block_id}");
                        }
                    }
                    let usage = executor.memory.usage(MemoryMode::OnHeap);
                    assert!(usage.execution + usage.storage <= usage.capacity, "{usage:?}");
                }
                task.release(held);
                assert_eq!(task.release_all().total(), ByteCount::ZERO);
            });
        }
    });
    cluster.assert_invariants();
    let statistics = executor.blocks.statistics();
    assert!(statistics.evicted > 0 && statistics.evicted_to_disk > 0 && statistics.memory_hits > 0, "{statistics:?}");
    for rdd_id in 0..10 {
        executor.blocks.remove_rdd(RddId(rdd_id));
    }
    let statistics = executor.blocks.statistics();
    assert_eq!((statistics.memory_blocks, statistics.disk_used), (0, ByteCount::ZERO));
    assert_eq!(executor.memory.usage(MemoryMode::OnHeap).storage, ByteCount::ZERO);
    assert_eq!(files_in(cluster.root.path()), 0, "files are left behind");
    assert_eq!(cluster.master.with(|registry, _| registry.storage().next().unwrap().rdd_blocks), 0);
}

fn files_in(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_in(&path) } else { 1 }).sum()
}

#[derive(Clone, Debug)]
enum Call {
    Read(u32, u32),
    /// The task keeps the records that it reads.
    Hold(u32, u32),
    LetGo,
    Remove(u32, u32),
    RemoveRdd(u32),
    AcquireExecution(u64, u64),
    EndTask(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let (rdd_id, partition, task) = (0..5u32, 0..6u32, 1..4u64);
    prop_oneof![
        8 => (rdd_id.clone(), partition.clone()).prop_map(|(rdd_id, partition)| Call::Read(rdd_id, partition)),
        2 => (rdd_id.clone(), partition.clone()).prop_map(|(rdd_id, partition)| Call::Hold(rdd_id, partition)),
        1 => Just(Call::LetGo),
        2 => (rdd_id.clone(), partition).prop_map(|(rdd_id, partition)| Call::Remove(rdd_id, partition)),
        1 => rdd_id.prop_map(Call::RemoveRdd),
        2 => (task.clone(), 1..3000u64).prop_map(|(task, bytes)| Call::AcquireExecution(task, bytes)),
        1 => task.prop_map(Call::EndTask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_accounts_add_up_after_every_call(capacity in 500..12_000u64, calls in prop::collection::vec(call(), 1..60)) {
        let cluster = Cluster::new(&["a1"], capacity);
        let executor = &cluster.executors[0];
        let mut held_memory: BTreeMap<u64, u64> = BTreeMap::new();
        let mut held_records = Vec::new();
        for call in calls {
            match call {
                Call::Read(rdd_id, partition) => {
                    let block_id = rdd(rdd_id, partition);
                    let (read, _) = executor.read(block_id, level_of(block_id), count_of(block_id));
                    prop_assert_eq!(read, values(block_id, count_of(block_id)));
                }
                Call::Hold(rdd_id, partition) => {
                    let block_id = rdd(rdd_id, partition);
                    let task = executor.task(9);
                    let found = executor.get_or_compute(&task, block_id, level_of(block_id), count_of(block_id)).unwrap();
                    let records = found.records.into_values().unwrap();
                    prop_assert_eq!(&*records, &values(block_id, count_of(block_id)));
                    held_records.push(records);
                }
                Call::LetGo => held_records.clear(),
                Call::Remove(rdd_id, partition) => {
                    executor.blocks.remove_block(&rdd(rdd_id, partition));
                    prop_assert!(cluster.holders(rdd(rdd_id, partition)).is_empty());
                }
                Call::RemoveRdd(rdd_id) => {
                    executor.blocks.remove_rdd(RddId(rdd_id));
                    let storage = cluster.master.with(|registry, _| registry.rdd_storage(RddId(rdd_id)));
                    prop_assert!(storage.partitions.is_empty());
                }
                Call::AcquireExecution(task_id, bytes) => {
                    // Alone, a task never waits; with others it might, and nobody would wake it here.
                    held_memory.retain(|other, _| *other == task_id || {
                        executor.task(*other).release_all();
                        false
                    });
                    *held_memory.entry(task_id).or_default() += executor.task(task_id).acquire(bytes);
                }
                Call::EndTask(task_id) => {
                    let left = executor.memory.release_all_for_task(TaskId(task_id));
                    prop_assert_eq!(left.total().bytes(), held_memory.remove(&task_id).unwrap_or(0));
                }
            }
            cluster.assert_invariants();
            let usage = executor.memory.usage(MemoryMode::OnHeap);
            prop_assert_eq!(usage.execution.bytes(), held_memory.values().sum::<u64>());
            prop_assert!(usage.execution + usage.storage <= usage.capacity);
            // The driver knows exactly what is here.
            let known = cluster.master.with(|registry, _| registry.storage().next().unwrap());
            prop_assert_eq!(known.memory_used, usage.storage);
            prop_assert_eq!(known.disk_used, executor.blocks.statistics().disk_used);
            prop_assert_eq!(known.rdd_blocks, executor.blocks.block_ids().len());
        }
    }
}
