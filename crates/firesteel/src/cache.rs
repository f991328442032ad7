//! Persisted partitions: read from where they are, or computed and stored (RT-50).

use std::sync::Arc;

use firesteel_block_store::{BlockSource, FoundBlock, RecordCodec, RecordsIter};
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_model::{BlockId, Partition, RddId, StorageLevel};

use crate::{
    data::{Data, DataCodec, Records},
    interruptible::Interruptible,
};

/// The records of a partition of a persisted RDD. `compute` is called if no executor has the block, by one task of this
/// process at a time. A partition that finds no room is not stored, and its records come all the same (RT-53).
///
/// Values that are kept as values are cloned one by one as they are asked for.
pub(crate) fn get_or_compute<T: Data>(
    rdd_id: RddId,
    partition: Partition,
    level: StorageLevel,
    context: &Arc<TaskContext>,
    compute: impl FnOnce() -> Records<T>,
) -> Records<T> {
    let codec: Arc<dyn RecordCodec<T>> = Arc::new(DataCodec::new());
    let compute = || Ok::<_, TaskFailure>(compute().map(Ok));
    let blocks = context.environment().storage().blocks();
    let _in_hand = context.computes_block();
    let found = blocks.get_or_compute(context.memory(), BlockId::Rdd(rdd_id, partition), level, &codec, compute);
    match found {
        Ok(FoundBlock { records, source: BlockSource::Computed, .. }) => Box::new(OrThrow(records.into_iter())),
        Ok(FoundBlock { records, bytes, .. }) => {
            context.metrics().input_bytes_read.add(bytes);
            let read = ReadFromCache { records: OrThrow(records.into_iter()), context: Arc::clone(context) };
            Box::new(Interruptible::new(read, context))
        }
        Err(failure) => failure.throw(),
    }
}

/// Records whose errors end the task.
struct OrThrow<T>(RecordsIter<'static, T, TaskFailure>);

impl<T: Clone> Iterator for OrThrow<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self.0.next()? {
            Ok(record) => Some(record),
            Err(failure) => failure.throw(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Counts what comes out of the cache as the task's input, as Spark does.
struct ReadFromCache<T> {
    records: OrThrow<T>,
    context: Arc<TaskContext>,
}

impl<T: Clone> Iterator for ReadFromCache<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let record = self.records.next();
        self.context.metrics().input_records_read.add(u64::from(record.is_some()));
        record
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}
