//! Task attempts: `Task Info`, `Task Metrics`, `Task End Reason`.

use std::sync::LazyLock;

use firesteel_model::{ExecutorMetrics, TaskEndReason, TaskMetrics, TaskSnapshot};

use super::{
    accumulable::{MetricAccumulables, accumulables},
    executor::{block_manager_id, executor_metrics},
    writer::{Object, object},
};

/// Which accumulators a task is written with.
pub(crate) enum Accumulables<'a> {
    /// None: the task begins, and has added nothing (SPARK-42205).
    None,
    /// The ones of the snapshot, and these metrics.
    All(Option<MetricAccumulables<'a>>),
}

pub(crate) fn task_info(object: &mut Object<'_>, task: &TaskSnapshot, with: &Accumulables<'_>) {
    object.field("Task ID", task.task_id);
    object.field("Index", task.index);
    object.field("Attempt", task.attempt);
    object.field("Partition ID", task.partition);
    object.field("Launch Time", task.launch_time_ms);
    object.field("Executor ID", &task.executor_id);
    object.field("Host", &task.host);
    object.field("Locality", task.locality.name());
    object.field("Speculative", task.speculative);
    object.field("Getting Result Time", task.getting_result_time_ms);
    object.field("Finish Time", task.finish_time_ms);
    object.field("Failed", task.failed);
    object.field("Killed", task.killed);
    object.array("Accumulables", |array| {
        if let Accumulables::All(metrics) = with {
            accumulables(array, task.accumulables.iter(), metrics.as_ref());
        }
    });
}

/// The same object in every line, so it is made once: nothing is measured for a single task.
static NO_EXECUTOR_METRICS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut json = Vec::new();
    object(&mut json, |object| executor_metrics(object, &ExecutorMetrics::default()));
    json
});

static NO_PUSH_BASED_SHUFFLE: LazyLock<Vec<u8>> = LazyLock::new(|| zeros(&PUSH_BASED_SHUFFLE));

fn zeros(names: &[&'static str]) -> Vec<u8> {
    let mut json = Vec::new();
    object(&mut json, |object| names.iter().for_each(|name| object.field(name, 0)));
    json
}

pub(crate) fn no_executor_metrics(object: &mut Object<'_>) {
    object.written("Task Executor Metrics", &NO_EXECUTOR_METRICS);
}

const PUSH_BASED_SHUFFLE: [&str; 9] = [
    "Corrupt Merged Block Chunks",
    "Merged Fetch Fallback Count",
    "Merged Remote Blocks Fetched",
    "Merged Local Blocks Fetched",
    "Merged Remote Chunks Fetched",
    "Merged Local Chunks Fetched",
    "Merged Remote Bytes Read",
    "Merged Local Bytes Read",
    "Merged Remote Requests Duration",
];

pub(crate) fn task_metrics(object: &mut Object<'_>, metrics: &TaskMetrics) {
    object.field("Executor Deserialize Time", metrics.executor_deserialize_time_ms);
    object.field("Executor Deserialize CPU Time", metrics.executor_deserialize_cpu_time_ns);
    object.field("Executor Run Time", metrics.executor_run_time_ms);
    object.field("Executor CPU Time", metrics.executor_cpu_time_ns);
    object.field("Peak Execution Memory", metrics.peak_execution_memory_bytes);
    object.field("Peak On Heap Execution Memory", 0);
    object.field("Peak Off Heap Execution Memory", 0);
    object.field("Result Size", metrics.result_size_bytes);
    object.field("JVM GC Time", 0);
    object.field("Result Serialization Time", metrics.result_serialization_time_ms);
    object.field("Memory Bytes Spilled", metrics.memory_bytes_spilled);
    object.field("Disk Bytes Spilled", metrics.disk_bytes_spilled);
    object.object("Shuffle Read Metrics", |object| {
        let read = &metrics.shuffle_read;
        object.field("Remote Blocks Fetched", read.remote_blocks_fetched);
        object.field("Local Blocks Fetched", read.local_blocks_fetched);
        object.field("Fetch Wait Time", read.fetch_wait_time_ms);
        object.field("Remote Bytes Read", read.remote_bytes_read);
        object.field("Remote Bytes Read To Disk", read.remote_bytes_read_to_disk);
        object.field("Local Bytes Read", read.local_bytes_read);
        object.field("Total Records Read", read.records_read);
        object.field("Remote Requests Duration", 0);
        object.written("Push Based Shuffle", &NO_PUSH_BASED_SHUFFLE);
    });
    object.object("Shuffle Write Metrics", |object| {
        object.field("Shuffle Bytes Written", metrics.shuffle_write.bytes_written);
        object.field("Shuffle Write Time", metrics.shuffle_write.write_time_ns);
        object.field("Shuffle Records Written", metrics.shuffle_write.records_written);
    });
    object.object("Input Metrics", |object| {
        object.field("Bytes Read", metrics.input.bytes_read);
        object.field("Records Read", metrics.input.records_read);
    });
    object.object("Output Metrics", |object| {
        object.field("Bytes Written", metrics.output.bytes_written);
        object.field("Records Written", metrics.output.records_written);
    });
    object.array("Updated Blocks", |_| {});
}

pub(crate) fn task_end_reason(object: &mut Object<'_>, reason: &TaskEndReason) {
    match reason {
        TaskEndReason::Success => object.field("Reason", "Success"),
        TaskEndReason::Resubmitted => object.field("Reason", "Resubmitted"),
        TaskEndReason::TaskResultLost => object.field("Reason", "TaskResultLost"),
        TaskEndReason::FetchFailed { block_manager_id: address, shuffle_id, map_id, map_index, reduce_id, message } => {
            object.field("Reason", "FetchFailed");
            if let Some(address) = address {
                object.object("Block Manager Address", |object| block_manager_id(object, address));
            }
            object.field("Shuffle ID", shuffle_id);
            object.field("Map ID", map_id);
            object.field("Map Index", map_index);
            object.field("Reduce ID", reduce_id);
            object.field("Message", message);
        }
        TaskEndReason::ExceptionFailure { class_name, description, .. } => {
            object.field("Reason", "ExceptionFailure");
            object.field("Class Name", class_name);
            object.field("Description", description);
            // Frames of a JVM's stack; the text below is what the history server shows.
            object.array("Stack Trace", |_| {});
            object.field("Full Stack Trace", reason.to_string());
            object.array("Accumulator Updates", |_| {});
        }
        TaskEndReason::TaskKilled { reason } => {
            object.field("Reason", "TaskKilled");
            object.field("Kill Reason", reason);
            object.array("Accumulator Updates", |_| {});
        }
        TaskEndReason::TaskCommitDenied { stage_id, partition, attempt_number } => {
            object.field("Reason", "TaskCommitDenied");
            object.field("Job ID", stage_id);
            object.field("Partition ID", partition);
            object.field("Attempt Number", attempt_number);
        }
        TaskEndReason::ExecutorLostFailure { executor_id, exit_caused_by_app, reason } => {
            object.field("Reason", "ExecutorLostFailure");
            object.field("Executor ID", executor_id);
            object.field("Exit Caused By App", exit_caused_by_app);
            object.optional("Loss Reason", reason.as_ref());
        }
    }
}
