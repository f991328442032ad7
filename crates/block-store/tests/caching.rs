//! Cached partitions: where each level keeps them, what leaves memory, and what is read from where.

mod cluster;

use std::sync::{
    Arc, Barrier,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use cluster::{Cluster, codec, options, rdd, values};
use firesteel_block_store::{
    BlockError, BlockManagerOptions, BlockServer, BlockSource, CodecError, PutBlock, RecordCodec, Records, TaskMemory,
};
use firesteel_memory::MemoryMode;
use firesteel_model::{BlockId, ByteCount, RddId, StorageLevel, TaskId};

/// So many records take 800 bytes as values.
const COUNT: u64 = 100;

#[test]
fn each_level_keeps_blocks_where_it_says() {
    for (name, level) in StorageLevel::NAMED.into_iter().filter(|(_, level)| level.is_valid()) {
        let cluster = Cluster::new(&["a1", "b2", "c3"], 100_000);
        let executor = &cluster.executors[0];
        assert_eq!(executor.read(rdd(1, 1), level, COUNT), (values(rdd(1, 1), COUNT), BlockSource::Computed), "{name}");
        let (kept, memory, disk) = executor.status(rdd(1, 1));
        assert_eq!((kept.use_memory, kept.use_disk), (level.use_memory, !level.use_memory), "{name}");
        assert_eq!(kept.deserialized, level.deserialized && level.use_memory, "{name}");
        assert_eq!((memory > 0, disk > 0), (kept.use_memory, kept.use_disk), "{name}");
        assert!(!level.deserialized || memory == 8 * COUNT, "{name}: {memory}");
        let off_heap = executor.memory.usage(MemoryMode::OffHeap).storage.bytes();
        assert_eq!(off_heap, if level.use_off_heap { memory } else { 0 }, "{name}");
        assert_eq!(cluster.holders(rdd(1, 1)).len(), usize::from(level.replication), "{name}");
        let again = if level.use_memory { BlockSource::LocalMemory } else { BlockSource::LocalDisk };
        assert_eq!(executor.read(rdd(1, 1), level, 0), (values(rdd(1, 1), COUNT), again), "{name}");
        cluster.assert_invariants();
    }
}

#[test]
fn no_level_at_all_is_refused() {
    let cluster = Cluster::new(&["a1"], 1000);
    let executor = &cluster.executors[0];
    let refused = executor.get_or_compute(&executor.task(1), rdd(0, 0), StorageLevel::NONE, 1).err().unwrap();
    assert!(matches!(refused, BlockError::InvalidLevel { .. }));
}

#[test]
fn the_least_recently_used_block_goes_first() {
    let cluster = Cluster::new(&["a1"], 2500);
    let executor = &cluster.executors[0];
    for rdd_id in 0..3 {
        executor.read(rdd(rdd_id, 0), StorageLevel::MEMORY_ONLY, COUNT);
    }
    executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT);
    executor.read(rdd(3, 0), StorageLevel::MEMORY_ONLY, COUNT);
    assert_eq!(executor.blocks.block_ids(), [rdd(0, 0), rdd(2, 0), rdd(3, 0)]);
    assert!(cluster.holders(rdd(1, 0)).is_empty(), "the driver was told");
    assert_eq!((executor.blocks.statistics().evicted, executor.blocks.statistics().evicted_to_disk), (1, 0));
    cluster.assert_invariants();
}

#[test]
fn no_block_goes_for_one_of_its_own_rdd() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    for partition in 0..5 {
        let (read, source) = executor.read(rdd(0, partition), StorageLevel::MEMORY_ONLY, COUNT);
        assert_eq!((read, source), (values(rdd(0, partition), COUNT), BlockSource::Computed));
    }
    assert_eq!(executor.blocks.block_ids(), [rdd(0, 0), rdd(0, 1)]);
    assert_eq!((executor.blocks.statistics().not_stored, executor.blocks.statistics().evicted), (3, 0));
    cluster.assert_invariants();
}

