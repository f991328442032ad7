//! Broadcast values: the same read-only value in every process, sent so that the driver is no bottleneck (RT-55).
//!
//! The driver encodes a value once, cuts the bytes into pieces, compresses each by itself and stores them as blocks. An
//! executor fetches the pieces in an order of its own, each from whoever has it, other executors before the driver, and
//! stores it, so that it serves the piece from then on. While all executors fetch at the same time, each piece thus
//! leaves the driver about once. The value is decoded once in a process and shared by its tasks; the pieces stay, to be
//! served, and to decode the value again if it had to leave memory.
//!
//! *Unpersist* drops the executors' copies, *destroy* the driver's too. Both are the driver's to order, with
//! `BlockMaster::remove_broadcast`; each process then drops what it has with `BlockManager::remove_broadcast`.

use std::{
    any::Any,
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use firesteel_model::{BlockId, BroadcastId, BroadcastInfo, ByteCount, StorageLevel};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{
    BlockError, BlockManager, BlockServer, BroadcastOptions, CodecError, CompressionCodec, RecordCodec,
    compression::{self, Stored},
    memory_store::AnyValue,
};

/// How often every holder of a piece is asked before the value is given up. Spark gives up on the first damaged piece.
const FETCH_ROUNDS: u32 = 3;

/// In front of each piece: how it is compressed (u8), and how long it is when it is not (u32).
const PIECE_HEADER_SIZE: usize = 5;

/// The driver could not make a broadcast value.
#[derive(Debug, thiserror::Error)]
pub enum WriteBroadcastError {
    /// Its type cannot be encoded.
    #[error("broadcast {id} could not be encoded")]
    Encode {
        /// Which value.
        id: BroadcastId,
        /// What the codec says.
        #[source]
        source: CodecError,
    },
    /// A piece could not be stored.
    #[error("broadcast {id} could not be stored")]
    Store {
        /// Which value.
        id: BroadcastId,
        /// Why.
        #[source]
        source: BlockError,
    },
}

/// A broadcast value could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadBroadcastError {
    /// Nobody has one of its pieces.
    #[error(
        "piece {piece} of broadcast {id} is nowhere to be had: the value was destroyed, or the driver could not be reached"
    )]
    PieceNotFound {
        /// Which value.
        id: BroadcastId,
        /// Which piece.
        piece: u32,
    },
    /// A piece came, and was damaged every time.
    #[error(
        "piece {piece} of broadcast {id} was damaged each of the {copies} times that it was fetched; the network or a machine's memory is faulty"
    )]
    PieceCorrupt {
        /// Which value.
        id: BroadcastId,
        /// Which piece.
        piece: u32,
        /// How many damaged copies came.
        copies: u32,
    },
    /// All bytes are there, and are not a value of this type.
    #[error("broadcast {id} could not be decoded")]
    Decode {
        /// Which value.
        id: BroadcastId,
        /// What the codec says.
        #[source]
        source: CodecError,
    },
    /// It is read as another type than it was written, or decoded before.
    #[error("broadcast {id} is a value of another type")]
    OtherType {
        /// Which value.
        id: BroadcastId,
    },
}

/// The broadcast values of one process.
pub struct BroadcastManager {
    blocks: Arc<BlockManager>,
    options: BroadcastOptions,
    compression: CompressionCodec,
    seed: u64,
    values: Mutex<BTreeMap<BroadcastId, Arc<ValueSlot>>>,
}

/// The decoded value for as long as anybody uses it, be it only the memory store. Held while the value is fetched, so
/// that every other task of the process waits for the one that fetches.
type ValueSlot = Mutex<Option<Weak<dyn Any + Send + Sync>>>;

impl BroadcastManager {
    /// Keeps broadcast values in the block manager. `seed` makes the order in which pieces are fetched; it must be
    /// different in each executor.
    pub fn new(
        blocks: Arc<BlockManager>,
        options: BroadcastOptions,
        compression: CompressionCodec,
        seed: u64,
    ) -> Arc<Self> {
        Arc::new(Self { blocks, options, compression, seed, values: Mutex::default() })
    }

