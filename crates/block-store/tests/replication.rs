//! Copies of blocks: made, missing, restored, moved away, fetched.

mod cluster;

use std::time::Duration;

use cluster::{Cluster, codec, rdd, values};
use firesteel_block_store::{BlockError, BlockManagerOptions, BlockServer, BlockSource};
use firesteel_model::{BlockId, BlockManagerId, StorageLevel, TaskId};

const COUNT: u64 = 100;

#[test]
fn copies_go_to_other_hosts_first() {
    let cluster = Cluster::new(&["a1", "a2", "a3", "b1", "driver"], 100_000);
    for partition in 0..10 {
        cluster.executors[0].read(rdd(0, partition), StorageLevel::MEMORY_ONLY_2, COUNT);
        assert_eq!(cluster.holders(rdd(0, partition)), ["a1", "b1"]);
    }
    cluster.executors[0].read(rdd(1, 0), StorageLevel::DISK_ONLY_3, COUNT);
    assert_eq!(cluster.holders(rdd(1, 0)).len(), 3);
    cluster.assert_invariants();
}

#[test]
fn a_failed_copy_is_tried_on_one_other_peer() {
    let cluster = Cluster::new(&["a1", "b1", "c1", "d1"], 100_000);
    let copies_with = |cut: &[&str], partition| {
        cut.iter().for_each(|name| cluster.transfer.cut(&(*name).into()));
        cluster.executors[0].read(rdd(0, partition), StorageLevel::MEMORY_ONLY_2, COUNT);
        cluster.holders(rdd(0, partition)).len()
    };
    for partition in 0..10 {
        assert_eq!(copies_with(&["b1"], partition), 2, "one unreachable peer is got over");
    }
    assert_eq!(copies_with(&["b1", "c1", "d1"], 20), 1, "the block is stored all the same");
    assert_eq!(cluster.executors[0].blocks.statistics().replicas_failed, 1);
}

#[test]
fn the_list_of_peers_is_used_as_long_as_the_options_say() {
    let copies_after_leaving = |cached_peers_ttl| {
        let options = BlockManagerOptions { cached_peers_ttl, ..cluster::options() };
        let cluster = Cluster::with_options(&["a1", "b1"], 100_000, &options);
        cluster.executors[0].read(rdd(0, 0), StorageLevel::MEMORY_ONLY_2, COUNT);
        cluster.master.with(|registry, seed| registry.decommission(&"b1".into(), seed));
        cluster.executors[0].read(rdd(0, 1), StorageLevel::MEMORY_ONLY_2, COUNT);
        (cluster.holders(rdd(0, 0)).len(), cluster.holders(rdd(0, 1)).len())
    };
    assert_eq!(copies_after_leaving(Duration::from_secs(3600)), (2, 2));
    assert_eq!(copies_after_leaving(Duration::ZERO), (2, 1));
}

#[test]
fn a_peer_without_room_takes_no_copy() {
    let cluster = Cluster::new(&["a1", "b1"], 1000);
    cluster.executors[0].read(rdd(0, 0), StorageLevel::MEMORY_ONLY_2, 120);
    // 960 bytes as values, and more than 1000 encoded.
    assert_eq!(cluster.holders(rdd(0, 0)), ["a1"]);
    cluster.executors[0].read(rdd(1, 0), StorageLevel::MEMORY_AND_DISK_2, 120);
    assert_eq!(cluster.holders(rdd(1, 0)), ["a1", "b1"]);
    assert!(cluster.executors[1].status(rdd(1, 0)).2 > 0, "on disk there");
    cluster.assert_invariants();
}

#[test]
fn the_loss_of_a_holder_is_made_good() {
    let cluster = Cluster::new(&["a1", "b1", "c1"], 100_000);
    cluster.executors[0].read(rdd(0, 0), StorageLevel::MEMORY_ONLY_2, COUNT);
    let holders = cluster.holders(rdd(0, 0));
    let lost = holders[1].clone();
    let commands = cluster.kill(&lost);
    assert_eq!(cluster.holders(rdd(0, 0)).len(), 1);
    cluster.perform(&commands);
    let restored = cluster.holders(rdd(0, 0));
    assert!(restored.len() == 2 && !restored.contains(&lost), "{restored:?}");
    // Each copy is the whole block.
    for executor in cluster.executors.iter().filter(|executor| executor.blocks.id().executor_id.as_str() != lost) {
        let (read, source) = executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY_2, 0);
        assert_eq!((read, source), (values(rdd(0, 0), COUNT), BlockSource::LocalMemory));
    }
}

#[test]
fn a_leaving_executor_moves_its_blocks_away() {
    let cluster = Cluster::new(&["a1", "b1", "c1"], 100_000);
    for partition in 0..4 {
        cluster.executors[0].read(rdd(0, partition), StorageLevel::MEMORY_AND_DISK, COUNT);
    }
    let commands = cluster.master.with(|registry, seed| registry.decommission(&"a1".into(), seed));
    assert_eq!(commands.len(), 4);
    cluster.perform(&commands);
    cluster.kill("a1");
    for partition in 0..4 {
        let (read, source) = cluster.executors[1].read(rdd(0, partition), StorageLevel::MEMORY_AND_DISK, 0);
        assert_eq!(read, values(rdd(0, partition), COUNT));
        assert_ne!(source, BlockSource::Computed);
    }
}

