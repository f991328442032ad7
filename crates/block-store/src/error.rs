//! What can go wrong with one block.

use firesteel_model::{BlockId, StorageLevel};

use crate::{CodecError, DiskStoreError, ReadRecordsError, record_stream::WriteRecordsError};

/// A block could not be stored or read. What is merely not there is no error.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The kill flag was raised while another task computed the same block.
    #[error("the task was killed while it waited for {block_id}")]
    Killed {
        /// Which block.
        block_id: BlockId,
    },
    /// A copy was offered while the block is being stored or dropped here.
    #[error("{block_id} is being stored or dropped by another thread")]
    Busy {
        /// Which block.
        block_id: BlockId,
    },
    /// The level keeps blocks nowhere.
    #[error("{block_id} cannot be stored with the level {level:?}, which uses neither memory nor disk")]
    InvalidLevel {
        /// Which block.
        block_id: BlockId,
        /// The level.
        level: StorageLevel,
    },
    /// Neither memory nor disk took it. Computing goes on without it, except where the block was the point: a received
    /// copy, a piece of a broadcast value.
    #[error("no memory is free for {block_id}, and its level {level:?} keeps it nowhere else")]
    NoRoom {
        /// Which block.
        block_id: BlockId,
        /// The level.
        level: StorageLevel,
    },
    /// The disk failed, or is full.
    #[error("the disk failed with {block_id}")]
    Disk {
        /// Which block.
        block_id: BlockId,
        /// How.
        #[source]
        source: DiskStoreError,
    },
    /// A record could not be encoded.
    #[error("could not encode a record of {block_id}")]
    Encode {
        /// Which block.
        block_id: BlockId,
        /// What the codec says.
        #[source]
        source: CodecError,
    },
    /// Stored bytes could not be read back. If they are damaged, the copy is dropped, and the next attempt computes it anew.
    #[error("could not read {block_id}")]
    Read {
        /// Which block.
        block_id: BlockId,
        /// Why.
        #[source]
        source: ReadRecordsError,
    },
}

impl BlockError {
    /// Is this copy of the block bad, so that another copy may be good?
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.is_damage(),
            Self::Disk { source, .. } => {
                matches!(
                    source,
                    DiskStoreError::Corrupt { .. }
                        | DiskStoreError::Undecryptable { .. }
                        | DiskStoreError::Io { action: "read", .. }
                )
            }
            Self::Killed { .. }
            | Self::Busy { .. }
            | Self::InvalidLevel { .. }
            | Self::NoRoom { .. }
            | Self::Encode { .. } => false,
        }
    }

    /// What it means that records could not be written into memory, which always takes bytes.
    pub(crate) fn from_memory_write(block_id: BlockId, error: WriteRecordsError) -> Self {
        match error {
            WriteRecordsError::Encode(source) => Self::Encode { block_id, source },
            WriteRecordsError::Io(error) => unreachable!("memory took no bytes: {error}"),
        }
    }
}
