//! The output of one map task.

use std::{
    io::Write,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::Arc,
};

use firesteel_local_dirs::LocalDirs;
use firesteel_model::{BlockId, MapId, ShuffleId};

use crate::{SegmentWriter, ShuffleWriteError, WriterOptions, index::MapOutputIndex, output_file::OutputFile};

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
/// let committed = writer.commit().unwrap();
/// assert_eq!(committed.index.lengths().map(|length| length > 0).collect::<Vec<_>>(), [true, false, true]);
/// ```
#[derive(Debug)]
pub struct MapOutputWriter {
    segments: SegmentWriter,
    local_dirs: Arc<LocalDirs>,
    shuffle_id: ShuffleId,
    map_id: MapId,
}

/// A map output that is in place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedMapOutput {
    /// Where its segments are; [`MapOutputIndex::lengths`] goes into the `MapStatus`.
    pub index: MapOutputIndex,
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
        let output = OutputFile::create(in_progress(&path), options.checksums)?;
        let segments = SegmentWriter::new(output, reducers, options);
        Ok(Self { segments, local_dirs: local_dirs.clone(), shuffle_id, map_id })
    }

    /// Puts the files in place. The index comes last: whoever finds it finds the others too.
    pub fn commit(self) -> Result<CommittedMapOutput, ShuffleWriteError> {
        let (data, index) = self.segments.finish()?;
        let path = |block_id| path_to_write(&self.local_dirs, block_id);
        let checksum_path = path(BlockId::ShuffleChecksum(self.shuffle_id, self.map_id))?;
        let index_path = path(BlockId::ShuffleIndex(self.shuffle_id, self.map_id))?;
        // All are written before the first is named, as that is what fails when a disk is full.
        let checksums = index.encode_checksums().map(|bytes| small_file(&checksum_path, &bytes)).transpose()?;
        let offsets = small_file(&index_path, &index.encode_offsets())?;
        if let Some(checksums) = checksums {
            checksums.name(&checksum_path)?;
        }
        data.name(&path(BlockId::ShuffleData(self.shuffle_id, self.map_id))?)?;
        offsets.name(&index_path)?;
        Ok(CommittedMapOutput { index })
    }
}

impl Deref for MapOutputWriter {
    type Target = SegmentWriter;

    fn deref(&self) -> &SegmentWriter {
        &self.segments
    }
}

impl DerefMut for MapOutputWriter {
    fn deref_mut(&mut self) -> &mut SegmentWriter {
        &mut self.segments
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