    /// Makes a value readable everywhere: on the driver.
    pub fn write<T: Send + Sync + 'static>(
        &self,
        id: BroadcastId,
        value: &Arc<T>,
        codec: &dyn RecordCodec<T>,
    ) -> Result<BroadcastInfo, WriteBroadcastError> {
        let mut encoded = Vec::new();
        codec.encode(value, &mut encoded).map_err(|source| WriteBroadcastError::Encode { id, source })?;
        let info = self.write_encoded(id, &encoded)?;
        let slot = self.slot(id);
        self.keep(&info, &mut slot.lock(), value, codec);
        Ok(info)
    }

    /// Makes a value readable everywhere that is encoded already, and that the driver itself does not read.
    pub fn write_encoded(&self, id: BroadcastId, encoded: &[u8]) -> Result<BroadcastInfo, WriteBroadcastError> {
        let piece_size = self.options.block_size.bytes().clamp(1, u64::from(u32::MAX));
        let mut info = BroadcastInfo { id, size: encoded.len() as u64, piece_size, checksums: Vec::new() };
        let compression = self.options.compress.then_some(self.compression);
        for (index, raw) in encoded.chunks(piece_size as usize).enumerate() {
            let piece = encode_piece(compression, raw);
            if self.options.checksum {
                info.checksums.push(crc32fast::hash(&piece));
            }
            let block_id = BlockId::BroadcastPiece(id, index as u32);
            let level = StorageLevel::MEMORY_AND_DISK_SER;
            if let Err(source) = self.blocks.put_bytes(block_id, level, piece, true) {
                self.blocks.remove_broadcast(id);
                return Err(WriteBroadcastError::Store { id, source });
            }
        }
        Ok(info)
    }

    /// The value: decoded before, or fetched and decoded. Other tasks of this process that want it wait meanwhile; the
    /// transfer's time-outs bound how long.
    pub fn read<T: Send + Sync + 'static>(
        &self,
        info: &BroadcastInfo,
        codec: &dyn RecordCodec<T>,
    ) -> Result<Arc<T>, ReadBroadcastError> {
        let id = info.id;
        let slot = self.slot(id);
        let mut cached = slot.lock();
        if let Some(value) = cached.as_ref().and_then(Weak::upgrade) {
            self.blocks.touch(&BlockId::Broadcast(id));
            return value.downcast().map_err(|_| ReadBroadcastError::OtherType { id });
        }
        let encoded = self.fetch_all(info)?;
        let value = codec.decode(&encoded).map_err(|source| ReadBroadcastError::Decode { id, source })?;
        let value = Arc::new(value);
        self.keep(info, &mut cached, &value, codec);
        Ok(value)
    }

    /// Keeps the value in memory if there is room. If there is none, whoever uses it keeps it, and others share it as long.
    fn keep<T: Send + Sync + 'static>(
        &self,
        info: &BroadcastInfo,
        cached: &mut Option<Weak<dyn Any + Send + Sync>>,
        value: &Arc<T>,
        codec: &dyn RecordCodec<T>,
    ) {
        let value: AnyValue = Arc::clone(value) as _;
        *cached = Some(Arc::downgrade(&value));
        // What one value points to is about what its encoding holds; the codec may know better.
        let measured = value.downcast_ref::<T>().map_or(0, |value| codec.memory_size(std::slice::from_ref(value)));
        let size = ByteCount(measured.max(info.size));
        self.blocks.put_value(BlockId::Broadcast(info.id), value, size);
    }

    /// The slot of a value; slots of values that nobody has any more go on the way.
    fn slot(&self, id: BroadcastId) -> Arc<ValueSlot> {
        let mut values = self.values.lock();
        if !values.contains_key(&id) {
            let is_live = |slot: &ValueSlot| slot.try_lock().is_none_or(|value| value.as_ref().is_some_and(has_owner));
            values.retain(|_, slot| Arc::strong_count(slot) > 1 || is_live(slot));
        }
        Arc::clone(values.entry(id).or_default())
    }

    fn fetch_all(&self, info: &BroadcastInfo) -> Result<Vec<u8>, ReadBroadcastError> {
        let mut encoded = vec![0; info.size as usize];
        let mut pieces: Vec<(usize, &mut [u8])> = encoded.chunks_mut(info.piece_size as usize).enumerate().collect();
        pieces.shuffle(&mut StdRng::seed_from_u64(self.seed ^ info.id.0));
        for (piece, target) in pieces {
            self.fetch_piece(info, piece as u32, target)?;
        }
        Ok(encoded)
    }

    /// Decodes one piece into its place: one that is here, or one that is fetched, and then is here.
    fn fetch_piece(&self, info: &BroadcastInfo, piece: u32, target: &mut [u8]) -> Result<(), ReadBroadcastError> {
        let id = info.id;
        let block_id = BlockId::BroadcastPiece(id, piece);
        let checksum = info.checksums.get(piece as usize).copied();
        match self.blocks.serve(&block_id) {
            Ok(Some(bytes)) if decode_piece(&bytes, checksum, target) => return Ok(()),
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => {
                tracing::warn!(%block_id, "dropping a damaged piece");
                self.blocks.remove_block(&block_id);
            }
        }
        let damaged = Cell::new(0);
        let target = Cell::new(target);
        let check = |bytes: &Bytes| {
            let place = target.take();
            let good = decode_piece(bytes, checksum, place);
            target.set(place);
            if !good {
                damaged.set(damaged.get() + 1);
                tracing::warn!(%block_id, "a fetched piece is damaged");
            }
            good
        };
        for _ in 0..FETCH_ROUNDS {
            let before = damaged.get();
            if let Some((_, bytes)) = self.blocks.fetch(&block_id, check) {
                let stored = self.blocks.put_bytes(block_id, StorageLevel::MEMORY_AND_DISK_SER, bytes, true);
                if let Err(error) = stored {
                    // The value is complete nevertheless; this executor just cannot pass the piece on.
                    tracing::warn!(%block_id, error = &error as &dyn std::error::Error, "could not keep a piece");
                }
                return Ok(());
            }
            if damaged.get() == before {
                break;
            }
        }
        Err(match damaged.get() {
            0 => ReadBroadcastError::PieceNotFound { id, piece },
            copies => ReadBroadcastError::PieceCorrupt { id, piece, copies },
        })
    }
}