#[test]
fn nothing_goes_for_a_block_that_would_not_fit_even_then() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT);
    executor.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT);
    // 400 bytes are free, and of its own RDD nothing goes: at most 1200 could be had.
    let put = |size| executor.blocks.put_bytes(rdd(0, 1), StorageLevel::MEMORY_ONLY_SER, vec![0; size].into(), true);
    assert!(!put(1201).unwrap());
    assert_eq!(executor.blocks.block_ids(), [rdd(0, 0), rdd(1, 0)]);
    assert!(put(1200).unwrap());
    assert_eq!(executor.blocks.block_ids(), [rdd(0, 0), rdd(0, 1)]);
    cluster.assert_invariants();
}

#[test]
fn a_block_that_is_read_is_not_evicted() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT);
    executor.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT);
    let task = executor.task(1);
    let held = executor.get_or_compute(&task, rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT).unwrap();
    executor.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT);
    executor.read(rdd(2, 0), StorageLevel::MEMORY_ONLY, COUNT);
    assert_eq!(executor.blocks.block_ids(), [rdd(0, 0), rdd(2, 0)]);
    drop(held);
    executor.read(rdd(3, 0), StorageLevel::MEMORY_ONLY, COUNT);
    assert_eq!(executor.blocks.block_ids(), [rdd(2, 0), rdd(3, 0)]);
}

#[test]
fn a_removed_block_stays_with_its_reader() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT);
    executor.read(rdd(0, 1), StorageLevel::DISK_ONLY, COUNT);
    let task = executor.task(1);
    let held =
        [0, 1].map(|partition| executor.get_or_compute(&task, rdd(0, partition), StorageLevel::NONE, 0).unwrap());
    cluster.perform(&cluster.master.with(|registry, _| registry.remove_rdd(RddId(0))));
    assert!(executor.blocks.block_ids().is_empty());
    for (partition, found) in held.into_iter().enumerate() {
        let records = found.records.into_values().unwrap();
        assert_eq!(*records, values(rdd(0, partition as u32), COUNT));
    }
    cluster.assert_invariants();
}

#[test]
fn what_memory_has_no_room_for_goes_to_disk_and_comes_back() {
    for level in [StorageLevel::MEMORY_AND_DISK, StorageLevel::MEMORY_AND_DISK_SER, StorageLevel::OFF_HEAP] {
        let cluster = Cluster::new(&["a1"], 2000);
        let executor = &cluster.executors[0];
        executor.read(rdd(0, 0), level, COUNT);
        executor.read(rdd(1, 0), level, COUNT);
        let (kept, memory, disk) = executor.status(rdd(0, 0));
        let evicted = executor.blocks.statistics().evicted_to_disk;
        if evicted == 0 {
            // Values are smaller than their encoding here: both fit.
            assert!(level.deserialized);
            executor.read(rdd(2, 0), level, COUNT);
        } else {
            assert_eq!((kept.use_memory, kept.use_disk, memory), (false, true, 0));
            assert!(disk > 0);
        }
        assert_eq!(executor.status(rdd(0, 0)).1, 0, "{level}: evicted");
        let first = executor.read(rdd(0, 0), level, 0);
        assert_eq!(first, (values(rdd(0, 0), COUNT), BlockSource::LocalDisk));
        let again = executor.read(rdd(0, 0), level, 0);
        assert_eq!(again, (values(rdd(0, 0), COUNT), BlockSource::LocalMemory), "{level}: it came back to memory");
        cluster.assert_invariants();
    }
}

#[test]
fn a_partition_larger_than_memory_is_not_cached_and_the_iterator_goes_on() {
    for (level, source) in [
        (StorageLevel::MEMORY_ONLY, BlockSource::Computed),
        (StorageLevel::MEMORY_ONLY_SER, BlockSource::Computed),
        (StorageLevel::MEMORY_AND_DISK, BlockSource::LocalDisk),
        (StorageLevel::MEMORY_AND_DISK_SER, BlockSource::LocalDisk),
    ] {
        let cluster = Cluster::new(&["a1"], 3000);
        let executor = &cluster.executors[0];
        for _ in 0..2 {
            let (read, _) = executor.read(rdd(0, 0), level, 10_000);
            assert_eq!(read, values(rdd(0, 0), 10_000), "{level}");
        }
        assert_eq!(executor.read(rdd(0, 0), level, 10_000).1, source, "{level}");
        assert_eq!(executor.status(rdd(0, 0)).1, 0);
        assert_eq!(executor.memory.usage(MemoryMode::OnHeap).unroll, ByteCount::ZERO);
        cluster.assert_invariants();
    }
}

