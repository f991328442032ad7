//! The block manager: what this process stores, and what it says about it.

mod evict;
mod get;
mod put;
mod remove;
mod replicate;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{Arc, Weak},
    time::Instant,
};

use firesteel_block_master::UpdateBlock;
use firesteel_local_dirs::LocalDirs;
use firesteel_memory::MemoryMode;
use firesteel_model::{BlockId, BlockManagerId, BlockUpdatedInfo, ByteCount, StorageLevel};
use parking_lot::Mutex;

pub use self::put::PutBlock;
use crate::{
    BlockManagerMaster, BlockManagerMasterError, BlockManagerOptions, BlockTransfer, CompressionCodec, DiskStore,
    MemoryManager, StorageStatistics,
    block_locks::{BlockLocks, Claim},
    memory_manager::StorageEvictor,
    memory_store::MemoryStore,
    statistics::Counters,
};

/// What this process stores (RT-51). Every method blocks until it is done; all may be called from many threads at once.
pub struct BlockManager {
    id: BlockManagerId,
    options: BlockManagerOptions,
    memory: Arc<MemoryManager>,
    memory_store: MemoryStore,
    disk_store: DiskStore,
    master: Arc<dyn BlockManagerMaster>,
    transfer: Arc<dyn BlockTransfer>,
    locks: Arc<BlockLocks>,
    /// How each local block is meant to be kept. Changed only by whoever holds the block's claim.
    blocks: Mutex<BTreeMap<BlockId, BlockInfo>>,
    /// One eviction at a time: two at once would each claim half of what either needs, and both fail.
    evicting: Mutex<()>,
    /// The driver's list of peers, and when it was asked.
    peers: Mutex<Option<(Instant, Vec<BlockManagerId>)>>,
    counters: Counters,
    this: Weak<Self>,
}

#[derive(Clone, Copy)]
struct BlockInfo {
    level: StorageLevel,
    tell_master: bool,
}

impl BlockManager {
    /// A block manager that stores nothing yet and that nobody knows; [`Self::register`] comes next.
    pub fn new(
        id: BlockManagerId,
        options: BlockManagerOptions,
        memory: Arc<MemoryManager>,
        dirs: Arc<LocalDirs>,
        master: Arc<dyn BlockManagerMaster>,
        transfer: Arc<dyn BlockTransfer>,
    ) -> Arc<Self> {
        let manager = Arc::new_cyclic(|this| Self {
            id,
            options,
            memory_store: MemoryStore::new(Arc::clone(&memory)),
            memory: Arc::clone(&memory),
            disk_store: DiskStore::new(dirs),
            master,
            transfer,
            locks: Arc::default(),
            blocks: Mutex::default(),
            evicting: Mutex::default(),
            peers: Mutex::default(),
            counters: Counters::default(),
            this: Weak::clone(this),
        });
        let evictor: Weak<Self> = Arc::downgrade(&manager);
        memory.set_evictor(evictor as Weak<dyn StorageEvictor>);
        manager
    }

    /// Tells the driver that this block manager is here.
    pub fn register(&self) -> Result<(), BlockManagerMasterError> {
        let capacity = |mode| self.memory.usage(mode).capacity;
        self.master.register(&self.id, capacity(MemoryMode::OnHeap), capacity(MemoryMode::OffHeap))
    }

    /// Registers again and reports every block again: the driver has forgotten this block manager (RT-70).
    fn reregister(&self) -> Result<(), BlockManagerMasterError> {
        self.register()?;
        let blocks: Vec<BlockId> =
            self.blocks.lock().iter().filter(|(_, info)| info.tell_master).map(|(id, _)| *id).collect();
        for block_id in &blocks {
            if self.master.update_block(self.status(block_id))? == UpdateBlock::UnknownBlockManager {
                tracing::warn!(block_manager_id = %self.id, "the driver forgot this block manager while it registered");
                break;
            }
        }
        tracing::info!(block_manager_id = %self.id, blocks = blocks.len(), "block manager registered again");
        Ok(())
    }

