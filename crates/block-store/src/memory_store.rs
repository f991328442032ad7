//! Blocks in memory, in the order of their last use.
//!
//! The store knows what it holds; who may hold how much is the memory manager's, and every entry's memory was granted
//! before it is put here. Evicting is the block manager's, for a block may have to go to disk first.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    io::Write,
    mem,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use bytes::Bytes;
use firesteel_memory::MemoryMode;
use firesteel_model::{BlockId, ByteCount, RddId};
use parking_lot::Mutex;

use crate::{
    CompressionCodec, MemoryManager, RecordCodec,
    block_locks::Claim,
    record_stream::{RecordWriter, WriteRecordsError},
};

/// Values of a type that only their reader knows.
pub(crate) type AnyValue = Arc<dyn Any + Send + Sync>;

/// Encodes values of a type that the store does not know.
pub(crate) trait EncodeAny: Send + Sync {
    fn encode(
        &self,
        value: &AnyValue,
        compression: Option<CompressionCodec>,
        sink: &mut dyn Write,
    ) -> Result<(), WriteRecordsError>;
}

/// Encodes a `Vec<T>` with the codec that came with it.
pub(crate) struct EncodeRecords<T>(pub(crate) Arc<dyn RecordCodec<T>>);

impl<T: Send + Sync + 'static> EncodeAny for EncodeRecords<T> {
    fn encode(
        &self,
        value: &AnyValue,
        compression: Option<CompressionCodec>,
        sink: &mut dyn Write,
    ) -> Result<(), WriteRecordsError> {
        let records = value.downcast_ref::<Vec<T>>().expect("values are stored together with their own codec");
        let mut writer = RecordWriter::new(Arc::clone(&self.0), compression, sink);
        records.iter().try_for_each(|record| writer.write(record))?;
        writer.finish()
    }
}

/// What a block in memory is.
#[derive(Clone)]
pub(crate) enum Content {
    /// Values; without an encoder they can only be dropped, because they can be had again from elsewhere.
    Values { value: AnyValue, encoder: Option<Arc<dyn EncodeAny>> },
    /// Bytes.
    Bytes(Bytes),
}

impl Content {
    /// Does anybody beside the store hold it? Evicting it would free nothing then.
    fn is_in_use(&self) -> bool {
        match self {
            Self::Values { value, .. } => Arc::strong_count(value) > 1,
            Self::Bytes(bytes) => !bytes.is_unique(),
        }
    }

    /// Drops the block's content. A panic of the values' own `drop` ends here: whoever removes a block, which may be for the
    /// sake of another one, does the rest of its work.
    pub(crate) fn drop_for(self, block_id: &BlockId) {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(self))) {
            tracing::warn!(%block_id, "a panic of its values' drop was passed over when a block was removed");
            // Dropping it may panic, too.
            mem::forget(payload);
        }
    }
}

struct Entry {
    content: Content,
    size: ByteCount,
    mode: MemoryMode,
    last_use: u64,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<BlockId, Entry>,
    /// Least recently used first; the keys are the entries' `last_use`.
    by_use: BTreeMap<u64, BlockId>,
    clock: u64,
}

impl Entries {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

/// A block that could be evicted.
pub(crate) struct Victim {
    pub(crate) claim: Claim,
    pub(crate) block_id: BlockId,
    pub(crate) content: Content,
    pub(crate) size: ByteCount,
}

pub(crate) struct MemoryStore {
    memory: Arc<MemoryManager>,
    entries: Mutex<Entries>,
}

impl MemoryStore {
    pub(crate) fn new(memory: Arc<MemoryManager>) -> Self {
        Self { memory, entries: Mutex::default() }
    }

    /// Puts a block here whose memory the caller has acquired. Whoever calls holds the block's claim and has seen that it
    /// is not here.
    pub(crate) fn insert(&self, block_id: BlockId, content: Content, size: ByteCount, mode: MemoryMode) {
        let mut entries = self.entries.lock();
        let last_use = entries.tick();
        entries.by_use.insert(last_use, block_id);
        let before = entries.by_id.insert(block_id, Entry { content, size, mode, last_use });
        assert!(before.is_none(), "{block_id} was stored twice");
    }

    /// The block, which counts as used.
    pub(crate) fn get(&self, block_id: &BlockId) -> Option<(Content, ByteCount)> {
        let mut entries = self.entries.lock();
        let tick = entries.tick();
        let entry = entries.by_id.get_mut(block_id)?;
        let before = std::mem::replace(&mut entry.last_use, tick);
        let found = (entry.content.clone(), entry.size);
        entries.by_use.remove(&before);
        entries.by_use.insert(tick, *block_id);
        Some(found)
    }

    /// How large the block is, and whether it is kept as values; it does not count as used.
    pub(crate) fn peek(&self, block_id: &BlockId) -> Option<(ByteCount, bool)> {
        let entries = self.entries.lock();
        let entry = entries.by_id.get(block_id)?;
        Some((entry.size, matches!(entry.content, Content::Values { .. })))
    }

    /// Drops the block and gives its memory back. Whoever calls holds the block's claim.
    pub(crate) fn remove(&self, block_id: &BlockId) -> Option<ByteCount> {
        let mut entries = self.entries.lock();
        let entry = entries.by_id.remove(block_id)?;
        entries.by_use.remove(&entry.last_use);
        drop(entries);
        // The memory is free before it counts as free.
        entry.content.drop_for(block_id);
        self.memory.release_storage(entry.size, entry.mode);
        Some(entry.size)
    }

    /// Claims the least recently used blocks that together have at least `bytes`, or all there are. Passes over blocks that
    /// are in use or claimed, and those of one RDD.
    pub(crate) fn claim_victims(
        &self,
        mode: MemoryMode,
        bytes: ByteCount,
        except: Option<RddId>,
        mut claim: impl FnMut(BlockId) -> Option<Claim>,
    ) -> Vec<Victim> {
        let entries = self.entries.lock();
        let mut victims = Vec::new();
        let mut total = ByteCount::ZERO;
        for block_id in entries.by_use.values() {
            if total >= bytes {
                break;
            }
            let entry = &entries.by_id[block_id];
            let spared = except.is_some() && block_id.rdd_id() == except;
            if spared || entry.mode != mode || entry.size == ByteCount::ZERO || entry.content.is_in_use() {
                continue;
            }
            if let Some(claim) = claim(*block_id) {
                total += entry.size;
                let content = entry.content.clone();
                victims.push(Victim { claim, block_id: *block_id, content, size: entry.size });
            }
        }
        victims
    }

    /// How many blocks are here.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().by_id.len()
    }
}
