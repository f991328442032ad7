//! Contents that the executors of an application share on one machine (`spark.files.useFetchCache`).

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};
use tracing::info;

use crate::PlaceFileError;

/// A directory that several processes use. A content has its digest as its name, so it never changes; whoever fetches it first
/// holds a lock, which the system lets go of when a process ends, however it ends.
#[derive(Debug)]
pub struct FetchCache {
    directory: PathBuf,
    patience: Duration,
}

/// How often a waiting process looks whether the lock is free.
const LOCK_CHECK: Duration = Duration::from_millis(20);

impl FetchCache {
    /// In this directory, which is made if need be and removed by whoever named it. Another process that fetches a content is
    /// waited for at most so long.
    ///
    /// # Errors
    ///
    /// The directory cannot be made.
    pub fn new(directory: PathBuf, patience: Duration) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        Ok(Self { directory, patience })
    }

    /// The file with this content, which `fetch` writes under the name that it is given if it is not there.
    pub(crate) fn get(
        &self,
        digest: &[u8; 32],
        killed: &dyn Fn() -> bool,
        fetch: impl FnOnce(&Path) -> Result<(), PlaceFileError>,
    ) -> Result<PathBuf, PlaceFileError> {
        let name = blake3::Hash::from_bytes(*digest).to_hex();
        let path = self.directory.join(name.as_str());
        if path.exists() {
            return Ok(path);
        }
        let lock_path = self.directory.join(format!("{name}.lock"));
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(PlaceFileError::write(&lock_path))?;
        self.wait_for(&lock, &path, killed)?;
        if path.exists() {
            return Ok(path);
        }
        let incoming = self.directory.join(format!("{name}.{:016x}", rand::random::<u64>()));
        let fetched =
            fetch(&incoming).and_then(|()| fs::rename(&incoming, &path).map_err(PlaceFileError::write(&path)));
        if fetched.is_err() {
            // It may never have been made.
            let _ = fs::remove_file(&incoming);
        }
        fetched.map(|()| path)
    }

    /// Waits until the lock is ours or the content is there. When patience ends, two processes fetch the same.
    fn wait_for(&self, lock: &File, path: &Path, killed: &dyn Fn() -> bool) -> Result<(), PlaceFileError> {
        let since = Instant::now();
        let mut told = false;
        while flock(lock, FlockOperation::NonBlockingLockExclusive).is_err() && !path.exists() {
            if killed() {
                return Err(PlaceFileError::Killed);
            }
            if since.elapsed() >= self.patience {
                info!(path = %path.display(), "another executor takes long to fetch a file; it is fetched here too");
                return Ok(());
            }
            if !told {
                told = true;
                info!(path = %path.display(), "another executor of this machine fetches a file; waiting for it");
            }
            thread::sleep(LOCK_CHECK);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread::scope,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_content_is_fetched_once_however_many_want_it() {
        let directory = tempfile::tempdir().unwrap();
        let fetches = AtomicUsize::new(0);
        scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    // As processes are: each has a cache, and a file descriptor for the lock, of its own.
                    let cache = FetchCache::new(directory.path().join("cache"), LONG).unwrap();
                    let path = cache.get(&[7; 32], &|| false, |path| {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        fs::write(path, "content").map_err(PlaceFileError::write(path))
                    });
                    assert_eq!(fs::read_to_string(path.unwrap()).unwrap(), "content");
                });
            }
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_failed_is_tried_again_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let cache = FetchCache::new(directory.path().to_owned(), LONG).unwrap();
        let failed = cache.get(&[7; 32], &|| false, |path| {
            fs::write(path, "half").map_err(PlaceFileError::write(path))?;
            Err(PlaceFileError::Killed)
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "only the lock is left");
        let path = cache.get(&[7; 32], &|| false, |path| fs::write(path, "all").map_err(PlaceFileError::write(path)));
        assert_eq!(fs::read_to_string(path.unwrap()).unwrap(), "all");
    }

    #[test]
    fn waiting_ends_when_the_task_is_killed_or_patience_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let slow = FetchCache::new(directory.path().to_owned(), LONG).unwrap();
        let impatient = FetchCache::new(directory.path().to_owned(), Duration::ZERO).unwrap();
        let write = |path: &Path| fs::write(path, "all").map_err(PlaceFileError::write(path));
        let path = slow.get(&[7; 32], &|| false, |path| {
            let killed = slow.get(&[7; 32], &|| true, write);
            assert!(matches!(killed, Err(PlaceFileError::Killed)), "{killed:?}");
            assert!(impatient.get(&[7; 32], &|| false, write).is_ok());
            write(path)
        });
        assert_eq!(fs::read_to_string(path.unwrap()).unwrap(), "all");
    }
}
