//! Encoded records, gathered by partition: a buffer each, and one spill file for all.
//!
//! A record is encoded at once, into the end of its partition's buffer, so that nothing is held but bytes and their number
//! is known exactly. A full buffer is set aside and a fresh one begun; nothing is copied again. When memory is refused, all
//! buffers are appended to the spill file, partition after partition, and each remembers where its part is. In the end a
//! partition is its parts in the file and then its buffers, in the order of insertion.

use std::{ops::Range, sync::Arc};

use serde::Serialize;

use crate::{
    MapOutputSummary, SegmentSink, SpillContext, SpillError, WriteMapOutputError,
    budget::MemoryBudget,
    encode,
    error::INCOMPLETE,
    spill_file::{BlockReader, BlockWriter, OpenSpillFile, RecordReader},
};

pub(crate) struct PartitionBuffers {
    context: SpillContext,
    budget: MemoryBudget,
    partitions: Vec<PartitionBuffer>,
    /// The capacity of all buffers.
    held_bytes: u64,
    /// Records in memory.
    held_records: u64,
    spill_file: Option<BlockWriter>,
    segments: Vec<Segment>,
    /// A spill has begun and not ended.
    is_incomplete: bool,
}

#[derive(Default)]
struct PartitionBuffer {
    current: Vec<u8>,
    full: Vec<Vec<u8>>,
    /// Spilled ones included.
    records: u64,
    spilled_records: u64,
}

impl PartitionBuffer {
    fn take_chunks(&mut self) -> impl Iterator<Item = Vec<u8>> + use<> {
        let current = std::mem::take(&mut self.current);
        std::mem::take(&mut self.full).into_iter().chain(Some(current).filter(|current| !current.is_empty()))
    }
}

/// A partition's part of the spill file.
struct Segment {
    partition: u32,
    bytes: Range<u64>,
    records: u64,
}

impl PartitionBuffers {
    pub(crate) fn new(context: &SpillContext, partitions: u32) -> Self {
        let mut buffers = Vec::new();
        buffers.resize_with(partitions as usize, PartitionBuffer::default);
        Self {
            context: context.clone(),
            budget: MemoryBudget::new(context),
            partitions: buffers,
            held_bytes: 0,
            held_records: 0,
            spill_file: None,
            segments: Vec::new(),
            is_incomplete: false,
        }
    }

    /// Adds a record.
    ///
    /// # Panics
    ///
    /// If the partition is not below the number of partitions.
    #[inline]
    pub(crate) fn insert<T: Serialize + ?Sized>(&mut self, partition: u32, record: &T) -> Result<(), SpillError> {
        let buffer = &mut self.partitions[partition as usize];
        let capacity = buffer.current.capacity();
        encode(record, &mut buffer.current)?;
        buffer.records += 1;
        self.held_records += 1;
        if buffer.current.capacity() != capacity || buffer.current.len() >= self.context.options.block_bytes {
            self.grown(partition, capacity)
        } else {
            Ok(())
        }
    }

    /// A buffer has become larger, or full.
    #[cold]
    fn grown(&mut self, partition: u32, capacity_before: usize) -> Result<(), SpillError> {
        self.context.check_killed()?;
        let block_bytes = self.context.options.block_bytes;
        let buffer = &mut self.partitions[partition as usize];
        self.held_bytes += (buffer.current.capacity() - capacity_before) as u64;
        if buffer.current.len() >= block_bytes {
            // Room for the record that fills it, so that the buffer need not be copied for its sake.
            let next = Vec::with_capacity(block_bytes + block_bytes / 8);
            self.held_bytes += next.capacity() as u64;
            buffer.full.push(std::mem::replace(&mut buffer.current, next));
        }
        if !self.budget.ensure(self.held_bytes) || self.held_records >= self.context.options.force_spill_records {
            self.spill()?;
        }
        Ok(())
    }

