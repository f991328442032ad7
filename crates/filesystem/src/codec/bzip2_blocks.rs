//! A part of a bzip2 file: the blocks that begin in a range of its bytes.
//!
//! A bzip2 file is a sequence of bits in which each block begins with the same 48, at any bit, and has a checksum of its own.
//! So a reader can look for the first block in its range. Each block is decompressed as a file of its own: its bits, moved to
//! the front of a byte, between a header and an end. What looks like the beginning of a block, but is bits of another one, is
//! found out by the checksum, and the search goes on behind it. (`BZip2Codec` of Hadoop splits at the same places.)

use std::io::{self, Read, SeekFrom};

use bzip2::bufread::BzDecoder;

use crate::{FileIoError, FilePath, FileRead, FileSplit};

/// What a block begins with, and what stands behind the last one of a stream; both 48 bits.
const BLOCK: u64 = 0x3141_5926_5359;
const END_OF_STREAM: u64 = 0x1772_4538_5090;
const MAGIC_BITS: u64 = 48;
const CHECKSUM_BITS: u64 = 32;

/// `BZh` and the size of blocks, which is a digit. The largest one does for every block.
const HEADER: [u8; 4] = *b"BZh9";
const HEADER_BITS: u64 = 32;

/// No block is larger: 900,000 symbols with the longest codes, and its tables.
const MAX_BLOCK_BITS: u64 = 8 * (4 << 20);

/// How many marks within one block may be none. That bits of a block are one by chance is not to be expected in any file; in one that was made
/// for it, each would have all of the block before it decompressed anew.
const MOST_FALSE_MARKS: u32 = 16;

/// How much of the file is read at once.
const READ_SIZE: usize = 128 << 10;

/// Reads what the blocks hold that begin in a split, and then, as long as it is asked, what those behind it hold.
pub(crate) struct Bzip2Blocks {
    bits: Bits,
    path: FilePath,
    /// The split's first byte.
    start: u64,
    /// The first bit behind the split.
    end: u64,
    next: Option<u64>,
    block: io::Cursor<Vec<u8>>,
    /// Bytes of all blocks up to and with the current one.
    decompressed: u64,
    own_length: Option<u64>,
}

/// Where something that may be the end of a block is.
#[derive(Clone, Copy)]
enum Boundary {
    Block(u64),
    EndOfStream(u64),
}

impl Bzip2Blocks {
    /// Looks for the first block of the split.
    pub(crate) fn open(mut file: Box<dyn FileRead>, split: &FileSplit) -> io::Result<Self> {
        file.seek(SeekFrom::Start(split.start))?;
        let mut blocks = Self {
            bits: Bits { file, bytes: Vec::new(), base: split.start, at_end: false },
            path: split.path.clone(),
            start: split.start,
            // The first block of the file belongs to the split at its beginning, however small that is.
            end: if split.start == 0 { (split.end() * 8).max(HEADER_BITS + 1) } else { split.end() * 8 },
            next: None,
            block: io::Cursor::default(),
            decompressed: 0,
            own_length: None,
        };
        blocks.next = blocks.first_block(split.start).map_err(|error| blocks.located(error, split.start * 8))?;
        Ok(blocks)
    }

    /// How many of the bytes are of blocks that begin in the split, once a block behind it was asked for.
    pub(crate) fn own_length(&self) -> Option<u64> {
        self.own_length
    }

    /// How many bytes of the file have been read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bits.base + self.bits.bytes.len() as u64 - self.start
    }

    fn first_block(&mut self, start: u64) -> io::Result<Option<u64>> {
        if start == 0 {
            return self.stream(0);
        }
        let mut from = (start * 8).max(HEADER_BITS + 1);
        while from < self.end {
            let until = self.end.min(from + MAX_BLOCK_BITS);
            match self.bits.find(from, until)? {
                None => from = until,
                Some(Boundary::Block(at)) => return Ok(Some(at)),
                Some(Boundary::EndOfStream(at)) => from = at + 1,
            }
            self.bits.forget_before(from);
        }
        Ok(None)
    }

    /// The first block of the stream that must begin at this bit, or of the next one that has any; none at the end of the file.
    fn stream(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        loop {
            self.bits.forget_before(at);
            let Some(header) = self.bits.get(at, HEADER_BITS)? else {
                return if self.bits.length_from(at) == 0 {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            };
            if header >> 8 != 0x42_5a68 || !(b'1'..=b'9').contains(&(header as u8)) {
                return Err(corrupt("no bzip2 header where one must be"));
            }
            let first = at + HEADER_BITS;
            match self.bits.get(first, MAGIC_BITS)? {
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(BLOCK) => return Ok(Some(first)),
                Some(END_OF_STREAM) => at = self.behind_stream(first)?,
                Some(_) => return Err(corrupt("no block where one must begin")),
            }
        }
    }

    /// Decompresses the block at this bit; returns what comes next.
    fn decompress(&mut self, at: u64) -> io::Result<Option<u64>> {
        self.bits.forget_before(at);
        let mut from = at + MAGIC_BITS + CHECKSUM_BITS;
        let mut failure = None;
        for _ in 0..=MOST_FALSE_MARKS {
            let Some(boundary) = self.bits.find(from, at + MAX_BLOCK_BITS)? else {
                return Err(match failure {
                    Some(failure) => failure,
                    None if self.bits.at_end => io::ErrorKind::UnexpectedEof.into(),
                    None => corrupt("a block has no end"),
                });
            };
            let (Boundary::Block(end) | Boundary::EndOfStream(end)) = boundary;
            let mut content = std::mem::take(&mut self.block).into_inner();
            content.clear();
            let as_file = self.bits.as_file(at, end)?;
            match BzDecoder::new(as_file.as_slice()).read_to_end(&mut content) {
                Ok(length) => {
                    self.block = io::Cursor::new(content);
                    self.decompressed += length as u64;
                    return match boundary {
                        Boundary::Block(next) => Ok(Some(next)),
                        Boundary::EndOfStream(end) => {
                            let next = self.behind_stream(end)?;
                            self.stream(next)
                        }
                    };
                }
                Err(error) => failure = Some(corrupt(error)),
            }
            from = end + 1;
        }
        Err(corrupt("a block has no end"))
    }

    /// The bit behind a stream whose end is marked at `at`: the checksum of all follows, and then bits up to a whole byte.
    fn behind_stream(&mut self, at: u64) -> io::Result<u64> {
        let checksum = self.bits.get(at + MAGIC_BITS, CHECKSUM_BITS)?;
        checksum.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((at + MAGIC_BITS + CHECKSUM_BITS).next_multiple_of(8))
    }

    fn located(&self, error: io::Error, bit: u64) -> io::Error {
        if error.get_ref().is_some_and(|inner| inner.is::<FileIoError>()) {
            return error;
        }
        let kind = error.kind();
        FileIoError { operation: "decompress", path: self.path.clone(), offset: bit / 8, source: error.into() }
            .into_io(kind)
    }
}