#[test]
fn unrolling_reserves_before_it_collects_and_lets_go_when_it_fails() {
    let cluster = Cluster::new(&["a1"], 4000);
    let executor = &cluster.executors[0];
    let task = executor.task(1);
    let unrolled = || executor.memory.usage(MemoryMode::OnHeap).unroll.bytes();
    let collected = AtomicU32::new(0);
    let counting = (0..100_000u64).map(|number| {
        let before = u64::from(collected.fetch_add(1, Ordering::Relaxed));
        // Sixteen records may be at hand that were not measured yet.
        assert!(before < 16 || (before - 16) * 8 <= unrolled().max(64) || unrolled() == 0 || before * 8 > 3900);
        Ok::<_, BlockError>(number)
    });
    let put = executor.blocks.put_iterator(&task, rdd(0, 0), StorageLevel::MEMORY_ONLY, &codec(), counting).unwrap();
    assert!(!put.stored && unrolled() > 2000, "what was collected is accounted for: {}", unrolled());
    assert!(collected.load(Ordering::Relaxed) < 600, "it stopped when memory was full");
    let mut records = put.records.into_iter();
    let sum: u64 = records.by_ref().map(Result::unwrap).sum();
    assert_eq!((sum, unrolled()), ((0..100_000).sum(), 0));

    let failing =
        (0..300u64).map(|number| if number < 200 { Ok(number) } else { Err(BlockError::Busy { block_id: rdd(0, 0) }) });
    for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER, StorageLevel::DISK_ONLY] {
        let failed = executor.blocks.put_iterator(&task, rdd(0, 1), level, &codec(), failing.clone());
        assert!(matches!(failed, Err(BlockError::Busy { .. })));
    }
    assert_eq!((unrolled(), executor.blocks.block_ids()), (0, vec![]));
    assert_eq!(task.release_all().total(), ByteCount::ZERO);
}

#[test]
fn partial_records_keep_their_memory_until_the_task_ends() {
    let cluster = Cluster::new(&["a1"], 3000);
    let executor = &cluster.executors[0];
    let task = executor.task(1);
    let found = executor.get_or_compute(&task, rdd(0, 0), StorageLevel::MEMORY_ONLY, 10_000).unwrap();
    let left = task.release_all();
    assert!(left.on_heap.unroll > ByteCount(1000), "{left:?}");
    // The records outlive their task's account; dropping them gives nothing back twice.
    drop(found);
    assert_eq!(executor.memory.usage(MemoryMode::OnHeap).storage, ByteCount::ZERO);
}

#[test]
fn execution_shrinks_the_cache_to_its_region_and_no_further() {
    let cluster = Cluster::new(&["a1"], 4000);
    let executor = &cluster.executors[0];
    for rdd_id in 0..5 {
        executor.read(rdd(rdd_id, 0), StorageLevel::MEMORY_ONLY, COUNT);
    }
    let task = executor.task(1);
    // The region is 2000; whole blocks go, the last of which reaches into it, as in Spark.
    assert_eq!(task.acquire(4000), 2400);
    assert_eq!(executor.blocks.block_ids(), [rdd(3, 0), rdd(4, 0)]);
    assert_eq!(task.acquire(4000), 0);
    executor.read(rdd(5, 0), StorageLevel::MEMORY_ONLY, COUNT);
    assert_eq!(executor.memory.usage(MemoryMode::OnHeap).execution, ByteCount(2400), "storage never evicts execution");
    task.release(2400);
    assert_eq!((task.peak(), task.release_all().total()), (2400, ByteCount::ZERO));
}

