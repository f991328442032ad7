//! One story for each thing that can happen to a block.

use firesteel_block_master::{
    BlockManagerStorage, BlockMaster, BlockMasterCommand, BlockMasterOptions, PartitionStorage,
    RegisterBlockManagerError, Registration, RemovedExecutor, UpdateBlock, choose_peers,
};
use firesteel_model::{
    BlockId, BlockManagerId, BlockUpdatedInfo, BroadcastId, ByteCount, ExecutorId, Partition, RddId, StorageLevel,
    TaskId, TaskLocation,
};

#[test]
fn the_same_registration_twice_keeps_what_is_known() {
    let mut master = master_of(&["a1"]);
    store(&mut master, "a1", rdd(0, 0), StorageLevel::MEMORY_ONLY, 10);
    assert_eq!(register(&mut master, &manager("a1")), Ok(Registration::Again));
    assert_eq!(master.locations(&rdd(0, 0)), [manager("a1")]);
}

#[test]
fn another_address_of_the_same_executor_replaces_the_old_one() {
    let mut master = master_of(&["a1"]);
    store(&mut master, "a1", rdd(0, 0), StorageLevel::MEMORY_ONLY, 10);
    let moved = BlockManagerId { port: 2, ..manager("a1") };
    let Ok(Registration::Replaced(removed)) = register(&mut master, &moved) else { panic!("not replaced") };
    let expected =
        RemovedExecutor { block_manager_id: manager("a1"), lost_blocks: vec![rdd(0, 0)], commands: Vec::new() };
    assert_eq!(removed, expected);
    assert_eq!(master.block_manager(&"a1".into()), Some(&moved));
    // A late report from the old address.
    assert_eq!(update(&mut master, &manager("a1"), rdd(0, 0), StorageLevel::MEMORY_ONLY, 10, 0), unknown());
    master.assert_invariants();
}

#[test]
fn a_removed_executor_cannot_come_back() {
    let mut master = master_of(&["a1"]);
    master.remove_executor(&"a1".into(), 0).unwrap();
    let refused = RegisterBlockManagerError::ExecutorRemoved { executor_id: "a1".into() };
    assert_eq!(register(&mut master, &manager("a1")), Err(refused));
    assert_eq!(update(&mut master, &manager("a1"), rdd(0, 0), StorageLevel::MEMORY_ONLY, 10, 0), unknown());
    assert_eq!(master.remove_executor(&"a1".into(), 0), None);
}

#[test]
fn a_block_is_found_where_it_was_reported_until_it_is_dropped() {
    let mut master = master_of(&["a1", "b2"]);
    store(&mut master, "b2", rdd(3, 7), StorageLevel::MEMORY_AND_DISK, 10);
    store(&mut master, "a1", rdd(3, 7), StorageLevel::MEMORY_AND_DISK, 10);
    assert_eq!(master.locations(&rdd(3, 7)), [manager("a1"), manager("b2")]);
    let location = |name: &str| TaskLocation::Executor { host: manager(name).host, executor_id: ExecutorId::new(name) };
    assert_eq!(master.cached_locations(RddId(3), Partition(7)), [location("a1"), location("b2")]);
    store(&mut master, "a1", rdd(3, 7), StorageLevel::NONE, 0);
    assert_eq!(master.cached_locations(RddId(3), Partition(7)), [location("b2")]);
    store(&mut master, "b2", rdd(3, 7), StorageLevel::NONE, 0);
    assert!(master.locations(&rdd(3, 7)).is_empty());
}

#[test]
fn an_executor_takes_its_blocks_along_and_missing_copies_are_restored() {
    let mut master = master_of(&["a1", "b2", "c3"]);
    for name in ["a1", "b2"] {
        store(&mut master, name, rdd(0, 0), StorageLevel::MEMORY_ONLY_2, 10);
    }
    store(&mut master, "a1", rdd(0, 1), StorageLevel::MEMORY_ONLY, 10);
    store(&mut master, "a1", BlockId::BroadcastPiece(BroadcastId(1), 0), StorageLevel::MEMORY_AND_DISK_SER, 10);
    let removed = master.remove_executor(&"a1".into(), 5).unwrap();
    assert_eq!(removed.lost_blocks, [rdd(0, 1), BlockId::BroadcastPiece(BroadcastId(1), 0)]);
    let restore = BlockMasterCommand::ReplicateBlock {
        holder: manager("b2"),
        block_id: rdd(0, 0),
        copies: 1,
        peers: vec![manager("c3")],
    };
    assert_eq!(removed.commands, [restore]);
    master.assert_invariants();
}

