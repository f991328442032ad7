//! Files of a submitting machine on their way to the driver's: what those who submit and drivers ask of a master's store (AS-06).
//!
//! They travel on the connection that the submission itself takes, one piece at a time, so that nothing of them waits anywhere in
//! memory. The state machines never see them: a driver's description only names what belongs to it.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Names the files of one submission at the master that has taken them. Nobody can guess it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArtifactsId(pub String);

impl fmt::Display for ArtifactsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The largest piece of a file.
pub const ARTIFACT_PIECE: usize = 1 << 20;

/// A file, without its name: that is known where it is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArtifactContent {
    /// Its length in bytes.
    pub length: u64,
    /// BLAKE3 of its content.
    pub digest: [u8; 32],
}

/// What is asked of the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ArtifactRequest {
    /// To take these files. Until a driver is submitted that names them they belong to the connection, and go with it.
    Begin {
        /// What they are.
        files: Vec<ArtifactContent>,
    },
    /// To append to a file.
    Write {
        /// Whose file.
        id: ArtifactsId,
        /// Which, from 0.
        file: u32,
        /// How much of it is there.
        offset: u64,
        /// What follows; at most [`ARTIFACT_PIECE`] bytes.
        bytes: Bytes,
    },
    /// To look whether all files are there as they were announced.
    Finish {
        /// Whose.
        id: ArtifactsId,
    },
    /// For a piece of a file.
    Read {
        /// Whose file.
        id: ArtifactsId,
        /// Which, from 0.
        file: u32,
        /// Where the piece begins.
        offset: u64,
        /// How long it is; at most [`ARTIFACT_PIECE`] bytes.
        length: u32,
    },
}

/// What the store answers; an error is for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ArtifactAnswer {
    /// To `Begin`.
    Begun(Result<ArtifactsId, String>),
    /// To `Write`.
    Written(Result<(), String>),
    /// To `Finish`.
    Finished(Result<(), String>),
    /// To `Read`.
    Read(Result<Bytes, String>),
}