#[test]
fn many_tasks_that_want_a_block_compute_it_once() {
    let cluster = Cluster::new(&["a1"], 100_000);
    let executor = &cluster.executors[0];
    let (computed, start) = (AtomicU32::new(0), Barrier::new(8));
    std::thread::scope(|scope| {
        for task_id in 0..8 {
            let (computed, start) = (&computed, &start);
            scope.spawn(move || {
                start.wait();
                let found = executor.blocks.get_or_compute(
                    &executor.task(task_id),
                    rdd(0, 0),
                    StorageLevel::MEMORY_ONLY,
                    &codec(),
                    || {
                        computed.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, BlockError>(values(rdd(0, 0), COUNT).into_iter().map(Ok))
                    },
                );
                assert_eq!(*found.unwrap().records.into_values().unwrap(), values(rdd(0, 0), COUNT));
            });
        }
    });
    assert_eq!(computed.into_inner(), 1);
}

#[test]
fn a_killed_task_stops_waiting_for_a_block() {
    let cluster = Cluster::new(&["a1"], 100_000);
    let executor = &cluster.executors[0];
    let killed = Arc::new(AtomicBool::new(false));
    let computing =
        executor.blocks.get_or_compute(&executor.task(1), rdd(0, 0), StorageLevel::MEMORY_ONLY, &codec(), || {
            // While this task computes the block, another wants it and is killed.
            let waits =
                TaskMemory::new(Arc::clone(&executor.memory), TaskId(2), MemoryMode::OnHeap, Arc::clone(&killed));
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| {
                    let found = executor.get_or_compute(&waits, rdd(0, 0), StorageLevel::MEMORY_ONLY, 1);
                    assert!(matches!(found.err().unwrap(), BlockError::Killed { block_id } if block_id == rdd(0, 0)));
                });
                killed.store(true, Ordering::Release);
                waiting.join().unwrap();
            });
            Ok::<_, BlockError>(values(rdd(0, 0), COUNT).into_iter().map(Ok))
        });
    assert!(computing.is_ok());
}

#[test]
fn a_panic_while_computing_leaves_the_block_free() {
    let cluster = Cluster::new(&["a1"], 100_000);
    let executor = &cluster.executors[0];
    let task = executor.task(1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let bad = (0..100u64).map(|number| if number < 50 { Ok(number) } else { panic!("user code") });
        executor
            .blocks
            .put_iterator::<u64, BlockError, _>(&task, rdd(0, 0), StorageLevel::MEMORY_ONLY, &codec(), bad)
            .map(|put| put.stored)
    }));
    assert!(panicked.is_err());
    assert_eq!(executor.memory.usage(MemoryMode::OnHeap).storage, ByteCount::ZERO);
    assert_eq!(executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT).1, BlockSource::Computed);
}

#[test]
fn a_block_that_is_here_already_is_not_stored_again() {
    let cluster = Cluster::new(&["a1"], 100_000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT);
    let untouched = std::iter::once_with(|| -> Result<u64, BlockError> { panic!("touched") });
    let PutBlock { stored, records } = executor
        .blocks
        .put_iterator(&executor.task(1), rdd(0, 0), StorageLevel::MEMORY_ONLY, &codec(), untouched)
        .unwrap();
    assert!(stored && matches!(records, Records::Cached(values) if values.len() as u64 == COUNT));
    assert!(executor.blocks.put_bytes(rdd(0, 0), StorageLevel::MEMORY_ONLY, vec![1].into(), true).unwrap());
    assert_eq!(executor.status(rdd(0, 0)).1, 8 * COUNT);
}

#[test]
fn compression_makes_cached_bytes_fewer() {
    let size = |compress_rdds| {
        let options = BlockManagerOptions { compress_rdds, ..options() };
        let cluster = Cluster::with_options(&["a1"], 1_000_000, &options);
        cluster.executors[0].read(rdd(0, 0), StorageLevel::MEMORY_ONLY_SER, 10_000);
        cluster.executors[0].read(rdd(0, 1), StorageLevel::DISK_ONLY, 10_000);
        (cluster.executors[0].status(rdd(0, 0)).1, cluster.executors[0].status(rdd(0, 1)).2)
    };
    let (plain, packed) = (size(false), size(true));
    assert!(packed.0 * 5 < plain.0 * 4 && packed.1 * 5 < plain.1 * 4, "{packed:?} of {plain:?}");
}

