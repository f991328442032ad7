//! What this process serves to others on the data plane: shuffle segments and blocks, from one server.

use std::{
    io::{self, Write},
    sync::{Arc, OnceLock, Weak},
};

use firesteel_application_files::ServedFiles;
use firesteel_block_store::{BlockError, BlockManager, BlockServer};
use firesteel_model::{ApplicationId, BlockId, ExecutorId, error_chain};
use firesteel_shuffle::{SegmentId, ShuffleBlockResolver, ShuffleService};
use firesteel_transfer::{
    BlockSource, BlockUpload, CorruptSegment, CorruptionCause, FileRange, Payload, Requester, Segment, Unavailable,
    UploadSink,
};

/// Serves the segments that the shuffle resolver finds and the blocks of the block manager.
///
/// A block manager's name holds the port of the server, and the server needs its source to start: so the blocks come
/// later, with [`ExecutorBlockSource::serve_blocks`]. Nobody knows of this process before that.
pub struct ExecutorBlockSource {
    segments: ShuffleService,
    /// Not owned, for a request under way must not keep what the process has given up.
    blocks: OnceLock<Weak<BlockManager>>,
    /// Of the driver only.
    files: OnceLock<Arc<ServedFiles>>,
}

/// A body of an upload says its length beforehand; so much of it is believed before it has come.
const BELIEVED_LENGTH: u64 = 1 << 20;

impl ExecutorBlockSource {
    /// Serves segments, and no blocks yet.
    pub fn new(resolver: Arc<ShuffleBlockResolver>, application_id: ApplicationId) -> Arc<Self> {
        let segments = ShuffleService::of_application(resolver, application_id);
        Arc::new(Self { segments, blocks: OnceLock::new(), files: OnceLock::new() })
    }

    /// Serves this block manager's blocks too. The first one stays.
    pub fn serve_blocks(&self, blocks: &Arc<BlockManager>) {
        // A second call would be for the same block manager: a process has one.
        let _ = self.blocks.set(Arc::downgrade(blocks));
    }

    /// Serves the application's files too. The first ones stay.
    pub fn serve_files(&self, files: &Arc<ServedFiles>) {
        // As above: an application has one list of files.
        let _ = self.files.set(Arc::clone(files));
    }

    fn blocks(&self) -> Result<Arc<BlockManager>, Unavailable> {
        let blocks = self.blocks.get().and_then(Weak::upgrade);
        blocks.ok_or_else(|| Unavailable::Refused("no blocks are served here".to_owned()))
    }
}

impl BlockSource for ExecutorBlockSource {
    fn segment(
        &self,
        requester: &Requester,
        executor_id: &ExecutorId,
        segment_id: SegmentId,
    ) -> Result<Segment, Unavailable> {
        self.segments.segment(requester, executor_id, segment_id)
    }

    fn block(&self, _requester: &Requester, block_id: &BlockId) -> Result<Payload, Unavailable> {
        match self.blocks()?.serve(block_id) {
            Ok(Some(bytes)) => Ok(Payload::Memory(bytes)),
            Ok(None) => Err(Unavailable::NotFound(format!("{block_id} is not here"))),
            Err(error) => Err(Unavailable::Failed(error_chain(&error))),
        }
    }

    fn file(&self, _requester: &Requester, range: &FileRange) -> Result<Payload, Unavailable> {
        match self.files.get() {
            Some(files) => files.piece(range),
            None => Err(Unavailable::Refused("no files of the application are served here".to_owned())),
        }
    }

    fn upload(&self, _requester: &Requester, upload: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable> {
        let received = Vec::with_capacity(upload.length.min(BELIEVED_LENGTH) as usize);
        Ok(Box::new(ReceivedBlock { blocks: self.blocks()?, upload: upload.clone(), received }))
    }

    fn diagnose_corruption(&self, requester: &Requester, corrupt: &CorruptSegment) -> CorruptionCause {
        self.segments.diagnose_corruption(requester, corrupt)
    }
}

/// A block on its way in.
struct ReceivedBlock {
    blocks: Arc<BlockManager>,
    upload: BlockUpload,
    received: Vec<u8>,
}

impl Write for ReceivedBlock {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.received.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl UploadSink for ReceivedBlock {
    fn finish(self: Box<Self>) -> Result<(), Unavailable> {
        let BlockUpload { block_id, level, .. } = self.upload;
        self.blocks.receive(block_id, level, self.received.into()).map_err(|error| match error {
            BlockError::Busy { .. } | BlockError::NoRoom { .. } | BlockError::InvalidLevel { .. } => {
                Unavailable::Refused(error_chain(&error))
            }
            error => Unavailable::Failed(error_chain(&error)),
        })
    }
}