fn has_owner(value: &Weak<dyn Any + Send + Sync>) -> bool {
    value.strong_count() > 0
}

fn encode_piece(compression: Option<CompressionCodec>, raw: &[u8]) -> Bytes {
    let (stored, packed) = compression::compress(compression, raw);
    let payload = packed.as_deref().unwrap_or(raw);
    let mut piece = Vec::with_capacity(PIECE_HEADER_SIZE + payload.len());
    piece.push(stored as u8);
    piece.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    piece.extend_from_slice(payload);
    piece.into()
}

/// False if the piece is damaged, as far as that can be told without a checksum.
fn decode_piece(piece: &[u8], checksum: Option<u32>, target: &mut [u8]) -> bool {
    if checksum.is_some_and(|checksum| crc32fast::hash(piece) != checksum) {
        return false;
    }
    let Some((header, payload)) = piece.split_first_chunk::<PIECE_HEADER_SIZE>() else { return false };
    let [stored, raw_len @ ..] = *header;
    let Some(stored) = Stored::from_byte(stored) else { return false };
    let mut raw = Vec::new();
    let decoded = u32::from_le_bytes(raw_len) as usize == target.len()
        && compression::decompress(stored, payload, target.len(), &mut raw).is_ok();
    if decoded {
        target.copy_from_slice(&raw);
    }
    decoded
}