    /// Writes everything in memory to the spill file and gives the memory back.
    pub(crate) fn spill(&mut self) -> Result<(), SpillError> {
        if self.held_records == 0 {
            self.budget.release();
            return Ok(());
        }
        self.is_incomplete = true;
        self.context.metrics.count_spill(self.held_bytes);
        if self.spill_file.is_none() {
            self.spill_file = Some(BlockWriter::create(&self.context)?);
        }
        let writer = self.spill_file.as_mut().expect("it was just made");
        for (partition, buffer) in (0..).zip(&mut self.partitions) {
            let start = writer.length();
            for chunk in buffer.take_chunks() {
                writer.write_block(&chunk)?;
            }
            let records = buffer.records - buffer.spilled_records;
            if records > 0 {
                self.segments.push(Segment { partition, bytes: start..writer.length(), records });
                buffer.spilled_records = buffer.records;
            }
        }
        self.held_bytes = 0;
        self.held_records = 0;
        self.budget.release();
        self.is_incomplete = false;
        Ok(())
    }

    /// No more records come.
    ///
    /// # Panics
    ///
    /// If an earlier call failed to spill.
    pub(crate) fn finish(self) -> Result<PartitionedRecords, SpillError> {
        assert!(!self.is_incomplete, "{INCOMPLETE}");
        let mut segments = self.segments;
        // Stable, so that a partition's segments remain in the order in which they were spilled.
        segments.sort_by_key(|segment| segment.partition);
        let spill_file = self.spill_file.map(BlockWriter::finish).transpose()?.map(Arc::new);
        Ok(PartitionedRecords {
            context: self.context,
            partitions: self.partitions,
            spill_file,
            segments,
            _budget: self.budget,
        })
    }
}

/// Encoded records by partition, complete.
pub(crate) struct PartitionedRecords {
    context: SpillContext,
    partitions: Vec<PartitionBuffer>,
    spill_file: Option<Arc<OpenSpillFile>>,
    /// By partition, and within one by time.
    segments: Vec<Segment>,
    _budget: MemoryBudget,
}

impl PartitionedRecords {
    /// Gives all partitions to a sink, in order.
    pub(crate) fn write_to<S: SegmentSink>(
        mut self,
        sink: &mut S,
    ) -> Result<MapOutputSummary, WriteMapOutputError<S::Error>> {
        let mut summary = MapOutputSummary::default();
        for partition in 0..self.partitions.len() as u32 {
            let records = self.partitions[partition as usize].records;
            if records == 0 {
                continue;
            }
            self.context.check_killed()?;
            sink.begin_partition(partition, records).map_err(WriteMapOutputError::Sink)?;
            let mut write = |encoded: &[u8]| {
                summary.bytes_written += encoded.len() as u64;
                sink.write(encoded).map_err(WriteMapOutputError::Sink)
            };
            for mut part in self.spilled(partition) {
                while let Some(encoded) = part.blocks.next_block()? {
                    write(encoded)?;
                }
            }
            for chunk in self.partitions[partition as usize].take_chunks() {
                write(&chunk)?;
            }
            summary.records_written += records;
        }
        Ok(summary)
    }

    /// How many records the partition has.
    pub(crate) fn records(&self, partition: u32) -> u64 {
        self.partitions[partition as usize].records
    }

    /// The partition's parts of the spill file, in the order in which they were written.
    pub(crate) fn spilled(&self, partition: u32) -> impl DoubleEndedIterator<Item = SpilledPart> {
        let start = self.segments.partition_point(|segment| segment.partition < partition);
        let end = self.segments.partition_point(|segment| segment.partition <= partition);
        self.segments[start..end].iter().filter_map(|segment| {
            let file = Arc::clone(self.spill_file.as_ref()?);
            let blocks = BlockReader::new(&self.context, file, segment.bytes.clone());
            Some(SpilledPart { blocks, records: segment.records })
        })
    }
}

/// A part of the spill file that belongs to one partition.
pub(crate) struct SpilledPart {
    blocks: BlockReader,
    records: u64,
}

impl SpilledPart {
    pub(crate) fn into_records(self) -> RecordReader {
        RecordReader::new(self.blocks, self.records)
    }
}
