//! The driver's registry, for a block manager in the driver's own process.

use std::sync::Arc;

use firesteel_block_master::UpdateBlock;
use firesteel_block_store::{BlockManagerMaster, BlockManagerMasterError, LocalBlockManagerMaster};
use firesteel_messages::DriverMessage;
use firesteel_model::{BlockId, BlockManagerId, BlockUpdatedInfo, ByteCount, ExecutorId};

use crate::DriverLink;

/// Reads the registry where it is. Reports go through the event loop all the same: there they keep their order with the
/// ends of tasks, and listeners hear of them.
pub(super) struct DriverMaster {
    registry: Arc<LocalBlockManagerMaster>,
    link: Arc<dyn DriverLink>,
}

impl DriverMaster {
    pub(super) fn new(registry: Arc<LocalBlockManagerMaster>, link: Arc<dyn DriverLink>) -> Self {
        Self { registry, link }
    }
}

impl BlockManagerMaster for DriverMaster {
    fn register(
        &self,
        id: &BlockManagerId,
        maximum_on_heap: ByteCount,
        maximum_off_heap: ByteCount,
    ) -> Result<(), BlockManagerMasterError> {
        self.registry.register(id, maximum_on_heap, maximum_off_heap)
    }

    fn update_block(&self, update: BlockUpdatedInfo) -> Result<UpdateBlock, BlockManagerMasterError> {
        self.link.tell(DriverMessage::BlockUpdated(update));
        Ok(UpdateBlock::Recorded)
    }

    fn locations(&self, block_ids: &[BlockId]) -> Result<Vec<Vec<BlockManagerId>>, BlockManagerMasterError> {
        self.registry.locations(block_ids)
    }

    fn peers(&self, executor_id: &ExecutorId) -> Result<Vec<BlockManagerId>, BlockManagerMasterError> {
        self.registry.peers(executor_id)
    }
}
