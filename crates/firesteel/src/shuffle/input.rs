//! One reduce task's input.

use std::{iter::FusedIterator, sync::Arc};

use firesteel_executor::{AskError, TaskContext, TaskFailure};
use firesteel_model::{MapId, MapIndex, Partition, ReduceId, ShuffleId, TaskEndReason};
use firesteel_shuffle::{BlockToFetch, FetchError, FetchFailedError, SegmentReader, ShuffleFetcher};

use crate::{
    data::Data,
    shuffle::record_reader::{ReadRecordError, RecordReader},
};

/// The records that all map tasks wrote for one reduce partition, in no particular order of the map tasks. After an error
/// there is nothing more.
pub(crate) struct ReduceInput<T> {
    context: Arc<TaskContext>,
    state: State<T>,
    records: u64,
    /// How many of them are in the task's metrics.
    counted: u64,
}

enum State<T> {
    Open { fetcher: Box<ShuffleFetcher>, current: Option<RecordReader<SegmentReader, T>> },
    Failed(Option<TaskFailure>),
    Ended,
}

/// How often the task looks whether it was killed while it decodes what is there.
const KILL_CHECK_RECORDS: u64 = 256;

impl<T> ReduceInput<T> {
    /// Starts fetching. What goes wrong is the iterator's first item.
    pub(crate) fn open(shuffle_id: ShuffleId, partition: Partition, context: &Arc<TaskContext>) -> Self {
        let state = match start(shuffle_id, ReduceId(partition.0), context) {
            Ok(fetcher) => State::Open { fetcher: Box::new(fetcher), current: None },
            Err(failure) => State::Failed(Some(failure)),
        };
        Self { context: Arc::clone(context), state, records: 0, counted: 0 }
    }

    #[cold]
    fn fail(&mut self, failure: TaskFailure) -> Option<Result<T, TaskFailure>> {
        self.close();
        Some(Err(failure))
    }

    /// Adds what was read since the last time to the task's own count, which heartbeats tell (RT-47).
    fn count_records(&mut self) {
        self.context.metrics().shuffle_records_read.add(self.records - self.counted);
        self.counted = self.records;
    }

    /// Fetches no more, and counts what was read. Does nothing the second time.
    fn close(&mut self) {
        if let State::Open { fetcher, .. } = std::mem::replace(&mut self.state, State::Ended) {
            let read = fetcher.metrics();
            let metrics = self.context.metrics();
            metrics.remote_blocks_fetched.add(read.remote_blocks_fetched);
            metrics.local_blocks_fetched.add(read.local_blocks_fetched);
            metrics.fetch_wait_time_ms.add(read.fetch_wait_time_ms);
            metrics.remote_bytes_read.add(read.remote_bytes_read);
            metrics.remote_bytes_read_to_disk.add(read.remote_bytes_read_to_disk);
            metrics.local_bytes_read.add(read.local_bytes_read);
        }
        self.count_records();
    }
}

impl<T: Data> Iterator for ReduceInput<T> {
    type Item = Result<T, TaskFailure>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (fetcher, current) = match &mut self.state {
                State::Open { fetcher, current } => (fetcher, current),
                State::Failed(failure) => return failure.take().map(Err),
                State::Ended => return None,
            };
            if let Some(reader) = current {
                match reader.next_record() {
                    Ok(Some(record)) => {
                        self.records += 1;
                        if self.records.is_multiple_of(KILL_CHECK_RECORDS) {
                            self.count_records();
                            self.context.end_if_killed();
                        }
                        return Some(Ok(record));
                    }
                    Ok(None) => *current = None,
                    Err(error) => {
                        let failure = read_failure(&error);
                        return self.fail(failure);
                    }
                }
            }
            match fetcher.next() {
                Some(Ok(block)) => *current = Some(RecordReader::new(block.reader, &self.context)),
                Some(Err(error)) => {
                    let failure = fetch_failure(error, &self.context);
                    return self.fail(failure);
                }
                None => self.close(),
            }
        }
    }
}

impl<T: Data> FusedIterator for ReduceInput<T> {}

impl<T> Drop for ReduceInput<T> {
    /// An input that is dropped early (`take`) has read something too.
    fn drop(&mut self) {
        self.close();
    }
}

fn start(
    shuffle_id: ShuffleId,
    reduce_id: ReduceId,
    context: &Arc<TaskContext>,
) -> Result<ShuffleFetcher, TaskFailure> {
    let environment = context.environment();
    let statuses = environment
        .map_statuses(shuffle_id, context)
        .map_err(|error| ask_failure(&error, shuffle_id, reduce_id, context))?;
    let with_data = statuses.iter().flatten().filter(|status| status.size(reduce_id) > 0);
    environment.open_host_local(with_data.map(|status| &status.location), context);
    let mut blocks = Vec::with_capacity(statuses.len());
    for (map_index, status) in statuses.iter().enumerate() {
        let map_index = MapIndex(map_index as u32);
        let Some(status) = status else {
            return Err(missing_output(shuffle_id, map_index, reduce_id, "its location is not known"));
        };
        blocks.push(BlockToFetch {
            block_manager_id: status.location.clone(),
            map_id: status.map_id,
            map_index,
            reduce_start: reduce_id,
            reduce_end: ReduceId(reduce_id.0 + 1),
            size: status.size(reduce_id),
        });
    }
    let shuffle = environment.shuffle();
    let read_context = shuffle.read_context().map_err(|error| TaskFailure::from_error(&error))?;
    let killed = Arc::clone(context.kill_switch().flag());
    Ok(ShuffleFetcher::start(read_context, shuffle_id, blocks, *shuffle.fetch_limits(), killed))
}

/// Spark's `MetadataFetchFailedException`: the stage that wrote the output must run again.
fn missing_output(shuffle_id: ShuffleId, map_index: MapIndex, reduce_id: ReduceId, why: &str) -> TaskFailure {
    TaskFailure::from(TaskEndReason::FetchFailed {
        block_manager_id: None,
        shuffle_id,
        map_id: MapId(u64::MAX),
        map_index,
        reduce_id,
        message: format!("missing an output for shuffle {shuffle_id} partition {reduce_id}: {why}"),
    })
}

fn ask_failure(error: &AskError, shuffle_id: ShuffleId, reduce_id: ReduceId, context: &TaskContext) -> TaskFailure {
    match error {
        AskError::Killed => context.end_if_killed(),
        // The outputs are all there, so running the map stage again would change nothing; nor would asking again.
        AskError::CannotBeSent(_) => return TaskFailure::from_final_error(error),
        AskError::Unreadable(_) => return TaskFailure::from_error(error),
        AskError::TimedOut(_) | AskError::Refused(_) => {}
    }
    missing_output(shuffle_id, MapIndex(0), reduce_id, &error.to_string())
}

fn fetch_failure(error: FetchError, context: &TaskContext) -> TaskFailure {
    match error {
        FetchError::FetchFailed(failed) => TaskFailure::from(TaskEndReason::from(failed)),
        FetchError::Killed => {
            context.end_if_killed();
            TaskFailure::from_error(&error)
        }
        FetchError::LocalDisk(_) | FetchError::Stopped => TaskFailure::from_error(&error),
    }
}

fn read_failure(error: &ReadRecordError) -> TaskFailure {
    match FetchFailedError::find(error) {
        Some(failed) => TaskFailure::from(TaskEndReason::from(failed.clone())),
        // The types' code is the same at the next attempt (RT-32).
        None if matches!(error, ReadRecordError::Misread { .. }) => TaskFailure::from_final_error(error),
        None => TaskFailure::from_error(error),
    }
}