impl Read for Bzip2Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(at) = self.next else { return Ok(0) };
            if at >= self.end && self.own_length.is_none() {
                self.own_length = Some(self.decompressed);
            }
            self.next = self.decompress(at).map_err(|error| self.located(error, at))?;
        }
    }
}

fn corrupt(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A window over a file's bits, which are numbered from its beginning.
struct Bits {
    file: Box<dyn FileRead>,
    bytes: Vec<u8>,
    /// Where in the file `bytes` begins.
    base: u64,
    at_end: bool,
}

impl Bits {
    fn forget_before(&mut self, bit: u64) {
        let bytes = (bit / 8 - self.base).min(self.bytes.len() as u64);
        self.bytes.drain(..bytes as usize);
        self.base += bytes;
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        let before = self.bytes.len();
        if !self.at_end {
            (&mut self.file).take(READ_SIZE as u64).read_to_end(&mut self.bytes)?;
            self.at_end = self.bytes.len() < before + READ_SIZE;
        }
        Ok(self.bytes.len() > before)
    }

    /// So many bits from `bit` to the end of the file, of which no more than what was read is counted.
    fn length_from(&self, bit: u64) -> u64 {
        ((self.base + self.bytes.len() as u64) * 8).saturating_sub(bit)
    }

    /// Up to 56 bits as a number, the first one highest; none if the file ends before.
    fn get(&mut self, bit: u64, count: u64) -> io::Result<Option<u64>> {
        while self.length_from(bit) < count {
            if !self.fill()? {
                return Ok(None);
            }
        }
        let first = (bit / 8 - self.base) as usize;
        let mut word = [0; 8];
        let available = (self.bytes.len() - first).min(word.len());
        word[..available].copy_from_slice(&self.bytes[first..first + available]);
        Ok(Some(u64::from_be_bytes(word) << (bit % 8) >> (64 - count)))
    }

    /// The first mark of a block or of the end of a stream that begins at `from` or behind it and before `until`.
    fn find(&mut self, mut from: u64, until: u64) -> io::Result<Option<Boundary>> {
        const MASK: u64 = (1 << MAGIC_BITS) - 1;
        while from < until {
            let Some(_) = self.get(from, MAGIC_BITS)? else { return Ok(None) };
            let first = (from / 8 - self.base) as usize;
            // Each byte of the window completes the marks that begin in one of the eight bits before the last six bytes.
            let mut window = self.bytes[first..first + 6].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            for (index, byte) in self.bytes[first + 6..].iter().enumerate() {
                window = window << 8 | u64::from(*byte);
                let begin = (self.base + (first + index) as u64) * 8;
                for shift in 0..8 {
                    let (at, mark) = (begin + shift, window >> (8 - shift) & MASK);
                    if (mark == BLOCK || mark == END_OF_STREAM) && at >= from {
                        let boundary = if mark == BLOCK { Boundary::Block(at) } else { Boundary::EndOfStream(at) };
                        return Ok((at < until).then_some(boundary));
                    }
                }
            }
            from = (self.base + (self.bytes.len() - 6) as u64) * 8;
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The block between two bits as a file of its own.
    fn as_file(&mut self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut file = HEADER.to_vec();
        let (shift, first) = (from % 8, (from / 8 - self.base) as usize);
        let (whole, rest) = ((to - from) / 8, (to - from) % 8);
        let bytes = &self.bytes[first..];
        let pairs = bytes.iter().zip(&bytes[1..]).take(whole as usize);
        file.extend(pairs.map(|(left, right)| (u16::from_be_bytes([*left, *right]) << shift >> 8) as u8));
        let last = if rest == 0 { 0 } else { self.get(from + whole * 8, rest)?.unwrap_or_default() };
        let checksum = self.get(from + MAGIC_BITS, CHECKSUM_BITS)?.unwrap_or_default();
        // At most 7 + 48 + 32 bits.
        let tail = u128::from(last) << (MAGIC_BITS + CHECKSUM_BITS)
            | u128::from(END_OF_STREAM) << CHECKSUM_BITS
            | u128::from(checksum);
        let tail = tail << (128 - (rest + MAGIC_BITS + CHECKSUM_BITS));
        file.extend(&tail.to_be_bytes()[..(rest + MAGIC_BITS + CHECKSUM_BITS).div_ceil(8) as usize]);
        Ok(file)
    }
}
