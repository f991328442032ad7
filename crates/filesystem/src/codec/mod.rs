//! Compressed files, told by their suffix.
//!
//! A codec is a whole-file format: what `gzip`, `bzip2`, `zstd` and Hadoop's own framings write. Of them, only bzip2 can be
//! read from the middle.

mod block_framing;
mod bzip2_blocks;
mod decoder;
mod encoder;
mod lz4_frames;

use std::{fmt, str::FromStr};

pub(crate) use bzip2_blocks::Bzip2Blocks;
pub use decoder::Decoder;
pub use encoder::Encoder;

use crate::FilePath;

/// A format of compressed files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Codec {
    /// `.gz`; several members in one file are read as one.
    Gzip,
    /// `.bz2`; several streams in one file are read as one.
    Bzip2,
    /// `.zst`.
    Zstandard,
    /// `.lz4`: Hadoop's block framing, or the frames that the `lz4` command writes, told apart by their first bytes.
    Lz4,
    /// `.deflate`: a zlib stream, Hadoop's `DefaultCodec`.
    Deflate,
    /// `.snappy`: Hadoop's block framing, or Snappy's own frames, told apart by their first bytes.
    Snappy,
}

/// A name is not one of a codec.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no compression codec is named {0:?}; known are gzip, bzip2, zstd, lz4, deflate and snappy, or Hadoop's class names such as {class}", class = Codec::Gzip.class_name())]
pub struct UnknownCodecError(pub String);

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 6] = [Self::Gzip, Self::Bzip2, Self::Zstandard, Self::Lz4, Self::Deflate, Self::Snappy];

    /// The codec that a file's suffix tells, if any; in any case of its letters, as in Hadoop.
    pub fn of_path(path: &FilePath) -> Option<Self> {
        let name = path.name().to_ascii_lowercase();
        Self::ALL.into_iter().find(|codec| name.ends_with(codec.suffix()))
    }

    /// Whether a part of a file can be read without what is before it.
    pub const fn is_splittable(self) -> bool {
        matches!(self, Self::Bzip2)
    }

    /// The suffix of its files, with the dot.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
            Self::Zstandard => ".zst",
            Self::Lz4 => ".lz4",
            Self::Deflate => ".deflate",
            Self::Snappy => ".snappy",
        }
    }

    /// The short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Zstandard => "zstd",
            Self::Lz4 => "lz4",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
        }
    }

    /// The name of Hadoop's class, which Spark programs pass to `saveAsTextFile`.
    pub const fn class_name(self) -> &'static str {
        match self {
            Self::Gzip => "org.apache.hadoop.io.compress.GzipCodec",
            Self::Bzip2 => "org.apache.hadoop.io.compress.BZip2Codec",
            Self::Zstandard => "org.apache.hadoop.io.compress.ZStandardCodec",
            Self::Lz4 => "org.apache.hadoop.io.compress.Lz4Codec",
            Self::Deflate => "org.apache.hadoop.io.compress.DefaultCodec",
            Self::Snappy => "org.apache.hadoop.io.compress.SnappyCodec",
        }
    }
}

impl FromStr for Codec {
    type Err = UnknownCodecError;

    /// Takes a short name in any case, Hadoop's class name, or that name without its package.
    fn from_str(name: &str) -> Result<Self, UnknownCodecError> {
        if name == "org.apache.hadoop.io.compress.DeflateCodec" {
            return Ok(Self::Deflate);
        }
        let known = |codec: &Self| {
            let class = codec.class_name();
            let simple = class.rsplit('.').next().unwrap_or_default();
            name == class || name.eq_ignore_ascii_case(simple) || name.eq_ignore_ascii_case(codec.name())
        };
        Self::ALL.into_iter().find(known).ok_or_else(|| UnknownCodecError(name.to_owned()))
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
