//! Blocks on disk: one file for each, in the process's scratch directories.
//!
//! A file appears whole or not at all: it is written beside its final name and renamed. Nothing is synced, for nothing
//! outlives the process. The checksum of each file is kept here and compared when the whole file is read.

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
use firesteel_local_dirs::LocalDirs;
use firesteel_model::{BlockId, ByteCount};
use parking_lot::Mutex;

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
}

impl DiskStoreError {
    fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
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
struct DiskBlock {
    size: u64,
    checksum: u32,
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
        let (file, hasher) = (Some(BufWriter::with_capacity(64 << 10, file)), crc32fast::Hasher::new());
        Ok(DiskBlockWriter { store: self, block_id, path, temporary, file, hasher, size: 0 })
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
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // Removed between the two looks.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.block(block_id).is_none() => return Ok(None),
            Err(error) => return Err(DiskStoreError::new("read", &path, error)),
        };
        if bytes.len() as u64 != block.size || crc32fast::hash(&bytes) != block.checksum {
            return Err(DiskStoreError::Corrupt { path });
        }
        Ok(Some(bytes.into()))
    }

    /// Opens a block whose content carries its own checksums. Removing the block later does not disturb the reader.
    pub fn open(&self, block_id: &BlockId) -> Result<Option<File>, DiskStoreError> {
        if self.block(block_id).is_none() {
            return Ok(None);
        }
        let path = self.path(block_id);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.block(block_id).is_none() => Ok(None),
            Err(error) => Err(DiskStoreError::new("read", &path, error)),
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
    file: Option<BufWriter<File>>,
    hasher: crc32fast::Hasher,
    size: u64,
}

impl DiskBlockWriter<'_> {
    /// Makes the block appear, in place of an older one if there is one. Returns its size.
    pub fn commit(mut self) -> Result<ByteCount, DiskStoreError> {
        self.flush().map_err(|error| self.failed(error))?;
        let block = DiskBlock { size: self.size, checksum: self.hasher.clone().finalize() };
        let mut blocks = self.store.blocks.lock();
        fs::rename(&self.temporary, &self.path).map_err(|error| self.failed(error))?;
        blocks.insert(self.block_id, block);
        self.file = None;
        Ok(ByteCount(self.size))
    }

    /// What an error from writing means here.
    pub fn failed(&self, error: io::Error) -> DiskStoreError {
        DiskStoreError::new("write", &self.path, error)
    }
}

impl Write for DiskBlockWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().expect("written to before it is committed");
        let written = file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for DiskBlockWriter<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // What is buffered is given up, and must not be written when the buffer is dropped.
            drop(file.into_parts());
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use firesteel_model::{Partition, RddId};

    use super::*;

    const BLOCK: BlockId = BlockId::Rdd(RddId(1), Partition(2));

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
        writer.file = Some(BufWriter::new(File::options().write(true).open("/dev/full").unwrap()));
        writer.write_all(b"hello").unwrap();
        let error = writer.commit().unwrap_err();
        assert!(matches!(&error, DiskStoreError::DiskFull { directory, .. } if directory.is_dir()), "{error:?}");
        assert!(error.to_string().contains("spark.local.dir"), "{error}");
        assert_eq!(store.size(&BLOCK), None);
    }
}
