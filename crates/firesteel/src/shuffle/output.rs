//! One map task's output file.

use std::{sync::Arc, time::Instant};

use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_external_collections::SegmentSink;
use firesteel_messages::TaskSuccess;
use firesteel_model::{MapId, MapStatus, ReduceId, ShuffleId};
use firesteel_shuffle::MapOutputWriter;

/// The files that a map task is writing. They appear under their names when it commits; if it does not, they go.
pub(crate) struct MapOutput {
    writer: MapOutputWriter,
    map_id: MapId,
    current: ReduceId,
    started: Instant,
}

impl MapOutput {
    pub(crate) fn create(
        context: &Arc<TaskContext>,
        shuffle_id: ShuffleId,
        reducers: u32,
    ) -> Result<Self, TaskFailure> {
        let started = Instant::now();
        let environment = context.environment();
        let map_id = MapId(context.task_id().0);
        let shuffle = environment.shuffle();
        let writer =
            MapOutputWriter::create(environment.local_dirs(), shuffle_id, map_id, reducers, shuffle.writer_options())
                .map_err(|error| TaskFailure::from_error(&error))?;
        Ok(Self { writer, map_id, current: ReduceId(0), started })
    }

    /// Puts the files in place and tells where they are.
    pub(crate) fn commit(self, context: &Arc<TaskContext>, records: u64) -> Result<TaskSuccess, TaskFailure> {
        context.end_if_killed();
        let index = self.writer.commit().map_err(|error| TaskFailure::from_error(&error))?;
        let metrics = context.metrics();
        metrics.shuffle_records_written.add(records);
        metrics.shuffle_bytes_written.add(index.data_length());
        metrics.shuffle_write_time_ns.add(self.started.elapsed().as_nanos() as u64);
        let location = context.environment().block_manager_id().clone();
        let options = context.environment().shuffle().map_status_options();
        let status = MapStatus::with_options(location, self.map_id, index.lengths(), options);
        Ok(TaskSuccess::MapOutput(status))
    }
}

impl SegmentSink for MapOutput {
    type Error = TaskFailure;

    /// A segment begins with the number of its records.
    fn begin_partition(&mut self, partition: u32, records: u64) -> Result<(), TaskFailure> {
        self.current = ReduceId(partition);
        self.write(&records.to_le_bytes())
    }

    fn write(&mut self, encoded: &[u8]) -> Result<(), TaskFailure> {
        self.writer.append(self.current, encoded).map_err(|error| TaskFailure::from_error(&error))
    }
}
