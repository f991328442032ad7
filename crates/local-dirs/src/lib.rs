//! The scratch directories of one process (RT-17).
//!
//! Each root of `spark.local.dir` gets one directory `blockmgr-…`, readable by its owner only, and in it up to 64
//! sub-directories; a file's name decides root and sub-directory, so that load spreads over disks and no directory grows
//! long. Shuffle files, spilled runs and blocks on disk all live here. What a name means is its owner's business.
//!
//! Is what is written here to be encrypted (`spark.io.encryption.enabled`)? [`LocalDirs::encryption`] says so, and has the key:
//! whoever writes a file has its directories at hand, and nobody can know the one without the other.
//!
//! They go with their process, however it ends: [`LocalDirs`] removes them in good order, [`remove_for_good`] when a process
//! is told to end at whatever it is at, [`remove_left_behind`] is for others that survive it, and [`remove_abandoned`] finds
//! those of processes that nobody survived.
//!
//! [`DiskReserve`] keeps what comes from elsewhere from filling the disk.

#![forbid(unsafe_code)]

mod abandoned;
mod disk_reserve;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

pub use abandoned::{remove_abandoned, remove_left_behind};
pub use disk_reserve::DiskReserve;
use firesteel_io_encryption::IoEncryption;

/// Spark's `spark.diskStore.subDirectories`.
const SUB_DIRECTORIES: u64 = 64;

/// The scratch directories of one process. Removed with everything in them when the value is dropped, unless they are another
/// process's.
#[derive(Debug)]
pub struct LocalDirs {
    roots: Vec<PathBuf>,
    /// Held as long as the directories are this process's, which tells others that it lives.
    _locks: Vec<File>,
    keep: bool,
    encryption: Option<IoEncryption>,
}

/// No scratch directory could be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateLocalDirsError {
    /// Not one of the roots can be used.
    #[error(
        "could not create a local directory in any of {roots:?} (spark.local.dir, SPARK_LOCAL_DIRS); the last attempt failed"
    )]
    NoRoot {
        /// All that were tried.
        roots: Vec<PathBuf>,
        /// Why the last one cannot be used.
        #[source]
        source: io::Error,
    },
    /// After [`remove_for_good`].
    #[error("no local directory is made any more, as the process ends")]
    ProcessEnds,
}

/// The directories that this process has made.
static MADE: Mutex<Made> = Mutex::new(Made { directories: BTreeSet::new(), closed: false });

struct Made {
    directories: BTreeSet<PathBuf>,
    /// No more are made.
    closed: bool,
}

fn made() -> MutexGuard<'static, Made> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the scratch directories of this process, and lets none be made any more: it ends, and other threads may still be
/// at work, even at making directories.
pub fn remove_for_good() {
    let mut made = made();
    made.closed = true;
    made.directories.iter().for_each(|directory| remove(directory));
}

/// Removes a directory that threads of this process may be writing to. It is renamed first: what they make from then on has
/// no place, where otherwise it might come behind the removal's back. Errors are left alone: there is nobody who could act on
/// them.
fn remove(directory: &Path) {
    let (parent, name) = (directory.parent(), directory.file_name().and_then(|name| name.to_str()));
    let renamed = parent.zip(name).and_then(|(parent, name)| {
        let renamed = parent.join(abandoned::renamed(name));
        fs::rename(directory, &renamed).ok().map(|()| renamed)
    });
    let directory = renamed.as_deref().unwrap_or(directory);
    // Whoever had looked up a path before it was renamed can still make its file, once.
    while fs::remove_dir_all(directory).is_err_and(|error| error.kind() == io::ErrorKind::DirectoryNotEmpty) {}
}

