//! Blocks of other processes, over the data plane.

use std::{io::Read, sync::Arc};

use bytes::Bytes;
use firesteel_block_store::{BlockTransfer, FetchBlockError, UploadBlockError};
use firesteel_model::{BlockId, BlockManagerId, StorageLevel};
use firesteel_transfer::{Body, PeerAddress, TransferClient, TransferError};

use crate::ExecutorShuffle;

/// Asks other block managers with the client that fetches shuffle segments as well.
pub struct DataPlaneTransfer {
    shuffle: Arc<ExecutorShuffle>,
}

impl DataPlaneTransfer {
    /// With this client, which is made at the first use.
    pub fn new(shuffle: Arc<ExecutorShuffle>) -> Self {
        Self { shuffle }
    }
}

impl BlockTransfer for DataPlaneTransfer {
    fn fetch(&self, from: &BlockManagerId, block_id: &BlockId) -> Result<Bytes, FetchBlockError> {
        let client = self.shuffle.client().map_err(|error| FetchBlockError::Unreachable {
            from: from.clone(),
            block_id: *block_id,
            source: error.into(),
        })?;
        fetch_block(client, from, block_id)
    }

    fn upload(
        &self,
        to: &BlockManagerId,
        block_id: &BlockId,
        level: StorageLevel,
        bytes: Bytes,
    ) -> Result<(), UploadBlockError> {
        let (to, block_id) = (to.clone(), *block_id);
        let client = match self.shuffle.client() {
            Ok(client) => client,
            Err(error) => return Err(UploadBlockError::Unreachable { to, block_id, source: error.into() }),
        };
        client.upload_block(&PeerAddress::from(&to), block_id, level, bytes).map_err(|error| match error {
            TransferError::Refused { .. } | TransferError::PeerFailed { .. } | TransferError::NotFound { .. } => {
                UploadBlockError::Refused { to, block_id, source: error.into() }
            }
            error => UploadBlockError::Unreachable { to, block_id, source: error.into() },
        })
    }
}

/// One block, whole. A block so large that it was spooled is read back: whoever stores or decodes it needs it in one piece.
pub(super) fn fetch_block(
    client: &TransferClient,
    from: &BlockManagerId,
    block_id: &BlockId,
) -> Result<Bytes, FetchBlockError> {
    let unreachable = |source| FetchBlockError::Unreachable { from: from.clone(), block_id: *block_id, source };
    let fetched = client.fetch_block(&PeerAddress::from(from), *block_id).map_err(|error| match error {
        TransferError::NotFound { .. } => FetchBlockError::NotFound { from: from.clone(), block_id: *block_id },
        error => unreachable(error.into()),
    })?;
    match fetched.body {
        Body::Memory(bytes) => Ok(bytes),
        Body::Spooled { length, mut reader } => {
            let mut bytes = Vec::with_capacity(length as usize);
            reader.read_to_end(&mut bytes).map_err(|error| unreachable(error.into()))?;
            Ok(bytes.into())
        }
    }
}
