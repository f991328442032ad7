//! The registry itself.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{
    BlockId, BlockManagerId, BlockUpdatedInfo, BroadcastId, ByteCount, ExecutorId, Partition, RddId, StorageLevel,
    TaskLocation,
};

use crate::{BlockManagerStorage, BlockMasterCommand, RddStorage, choose_peers};

/// What the registry is told once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockMasterOptions {
    /// `spark.storage.replication.proactive`: restore copies that are lost with an executor.
    pub proactive_replication: bool,
}

/// How one block is kept by one block manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlockStatus {
    /// Its storage level there.
    pub level: StorageLevel,
    /// Bytes in memory.
    pub memory_size: ByteCount,
    /// Bytes on disk.
    pub disk_size: ByteCount,
}

/// How a registration went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Registration {
    /// It was not known.
    New,
    /// It was known: a repeated message, or one that re-registers after a break. What it holds stays known.
    Again,
    /// The executor has a block manager at another address now; what the old one held is gone.
    Replaced(RemovedExecutor),
}

/// The registration is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegisterBlockManagerError {
    /// The driver has given the executor up, and its tasks run elsewhere. It must end.
    #[error("executor {executor_id} was removed and cannot come back; it must exit, its replacement has another id")]
    ExecutorRemoved {
        /// Which.
        executor_id: ExecutorId,
    },
}

/// How a report about a block was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum UpdateBlock {
    /// It is in the table.
    Recorded,
    /// Nobody at this address is registered: the sender must register and report all its blocks (RT-70). Late messages of
    /// a lost executor end here too.
    UnknownBlockManager,
}

/// What went with an executor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemovedExecutor {
    /// Where its blocks were.
    pub block_manager_id: BlockManagerId,
    /// Blocks that nobody else holds, in order: cached partitions among them will be computed again.
    pub lost_blocks: Vec<BlockId>,
    /// Copies to restore.
    pub commands: Vec<BlockMasterCommand>,
}

/// Which block is where.
#[derive(Clone, Debug)]
pub struct BlockMaster {
    options: BlockMasterOptions,
    managers: BTreeMap<ExecutorId, Manager>,
    locations: BTreeMap<BlockId, BTreeMap<ExecutorId, BlockStatus>>,
    /// Executors that are gone for good: one id for each that the application ever lost.
    removed: BTreeSet<ExecutorId>,
}

#[derive(Clone, Debug)]
struct Manager {
    id: BlockManagerId,
    maximum_on_heap: ByteCount,
    maximum_off_heap: ByteCount,
    memory_used: ByteCount,
    disk_used: ByteCount,
    blocks: BTreeSet<BlockId>,
    decommissioning: bool,
}

impl BlockMaster {
    /// An empty registry.
    pub fn new(options: BlockMasterOptions) -> Self {
        Self { options, managers: BTreeMap::new(), locations: BTreeMap::new(), removed: BTreeSet::new() }
    }

    /// A block manager registers, with the most storage memory that it can have (RT-51). The same registration twice is
    /// taken once; another address for a known executor replaces the old one.
    pub fn register(
        &mut self,
        id: BlockManagerId,
        maximum_on_heap: ByteCount,
        maximum_off_heap: ByteCount,
        seed: u64,
    ) -> Result<Registration, RegisterBlockManagerError> {
        if self.removed.contains(&id.executor_id) {
            return Err(RegisterBlockManagerError::ExecutorRemoved { executor_id: id.executor_id });
        }
        let mut registration = Registration::New;
        if let Some(known) = self.managers.get_mut(&id.executor_id) {
            if known.id == id {
                known.maximum_on_heap = maximum_on_heap;
                known.maximum_off_heap = maximum_off_heap;
                return Ok(Registration::Again);
            }
            let executor_id = id.executor_id.clone();
            registration = Registration::Replaced(self.forget(&executor_id, seed).expect("the executor is known"));
        }
        let manager = Manager {
            id: id.clone(),
            maximum_on_heap,
            maximum_off_heap,
            memory_used: ByteCount::ZERO,
            disk_used: ByteCount::ZERO,
            blocks: BTreeSet::new(),
            decommissioning: false,
        };
        self.managers.insert(id.executor_id, manager);
        Ok(registration)
    }