    /// Who this is.
    pub fn id(&self) -> &BlockManagerId {
        &self.id
    }

    /// The memory that it stores blocks in.
    pub fn memory(&self) -> &Arc<MemoryManager> {
        &self.memory
    }

    /// The driver's registry, as this process reaches it.
    pub fn master(&self) -> &Arc<dyn BlockManagerMaster> {
        &self.master
    }

    /// How a block is kept here at this moment; an invalid level if it is not here.
    pub fn status(&self, block_id: &BlockId) -> BlockUpdatedInfo {
        let info = self.blocks.lock().get(block_id).copied();
        let memory = self.memory_store.peek(block_id);
        let disk = self.disk_store.size(block_id);
        let level = info.map_or(StorageLevel::NONE, |info| StorageLevel {
            use_memory: memory.is_some(),
            use_disk: disk.is_some(),
            use_off_heap: memory.is_some() && info.level.use_off_heap,
            deserialized: memory.is_some_and(|(_, values)| values),
            replication: info.level.replication,
        });
        BlockUpdatedInfo {
            block_manager_id: self.id.clone(),
            block_id: *block_id,
            storage_level: if level.is_valid() { level } else { StorageLevel::NONE },
            memory_size: memory.map_or(0, |(size, _)| size.bytes()),
            disk_size: disk.map_or(0, ByteCount::bytes),
        }
    }

    /// Every block that is here, in order.
    pub fn block_ids(&self) -> Vec<BlockId> {
        self.blocks.lock().keys().copied().collect()
    }

    /// Where the block's file is, if it is on disk.
    pub fn disk_path(&self, block_id: &BlockId) -> PathBuf {
        self.disk_store.path(block_id)
    }

    /// What it holds and has done.
    pub fn statistics(&self) -> StorageStatistics {
        StorageStatistics {
            on_heap: self.memory.usage(MemoryMode::OnHeap),
            off_heap: self.memory.usage(MemoryMode::OffHeap),
            disk_used: self.disk_store.used(),
            memory_blocks: self.memory_store.len() as u64,
            memory_hits: self.counters.memory_hits.get(),
            disk_hits: self.counters.disk_hits.get(),
            remote_hits: self.counters.remote_hits.get(),
            computed: self.counters.computed.get(),
            not_stored: self.counters.not_stored.get(),
            evicted: self.counters.evicted.get(),
            evicted_to_disk: self.counters.evicted_to_disk.get(),
            replicas_failed: self.counters.replicas_failed.get(),
        }
    }

    /// Tells the driver how a block is kept, if it wants to know of this one. The claim keeps each block's reports in order.
    fn report(&self, block_id: &BlockId, info: BlockInfo, _claim: &Claim) {
        if !info.tell_master {
            return;
        }
        let reported = self.master.update_block(self.status(block_id));
        let reported = match reported {
            Ok(UpdateBlock::Recorded) => Ok(()),
            Ok(UpdateBlock::UnknownBlockManager) => self.reregister(),
            Err(error) => Err(error),
        };
        if let Err(error) = reported {
            // The block stays: at worst the driver does not know of it, and it is computed again elsewhere.
            tracing::warn!(%block_id, error = &error as &dyn std::error::Error, "could not report a block");
        }
    }

    /// Serialized partitions are compressed if the options say so; other bytes come as their owner wants them.
    fn compression(&self, block_id: &BlockId) -> Option<CompressionCodec> {
        (self.options.compress_rdds && block_id.is_rdd()).then_some(self.options.compression)
    }

    /// A seed for choices about this block, different in each executor.
    fn seed_for(&self, block_id: &BlockId) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.options.seed, block_id).hash(&mut hasher);
        hasher.finish()
    }

    fn mode(level: &StorageLevel) -> MemoryMode {
        if level.use_off_heap { MemoryMode::OffHeap } else { MemoryMode::OnHeap }
    }
}
