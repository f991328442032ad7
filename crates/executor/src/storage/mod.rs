//! What a process stores for the application: cached partitions, broadcast values, large results (RT-50 to RT-55).
//!
//! The stores themselves are `firesteel-block-store`; this connects them to the driver and to peers:
//!
//! ```text
//!              asks: where is a block, who are peers      in local mode: nobody     elsewhere: TransferClient
//!  tasks ──► BlockManager ──► BlockManagerMaster ──► driver      └──► BlockTransfer ──► ExecutorBlockSource of a peer
//!                 ▲                    reports: BlockUpdated
//!                 └── StorageOrders ◄── driver's orders: RemoveRdd, RemoveBroadcast, RemoveBlocks, Replicate
//! ```
//!
//! Reports take the same way as the ends of tasks. So when a job is done, the driver knows of every block that its tasks
//! have stored.

mod block_source;
mod block_transfer;
mod driver_master;
mod orders;
mod remote_master;
mod task_result;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use firesteel_block_store::{
    BlockManager, BlockManagerMaster, BlockManagerMasterError, BlockManagerOptions, BlockTransfer, BroadcastManager,
    BroadcastOptions, InMemoryTransfer, LocalBlockManagerMaster, MemoryManager,
};
use firesteel_local_dirs::LocalDirs;
use firesteel_model::BlockManagerId;

pub use self::{
    block_source::ExecutorBlockSource, block_transfer::DataPlaneTransfer, orders::StorageOrders,
    task_result::fetch_task_result,
};
use self::{driver_master::DriverMaster, remote_master::RemoteMaster};
use crate::{DriverLink, ExecutorShuffle, Questions};

/// How blocks are kept. Each field names its keys in its own type.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// Of cached partitions. The codec (`spark.io.compression.codec`) is that of broadcast pieces too, and the seed, which
    /// must be different in each executor, that of the order in which pieces are fetched.
    pub blocks: BlockManagerOptions,
    /// Of broadcast values.
    pub broadcast: BroadcastOptions,
}

/// Where a process keeps its blocks, and as whom.
pub struct StoragePlace {
    /// Who this is, and where its blocks are served.
    pub block_manager_id: BlockManagerId,
    /// The memory that tasks and blocks share.
    pub memory: Arc<MemoryManager>,
    /// Where blocks go that memory has no room for.
    pub local_dirs: Arc<LocalDirs>,
}

/// The block manager of a process and what is built on it. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct ExecutorStorage {
    blocks: Arc<BlockManager>,
    broadcasts: Arc<BroadcastManager>,
    orders: Arc<StorageOrders>,
}

impl ExecutorStorage {
    /// In local mode: driver and executor are one process, and there are no peers. The executor's registration makes the
    /// block manager known to the driver.
    pub fn local(
        place: StoragePlace,
        options: StorageOptions,
        registry: Arc<LocalBlockManagerMaster>,
        link: Arc<dyn DriverLink>,
        shuffle: &Arc<ExecutorShuffle>,
    ) -> Self {
        let master = Arc::new(DriverMaster::new(registry, Arc::clone(&link)));
        Self::new(place, options, master, InMemoryTransfer::new(), link, shuffle)
    }

    /// On the driver of a cluster: it runs no tasks, and has broadcast values, which executors fetch. `link` must be one
    /// whose messages reach the event loop as those of the executor `driver`.
    ///
    /// # Errors
    ///
    /// The registry refuses the block manager; it does so only if the driver has registered before and was removed.
    pub fn driver(
        place: StoragePlace,
        options: StorageOptions,
        registry: Arc<LocalBlockManagerMaster>,
        link: Arc<dyn DriverLink>,
        shuffle: &Arc<ExecutorShuffle>,
    ) -> Result<Self, BlockManagerMasterError> {
        let transfer = Arc::new(DataPlaneTransfer::new(Arc::clone(shuffle)));
        let master = Arc::new(DriverMaster::new(registry, Arc::clone(&link)));
        let storage = Self::new(place, options, master, transfer, link, shuffle);
        storage.blocks.register()?;
        Ok(storage)
    }

    /// In an executor process. `questions` are those of the executor's [`Environment`](crate::Environment), to which the
    /// driver's answers come; each is waited for at most `ask_time_out`.
    pub fn remote(
        place: StoragePlace,
        options: StorageOptions,
        link: Arc<dyn DriverLink>,
        questions: Arc<Questions>,
        ask_time_out: Duration,
        shuffle: &Arc<ExecutorShuffle>,
    ) -> Self {
        let transfer = Arc::new(DataPlaneTransfer::new(Arc::clone(shuffle)));
        let master = Arc::new(RemoteMaster::new(Arc::clone(&link), questions, ask_time_out));
        Self::new(place, options, master, transfer, link, shuffle)
    }

    fn new(
        place: StoragePlace,
        options: StorageOptions,
        master: Arc<dyn BlockManagerMaster>,
        transfer: Arc<dyn BlockTransfer>,
        link: Arc<dyn DriverLink>,
        shuffle: &Arc<ExecutorShuffle>,
    ) -> Self {
        let StoragePlace { block_manager_id, memory, local_dirs } = place;
        let (compression, seed) = (options.blocks.compression, options.blocks.seed);
        let blocks = BlockManager::new(block_manager_id, options.blocks, memory, local_dirs, master, transfer);
        let broadcasts = BroadcastManager::new(Arc::clone(&blocks), options.broadcast, compression, seed);
        let orders = Arc::new(StorageOrders::new(Arc::clone(&blocks), Arc::clone(shuffle), link));
        Self { blocks, broadcasts, orders }
    }

    /// The block manager.
    pub fn blocks(&self) -> &Arc<BlockManager> {
        &self.blocks
    }

    /// The broadcast values.
    pub fn broadcasts(&self) -> &Arc<BroadcastManager> {
        &self.broadcasts
    }

    /// Where the driver's orders about blocks are carried out.
    pub fn orders(&self) -> &StorageOrders {
        &self.orders
    }
}
