//! Where the shuffle files of each executor are.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use firesteel_local_dirs::LocalDirs;
use firesteel_model::{ApplicationId, BlockId, ByteCount, ExecutorId, ShuffleId};
use parking_lot::{Mutex, RwLock};

use crate::{
    CorruptionCause, OpenSegmentError, SegmentId, StoredSegment, checksum,
    index::{MapOutputId, MapOutputIndex},
    index_cache::IndexCache,
    segment_reader::FileRange,
};

/// Finds the segments that executors on this host wrote: its own process's, those of other executors on the host, and in an
/// external shuffle service those of all that registered.
///
/// An executor whose directories are known here is read from its files; any other is asked over the network.
#[derive(Debug)]
pub struct ShuffleBlockResolver {
    executors: RwLock<HashMap<(ApplicationId, ExecutorId), Directories>>,
    cache: Mutex<IndexCache>,
}

#[derive(Clone, Debug)]
struct Directories {
    local_dirs: Arc<LocalDirs>,
    /// Somebody else named them, so nothing in them is followed out of them.
    foreign: bool,
}

/// An executor's directories were not taken.
#[derive(Debug, thiserror::Error)]
pub enum RegisterExecutorError {
    /// A directory cannot be used.
    #[error("{} cannot be a directory of shuffle files: {reason}", .directory.display())]
    BadDirectory {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no directory at all.
    #[error("an executor must name at least one directory")]
    NoDirectory,
}

impl ShuffleBlockResolver {
    /// Knows nobody yet. `index_cache_size`: `spark.shuffle.service.index.cache.size`, 100 MiB.
    pub fn new(index_cache_size: ByteCount) -> Self {
        let cache = Mutex::new(IndexCache::new(index_cache_size.bytes()));
        Self { executors: RwLock::default(), cache }
    }

    /// The directories of an executor that this process trusts: its own, or one of the same application on this host.
    pub fn register(&self, application_id: ApplicationId, executor_id: ExecutorId, local_dirs: Arc<LocalDirs>) {
        let directories = Directories { local_dirs, foreign: false };
        self.executors.write().insert((application_id, executor_id), directories);
    }

    /// The directories that an executor of some application names (SC-50, SC-56). They must exist, and be inside one of
    /// `allowed`, if that names any. Symbolic links in them will not be followed.
    pub fn register_foreign(
        &self,
        application_id: ApplicationId,
        executor_id: ExecutorId,
        directories: &[String],
        allowed: &[PathBuf],
    ) -> Result<(), RegisterExecutorError> {
        self.register_checked(application_id, executor_id, directories, |directory| real_directory(directory, allowed))
    }

    /// The directories that another executor of the same application on this host has told the driver. As with
    /// [`Self::register_foreign`] they must be inside one of `allowed`, and no symbolic links in them are followed; beside
    /// that they must belong to the user whom this process runs as.
    pub fn register_host_local(
        &self,
        application_id: ApplicationId,
        executor_id: ExecutorId,
        directories: &[String],
        allowed: &[PathBuf],
    ) -> Result<(), RegisterExecutorError> {
        self.register_checked(application_id, executor_id, directories, |directory| {
            let real = real_directory(directory, allowed)?;
            let bad = |reason| RegisterExecutorError::BadDirectory { directory: directory.to_owned(), reason };
            let owner = fs::metadata(&real).map_err(|error| bad(error.to_string()))?.uid();
            let user = rustix::process::geteuid().as_raw();
            if owner == user {
                Ok(real)
            } else {
                Err(bad(format!("it belongs to the user {owner}, and this process runs as {user}")))
            }
        })
    }

    fn register_checked(
        &self,
        application_id: ApplicationId,
        executor_id: ExecutorId,
        directories: &[String],
        check: impl Fn(&Path) -> Result<PathBuf, RegisterExecutorError>,
    ) -> Result<(), RegisterExecutorError> {
        if directories.is_empty() {
            return Err(RegisterExecutorError::NoDirectory);
        }
        let real = directories.iter().map(|directory| check(Path::new(directory)));
        let local_dirs = Arc::new(LocalDirs::open(real.collect::<Result<_, _>>()?));
        let key = (application_id, executor_id);
        self.cache.lock().remove_where(|(application, executor, _)| (application, executor) == (&key.0, &key.1));
        self.executors.write().insert(key, Directories { local_dirs, foreign: true });
        Ok(())
    }

