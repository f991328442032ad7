//! The driver's registry, as every block manager sees it (RT-51).

use std::{error::Error, sync::Arc};

use firesteel_block_master::{BlockMaster, RegisterBlockManagerError, Registration, UpdateBlock};
use firesteel_model::{BlockId, BlockManagerId, BlockUpdatedInfo, ByteCount, ExecutorId};
use parking_lot::Mutex;

/// The driver could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum BlockManagerMasterError {
    /// It refuses this block manager; the process must end.
    #[error("the driver refused the block manager")]
    Refused(#[source] RegisterBlockManagerError),
    /// It did not answer.
    #[error("could not reach the driver's block registry")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
}

/// Reports to the driver and asks it. Calls block until they are answered, reports excepted: those may be queued, as long
/// as each block's reports stay in order and a later question sees them.
pub trait BlockManagerMaster: Send + Sync {
    /// Registers, with the most storage memory on heap and off heap.
    fn register(
        &self,
        id: &BlockManagerId,
        maximum_on_heap: ByteCount,
        maximum_off_heap: ByteCount,
    ) -> Result<(), BlockManagerMasterError>;

    /// Reports a block. [`UpdateBlock::UnknownBlockManager`] makes the block manager register and report everything
    /// again.
    fn update_block(&self, update: BlockUpdatedInfo) -> Result<UpdateBlock, BlockManagerMasterError>;

    /// Who holds each of these blocks.
    fn locations(&self, block_ids: &[BlockId]) -> Result<Vec<Vec<BlockManagerId>>, BlockManagerMasterError>;

    /// Who may take copies of this executor's blocks.
    fn peers(&self, executor_id: &ExecutorId) -> Result<Vec<BlockManagerId>, BlockManagerMasterError>;
}

/// The registry in this process: the driver's own block manager asks it directly.
pub struct LocalBlockManagerMaster {
    registry: Mutex<(BlockMaster, u64)>,
}

impl LocalBlockManagerMaster {
    /// Shares a registry. `seed` makes its choices of peers.
    pub fn new(registry: BlockMaster, seed: u64) -> Arc<Self> {
        Arc::new(Self { registry: Mutex::new((registry, seed)) })
    }

    /// Lets the driver ask and change the registry; it sends the commands that come back. The second argument is a seed
    /// that was not given before.
    pub fn with<R>(&self, use_registry: impl FnOnce(&mut BlockMaster, u64) -> R) -> R {
        let (registry, seed) = &mut *self.registry.lock();
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        use_registry(registry, *seed)
    }
}

impl BlockManagerMaster for LocalBlockManagerMaster {
    fn register(
        &self,
        id: &BlockManagerId,
        maximum_on_heap: ByteCount,
        maximum_off_heap: ByteCount,
    ) -> Result<(), BlockManagerMasterError> {
        let registered =
            self.with(|registry, seed| registry.register(id.clone(), maximum_on_heap, maximum_off_heap, seed));
        match registered.map_err(BlockManagerMasterError::Refused)? {
            Registration::New | Registration::Again => {}
            Registration::Replaced(removed) => {
                tracing::warn!(old = %removed.block_manager_id, new = %id, "block manager replaced");
            }
        }
        Ok(())
    }

    fn update_block(&self, update: BlockUpdatedInfo) -> Result<UpdateBlock, BlockManagerMasterError> {
        Ok(self.with(|registry, _| registry.update_block(&update)))
    }

    fn locations(&self, block_ids: &[BlockId]) -> Result<Vec<Vec<BlockManagerId>>, BlockManagerMasterError> {
        Ok(self.with(|registry, _| block_ids.iter().map(|block_id| registry.locations(block_id)).collect()))
    }

    fn peers(&self, executor_id: &ExecutorId) -> Result<Vec<BlockManagerId>, BlockManagerMasterError> {
        Ok(self.with(|registry, _| registry.peers(executor_id)))
    }
}
