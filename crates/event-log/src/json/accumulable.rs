//! Accumulators: the user's, and Spark's way of telling task metrics a second time.
//!
//! In Spark, each task metric is an accumulator of its stage, named `internal.metrics.*`. Our metrics are plain numbers;
//! for the log they get ids that no accumulator of an application can have, the same for all tasks of a stage attempt.

use firesteel_model::{
    AccumulableInfo, AccumulatorId, AccumulatorUpdate, AccumulatorValue, StageAttemptId, TaskMetrics,
};

use super::writer::{Array, Object};

/// Names that begin so hold whole numbers; the reader fails on anything else.
const METRICS_PREFIX: &str = "internal.metrics.";
/// Names that begin so are not shown to people.
const INTERNAL_PREFIX: &str = "internal.";

/// One task metric: its name as an accumulator, and where it is.
type Metric = (&'static str, fn(&TaskMetrics) -> u64);

/// Every task metric that we have, in Spark's order.
const METRICS: [Metric; 23] = [
    ("internal.metrics.executorDeserializeTime", |m| m.executor_deserialize_time_ms),
    ("internal.metrics.executorDeserializeCpuTime", |m| m.executor_deserialize_cpu_time_ns),
    ("internal.metrics.executorRunTime", |m| m.executor_run_time_ms),
    ("internal.metrics.executorCpuTime", |m| m.executor_cpu_time_ns),
    ("internal.metrics.resultSize", |m| m.result_size_bytes),
    ("internal.metrics.resultSerializationTime", |m| m.result_serialization_time_ms),
    ("internal.metrics.memoryBytesSpilled", |m| m.memory_bytes_spilled),
    ("internal.metrics.diskBytesSpilled", |m| m.disk_bytes_spilled),
    ("internal.metrics.peakExecutionMemory", |m| m.peak_execution_memory_bytes),
    ("internal.metrics.shuffle.read.remoteBlocksFetched", |m| m.shuffle_read.remote_blocks_fetched),
    ("internal.metrics.shuffle.read.localBlocksFetched", |m| m.shuffle_read.local_blocks_fetched),
    ("internal.metrics.shuffle.read.remoteBytesRead", |m| m.shuffle_read.remote_bytes_read),
    ("internal.metrics.shuffle.read.remoteBytesReadToDisk", |m| m.shuffle_read.remote_bytes_read_to_disk),
    ("internal.metrics.shuffle.read.localBytesRead", |m| m.shuffle_read.local_bytes_read),
    ("internal.metrics.shuffle.read.fetchWaitTime", |m| m.shuffle_read.fetch_wait_time_ms),
    ("internal.metrics.shuffle.read.recordsRead", |m| m.shuffle_read.records_read),
    ("internal.metrics.shuffle.write.bytesWritten", |m| m.shuffle_write.bytes_written),
    ("internal.metrics.shuffle.write.recordsWritten", |m| m.shuffle_write.records_written),
    ("internal.metrics.shuffle.write.writeTime", |m| m.shuffle_write.write_time_ns),
    ("internal.metrics.input.bytesRead", |m| m.input.bytes_read),
    ("internal.metrics.input.recordsRead", |m| m.input.records_read),
    ("internal.metrics.output.bytesWritten", |m| m.output.bytes_written),
    ("internal.metrics.output.recordsWritten", |m| m.output.records_written),
];

/// Above every id that a driver gives out, and below 2^53, up to which JSON readers are exact.
const FIRST_METRIC_ID: u64 = 1 << 52;

/// The id of a metric of a stage attempt. Attempts of a stage share ids after 64 of them, which only a failing cluster
/// reaches, and which no reader minds.
fn metric_id(stage: StageAttemptId, index: usize) -> u64 {
    let (stage_id, attempt) = (u64::from(stage.stage_id.0), u64::from(stage.attempt.0 % 64));
    FIRST_METRIC_ID + ((stage_id * 64 + attempt) * 32) + index as u64
}

/// The task metrics of one task or stage attempt, to be told as accumulators.
pub(crate) struct MetricAccumulables<'a> {
    pub(crate) stage: StageAttemptId,
    /// What one task measured; none for a stage.
    pub(crate) update: Option<&'a TaskMetrics>,
    /// The sums of the stage attempt so far.
    pub(crate) value: &'a TaskMetrics,
}

