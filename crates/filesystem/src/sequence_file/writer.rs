//! Writing a sequence file.

use std::io::{self, BufWriter, Write};

use super::{
    SYNC_ESCAPE, SYNC_INTERVAL, SequenceFileCompression, SequenceFileDescription,
    header::{SyncMarker, write_header},
};
use crate::{Codec, Encoder, FileError, FilePath, FileWrite, HadoopConf, HadoopPropertyError, writable::write_vlong};

/// How much is gathered before it is handed to the file.
const BUFFER_SIZE: usize = 128 << 10;

/// A block is written when its keys and values have so many bytes, unless `io.seqfile.compress.blocksize` says otherwise.
const BLOCK_SIZE: u64 = 1_000_000;

/// Writes records, as bytes. Dropped without [`SequenceFileWriter::finish`], there is no file.
pub struct SequenceFileWriter {
    output: BufWriter<Box<dyn FileWrite>>,
    path: FilePath,
    compression: SequenceFileCompression,
    sync: SyncMarker,
    sync_interval: u64,
    block_size: u64,
    /// Bytes so far.
    written: u64,
    last_sync: u64,
    block: PendingBlock,
}

/// Records that go into one block.
#[derive(Default)]
struct PendingBlock {
    records: usize,
    key_lengths: Vec<u8>,
    keys: Vec<u8>,
    value_lengths: Vec<u8>,
    values: Vec<u8>,
}

impl SequenceFileWriter {
    /// Begins a file that has been created, with what Hadoop's properties say. The path is for errors.
    ///
    /// # Errors
    ///
    /// The header cannot be written.
    pub fn new(
        file: Box<dyn FileWrite>,
        path: &FilePath,
        description: &SequenceFileDescription,
        conf: &HadoopConf,
    ) -> Result<Self, SequenceFileError> {
        let block_size = conf.get_bytes("io.seqfile.compress.blocksize", BLOCK_SIZE)?;
        Ok(Self::with_sizes(file, path, description, SYNC_INTERVAL, block_size)?)
    }

    pub(super) fn with_sizes(
        file: Box<dyn FileWrite>,
        path: &FilePath,
        description: &SequenceFileDescription,
        sync_interval: u64,
        block_size: u64,
    ) -> Result<Self, FileError> {
        let mut writer = Self {
            output: BufWriter::with_capacity(BUFFER_SIZE, file),
            path: path.clone(),
            compression: description.compression,
            sync: rand::random(),
            sync_interval,
            block_size,
            written: 0,
            last_sync: 0,
            block: PendingBlock::default(),
        };
        let mut header = Vec::new();
        write_header(description, &writer.sync, &mut header);
        writer.put(&header).map_err(|error| FileError::from_io("write", path, error))?;
        Ok(writer)
    }

    /// Appends a record.
    ///
    /// # Errors
    ///
    /// The file system fails, or key and value have 2 GiB or more together.
    pub fn write(&mut self, key: &[u8], value: &[u8]) -> Result<(), FileError> {
        self.try_write(key, value).map_err(|error| FileError::from_io("write", &self.path, error))
    }

    fn try_write(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let length = |length: usize| {
            let length = i32::try_from(length);
            length.map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a record has 2 GiB or more"))
        };
        length(key.len() + value.len())?;
        let compressed;
        let value = match self.compression {
            SequenceFileCompression::None => value,
            SequenceFileCompression::Record(codec) => {
                compressed = compress(codec, value)?;
                &compressed
            }
            SequenceFileCompression::Block(codec) => {
                self.block.push(key, value);
                return if self.block.size() >= self.block_size { self.write_block(codec) } else { Ok(()) };
            }
        };
        if self.written >= self.last_sync + self.sync_interval {
            self.write_sync()?;
        }
        self.put(&length(key.len() + value.len())?.to_be_bytes())?;
        self.put(&length(key.len())?.to_be_bytes())?;
        self.put(key)?;
        self.put(value)
    }

    /// Writes what is left and makes the file visible. Returns its length in bytes.
    ///
    /// # Errors
    ///
    /// The file system fails.
    pub fn finish(mut self) -> Result<u64, FileError> {
        if let SequenceFileCompression::Block(codec) = self.compression
            && self.block.records > 0
        {
            self.write_block(codec).map_err(|error| FileError::from_io("write", &self.path, error))?;
        }
        let (path, output) = (self.path, self.output);
        let file = output.into_inner().map_err(|error| FileError::from_io("write", &path, error.into_error()))?;
        file.finish()
    }

    fn write_sync(&mut self) -> io::Result<()> {
        self.put(&SYNC_ESCAPE.to_be_bytes())?;
        self.put(&{ self.sync })?;
        self.last_sync = self.written;
        Ok(())
    }

    fn write_block(&mut self, codec: Codec) -> io::Result<()> {
        self.write_sync()?;
        let block = std::mem::take(&mut self.block);
        let mut number = Vec::new();
        write_vlong(block.records as i64, &mut number);
        self.put(&number)?;
        for column in [block.key_lengths, block.keys, block.value_lengths, block.values] {
            let compressed = compress(codec, &column)?;
            number.clear();
            write_vlong(compressed.len() as i64, &mut number);
            self.put(&number)?;
            self.put(&compressed)?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

impl PendingBlock {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.records += 1;
        write_vlong(key.len() as i64, &mut self.key_lengths);
        self.keys.extend_from_slice(key);
        write_vlong(value.len() as i64, &mut self.value_lengths);
        self.values.extend_from_slice(value);
    }

    fn size(&self) -> u64 {
        // Lengths count too, or a block of empty records would never be full.
        [&self.key_lengths, &self.keys, &self.value_lengths, &self.values]
            .map(|column| column.len() as u64)
            .iter()
            .sum()
    }
}

fn compress(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(codec, Vec::new())?;
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// A sequence file cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum SequenceFileError {
    /// The file system failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A property of Hadoop's has a value that cannot be used.
    #[error(transparent)]
    Property(#[from] HadoopPropertyError),
}
