//! Whatever happens in whatever order: the tables agree with a plain list of what is where, and copies are restored.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_block_master::{BlockMaster, BlockMasterCommand, BlockMasterOptions, UpdateBlock};
use firesteel_model::{
    BlockId, BlockManagerId, BlockUpdatedInfo, BroadcastId, ByteCount, ExecutorId, Partition, RddId, StorageLevel,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Happening {
    Register(u8),
    Remove(u8),
    Store(u8, BlockId, u8, u64),
    Drop(u8, BlockId),
    RemoveRdd(u32),
    RemoveBroadcast(bool),
    Decommission(u8),
}

fn block() -> impl Strategy<Value = BlockId> {
    prop_oneof![
        3 => (0..3u32, 0..4u32).prop_map(|(rdd_id, partition)| BlockId::Rdd(RddId(rdd_id), Partition(partition))),
        1 => (0..3u32).prop_map(|piece| BlockId::BroadcastPiece(BroadcastId(1), piece)),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let executor = 0..6u8;
    prop_oneof![
        2 => executor.clone().prop_map(Happening::Register),
        1 => executor.clone().prop_map(Happening::Remove),
        8 => (executor.clone(), block(), 1..4u8, 0..100u64).prop_map(|(e, b, r, s)| Happening::Store(e, b, r, s)),
        2 => (executor.clone(), block()).prop_map(|(executor, block_id)| Happening::Drop(executor, block_id)),
        1 => (0..3u32).prop_map(Happening::RemoveRdd),
        1 => any::<bool>().prop_map(Happening::RemoveBroadcast),
        1 => executor.prop_map(Happening::Decommission),
    ]
}

/// Executor 0 is the driver; two executors share a host.
fn manager(number: u8) -> BlockManagerId {
    let executor_id = if number == 0 { ExecutorId::driver() } else { ExecutorId::new(number.to_string()) };
    BlockManagerId { executor_id, host: format!("host-{}", number / 2), port: 7 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_agree_with_a_plain_list(happenings in prop::collection::vec(happening(), 1..120), seed: u64) {
        let mut master = BlockMaster::new(BlockMasterOptions { proactive_replication: true });
        let mut here: BTreeSet<u8> = BTreeSet::new();
        let mut gone: BTreeSet<u8> = BTreeSet::new();
        let mut leaving: BTreeSet<u8> = BTreeSet::new();
        let mut stored: BTreeMap<(BlockId, u8), (u8, u64)> = BTreeMap::new();
        for happening in happenings {
            match happening {
                Happening::Register(executor) => {
                    let registered = master.register(manager(executor), ByteCount(1), ByteCount(1), seed);
                    prop_assert_eq!(registered.is_ok(), !gone.contains(&executor));
                    if registered.is_ok() {
                        here.insert(executor);
                    }
                }
                Happening::Remove(executor) => {
                    let removed = master.remove_executor(&manager(executor).executor_id, seed);
                    prop_assert_eq!(removed.is_some(), here.remove(&executor));
                    gone.insert(executor);
                    leaving.remove(&executor);
                    let lost: Vec<(BlockId, u8)> =
                        stored.iter().filter(|((_, holder), _)| *holder == executor).map(|((id, _), (r, _))| (*id, *r)).collect();
                    stored.retain(|(_, holder), _| *holder != executor);
                    if let Some(removed) = removed {
                        let is_held = |block_id| stored.keys().any(|(id, _)| *id == block_id);
                        let expected: Vec<BlockId> = lost.iter().map(|(id, _)| *id).filter(|id| !is_held(*id)).collect();
                        prop_assert_eq!(removed.lost_blocks, expected);
                        check_commands(&removed.commands, &stored, &here, &leaving)?;
                    }
                }
                Happening::Store(executor, block_id, replication, size) => {
                    let level = StorageLevel { replication, ..StorageLevel::MEMORY_ONLY };
                    let updated = update(&mut master, executor, block_id, level, size);
                    prop_assert_eq!(updated == UpdateBlock::Recorded, here.contains(&executor));
                    if updated == UpdateBlock::Recorded {
                        stored.insert((block_id, executor), (replication, size));
                    }
                }
                Happening::Drop(executor, block_id) => {
                    let _ = update(&mut master, executor, block_id, StorageLevel::NONE, 0);
                    stored.remove(&(block_id, executor));
                }
                Happening::RemoveRdd(rdd_id) => {
                    prop_assert_eq!(master.remove_rdd(RddId(rdd_id)).len(), here.len());
                    stored.retain(|(block_id, _), _| block_id.rdd_id() != Some(RddId(rdd_id)));
                }
                Happening::RemoveBroadcast(from_driver) => {
                    master.remove_broadcast(BroadcastId(1), from_driver);
                    stored.retain(|(block_id, holder), _| !block_id.is_broadcast() || *holder == 0 && !from_driver);
                }
                Happening::Decommission(executor) => {
                    if here.contains(&executor) {
                        leaving.insert(executor);
                    }
                    let commands = master.decommission(&manager(executor).executor_id, seed);
                    check_commands(&commands, &stored, &here, &leaving)?;
                }
            }
            master.assert_invariants();
            let total: u64 = master.storage().map(|storage| storage.memory_used.bytes()).sum();
            prop_assert_eq!(total, stored.values().map(|(_, size)| size).sum::<u64>());
            for rdd_id in 0..3 {
                let of_rdd = stored.iter().filter(|((block_id, _), _)| block_id.rdd_id() == Some(RddId(rdd_id)));
                let partitions: BTreeSet<BlockId> = of_rdd.clone().map(|((block_id, _), _)| *block_id).collect();
                let storage = master.rdd_storage(RddId(rdd_id));
                prop_assert_eq!(storage.partitions.len(), partitions.len());
                prop_assert_eq!(storage.memory_size.bytes(), of_rdd.map(|(_, (_, size))| size).sum::<u64>());
            }
        }
    }
}

/// A copy is ordered only of what is there, from who has it, to those that stay, live and lack it.
fn check_commands(
    commands: &[BlockMasterCommand],
    stored: &BTreeMap<(BlockId, u8), (u8, u64)>,
    here: &BTreeSet<u8>,
    leaving: &BTreeSet<u8>,
) -> Result<(), TestCaseError> {
    for command in commands {
        let BlockMasterCommand::ReplicateBlock { holder, block_id, copies, peers } = command else {
            return Err(TestCaseError::fail(format!("unexpected {command:?}")));
        };
        let holds =
            |id: &BlockManagerId| stored.keys().any(|(stored, number)| stored == block_id && manager(*number) == *id);
        prop_assert!(holds(holder) && block_id.is_rdd() && *copies > 0 && !peers.is_empty());
        for peer in peers {
            let fit = |number: &u8| *number != 0 && !leaving.contains(number) && manager(*number) == *peer;
            prop_assert!(!holds(peer) && here.iter().any(fit), "{peer} cannot take a copy");
        }
    }
    Ok(())
}

fn update(master: &mut BlockMaster, executor: u8, block_id: BlockId, level: StorageLevel, size: u64) -> UpdateBlock {
    master.update_block(&BlockUpdatedInfo {
        block_manager_id: manager(executor),
        block_id,
        storage_level: level,
        memory_size: size,
        disk_size: 0,
    })
}
