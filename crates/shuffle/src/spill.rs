//! What a map task writes when its memory is full.

use std::{
    fs::File,
    io,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use firesteel_local_dirs::LocalDirs;
use firesteel_model::{BlockId, ReduceId};

use crate::{
    BlockDecoder, SegmentWriter, ShuffleWriteError, WriterOptions, index::MapOutputIndex, output_file::OutputFile,
    segment_reader::FileRange,
};

/// Writes a spill: segments in the order of the reducers, as in a map output.
#[derive(Debug)]
pub struct SpillWriter {
    segments: SegmentWriter,
}

/// A spill. Its file has no name any more and goes when this is dropped, however the process ends.
#[derive(Debug)]
pub struct SpillFile {
    file: Arc<File>,
    index: MapOutputIndex,
}

impl SpillWriter {
    /// Begins a spill for so many reducers (one, where nothing is partitioned).
    pub fn create(local_dirs: &LocalDirs, reducers: u32, options: &WriterOptions) -> Result<Self, ShuffleWriteError> {
        let name = BlockId::TempShuffle(rand::random()).to_string();
        let path = local_dirs.path_to_write(&name);
        let path = path.map_err(|error| ShuffleWriteError::new(&local_dirs.path(&name), error))?;
        let output = OutputFile::create(path, options.checksums)?;
        Ok(Self { segments: SegmentWriter::new(output, reducers, options) })
    }

    /// Ends the spill.
    pub fn finish(self) -> Result<SpillFile, ShuffleWriteError> {
        let (output, index) = self.segments.finish()?;
        Ok(SpillFile { file: Arc::new(output.unlink()?), index })
    }
}

impl Deref for SpillWriter {
    type Target = SegmentWriter;

    fn deref(&self) -> &SegmentWriter {
        &self.segments
    }
}

impl DerefMut for SpillWriter {
    fn deref_mut(&mut self) -> &mut SegmentWriter {
        &mut self.segments
    }
}

impl SpillFile {
    /// Where its segments are.
    pub fn index(&self) -> &MapOutputIndex {
        &self.index
    }

    /// Reads the records of one reducer. Any number of readers may be open at once; each holds a few hundred KiB.
    ///
    /// # Panics
    ///
    /// If there is no such reducer.
    pub fn segment(&self, reduce_id: ReduceId) -> BlockDecoder {
        let (offset, length, checksum) = self.index.range(reduce_id, ReduceId(reduce_id.0 + 1));
        let range = io::BufReader::with_capacity(64 << 10, FileRange::new(self.file.clone(), offset, length));
        BlockDecoder::from_reader(match checksum {
            Some(checksum) => Box::new(crate::checksum::ChecksumReader::new(range, checksum)),
            None => Box::new(range),
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}
