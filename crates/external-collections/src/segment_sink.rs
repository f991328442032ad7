//! Where a map task's output goes: the seam to whoever owns shuffle files.

use crate::SpillError;

/// Takes a map task's output, partition after partition (RT-60). Implemented by the shuffle's file writer, which owns
/// compression, encryption, checksums and the index.
///
/// Calls arrive as `begin_partition (write)+` for each partition that has records, in ascending order and each at most once;
/// partitions without records are not named. Each `write` holds a whole number of encoded records, so that a sink may
/// compress and checksum each call on its own; together the calls of one partition are its segment.
///
/// Nothing in the bytes says where one record ends and the next begins. A sink must tell whoever reads a segment how many
/// records it has, or types that do not read what they write would come back as fewer or more records.
pub trait SegmentSink {
    /// What can go wrong.
    type Error;

    /// The following bytes belong to `partition` and hold so many records, which is at least one.
    fn begin_partition(&mut self, partition: u32, records: u64) -> Result<(), Self::Error>;
    /// More whole records of the partition. Never empty.
    fn write(&mut self, encoded: &[u8]) -> Result<(), Self::Error>;
}

/// A map task's output could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteMapOutputError<E> {
    /// Spilling on the way failed.
    #[error("could not gather the map output")]
    Spill(#[from] SpillError),
    /// The sink failed.
    #[error("could not write the map output")]
    Sink(#[source] E),
}

/// What a map task wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MapOutputSummary {
    /// Records given to the sink.
    pub records_written: u64,
    /// Encoded bytes given to the sink, before its compression.
    pub bytes_written: u64,
}
