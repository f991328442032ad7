//! What is asked and answered.

use firesteel_model::{BlockId, ExecutorId, MapId, ReduceId, ShuffleId, StorageLevel};
use serde::{Deserialize, Serialize};

/// What one map task wrote for one reducer, or for several neighbouring ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SegmentId {
    /// The shuffle.
    pub shuffle_id: ShuffleId,
    /// The map task attempt that wrote it.
    pub map_id: MapId,
    /// The first reducer.
    pub reduce_start: ReduceId,
    /// The reducer after the last one.
    pub reduce_end: ReduceId,
}

impl SegmentId {
    /// The segment of one reducer.
    pub fn of_reducer(shuffle_id: ShuffleId, map_id: MapId, reduce_id: ReduceId) -> Self {
        Self { shuffle_id, map_id, reduce_start: reduce_id, reduce_end: ReduceId(reduce_id.0.saturating_add(1)) }
    }
}

/// Where a segment was damaged (RT-61).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CorruptionCause {
    /// The file does not have what was written to it.
    Disk,
    /// The file is right, so it was damaged on the way.
    Network,
    /// Nobody can tell: there are no checksums, or the file is gone.
    Unknown,
}

/// A segment arrived damaged, and the reader wants to know where that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CorruptSegment {
    /// Whose segment it is.
    pub executor_id: ExecutorId,
    /// Which segment.
    pub segment_id: SegmentId,
    /// The CRC-32 of what arrived.
    pub checksum_by_reader: u32,
}

/// A piece of one of the application's files (SS-80). Files are numbered by whoever serves them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileRange {
    /// Which file or directory.
    pub number: u32,
    /// Which file of a directory; 0 for what is none.
    pub part: u32,
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

#[derive(PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    FetchSegments {
        executor_id: ExecutorId,
        segments: Vec<SegmentId>,
    },
    FetchBlock {
        block_id: BlockId,
    },
    /// The data follows the request in the same body.
    UploadBlock {
        block_id: BlockId,
        level: StorageLevel,
        length: u64,
    },
    DiagnoseCorruption(CorruptSegment),
    RegisterExecutor {
        executor_id: ExecutorId,
        directories: Vec<String>,
    },
    FetchFile(FileRange),
}

impl Request {
    /// How many replies follow.
    pub(crate) fn replies(&self) -> usize {
        match self {
            Self::FetchSegments { segments, .. } => segments.len(),
            _ => 1,
        }
    }
}

/// A reply whose body is not data.
#[derive(PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Corruption(CorruptionCause),
    NotFound(String),
    Refused(String),
    Failed(String),
}