#[test]
fn copies_are_restored_only_if_wanted_and_possible() {
    let lose_one = |proactive_replication, names: &[&str]| {
        let mut master = BlockMaster::new(BlockMasterOptions { proactive_replication });
        names.iter().for_each(|name| _ = register(&mut master, &manager(name)).unwrap());
        store(&mut master, "a1", rdd(0, 0), StorageLevel::MEMORY_ONLY_2, 10);
        store(&mut master, "b2", rdd(0, 0), StorageLevel::MEMORY_ONLY_2, 10);
        master.remove_executor(&"a1".into(), 0).unwrap().commands.len()
    };
    assert_eq!(lose_one(true, &["a1", "b2", "c3"]), 1);
    assert_eq!(lose_one(false, &["a1", "b2", "c3"]), 0);
    assert_eq!(lose_one(true, &["a1", "b2"]), 0);
    assert_eq!(lose_one(true, &["a1", "b2", ExecutorId::DRIVER]), 0);
}

#[test]
fn unpersisting_forgets_the_rdd_and_tells_everybody() {
    let mut master = master_of(&["a1", "b2"]);
    store(&mut master, "a1", rdd(1, 0), StorageLevel::MEMORY_ONLY, 10);
    store(&mut master, "a1", rdd(2, 0), StorageLevel::MEMORY_ONLY, 10);
    let tell = |name| BlockMasterCommand::RemoveRdd { from: manager(name), rdd_id: RddId(1) };
    assert_eq!(master.remove_rdd(RddId(1)), [tell("a1"), tell("b2")]);
    assert!(master.locations(&rdd(1, 0)).is_empty());
    assert_eq!(master.locations(&rdd(2, 0)), [manager("a1")]);
    master.assert_invariants();
}

#[test]
fn unpersisting_a_broadcast_leaves_the_drivers_copy_and_destroying_does_not() {
    let piece = BlockId::BroadcastPiece(BroadcastId(4), 0);
    let mut master = master_of(&["a1", ExecutorId::DRIVER]);
    for name in ["a1", ExecutorId::DRIVER] {
        store(&mut master, name, piece, StorageLevel::MEMORY_AND_DISK_SER, 10);
    }
    let tell = |name| BlockMasterCommand::RemoveBroadcast { from: manager(name), broadcast_id: BroadcastId(4) };
    assert_eq!(master.remove_broadcast(BroadcastId(4), false), [tell("a1")]);
    assert_eq!(master.locations(&piece), [manager(ExecutorId::DRIVER)]);
    assert_eq!(master.remove_broadcast(BroadcastId(4), true), [tell("a1"), tell(ExecutorId::DRIVER)]);
    assert!(master.locations(&piece).is_empty());
    master.assert_invariants();
}

#[test]
fn removing_one_block_tells_its_holders_only() {
    let result = BlockId::TaskResult(TaskId(9));
    let mut master = master_of(&["a1", "b2"]);
    store(&mut master, "b2", result, StorageLevel::MEMORY_AND_DISK_SER, 10);
    let tell = BlockMasterCommand::RemoveBlock { from: manager("b2"), block_id: result };
    assert_eq!(master.remove_block(result), [tell]);
    assert!(master.remove_block(result).is_empty());
}

#[test]
fn a_leaving_executor_hands_its_partitions_on_and_takes_none() {
    let mut master = master_of(&["a1", "b2", "c3"]);
    store(&mut master, "a1", rdd(0, 0), StorageLevel::MEMORY_ONLY, 10);
    store(&mut master, "a1", rdd(0, 1), StorageLevel::MEMORY_ONLY, 10);
    store(&mut master, "b2", rdd(0, 1), StorageLevel::MEMORY_ONLY, 10);
    let commands = master.decommission(&"a1".into(), 3);
    let [BlockMasterCommand::ReplicateBlock { holder, block_id, copies: 1, peers }] = commands.as_slice() else {
        panic!("one partition has no other copy: {commands:?}")
    };
    assert_eq!((holder, *block_id, peers.len()), (&manager("a1"), rdd(0, 0), 2));
    assert_eq!(master.peers(&"b2".into()), [manager("c3")]);
    assert_eq!(master.locations(&rdd(0, 0)), [manager("a1")]);
}

