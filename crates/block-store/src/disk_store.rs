//! Blocks on disk: one file for each, in the process's scratch directories.
//!
//! A file appears whole or not at all: it is written beside its final name and renamed. Nothing is synced, for nothing
//! outlives the process. The checksum of each file is kept here and compared when the whole file is read.
//!
//! Where the local directories say so, a block is encrypted on its way to the file and decrypted on its way back
//! (`spark.io.encryption.enabled`); the checksum is that of the file. What is given out is what was put in.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use firesteel_io_encryption::{IoEncryption, OpenStreamError, StreamSealer};
use firesteel_local_dirs::LocalDirs;
use firesteel_model::{BlockId, ByteCount};
use parking_lot::Mutex;

use crate::disk_block_reader::{DiskBlockReader, decrypt};

/// The disk did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum DiskStoreError {
    /// No space is left, or a quota is used up.
    #[error("no space is left in {}: free some, or give spark.local.dir (SPARK_LOCAL_DIRS) a larger disk", directory.display())]
    DiskFull {
        /// Where.
        directory: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("could not {action} {}", path.display())]
    Io {
        /// Write, read.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not hold what was written.
    #[error("{} is damaged: its checksum does not match", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
    },
    /// The file has its checksum, and cannot be decrypted: somebody changed what is kept of both.
    #[error("{} is damaged: it cannot be decrypted", path.display())]
    Undecryptable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: OpenStreamError,
    },
}

impl DiskStoreError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { directory: path.parent().unwrap_or(path).to_owned(), source }
            }
            _ => Self::Io { action, path: path.to_owned(), source },
        }
    }
}

/// The blocks of one process that are on disk.
pub struct DiskStore {
    dirs: Arc<LocalDirs>,
    blocks: Mutex<BTreeMap<BlockId, DiskBlock>>,
    next_temporary: AtomicU64,
}

#[derive(Clone, Copy)]
pub(crate) struct DiskBlock {
    /// Of the file.
    pub(crate) size: u64,
    /// Of what was put in.
    pub(crate) plain_size: u64,
    /// Of the file.
    pub(crate) checksum: u32,
}

impl DiskStore {
    /// An empty store in these directories.
    pub fn new(dirs: Arc<LocalDirs>) -> Self {
        Self { dirs, blocks: Mutex::default(), next_temporary: AtomicU64::new(0) }
    }

    /// Begins to write a block. Nothing is stored until [`DiskBlockWriter::commit`].
    pub fn create(&self, block_id: BlockId) -> Result<DiskBlockWriter<'_>, DiskStoreError> {
        let name = block_id.to_string();
        let path = self.dirs.path(&name);
        self.dirs.path_to_write(&name).map_err(|error| DiskStoreError::new("make a directory for", &path, error))?;
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!("{name}.{number}.tmp"));
        let file = File::create_new(&temporary).map_err(|error| DiskStoreError::new("create", &temporary, error))?;
        let file = Some(HashedFile::new(BufWriter::with_capacity(64 << 10, file)));
        let sealer = self.encryption(&block_id).map(|encryption| StreamSealer::new(&encryption));
        Ok(DiskBlockWriter { store: self, block_id, path, temporary, file, sealer, plain_size: 0 })
    }

    /// Writes a whole block.
    pub fn put(&self, block_id: BlockId, bytes: &[u8]) -> Result<ByteCount, DiskStoreError> {
        let mut writer = self.create(block_id)?;
        writer.write_all(bytes).map_err(|error| writer.failed(error))?;
        writer.commit()
    }

    /// Reads a whole block and verifies it. None if it is not here.
    pub fn get(&self, block_id: &BlockId) -> Result<Option<Bytes>, DiskStoreError> {
        let Some(block) = self.block(block_id) else { return Ok(None) };
        let path = self.path(block_id);
        if let Some(encryption) = self.encryption(block_id) {
            let Some(file) = self.unless_removed(block_id, &path, File::open(&path))? else { return Ok(None) };
            return decrypt(&encryption, block, &path, file).map(Some);
        }
        let Some(bytes) = self.unless_removed(block_id, &path, fs::read(&path))? else { return Ok(None) };
        if bytes.len() as u64 != block.size || crc32fast::hash(&bytes) != block.checksum {
            return Err(DiskStoreError::Corrupt { path });
        }
        Ok(Some(bytes.into()))
    }

    /// Opens a block whose content carries its own checksums. Removing the block later does not disturb the reader.
    pub fn open(&self, block_id: &BlockId) -> Result<Option<DiskBlockReader>, DiskStoreError> {
        if self.block(block_id).is_none() {
            return Ok(None);
        }
        let path = self.path(block_id);
        let file = self.unless_removed(block_id, &path, File::open(&path))?;
        Ok(file.map(|file| DiskBlockReader::new(file, self.encryption(block_id).as_ref())))
    }

    /// What seals this block and no other: its file in the place of another one's is damage.
    fn encryption(&self, block_id: &BlockId) -> Option<IoEncryption> {
        self.dirs.encryption().map(|encryption| encryption.bound_to(&block_id.to_string()))
    }

    /// None if the block was removed between two looks, and its file with it.
    fn unless_removed<T>(
        &self,
        block_id: &BlockId,
        path: &Path,
        read: io::Result<T>,
    ) -> Result<Option<T>, DiskStoreError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.block(block_id).is_none() => Ok(None),
            Err(error) => Err(DiskStoreError::new("read", path, error)),
        }
    }

    /// Removes a block. Returns its size if it was here.
    pub fn remove(&self, block_id: &BlockId) -> Option<ByteCount> {
        let block = self.blocks.lock().remove(block_id)?;
        let path = self.path(block_id);
        // At the end of the process its directories go first.
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "could not remove the file of a block");
        }
        Some(ByteCount(block.size))
    }

    /// The size of a block's file, if it is here.
    pub fn size(&self, block_id: &BlockId) -> Option<ByteCount> {
        self.block(block_id).map(|block| ByteCount(block.size))
    }

    /// How many bytes [`Self::get`] gives of a block, if it is here.
    pub fn plain_size(&self, block_id: &BlockId) -> Option<ByteCount> {
        self.block(block_id).map(|block| ByteCount(block.plain_size))
    }

    /// The sizes of all files together.
    pub fn used(&self) -> ByteCount {
        self.blocks.lock().values().map(|block| ByteCount(block.size)).sum()
    }

    /// Where a block's file is, if it is here.
    pub fn path(&self, block_id: &BlockId) -> PathBuf {
        self.dirs.path(&block_id.to_string())
    }

    fn block(&self, block_id: &BlockId) -> Option<DiskBlock> {
        self.blocks.lock().get(block_id).copied()
    }
}

