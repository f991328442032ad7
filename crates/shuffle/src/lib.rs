//! Shuffle files: written by map tasks, served to reducers, fetched and checked. Bytes in, bytes out; what a record is, the
//! caller knows.
//!
//! # Files
//!
//! A map task leaves three files in the scratch directories (RT-60), under Spark's names:
//!
//! | file | content |
//! |---|---|
//! | `shuffle_S_M_0.data` | one segment for each reducer, in order |
//! | `shuffle_S_M_0.index` | where each segment starts and the last one ends: `u64`, big endian, as in Spark |
//! | `shuffle_S_M_0.checksum` | the name of the algorithm and a line feed, then the CRC-32 of each segment: `u32`, big endian |
//!
//! A segment is a sequence of self-contained blocks (module `codec`), so the bytes of neighbouring reducers, and even of different
//! codecs, can be decoded one after the other. What the records in them are, and how they are counted, is the caller's: the crate
//! `firesteel` has their number at the begin of each segment, and reads one segment at a time. An empty segment has no bytes.
//!
//! # Writing
//!
//! [`MapOutputWriter`] takes the records of each reducer in the order of the reducers. Files appear under their names at the end,
//! all or none; the index comes last, and readers begin with it. What does not fit into memory before, the caller spills.
//!
//! # Reading
//!
//! [`ShuffleFetcher`] fetches the segments of one reduce task: from other processes within limits on what is under way (RT-61),
//! from the files themselves where they are on this host. What arrives is compared with its checksum, fetched once more if it
//! is damaged, and then reported with where the damage happened. All failures that mean "run the map task again" are a
//! [`FetchFailedError`] (RT-35).
//!
//! [`ShuffleBlockResolver`] knows where the files of each executor are, and [`ShuffleService`] answers for it on the data
//! plane: in an executor for its own application, in an external shuffle service for many (SC-50).
//!
//! # Local disk encryption
//!
//! Where the local directories of a map task say so (SE-06), each segment that has bytes is one encrypted stream
//! (`firesteel-io-encryption`): compressed first, then encrypted, and its checksum is that of the cipher text. What is sent is
//! what is in the file, so that nobody who serves segments needs the key; a reduce task decrypts what it reads. Index and
//! checksum files are as they always are.

#![forbid(unsafe_code)]

mod checksum;
mod codec;
mod decoder;
mod encrypted;
mod error;
mod fetch_plan;
mod fetcher;
mod index;
mod index_cache;
mod map_output;
mod output_file;
mod resolver;
mod segment_reader;
mod service;

pub use codec::{BlockEncoder, Codec, Compression};
pub use decoder::BlockDecoder;
pub use error::{FetchError, FetchFailedError, OpenSegmentError, ShuffleWriteError};
pub use fetch_plan::FetchLimits;
pub use fetcher::{BlockToFetch, FetchedBlock, ShuffleFetcher, ShuffleReadContext};
pub use firesteel_transfer::{CorruptionCause, SegmentId};
pub use index::{MapOutputIndex, StoredSegment};
pub use map_output::{MapOutputWriter, WriterOptions};
pub use resolver::{RegisterExecutorError, ShuffleBlockResolver};
pub use segment_reader::SegmentReader;
pub use service::ShuffleService;
