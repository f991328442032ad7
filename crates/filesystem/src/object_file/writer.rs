//! Writing object files.

use std::io::{self, Write};

use super::{BLOCK_HEADER_SIZE, MAGIC, ObjectFileCodec, ObjectFileDescription, SYNC_SIZE, VERSION};
use crate::{FileError, FilePath, FileWrite};

/// A block is closed when its payload has this many bytes: small beside a split, large beside its header.
const BLOCK_SIZE: usize = 1 << 20;

/// Lengths are 32 bits; a record must leave room for its own length.
const MAX_RECORD: usize = u32::MAX as usize - 16;

/// Writes one object file. Dropped without [`ObjectFileWriter::finish`], there is no file.
pub struct ObjectFileWriter {
    file: Box<dyn FileWrite>,
    path: FilePath,
    codec: ObjectFileCodec,
    sync: [u8; SYNC_SIZE],
    payload: Vec<u8>,
    records: u32,
    total_records: u64,
}

impl ObjectFileWriter {
    /// Begins with the header. The path is for errors.
    pub fn new(
        mut file: Box<dyn FileWrite>,
        path: &FilePath,
        description: &ObjectFileDescription,
    ) -> Result<Self, FileError> {
        let failed = |error| FileError::from_io("write", path, error);
        let sync: [u8; SYNC_SIZE] = rand::random();
        let json = serde_json::to_vec(description).map_err(|error| failed(error.into()))?;
        let mut header = MAGIC.to_vec();
        header.push(VERSION);
        header.extend_from_slice(&(json.len() as u32).to_le_bytes());
        header.extend_from_slice(&json);
        header.extend_from_slice(&sync);
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        file.write_all(&header).map_err(failed)?;
        let payload = Vec::with_capacity(BLOCK_SIZE);
        Ok(Self { file, path: path.clone(), codec: description.codec, sync, payload, records: 0, total_records: 0 })
    }

    /// Adds a record of at most 4 GiB.
    pub fn write(&mut self, record: &[u8]) -> Result<(), FileError> {
        if record.len() > MAX_RECORD {
            let source = io::Error::new(io::ErrorKind::InvalidInput, format!("a record of {} bytes", record.len()));
            return Err(FileError::from_io("write", &self.path, source));
        }
        if !self.payload.is_empty() && self.payload.len() + record.len() > BLOCK_SIZE {
            self.write_records()?;
        }
        let mut length = record.len();
        while length >= 0x80 {
            self.payload.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.payload.push(length as u8);
        self.payload.extend_from_slice(record);
        self.records += 1;
        Ok(())
    }

    /// Writes what is left and the end block, and makes the file visible. Returns its length in bytes.
    pub fn finish(mut self) -> Result<u64, FileError> {
        if self.records > 0 {
            self.write_records()?;
        }
        let total = self.total_records.to_le_bytes();
        self.write_block(0, 0, &total)?;
        self.file.finish()
    }

    fn write_records(&mut self) -> Result<(), FileError> {
        let payload = std::mem::take(&mut self.payload);
        let stored = match self.codec {
            ObjectFileCodec::None => None,
            ObjectFileCodec::Lz4 => Some(lz4_flex::block::compress(&payload)),
            ObjectFileCodec::Zstd => {
                let compressed = zstd::bulk::compress(&payload, 0);
                Some(compressed.map_err(|error| FileError::from_io("compress", &self.path, error))?)
            }
        };
        self.write_block(self.records, payload.len() as u32, stored.as_deref().unwrap_or(&payload))?;
        self.total_records += u64::from(self.records);
        self.records = 0;
        // The allocation is used again, unless one huge record made it grow.
        self.payload = if payload.capacity() > 2 * BLOCK_SIZE { Vec::with_capacity(BLOCK_SIZE) } else { payload };
        self.payload.clear();
        Ok(())
    }

    fn write_block(&mut self, records: u32, payload_length: u32, stored: &[u8]) -> Result<(), FileError> {
        let mut header = Vec::with_capacity(BLOCK_HEADER_SIZE);
        header.extend_from_slice(&self.sync);
        for number in [records, payload_length, stored.len() as u32] {
            header.extend_from_slice(&number.to_le_bytes());
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&header[SYNC_SIZE..]);
        checksum.update(stored);
        header.extend_from_slice(&checksum.finalize().to_le_bytes());
        let written = self.file.write_all(&header).and_then(|()| self.file.write_all(stored));
        written.map_err(|error| FileError::from_io("write", &self.path, error))
    }
}
