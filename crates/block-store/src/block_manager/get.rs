//! Reading blocks, and computing those that are nowhere.

use std::{
    io::{Cursor, Read},
    sync::{Arc, Weak},
};

use bytes::Bytes;
use firesteel_model::{BlockId, BlockManagerId, ByteCount, StorageLevel};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{BlockManager, PutBlock};
use crate::{
    BlockError, BlockServer, BlockSource, FoundBlock, RecordCodec, Records, TaskMemory,
    block_locks::Claim,
    memory_store::{AnyValue, Content, EncodeRecords},
    record_stream::{self, RecordReader},
    unroll::{self, UnrollMemory},
};

impl BlockManager {
    /// A cached partition: from local memory, the local disk, or another executor; otherwise it is computed and stored.
    ///
    /// One thread of this process at a time computes a block; others that want it wait for that one, until their kill flag
    /// is raised. Copies that turn out to be damaged are dropped and passed over; only a local one that is damaged further
    /// inside shows while it is read: that fails the task, and its next attempt computes the block.
    pub fn get_or_compute<'a, T, E, I>(
        &self,
        task: &TaskMemory,
        block_id: BlockId,
        level: StorageLevel,
        codec: &Arc<dyn RecordCodec<T>>,
        compute: impl FnOnce() -> Result<I, E>,
    ) -> Result<FoundBlock<'a, T, E>, E>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
        I: Iterator<Item = Result<T, E>> + 'a,
    {
        if let Some(found) = self.get_local(task, block_id, codec)? {
            return Ok(found);
        }
        let claim = self.claim(block_id, task)?;
        if let Some(found) = self.find_local_claimed(task, &block_id, codec, &claim)? {
            return Ok(found);
        }
        if let Some(found) = self.get_remote(block_id, codec) {
            return Ok(found);
        }
        self.counters.computed.add(1);
        let PutBlock { records, .. } = self.put_claimed(&claim, task, block_id, level, codec, compute()?)?;
        Ok(FoundBlock { records, source: BlockSource::Computed, bytes: 0 })
    }

    /// The records of a block that is in this process. A block that was evicted to disk comes back to memory if there is
    /// room.
    pub fn get_local<'a, T, E>(
        &self,
        task: &TaskMemory,
        block_id: BlockId,
        codec: &Arc<dyn RecordCodec<T>>,
    ) -> Result<Option<FoundBlock<'a, T, E>>, BlockError>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
    {
        let on_disk_only = self.memory_store.peek(&block_id).is_none() && self.disk_store.size(&block_id).is_some();
        let claim = if on_disk_only { self.locks.try_claim(block_id) } else { None };
        match claim {
            Some(claim) => self.find_local_claimed(task, &block_id, codec, &claim),
            None => self.find_local(&block_id, codec),
        }
    }

    /// The records of a block that another executor has. None if nobody has it, or nobody could be asked: then it can
    /// still be computed.
    pub fn get_remote<'a, T, E>(
        &self,
        block_id: BlockId,
        codec: &Arc<dyn RecordCodec<T>>,
    ) -> Option<FoundBlock<'a, T, E>>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
    {
        let check = |bytes: &Bytes| match record_stream::verify(bytes) {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%block_id, error = &error as &dyn std::error::Error, "a fetched block is damaged");
                false
            }
        };
        let (from, bytes) = self.fetch(&block_id, check)?;
        let length = bytes.len() as u64;
        let records = Records::Streamed(self.stream(block_id, codec, Cursor::new(bytes), false));
        Some(FoundBlock { records, source: BlockSource::Remote(from), bytes: length })
    }

    /// The bytes of a block that was stored with [`Self::put_bytes`], from here or from another executor (RT-33). None if
    /// nobody has it.
    pub fn get_bytes(&self, block_id: &BlockId) -> Result<Option<Bytes>, BlockError> {
        match self.serve(block_id) {
            Ok(Some(bytes)) => return Ok(Some(bytes)),
            Ok(None) => {}
            Err(error) if error.is_damage() => self.remove_damaged(block_id),
            Err(error) => return Err(error),
        }
        Ok(self.fetch(block_id, |_| true).map(|(_, bytes)| bytes))
    }

    /// The block counts as used.
    pub(crate) fn touch(&self, block_id: &BlockId) {
        self.memory_store.get(block_id);
    }

    /// Fetches a block from the first holder, in random order, whose bytes pass the check. Holders on this
    /// host come first, and the driver last, which has other things to do.
    pub(crate) fn fetch(&self, block_id: &BlockId, check: impl Fn(&Bytes) -> bool) -> Option<(BlockManagerId, Bytes)> {
        let mut holders = match self.master.locations(&[*block_id]) {
            Ok(mut locations) => locations.pop().unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%block_id, error = &error as &dyn std::error::Error, "could not ask where a block is");
                return None;
            }
        };
        holders.retain(|holder| holder.executor_id != self.id.executor_id);
        holders.shuffle(&mut StdRng::seed_from_u64(self.seed_for(block_id)));
        holders.sort_by_key(|holder| (holder.executor_id.is_driver(), holder.host != self.id.host));
        for holder in holders {
            match self.transfer.fetch(&holder, block_id) {
                Ok(bytes) if check(&bytes) => {
                    self.counters.remote_hits.add(1);
                    return Some((holder, bytes));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%block_id, error = &error as &dyn std::error::Error, "could not fetch a block");
                }
            }
        }
        None
    }

    /// The block as it is kept here. A damaged copy counts as none, and is dropped.
    pub(super) fn find_local<'a, T, E>(
        &self,
        block_id: &BlockId,
        codec: &Arc<dyn RecordCodec<T>>,
    ) -> Result<Option<FoundBlock<'a, T, E>>, BlockError>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
    {
        if let Some((content, size)) = self.memory_store.get(block_id) {
            self.counters.memory_hits.add(1);
            let records = match content {
                Content::Values { value, .. } => {
                    let values = value.downcast::<Vec<T>>();
                    Records::Cached(
                        values.unwrap_or_else(|_| panic!("{block_id} is read as another type than it was stored")),
                    )
                }
                Content::Bytes(bytes) => Records::Streamed(self.stream(*block_id, codec, Cursor::new(bytes), true)),
            };
            return Ok(Some(FoundBlock { records, source: BlockSource::LocalMemory, bytes: size.bytes() }));
        }
        let Some(size) = self.disk_store.size(block_id) else { return Ok(None) };
        match self.disk_store.open(block_id) {
            Ok(None) => Ok(None),
            Ok(Some(file)) => {
                self.counters.disk_hits.add(1);
                let records = Records::Streamed(self.stream(*block_id, codec, file, true));
                Ok(Some(FoundBlock { records, source: BlockSource::LocalDisk, bytes: size.bytes() }))
            }
            Err(source) => {
                let error = BlockError::Disk { block_id: *block_id, source };
                tracing::warn!(%block_id, error = &error as &dyn std::error::Error, "could not open a block's file");
                Ok(None)
            }
        }
    }

    /// Like [`Self::find_local`]; a block that is only on disk comes back to memory if its level wants that and there is
    /// room.
    fn find_local_claimed<'a, T, E>(
        &self,
        task: &TaskMemory,
        block_id: &BlockId,
        codec: &Arc<dyn RecordCodec<T>>,
        claim: &Claim,
    ) -> Result<Option<FoundBlock<'a, T, E>>, BlockError>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
    {
        let info = self.blocks.lock().get(block_id).copied();
        let Some(info) = info.filter(|info| info.level.use_memory && self.memory_store.peek(block_id).is_none()) else {
            return self.find_local(block_id, codec);
        };
        let back = if info.level.deserialized {
            self.values_back_to_memory(task, block_id, codec, &info.level)
        } else {
            self.bytes_back_to_memory(block_id, &info.level)
        };
        match back {
            Ok(true) => self.report(block_id, info, claim),
            Ok(false) => {}
            Err(error) if error.is_damage() => {
                tracing::warn!(%block_id, error = &error as &dyn std::error::Error, "dropping a damaged block");
                self.remove_claimed(block_id, claim);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        // However it is kept now, it came from disk.
        let size = self.disk_store.size(block_id).map_or(0, ByteCount::bytes);
        let found = self.find_local(block_id, codec)?;
        Ok(found.map(|found| FoundBlock { source: BlockSource::LocalDisk, bytes: size, ..found }))
    }

    fn values_back_to_memory<T: Send + Sync + 'static>(
        &self,
        task: &TaskMemory,
        block_id: &BlockId,
        codec: &Arc<dyn RecordCodec<T>>,
        level: &StorageLevel,
    ) -> Result<bool, BlockError> {
        let disk = |source| BlockError::Disk { block_id: *block_id, source };
        let Some(file) = self.disk_store.open(block_id).map_err(disk)? else { return Ok(false) };
        let mut records = RecordReader::new(Arc::clone(codec), file)
            .map(|record| record.map_err(|source| BlockError::Read { block_id: *block_id, source }));
        let mode = Self::mode(level);
        let memory = UnrollMemory::new(task, *block_id, mode);
        // The values are hardly smaller than their encoding.
        let initial = self.disk_store.plain_size(block_id).map_or(0, ByteCount::bytes);
        let unrolled = unroll::unroll_values(&mut records, codec.as_ref(), memory, initial)?;
        let Some(size) = unrolled.complete else { return Ok(false) };
        if !unrolled.memory.into_storage(size) {
            return Ok(false);
        }
        let value: AnyValue = Arc::new(unrolled.values);
        let encoder = Some(Arc::new(EncodeRecords(Arc::clone(codec))) as _);
        self.memory_store.insert(*block_id, Content::Values { value, encoder }, ByteCount(size), mode);
        Ok(true)
    }

    fn bytes_back_to_memory(&self, block_id: &BlockId, level: &StorageLevel) -> Result<bool, BlockError> {
        let Some(size) = self.disk_store.plain_size(block_id) else { return Ok(false) };
        let mode = Self::mode(level);
        if self.memory.acquire_storage(*block_id, size, mode).is_err() {
            return Ok(false);
        }
        match self.disk_store.get(block_id) {
            Ok(Some(bytes)) => {
                self.memory_store.insert(*block_id, Content::Bytes(bytes), size, mode);
                Ok(true)
            }
            Ok(None) => {
                self.memory.release_storage(size, mode);
                Ok(false)
            }
            Err(source) => {
                self.memory.release_storage(size, mode);
                Err(BlockError::Disk { block_id: *block_id, source })
            }
        }
    }

    /// Decodes records as they are read. If a local copy is found to be damaged, it is dropped.
    pub(super) fn stream<'a, T, E, R>(
        &self,
        block_id: BlockId,
        codec: &Arc<dyn RecordCodec<T>>,
        source: R,
        is_local: bool,
    ) -> Box<dyn Iterator<Item = Result<T, E>> + 'a>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
        R: Read + 'a,
    {
        let manager = if is_local { Weak::clone(&self.this) } else { Weak::new() };
        let records = RecordReader::new(Arc::clone(codec), source);
        Box::new(records.map(move |record| {
            record.map_err(|source| {
                if let Some(manager) = manager.upgrade().filter(|_| source.is_damage()) {
                    manager.remove_damaged(&block_id);
                }
                BlockError::Read { block_id, source }.into()
            })
        }))
    }
}