/// The accumulators of a task or stage: the given ones, and after them the metrics, unless the given ones hold metrics.
pub(crate) fn accumulables<'i>(
    array: &mut Array<'_>,
    infos: impl Iterator<Item = &'i AccumulableInfo> + Clone,
    metrics: Option<&MetricAccumulables<'_>>,
) {
    let is_metric = |info: &AccumulableInfo| info.name.as_ref().is_some_and(|name| name.starts_with(METRICS_PREFIX));
    let metrics = metrics.filter(|_| !infos.clone().any(is_metric));
    for info in infos {
        array.object(|object| accumulable(object, info));
    }
    let Some(metrics) = metrics else { return };
    for (index, (name, read)) in METRICS.iter().enumerate() {
        let (update, value) = (metrics.update.map(read), read(metrics.value));
        // A metric that the task has nothing to say about is left out, as in Spark.
        if update.unwrap_or(value) == 0 {
            continue;
        }
        array.object(|object| {
            object.field("ID", metric_id(metrics.stage, index));
            object.field("Name", name);
            object.optional("Update", update);
            object.field("Value", value);
            object.field("Internal", true);
            object.field("Count Failed Values", true);
        });
    }
}

fn accumulable(object: &mut Object<'_>, info: &AccumulableInfo) {
    members(object, info.id, info.name.as_deref(), [("Update", info.update.as_ref()), ("Value", info.value.as_ref())]);
}

/// What a running task has added so far.
pub(crate) fn accumulator_update(object: &mut Object<'_>, update: &AccumulatorUpdate) {
    members(object, update.id, update.name.as_deref(), [("Update", Some(&update.value)), ("Value", None)]);
}

fn members(
    object: &mut Object<'_>,
    id: AccumulatorId,
    name: Option<&str>,
    values: [(&'static str, Option<&AccumulatorValue>); 2],
) {
    let is_metric = name.is_some_and(|name| name.starts_with(METRICS_PREFIX));
    let internal = name.is_some_and(|name| name.starts_with(INTERNAL_PREFIX));
    object.field("ID", id);
    object.optional("Name", name);
    for (field, value) in values {
        match value {
            None => {}
            Some(AccumulatorValue::Long(number)) if is_metric => object.field(field, number),
            // The user called something else by a metric's name; the reader would fail on its text.
            Some(_) if is_metric => {}
            Some(value) => object.field(field, text_of(value)),
        }
    }
    object.field("Internal", internal);
    object.field("Count Failed Values", internal);
}

/// The value as people see it; Spark writes all but its own metrics as text.
fn text_of(value: &AccumulatorValue) -> String {
    match value {
        AccumulatorValue::Long(number) => number.to_string(),
        AccumulatorValue::Double(number) => format!("{number:?}"),
        AccumulatorValue::Other { display, .. } => display.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use firesteel_model::{StageAttempt, StageAttemptId, StageId};

    use super::{METRICS, metric_id};

    #[test]
    fn metric_ids_are_distinct_and_exact_in_every_reader() {
        let mut ids = HashSet::new();
        for stage_id in [0, 1, 2, u32::MAX] {
            for attempt in [0, 1, 63] {
                let stage = StageAttemptId { stage_id: StageId(stage_id), attempt: StageAttempt(attempt) };
                for index in 0..METRICS.len() {
                    let id = metric_id(stage, index);
                    assert!(id < 1 << 53);
                    assert!(ids.insert(id));
                }
            }
        }
    }
}
