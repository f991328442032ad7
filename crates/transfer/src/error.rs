//! Why a transfer failed.

use std::{io, sync::Arc};

use crate::PeerAddress;

/// Why a transfer failed. Network failures have been retried already when a caller sees one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransferError {
    /// The peer could not be reached, the connection was lost, or nothing came for too long.
    #[error("the connection to {peer} failed, {attempts} attempts in all (spark.shuffle.io.maxRetries)")]
    Network {
        /// Which peer.
        peer: PeerAddress,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Arc<io::Error>,
    },
    /// The peer is there, and does not have it.
    #[error("{peer} does not have it: {message}")]
    NotFound {
        /// Which peer.
        peer: PeerAddress,
        /// What it said.
        message: String,
    },
    /// The peer would not, or the two could not agree on a secret or a version. Trying again will not help.
    #[error("{peer} refused: {message}")]
    Refused {
        /// Which peer.
        peer: PeerAddress,
        /// What it said.
        message: String,
    },
    /// The peer has it, and failed to read or to store it.
    #[error("{peer} failed: {message}")]
    PeerFailed {
        /// Which peer.
        peer: PeerAddress,
        /// What it said.
        message: String,
    },
    /// The body was too large for memory and could not be written to a local directory.
    #[error("a large block could not be written to a local directory (spark.local.dir)")]
    Spool(#[source] Arc<io::Error>),
    /// The data plane of this process has been shut down.
    #[error("the data plane of this process has stopped")]
    Stopped,
}
