//! How blocks travel between processes: the seam to the data plane (RT-51, RT-54).

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use firesteel_model::{BlockId, BlockManagerId, ExecutorId, StorageLevel};
use parking_lot::Mutex;

use crate::BlockError;

/// A block did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchBlockError {
    /// The block manager answered that it does not have the block.
    #[error("{from} does not have {block_id}")]
    NotFound {
        /// Who was asked.
        from: BlockManagerId,
        /// For what.
        block_id: BlockId,
    },
    /// Nobody answered, or the connection broke; somebody else may be asked.
    #[error("could not fetch {block_id} from {from}")]
    Unreachable {
        /// Who was asked.
        from: BlockManagerId,
        /// For what.
        block_id: BlockId,
        /// What went wrong.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A block was not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadBlockError {
    /// The peer has no room for it, or could not write it.
    #[error("{to} could not store {block_id}")]
    Refused {
        /// Who.
        to: BlockManagerId,
        /// What.
        block_id: BlockId,
        /// Why, as it says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nobody answered, or the connection broke.
    #[error("could not upload {block_id} to {to}")]
    Unreachable {
        /// Who.
        to: BlockManagerId,
        /// What.
        block_id: BlockId,
        /// What went wrong.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Asks other block managers. Calls block until they are answered; an implementation has its own time-outs.
pub trait BlockTransfer: Send + Sync {
    /// The bytes of a block, as [`BlockServer::serve`] gives them there.
    fn fetch(&self, from: &BlockManagerId, block_id: &BlockId) -> Result<Bytes, FetchBlockError>;

    /// Has a copy of the block stored there, by [`BlockServer::receive`].
    fn upload(
        &self,
        to: &BlockManagerId,
        block_id: &BlockId,
        level: StorageLevel,
        bytes: Bytes,
    ) -> Result<(), UploadBlockError>;
}

/// The other end of [`BlockTransfer`]: what the data plane calls when a peer asks. The block manager is one.
pub trait BlockServer: Send + Sync {
    /// The bytes of a local block; none if it is not here. Cached values are encoded for the way.
    fn serve(&self, block_id: &BlockId) -> Result<Option<Bytes>, BlockError>;

    /// Stores a copy of a block. It is kept as bytes, whatever the level says, for only a task knows the type of its values.
    fn receive(&self, block_id: BlockId, level: StorageLevel, bytes: Bytes) -> Result<(), BlockError>;
}

/// Blocks that travel within one process: local mode, where nobody else is, and tests, where several block managers are.
#[derive(Default)]
pub struct InMemoryTransfer {
    state: Mutex<InMemoryState>,
}

#[derive(Default)]
struct InMemoryState {
    servers: BTreeMap<ExecutorId, Weak<dyn BlockServer>>,
    unreachable: BTreeSet<ExecutorId>,
    bytes_served: BTreeMap<ExecutorId, u64>,
    corrupt_next: BTreeMap<ExecutorId, u32>,
}

impl InMemoryTransfer {
    /// A transfer without anybody.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a block manager reachable.
    pub fn add(&self, executor_id: ExecutorId, server: Weak<dyn BlockServer>) {
        self.state.lock().servers.insert(executor_id, server);
    }

    /// Cuts the executor off, as if its process had died.
    pub fn cut(&self, executor_id: &ExecutorId) {
        self.state.lock().unreachable.insert(executor_id.clone());
    }

    /// Flips one bit in each of the next `count` blocks that the executor serves.
    pub fn corrupt(&self, executor_id: &ExecutorId, count: u32) {
        self.state.lock().corrupt_next.insert(executor_id.clone(), count);
    }

    /// How many bytes the executor has served.
    pub fn bytes_served(&self, executor_id: &ExecutorId) -> u64 {
        self.state.lock().bytes_served.get(executor_id).copied().unwrap_or(0)
    }

    fn server(&self, id: &BlockManagerId) -> Result<Arc<dyn BlockServer>, Box<dyn Error + Send + Sync>> {
        let state = self.state.lock();
        let reachable = !state.unreachable.contains(&id.executor_id);
        let server = state.servers.get(&id.executor_id).filter(|_| reachable).and_then(Weak::upgrade);
        server.ok_or_else(|| format!("executor {} is not reachable", id.executor_id).into())
    }
}

impl BlockTransfer for InMemoryTransfer {
    fn fetch(&self, from: &BlockManagerId, block_id: &BlockId) -> Result<Bytes, FetchBlockError> {
        let unreachable = |source| FetchBlockError::Unreachable { from: from.clone(), block_id: *block_id, source };
        let server = self.server(from).map_err(unreachable)?;
        let served = server.serve(block_id).map_err(|error| unreachable(error.into()))?;
        let mut bytes = served.ok_or_else(|| FetchBlockError::NotFound { from: from.clone(), block_id: *block_id })?;
        let mut state = self.state.lock();
        *state.bytes_served.entry(from.executor_id.clone()).or_default() += bytes.len() as u64;
        if let Some(left) = state.corrupt_next.get_mut(&from.executor_id).filter(|left| **left > 0 && !bytes.is_empty())
        {
            *left -= 1;
            let mut damaged = bytes.to_vec();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 1;
            bytes = damaged.into();
        }
        Ok(bytes)
    }

    fn upload(
        &self,
        to: &BlockManagerId,
        block_id: &BlockId,
        level: StorageLevel,
        bytes: Bytes,
    ) -> Result<(), UploadBlockError> {
        let (to, block_id) = (to.clone(), *block_id);
        let server = match self.server(&to) {
            Ok(server) => server,
            Err(source) => return Err(UploadBlockError::Unreachable { to, block_id, source }),
        };
        let stored = server.receive(block_id, level, bytes);
        stored.map_err(|error| UploadBlockError::Refused { to, block_id, source: error.into() })
    }
}
