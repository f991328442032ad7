//! Spill files: blocks of whole records, each with its length and checksum, in a file that removes itself.
//!
//! A block is `length (8 bytes, little-endian) | CRC-32 of the sealed bytes (4) | sealed bytes`. Records never cross a
//! block's end, so that decoding is a walk over one slice, and a damaged file is found out before a byte of it is decoded.
//! Files are read with positioned reads: readers of one file do not disturb each other.

use std::{
    any::type_name,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    ops::Range,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{SpillContext, SpillDamage, SpillError, decode, encode};

const LENGTH_BYTES: usize = 8;
const HEADER_BYTES: usize = LENGTH_BYTES + 4;

/// A complete spill file, closed, so that many of them cost no descriptors. Removed when dropped.
#[derive(Debug)]
pub(crate) struct SpillFile {
    path: PathBuf,
}

impl SpillFile {
    /// Opens the file to be read. It is still removed when the result is dropped.
    pub(crate) fn open(self) -> Result<Arc<OpenSpillFile>, SpillError> {
        let file = File::open(&self.path).map_err(|error| SpillError::read(&self.path, error))?;
        Ok(Arc::new(OpenSpillFile { file, closed: self }))
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // A file that cannot be removed goes with its directory when the process ends.
        let _ = fs::remove_file(&self.path);
    }
}

/// An open spill file. Removed when dropped.
#[derive(Debug)]
pub(crate) struct OpenSpillFile {
    file: File,
    closed: SpillFile,
}

impl OpenSpillFile {
    fn create(context: &SpillContext) -> Result<Self, SpillError> {
        let create = |error| SpillError::Create(Box::new(error));
        let path = context.directory.new_file().map_err(create)?;
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path).map_err(create)?;
        Ok(Self { file, closed: SpillFile { path } })
    }

    fn path(&self) -> &Path {
        &self.closed.path
    }

    /// Closes the file, but keeps it.
    pub(crate) fn close(self) -> SpillFile {
        self.closed
    }
}

/// Writes blocks, one after the other.
pub(crate) struct BlockWriter {
    context: SpillContext,
    file: OpenSpillFile,
    length: u64,
    records: u64,
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

impl BlockWriter {
    pub(crate) fn create(context: &SpillContext) -> Result<Self, SpillError> {
        Ok(Self {
            file: OpenSpillFile::create(context)?,
            context: context.clone(),
            length: 0,
            records: 0,
            plain: Vec::new(),
            sealed: Vec::new(),
        })
    }

    /// Adds a record to the block at hand, which is written when it is full.
    #[inline]
    pub(crate) fn write<T: Serialize + ?Sized>(&mut self, record: &T) -> Result<(), SpillError> {
        encode(record, &mut self.plain)?;
        self.records += 1;
        if self.plain.len() >= self.context.options.block_bytes { self.flush() } else { Ok(()) }
    }

    /// Writes the block at hand, if there is anything in it.
    pub(crate) fn flush(&mut self) -> Result<(), SpillError> {
        if self.plain.is_empty() {
            return Ok(());
        }
        let plain = std::mem::take(&mut self.plain);
        self.write_block(&plain)?;
        self.plain = plain;
        self.plain.clear();
        // A block of one huge record must not leave its buffer behind for all the small ones.
        self.plain.shrink_to(2 * self.context.options.block_bytes);
        Ok(())
    }