    /// A block was stored, moved or dropped. An invalid level means that it is gone there.
    pub fn update_block(&mut self, update: &BlockUpdatedInfo) -> UpdateBlock {
        let executor_id = &update.block_manager_id.executor_id;
        let Some(manager) = self.managers.get_mut(executor_id).filter(|known| known.id == update.block_manager_id)
        else {
            return UpdateBlock::UnknownBlockManager;
        };
        let status = BlockStatus {
            level: update.storage_level,
            memory_size: ByteCount(update.memory_size),
            disk_size: ByteCount(update.disk_size),
        };
        let holders = self.locations.entry(update.block_id).or_default();
        if let Some(before) = holders.remove(executor_id) {
            manager.drop_block(&update.block_id, &before);
        }
        if status.level.is_valid() {
            manager.take_block(update.block_id, &status);
            holders.insert(executor_id.clone(), status);
        } else if holders.is_empty() {
            self.locations.remove(&update.block_id);
        }
        UpdateBlock::Recorded
    }

    /// The executor is gone for good. None if it was not registered.
    pub fn remove_executor(&mut self, executor_id: &ExecutorId, seed: u64) -> Option<RemovedExecutor> {
        self.removed.insert(executor_id.clone());
        self.forget(executor_id, seed)
    }

    /// The executor leaves in good order (RT-77): it gets no more copies, and keeps serving what it has until it is removed.
    /// Returns where each of its cached partitions should go, as commands to itself: one copy each, to whoever has none.
    pub fn decommission(&mut self, executor_id: &ExecutorId, seed: u64) -> Vec<BlockMasterCommand> {
        let Some(manager) = self.managers.get_mut(executor_id) else { return Vec::new() };
        manager.decommissioning = true;
        let holder = manager.id.clone();
        let blocks: Vec<BlockId> = manager.blocks.iter().filter(|block_id| block_id.is_rdd()).copied().collect();
        let mut commands = Vec::new();
        for (index, block_id) in blocks.into_iter().enumerate() {
            let wanted = usize::from(self.locations[&block_id][executor_id].level.replication);
            let staying = self.holders(&block_id).filter(|holder| !holder.decommissioning).count();
            let missing = wanted.saturating_sub(staying);
            commands.extend(self.replicate(&holder, block_id, missing, seed.wrapping_add(index as u64)));
        }
        commands
    }

    /// `unpersist`: forgets every block of the RDD and says whom to tell.
    pub fn remove_rdd(&mut self, rdd_id: RddId) -> Vec<BlockMasterCommand> {
        let blocks: Vec<BlockId> = self.rdd_blocks(rdd_id).map(|(block_id, _)| *block_id).collect();
        for block_id in blocks {
            self.forget_block(&block_id);
        }
        // Everybody is told, for a block may be on its way into a store whose report has not come yet.
        self.managers
            .values()
            .map(|manager| BlockMasterCommand::RemoveRdd { from: manager.id.clone(), rdd_id })
            .collect()
    }

    /// Forgets the executors' copies of a broadcast value (`unpersist`), or the driver's too (`destroy`), and says whom to
    /// tell (RT-55).
    pub fn remove_broadcast(&mut self, broadcast_id: BroadcastId, from_driver: bool) -> Vec<BlockMasterCommand> {
        let pieces = BlockId::BroadcastPiece(broadcast_id, 0)..=BlockId::BroadcastPiece(broadcast_id, u32::MAX);
        let mut blocks: Vec<BlockId> = self.locations.range(pieces).map(|(block_id, _)| *block_id).collect();
        blocks.push(BlockId::Broadcast(broadcast_id));
        let told = self.managers.values().filter(|manager| from_driver || !manager.id.executor_id.is_driver());
        let told: Vec<BlockManagerId> = told.map(|manager| manager.id.clone()).collect();
        for block_id in &blocks {
            for id in &told {
                self.forget_copy(block_id, &id.executor_id);
            }
        }
        told.into_iter().map(|from| BlockMasterCommand::RemoveBroadcast { from, broadcast_id }).collect()
    }