/// A block that is being written. Dropped without [`Self::commit`], it leaves nothing behind.
pub struct DiskBlockWriter<'a> {
    store: &'a DiskStore,
    block_id: BlockId,
    path: PathBuf,
    temporary: PathBuf,
    /// None once it is committed.
    file: Option<HashedFile>,
    /// If the block is to be encrypted.
    sealer: Option<StreamSealer>,
    plain_size: u64,
}

/// A file with the checksum of what is in it.
struct HashedFile {
    file: BufWriter<File>,
    hasher: crc32fast::Hasher,
    size: u64,
}

impl HashedFile {
    fn new(file: BufWriter<File>) -> Self {
        Self { file, hasher: crc32fast::Hasher::new(), size: 0 }
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskBlockWriter<'_> {
    /// Makes the block appear, in place of an older one if there is one. Returns the size of its file.
    pub fn commit(mut self) -> Result<ByteCount, DiskStoreError> {
        let block = self.end().map_err(|error| self.failed(error))?;
        let mut blocks = self.store.blocks.lock();
        fs::rename(&self.temporary, &self.path).map_err(|error| self.failed(error))?;
        blocks.insert(self.block_id, block);
        self.file = None;
        Ok(ByteCount(block.size))
    }

    fn end(&mut self) -> io::Result<DiskBlock> {
        let file = self.file.as_mut().expect("written to before it is committed");
        if let Some(sealer) = &mut self.sealer {
            sealer.finish(file)?;
        }
        file.flush()?;
        Ok(DiskBlock { size: file.size, plain_size: self.plain_size, checksum: file.hasher.clone().finalize() })
    }

    /// What an error from writing means here.
    pub fn failed(&self, error: io::Error) -> DiskStoreError {
        DiskStoreError::new("write", &self.path, error)
    }
}

impl Write for DiskBlockWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().expect("written to before it is committed");
        let written = match &mut self.sealer {
            Some(sealer) => sealer.write(bytes, file).map(|()| bytes.len())?,
            None => file.write(bytes)?,
        };
        self.plain_size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), HashedFile::flush)
    }
}

