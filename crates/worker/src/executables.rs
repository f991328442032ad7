//! The programs that executors run (SS-80).
//!
//! A program is taken from the path that it has on the driver's machine if its content is the same there, as on one machine or
//! where machines share a disk. Else it is fetched from the driver once, and kept under its digest.
//!
//! What is run is the file that was looked at and not its name, so nobody can put another one there in between.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use firesteel_local_dirs::DiskReserve;
use firesteel_messages::{Executable, FileSource};
use firesteel_transfer::{FileRange, PeerAddress, TransferClient, TransferError};
use parking_lot::Mutex;
use tracing::info;

/// So many programs are kept; then the one that was not used for longest goes.
const KEPT: usize = 32;
/// How much is asked for at once.
const CHUNK: u64 = 4 << 20;
/// How often a lock that another process holds is looked at.
const LOCK_CHECK: Duration = Duration::from_millis(50);

/// The programs of this machine.
#[derive(Debug)]
pub(crate) struct Executables {
    directory: PathBuf,
    /// What was found to be the content of files, while they are as they were.
    digests: Mutex<HashMap<Identity, [u8; 32]>>,
}

/// A file, and when it was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A program that is open.
#[derive(Debug)]
pub(crate) struct OpenExecutable {
    /// Its content.
    pub(crate) file: File,
    /// Where it was found.
    pub(crate) path: PathBuf,
}

/// The program cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecutableError {
    #[error("it is not wanted any more")]
    Cancelled,
    #[error(
        "the application's program {path} is not on this machine with the same content, and the driver does not serve it"
    )]
    NotServed { path: String },
    #[error("could not fetch the application's program from the driver at {driver}")]
    Fetch {
        driver: PeerAddress,
        #[source]
        source: Box<TransferError>,
    },
    #[error(
        "the driver at {driver} has sent something else than the application's program; it must not be replaced while the application runs"
    )]
    Changed { driver: PeerAddress },
    #[error("could not keep the application's program in {}", path.display())]
    Keep {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Executables {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, digests: Mutex::default() }
    }

    /// The program, wherever it is. `client` makes what the driver is asked with, if it is. Ends soon once `cancelled` says so.
    pub(crate) fn get(
        &self,
        executable: &Executable,
        client: impl FnOnce() -> TransferClient,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<OpenExecutable, ExecutableError> {
        let path = Path::new(&executable.path);
        if let Some(file) = self.open_same(path, executable) {
            return Ok(OpenExecutable { file, path: path.to_owned() });
        }
        let name = blake3::Hash::from_bytes(executable.digest).to_hex();
        let kept = self.directory.join(name.as_str());
        let keep = |source| ExecutableError::Keep { path: kept.clone(), source };
        if let Some(file) = self.open_same(&kept, executable) {
            // For what is used last; it runs as well without.
            let _ = file.set_modified(SystemTime::now());
            return Ok(OpenExecutable { file, path: kept });
        }
        let FileSource::Driver { host, port, number } = &executable.source else {
            return Err(ExecutableError::NotServed { path: executable.path.clone() });
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(keep)?;
        // Other executors of the application, and of other workers with this directory, wait here.
        let lock_path = self.directory.join(format!("{name}.lock"));
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path).map_err(keep)?;
        while lock.try_lock().is_err() {
            if cancelled() {
                return Err(ExecutableError::Cancelled);
            }
            thread::sleep(LOCK_CHECK);
        }
        if let Some(file) = self.open_same(&kept, executable) {
            return Ok(OpenExecutable { file, path: kept });
        }
        let incoming = Incoming(self.directory.join(format!("{name}.{:016x}", rand::random::<u64>())));
        let source = Source { client: client(), driver: PeerAddress::new(host, *port), number: *number };
        source.fetch(executable, &incoming.0, cancelled)?;
        fs::rename(&incoming.0, &kept).map_err(keep)?;
        info!(path = %kept.display(), bytes = executable.length, "fetched the program of an application");
        self.forget_surplus();
        let file = File::open(&kept).map_err(keep)?;
        Ok(OpenExecutable { file, path: kept })
    }

    /// The file, if it is there and has the right content.
    fn open_same(&self, path: &Path, executable: &Executable) -> Option<File> {
        // A pipe would wait for whoever writes to it.
        if !fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let mut file = File::open(path).ok()?;
        let metadata = file.metadata().ok().filter(|metadata| metadata.is_file())?;
        if metadata.len() != executable.length {
            return None;
        }
        let identity = Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let known = self.digests.lock().get(&identity).copied();
        let digest = match known {
            Some(digest) => digest,
            None => {
                let digest = *blake3::Hasher::new().update_reader(&mut file).ok()?.finalize().as_bytes();
                let mut digests = self.digests.lock();
                // Programs are few; files that are written over and over would be many.
                if digests.len() >= 4 * KEPT {
                    digests.clear();
                }
                digests.insert(identity, digest);
                digest
            }
        };
        (digest == executable.digest).then_some(file)
    }

    /// Removes the programs that were not used for longest. What runs of them runs on.
    fn forget_surplus(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let mut kept: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_none())
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        kept.sort();
        let surplus = kept.len().saturating_sub(KEPT);
        for (_, path) in kept.drain(..surplus) {
            // Another worker may have been first.
            let _ = fs::remove_file(path.with_extension("lock"));
            let _ = fs::remove_file(path);
        }
    }
}

/// What is not complete goes with the value; once it has its name there is nothing to go.
struct Incoming(PathBuf);

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Where a program is fetched.
struct Source {
    client: TransferClient,
    driver: PeerAddress,
    number: u32,
}

impl Source {
    fn fetch(&self, executable: &Executable, to: &Path, cancelled: &dyn Fn() -> bool) -> Result<(), ExecutableError> {
        let keep = |source| ExecutableError::Keep { path: to.to_owned(), source };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(to).map_err(keep)?;
        let mut reserve = DiskReserve::default();
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        while offset < executable.length {
            if cancelled() {
                return Err(ExecutableError::Cancelled);
            }
            let length = CHUNK.min(executable.length - offset);
            let range = FileRange { number: self.number, part: 0, offset, length };
            let fetched = self
                .client
                .fetch_file(&self.driver, range)
                .map_err(|source| ExecutableError::Fetch { driver: self.driver.clone(), source: Box::new(source) })?;
            let mut bytes = Vec::with_capacity(length as usize);
            fetched.body.into_reader().take(length + 1).read_to_end(&mut bytes).map_err(keep)?;
            if bytes.len() as u64 != length {
                return Err(ExecutableError::Changed { driver: self.driver.clone() });
            }
            hasher.update(&bytes);
            reserve.write_all(&mut file, &bytes).map_err(keep)?;
            offset += length;
        }
        file.flush().map_err(keep)?;
        if hasher.finalize() == executable.digest {
            Ok(())
        } else {
            Err(ExecutableError::Changed { driver: self.driver.clone() })
        }
    }
}