    /// Forgets one block and says whom to tell: a task result that has been fetched, for one (RT-33).
    pub fn remove_block(&mut self, block_id: BlockId) -> Vec<BlockMasterCommand> {
        let holders: Vec<BlockManagerId> = self.holders(&block_id).map(|manager| manager.id.clone()).collect();
        self.forget_block(&block_id);
        holders.into_iter().map(|from| BlockMasterCommand::RemoveBlock { from, block_id }).collect()
    }

    /// Who holds the block, in the order of executor ids.
    pub fn locations(&self, block_id: &BlockId) -> Vec<BlockManagerId> {
        self.holders(block_id).map(|manager| manager.id.clone()).collect()
    }

    /// Where the partition would like to be computed because it is cached there (RT-10).
    pub fn cached_locations(&self, rdd_id: RddId, partition: Partition) -> Vec<TaskLocation> {
        self.holders(&BlockId::Rdd(rdd_id, partition))
            .map(|manager| TaskLocation::Executor {
                host: manager.id.host.clone(),
                executor_id: manager.id.executor_id.clone(),
            })
            .collect()
    }

    /// How each holder keeps the block.
    pub fn statuses(&self, block_id: &BlockId) -> impl Iterator<Item = (&ExecutorId, &BlockStatus)> {
        self.locations.get(block_id).into_iter().flatten()
    }

    /// Who may take copies for this executor: every other that is not leaving, the driver excepted.
    pub fn peers(&self, executor_id: &ExecutorId) -> Vec<BlockManagerId> {
        let others = self.managers.values().filter(|manager| !manager.decommissioning);
        let others =
            others.filter(|manager| !manager.id.executor_id.is_driver() && manager.id.executor_id != *executor_id);
        others.map(|manager| manager.id.clone()).collect()
    }

    /// The executor's block manager.
    pub fn block_manager(&self, executor_id: &ExecutorId) -> Option<&BlockManagerId> {
        self.managers.get(executor_id).map(|manager| &manager.id)
    }

    /// What is stored of one RDD (UI-13).
    pub fn rdd_storage(&self, rdd_id: RddId) -> RddStorage {
        RddStorage::of(self.rdd_blocks(rdd_id))
    }

    /// Every block manager with its sums, in the order of executor ids.
    pub fn storage(&self) -> impl Iterator<Item = BlockManagerStorage> {
        let rdd_blocks = BlockId::Rdd(RddId(0), Partition(0))..=BlockId::Rdd(RddId(u32::MAX), Partition(u32::MAX));
        self.managers.values().map(move |manager| BlockManagerStorage {
            id: manager.id.clone(),
            maximum_on_heap: manager.maximum_on_heap,
            maximum_off_heap: manager.maximum_off_heap,
            memory_used: manager.memory_used,
            disk_used: manager.disk_used,
            rdd_blocks: manager.blocks.range(rdd_blocks.clone()).count(),
        })
    }

