//! Copies on other executors (RT-54).

use std::{collections::BTreeSet, time::Instant};

use bytes::Bytes;
use firesteel_block_master::choose_peers;
use firesteel_model::{BlockId, BlockManagerId, StorageLevel};

use super::BlockManager;
use crate::{BlockError, BlockServer, memory_store::Content, record_stream};

impl BlockServer for BlockManager {
    fn serve(&self, block_id: &BlockId) -> Result<Option<Bytes>, BlockError> {
        match self.memory_store.get(block_id) {
            Some((Content::Bytes(bytes), _)) => Ok(Some(bytes)),
            Some((Content::Values { value, encoder: Some(encoder) }, _)) => {
                let mut bytes = Vec::new();
                encoder
                    .encode(&value, self.compression(block_id), &mut bytes)
                    .map_err(|error| BlockError::from_memory_write(*block_id, error))?;
                Ok(Some(bytes.into()))
            }
            // Values that cannot be encoded are had from elsewhere.
            Some((Content::Values { encoder: None, .. }, _)) => Ok(None),
            None => self.disk_store.get(block_id).map_err(|source| BlockError::Disk { block_id: *block_id, source }),
        }
    }

    fn receive(&self, block_id: BlockId, level: StorageLevel, bytes: Bytes) -> Result<(), BlockError> {
        if block_id.is_rdd() {
            record_stream::verify(&bytes).map_err(|source| BlockError::Read { block_id, source })?;
        }
        let level = StorageLevel { deserialized: false, ..level };
        // Whoever stores this block here may be waiting for its sender to take a copy: never wait for one another.
        let claim = self.locks.try_claim(block_id).ok_or(BlockError::Busy { block_id })?;
        if self.store_bytes(block_id, level, bytes, true, &claim)? {
            Ok(())
        } else {
            Err(BlockError::NoRoom { block_id, level })
        }
    }
}

impl BlockManager {
    /// Copies a block that is here to `copies` of the peers, trying them in this order: restores a lost copy (RT-54), or
    /// moves a block away from an executor that leaves (RT-77). Returns how many took it; none if it is not here any more.
    pub fn replicate_block(
        &self,
        block_id: &BlockId,
        copies: usize,
        peers: &[BlockManagerId],
    ) -> Result<usize, BlockError> {
        let Some(info) = self.blocks.lock().get(block_id).copied() else { return Ok(0) };
        let Some(bytes) = self.serve(block_id)? else { return Ok(0) };
        let mut taken = 0;
        for peer in peers {
            if taken == copies {
                break;
            }
            taken += usize::from(self.upload(peer, block_id, info.level, &bytes));
        }
        self.counters.replicas_failed.add((copies - taken) as u64);
        Ok(taken)
    }

    /// Makes the copies that a level asks for, beside the one that is here. Fewer than asked for is no error: the block is
    /// stored, and the log says what is missing.
    pub(super) fn make_replicas(&self, block_id: &BlockId, level: StorageLevel, bytes: &Bytes) {
        let wanted = usize::from(level.replication.saturating_sub(1));
        let mut holders = vec![self.id.clone()];
        let mut failed = BTreeSet::new();
        let seed = self.seed_for(block_id);
        while holders.len() <= wanted {
            let fresh = !failed.is_empty();
            let candidates = self.peers(fresh).into_iter().filter(|peer| !failed.contains(peer));
            let Some(peer) = choose_peers(candidates, &holders, seed).into_iter().next() else { break };
            if self.upload(&peer, block_id, level, bytes) {
                holders.push(peer);
            } else {
                failed.insert(peer);
                if failed.len() > self.options.max_replication_failures as usize {
                    break;
                }
            }
        }
        let missing = wanted + 1 - holders.len();
        if missing > 0 {
            self.counters.replicas_failed.add(missing as u64);
            tracing::warn!(%block_id, wanted, missing, "block has fewer replicas than its storage level asks for");
        }
    }

    fn upload(&self, peer: &BlockManagerId, block_id: &BlockId, level: StorageLevel, bytes: &Bytes) -> bool {
        let uploaded = self.transfer.upload(peer, block_id, level, bytes.clone());
        if let Err(error) = &uploaded {
            tracing::warn!(%block_id, %peer, error = error as &dyn std::error::Error, "peer did not take a replica");
        }
        uploaded.is_ok()
    }

    /// The driver's list of peers, as old as the options allow; a failure with one of them makes it ask again.
    fn peers(&self, fresh: bool) -> Vec<BlockManagerId> {
        let mut cached = self.peers.lock();
        let ttl = self.options.cached_peers_ttl;
        if let Some((_, peers)) = cached.as_ref().filter(|(asked, _)| !fresh && asked.elapsed() < ttl) {
            return peers.clone();
        }
        match self.master.peers(&self.id.executor_id) {
            Ok(peers) => {
                // Nobody is no answer to keep: executors are still registering.
                *cached = (!peers.is_empty()).then(|| (Instant::now(), peers.clone()));
                peers
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not ask for peers");
                Vec::new()
            }
        }
    }
}