#[test]
fn a_damaged_file_is_dropped_and_the_block_computed_again() {
    for cluster in Cluster::plain_and_encrypted(&["a1"], 3000) {
        let executor = &cluster.executors[0];
        let damage = |block_id: BlockId| {
            let path = executor.blocks.disk_path(&block_id);
            let mut bytes = std::fs::read(&path).unwrap();
            let last = bytes.len() - 30;
            bytes[last] ^= 4;
            std::fs::write(&path, bytes).unwrap();
        };
        // On disk only: reading shows it, and the next attempt computes.
        executor.read(rdd(0, 0), StorageLevel::DISK_ONLY, COUNT);
        damage(rdd(0, 0));
        let found = executor.get_or_compute(&executor.task(1), rdd(0, 0), StorageLevel::DISK_ONLY, COUNT).unwrap();
        let error = found.records.into_values().unwrap_err();
        assert!(matches!(error, BlockError::Read { .. }) && error.is_damage(), "{error:?}");
        assert_eq!(executor.read(rdd(0, 0), StorageLevel::DISK_ONLY, COUNT).1, BlockSource::Computed);
        // On its way back to memory: the same attempt computes.
        for level in [StorageLevel::MEMORY_AND_DISK, StorageLevel::MEMORY_AND_DISK_SER] {
            executor.read(rdd(1, 0), level, COUNT);
            executor.read(rdd(2, 0), StorageLevel::MEMORY_ONLY, 350);
            assert_eq!(executor.status(rdd(1, 0)).1, 0, "it is on disk only");
            damage(rdd(1, 0));
            let read = executor.read(rdd(1, 0), level, COUNT);
            assert_eq!(read, (values(rdd(1, 0), COUNT), BlockSource::Computed), "{level}");
            executor.blocks.remove_rdd(RddId(1));
            executor.blocks.remove_rdd(RddId(2));
        }
        cluster.assert_invariants();
    }
}

/// With each level that writes them: at once, when they outgrow memory, when they are evicted, and as bytes from a peer.
#[test]
fn blocks_on_disk_are_encrypted_and_travel_as_they_are() {
    let [plain, encrypted] = Cluster::plain_and_encrypted(&["a1", "b1"], 3000);
    let files = |cluster: &Cluster| {
        let executors = [StorageLevel::DISK_ONLY_2, StorageLevel::MEMORY_AND_DISK, StorageLevel::MEMORY_AND_DISK_SER];
        for (number, level) in executors.into_iter().enumerate() {
            let block_id = rdd(number as u32, 0);
            let first = cluster.executors[0].read(block_id, level, COUNT);
            assert_eq!(first, (values(block_id, COUNT), BlockSource::Computed), "{level}");
            // Takes the place of what is in memory.
            cluster.executors[0].read(rdd(10 + number as u32, 0), StorageLevel::MEMORY_ONLY, 350);
            assert_eq!(cluster.executors[0].read(block_id, level, COUNT).0, values(block_id, COUNT), "{level}");
            // Fetched, or its own copy.
            assert_eq!(cluster.executors[1].read(block_id, level, COUNT).0, values(block_id, COUNT), "{level}");
        }
        cluster.assert_invariants();
        let ids = (0..3).map(|number| rdd(number, 0));
        let on_disk = ids.filter(|block_id| cluster.executors[0].status(*block_id).2 > 0);
        on_disk
            .map(|block_id| std::fs::read(cluster.executors[0].blocks.disk_path(&block_id)).unwrap())
            .collect::<Vec<_>>()
    };
    let (plain, encrypted) = (files(&plain), files(&encrypted));
    assert_eq!((plain.len(), encrypted.len()), (3, 3));
    for (plain, encrypted) in plain.iter().zip(&encrypted) {
        assert!(encrypted.len() > plain.len());
        assert!(!encrypted.windows(16).any(|window| window == &plain[40..56]));
    }
}

