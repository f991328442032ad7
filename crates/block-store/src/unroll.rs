//! Collecting a block whose size is unknown, with memory reserved before it is used (RT-53).
//!
//! An iterator may have more records than memory has room. It is unrolled a few records at a time; whenever the records
//! outgrow what is reserved, more is reserved first, evicting other blocks. If none is to be had, what was collected and
//! the rest of the iterator together are still the whole block: the caller goes on with both.
//!
//! Sizes of values are estimates. When the process has outgrown what it was given, memory is recalled, and a block of values
//! that is being collected counts as one for which there is no room, whatever was reserved.
//!
//! What is reserved covers the records, not the spare room of a growing buffer; that goes when the block is complete.

use std::sync::{Arc, atomic::Ordering};

use firesteel_memory::MemoryMode;
use firesteel_model::{BlockId, ByteCount, TaskId};

use crate::{BlockError, CompressionCodec, MemoryManager, RecordCodec, TaskMemory, record_stream::RecordWriter};

/// After so many records the size is looked at.
const CHECK_EVERY: usize = 16;
/// Or after so many bytes, by what records took so far.
const UNMEASURED_BYTES: u64 = 1 << 20;

/// What is smaller by its estimate stays when memory is recalled: it would free little even if it were much larger.
const RECALL_BYTES: u64 = 64 << 10;

/// Memory that a task holds while it collects a block; given back when dropped.
pub(crate) struct UnrollMemory {
    manager: Arc<MemoryManager>,
    task_id: TaskId,
    block_id: BlockId,
    mode: MemoryMode,
    bytes: u64,
    /// How often memory was recalled before this block, or while it was small.
    recalls: u64,
}

impl UnrollMemory {
    pub(crate) fn new(task: &TaskMemory, block_id: BlockId, mode: MemoryMode) -> Self {
        let (manager, task_id) = (Arc::clone(task.manager()), task.task_id());
        let recalls = manager.recalls().load(Ordering::Relaxed);
        Self { manager, task_id, block_id, mode, bytes: 0, recalls }
    }

    /// Was memory recalled while so much was there?
    fn is_recalled(&mut self, bytes: u64) -> bool {
        let recalls = self.manager.recalls().load(Ordering::Relaxed);
        std::mem::replace(&mut self.recalls, recalls) != recalls && bytes >= RECALL_BYTES
    }

    /// Holds at least so many bytes from now on; false if they are not to be had.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes) else { return true };
        let granted = self.manager.acquire_unroll(self.task_id, self.block_id, ByteCount(more), self.mode).is_ok();
        if granted {
            self.bytes = bytes;
        }
        granted
    }

    /// Holds at least so many bytes, and half as much again if that is to be had, so that growing is rare.
    fn grow_ahead(&mut self, bytes: u64) -> bool {
        bytes <= self.bytes || self.grow_to(bytes + bytes / 2) || self.grow_to(bytes)
    }

    /// The block is complete and has this size: it owns its memory from now on, and the rest is given back.
    pub(crate) fn into_storage(mut self, size: u64) -> bool {
        if !self.grow_to(size) || !self.manager.unroll_to_storage(self.task_id, ByteCount(size), self.mode) {
            return false;
        }
        self.bytes -= size;
        true
    }
}

impl Drop for UnrollMemory {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.manager.release_unroll(self.task_id, ByteCount(self.bytes), self.mode);
        }
    }
}

/// Records that were collected, all of them or those that had room.
pub(crate) struct UnrolledValues<T> {
    pub(crate) values: Vec<T>,
    pub(crate) memory: UnrollMemory,
    /// The size of all records, if the iterator came to its end.
    pub(crate) complete: Option<u64>,
}

/// Collects records as values. The first error of the iterator ends it.
pub(crate) fn unroll_values<T: 'static, E>(
    iterator: &mut impl Iterator<Item = Result<T, E>>,
    codec: &dyn RecordCodec<T>,
    mut memory: UnrollMemory,
    initial: u64,
) -> Result<UnrolledValues<T>, E> {
    let mut values = Vec::new();
    let (mut size, mut measured, mut distance) = (0, 0, 1);
    let mut room = memory.grow_to(initial);
    while room {
        match iterator.next().transpose()? {
            Some(value) => values.push(value),
            None => {
                size += codec.memory_size(&values[measured..]);
                room = memory.grow_to(size);
                values.shrink_to_fit();
                return Ok(UnrolledValues { values, memory, complete: room.then_some(size) });
            }
        }
        if values.len() - measured >= distance {
            size += codec.memory_size(&values[measured..]);
            measured = values.len();
            // A few large records are as much as many small ones.
            let mean = size / measured as u64;
            distance = usize::try_from(UNMEASURED_BYTES / mean.max(1)).unwrap_or(usize::MAX).clamp(1, CHECK_EVERY);
            room = !memory.is_recalled(size) && memory.grow_ahead(size);
        }
    }
    Ok(UnrolledValues { values, memory, complete: None })
}

/// Records that were encoded, all of them or those that had room.
pub(crate) struct UnrolledBytes<T> {
    pub(crate) writer: RecordWriter<T, Vec<u8>>,
    pub(crate) memory: UnrollMemory,
    /// The iterator came to its end.
    pub(crate) complete: bool,
}

/// Collects records as bytes. The first error of the iterator ends it.
pub(crate) fn unroll_bytes<T: 'static, E: From<BlockError>>(
    iterator: &mut impl Iterator<Item = Result<T, E>>,
    codec: Arc<dyn RecordCodec<T>>,
    compression: Option<CompressionCodec>,
    mut memory: UnrollMemory,
    initial: u64,
) -> Result<UnrolledBytes<T>, E> {
    let block_id = memory.block_id;
    let mut writer = RecordWriter::new(codec, compression, Vec::new());
    let mut room = memory.grow_to(initial);
    while room {
        let Some(record) = iterator.next().transpose()? else {
            return Ok(UnrolledBytes { writer, memory, complete: true });
        };
        writer.write(&record).map_err(|error| BlockError::from_memory_write(block_id, error))?;
        room = memory.grow_ahead(writer.len() as u64);
    }
    Ok(UnrolledBytes { writer, memory, complete: false })
}

/// Records that had room, then the rest of the iterator; the memory goes with the last of the former.
pub(crate) struct PartiallyUnrolled<F, I> {
    /// None once they are used up.
    unrolled: Option<(F, UnrollMemory)>,
    rest: I,
}

impl<F, I> PartiallyUnrolled<F, I> {
    pub(crate) fn new(unrolled: F, memory: UnrollMemory, rest: I) -> Self {
        Self { unrolled: Some((unrolled, memory)), rest }
    }
}

impl<F: Iterator, I: Iterator<Item = F::Item>> Iterator for PartiallyUnrolled<F, I> {
    type Item = F::Item;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((unrolled, _)) = &mut self.unrolled {
            match unrolled.next() {
                Some(record) => return Some(record),
                None => self.unrolled = None,
            }
        }
        self.rest.next()
    }
}
