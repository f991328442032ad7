//! Operators without parents that make records out of what the driver sent.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use firesteel_closure::{Closure, ConstructError};
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_model::{Partition, RddId, TaskEndReason};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    data::{Data, Records},
    interruptible::Interruptible,
    node::{Operator, Parents},
};

/// `parallelize`: each task brings its slice as payload, or why the driver could not encode it.
pub(crate) struct ParallelCollection<T> {
    rdd_id: RddId,
    records: PhantomData<fn() -> T>,
}

impl<T: Data> Operator for ParallelCollection<T> {
    type Env = RddId;
    type Item = T;

    fn construct(rdd_id: RddId, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { rdd_id, records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let slice: Result<Vec<T>, String> = decode_payload(self.rdd_id, partition, context);
        let slice = slice.unwrap_or_else(|reason| {
            let record = std::any::type_name::<T>();
            fail(format!("a record of type {record} in partition {partition} of a parallelized collection cannot be encoded: {reason}"))
        });
        Box::new(Interruptible::new(slice.into_iter(), context))
    }
}

/// `parallelize_pieces`: each task brings its piece as payload.
pub(crate) struct Pieces<T, F> {
    rdd_id: RddId,
    read: Closure<F>,
    records: PhantomData<fn() -> T>,
}

impl<T: Data, F> Operator for Pieces<T, F>
where
    F: Fn(Bytes) -> Records<T> + Copy + Send + Sync + 'static,
{
    type Env = RddId;
    type Item = T;

    fn construct(rdd_id: RddId, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { rdd_id, read: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let piece = payload(self.rdd_id, partition, context).clone();
        Box::new(Interruptible::new((self.read.get())(piece), context))
    }
}

/// What the driver sent along for a partition of a source.
///
/// Unwinds as a final failure if it is not there: another attempt would find the same.
fn payload(rdd_id: RddId, partition: Partition, context: &TaskContext) -> &Bytes {
    context
        .payload(rdd_id, partition)
        .unwrap_or_else(|| fail(format!("the task came without its data for partition {partition} of RDD {rdd_id}")))
}

/// The same, decoded; it must be what it should be, too.
pub(crate) fn decode_payload<P: DeserializeOwned>(rdd_id: RddId, partition: Partition, context: &TaskContext) -> P {
    match crate::data::decode(payload(rdd_id, partition, context)) {
        Ok(payload) => payload,
        Err(error) => {
            fail(format!("the task's data for partition {partition} of RDD {rdd_id} cannot be decoded: {error}"))
        }
    }
}

/// Another attempt would find the same.
fn fail(description: String) -> ! {
    TaskFailure::from(TaskEndReason::ExceptionFailure {
        class_name: "TaskPayloadError".to_owned(),
        description,
        stack_trace: String::new(),
        retryable: false,
    })
    .throw()
}

/// `range`: whole numbers, computed from the partition's index.
pub(crate) struct RangeSource(RangeEnv);

/// The numbers `start`, `start + step`, …, `count` of them, in `partitions` slices of almost equal length.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct RangeEnv {
    pub(crate) start: i64,
    pub(crate) step: i64,
    pub(crate) count: u64,
    pub(crate) partitions: u32,
}

impl Operator for RangeSource {
    type Env = RangeEnv;
    type Item = i64;

    fn construct(env: RangeEnv, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self(env))
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<i64> {
        let RangeEnv { start, step, count, partitions } = self.0;
        let (from, until) = slice_bounds(count, partitions, partition.0);
        // Wrapping is right: every number of the range itself fits, only the factors may not.
        let numbers = (from..until).map(move |index| start.wrapping_add((index as i64).wrapping_mul(step)));
        Box::new(Interruptible::new(numbers, context))
    }
}

/// Where slice `index` of `slices` begins and ends in a sequence of `count` elements: Spark's rule, which spreads the
/// remainder evenly.
pub(crate) fn slice_bounds(count: u64, slices: u32, index: u32) -> (u64, u64) {
    let at = |index: u32| (u128::from(index) * u128::from(count) / u128::from(slices)) as u64;
    (at(index), at(index + 1))
}

#[cfg(test)]
mod tests {
    use super::slice_bounds;

    #[test]
    fn slices_cover_the_sequence() {
        for (count, slices) in [(0, 1), (1, 3), (10, 3), (10, 10), (7, 20), (u64::MAX, 7)] {
            let mut next = 0;
            for index in 0..slices {
                let (from, until) = slice_bounds(count, slices, index);
                assert_eq!(from, next);
                next = until;
            }
            assert_eq!(next, count);
        }
    }
}
