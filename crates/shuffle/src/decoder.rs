//! Reads the blocks that [`BlockEncoder`](crate::BlockEncoder) made.

use std::{
    fmt,
    io::{self, BufRead, Read},
};

use bytes::{Buf, Bytes};

use crate::{Compression, codec};

/// Reads the blocks that a [`BlockEncoder`](crate::BlockEncoder) made, from memory or from a stream, to the end.
///
/// As a [`BufRead`] it hands out a decoded block at a time without copying it. Damaged input is an error of kind `InvalidData`
/// or `UnexpectedEof`, never a panic, and never makes it hold more than two blocks.
pub struct BlockDecoder {
    input: Input,
    /// The block that is being read.
    current: Current,
    /// How much of it is left at its end.
    left: usize,
    zstd: Option<Box<zstd::bulk::Decompressor<'static>>>,
}

enum Input {
    Memory(Bytes),
    Stream {
        reader: Box<dyn Read + Send>,
        /// The stored form of the block.
        stored: Vec<u8>,
    },
}

enum Current {
    /// Stored as it is, in memory: read in place.
    InPlace(Bytes),
    /// Decoded; the buffer stays for the next.
    Decoded { buffer: Vec<u8>, end: usize },
}

impl BlockDecoder {
    /// Reads from memory.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::new(Input::Memory(bytes))
    }

    /// Reads from a stream, in small pieces: the stream should be buffered.
    pub fn from_reader(reader: Box<dyn Read + Send>) -> Self {
        Self::new(Input::Stream { reader, stored: Vec::new() })
    }

    fn new(input: Input) -> Self {
        Self { input, current: Current::Decoded { buffer: Vec::new(), end: 0 }, left: 0, zstd: None }
    }

    #[inline]
    fn block(&self) -> &[u8] {
        let block = match &self.current {
            Current::InPlace(bytes) => &bytes[..],
            Current::Decoded { buffer, end } => &buffer[..*end],
        };
        &block[block.len() - self.left..]
    }

    #[inline]
    pub(crate) fn is_at_end_of_block(&self) -> bool {
        self.left == 0
    }

    /// Reads past what is left of the input without decoding it; a checksum that does not fit is an error then.
    pub(crate) fn drain_input(&mut self) -> io::Result<()> {
        self.left = 0;
        match &mut self.input {
            Input::Memory(bytes) => bytes.clear(),
            Input::Stream { reader, .. } => drop(io::copy(reader, &mut io::sink())?),
        }
        Ok(())
    }

    /// Decodes the next block; says whether there was one.
    pub(crate) fn next_block(&mut self) -> io::Result<bool> {
        let Some(header) = self.input.header()? else { return Ok(false) };
        let kind = header[0];
        let stored = u32::from_le_bytes(header[1..5].try_into().expect("four bytes")) as usize;
        let raw = u32::from_le_bytes(header[5..9].try_into().expect("four bytes")) as usize;
        let most = Compression::MAX_BLOCK_SIZE.bytes() as usize;
        if raw == 0 || raw > most || stored > raw {
            return Err(damaged("a block's length is impossible"));
        }
        if kind == codec::STORED {
            if stored != raw {
                return Err(damaged("a stored block has two lengths"));
            }
            match &mut self.input {
                Input::Memory(bytes) => {
                    if bytes.len() < raw {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.current = Current::InPlace(bytes.split_to(raw));
                }
                Input::Stream { reader, .. } => reader.read_exact(self.current.buffer(raw))?,
            }
        } else {
            let buffer = self.current.buffer(raw);
            let stored = self.input.stored(stored)?;
            let length = match kind {
                codec::LZ4 => lz4_flex::block::decompress_into(&stored, buffer).ok(),
                codec::SNAPPY => snap::raw::Decoder::new().decompress(&stored, buffer).ok(),
                codec::ZSTD => {
                    let decompressor = match &mut self.zstd {
                        Some(decompressor) => decompressor,
                        none => none.insert(Box::new(zstd::bulk::Decompressor::new()?)),
                    };
                    decompressor.decompress_to_buffer(&stored, buffer).ok()
                }
                _ => return Err(damaged("a block is of an unknown codec")),
            };
            if length != Some(raw) {
                return Err(damaged("a block cannot be decompressed"));
            }
        }
        self.left = raw;
        Ok(true)
    }
}

fn damaged(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl Current {
    /// A buffer of this length to decode into.
    fn buffer(&mut self, length: usize) -> &mut [u8] {
        if matches!(self, Self::InPlace(_)) {
            *self = Self::Decoded { buffer: Vec::new(), end: 0 };
        }
        let Self::Decoded { buffer, end } = self else { unreachable!("made so above") };
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        *end = length;
        &mut buffer[..length]
    }
}

/// The stored form of a block, wherever it is.
enum Stored<'a> {
    Shared(Bytes),
    Buffer(&'a [u8]),
}

impl std::ops::Deref for Stored<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Buffer(bytes) => bytes,
        }
    }
}

impl Input {
    fn header(&mut self) -> io::Result<Option<[u8; codec::HEADER]>> {
        let mut header = [0; codec::HEADER];
        match self {
            Self::Memory(bytes) if bytes.is_empty() => return Ok(None),
            Self::Memory(bytes) => bytes.try_copy_to_slice(&mut header).map_err(|_| io::ErrorKind::UnexpectedEof)?,
            Self::Stream { reader, .. } => {
                let first = loop {
                    match reader.read(&mut header) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        result => break result?,
                    }
                };
                if first == 0 {
                    return Ok(None);
                }
                reader.read_exact(&mut header[first..])?;
            }
        }
        Ok(Some(header))
    }

    fn stored(&mut self, length: usize) -> io::Result<Stored<'_>> {
        match self {
            Self::Memory(bytes) if bytes.len() < length => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Memory(bytes) => Ok(Stored::Shared(bytes.split_to(length))),
            Self::Stream { reader, stored } => {
                if stored.len() < length {
                    stored.resize(length, 0);
                }
                reader.read_exact(&mut stored[..length])?;
                Ok(Stored::Buffer(&stored[..length]))
            }
        }
    }
}

impl BufRead for BlockDecoder {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            self.next_block()?;
        }
        Ok(self.block())
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        self.left -= amount;
    }
}

impl Read for BlockDecoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl fmt::Debug for BlockDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockDecoder").field("left_in_block", &self.left).finish_non_exhaustive()
    }
}