#[test]
fn a_block_is_fetched_from_whoever_has_it() {
    let cluster = Cluster::new(&["a1", "b1", "c1"], 100_000);
    let [a1, b1, _] = cluster.executors.as_slice() else { unreachable!() };
    for (rdd_id, level) in
        [(0, StorageLevel::MEMORY_ONLY), (1, StorageLevel::MEMORY_ONLY_SER), (2, StorageLevel::DISK_ONLY)]
    {
        b1.read(rdd(rdd_id, 0), level, COUNT);
        let (read, source) = a1.read(rdd(rdd_id, 0), level, 0);
        assert_eq!((read, source), (values(rdd(rdd_id, 0), COUNT), BlockSource::Remote(b1.blocks.id().clone())));
        assert_eq!(cluster.holders(rdd(rdd_id, 0)), ["b1"], "a fetched block is not stored again");
    }
    assert!(cluster.transfer.bytes_served(&"b1".into()) > 0);
}

#[test]
fn a_block_that_cannot_be_fetched_whole_is_computed() {
    let cluster = Cluster::new(&["a1", "b1", "c1"], 100_000);
    let [a1, b1, c1] = cluster.executors.as_slice() else { unreachable!() };
    // One of two holders serves damaged bytes: the other is asked, whichever comes first.
    for partition in 0..8 {
        for holder in [b1, c1] {
            let computed = values(rdd(0, partition), COUNT).into_iter().map(Ok::<_, BlockError>);
            let (task, level) = (holder.task(1), StorageLevel::MEMORY_ONLY);
            assert!(holder.blocks.put_iterator(&task, rdd(0, partition), level, &codec(), computed).unwrap().stored);
        }
    }
    cluster.transfer.corrupt(&"b1".into(), 100);
    for partition in 0..8 {
        let (read, source) = a1.read(rdd(0, partition), StorageLevel::MEMORY_ONLY, 0);
        let from = BlockSource::Remote(c1.blocks.id().clone());
        assert_eq!((read, source), (values(rdd(0, partition), COUNT), from));
    }
    assert!(cluster.transfer.bytes_served(&"b1".into()) > 0, "it was asked first for some");
    b1.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT);
    cluster.transfer.corrupt(&"b1".into(), 100);
    assert_eq!(a1.read(rdd(1, 0), StorageLevel::MEMORY_ONLY, COUNT).1, BlockSource::Computed);
    b1.read(rdd(2, 0), StorageLevel::MEMORY_ONLY, COUNT);
    cluster.transfer.cut(&"b1".into());
    assert_eq!(a1.read(rdd(2, 0), StorageLevel::MEMORY_ONLY, COUNT).1, BlockSource::Computed);
}

#[test]
fn a_damaged_copy_is_not_taken() {
    let cluster = Cluster::new(&["a1", "b1"], 100_000);
    let [a1, b1] = cluster.executors.as_slice() else { unreachable!() };
    a1.read(rdd(0, 0), StorageLevel::MEMORY_ONLY_SER, COUNT);
    let mut bytes = a1.blocks.serve(&rdd(0, 0)).unwrap().unwrap().to_vec();
    bytes[100] ^= 1;
    let refused = b1.blocks.receive(rdd(0, 0), StorageLevel::MEMORY_ONLY_SER, bytes.into()).unwrap_err();
    assert!(matches!(refused, BlockError::Read { .. }));
    assert!(b1.blocks.block_ids().is_empty());
}

/// Two executors compute the same block at the same time and each offers the other a copy: neither waits for the other.
#[test]
fn executors_that_offer_one_another_the_same_block_do_not_wait_for_one_another() {
    let cluster = Cluster::new(&["a1", "b1"], 100_000);
    let both_compute = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for executor in &cluster.executors {
            let both_compute = &both_compute;
            scope.spawn(move || {
                let found = executor.blocks.get_or_compute(
                    &executor.task(1),
                    rdd(0, 0),
                    StorageLevel::MEMORY_ONLY_2,
                    &codec(),
                    || {
                        both_compute.wait();
                        Ok::<_, BlockError>(values(rdd(0, 0), COUNT).into_iter().map(Ok))
                    },
                );
                assert_eq!(*found.unwrap().records.into_values().unwrap(), values(rdd(0, 0), COUNT));
            });
        }
    });
    assert_eq!(cluster.holders(rdd(0, 0)), ["a1", "b1"]);
    cluster.assert_invariants();
}

#[test]
fn a_forgotten_block_manager_registers_again_with_its_blocks() {
    let cluster = Cluster::new(&["a1"], 100_000);
    let executor = &cluster.executors[0];
    executor.read(rdd(0, 0), StorageLevel::MEMORY_ONLY, COUNT);
    let result = BlockId::TaskResult(TaskId(1));
    executor.blocks.put_bytes(result, StorageLevel::MEMORY_AND_DISK_SER, vec![1, 2].into(), true).unwrap();
    // Another address takes its place for a while, as after a break that the driver took for a restart.
    cluster.master.with(|registry, seed| {
        let elsewhere = BlockManagerId { port: 9, ..executor.blocks.id().clone() };
        registry.register(elsewhere, firesteel_model::ByteCount(1), firesteel_model::ByteCount(1), seed).unwrap();
    });
    assert!(cluster.holders(rdd(0, 0)).is_empty());
    executor.read(rdd(0, 1), StorageLevel::MEMORY_ONLY, COUNT);
    for block_id in [rdd(0, 0), rdd(0, 1), result] {
        assert_eq!(cluster.holders(block_id), ["a1"], "{block_id}");
    }
    cluster.assert_invariants();
}
