//! The application's files in one process: announced by the driver, placed before they are needed.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use firesteel_local_dirs::is_plain_name;
use firesteel_messages::{ApplicationFile, ApplicationFileKind, ArchiveFormat, FilePart, FileSource};
use parking_lot::Mutex;
use tracing::{debug, info};

use crate::{
    DriverFiles, FetchCache, PlaceFileError, RemoteFiles, archive,
    fetch::{Sources, copy, name_of, part_path},
    placement::{Incoming, Placement},
};

/// How files are placed.
#[derive(Debug)]
pub struct ApplicationFilesOptions {
    /// The root directory. It is made, and one beside it; whoever named it removes both.
    pub root: PathBuf,
    /// `spark.files.overwrite`: something else of the same name is replaced instead of refused.
    pub overwrite: bool,
    /// Contents that executors on this machine share; none with `spark.files.useFetchCache=false`, and in the driver.
    pub cache: Option<FetchCache>,
}

/// The application's files in one process. Shared by all its tasks.
pub struct ApplicationFiles {
    placement: Placement,
    cache: Option<FetchCache>,
    sources: Sources,
    announced: Mutex<Vec<Arc<ApplicationFile>>>,
    /// How many of the announced files are in place; it only grows.
    placed: AtomicUsize,
    /// Held while files are placed: the next task finds what the first one has fetched.
    placing: Mutex<()>,
}

/// How often a waiting task looks whether it was killed.
const KILL_CHECK: Duration = Duration::from_millis(100);

/// What is known of a content beforehand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contents {
    /// Nothing: the driver fetches it for the first time, and learns it.
    Unknown,
    /// What the driver has learnt.
    Known,
}

impl ApplicationFiles {
    /// A process without files yet.
    ///
    /// # Errors
    ///
    /// The root directory cannot be made.
    pub fn new(
        options: ApplicationFilesOptions,
        driver: DriverFiles,
        remote: Arc<dyn RemoteFiles>,
    ) -> io::Result<Self> {
        Ok(Self {
            placement: Placement::create(options.root, options.overwrite)?,
            cache: options.cache,
            sources: Sources { driver, remote },
            announced: Mutex::default(),
            placed: AtomicUsize::new(0),
            placing: Mutex::new(()),
        })
    }

    /// Where the files are: Spark's `SparkFiles.getRootDirectory`. A worker process that runs tasks for this one is told this
    /// path.
    pub fn root_directory(&self) -> &Path {
        self.placement.root()
    }

    /// The driver says what there is beside what it has said before.
    pub fn announce(&self, files: Vec<Arc<ApplicationFile>>) {
        self.announced.lock().extend(files);
    }

    /// How many files were announced up to now: what a task that is launched now may use.
    pub fn announced(&self) -> usize {
        self.announced.lock().len()
    }

    /// Places the first `until` files that were announced, or waits until another task has. What could not be placed is tried
    /// again by the next call.
    ///
    /// # Errors
    ///
    /// A file cannot be had, is not what it was, or cannot be written; or `killed` has become true.
    pub fn place(&self, until: usize, killed: &dyn Fn() -> bool) -> Result<(), PlaceFileError> {
        if self.placed.load(Ordering::Acquire) >= until {
            return Ok(());
        }
        // Whoever holds it fetches, and that ends: no source may dawdle, and no content be longer than it was.
        let _placing = loop {
            match self.placing.try_lock_for(KILL_CHECK) {
                Some(placing) => break placing,
                None if killed() => return Err(PlaceFileError::Killed),
                None => {}
            }
        };
        let placed = self.placed.load(Ordering::Acquire);
        let files: Vec<Arc<ApplicationFile>> =
            self.announced.lock().iter().take(until).skip(placed).map(Arc::clone).collect();
        // A file that was overwritten later need not be there any more.
        let mut later = BTreeSet::new();
        let mut wanted: Vec<bool> = files.iter().rev().map(|file| later.insert(file.name.as_str())).collect();
        wanted.reverse();
        for (index, file) in files.iter().enumerate() {
            if wanted[index] {
                let (incoming, _) = self.fetch(file, Contents::Known, killed)?;
                self.put(&incoming, &file.name)?;
                info!(file = %file, "file of the application placed");
            } else {
                debug!(file = %file, "file of the application was overwritten by a later one");
            }
            self.placed.store(placed + index + 1, Ordering::Release);
        }
        Ok(())
    }

