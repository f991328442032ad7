//! What was fetched: in memory, or in a file if it is large.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use firesteel_io_encryption::{IoEncryption, SealingWriter};
use firesteel_local_dirs::LocalDirs;
use firesteel_model::BlockId;

/// What was fetched.
pub struct Fetched {
    /// The bytes.
    pub body: Body,
    /// The CRC-32 that was computed when they were written; `body` has not been compared with it. Blocks have none.
    pub checksum: Option<u32>,
}

/// Bytes in memory or in a file.
pub enum Body {
    /// In memory.
    Memory(Bytes),
    /// On disk, as it was too large for memory. The file goes when the reader does.
    Spooled {
        /// How many bytes.
        length: u64,
        /// Reads them from the start.
        reader: Box<dyn Read + Send>,
    },
}

impl Body {
    /// How many bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spooled { length, .. } => *length,
        }
    }

    /// Reads the bytes, wherever they are.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::Memory(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::Spooled { reader, .. } => reader,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if matches!(self, Self::Memory(_)) { "Memory" } else { "Spooled" };
        write!(f, "{place}({} bytes)", self.length())
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("body", &self.body).field("checksum", &self.checksum).finish()
    }
}

/// Where bodies go that are too large for memory. The one place that writes fetched data to disk, so that it is the one that
/// encrypts it (SE-06, SE-49).
pub trait Spool: Send + Sync + 'static {
    /// A new, empty file.
    fn create(&self) -> io::Result<Box<dyn SpoolWriter>>;
}

/// A file that is being written.
pub trait SpoolWriter: Write + Send {
    /// Ends writing, and reads from the start. The file goes when the reader does.
    fn finish(self: Box<Self>) -> io::Result<Box<dyn Read + Send>>;
}

/// Files in the scratch directories of this process. They have no name any more once they are open, so a killed process leaves
/// none behind. Where the directories are encrypted, so is what is written here, whatever it is: a shuffle segment that was sent
/// encrypted is encrypted once more, but a block was not.
#[derive(Debug)]
pub struct LocalDirsSpool {
    local_dirs: Arc<LocalDirs>,
    next: AtomicU64,
}

impl LocalDirsSpool {
    /// Files in these directories.
    pub fn new(local_dirs: Arc<LocalDirs>) -> Self {
        // Spill files of tasks are of the same kind in the same directories.
        Self { local_dirs, next: AtomicU64::new(rand::random()) }
    }
}

impl Spool for LocalDirsSpool {
    fn create(&self) -> io::Result<Box<dyn SpoolWriter>> {
        let name = BlockId::TempLocal(self.next.fetch_add(1, Ordering::Relaxed)).to_string();
        let path = self.local_dirs.path_to_write(&name)?;
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(match self.local_dirs.encryption() {
            Some(encryption) => {
                Box::new(EncryptedSpoolFile { writer: encryption.writer(file), encryption: encryption.clone() })
            }
            None => Box::new(SpoolFile(file)),
        })
    }
}

struct SpoolFile(File);

impl Write for SpoolFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpoolWriter for SpoolFile {
    fn finish(mut self: Box<Self>) -> io::Result<Box<dyn Read + Send>> {
        self.0.rewind()?;
        Ok(Box::new(io::BufReader::with_capacity(64 << 10, self.0)))
    }
}

struct EncryptedSpoolFile {
    writer: SealingWriter<File>,
    encryption: IoEncryption,
}

impl Write for EncryptedSpoolFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpoolWriter for EncryptedSpoolFile {
    fn finish(self: Box<Self>) -> io::Result<Box<dyn Read + Send>> {
        let mut file = self.writer.finish()?;
        file.rewind()?;
        Ok(Box::new(self.encryption.reader(file)))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use firesteel_io_encryption::KeySize;

    use super::*;

    /// What is in the files below a directory that this process has open, though they have no names any more.
    fn open_files(directory: &Path) -> Vec<Vec<u8>> {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
        let ours = descriptors.filter(|path| fs::read_link(path).is_ok_and(|file| file.starts_with(directory)));
        // A directory is open itself while it is listed by another thread.
        ours.filter_map(|path| fs::read(path).ok()).collect()
    }

    #[test]
    fn what_is_spooled_comes_back_and_its_file_says_nothing_if_it_is_encrypted() {
        let text = b"swordfish".repeat(30_000);
        for encryption in [None, Some(IoEncryption::generate(KeySize::Bits128))] {
            let root = tempfile::tempdir().unwrap();
            let (local_dirs, _) = LocalDirs::create(&[root.path().to_owned()]).unwrap();
            let is_encrypted = encryption.is_some();
            let spool = LocalDirsSpool::new(Arc::new(local_dirs.with_encryption(encryption)));
            let mut writer = spool.create().unwrap();
            text.chunks(70_001).for_each(|piece| writer.write_all(piece).unwrap());
            let mut reader = writer.finish().unwrap();
            let files = open_files(root.path());
            let is_clear = |file: &Vec<u8>| file.windows(9).any(|window| window == b"swordfish");
            let spooled: Vec<_> = files.iter().filter(|file| file.len() >= text.len()).collect();
            assert_eq!(spooled.len(), 1);
            assert_eq!(is_clear(spooled[0]), !is_encrypted);
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == text);
        }
    }
}
