//! The map side of the sort shuffle (RT-60): records in, one segment per partition out.
//!
//! Spark has three writers, because sorting objects, sorting serialized bytes and keeping files per reducer each win
//! somewhere. Encoded buffers per partition are the second way without the sort, and cost the same few nanoseconds for two
//! partitions as for a thousand; so they serve every shuffle. Where the map side combines, a hash table stands before them.

use std::{hash::Hash, marker::PhantomData};

use serde::Serialize;

use crate::{
    Aggregator, MapOutputSummary, Record, SegmentSink, SpillContext, SpillError, WriteMapOutputError,
    combining_table::CombiningTable, error::INCOMPLETE, partition_buffers::PartitionBuffers,
};

/// Writes a map task's records without combining them.
pub struct ShuffleMapWriter<T> {
    buffers: PartitionBuffers,
    records: PhantomData<fn(T)>,
}

impl<T: Serialize> ShuffleMapWriter<T> {
    /// A writer for so many partitions.
    pub fn new(context: &SpillContext, partitions: u32) -> Self {
        Self { buffers: PartitionBuffers::new(context, partitions), records: PhantomData }
    }

    /// Adds a record to a partition. The record is encoded now and not held.
    ///
    /// # Panics
    ///
    /// If `partition` is not below the number of partitions.
    #[inline]
    pub fn insert(&mut self, partition: u32, record: &T) -> Result<(), SpillError> {
        self.buffers.insert(partition, record)
    }

    /// Gives the segments to the sink.
    ///
    /// # Panics
    ///
    /// If an earlier call failed to spill.
    pub fn finish<S: SegmentSink>(self, sink: &mut S) -> Result<MapOutputSummary, WriteMapOutputError<S::Error>> {
        self.buffers.finish()?.write_to(sink)
    }
}

/// Writes a map task's records combined by key.
///
/// When memory is refused, what was combined so far is encoded and the table starts empty. A key may therefore be in a
/// segment more than once, each time with a part of its values, in the order of arrival; the reduce side merges them as it
/// merges those of different map tasks. Spark merges its spills here first, which costs another sort and saves few bytes.
pub struct CombiningMapWriter<K, V, C, A, P>
where
    K: Record + Hash + Eq,
    C: Record,
    A: Aggregator<V, C>,
    P: Fn(&K) -> u32,
{
    table: CombiningTable<K, V, C, A>,
    partitioner: P,
    buffers: PartitionBuffers,
    /// Entries have left the table and not all have arrived.
    is_incomplete: bool,
}

impl<K, V, C, A, P> CombiningMapWriter<K, V, C, A, P>
where
    K: Record + Hash + Eq,
    C: Record,
    A: Aggregator<V, C>,
    P: Fn(&K) -> u32,
{
    /// A writer for so many partitions. `partitioner` says where a key belongs, below `partitions`; it is asked once for
    /// each combiner that is written.
    pub fn new(context: &SpillContext, partitions: u32, partitioner: P, aggregator: A) -> Self {
        Self {
            table: CombiningTable::new(context, aggregator, 0),
            partitioner,
            buffers: PartitionBuffers::new(context, partitions),
            is_incomplete: false,
        }
    }

    /// Adds a value of a key.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Result<(), SpillError> {
        if !self.table.make_room() {
            self.empty_table()?;
        }
        self.table.insert(key, value);
        if self.table.check()? { Ok(()) } else { self.empty_table() }
    }

    /// Gives the segments to the sink. Records are `(K, C)` pairs.
    ///
    /// # Panics
    ///
    /// If an earlier call failed to spill.
    pub fn finish<S: SegmentSink>(mut self, sink: &mut S) -> Result<MapOutputSummary, WriteMapOutputError<S::Error>> {
        assert!(!self.is_incomplete, "{INCOMPLETE}");
        self.empty_table()?;
        self.buffers.finish()?.write_to(sink)
    }

    /// Encodes all entries. Each is dropped as soon as it is encoded; the table itself goes at the end, and so does the
    /// memory that both were granted, so that the buffers spill rather than stand beside a table for which there was no room.
    #[cold]
    fn empty_table(&mut self) -> Result<(), SpillError> {
        self.is_incomplete = true;
        self.table.settle();
        for entry in self.table.take() {
            self.buffers.insert((self.partitioner)(&entry.0), &entry)?;
        }
        self.table.release();
        self.is_incomplete = false;
        Ok(())
    }
}
