//! Firesteel object files: what `saveAsObjectFile` writes and `objectFile` and checkpoints (RT-57) read.
//!
//! Spark keeps Java-serialized objects in Hadoop sequence files. There is no Java here, and so no reason for that format; what is
//! kept is what made it good: records of any content, files that can be cut anywhere, and damage that is noticed. Hadoop's sequence
//! files are another format with another magic and can be read beside it.
//!
//! # The format, version 1
//!
//! All numbers are least significant byte first.
//!
//! ```text
//! file    header, block, block, …, end block
//! header  "FSOBJEC" 01          magic and version
//!         u32                   length of the description
//!         JSON                  the description: {"type": …, "codec": "none" | "lz4" | "zstd"}
//!         16 bytes              sync marker, random in each file
//!         u32                   CRC-32 of all bytes before it
//! block   16 bytes              the sync marker
//!         u32 u32 u32           records; bytes of its payload; bytes as they are stored
//!         u32                   CRC-32 of the three numbers and the stored bytes
//!         stored bytes          the payload, compressed by the codec
//! payload (varint, bytes)…      each record's length, seven bits in each byte, low bits first, and the record
//! end     a block of 0 records; its stored bytes are a u64, the number of records in the file
//! ```
//!
//! A block belongs to the split in which its sync marker begins. A reader that starts in the middle searches for the marker; by chance
//! 128 random bits do not occur in data. The end block tells a whole file from one that was cut off between two blocks.

mod reader;
mod writer;

pub use reader::ObjectFileReader;
pub use writer::ObjectFileWriter;

use serde::{Deserialize, Serialize};

const MAGIC: [u8; 7] = *b"FSOBJEC";
const VERSION: u8 = 1;
const SYNC_SIZE: usize = 16;

/// The sync marker, three numbers and the checksum.
const BLOCK_HEADER_SIZE: usize = SYNC_SIZE + 4 * 4;

/// A description is a type's name; more is damage.
const MAX_DESCRIPTION: usize = 1 << 20;

/// How blocks are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectFileCodec {
    /// Not at all.
    #[default]
    None,
    /// LZ4: costs little, halves typical records.
    Lz4,
    /// Zstandard: smaller, slower.
    Zstd,
}

/// What the header says.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ObjectFileDescription {
    /// The name of the records' type and encoding; whoever reads must compare it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How blocks are compressed.
    pub codec: ObjectFileCodec,
}