    /// Can the files of this executor be read here?
    pub fn is_registered(&self, application_id: &ApplicationId, executor_id: &ExecutorId) -> bool {
        self.executors.read().contains_key(&(application_id.clone(), executor_id.clone()))
    }

    /// Forgets an executor; its files stay.
    pub fn forget_executor(&self, application_id: &ApplicationId, executor_id: &ExecutorId) {
        self.executors.write().remove(&(application_id.clone(), executor_id.clone()));
        self.cache.lock().remove_where(|key| (&key.0, &key.1) == (application_id, executor_id));
    }

    /// Forgets all executors of an application, and gives their directories so that the caller can remove them (SC-55).
    pub fn forget_application(&self, application_id: &ApplicationId) -> Vec<PathBuf> {
        self.cache.lock().remove_where(|key| &key.0 == application_id);
        let mut forgotten = Vec::new();
        self.executors.write().retain(|(application, _), directories| {
            let stays = application != application_id;
            if !stays {
                forgotten.extend_from_slice(directories.local_dirs.directories());
            }
            stays
        });
        forgotten
    }

    /// Finds a segment and opens its file. Finds out whether the files fit one another; whether the bytes are right, the
    /// checksum says to whoever reads them.
    pub fn open_segment(
        &self,
        application_id: &ApplicationId,
        executor_id: &ExecutorId,
        segment_id: SegmentId,
    ) -> Result<StoredSegment, OpenSegmentError> {
        let directories = self.directories(application_id, executor_id)?;
        let map_output = MapOutputId { shuffle_id: segment_id.shuffle_id, map_id: segment_id.map_id };
        let key = (application_id.clone(), executor_id.clone(), map_output);
        let cached = self.cache.lock().get(&key);
        let index = match cached {
            Some(index) => index,
            None => {
                let index = Arc::new(directories.read_index(map_output)?);
                self.cache.lock().insert(key, index.clone());
                index
            }
        };
        if !index.contains(&segment_id) {
            return Err(OpenSegmentError::NoSuchReducer {
                shuffle_id: segment_id.shuffle_id,
                map_id: segment_id.map_id,
                reducers: index.reducers(),
                start: segment_id.reduce_start,
                end: segment_id.reduce_end,
            });
        }
        let (offset, length, checksum) = index.range(segment_id.reduce_start, segment_id.reduce_end);
        let block_id = BlockId::ShuffleData(segment_id.shuffle_id, segment_id.map_id);
        let (path, file) = directories.open(block_id)?;
        let data_length = file.metadata().map_err(|error| OpenSegmentError::new(&path, error))?.len();
        if data_length != index.data_length() {
            let message = format!("it has {data_length} bytes, and its index says {}", index.data_length());
            return Err(OpenSegmentError::Damaged { path, message });
        }
        Ok(StoredSegment { file: Arc::new(file), offset, length, checksum })
    }

    /// Where a segment was damaged whose bytes came to a reader with another checksum (RT-61).
    pub fn diagnose_corruption(
        &self,
        application_id: &ApplicationId,
        executor_id: &ExecutorId,
        segment_id: SegmentId,
        checksum_by_reader: u32,
    ) -> CorruptionCause {
        let Ok(segment) = self.open_segment(application_id, executor_id, segment_id) else {
            return CorruptionCause::Unknown;
        };
        let Some(written) = segment.checksum else { return CorruptionCause::Unknown };
        match checksum::of_reader(FileRange::new(segment.file, segment.offset, segment.length)) {
            Ok(on_disk) if on_disk != written => CorruptionCause::Disk,
            Ok(_) if checksum_by_reader != written => CorruptionCause::Network,
            _ => CorruptionCause::Unknown,
        }
    }

