//! Writing a file, with a buffer, a running checksum, and errors that name the path. All files of this crate are written here.

use std::{
    fs::{self, File},
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
};

use crc32fast::Hasher;

use crate::ShuffleWriteError;

/// So much is gathered for one write.
const BUFFER: usize = 512 << 10;

/// A file that is being written. It is removed when this is dropped before it got its name.
pub(crate) struct OutputFile {
    file: File,
    path: PathBuf,
    named: bool,
    buffer: Vec<u8>,
    /// Bytes in the file and the buffer.
    length: u64,
    /// Of what was written since it was last taken; none if nobody wants checksums.
    hasher: Option<Hasher>,
}

impl OutputFile {
    /// Makes the file; there must be none.
    pub(crate) fn create(path: PathBuf, checksums: bool) -> Result<Self, ShuffleWriteError> {
        let file = File::create_new(&path).map_err(|error| ShuffleWriteError::new(&path, error))?;
        let hasher = checksums.then(Hasher::new);
        Ok(Self { file, path, named: false, buffer: Vec::new(), length: 0, hasher })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The checksum of what was written since this was last called.
    pub(crate) fn take_checksum(&mut self) -> Option<u32> {
        self.hasher.as_mut().map(|hasher| mem::take(hasher).finalize())
    }

    /// Ends writing and gives the file its name, replacing what is there.
    pub(crate) fn name(mut self, path: &Path) -> Result<(), ShuffleWriteError> {
        self.flush().map_err(|error| ShuffleWriteError::new(&self.path, error))?;
        fs::rename(&self.path, path).map_err(|error| ShuffleWriteError::new(path, error))?;
        self.named = true;
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.length += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if !self.named {
            // The directory goes at the end of the application, and this with it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
