//! The data plane: blocks and shuffle segments between processes.
//!
//! One server in each executor, and the same one in an external shuffle service (SC-50), answers from a [`BlockSource`]: parts
//! of files go out with `sendfile` and never enter this process, memory is written as it is. One [`TransferClient`] in each
//! process keeps a few connections to each peer, has many requests under way on each, and starts again where a failed
//! connection stopped.
//!
//! - Connections begin with the handshake of `firesteel-rpc`, so nothing is parsed before the peer has proved the secret. After
//!   that, bodies go in clear, or every byte under the AEAD if one side wants it (`spark.network.crypto.enabled`, SE-03).
//! - A peer names shuffles, map tasks and blocks by number; what file that is, the source decides. No path comes from outside
//!   except the directories that an executor registers with a shuffle service, which the source checks (SC-56).
//! - A slow peer is waited for with nothing in memory but a part of a file that is still in the file: the server reads the next
//!   request of a connection when it has answered the last one, and the system's socket buffers do the rest.
//! - Few threads serve all connections ([`TransferRuntime`]). A disk that is slow holds up one of them, as in Spark.
//!
//! # Frames
//!
//! A header of 24 bytes, little endian: magic (`u16`), kind (`u8`), flags (`u8`), request id (`u64`), length of the body
//! (`u64`), CRC-32 of the 20 bytes before. The CRC keeps a damaged length from being believed on a connection without AEAD;
//! bodies of segments carry a checksum of their own, which was computed when they were written (RT-61).

#![forbid(unsafe_code)]

mod block_source;
mod body;
mod client;
mod error;
mod frame;
mod message;
mod options;
mod patience;
mod peer_connection;
mod runtime;
mod server;
mod wire;

pub use block_source::{BlockSource, BlockUpload, Payload, Requester, Segment, Unavailable, UploadSink};
pub use body::{Body, Fetched, LocalDirsSpool, Spool, SpoolWriter};
pub use client::{FetchHandle, PeerAddress, TransferClient};
pub use error::TransferError;
pub use message::{CorruptSegment, CorruptionCause, FileRange, SegmentId};
pub use options::{ClientOptions, ServerOptions};
pub use runtime::TransferRuntime;
pub use server::{StartServerError, TransferServer};