    /// Writes a block of records that are encoded already.
    pub(crate) fn write_block(&mut self, plain: &[u8]) -> Result<(), SpillError> {
        self.context.check_killed()?;
        let path = self.file.path();
        self.sealed.clear();
        self.sealed.extend_from_slice(&[0; HEADER_BYTES]);
        self.context.codec.seal(plain, &mut self.sealed).map_err(|error| SpillError::write(path, error))?;
        let (header, body) = self.sealed.split_at_mut(HEADER_BYTES);
        header[..LENGTH_BYTES].copy_from_slice(&(body.len() as u64).to_le_bytes());
        header[LENGTH_BYTES..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        (&self.file.file).write_all(&self.sealed).map_err(|error| SpillError::write(path, error))?;
        self.length += self.sealed.len() as u64;
        self.context.metrics.count_written(self.sealed.len() as u64);
        self.sealed.shrink_to(2 * self.context.options.block_bytes);
        Ok(())
    }

    /// Bytes written so far; what [`write`](Self::write) has gathered since the last [`flush`](Self::flush) not included.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Records that went through [`write`](Self::write).
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// The complete file.
    pub(crate) fn finish(mut self) -> Result<OpenSpillFile, SpillError> {
        self.flush()?;
        Ok(self.file)
    }
}

/// Reads the blocks of a part of a file.
pub(crate) struct BlockReader {
    context: SpillContext,
    /// Dropped at the end of the part, so that disk space comes back while a merge goes on.
    file: Option<Arc<OpenSpillFile>>,
    remaining: Range<u64>,
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

impl BlockReader {
    pub(crate) fn new(context: &SpillContext, file: Arc<OpenSpillFile>, part: Range<u64>) -> Self {
        Self { context: context.clone(), file: Some(file), remaining: part, plain: Vec::new(), sealed: Vec::new() }
    }

    /// Lets the file and the buffers go.
    fn close(&mut self) {
        self.file = None;
        self.plain = Vec::new();
        self.sealed = Vec::new();
    }

    /// The next block's encoded records, or nothing at the end of the part.
    pub(crate) fn next_block(&mut self) -> Result<Option<&[u8]>, SpillError> {
        self.context.check_killed()?;
        let Some(file) = self.file.as_ref().filter(|_| !self.remaining.is_empty()) else {
            self.close();
            return Ok(None);
        };
        let offset = self.remaining.start;
        let mut header = [0; HEADER_BYTES];
        read_at(file, &mut header, offset, offset)?;
        let (length, checksum) = header.split_at(LENGTH_BYTES);
        let length = u64::from_le_bytes(length.try_into().expect("the header's first 8 bytes"));
        let expected = u32::from_le_bytes(checksum.try_into().expect("the header's last 4 bytes"));
        let body_start = offset + HEADER_BYTES as u64;
        if length > self.remaining.end.saturating_sub(body_start) {
            return Err(SpillError::corrupt(file.path(), SpillDamage::Length { offset, length }));
        }
        self.sealed.resize(length as usize, 0);
        read_at(file, &mut self.sealed, body_start, offset)?;
        let found = crc32fast::hash(&self.sealed);
        if found != expected {
            return Err(SpillError::corrupt(file.path(), SpillDamage::Checksum { offset, found, expected }));
        }
        self.plain.clear();
        self.context.codec.open(&self.sealed, &mut self.plain).map_err(|error| {
            SpillError::corrupt(file.path(), SpillDamage::Codec { offset, reason: error.to_string() })
        })?;
        self.remaining.start = body_start + length;
        Ok(Some(&self.plain))
    }
}

fn read_at(file: &OpenSpillFile, buffer: &mut [u8], position: u64, block: u64) -> Result<(), SpillError> {
    file.file.read_exact_at(buffer, position).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => SpillError::corrupt(file.path(), SpillDamage::Truncated { offset: block }),
        _ => SpillError::read(file.path(), error),
    })
}

/// Reads so many records of a part of a file.
pub(crate) struct RecordReader {
    blocks: BlockReader,
    remaining: u64,
    /// Where in the current block the next record starts.
    position: usize,
}

impl RecordReader {
    pub(crate) fn new(blocks: BlockReader, records: u64) -> Self {
        Self { blocks, remaining: records, position: 0 }
    }

    #[inline]
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, SpillError> {
        if self.remaining == 0 {
            return self.end::<T>().map(|()| None);
        }
        if self.position == self.blocks.plain.len() {
            self.position = 0;
            // If there is no further block, the decoder will complain.
            self.blocks.next_block()?;
        }
        let mut rest = &self.blocks.plain[self.position..];
        let record = decode(&mut rest)?;
        self.position = self.blocks.plain.len() - rest.len();
        self.remaining -= 1;
        Ok(Some(record))
    }

    /// All records have been read: then all bytes must have been, too.
    #[cold]
    fn end<T>(&mut self) -> Result<(), SpillError> {
        if self.position < self.blocks.plain.len() || !self.blocks.remaining.is_empty() {
            return Err(SpillError::Misread { type_name: type_name::<T>() });
        }
        self.blocks.close();
        self.position = 0;
        Ok(())
    }
}
