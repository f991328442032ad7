//! Results that are too large to send in a message (RT-33).

use bytes::Bytes;
use firesteel_block_store::FetchBlockError;
use firesteel_messages::TaskResult;
use firesteel_model::{BlockId, BlockManagerId, StorageLevel, TaskId};
use firesteel_transfer::TransferClient;

use super::{ExecutorStorage, block_transfer::fetch_block};
use crate::TaskFailure;

/// Fetches the result that an executor has stored under `block_id`: what a backend does when the driver wants it. Blocks
/// until it is here, at most as long as the client's own time-outs allow; never to be called in the event loop. The
/// caller then has the executor remove it.
///
/// # Errors
///
/// The executor does not have it any more, or cannot be reached: the result is lost, and its task runs again.
pub fn fetch_task_result(
    client: &TransferClient,
    holder: &BlockManagerId,
    block_id: BlockId,
) -> Result<Bytes, FetchBlockError> {
    fetch_block(client, holder, &block_id)
}

impl ExecutorStorage {
    /// Keeps a task's result until the driver has fetched it. The driver learns where it is from the task's end, not from
    /// the registry.
    pub(crate) fn store_result(&self, task_id: TaskId, bytes: Bytes) -> Result<TaskResult, TaskFailure> {
        let block_id = BlockId::TaskResult(task_id);
        let size = bytes.len() as u64;
        self.blocks.put_bytes(block_id, StorageLevel::MEMORY_AND_DISK_SER, bytes, false)?;
        Ok(TaskResult::Indirect { block_id, size })
    }
}
