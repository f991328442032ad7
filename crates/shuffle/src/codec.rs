//! Compression of segments, block by block.
//!
//! Records are gathered into blocks of some 64 KiB, and each block is compressed by itself behind a header of nine bytes: codec
//! (`u8`), stored length and raw length (`u32`, little endian). Compared with the stream formats of the codecs this
//!
//! - makes concatenation trivial, even of blocks of different codecs: each says what it is,
//! - lets one encoder with one set of buffers serve all segments of a file, where stream encoders start anew for each,
//! - bounds memory on both sides to a block, stores what does not get smaller as it is, and
//! - needs no checksum of its own: the segment has one.

use std::{
    fmt,
    io::{self, Write},
};

use firesteel_model::ByteCount;
use lz4_flex::block::CompressTable;

/// `spark.io.compression.codec`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// `spark.shuffle.compress` is off.
    None,
    /// The default: fastest.
    Lz4,
    /// Snappy.
    Snappy,
    /// Zstandard, smallest.
    Zstd {
        /// `spark.io.compression.zstd.level`, 1.
        level: i32,
    },
}

/// How blocks are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// How many bytes make a block; at most [`Compression::MAX_BLOCK_SIZE`].
    pub block_size: ByteCount,
}

impl Compression {
    /// No reader takes a longer block, so a damaged header makes nobody hold more.
    pub const MAX_BLOCK_SIZE: ByteCount = ByteCount::mib(8);

    /// A codec with the block size that suits it. Spark's 32 KiB cost ratio and gain nothing here, where buffers are few.
    pub fn new(codec: Codec) -> Self {
        let block_size = match codec {
            // Just below 64 KiB, where LZ4's offsets fit 16 bits and its table is half as large.
            Codec::None | Codec::Lz4 | Codec::Snappy => ByteCount::kib(63),
            // Zstandard finds more in more.
            Codec::Zstd { .. } => ByteCount::kib(256),
        };
        Self { codec, block_size }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::new(Codec::Lz4)
    }
}

pub(crate) const HEADER: usize = 9;
pub(crate) const STORED: u8 = 0;
pub(crate) const LZ4: u8 = 1;
pub(crate) const SNAPPY: u8 = 2;
pub(crate) const ZSTD: u8 = 3;

/// Makes blocks. One serves any number of segments; its buffers stay.
pub struct BlockEncoder {
    compressor: Compressor,
    block_size: usize,
    /// Less than a block.
    pending: Vec<u8>,
    /// Room for a header and the longest result.
    packed: Vec<u8>,
}

enum Compressor {
    None,
    Lz4(Box<CompressTable>),
    Snappy(Box<snap::raw::Encoder>),
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl BlockEncoder {
    /// An encoder with nothing in it. A level that Zstandard does not have becomes the nearest one that it has.
    pub fn new(compression: Compression) -> Self {
        let compressor = match compression.codec {
            Codec::None => Compressor::None,
            Codec::Lz4 => Compressor::Lz4(Box::default()),
            Codec::Snappy => Compressor::Snappy(Box::new(snap::raw::Encoder::new())),
            Codec::Zstd { level } => {
                let levels = zstd::compression_level_range();
                let level = level.clamp(*levels.start(), *levels.end());
                Compressor::Zstd(Box::new(zstd::bulk::Compressor::new(level).expect("the level exists")))
            }
        };
        let block_size = compression.block_size.bytes().clamp(1, Compression::MAX_BLOCK_SIZE.bytes()) as usize;
        Self { compressor, block_size, pending: Vec::new(), packed: Vec::new() }
    }

    /// Takes bytes, and writes the blocks that are full. After an error the encoder must not be used any more.
    pub fn write(&mut self, mut bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        if !self.pending.is_empty() {
            let taken = bytes.len().min(self.block_size - self.pending.len());
            self.pending.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.pending.len() < self.block_size {
                return Ok(());
            }
            self.finish(out)?;
        }
        // What is a block already is not gathered first.
        while let Some((block, rest)) = bytes.split_at_checked(self.block_size) {
            pack(&mut self.compressor, &mut self.packed, block, out)?;
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what is pending as a last, shorter block. The encoder may then be used for the next segment.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.pending.is_empty() {
            pack(&mut self.compressor, &mut self.packed, &self.pending, out)?;
            self.pending.clear();
        }
        Ok(())
    }
}

fn pack(compressor: &mut Compressor, packed: &mut Vec<u8>, block: &[u8], out: &mut impl Write) -> io::Result<()> {
    let most = match compressor {
        Compressor::None => 0,
        Compressor::Lz4(_) => lz4_flex::block::get_maximum_output_size(block.len()),
        Compressor::Snappy(_) => snap::raw::max_compress_len(block.len()),
        Compressor::Zstd(_) => zstd::zstd_safe::compress_bound(block.len()),
    };
    if packed.len() < HEADER + most {
        packed.resize(HEADER + most, 0);
    }
    let (header, body) = packed.split_at_mut(HEADER);
    let (kind, length) = match compressor {
        Compressor::None => (STORED, None),
        Compressor::Lz4(table) => (LZ4, lz4_flex::block::compress_into_with_table(block, body, table).ok()),
        Compressor::Snappy(encoder) => (SNAPPY, encoder.compress(block, body).ok()),
        Compressor::Zstd(compressor) => (ZSTD, compressor.compress_to_buffer(block, body).ok()),
    };
    match length.filter(|&length| length < block.len()) {
        Some(length) => {
            put_header(header, kind, length, block.len());
            out.write_all(&packed[..HEADER + length])
        }
        None => {
            put_header(header, STORED, block.len(), block.len());
            out.write_all(header)?;
            out.write_all(block)
        }
    }
}

fn put_header(header: &mut [u8], kind: u8, stored: usize, raw: usize) {
    header[0] = kind;
    header[1..5].copy_from_slice(&(stored as u32).to_le_bytes());
    header[5..9].copy_from_slice(&(raw as u32).to_le_bytes());
}

impl fmt::Debug for BlockEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codec = match self.compressor {
            Compressor::None => "none",
            Compressor::Lz4(_) => "lz4",
            Compressor::Snappy(_) => "snappy",
            Compressor::Zstd(_) => "zstd",
        };
        f.debug_struct("BlockEncoder").field("codec", &codec).field("pending", &self.pending.len()).finish()
    }
}
