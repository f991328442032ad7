//! What can be wrong with what was sealed, and with a key.

use std::io;

/// A stream is not what was sealed with this key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenStreamError {
    /// It ends before its last chunk does.
    #[error("the encrypted stream is cut off in chunk {chunk}")]
    Truncated {
        /// From 0.
        chunk: u64,
    },
    /// A chunk was changed or is in another's place, or was sealed with another key.
    #[error("chunk {chunk} of the encrypted stream was changed, or is of another application")]
    Changed {
        /// From 0.
        chunk: u64,
    },
    /// A chunk says a length that none has.
    #[error("chunk {chunk} of the encrypted stream has an impossible length")]
    Length {
        /// From 0.
        chunk: u64,
    },
    /// Something follows the last chunk.
    #[error("there is something behind the end of the encrypted stream")]
    Trailing,
}

impl From<OpenStreamError> for io::Error {
    fn from(error: OpenStreamError) -> Self {
        let kind = match error {
            OpenStreamError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Why a chunk cannot be had.
#[derive(Debug)]
pub(crate) enum ReadStreamError {
    Stream(OpenStreamError),
    /// The reader's own.
    Io(io::Error),
}

impl From<OpenStreamError> for ReadStreamError {
    fn from(error: OpenStreamError) -> Self {
        Self::Stream(error)
    }
}

/// No key has so many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a key of local encryption has 16, 24 or 32 bytes, and this one {length}; it comes from a driver of another build"
)]
pub struct KeyLengthError {
    /// How many it has.
    pub length: usize,
}
