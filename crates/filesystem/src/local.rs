//! The machine's own files.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{
    BoxedError, Existing, FileError, FileIoError, FilePath, FileRead, FileStatus, FileSystem, FileWrite, HadoopConf,
    HadoopPropertyError, umask::Umask,
};

/// What Hadoop takes as the block size of local files (`fs.local.block.size`).
pub const LOCAL_BLOCK_SIZE: u64 = 32 << 20;

/// Files of this machine through `std::fs`.
///
/// Unlike Hadoop's it keeps no `.crc` files beside the data: they double the number of files and disks check themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFileSystem {
    /// The process's own, if there is none.
    umask: Option<Umask>,
}

impl LocalFileSystem {
    /// New files and directories get the permissions that `fs.permissions.umask-mode` leaves them, and if that is not set, those that
    /// the process's mask does.
    pub fn new(conf: &HadoopConf) -> Result<Self, HadoopPropertyError> {
        Ok(Self { umask: Umask::from_conf(conf)? })
    }
}

impl FileSystem for LocalFileSystem {
    fn open(&self, path: &FilePath) -> Result<Box<dyn FileRead>, FileError> {
        Ok(Box::new(LocalFileReader::open(path)?))
    }

    fn create(&self, path: &FilePath, existing: Existing) -> Result<Box<dyn FileWrite>, FileError> {
        Ok(Box::new(LocalFileWriter::create(path, existing, self.umask)?))
    }

    fn status(&self, path: &FilePath) -> Result<FileStatus, FileError> {
        let metadata = fs::metadata(path.path()).map_err(|error| failed("look up", path, error))?;
        Ok(status(path.clone(), &metadata))
    }

    fn list(&self, path: &FilePath) -> Result<Vec<FileStatus>, FileError> {
        let own = self.status(path)?;
        if !own.is_directory {
            return Ok(vec![own]);
        }
        let not_listed = |error| failed("list", path, error);
        let mut found = Vec::new();
        for entry in fs::read_dir(path.path()).map_err(not_listed)? {
            let entry = entry.map_err(not_listed)?;
            let name = entry.file_name().into_string().map_err(|name| not_utf8(path, name))?;
            let path = path.join(&name);
            match fs::metadata(entry.path()) {
                Ok(metadata) => found.push(status(path, &metadata)),
                // Deleted since the directory was read, or a link that leads nowhere or to itself: not a file that could be read.
                Err(error) if error.kind() == io::ErrorKind::NotFound || is_loop(&error) => {}
                Err(error) => return Err(failed("look up", &path, error)),
            }
        }
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn mkdirs(&self, path: &FilePath) -> Result<(), FileError> {
        make_directories(path, self.umask)
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
        match rename_without_replacing(Path::new(from.path()), Path::new(to.path())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.exists(from)? => {
                // The name that is missing is that of the directory to move to.
                Err(FileError::NotFound { path: to.parent().unwrap_or_else(|| to.clone()) })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(FileError::AlreadyExists { path: to.clone() })
            }
            other => other.map_err(|error| failed("rename", from, error)),
        }
    }

    fn delete(&self, path: &FilePath, recursive: bool) -> Result<bool, FileError> {
        let result = match fs::symlink_metadata(path.path()) {
            Err(error) => Err(error),
            Ok(metadata) if !metadata.is_dir() => fs::remove_file(path.path()),
            Ok(_) if recursive => fs::remove_dir_all(path.path()),
            Ok(_) => fs::remove_dir(path.path()),
        };
        match result {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("delete", path, error)),
        }
    }
}

/// A local file, open for reading: a plain file descriptor, so that large reads cost what they cost with `std::fs`.
#[derive(Debug)]
struct LocalFileReader {
    file: File,
    path: FilePath,
    length: u64,
}

impl LocalFileReader {
    fn open(path: &FilePath) -> Result<Self, FileError> {
        let not_opened = |error| failed("open", path, error);
        let file = File::open(path.path()).map_err(not_opened)?;
        let metadata = file.metadata().map_err(not_opened)?;
        if metadata.is_dir() {
            return Err(FileError::IsADirectory { path: path.clone() });
        }
        Ok(Self { file, path: path.clone(), length: metadata.len() })
    }

    #[cold]
    fn failed(&mut self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        let offset = self.file.stream_position().unwrap_or_default();
        let kind = error.kind();
        FileIoError { operation: "read", path: self.path.clone(), offset, source: error.into() }.into_io(kind)
    }
}

impl Read for LocalFileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).map_err(|error| self.failed(error))
    }
}

