//! Freeing memory: least recently used blocks go, to disk if their level says so (RT-53).

use firesteel_memory::MemoryMode;
use firesteel_model::{BlockId, ByteCount};

use super::BlockManager;
use crate::{
    BlockError,
    memory_manager::{EvictionReason, StorageEvictor},
    memory_store::{Content, Victim},
};

impl StorageEvictor for BlockManager {
    fn evict(&self, mode: MemoryMode, bytes: ByteCount, reason: EvictionReason) -> ByteCount {
        let _one_at_a_time = self.evicting.lock();
        let (except, all_or_nothing) = match reason {
            EvictionReason::Execution => (None, false),
            EvictionReason::Block(block_id) => (block_id.rdd_id(), true),
        };
        let victims = self.memory_store.claim_victims(mode, bytes, except, |block_id| self.locks.try_claim(block_id));
        let possible: ByteCount = victims.iter().map(|victim| victim.size).sum();
        if all_or_nothing && possible < bytes {
            return ByteCount::ZERO;
        }
        victims.into_iter().map(|victim| self.drop_from_memory(victim)).sum()
    }
}

impl BlockManager {
    /// Takes a block out of memory. Returns how much that freed: nothing if it had to go to disk and could not.
    fn drop_from_memory(&self, victim: Victim) -> ByteCount {
        let Victim { claim, block_id, content, size } = victim;
        let Some(info) = self.blocks.lock().get(&block_id).copied() else { return ByteCount::ZERO };
        let mut on_disk = self.disk_store.size(&block_id).is_some();
        if info.level.use_disk && !on_disk {
            match self.write_to_disk(&block_id, &content) {
                Ok(written) => on_disk = written,
                Err(error) => {
                    tracing::warn!(%block_id, error = &error as &dyn std::error::Error, "could not move a block to disk");
                    return ByteCount::ZERO;
                }
            }
            if on_disk {
                self.counters.evicted_to_disk.add(1);
            }
        }
        content.drop_for(&block_id);
        self.memory_store.remove(&block_id);
        if !on_disk {
            self.blocks.lock().remove(&block_id);
        }
        self.counters.evicted.add(1);
        tracing::debug!(%block_id, %size, on_disk, "block evicted from memory");
        self.report(&block_id, info, &claim);
        size
    }

    /// False if the content cannot be encoded because it can be had again from elsewhere.
    fn write_to_disk(&self, block_id: &BlockId, content: &Content) -> Result<bool, BlockError> {
        let block_id = *block_id;
        let disk = |source| BlockError::Disk { block_id, source };
        match content {
            Content::Bytes(bytes) => self.disk_store.put(block_id, bytes).map_err(disk)?,
            Content::Values { encoder: None, .. } => return Ok(false),
            Content::Values { value, encoder: Some(encoder) } => {
                let mut writer = self.disk_store.create(block_id).map_err(disk)?;
                encoder
                    .encode(value, self.compression(&block_id), &mut writer)
                    .map_err(|error| super::put::write_failed(block_id, &writer, error))?;
                writer.commit().map_err(disk)?
            }
        };
        Ok(true)
    }
}