    /// Removes all files of a shuffle that an executor wrote, those of unfinished attempts too. Says how many there were.
    pub fn remove_shuffle(
        &self,
        application_id: &ApplicationId,
        executor_id: &ExecutorId,
        shuffle_id: ShuffleId,
    ) -> Result<u64, OpenSegmentError> {
        let directories = self.directories(application_id, executor_id)?;
        self.cache.lock().remove_where(|(application, executor, map_output)| {
            (application, executor, map_output.shuffle_id) == (application_id, executor_id, shuffle_id)
        });
        Ok(remove_files(&directories.local_dirs, &format!("shuffle_{shuffle_id}_")))
    }

    fn directories(
        &self,
        application_id: &ApplicationId,
        executor_id: &ExecutorId,
    ) -> Result<Directories, OpenSegmentError> {
        let key = (application_id.clone(), executor_id.clone());
        self.executors.read().get(&key).cloned().ok_or_else(|| OpenSegmentError::UnknownExecutor {
            application_id: application_id.to_string(),
            executor_id: executor_id.to_string(),
        })
    }
}

impl Directories {
    fn open(&self, block_id: BlockId) -> Result<(PathBuf, File), OpenSegmentError> {
        let path = self.local_dirs.path(&block_id.to_string());
        let opened = if self.foreign { open_without_links(&path) } else { File::open(&path) };
        match opened {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(OpenSegmentError::new(&path, error)),
        }
    }

    fn read(&self, block_id: BlockId) -> Result<(PathBuf, Vec<u8>), OpenSegmentError> {
        let (path, mut file) = self.open(block_id)?;
        let mut bytes = Vec::new();
        match file.read_to_end(&mut bytes) {
            Ok(_) => Ok((path, bytes)),
            Err(error) => Err(OpenSegmentError::new(&path, error)),
        }
    }

    fn read_index(&self, map_output: MapOutputId) -> Result<MapOutputIndex, OpenSegmentError> {
        let MapOutputId { shuffle_id, map_id } = map_output;
        let (path, bytes) = self.read(BlockId::ShuffleIndex(shuffle_id, map_id))?;
        let offsets = MapOutputIndex::decode_offsets(&bytes);
        let offsets = offsets.map_err(|message| OpenSegmentError::Damaged { path, message })?;
        let checksums = match self.read(BlockId::ShuffleChecksum(shuffle_id, map_id)) {
            Ok((path, bytes)) => MapOutputIndex::decode_checksums(&bytes, offsets.len() - 1)
                .map_err(|message| OpenSegmentError::Damaged { path, message })?,
            // They were switched off.
            Err(OpenSegmentError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(MapOutputIndex::new(offsets, checksums))
    }
}

/// Opens a file, and refuses if any part of the path is a symbolic link: an application must not lead a shuffle service, which
/// may read more than it, to files of others.
#[cfg(target_os = "linux")]
fn open_without_links(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?);
    regular(file)
}

#[cfg(not(target_os = "linux"))]
fn open_without_links(path: &Path) -> io::Result<File> {
    if path.canonicalize()? != path {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a part of the path is a symbolic link"));
    }
    regular(File::open(path)?)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not a regular file"))
    }
}

fn real_directory(directory: &Path, allowed: &[PathBuf]) -> Result<PathBuf, RegisterExecutorError> {
    let bad = |reason: String| RegisterExecutorError::BadDirectory { directory: directory.to_owned(), reason };
    if !directory.is_absolute() {
        return Err(bad("it is not absolute".to_owned()));
    }
    let real = directory.canonicalize().map_err(|error| bad(error.to_string()))?;
    if !real.is_dir() {
        return Err(bad("it is no directory".to_owned()));
    }
    let is_inside = |root: &PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    if !allowed.is_empty() && !allowed.iter().any(is_inside) {
        return Err(bad("it is outside the local directories that are allowed here".to_owned()));
    }
    Ok(real)
}

/// Removes the files whose names begin so. What cannot be removed is left: the directories go at the end of the application.
fn remove_files(local_dirs: &LocalDirs, prefix: &str) -> u64 {
    let entries = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
    let sub_directories = local_dirs.directories().iter().flat_map(|root| entries(root)).map(|entry| entry.path());
    let files = sub_directories.flat_map(|directory| entries(&directory));
    let removed = files
        .filter(|file| file.file_name().to_str().is_some_and(|name| name.starts_with(prefix)))
        .filter(|file| fs::remove_file(file.path()).is_ok());
    removed.count() as u64
}
