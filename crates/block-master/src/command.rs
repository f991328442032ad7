//! What the driver must send.

use firesteel_model::{BlockId, BlockManagerId, BroadcastId, RddId};

/// One message for one block manager. The order of commands does not matter, and none waits for another; one that cannot
/// be delivered is dropped, because its block manager is gone then and its blocks with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlockMasterCommand {
    /// Drop every block of the RDD. The registry has forgotten them already.
    RemoveRdd {
        /// Whom to tell.
        from: BlockManagerId,
        /// Which RDD.
        rdd_id: RddId,
    },
    /// Drop the broadcast value and its pieces. The registry has forgotten them already.
    RemoveBroadcast {
        /// Whom to tell.
        from: BlockManagerId,
        /// Which value.
        broadcast_id: BroadcastId,
    },
    /// Drop one block. The registry has forgotten it already.
    RemoveBlock {
        /// Whom to tell.
        from: BlockManagerId,
        /// Which block.
        block_id: BlockId,
    },
    /// Copy the block to `copies` more block managers, trying `peers` in their order until so many have it (RT-54). The
    /// new holders report for themselves.
    ReplicateBlock {
        /// Who has it.
        holder: BlockManagerId,
        /// Which block.
        block_id: BlockId,
        /// How many copies are missing.
        copies: usize,
        /// Who may get one: nobody of them has it.
        peers: Vec<BlockManagerId>,
    },
}