impl LocalDirs {
    /// Makes one directory in each root, making the root itself if need be.
    ///
    /// A root that fails is left out, as Spark does, and named in the second part of the result so that the caller can
    /// warn. If none is left, that is an error (exit code 53, RT-73).
    pub fn create(roots: &[PathBuf]) -> Result<(Self, Vec<(PathBuf, io::Error)>), CreateLocalDirsError> {
        // Held while they are made: whoever ends the process finds all or has them refused.
        let mut registry = made();
        if registry.closed {
            return Err(CreateLocalDirsError::ProcessEnds);
        }
        let (mut made, mut locks, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for root in roots {
            match create_in(root) {
                Ok((path, lock)) => {
                    registry.directories.insert(path.clone());
                    made.push(path);
                    locks.extend(lock);
                }
                Err(error) => failed.push((root.clone(), error)),
            }
        }
        if made.is_empty() {
            let source = failed.pop().map_or_else(
                || io::Error::new(io::ErrorKind::InvalidInput, "no directory is configured"),
                |(_, error)| error,
            );
            return Err(CreateLocalDirsError::NoRoot { roots: roots.to_vec(), source });
        }
        Ok((Self { roots: made, _locks: locks, keep: false, encryption: None }, failed))
    }

    /// Takes directories that another process made, such as those that an executor registered with a shuffle service.
    /// They are not removed at the end.
    pub fn open(directories: Vec<PathBuf>) -> Self {
        Self { roots: directories, _locks: Vec::new(), keep: true, encryption: None }
    }

    /// With the key that everything that is written here is encrypted with; without one, nothing is.
    #[must_use]
    pub fn with_encryption(mut self, encryption: Option<IoEncryption>) -> Self {
        self.encryption = encryption;
        self
    }

    /// What a file here is to be encrypted with, if it is to be: all that holds data of the application, and no names and sizes.
    pub fn encryption(&self) -> Option<&IoEncryption> {
        self.encryption.as_ref()
    }

    /// The directories, one for each root.
    pub fn directories(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Where the file of this name is, if it is anywhere. The name must be a plain file name: no separator, not `.` or `..`.
    ///
    /// # Panics
    ///
    /// If the name is not a plain file name: names are made by the engine, never taken from a peer as they are.
    pub fn path(&self, name: &str) -> PathBuf {
        assert!(is_plain_name(name), "{name:?} is not a plain file name");
        let hash = name_hash(name);
        let root = &self.roots[(hash % self.roots.len() as u64) as usize];
        let sub_directory = (hash / self.roots.len() as u64) % SUB_DIRECTORIES;
        root.join(format!("{sub_directory:02x}")).join(name)
    }

    /// [`Self::path`], with the directory that holds it made if need be: for writers.
    pub fn path_to_write(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
            make_private_directory(parent)?;
        }
        Ok(path)
    }

    /// Removes the directories with everything in them, even while others write there, who fail then. Errors are left alone:
    /// there is nobody who could act on them.
    pub fn remove(&self) {
        for root in &self.roots {
            // One at a time, or who ends the process would not wait for what is being removed here. Also what was removed already:
            // another process may have made it anew.
            let mut made = made();
            remove(root);
            made.directories.remove(root);
        }
    }
}

impl Drop for LocalDirs {
    fn drop(&mut self) {
        if !self.keep {
            self.remove();
        }
    }
}

/// Is it the name of something directly in a directory?
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// The directory, and what tells others that its process lives.
fn create_in(root: &Path) -> io::Result<(PathBuf, Option<File>)> {
    fs::create_dir_all(root)?;
    loop {
        let path = root.join(abandoned::unclaimed_name());
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return abandoned::claim(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn make_private_directory(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// FNV-1a: the same in every process and every build, as executors and shuffle services must find one another's files.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn directories_are_private_and_go_with_the_value() {
        let root = tempfile::tempdir().unwrap();
        let (dirs, failed) = LocalDirs::create(&[root.path().join("a"), root.path().join("b")]).unwrap();
        assert!(failed.is_empty());
        let made = dirs.directories().to_vec();
        assert_eq!(made.len(), 2);
        for path in &made {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let file = dirs.path_to_write("shuffle_0_1_0.data").unwrap();
        fs::write(&file, b"x").unwrap();
        assert_eq!(dirs.path("shuffle_0_1_0.data"), file);
        drop(dirs);
        assert!(made.iter().all(|path| !path.exists()));
    }

    #[test]
    fn a_bad_root_is_left_out_and_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        let (dirs, failed) = LocalDirs::create(&[file.clone(), root.path().join("good")]).unwrap();
        assert_eq!(dirs.directories().len(), 1);
        assert_eq!(failed[0].0, file);
        let error = LocalDirs::create(&[file]).unwrap_err();
        assert!(error.to_string().contains("spark.local.dir"));
    }

    #[test]
    fn who_still_writes_while_the_directories_are_removed_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        for _ in 0..50 {
            let (dirs, _) = LocalDirs::create(&[root.path().to_owned()]).unwrap();
            std::thread::scope(|scope| {
                let (started, start) = std::sync::mpsc::channel();
                let dirs = &dirs;
                scope.spawn(move || {
                    for index in 0.. {
                        let path = dirs.path_to_write(&format!("shuffle_0_{index}_0.data"));
                        if path.and_then(|path| fs::write(path, b"x")).is_err() {
                            return;
                        }
                        if index == 10 {
                            started.send(()).unwrap();
                        }
                    }
                });
                start.recv().unwrap();
                dirs.remove();
            });
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn plain_names() {
        for name in ["a", "a b", "...", ".hidden", "a:b"] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "/", "a\0"] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }

    #[test]
    #[should_panic(expected = "not a plain file name")]
    fn a_path_is_not_a_name() {
        LocalDirs::open(vec![PathBuf::from("/tmp")]).path("../x");
    }

    #[test]
    fn opened_directories_stay() {
        let root = tempfile::tempdir().unwrap();
        drop(LocalDirs::open(vec![root.path().to_owned()]));
        assert!(root.path().exists());
    }
}
