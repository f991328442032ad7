//! What can go wrong with shuffle files.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use firesteel_model::{BlockManagerId, MapId, MapIndex, ReduceId, ShuffleId, TaskEndReason};
use firesteel_transfer::CorruptionCause;

/// A shuffle file could not be written. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum ShuffleWriteError {
    /// There is no room, or a quota or limit is reached.
    #[error(
        "no room left to write {}; free some, or add a larger directory to spark.local.dir (SPARK_LOCAL_DIRS)",
        .path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Which limit.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("could not write {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ShuffleWriteError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let path = path.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::DiskFull { path, source },
            _ => Self::Io { path, source },
        }
    }
}

/// A stored segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenSegmentError {
    /// Nobody registered this executor of this application.
    #[error("executor {executor_id} of application {application_id} is not registered here")]
    UnknownExecutor {
        /// The application.
        application_id: String,
        /// The executor.
        executor_id: String,
    },
    /// The map task's files are not there.
    #[error("{} is not there", .path.display())]
    NotFound {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The files are there, and are not what was written.
    #[error("{} is damaged: {message}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        message: String,
    },
    /// The map task wrote for fewer reducers.
    #[error("map output {map_id} of shuffle {shuffle_id} has {reducers} reducers, and not {start} to {end}")]
    NoSuchReducer {
        /// The shuffle.
        shuffle_id: ShuffleId,
        /// The map task attempt.
        map_id: MapId,
        /// How many there are.
        reducers: u32,
        /// The first that was asked for.
        start: ReduceId,
        /// The one after the last.
        end: ReduceId,
    },
    /// The system could not open or read the file.
    #[error("could not read {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl OpenSegmentError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path: path.to_owned() },
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

/// A segment cannot be had, and the map task has to run again (RT-35).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "could not fetch shuffle {shuffle_id}, map {map_id} (partition {map_index}), reducer {reduce_id} from {block_manager_id}: {message}"
)]
pub struct FetchFailedError {
    /// Who should have served it.
    pub block_manager_id: BlockManagerId,
    /// The shuffle.
    pub shuffle_id: ShuffleId,
    /// The map task attempt that wrote it.
    pub map_id: MapId,
    /// The map partition.
    pub map_index: MapIndex,
    /// The reducer; the first one of several.
    pub reduce_id: ReduceId,
    /// What went wrong.
    pub message: String,
    /// Where the damage is, if the segment came damaged.
    pub corruption: Option<CorruptionCause>,
}

impl FetchFailedError {
    /// The fetch failure that an error is, or was caused by: a [`SegmentReader`](crate::SegmentReader) can only give
    /// [`io::Error`]s, and record decoders wrap them.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut error = Some(error);
        while let Some(current) = error {
            if let Some(found) = current.downcast_ref::<Self>() {
                return Some(found);
            }
            // An io::Error's source is the source of what it wraps, so what it wraps is asked for by itself.
            let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            error = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| current.source());
        }
        None
    }
}

impl From<FetchFailedError> for TaskEndReason {
    fn from(error: FetchFailedError) -> Self {
        Self::FetchFailed {
            block_manager_id: Some(error.block_manager_id),
            shuffle_id: error.shuffle_id,
            map_id: error.map_id,
            map_index: error.map_index,
            reduce_id: error.reduce_id,
            message: error.message,
        }
    }
}

/// Why a reduce task does not get its segments.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// A map task has to run again.
    #[error(transparent)]
    FetchFailed(#[from] FetchFailedError),
    /// The task was killed.
    #[error("the task was killed while it fetched shuffle blocks")]
    Killed,
    /// A large segment came, and this process could not write it to its own disk. No map task is to blame.
    #[error("a large shuffle block could not be written to a local directory (spark.local.dir)")]
    LocalDisk(#[source] Arc<io::Error>),
    /// This process ends.
    #[error("the data plane of this process has stopped")]
    Stopped,
}