impl Seek for LocalFileReader {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl FileRead for LocalFileReader {
    fn length(&self) -> u64 {
        self.length
    }
}

/// A local file being written beside its name, under a hidden one.
#[derive(Debug)]
struct LocalFileWriter {
    file: File,
    temporary: PathBuf,
    path: FilePath,
    existing: Existing,
    length: u64,
    finished: bool,
}

impl LocalFileWriter {
    fn create(path: &FilePath, existing: Existing, umask: Option<Umask>) -> Result<Self, FileError> {
        match fs::metadata(path.path()) {
            Ok(metadata) if metadata.is_dir() => return Err(FileError::IsADirectory { path: path.clone() }),
            Ok(_) if existing == Existing::Refuse => return Err(FileError::AlreadyExists { path: path.clone() }),
            _ => {}
        }
        let parent = path.parent().ok_or_else(|| FileError::IsADirectory { path: path.clone() })?;
        let temporary = Path::new(parent.path()).join(format!(".{}.{:016x}.tmp", path.name(), rand::random::<u64>()));
        let open = || match umask {
            None => OpenOptions::new().write(true).create_new(true).open(&temporary),
            Some(umask) => {
                let file = OpenOptions::new().write(true).create_new(true).mode(umask.file()).open(&temporary)?;
                // The process's mask may have taken more.
                file.set_permissions(fs::Permissions::from_mode(umask.file()))?;
                Ok(file)
            }
        };
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_loop(&error) => {
                make_directories(&parent, umask)?;
                open()
            }
            other => other,
        };
        let file = file.map_err(|error| failed("create", path, error))?;
        Ok(Self { file, temporary, path: path.clone(), existing, length: 0, finished: false })
    }
}

impl Write for LocalFileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(written) => {
                self.length += written as u64;
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                let (path, source) = (self.path.clone(), BoxedError::from(error));
                Err(FileIoError { operation: "write", path, offset: self.length, source }.into_io(kind))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWrite for LocalFileWriter {
    fn finish(mut self: Box<Self>) -> Result<u64, FileError> {
        let target = Path::new(self.path.path());
        let renamed = match self.existing {
            Existing::Replace => fs::rename(&self.temporary, target),
            Existing::Refuse => rename_without_replacing(&self.temporary, target),
        };
        renamed.map_err(|error| failed("create", &self.path, error))?;
        self.finished = true;
        Ok(self.length)
    }
}

impl Drop for LocalFileWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Hidden files are skipped by every job, so that one which cannot be removed does no harm.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a directory and its parents. What has one of their names and is none is named in the error.
fn make_directories(path: &FilePath, umask: Option<Umask>) -> Result<(), FileError> {
    let made = match umask {
        None => fs::create_dir_all(path.path()),
        Some(umask) => make_with_permissions(Path::new(path.path()), umask.directory()),
    };
    let Err(error) = made else { return Ok(()) };
    Err(in_the_way(path).unwrap_or_else(|| match error.kind() {
        // The system's answer where nothing can be made, as in /proc: that the directory is not there was no failure.
        io::ErrorKind::NotFound => {
            FileError::Failed { operation: "make directory", path: path.clone(), source: error.into() }
        }
        _ => FileError::from_io("make directory", path, error),
    }))
}

/// As [`fs::create_dir_all`]; the directories that are made get these permissions, whatever the process's mask is.
fn make_with_permissions(path: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.is_dir()).collect();
    for directory in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(mode).create(directory) {
            Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(mode))?,
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sorts what the system answered. It does not say which part of a path is no directory.
fn failed(operation: &'static str, path: &FilePath, error: io::Error) -> FileError {
    if is_loop(&error) {
        return FileError::NotFound { path: path.clone() };
    }
    let found = if error.kind() == io::ErrorKind::NotADirectory { in_the_way(path) } else { None };
    found.unwrap_or_else(|| FileError::from_io(operation, path, error))
}

/// Is there a symbolic link that leads to itself? Nothing is there, as behind one that leads nowhere.
fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// What is where a directory would have to be, at the path itself or above it: a file, or a link that leads nowhere.
fn in_the_way(path: &FilePath) -> Option<FileError> {
    let mut place = path.clone();
    while fs::symlink_metadata(place.path()).is_err() {
        place = place.parent()?;
    }
    match fs::metadata(place.path()) {
        Ok(metadata) if metadata.is_dir() => None,
        Ok(_) => Some(FileError::NotADirectory { path: place }),
        Err(_) => {
            let target = fs::read_link(place.path()).ok()?;
            Some(FileError::LinkToNowhere { path: place, target })
        }
    }
}

/// Renames if the new name is free, in one step where the system can do that.
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Some network file systems do not know the flag; there, two steps are the best there is.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        Err(error) => Err(error.into()),
    }
}

fn status(path: FilePath, metadata: &fs::Metadata) -> FileStatus {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    FileStatus {
        path,
        length: if metadata.is_dir() { 0 } else { metadata.len() },
        is_directory: metadata.is_dir(),
        modification_time: modified.map_or(0, |since| since.as_millis() as u64),
        block_size: LOCAL_BLOCK_SIZE,
    }
}

fn not_utf8(directory: &FilePath, name: OsString) -> FileError {
    let error =
        io::Error::new(io::ErrorKind::InvalidData, format!("the name {name:?} in it is not UTF-8; rename that file"));
    FileError::Failed { operation: "list", path: directory.clone(), source: error.into() }
}