    /// May something else of the same name be replaced?
    pub(crate) fn overwrites(&self) -> bool {
        self.placement.overwrites()
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    pub(crate) fn put(&self, incoming: &Incoming, name: &str) -> Result<(), PlaceFileError> {
        if !is_plain_name(name) {
            return Err(PlaceFileError::Name(name.to_owned()));
        }
        self.placement.put(incoming, name)
    }

    /// Brings a file, or the directory that is made of it, next to the root directory; and says what it consists of.
    pub(crate) fn fetch(
        &self,
        file: &ApplicationFile,
        contents: Contents,
        killed: &dyn Fn() -> bool,
    ) -> Result<(Incoming, Vec<FilePart>), PlaceFileError> {
        let incoming = self.placement.incoming();
        let parts = match (file.kind, &file.source) {
            // On every machine already: it stays where it is.
            (ApplicationFileKind::Archive(format), FileSource::Local(path)) if file.parts.is_empty() => {
                let archive = File::open(path).map_err(PlaceFileError::not_here(path))?;
                self.unpack(file, format, archive, &incoming)?;
                Vec::new()
            }
            (_, FileSource::Local(path)) if file.parts.is_empty() => {
                fs::metadata(path).map_err(PlaceFileError::not_here(path))?;
                symlink(path, incoming.path()).map_err(PlaceFileError::write(incoming.path()))?;
                Vec::new()
            }
            (ApplicationFileKind::File | ApplicationFileKind::Jar, _) => {
                vec![self.fetch_part(file, 0, contents, incoming.path(), killed)?]
            }
            (ApplicationFileKind::Archive(format), _) => {
                self.fetch_archive(file, format, contents, &incoming, killed)?
            }
            (ApplicationFileKind::Directory, _) => {
                let make =
                    |path: &Path| DirBuilder::new().recursive(true).create(path).map_err(PlaceFileError::write(path));
                make(incoming.path())?;
                let mut parts = Vec::with_capacity(file.parts.len());
                for (index, part) in file.parts.iter().enumerate() {
                    let to = incoming.path().join(part_path(part)?);
                    to.parent().map_or(Ok(()), make)?;
                    parts.push(self.fetch_part(file, index, contents, &to, killed)?);
                }
                parts
            }
        };
        Ok((incoming, parts))
    }

    fn fetch_archive(
        &self,
        file: &ApplicationFile,
        format: ArchiveFormat,
        contents: Contents,
        incoming: &Incoming,
        killed: &dyn Fn() -> bool,
    ) -> Result<Vec<FilePart>, PlaceFileError> {
        let part = &file.parts[0];
        let packed = self.placement.incoming();
        let (path, part) = match self.cache.as_ref().filter(|_| contents == Contents::Known) {
            Some(cache) => {
                let fetch = |path: &Path| self.fetch_from_source(file, 0, contents, path, killed).map(drop);
                (cache.get(&part.digest, killed, fetch)?, part.clone())
            }
            None => {
                let part = self.fetch_from_source(file, 0, contents, packed.path(), killed)?;
                (packed.path().to_owned(), part)
            }
        };
        let archive = File::open(&path).map_err(PlaceFileError::write(&path))?;
        self.unpack(file, format, archive, incoming)?;
        Ok(vec![part])
    }

    fn unpack(
        &self,
        file: &ApplicationFile,
        format: ArchiveFormat,
        archive: File,
        incoming: &Incoming,
    ) -> Result<(), PlaceFileError> {
        archive::unpack(format, archive, incoming.path())
            .map_err(|source| PlaceFileError::Unpack { file: file.to_string(), source })
    }

    /// Brings one part to a path, by way of the cache if there is one.
    fn fetch_part(
        &self,
        file: &ApplicationFile,
        index: usize,
        contents: Contents,
        to: &Path,
        killed: &dyn Fn() -> bool,
    ) -> Result<FilePart, PlaceFileError> {
        let Some(cache) = self.cache.as_ref().filter(|_| contents == Contents::Known) else {
            return self.fetch_from_source(file, index, contents, to, killed);
        };
        let part = &file.parts[index];
        let fetch = |path: &Path| self.fetch_from_source(file, index, contents, path, killed).map(drop);
        let cached = cache.get(&part.digest, killed, fetch)?;
        // A copy, as in Spark: a task that writes to its file must not change the others'.
        fs::copy(&cached, to).map_err(PlaceFileError::write(to))?;
        Ok(part.clone())
    }

    fn fetch_from_source(
        &self,
        file: &ApplicationFile,
        index: usize,
        contents: Contents,
        to: &Path,
        killed: &dyn Fn() -> bool,
    ) -> Result<FilePart, PlaceFileError> {
        let part = &file.parts[index];
        let content = self.sources.open(file, index)?;
        let most = match contents {
            // One byte more tells that it has become longer.
            Contents::Known => part.length.saturating_add(1),
            Contents::Unknown => u64::MAX,
        };
        let (length, digest) = copy(|| name_of(file, part), &mut content.take(most), to, killed)?;
        if contents == Contents::Known && (length, digest) != (part.length, part.digest) {
            let file = name_of(file, part);
            return Err(PlaceFileError::Changed { file, expected: part.length, found: length });
        }
        Ok(FilePart { path: part.path.clone(), length, digest })
    }
}
