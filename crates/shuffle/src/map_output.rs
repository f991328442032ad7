//! The output of one map task.

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use firesteel_io_encryption::StreamSealer;
use firesteel_local_dirs::LocalDirs;
use firesteel_model::{BlockId, MapId, ReduceId, ShuffleId};

use crate::{BlockEncoder, Compression, ShuffleWriteError, index::MapOutputIndex, output_file::OutputFile};

/// How segments are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriterOptions {
    /// `spark.io.compression.*`, or none where `spark.shuffle.compress` is off.
    pub compression: Compression,
    /// `spark.shuffle.checksum.enabled`, on.
    pub checksums: bool,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { compression: Compression::default(), checksums: true }
    }
}

/// Writes the output of one map task: a data, an index and a checksum file, which appear together on [`Self::commit`] or not
/// at all.
///
/// ```
/// # use std::sync::Arc;
/// # use firesteel_local_dirs::LocalDirs;
/// # use firesteel_model::{MapId, ReduceId, ShuffleId};
/// # use firesteel_shuffle::{MapOutputWriter, WriterOptions};
/// # let root = tempfile::tempdir().unwrap();
/// # let (local_dirs, _) = LocalDirs::create(&[root.path().to_owned()]).unwrap();
/// # let local_dirs = Arc::new(local_dirs);
/// let options = WriterOptions::default();
/// let mut writer = MapOutputWriter::create(&local_dirs, ShuffleId(0), MapId(7), 3, &options).unwrap();
/// writer.append(ReduceId(0), b"some records").unwrap();
/// writer.append(ReduceId(0), b"more").unwrap();
/// writer.append(ReduceId(2), b"for the last reducer").unwrap();
/// let index = writer.commit().unwrap();
/// assert_eq!(index.lengths().map(|length| length > 0).collect::<Vec<_>>(), [true, false, true]);
/// ```
pub struct MapOutputWriter {
    local_dirs: Arc<LocalDirs>,
    shuffle_id: ShuffleId,
    map_id: MapId,
    output: OutputFile,
    encoder: BlockEncoder,
    /// If the local directories are encrypted.
    sealer: Option<StreamSealer>,
    reducers: u32,
    /// Where each segment that was begun starts.
    offsets: Vec<u64>,
    /// Of each segment that was ended.
    checksums: Vec<u32>,
}

impl MapOutputWriter {
    /// Begins the output of a task attempt for so many reducers.
    pub fn create(
        local_dirs: &Arc<LocalDirs>,
        shuffle_id: ShuffleId,
        map_id: MapId,
        reducers: u32,
        options: &WriterOptions,
    ) -> Result<Self, ShuffleWriteError> {
        let path = path_to_write(local_dirs, BlockId::ShuffleData(shuffle_id, map_id))?;
        Ok(Self {
            local_dirs: local_dirs.clone(),
            shuffle_id,
            map_id,
            output: OutputFile::create(in_progress(&path), options.checksums)?,
            encoder: BlockEncoder::new(options.compression),
            sealer: local_dirs.encryption().map(StreamSealer::new),
            reducers,
            offsets: Vec::with_capacity(reducers as usize + 1),
            checksums: Vec::new(),
        })
    }

    /// Appends records to the segment of a reducer. Any number of bytes at once; the compression gathers them. After an error
    /// nothing more may be written; drop the writer, and what was written goes.
    ///
    /// # Panics
    ///
    /// If the reducer comes after a later one, or is not one of the reducers.
    pub fn append(&mut self, reduce_id: ReduceId, records: &[u8]) -> Result<(), ShuffleWriteError> {
        self.try_io(|writer| {
            writer.advance_to(reduce_id)?;
            let (encoder, output) = (&mut writer.encoder, &mut writer.output);
            match &mut writer.sealer {
                // An empty segment has no bytes, and a stream always has some.
                Some(_) if records.is_empty() => Ok(()),
                Some(sealer) => encoder.write(records, &mut sealer.onto(output)),
                None => encoder.write(records, output),
            }
        })
    }

    /// Puts the files in place. The index comes last: whoever finds it finds the others too. Its lengths go into the
    /// `MapStatus`.
    pub fn commit(mut self) -> Result<MapOutputIndex, ShuffleWriteError> {
        self.try_io(Self::end_segments)?;
        let checksums = (self.checksums.len() == self.reducers as usize).then_some(self.checksums);
        let index = MapOutputIndex::new(self.offsets, checksums);
        let path = |block_id| path_to_write(&self.local_dirs, block_id);
        let checksum_path = path(BlockId::ShuffleChecksum(self.shuffle_id, self.map_id))?;
        let index_path = path(BlockId::ShuffleIndex(self.shuffle_id, self.map_id))?;
        // All are written before the first is named, as that is what fails when a disk is full.
        let checksums = index.encode_checksums().map(|bytes| small_file(&checksum_path, &bytes)).transpose()?;
        let offsets = small_file(&index_path, &index.encode_offsets())?;
        if let Some(checksums) = checksums {
            checksums.name(&checksum_path)?;
        }
        self.output.name(&path(BlockId::ShuffleData(self.shuffle_id, self.map_id))?)?;
        offsets.name(&index_path)?;
        Ok(index)
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
            let (encoder, output) = (&mut self.encoder, &mut self.output);
            match &mut self.sealer {
                Some(sealer) => {
                    encoder.finish(&mut sealer.onto(output))?;
                    if sealer.has_begun() {
                        sealer.finish(output)?;
                    }
                }
                None => encoder.finish(output)?,
            }
            self.checksums.extend(self.output.take_checksum());
        }
        Ok(())
    }

    fn end_segments(&mut self) -> io::Result<()> {
        if let Some(last) = self.reducers.checked_sub(1) {
            self.advance_to(ReduceId(last))?;
        }
        self.end_segment()?;
        self.offsets.push(self.output.length());
        Ok(())
    }
}

impl fmt::Debug for MapOutputWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapOutputWriter")
            .field("path", &self.output.path())
            .field("length", &self.output.length())
            .finish_non_exhaustive()
    }
}

fn path_to_write(local_dirs: &LocalDirs, block_id: BlockId) -> Result<PathBuf, ShuffleWriteError> {
    let name = block_id.to_string();
    local_dirs.path_to_write(&name).map_err(|error| ShuffleWriteError::new(&local_dirs.path(&name), error))
}

/// Where a file is written before it gets its name: beside it, as a rename cannot leave the file system.
fn in_progress(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}", rand::random::<u64>()));
    name.into()
}

fn small_file(path: &Path, bytes: &[u8]) -> Result<OutputFile, ShuffleWriteError> {
    let mut file = OutputFile::create(in_progress(path), false)?;
    match file.write_all(bytes).and_then(|()| file.flush()) {
        Ok(()) => Ok(file),
        Err(error) => Err(ShuffleWriteError::new(path, error)),
    }
}