#[test]
fn storage_info_adds_up_copies() {
    let mut master = master_of(&["a1", "b2"]);
    assert_eq!(
        update(&mut master, &manager("a1"), rdd(0, 0), StorageLevel::MEMORY_ONLY_2, 10, 0),
        UpdateBlock::Recorded
    );
    assert_eq!(update(&mut master, &manager("b2"), rdd(0, 0), StorageLevel::DISK_ONLY_2, 0, 7), UpdateBlock::Recorded);
    assert_eq!(
        update(&mut master, &manager("b2"), rdd(0, 5), StorageLevel::MEMORY_ONLY, 100, 0),
        UpdateBlock::Recorded
    );
    let storage = master.rdd_storage(RddId(0));
    assert_eq!((storage.memory_size, storage.disk_size), (ByteCount(110), ByteCount(7)));
    let first = PartitionStorage {
        level: StorageLevel::MEMORY_ONLY_2,
        memory_size: ByteCount(10),
        disk_size: ByteCount(7),
        executors: vec!["a1".into(), "b2".into()],
    };
    assert_eq!(storage.partitions.keys().copied().collect::<Vec<_>>(), [Partition(0), Partition(5)]);
    assert_eq!(storage.partitions[&Partition(0)], first);
    let second = BlockManagerStorage {
        id: manager("b2"),
        maximum_on_heap: ByteCount(1000),
        maximum_off_heap: ByteCount(10),
        memory_used: ByteCount(100),
        disk_used: ByteCount(7),
        rdd_blocks: 2,
    };
    assert_eq!(master.storage().nth(1), Some(second));
}

#[test]
fn peers_on_other_hosts_come_first_in_an_order_that_depends_on_the_seed() {
    let candidates = ["a1", "a2", "b1", "b2", "c1", "c2", ExecutorId::DRIVER].map(manager);
    let choose = |seed| choose_peers(candidates.clone(), &[manager("a1")], seed);
    let peers = choose(1);
    assert_eq!(peers.len(), 5);
    assert_eq!(peers[4], manager("a2"));
    assert_eq!(choose(1), peers);
    assert!((2..20).any(|seed| choose(seed) != peers), "every seed gives the same order");
}

fn master_of(names: &[&str]) -> BlockMaster {
    let mut master = BlockMaster::new(BlockMasterOptions { proactive_replication: true });
    for name in names {
        assert_eq!(register(&mut master, &manager(name)), Ok(Registration::New));
    }
    master
}

/// The first letter is the host.
fn manager(name: &str) -> BlockManagerId {
    BlockManagerId { executor_id: ExecutorId::new(name), host: format!("host-{}", &name[..1]), port: 1 }
}

fn register(master: &mut BlockMaster, id: &BlockManagerId) -> Result<Registration, RegisterBlockManagerError> {
    master.register(id.clone(), ByteCount(1000), ByteCount(10), 0)
}

fn rdd(rdd_id: u32, partition: u32) -> BlockId {
    BlockId::Rdd(RddId(rdd_id), Partition(partition))
}

fn unknown() -> UpdateBlock {
    UpdateBlock::UnknownBlockManager
}

fn store(master: &mut BlockMaster, name: &str, block_id: BlockId, level: StorageLevel, memory_size: u64) {
    assert_eq!(update(master, &manager(name), block_id, level, memory_size, 0), UpdateBlock::Recorded);
}

fn update(
    master: &mut BlockMaster,
    id: &BlockManagerId,
    block_id: BlockId,
    storage_level: StorageLevel,
    memory_size: u64,
    disk_size: u64,
) -> UpdateBlock {
    let block_manager_id = id.clone();
    let updated =
        master.update_block(&BlockUpdatedInfo { block_manager_id, block_id, storage_level, memory_size, disk_size });
    master.assert_invariants();
    updated
}
