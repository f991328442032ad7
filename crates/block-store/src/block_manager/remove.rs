//! Dropping blocks for good, and what the driver may order.

use std::sync::atomic::AtomicBool;

use firesteel_block_master::BlockMasterCommand;
use firesteel_model::{BlockId, BroadcastId, RddId};

use super::BlockManager;
use crate::{BlockError, block_locks::Claim};

impl BlockManager {
    /// Drops a block from memory and disk; waits while it is being stored or evicted. Whoever reads it keeps what it has.
    /// Returns whether it was here.
    pub fn remove_block(&self, block_id: &BlockId) -> bool {
        let never = AtomicBool::new(false);
        let claim = self.locks.claim(*block_id, &never).expect("nobody raises this flag");
        self.remove_claimed(block_id, &claim)
    }

    /// Drops every block of an RDD. Returns how many there were.
    pub fn remove_rdd(&self, rdd_id: RddId) -> usize {
        self.remove_where(|block_id| block_id.rdd_id() == Some(rdd_id))
    }

    /// Drops a broadcast value and its pieces. Returns how many blocks that were.
    pub fn remove_broadcast(&self, broadcast_id: BroadcastId) -> usize {
        self.remove_where(|block_id| {
            matches!(*block_id, BlockId::Broadcast(id) | BlockId::BroadcastPiece(id, _) if id == broadcast_id)
        })
    }

    /// Does what the driver's registry decided. The command must be for this block manager.
    pub fn perform(&self, command: &BlockMasterCommand) -> Result<(), BlockError> {
        match command {
            BlockMasterCommand::RemoveRdd { rdd_id, .. } => {
                self.remove_rdd(*rdd_id);
            }
            BlockMasterCommand::RemoveBroadcast { broadcast_id, .. } => {
                self.remove_broadcast(*broadcast_id);
            }
            BlockMasterCommand::RemoveBlock { block_id, .. } => {
                self.remove_block(block_id);
            }
            BlockMasterCommand::ReplicateBlock { block_id, copies, peers, .. } => {
                self.replicate_block(block_id, *copies, peers)?;
            }
        }
        Ok(())
    }

    fn remove_where(&self, wanted: impl Fn(&BlockId) -> bool) -> usize {
        let blocks: Vec<BlockId> = self.blocks.lock().keys().filter(|block_id| wanted(block_id)).copied().collect();
        blocks.iter().filter(|block_id| self.remove_block(block_id)).count()
    }

    pub(super) fn remove_claimed(&self, block_id: &BlockId, claim: &Claim) -> bool {
        let Some(info) = self.blocks.lock().remove(block_id) else { return false };
        self.memory_store.remove(block_id);
        self.disk_store.remove(block_id);
        self.report(block_id, info, claim);
        true
    }

    /// This copy turned out to be damaged: drops it, unless somebody is changing it right now.
    pub(super) fn remove_damaged(&self, block_id: &BlockId) {
        tracing::warn!(%block_id, "dropping a damaged block");
        if let Some(claim) = self.locks.try_claim(*block_id) {
            self.remove_claimed(block_id, &claim);
        }
    }
}
