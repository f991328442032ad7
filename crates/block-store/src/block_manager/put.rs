//! Storing blocks.

use std::{
    io::{Cursor, Write},
    sync::Arc,
};

use bytes::Bytes;
use firesteel_model::{BlockId, ByteCount, StorageLevel};

use super::{BlockInfo, BlockManager};
use crate::{
    BlockError, BlockServer, DiskBlockWriter, RecordCodec, Records, TaskMemory,
    block_locks::Claim,
    memory_store::{AnyValue, Content, EncodeRecords},
    record_stream::{RecordReader, RecordWriter, WriteRecordsError},
    unroll::{self, PartiallyUnrolled, UnrollMemory},
};

/// A block that was to be stored.
pub struct PutBlock<'a, T, E> {
    /// Is it? If neither memory nor disk took it, the records are all there nevertheless (RT-53).
    pub stored: bool,
    /// What is in it.
    pub records: Records<'a, T, E>,
}

impl BlockManager {
    /// Stores the records of an iterator as the level says, and gives them back. If there is a block of this name
    /// already, the iterator is not touched.
    ///
    /// Memory is reserved before it is used (RT-53). A block that outgrows memory goes to disk if its level allows that;
    /// otherwise it is not stored, and the records that come back are those collected up to then, then the rest of the
    /// iterator. A level that keeps several copies has them made before this returns.
    pub fn put_iterator<'a, T, E, I>(
        &self,
        task: &TaskMemory,
        block_id: BlockId,
        level: StorageLevel,
        codec: &Arc<dyn RecordCodec<T>>,
        iterator: I,
    ) -> Result<PutBlock<'a, T, E>, E>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
        I: Iterator<Item = Result<T, E>> + 'a,
    {
        let claim = self.claim(block_id, task)?;
        if self.blocks.lock().contains_key(&block_id)
            && let Some(found) = self.find_local(&block_id, codec)?
        {
            return Ok(PutBlock { stored: true, records: found.records });
        }
        self.put_claimed(&claim, task, block_id, level, codec, iterator)
    }

    /// Stores bytes as the level says, and makes its copies. False if neither memory nor disk took them. A block of this
    /// name that is here already stays as it is.
    ///
    /// The driver hears of it if `tell_master`: peers can then find it (RT-33, RT-55).
    pub fn put_bytes(
        &self,
        block_id: BlockId,
        level: StorageLevel,
        bytes: Bytes,
        tell_master: bool,
    ) -> Result<bool, BlockError> {
        let replicas = (level.replication > 1).then(|| bytes.clone());
        let claim = self.claim(block_id, &TaskMemory::without_task(Arc::clone(&self.memory)))?;
        let stored = self.store_bytes(block_id, level, bytes, tell_master, &claim)?;
        if let Some(bytes) = replicas.filter(|_| stored) {
            self.make_replicas(&block_id, level, &bytes);
        }
        Ok(stored)
    }

    /// Keeps a value in memory that can be had again from elsewhere, if there is room; the driver is not told. A value of
    /// this name that is here already is replaced.
    pub(crate) fn put_value(&self, block_id: BlockId, value: AnyValue, size: ByteCount) {
        // Without a claim now, somebody drops this very block.
        let Some(claim) = self.locks.try_claim(block_id) else { return };
        self.remove_claimed(&block_id, &claim);
        let level = StorageLevel::MEMORY_ONLY;
        let mode = Self::mode(&level);
        if self.memory.acquire_storage(block_id, size, mode).is_ok() {
            self.memory_store.insert(block_id, Content::Values { value, encoder: None }, size, mode);
            self.now_stored(block_id, level, false, &claim);
        }
    }

    /// Waits until nobody else changes the block.
    pub(super) fn claim(&self, block_id: BlockId, task: &TaskMemory) -> Result<Claim, BlockError> {
        self.locks.claim(block_id, task.killed()).map_err(|_| BlockError::Killed { block_id })
    }

    /// Stores bytes without making replicas. False if neither memory nor disk took them.
    pub(super) fn store_bytes(
        &self,
        block_id: BlockId,
        level: StorageLevel,
        bytes: Bytes,
        tell_master: bool,
        claim: &Claim,
    ) -> Result<bool, BlockError> {
        if !level.is_valid() {
            return Err(BlockError::InvalidLevel { block_id, level });
        }
        if self.blocks.lock().contains_key(&block_id) {
            return Ok(true);
        }
        let (size, mode) = (ByteCount(bytes.len() as u64), Self::mode(&level));
        if level.use_memory && self.memory.acquire_storage(block_id, size, mode).is_ok() {
            // Bytes that somebody else holds too, or a slice of a larger buffer, are not freed with the block.
            let own = if bytes.is_unique() { bytes } else { Bytes::copy_from_slice(&bytes) };
            self.memory_store.insert(block_id, Content::Bytes(own), size, mode);
        } else if level.use_disk {
            self.disk_store.put(block_id, &bytes).map_err(|source| BlockError::Disk { block_id, source })?;
        } else {
            return Ok(false);
        }
        self.now_stored(block_id, level, tell_master, claim);
        Ok(true)
    }

    pub(super) fn put_claimed<'a, T, E, I>(
        &self,
        claim: &Claim,
        task: &TaskMemory,
        block_id: BlockId,
        level: StorageLevel,
        codec: &Arc<dyn RecordCodec<T>>,
        iterator: I,
    ) -> Result<PutBlock<'a, T, E>, E>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
        I: Iterator<Item = Result<T, E>> + 'a,
    {
        // A file that could not be opened must not pass for the new block, nor, if that is not stored, for a block at all.
        self.remove_claimed(&block_id, claim);
        let put = match (level.use_memory, level.deserialized) {
            (true, true) => self.put_values(task, block_id, level, codec, iterator)?,
            (true, false) => self.put_encoded(task, block_id, level, codec, iterator)?,
            (false, _) if level.use_disk => {
                let writer = RecordWriter::new(Arc::clone(codec), self.compression(&block_id), Vec::new());
                self.put_on_disk(block_id, codec, writer, iterator)?
            }
            (false, _) => return Err(BlockError::InvalidLevel { block_id, level }.into()),
        };
        if !put.stored {
            self.counters.not_stored.add(1);
            tracing::debug!(%block_id, "no memory for a block; it is not stored");
            return Ok(put);
        }
        self.now_stored(block_id, level, true, claim);
        if level.replication > 1
            && let Some(bytes) = self.serve(&block_id)?
        {
            self.make_replicas(&block_id, level, &bytes);
        }
        Ok(put)
    }

    fn now_stored(&self, block_id: BlockId, level: StorageLevel, tell_master: bool, claim: &Claim) {
        let info = BlockInfo { level, tell_master };
        self.blocks.lock().insert(block_id, info);
        self.report(&block_id, info, claim);
    }

    fn put_values<'a, T, E, I>(
        &self,
        task: &TaskMemory,
        block_id: BlockId,
        level: StorageLevel,
        codec: &Arc<dyn RecordCodec<T>>,
        mut iterator: I,
    ) -> Result<PutBlock<'a, T, E>, E>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
        I: Iterator<Item = Result<T, E>> + 'a,
    {
        let mode = Self::mode(&level);
        let memory = UnrollMemory::new(task, block_id, mode);
        let initial = self.options.unroll_memory_threshold.bytes();
        let unrolled = unroll::unroll_values(&mut iterator, codec.as_ref(), memory, initial)?;
        if let Some(size) = unrolled.complete {
            let values = Arc::new(unrolled.values);
            if unrolled.memory.into_storage(size) {
                let value: AnyValue = values.clone();
                let encoder = Some(Arc::new(EncodeRecords(Arc::clone(codec))) as _);
                self.memory_store.insert(block_id, Content::Values { value, encoder }, ByteCount(size), mode);
                return Ok(PutBlock { stored: true, records: Records::Cached(values) });
            }
            // The task ended under our hands, so nobody reads this; but the records are all there.
            return Ok(PutBlock { stored: false, records: Records::Cached(values) });
        }
        let all = PartiallyUnrolled::new(unrolled.values.into_iter().map(Ok), unrolled.memory, iterator);
        if !level.use_disk {
            return Ok(PutBlock { stored: false, records: Records::Streamed(Box::new(all)) });
        }
        let writer = RecordWriter::new(Arc::clone(codec), self.compression(&block_id), Vec::new());
        self.put_on_disk(block_id, codec, writer, all)
    }

    fn put_encoded<'a, T, E, I>(
        &self,
        task: &TaskMemory,
        block_id: BlockId,
        level: StorageLevel,
        codec: &Arc<dyn RecordCodec<T>>,
        mut iterator: I,
    ) -> Result<PutBlock<'a, T, E>, E>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
        I: Iterator<Item = Result<T, E>> + 'a,
    {
        let mode = Self::mode(&level);
        let memory = UnrollMemory::new(task, block_id, mode);
        let initial = self.options.unroll_memory_threshold.bytes();
        let compression = self.compression(&block_id);
        let unrolled = unroll::unroll_bytes(&mut iterator, Arc::clone(codec), compression, memory, initial)?;
        if !unrolled.complete && level.use_disk {
            let put = self.put_on_disk(block_id, codec, unrolled.writer, iterator);
            drop(unrolled.memory);
            return put;
        }
        let mut writer = unrolled.writer;
        writer.finish().map_err(|error| BlockError::from_memory_write(block_id, error))?;
        let bytes = Bytes::from(writer.into_sink().into_boxed_slice());
        let encoded = RecordReader::new(Arc::clone(codec), Cursor::new(bytes.clone()))
            .map(move |record| record.map_err(|source| BlockError::Read { block_id, source }.into()));
        if !unrolled.complete {
            let all = PartiallyUnrolled::new(encoded, unrolled.memory, iterator);
            return Ok(PutBlock { stored: false, records: Records::Streamed(Box::new(all)) });
        }
        // The end of the stream has made it a little longer than what was reserved for it.
        let size = bytes.len() as u64;
        let stored = unrolled.memory.into_storage(size);
        if stored {
            self.memory_store.insert(block_id, Content::Bytes(bytes), ByteCount(size), mode);
        } else if level.use_disk {
            self.disk_store.put(block_id, &bytes).map_err(|source| BlockError::Disk { block_id, source })?;
        }
        Ok(PutBlock { stored: stored || level.use_disk, records: Records::Streamed(Box::new(encoded)) })
    }

    /// Writes what the writer holds and the rest of the iterator to disk.
    fn put_on_disk<'a, T, E, I>(
        &self,
        block_id: BlockId,
        codec: &Arc<dyn RecordCodec<T>>,
        writer: RecordWriter<T, Vec<u8>>,
        iterator: I,
    ) -> Result<PutBlock<'a, T, E>, E>
    where
        T: Send + Sync + 'static,
        E: From<BlockError> + 'a,
        I: Iterator<Item = Result<T, E>>,
    {
        let disk = |source| BlockError::Disk { block_id, source };
        let mut writer = writer.continue_into(|written| {
            let mut file = self.disk_store.create(block_id).map_err(disk)?;
            file.write_all(&written).map_err(|error| disk(file.failed(error)))?;
            Ok::<_, BlockError>(file)
        })?;
        for record in iterator {
            if let Err(error) = writer.write(&record?) {
                return Err(write_failed(block_id, writer.sink(), error).into());
            }
        }
        if let Err(error) = writer.finish() {
            return Err(write_failed(block_id, writer.sink(), error).into());
        }
        writer.into_sink().commit().map_err(disk)?;
        let file = self.disk_store.open(&block_id).map_err(disk)?.expect("its claim keeps the block here");
        let records = self.stream(block_id, codec, file, true);
        Ok(PutBlock { stored: true, records: Records::Streamed(records) })
    }
}

/// What it means that records could not be written to this file.
pub(super) fn write_failed(block_id: BlockId, writer: &DiskBlockWriter<'_>, error: WriteRecordsError) -> BlockError {
    match error {
        WriteRecordsError::Encode(source) => BlockError::Encode { block_id, source },
        WriteRecordsError::Io(error) => BlockError::Disk { block_id, source: writer.failed(error) },
    }
}