impl Drop for DiskBlockWriter<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // What is buffered is given up, and must not be written when the buffer is dropped.
            drop(file.file.into_parts());
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use firesteel_io_encryption::KeySize;
    use firesteel_model::{Partition, RddId};

    use super::*;

    const BLOCK: BlockId = BlockId::Rdd(RddId(1), Partition(2));

    fn encrypted_store() -> (tempfile::TempDir, DiskStore) {
        let root = tempfile::tempdir().unwrap();
        let (dirs, _) = LocalDirs::create(&[root.path().to_owned()]).unwrap();
        let encryption = IoEncryption::generate(KeySize::Bits128);
        (root, DiskStore::new(Arc::new(dirs.with_encryption(Some(encryption)))))
    }

    #[test]
    fn an_encrypted_file_is_no_other_block_s() {
        let (_root, store) = encrypted_store();
        let other = BlockId::Rdd(RddId(1), Partition(3));
        store.put(BLOCK, b"mine").unwrap();
        store.put(other, b"your").unwrap();
        fs::copy(store.path(&other), store.path(&BLOCK)).unwrap();
        let mut read = Vec::new();
        let error = store.open(&BLOCK).unwrap().unwrap().read_to_end(&mut read).unwrap_err();
        assert!(error.get_ref().unwrap().is::<OpenStreamError>() && read.is_empty(), "{error}");
        assert!(store.get(&BLOCK).is_err());
        assert_eq!(store.get(&other).unwrap().unwrap(), b"your"[..]);
    }

    #[test]
    fn an_encrypted_block_comes_back_and_its_file_says_nothing() {
        let (_root, store) = encrypted_store();
        for text in [Vec::new(), b"swordfish ".repeat(20_000)] {
            let size = store.put(BLOCK, &text).unwrap();
            assert_eq!(store.get(&BLOCK).unwrap().unwrap(), text);
            let mut read = Vec::new();
            store.open(&BLOCK).unwrap().unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, text);
            assert_eq!((store.size(&BLOCK), store.used()), (Some(size), size));
            assert_eq!(store.plain_size(&BLOCK), Some(ByteCount(text.len() as u64)));
            let file = fs::read(store.path(&BLOCK)).unwrap();
            assert_eq!(file.len() as u64, size.bytes());
            assert!(file.len() > text.len() && !file.windows(9).any(|window| window == b"swordfish"));
        }
    }

    #[test]
    fn a_damaged_encrypted_file_is_noticed_with_its_checksum_and_without() {
        let (_root, store) = encrypted_store();
        store.put(BLOCK, b"hello").unwrap();
        let mut file = fs::read(store.path(&BLOCK)).unwrap();
        file[22] ^= 1;
        fs::write(store.path(&BLOCK), &file).unwrap();
        assert!(matches!(store.get(&BLOCK), Err(DiskStoreError::Corrupt { .. })));
        let read = store.open(&BLOCK).unwrap().unwrap().read_to_end(&mut Vec::new());
        assert!(read.unwrap_err().get_ref().unwrap().is::<OpenStreamError>());
        // Whoever changes the file may know how to make its checksum fit.
        store.blocks.lock().get_mut(&BLOCK).unwrap().checksum = crc32fast::hash(&file);
        assert!(matches!(store.get(&BLOCK), Err(DiskStoreError::Undecryptable { .. })));
    }

    fn store() -> (tempfile::TempDir, DiskStore) {
        let root = tempfile::tempdir().unwrap();
        let (dirs, _) = LocalDirs::create(&[root.path().to_owned()]).unwrap();
        (root, DiskStore::new(Arc::new(dirs)))
    }

    #[test]
    fn a_block_comes_back_until_it_is_removed() {
        let (_root, store) = store();
        assert_eq!(store.get(&BLOCK).unwrap(), None);
        assert_eq!(store.put(BLOCK, b"hello").unwrap(), ByteCount(5));
        assert_eq!(store.get(&BLOCK).unwrap().unwrap(), "hello");
        assert_eq!((store.size(&BLOCK), store.used()), (Some(ByteCount(5)), ByteCount(5)));
        let path = store.path(&BLOCK);
        assert_eq!(path.file_name().unwrap(), "rdd_1_2");
        assert_eq!(store.remove(&BLOCK), Some(ByteCount(5)));
        assert!(!path.exists());
        assert_eq!((store.remove(&BLOCK), store.get(&BLOCK).unwrap(), store.used()), (None, None, ByteCount::ZERO));
    }

    #[test]
    fn a_block_that_is_not_committed_leaves_nothing_behind() {
        let (_root, store) = store();
        let mut writer = store.create(BLOCK).unwrap();
        writer.write_all(&[1; 200_000]).unwrap();
        let directory = writer.temporary.parent().unwrap().to_owned();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        drop(writer);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        assert_eq!(store.size(&BLOCK), None);
    }

    #[test]
    fn a_damaged_file_is_noticed() {
        let (_root, store) = store();
        store.put(BLOCK, b"hello").unwrap();
        fs::write(store.path(&BLOCK), b"hellp").unwrap();
        assert!(matches!(store.get(&BLOCK), Err(DiskStoreError::Corrupt { .. })));
        fs::remove_file(store.path(&BLOCK)).unwrap();
        assert!(matches!(store.get(&BLOCK), Err(DiskStoreError::Io { action: "read", .. })));
    }

    #[test]
    fn a_full_disk_names_its_directory_and_the_key() {
        let (_root, store) = store();
        let mut writer = store.create(BLOCK).unwrap();
        // The kernel's own full disk.
        let full = File::options().write(true).open("/dev/full").unwrap();
        writer.file = Some(HashedFile::new(BufWriter::new(full)));
        writer.write_all(b"hello").unwrap();
        let error = writer.commit().unwrap_err();
        assert!(matches!(&error, DiskStoreError::DiskFull { directory, .. } if directory.is_dir()), "{error:?}");
        assert!(error.to_string().contains("spark.local.dir"), "{error}");
        assert_eq!(store.size(&BLOCK), None);
    }
}
