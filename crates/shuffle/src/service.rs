//! Serves shuffle segments on the data plane.

use std::{path::PathBuf, sync::Arc};

use firesteel_model::{ApplicationId, BlockId, ExecutorId, error_chain};
use firesteel_transfer::{
    BlockSource, BlockUpload, CorruptSegment, CorruptionCause, Payload, Requester, Segment, SegmentId, Unavailable,
    UploadSink,
};

use crate::{OpenSegmentError, ShuffleBlockResolver};

/// Serves the segments that a [`ShuffleBlockResolver`] finds, and nothing else. An executor's source asks this for segments
/// and its block store for blocks; an external shuffle service has nothing but this.
#[derive(Debug)]
pub struct ShuffleService {
    resolver: Arc<ShuffleBlockResolver>,
    serves: Serves,
}

#[derive(Debug)]
enum Serves {
    /// Whoever got through the handshake knows this application's secret.
    Application(ApplicationId),
    /// The key id of the secret that was proved is the application. Executors may register directories inside these.
    Many { allowed: Vec<PathBuf> },
}

impl ShuffleService {
    /// In an executor.
    pub fn of_application(resolver: Arc<ShuffleBlockResolver>, application_id: ApplicationId) -> Self {
        Self { resolver, serves: Serves::Application(application_id) }
    }

    /// In an external shuffle service: each application proves its own secret, with its id as key id, and gets its own files
    /// only (SC-56). Executors may register directories inside `allowed`, or any if that is empty.
    pub fn external(resolver: Arc<ShuffleBlockResolver>, allowed: Vec<PathBuf>) -> Self {
        Self { resolver, serves: Serves::Many { allowed } }
    }

    fn application(&self, requester: &Requester) -> ApplicationId {
        match &self.serves {
            Serves::Application(application_id) => application_id.clone(),
            Serves::Many { .. } => ApplicationId::new(&*requester.key_id),
        }
    }
}

impl BlockSource for ShuffleService {
    fn segment(
        &self,
        requester: &Requester,
        executor_id: &ExecutorId,
        segment_id: SegmentId,
    ) -> Result<Segment, Unavailable> {
        let segment = self.resolver.open_segment(&self.application(requester), executor_id, segment_id)?;
        let (file, offset, length) = (segment.file, segment.offset, segment.length);
        Ok(Segment { payload: Payload::File { file, offset, length }, checksum: segment.checksum })
    }

    fn block(&self, _requester: &Requester, block_id: &BlockId) -> Result<Payload, Unavailable> {
        Err(Unavailable::Refused(format!("{block_id} is no shuffle block, and only those are served here")))
    }

    fn upload(&self, _requester: &Requester, upload: &BlockUpload) -> Result<Box<dyn UploadSink>, Unavailable> {
        Err(Unavailable::Refused(format!("{} cannot be stored here", upload.block_id)))
    }

    fn diagnose_corruption(&self, requester: &Requester, corrupt: &CorruptSegment) -> CorruptionCause {
        self.resolver.diagnose_corruption(
            &self.application(requester),
            &corrupt.executor_id,
            corrupt.segment_id,
            corrupt.checksum_by_reader,
        )
    }

    fn register_executor(
        &self,
        requester: &Requester,
        executor_id: &ExecutorId,
        directories: &[String],
    ) -> Result<(), Unavailable> {
        match &self.serves {
            Serves::Application(_) => Err(Unavailable::Refused("this is no external shuffle service".to_owned())),
            Serves::Many { allowed } => self
                .resolver
                .register_foreign(self.application(requester), executor_id.clone(), directories, allowed)
                .map_err(|error| Unavailable::Refused(error.to_string())),
        }
    }
}

impl From<OpenSegmentError> for Unavailable {
    fn from(error: OpenSegmentError) -> Self {
        let message = error_chain(&error);
        match error {
            OpenSegmentError::UnknownExecutor { .. }
            | OpenSegmentError::NotFound { .. }
            | OpenSegmentError::NoSuchReducer { .. } => Self::NotFound(message),
            OpenSegmentError::Damaged { .. } | OpenSegmentError::Io { .. } => Self::Failed(message),
        }
    }
}
