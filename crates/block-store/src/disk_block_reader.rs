//! Reads what a block's file holds, decrypted if need be.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use bytes::Bytes;
use firesteel_io_encryption::{IoEncryption, OpeningReader};

use crate::{DiskStoreError, disk_store::DiskBlock};

/// Reads a block from its file.
#[derive(Debug)]
pub enum DiskBlockReader {
    /// As it is in the file.
    Plain(BufReader<File>),
    /// Decrypted, chunk by chunk.
    Encrypted(OpeningReader<File>),
}

impl DiskBlockReader {
    pub(crate) fn new(file: File, encryption: Option<&IoEncryption>) -> Self {
        match encryption {
            Some(encryption) => Self::Encrypted(encryption.reader(file)),
            None => Self::Plain(BufReader::new(file)),
        }
    }
}

impl Read for DiskBlockReader {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

/// Reads a whole encrypted block, of which no more is held than comes out of it, and verifies it.
pub(crate) fn decrypt(
    encryption: &IoEncryption,
    block: DiskBlock,
    path: &Path,
    file: File,
) -> Result<Bytes, DiskStoreError> {
    let mut file = HashingReader { file, hasher: crc32fast::Hasher::new(), size: 0 };
    let mut plain = Vec::with_capacity(block.plain_size as usize);
    let read = encryption.reader(&mut file).read_to_end(&mut plain);
    let failed = |error| DiskStoreError::new("read", path, error);
    // What is left behind damage. If the checksum is wrong, the disk is to blame.
    io::copy(&mut file, &mut io::sink()).map_err(failed)?;
    if file.size != block.size || file.hasher.finalize() != block.checksum {
        return Err(DiskStoreError::Corrupt { path: path.to_owned() });
    }
    match read {
        Ok(_) => Ok(plain.into()),
        Err(error) => Err(match error.get_ref().and_then(|source| source.downcast_ref()) {
            Some(source) => DiskStoreError::Undecryptable { path: path.to_owned(), source: *source },
            None => failed(error),
        }),
    }
}

/// A file, and the checksum of what was read of it.
struct HashingReader {
    file: File,
    hasher: crc32fast::Hasher,
    size: u64,
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.size += read as u64;
        Ok(read)
    }
}