    /// Checks what must hold after every call.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn assert_invariants(&self) {
        for (block_id, holders) in &self.locations {
            assert!(!holders.is_empty(), "{block_id} has no holder");
            for (executor_id, status) in holders {
                assert!(status.level.is_valid(), "{block_id} on {executor_id} is kept nowhere");
                assert!(self.managers[executor_id].blocks.contains(block_id), "{executor_id} does not know {block_id}");
            }
        }
        for (executor_id, manager) in &self.managers {
            assert_eq!(manager.id.executor_id, *executor_id);
            assert!(!self.removed.contains(executor_id), "{executor_id} was removed");
            let statuses = || manager.blocks.iter().map(|block_id| self.locations[block_id][executor_id]);
            assert_eq!(statuses().map(|status| status.memory_size).sum::<ByteCount>(), manager.memory_used);
            assert_eq!(statuses().map(|status| status.disk_size).sum::<ByteCount>(), manager.disk_used);
        }
    }

    fn holders(&self, block_id: &BlockId) -> impl Iterator<Item = &Manager> {
        let executors = self.locations.get(block_id).into_iter().flat_map(BTreeMap::keys);
        executors.map(|executor_id| &self.managers[executor_id])
    }

    fn rdd_blocks(&self, rdd_id: RddId) -> impl Iterator<Item = (&BlockId, &BTreeMap<ExecutorId, BlockStatus>)> {
        self.locations.range(BlockId::Rdd(rdd_id, Partition(0))..=BlockId::Rdd(rdd_id, Partition(u32::MAX)))
    }

    fn forget(&mut self, executor_id: &ExecutorId, seed: u64) -> Option<RemovedExecutor> {
        let manager = self.managers.remove(executor_id)?;
        let mut lost_blocks = Vec::new();
        let mut under_replicated = Vec::new();
        for block_id in &manager.blocks {
            let holders = self.locations.get_mut(block_id).expect("a block that a manager holds is located");
            holders.remove(executor_id);
            let Some(wanted) = holders.values().map(|status| usize::from(status.level.replication)).max() else {
                self.locations.remove(block_id);
                lost_blocks.push(*block_id);
                continue;
            };
            if self.options.proactive_replication && block_id.is_rdd() && holders.len() < wanted {
                under_replicated.push((*block_id, wanted - holders.len()));
            }
        }
        let mut commands = Vec::new();
        for (index, (block_id, missing)) in under_replicated.into_iter().enumerate() {
            let seed = seed.wrapping_add(index as u64);
            let holders = self.locations(&block_id);
            let holder = holders[(seed % holders.len() as u64) as usize].clone();
            commands.extend(self.replicate(&holder, block_id, missing, seed));
        }
        Some(RemovedExecutor { block_manager_id: manager.id, lost_blocks, commands })
    }

    /// The command that copies the block, if copies are missing and somebody could take one.
    fn replicate(
        &self,
        holder: &BlockManagerId,
        block_id: BlockId,
        copies: usize,
        seed: u64,
    ) -> Option<BlockMasterCommand> {
        let holders = self.locations(&block_id);
        let peers = choose_peers(self.peers(&holder.executor_id), &holders, seed);
        let needed = copies > 0 && !peers.is_empty();
        needed.then(|| BlockMasterCommand::ReplicateBlock { holder: holder.clone(), block_id, copies, peers })
    }

    fn forget_block(&mut self, block_id: &BlockId) {
        for (executor_id, status) in self.locations.remove(block_id).unwrap_or_default() {
            if let Some(manager) = self.managers.get_mut(&executor_id) {
                manager.drop_block(block_id, &status);
            }
        }
    }

    fn forget_copy(&mut self, block_id: &BlockId, executor_id: &ExecutorId) {
        let Some(holders) = self.locations.get_mut(block_id) else { return };
        if let (Some(status), Some(manager)) = (holders.remove(executor_id), self.managers.get_mut(executor_id)) {
            manager.drop_block(block_id, &status);
        }
        if holders.is_empty() {
            self.locations.remove(block_id);
        }
    }
}

impl Manager {
    fn take_block(&mut self, block_id: BlockId, status: &BlockStatus) {
        self.blocks.insert(block_id);
        self.memory_used += status.memory_size;
        self.disk_used += status.disk_size;
    }

    fn drop_block(&mut self, block_id: &BlockId, status: &BlockStatus) {
        self.blocks.remove(block_id);
        self.memory_used -= status.memory_size;
        self.disk_used -= status.disk_size;
    }
}
