//! What can go wrong between memory and a spill file.
//!
//! One enum serves every collection: a caller decides the same in each of them (the task was killed; the disk is full;
//! a file of ours was damaged; a type cannot be encoded). It is kept small, because it travels in the result of every
//! record.

use std::{io, path::Path};

use crate::EncodeError;

/// A collection could not take, keep or give back its records.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// The task was asked to stop. Spill files are gone by the time that this arrives.
    #[error("the task was killed while it sorted, merged or spilled records")]
    Killed,
    /// The directory gave no path, or no file could be made there.
    #[error(
        "could not make a spill file in the local directories (spark.local.dir): check that they exist and can be written"
    )]
    Create(#[source] Box<io::Error>),
    /// The disk that holds the spill file is full, or the user's quota there is used up.
    #[error("no space is left on the disk of spill file {}: free space there, or name larger disks in spark.local.dir", path.display())]
    DiskFull {
        /// The spill file.
        path: Box<Path>,
        /// What the system said.
        #[source]
        source: Box<io::Error>,
    },
    /// The spill file could not be written.
    #[error("could not write spill file {} (spark.local.dir)", path.display())]
    Write {
        /// The spill file.
        path: Box<Path>,
        /// What the system said.
        #[source]
        source: Box<io::Error>,
    },
    /// The spill file could not be read back.
    #[error("could not read spill file {} (spark.local.dir)", path.display())]
    Read {
        /// The spill file.
        path: Box<Path>,
        /// What the system said.
        #[source]
        source: Box<io::Error>,
    },
    /// The spill file does not hold what was written to it.
    #[error("spill file {} is damaged: check the disk that holds it (spark.local.dir)", path.display())]
    Corrupt {
        /// The spill file.
        path: Box<Path>,
        /// Where, and in which way.
        #[source]
        source: Box<SpillDamage>,
    },
    /// The record cannot be encoded, for instance because its `Serialize` fails or gives a sequence without its length.
    #[error("could not encode a record of type {type_name}")]
    Encode {
        /// The Rust type of the record.
        type_name: &'static str,
        /// Why.
        #[source]
        source: Box<EncodeError>,
    },
    /// Bytes that passed their checksum do not decode: `Serialize` and `Deserialize` of the type do not fit each other.
    #[error(
        "could not decode a record of type {type_name}: its Serialize and Deserialize must fit each other, without skipped or flattened fields"
    )]
    Decode {
        /// The Rust type of the record.
        type_name: &'static str,
        /// What the decoder said.
        #[source]
        source: postcard::Error,
    },
    /// Records were read, but not those that were written.
    #[error(
        "records of type {type_name} did not come back as they were written: their Serialize and Deserialize must fit each other, without skipped or flattened fields"
    )]
    Misread {
        /// The Rust type of the records.
        type_name: &'static str,
    },
}

/// In which way a spill file is damaged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpillDamage {
    /// The file ends inside a block.
    #[error("it ends inside the block at byte {offset}")]
    Truncated {
        /// Where the block starts.
        offset: u64,
    },
    /// The block's bytes do not give the checksum that was written with it.
    #[error("the block at byte {offset} has checksum {found:08x}, and {expected:08x} was written")]
    Checksum {
        /// Where the block starts.
        offset: u64,
        /// CRC-32 of the bytes as read.
        found: u32,
        /// CRC-32 written with the block.
        expected: u32,
    },
    /// The block's bytes pass their checksum but the codec refuses them.
    #[error("the block at byte {offset} cannot be opened by the spill codec: {reason}")]
    Codec {
        /// Where the block starts.
        offset: u64,
        /// What the codec said.
        reason: String,
    },
    /// A block's header names a length that the file was never given.
    #[error("the block at byte {offset} claims {length} bytes, more than were written to the file")]
    Length {
        /// Where the block starts.
        offset: u64,
        /// The length that its header names.
        length: u64,
    },
}

/// Why a collection refuses to finish: what an earlier error took with it would be missing from the result.
pub(crate) const INCOMPLETE: &str = "a collection that failed to spill has lost records and cannot be finished";

impl SpillError {
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source: Box::new(source) }
            }
            _ => Self::Write { path, source: Box::new(source) },
        }
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.into(), source: Box::new(source) }
    }

    pub(crate) fn corrupt(path: &Path, damage: SpillDamage) -> Self {
        Self::Corrupt { path: path.into(), source: Box::new(damage) }
    }
}