#[test]
fn a_file_that_is_gone_leaves_no_block_where_its_successor_has_no_room() {
    let cluster = Cluster::new(&["a1"], 1000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::DISK_ONLY, COUNT);
    std::fs::remove_file(executor.blocks.disk_path(&rdd(0, 0))).unwrap();
    let (_, source) = executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, 2 * COUNT);
    assert_eq!(source, BlockSource::Computed);
    assert!(executor.blocks.block_ids().is_empty());
    assert!(cluster.holders(rdd(0, 0)).is_empty(), "the driver was told");
    cluster.assert_invariants();
}

#[test]
fn a_large_task_result_is_a_block_that_the_driver_fetches() {
    let cluster = Cluster::new(&["a1", "driver"], 100_000);
    let result = BlockId::TaskResult(TaskId(7));
    let bytes: Vec<u8> = (0..50_000u32).map(|number| number as u8).collect();
    let [executor, driver] = cluster.executors.as_slice() else { unreachable!() };
    assert!(executor.blocks.put_bytes(result, StorageLevel::MEMORY_AND_DISK_SER, bytes.clone().into(), true).unwrap());
    assert_eq!(driver.blocks.get_bytes(&result).unwrap().unwrap(), bytes);
    cluster.perform(&cluster.master.with(|registry, _| registry.remove_block(result)));
    assert_eq!(driver.blocks.get_bytes(&result).unwrap(), None);
    assert_eq!(executor.blocks.serve(&result).unwrap(), None);
    cluster.assert_invariants();
}

/// Encodes nothing above a limit.
struct Limited(u64);

impl RecordCodec<u64> for Limited {
    fn memory_size(&self, records: &[u64]) -> u64 {
        codec().memory_size(records)
    }

    fn encode(&self, record: &u64, output: &mut Vec<u8>) -> Result<(), CodecError> {
        if *record > self.0 { Err("too much".into()) } else { codec().encode(record, output) }
    }

    fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
        codec().decode(bytes)
    }
}

#[test]
fn a_record_that_cannot_be_encoded_fails_its_task_where_it_must_be_encoded() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    let put = |level| {
        let codec: Arc<dyn RecordCodec<u64>> = Arc::new(Limited(50));
        let records = (0..100u64).map(Ok::<_, BlockError>);
        executor.blocks.put_iterator(&executor.task(1), rdd(0, 0), level, &codec, records).map(|put| put.stored)
    };
    for level in [StorageLevel::MEMORY_ONLY_SER, StorageLevel::DISK_ONLY] {
        assert!(matches!(put(level), Err(BlockError::Encode { .. })));
        assert!(executor.blocks.block_ids().is_empty());
    }
    assert!(put(StorageLevel::MEMORY_AND_DISK).unwrap());
    // It cannot go to disk, so it stays, and what wants its place is not cached.
    executor.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT * 2);
    assert_eq!(executor.blocks.block_ids(), [rdd(0, 0)]);
    assert_eq!(executor.memory.usage(MemoryMode::OnHeap).storage, ByteCount(800));
    cluster.assert_invariants();
}

#[test]
fn a_disk_that_fails_costs_the_block_that_must_be_on_it_and_no_other() {
    let cluster = Cluster::new(&["a1"], 2000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::MEMORY_AND_DISK, COUNT);
    std::fs::remove_dir_all(cluster.root.path().join("a1")).unwrap();
    let task = executor.task(1);
    let error = executor.get_or_compute(&task, rdd(1, 0), StorageLevel::DISK_ONLY, COUNT).err().unwrap();
    assert!(matches!(&error, BlockError::Disk { .. }) && !error.is_damage());
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("rdd_1_0"), "{source}");
    // Nothing can be moved to disk: what is in memory stays there, and others go without a place.
    assert_eq!(executor.read(rdd(2, 0), StorageLevel::MEMORY_ONLY, 200).0, values(rdd(2, 0), 200));
    assert_eq!(task.acquire(2000), 1200, "execution gets what is free");
    assert_eq!(executor.read(rdd(0, 0), StorageLevel::MEMORY_AND_DISK, 0).1, BlockSource::LocalMemory);
    task.release(1200);
    cluster.assert_invariants();
}
