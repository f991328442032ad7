//! Blocks: what executors report of them, what they may forget, and who waits until they have.

use std::collections::{BTreeMap, BTreeSet};

use crossbeam_channel::Sender;
use firesteel_block_master::{BlockMasterCommand, UpdateBlock};
use firesteel_block_store::LocalBlockManagerMaster;
use firesteel_messages::ExecutorMessage;
use firesteel_model::{BlockUpdatedInfo, ExecutorId, ListenerEvent, Partition, RddId, StorageLevel, TaskLocation};
use firesteel_scheduler::{BlockLocations, Event};

use super::Loop;
use crate::{StageSource, input::Removal};

/// Who waits for which executors to have removed something.
#[derive(Default)]
pub(super) struct StorageSyncs {
    waiting: BTreeMap<u64, StorageSync>,
    next: u64,
}

struct StorageSync {
    executors: BTreeSet<ExecutorId>,
    done: Sender<()>,
}

impl StorageSyncs {
    /// The executor has carried out what it was sent before this number.
    pub(super) fn synced(&mut self, executor_id: &ExecutorId, number: u64) {
        let Some(sync) = self.waiting.get_mut(&number) else { return };
        sync.executors.remove(executor_id);
        if sync.executors.is_empty() {
            // Whoever waited may have left.
            let _ = sync.done.send(());
            self.waiting.remove(&number);
        }
    }

    /// The executor is gone, and what it stored with it.
    pub(super) fn executor_lost(&mut self, executor_id: &ExecutorId) {
        let waiting: Vec<u64> = self.waiting.keys().copied().collect();
        for number in waiting {
            self.synced(executor_id, number);
        }
    }
}

impl Loop {
    pub(super) fn take_removal(&mut self, removal: Removal) -> Option<Event> {
        match removal {
            Removal::Rdd(rdd_id) => {
                let commands = self.blocks.with(|registry, _| registry.remove_rdd(rdd_id));
                self.perform_block_commands(commands);
                self.post(ListenerEvent::UnpersistRdd { rdd_id });
                None
            }
            Removal::Broadcast { broadcast_id, from_driver } => {
                let commands = self.blocks.with(|registry, _| registry.remove_broadcast(broadcast_id, from_driver));
                self.perform_block_commands(commands);
                None
            }
            Removal::Shuffle(shuffle_id) => {
                for executor_id in self.executors.keys() {
                    self.backend.send(executor_id, ExecutorMessage::RemoveShuffle(shuffle_id));
                }
                self.shuffle_removed(shuffle_id);
                Some(Event::ShuffleRemoved { shuffle_id })
            }
        }
    }

    /// Lets `done` know when every executor has carried out the orders that it was sent up to now.
    pub(super) fn sync_storage(&mut self, done: Sender<()>) {
        let number = self.storage_syncs.next;
        self.storage_syncs.next += 1;
        let told = self.executors.keys().filter(|&id| self.backend.send(id, ExecutorMessage::SyncStorage(number)));
        let executors: BTreeSet<ExecutorId> = told.cloned().collect();
        if executors.is_empty() {
            // As in `synced`.
            let _ = done.send(());
        } else {
            self.storage_syncs.waiting.insert(number, StorageSync { executors, done });
        }
    }

    pub(super) fn take_block_update(&mut self, executor_id: &ExecutorId, update: BlockUpdatedInfo) {
        match self.blocks.with(|registry, _| registry.update_block(&update)) {
            UpdateBlock::Recorded => self.post(ListenerEvent::BlockUpdated(update)),
            UpdateBlock::UnknownBlockManager => {
                self.backend.send(executor_id, ExecutorMessage::ReRegister);
            }
        }
    }

    pub(super) fn perform_block_commands(&self, commands: Vec<BlockMasterCommand>) {
        for command in commands {
            let (to, message) = match command {
                BlockMasterCommand::RemoveRdd { from, rdd_id } => (from, ExecutorMessage::RemoveRdd(rdd_id)),
                BlockMasterCommand::RemoveBroadcast { from, broadcast_id } => {
                    (from, ExecutorMessage::RemoveBroadcast(broadcast_id))
                }
                BlockMasterCommand::RemoveBlock { from, block_id } => {
                    (from, ExecutorMessage::RemoveBlocks(vec![block_id]))
                }
                BlockMasterCommand::ReplicateBlock { holder, block_id, copies, peers } => {
                    (holder, ExecutorMessage::Replicate { block_id, copies: copies as u32, peers })
                }
            };
            self.backend.send(&to.executor_id, message);
        }
    }
}

/// What the scheduler asks about blocks.
pub(super) struct Blocks<'a> {
    pub(super) stages: &'a dyn StageSource,
    pub(super) registry: &'a LocalBlockManagerMaster,
}

impl BlockLocations for Blocks<'_> {
    fn storage_level(&self, rdd_id: RddId) -> StorageLevel {
        self.stages.storage_level(rdd_id)
    }

    fn cached_locations(&self, rdd_id: RddId, partition: Partition) -> Vec<TaskLocation> {
        self.registry.with(|registry, _| registry.cached_locations(rdd_id, partition))
    }
}
