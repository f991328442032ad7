//! Hadoop's block framing, which `Lz4Codec` and `SnappyCodec` write.
//!
//! A file is a sequence of blocks. A block is the number of bytes that it decompresses to, then chunks until that many are
//! there; a chunk is its compressed length and the compressed bytes. All lengths are 32 bits, most significant byte first.

use std::io::{self, Read, Write};

/// How much is compressed at once: the default of `io.compression.codec.{lz4,snappy}.buffersize`. Readers in Hadoop have a
/// buffer of that size for a decompressed chunk, which is why ours is less by what incompressible data can grow.
const BUFFER_SIZE: usize = 256 << 10;

/// The most that one chunk may hold, compressed or not. Hadoop's buffers are 256 KiB; longer lengths are corrupt data, and would
/// otherwise decide how much memory is taken.
const MAX_CHUNK: usize = 64 << 20;

/// What compresses one chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChunkFormat {
    Lz4,
    Snappy,
}

impl ChunkFormat {
    fn chunk_size(self) -> usize {
        match self {
            Self::Lz4 => BUFFER_SIZE - (BUFFER_SIZE / 255 + 16),
            Self::Snappy => BUFFER_SIZE - (BUFFER_SIZE / 6 + 32),
        }
    }

    /// Decompresses to at most `limit` bytes.
    fn decompress(self, chunk: &[u8], limit: usize, output: &mut Vec<u8>) -> io::Result<()> {
        let length = match self {
            Self::Lz4 => {
                output.resize(limit, 0);
                lz4_flex::block::decompress_into(chunk, output).map_err(corrupt)?
            }
            Self::Snappy => {
                let length = snap::raw::decompress_len(chunk).map_err(corrupt)?;
                if length > limit {
                    return Err(corrupt("a chunk is longer than its block"));
                }
                output.resize(length, 0);
                snap::raw::Decoder::new().decompress(chunk, output).map_err(corrupt)?
            }
        };
        output.truncate(length);
        Ok(())
    }

    fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Lz4 => Ok(lz4_flex::block::compress(bytes)),
            Self::Snappy => snap::raw::Encoder::new().compress_vec(bytes).map_err(corrupt),
        }
    }
}

/// Reads the framing. `R` should be buffered.
pub(super) struct BlockReader<R> {
    input: R,
    format: ChunkFormat,
    /// How many bytes the current block has yet to give.
    block_left: usize,
    chunk: Vec<u8>,
    output: Vec<u8>,
    taken: usize,
}

impl<R: Read> BlockReader<R> {
    pub(super) fn new(input: R, format: ChunkFormat) -> Self {
        Self { input, format, block_left: 0, chunk: Vec::new(), output: Vec::new(), taken: 0 }
    }

    /// Gets the next chunk that holds anything; false at the end of the file.
    fn next_chunk(&mut self) -> io::Result<bool> {
        loop {
            while self.block_left == 0 {
                // A writer of nothing leaves one block of length zero.
                match self.read_length()? {
                    None => return Ok(false),
                    Some(length) => self.block_left = length as usize,
                }
            }
            let length = self.read_length()?.ok_or(io::ErrorKind::UnexpectedEof)? as usize;
            if length > MAX_CHUNK {
                return Err(corrupt(format!("a chunk of {length} bytes")));
            }
            self.chunk.resize(length, 0);
            self.input.read_exact(&mut self.chunk)?;
            self.format.decompress(&self.chunk, self.block_left.min(MAX_CHUNK), &mut self.output)?;
            self.taken = 0;
            self.block_left -= self.output.len();
            if !self.output.is_empty() {
                return Ok(true);
            }
        }
    }

    fn read_length(&mut self) -> io::Result<Option<u32>> {
        let mut bytes = [0; 4];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let length = u32::from_be_bytes(bytes);
        if length > i32::MAX as u32 { Err(corrupt(format!("a length of {length} bytes"))) } else { Ok(Some(length)) }
    }
}

impl<R: Read> Read for BlockReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || (self.taken == self.output.len() && !self.next_chunk()?) {
            return Ok(0);
        }
        let length = buffer.len().min(self.output.len() - self.taken);
        buffer[..length].copy_from_slice(&self.output[self.taken..self.taken + length]);
        self.taken += length;
        Ok(length)
    }
}

/// Writes the framing, one chunk in each block.
pub(super) struct BlockWriter<W> {
    output: W,
    format: ChunkFormat,
    pending: Vec<u8>,
    any: bool,
}

impl<W: Write> BlockWriter<W> {
    pub(super) fn new(output: W, format: ChunkFormat) -> Self {
        Self { output, format, pending: Vec::with_capacity(format.chunk_size()), any: false }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.pending.is_empty() {
            self.write_block()?;
        }
        if !self.any {
            self.output.write_all(&[0; 4])?;
        }
        Ok(self.output)
    }

    fn write_block(&mut self) -> io::Result<()> {
        let chunk = self.format.compress(&self.pending)?;
        self.output.write_all(&(self.pending.len() as u32).to_be_bytes())?;
        self.output.write_all(&(chunk.len() as u32).to_be_bytes())?;
        self.output.write_all(&chunk)?;
        self.pending.clear();
        self.any = true;
        Ok(())
    }
}

impl<W: Write> Write for BlockWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() == self.format.chunk_size() {
            self.write_block()?;
        }
        let length = bytes.len().min(self.format.chunk_size() - self.pending.len());
        self.pending.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

fn corrupt(reason: impl Into<crate::BoxedError>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
