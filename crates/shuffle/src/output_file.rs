//! Writing a file, with a buffer, a running checksum, and errors that name the path. All files of this crate are written here.

use std::{
    fs::File,
    io::{self, Write},
    mem,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crc32fast::Hasher;

use crate::ShuffleWriteError;

/// So much is gathered for one write.
const BUFFER: usize = 512 << 10;

/// A range of a file that is longer is copied by the system; a shorter one joins the buffer.
const COPY_BY_SYSTEM: u64 = 128 << 10;

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
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|error| ShuffleWriteError::new(&path, error))?;
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

    /// Appends a part of another file, whose checksum may be known.
    pub(crate) fn append_file(
        &mut self,
        file: &File,
        offset: u64,
        length: u64,
        checksum: Option<u32>,
    ) -> io::Result<()> {
        let must_read = self.hasher.is_some() && checksum.is_none();
        if must_read || length < COPY_BY_SYSTEM {
            return self.append_by_copy(file, offset, length);
        }
        self.flush()?;
        let copied = copy_file_range(file, offset, &self.file, length)?;
        match (&mut self.hasher, checksum) {
            (Some(hasher), Some(checksum)) if copied == length => {
                hasher.combine(&Hasher::new_with_initial_len(checksum, length));
            }
            // The system stopped half way, or does not copy between these files.
            (Some(_), _) => self.hash_file(file, offset, copied)?,
            (None, _) => {}
        }
        self.length += copied;
        self.append_by_copy(file, offset + copied, length - copied)
    }

    fn hash_file(&mut self, file: &File, mut offset: u64, mut length: u64) -> io::Result<()> {
        let Some(hasher) = &mut self.hasher else { return Ok(()) };
        let mut piece = vec![0; length.min(BUFFER as u64) as usize];
        while length > 0 {
            let read = length.min(piece.len() as u64) as usize;
            file.read_exact_at(&mut piece[..read], offset)?;
            hasher.update(&piece[..read]);
            offset += read as u64;
            length -= read as u64;
        }
        Ok(())
    }

    fn append_by_copy(&mut self, file: &File, mut offset: u64, mut length: u64) -> io::Result<()> {
        while length > 0 {
            let start = self.buffer.len();
            let read = length.min((BUFFER - start) as u64) as usize;
            self.buffer.resize(start + read, 0);
            if let Err(error) = file.read_exact_at(&mut self.buffer[start..], offset) {
                self.buffer.truncate(start);
                return Err(error);
            }
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&self.buffer[start..]);
            }
            self.length += read as u64;
            offset += read as u64;
            length -= read as u64;
            if self.buffer.len() >= BUFFER {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends writing and gives the file its name, replacing what is there.
    pub(crate) fn name(mut self, path: &Path) -> Result<File, ShuffleWriteError> {
        self.flush().map_err(|error| ShuffleWriteError::new(&self.path, error))?;
        std::fs::rename(&self.path, path).map_err(|error| ShuffleWriteError::new(path, error))?;
        self.named = true;
        self.file.try_clone().map_err(|error| ShuffleWriteError::new(path, error))
    }

    /// Ends writing and takes the name away: the file goes when it is closed.
    pub(crate) fn unlink(mut self) -> Result<File, ShuffleWriteError> {
        self.flush().map_err(|error| ShuffleWriteError::new(&self.path, error))?;
        self.file.try_clone().map_err(|error| ShuffleWriteError::new(&self.path, error))
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
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Lets the system copy from a file to the end of another; says how much it did. Less than `length` means that the rest must
/// be copied by hand.
#[cfg(target_os = "linux")]
fn copy_file_range(from: &File, mut offset: u64, to: &File, length: u64) -> io::Result<u64> {
    use rustix::io::Errno;
    let end = offset + length;
    let start = offset;
    while offset < end {
        let most = (end - offset).min(1 << 30) as usize;
        match rustix::fs::copy_file_range(from, Some(&mut offset), to, None, most) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(offset - start)
}

#[cfg(not(target_os = "linux"))]
fn copy_file_range(_from: &File, _offset: u64, _to: &File, _length: u64) -> io::Result<u64> {
    Ok(0)
}
