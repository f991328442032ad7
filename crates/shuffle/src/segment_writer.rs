//! Writes segments one after the other: what map outputs and spills have in common.

use std::{
    fmt,
    io::{self, Write},
};

use firesteel_model::ReduceId;

use crate::{BlockEncoder, Compression, ShuffleWriteError, SpillFile, index::MapOutputIndex, output_file::OutputFile};

/// How segments are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriterOptions {
    /// `spark.io.compression.*`, or none where `spark.shuffle.compress` or `spark.shuffle.spill.compress` is off.
    pub compression: Compression,
    /// `spark.shuffle.checksum.enabled`, on.
    pub checksums: bool,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { compression: Compression::default(), checksums: true }
    }
}

/// Writes the segments of all reducers, in their order, into one file. Belongs to a
/// [`MapOutputWriter`](crate::MapOutputWriter) or a [`SpillWriter`](crate::SpillWriter).
///
/// After an error nothing more may be written; drop the owner, and what was written goes.
///
/// # Panics
///
/// Its methods panic if a reducer comes after a later one, or is not one of the reducers.
pub struct SegmentWriter {
    output: OutputFile,
    encoder: BlockEncoder,
    reducers: u32,
    /// Where each segment that was begun starts.
    offsets: Vec<u64>,
    /// Of each segment that was ended.
    checksums: Vec<u32>,
}

impl SegmentWriter {
    pub(crate) fn new(output: OutputFile, reducers: u32, options: &WriterOptions) -> Self {
        let encoder = BlockEncoder::new(options.compression);
        Self { output, encoder, reducers, offsets: Vec::with_capacity(reducers as usize + 1), checksums: Vec::new() }
    }

    /// Appends records to the segment of a reducer. Any number of bytes at once; the compression gathers them.
    pub fn append(&mut self, reduce_id: ReduceId, records: &[u8]) -> Result<(), ShuffleWriteError> {
        self.try_io(|writer| {
            writer.advance_to(reduce_id)?;
            writer.encoder.write(records, &mut writer.output)
        })
    }

    /// Appends blocks that a [`BlockEncoder`] made before: segments that were built in memory.
    pub fn append_blocks(&mut self, reduce_id: ReduceId, blocks: &[u8]) -> Result<(), ShuffleWriteError> {
        self.try_io(|writer| {
            writer.advance_to(reduce_id)?;
            writer.encoder.finish(&mut writer.output)?;
            writer.output.write_all(blocks)
        })
    }

    /// Appends a reducer's segment of a spill, without decoding it; large ones are copied by the system.
    pub fn append_spilled(&mut self, reduce_id: ReduceId, spill: &SpillFile) -> Result<(), ShuffleWriteError> {
        self.try_io(|writer| {
            writer.advance_to(reduce_id)?;
            writer.encoder.finish(&mut writer.output)?;
            let (offset, length, checksum) = spill.index().range(reduce_id, ReduceId(reduce_id.0 + 1));
            writer.output.append_file(spill.file(), offset, length, checksum)
        })
    }

    /// Appends all segments of spills: a reducer's segments are put one after the other in the order of the spills. For
    /// shuffles whose records need no order beyond that; those that are sorted are merged by whoever knows records.
    pub fn append_all_spilled(&mut self, spills: &[SpillFile]) -> Result<(), ShuffleWriteError> {
        for reducer in 0..self.reducers {
            for spill in spills {
                self.append_spilled(ReduceId(reducer), spill)?;
            }
        }
        Ok(())
    }

    /// The segment of one reducer as something to write to. Nothing needs to be done at its end.
    pub fn segment(&mut self, reduce_id: ReduceId) -> impl Write + '_ {
        OneSegment { writer: self, reduce_id }
    }

    /// How many bytes were written so far, compressed; what the compression still gathers is not counted.
    pub fn bytes_written(&self) -> u64 {
        self.output.length()
    }

    fn try_io(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), ShuffleWriteError> {
        work(self).map_err(|error| ShuffleWriteError::new(self.output.path(), error))
    }

    /// Ends segments until this reducer's is the one that is open.
    fn advance_to(&mut self, reduce_id: ReduceId) -> io::Result<()> {
        assert!(reduce_id.0 < self.reducers, "reducer {reduce_id} of {}", self.reducers);
        let wanted = reduce_id.0 as usize + 1;
        assert!(self.offsets.len() <= wanted, "reducer {reduce_id} comes after a later one");
        while self.offsets.len() < wanted {
            self.end_segment()?;
            self.offsets.push(self.output.length());
        }
        Ok(())
    }

    fn end_segment(&mut self) -> io::Result<()> {
        if !self.offsets.is_empty() {
            self.encoder.finish(&mut self.output)?;
            self.checksums.extend(self.output.take_checksum());
        }
        Ok(())
    }

    /// Ends all segments.
    pub(crate) fn finish(mut self) -> Result<(OutputFile, MapOutputIndex), ShuffleWriteError> {
        self.try_io(|writer| {
            if let Some(last) = writer.reducers.checked_sub(1) {
                writer.advance_to(ReduceId(last))?;
            }
            writer.end_segment()?;
            writer.offsets.push(writer.output.length());
            Ok(())
        })?;
        let checksums = (self.checksums.len() == self.reducers as usize).then_some(self.checksums);
        Ok((self.output, MapOutputIndex::new(self.offsets, checksums)))
    }
}

impl fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentWriter")
            .field("path", &self.output.path())
            .field("bytes_written", &self.bytes_written())
            .finish_non_exhaustive()
    }
}

struct OneSegment<'a> {
    writer: &'a mut SegmentWriter,
    reduce_id: ReduceId,
}

impl Write for OneSegment<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.append(self.reduce_id, bytes).map_err(|error| match error {
            ShuffleWriteError::DiskFull { ref source, .. } | ShuffleWriteError::Io { ref source, .. } => {
                io::Error::new(source.kind(), error)
            }
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
