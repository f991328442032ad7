//! Compressed streams as Spark's `CompressionCodec` of the same name reads them.
//!
//! * `zstd`: one frame. A flush ends a block, so that what was flushed can be read while the frame is still open.
//! * `lz4`: not LZ4's own frame format but lz4-java's: blocks, each with the magic `LZ4Block`, a token (method and block
//!   size), compressed and plain length, and a 28-bit xxHash of the plain bytes; an empty block ends the stream.
//! * `snappy`: not snappy's own frame format but snappy-java's: a header, then blocks, each with its length in front.
//!
//! A flush of the latter two ends the block early. Spark's `lzf` is not here: no one has asked for it since zstd is the
//! default.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
};

/// The plain size of one block of lz4 and snappy; `spark.io.compression.lz4.blockSize` and Spark's default for it.
const BLOCK_SIZE: usize = 32 << 10;

/// `spark.io.compression.zstd.level`, Spark's default.
const ZSTD_LEVEL: i32 = 1;

/// How an event log is compressed; the name is the ending of its file name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionCodec {
    /// `zstd`, Spark's default.
    Zstd,
    /// `lz4`.
    Lz4,
    /// `snappy`.
    Snappy,
}

impl fmt::Display for CompressionCodec {
    /// Spark's short name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Snappy => "snappy",
        })
    }
}

/// A stream into a file, compressed or not.
pub(crate) enum Stream {
    Plain(File),
    Zstd(zstd::stream::write::Encoder<'static, File>),
    Lz4(BlockStream<Lz4Block>),
    Snappy(BlockStream<SnappyBlock>),
}

impl Stream {
    pub(crate) fn new(file: File, codec: Option<CompressionCodec>) -> io::Result<Self> {
        Ok(match codec {
            None => Self::Plain(file),
            Some(CompressionCodec::Zstd) => Self::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?),
            Some(CompressionCodec::Lz4) => Self::Lz4(BlockStream::new(file)?),
            Some(CompressionCodec::Snappy) => Self::Snappy(BlockStream::new(file)?),
        })
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Lz4(stream) => stream.write_all(bytes),
            Self::Snappy(stream) => stream.write_all(bytes),
        }
    }

    /// Makes what was written so far readable by others.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Lz4(stream) => stream.flush(),
            Self::Snappy(stream) => stream.flush(),
        }
    }

    /// Writes what ends the stream.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Zstd(encoder) => encoder.finish().map(drop),
            Self::Lz4(stream) => stream.finish(),
            Self::Snappy(stream) => stream.finish(),
        }
    }
}

/// One block of a format that is made of blocks.
pub(crate) trait BlockFormat {
    /// What stands before the first block.
    const HEADER: &'static [u8];

    /// Appends the block with these plain bytes.
    fn encode(plain: &[u8], output: &mut Vec<u8>) -> io::Result<()>;

    /// What stands after the last block.
    fn end(output: &mut Vec<u8>);
}

/// Gathers plain bytes to blocks.
pub(crate) struct BlockStream<F> {
    file: File,
    plain: Vec<u8>,
    encoded: Vec<u8>,
    format: std::marker::PhantomData<F>,
}

impl<F: BlockFormat> BlockStream<F> {
    fn new(mut file: File) -> io::Result<Self> {
        file.write_all(F::HEADER)?;
        Ok(Self { file, plain: Vec::with_capacity(BLOCK_SIZE), encoded: Vec::new(), format: std::marker::PhantomData })
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = bytes.len().min(BLOCK_SIZE - self.plain.len());
            self.plain.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.plain.len() == BLOCK_SIZE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.plain.is_empty() {
            return Ok(());
        }
        self.encoded.clear();
        F::encode(&self.plain, &mut self.encoded)?;
        self.plain.clear();
        self.file.write_all(&self.encoded)
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.encoded.clear();
        F::end(&mut self.encoded);
        self.file.write_all(&self.encoded)
    }
}

/// lz4-java's `LZ4BlockOutputStream`.
pub(crate) struct Lz4Block;

impl Lz4Block {
    const MAGIC: &'static [u8] = b"LZ4Block";
    /// The low four bits of a token: the block size as a power of two, less 10.
    const SIZE_CLASS: u8 = (BLOCK_SIZE.trailing_zeros() - 10) as u8;
    const METHOD_RAW: u8 = 0x10;
    const METHOD_LZ4: u8 = 0x20;
    const HASH_SEED: u32 = 0x9747_b28c;
    /// lz4-java keeps 28 bits of the hash.
    const HASH_MASK: u32 = 0x0fff_ffff;

    fn header(method: u8, stored: usize, plain: usize, hash: u32, output: &mut Vec<u8>) {
        output.extend_from_slice(Self::MAGIC);
        output.push(method | Self::SIZE_CLASS);
        // Neither is more than twice the block size.
        output.extend_from_slice(&(stored as u32).to_le_bytes());
        output.extend_from_slice(&(plain as u32).to_le_bytes());
        output.extend_from_slice(&hash.to_le_bytes());
    }
}

impl BlockFormat for Lz4Block {
    const HEADER: &'static [u8] = b"";

    fn encode(plain: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        let hash = twox_hash::XxHash32::oneshot(Self::HASH_SEED, plain) & Self::HASH_MASK;
        let compressed = lz4_flex::block::compress(plain);
        let (method, stored) =
            if compressed.len() < plain.len() { (Self::METHOD_LZ4, &*compressed) } else { (Self::METHOD_RAW, plain) };
        Self::header(method, stored.len(), plain.len(), hash, output);
        output.extend_from_slice(stored);
        Ok(())
    }

    fn end(output: &mut Vec<u8>) {
        Self::header(Self::METHOD_RAW, 0, 0, 0, output);
    }
}

/// snappy-java's `SnappyOutputStream`.
pub(crate) struct SnappyBlock;

impl BlockFormat for SnappyBlock {
    /// Magic, version 1, readable since version 1.
    const HEADER: &'static [u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

    fn encode(plain: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        let compressed = snap::raw::Encoder::new().compress_vec(plain).map_err(io::Error::other)?;
        // Not more than a sixth above the block size.
        output.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
        output.extend_from_slice(&compressed);
        Ok(())
    }

    fn end(_output: &mut Vec<u8>) {}
}
