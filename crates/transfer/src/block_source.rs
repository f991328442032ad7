//! Where the server's answers come from.

use std::{fs::File, io::Write, sync::Arc};

use bytes::Bytes;
use firesteel_model::{BlockId, ExecutorId, StorageLevel};

use crate::{CorruptSegment, CorruptionCause, FileRange, SegmentId};

/// Who asks. The secret of `key_id` is proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requester {
    /// Where it connects from.
    pub address: String,
    /// The application at a shuffle service, else empty. A service must give an application nothing of another (SC-56).
    pub key_id: String,
}

/// Bytes to send.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A part of a file. It must be there: if the file turns out to be shorter, the connection is cut.
    File {
        /// The open file.
        file: Arc<File>,
        /// Where the part starts.
        offset: u64,
        /// How long it is in bytes.
        length: u64,
    },
    /// Bytes in memory.
    Memory(Bytes),
}

impl Payload {
    /// How many bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}

/// A segment to send.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its bytes.
    pub payload: Payload,
    /// The CRC-32 that was computed when they were written, if one was.
    pub checksum: Option<u32>,
}

/// Why something is not served. The text goes to the peer, so it says nothing about other applications and shows no secrets.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unavailable {
    /// It is not here, or not any more.
    #[error("not found: {0}")]
    NotFound(String),
    /// This requester may not have it, or this server does not do that.
    #[error("refused: {0}")]
    Refused(String),
    /// It is here, but something failed.
    #[error("failed: {0}")]
    Failed(String),
}

/// A block that a peer wants to store here: replication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockUpload {
    /// Its name.
    pub block_id: BlockId,
    /// How it is to be kept.
    pub level: StorageLevel,
    /// How many bytes will come.
    pub length: u64,
}

/// Takes the bytes of an upload, in order. Dropped without `finish` if they do not all come.
pub trait UploadSink: Write + Send {
    /// All bytes are there: the block is stored when this returns.
    fn finish(self: Box<Self>) -> Result<(), Unavailable>;
}

/// Where the server's answers come from. Called on the threads of the data plane; may read files, must not wait for anything
/// else.
pub trait BlockSource: Send + Sync + 'static {
    /// A segment that `executor_id` wrote.
    fn segment(
        &self,
        requester: &Requester,
        executor_id: &ExecutorId,
        segment_id: SegmentId,
    ) -> Result<Segment, Unavailable>;

    /// A whole block.
    fn block(&self, requester: &Requester, block_id: &BlockId) -> Result<Payload, Unavailable>;

    /// Prepares to store a block.
    fn upload(&self, requester: &Requester, upload: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable>;

    /// Where a segment was damaged that arrived damaged (RT-61).
    fn diagnose_corruption(&self, requester: &Requester, corrupt: &CorruptSegment) -> CorruptionCause;

    /// A piece of one of the application's files. Only a driver has them (SS-80).
    fn file(&self, requester: &Requester, range: &FileRange) -> Result<Payload, Unavailable> {
        let _ = (requester, range);
        Err(Unavailable::Refused("no files of the application are served here".to_owned()))
    }

    /// An executor says where its files are, so that they are served after its end (SC-50). Only a shuffle service takes this.
    fn register_executor(
        &self,
        requester: &Requester,
        executor_id: &ExecutorId,
        directories: &[String],
    ) -> Result<(), Unavailable> {
        let _ = (requester, executor_id, directories);
        Err(Unavailable::Refused("this is no external shuffle service".to_owned()))
    }
}
