//! What a task measured of itself.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What a task measured of itself. Times are in the unit that the name ends with; sizes are bytes. Field for field what
/// Spark's event log calls `Task Metrics`, less what only a JVM has.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TaskMetrics {
    /// Decoding the task and its stage binary, wall time.
    pub executor_deserialize_time_ms: u64,
    /// The same, processor time.
    pub executor_deserialize_cpu_time_ns: u64,
    /// Running the task, wall time.
    pub executor_run_time_ms: u64,
    /// The same, processor time.
    pub executor_cpu_time_ns: u64,
    /// The serialized result.
    pub result_size_bytes: u64,
    /// Serializing the result, wall time.
    pub result_serialization_time_ms: u64,
    /// Bytes that operators held when they spilled.
    pub memory_bytes_spilled: u64,
    /// Bytes that spilling wrote.
    pub disk_bytes_spilled: u64,
    /// The most execution memory that the task held at once.
    pub peak_execution_memory_bytes: u64,
    /// Reading shuffle blocks.
    pub shuffle_read: ShuffleReadMetrics,
    /// Writing shuffle blocks.
    pub shuffle_write: ShuffleWriteMetrics,
    /// Reading input files or cached blocks.
    pub input: InputMetrics,
    /// Writing output files.
    pub output: OutputMetrics,
}

impl AddAssign<&Self> for TaskMetrics {
    /// Sums of what several tasks measured. Of peak memory too, as in Spark's stage totals.
    fn add_assign(&mut self, other: &Self) {
        self.executor_deserialize_time_ms += other.executor_deserialize_time_ms;
        self.executor_deserialize_cpu_time_ns += other.executor_deserialize_cpu_time_ns;
        self.executor_run_time_ms += other.executor_run_time_ms;
        self.executor_cpu_time_ns += other.executor_cpu_time_ns;
        self.result_size_bytes += other.result_size_bytes;
        self.result_serialization_time_ms += other.result_serialization_time_ms;
        self.memory_bytes_spilled += other.memory_bytes_spilled;
        self.disk_bytes_spilled += other.disk_bytes_spilled;
        self.peak_execution_memory_bytes += other.peak_execution_memory_bytes;
        self.shuffle_read.remote_blocks_fetched += other.shuffle_read.remote_blocks_fetched;
        self.shuffle_read.local_blocks_fetched += other.shuffle_read.local_blocks_fetched;
        self.shuffle_read.fetch_wait_time_ms += other.shuffle_read.fetch_wait_time_ms;
        self.shuffle_read.remote_bytes_read += other.shuffle_read.remote_bytes_read;
        self.shuffle_read.remote_bytes_read_to_disk += other.shuffle_read.remote_bytes_read_to_disk;
        self.shuffle_read.local_bytes_read += other.shuffle_read.local_bytes_read;
        self.shuffle_read.records_read += other.shuffle_read.records_read;
        self.shuffle_write.bytes_written += other.shuffle_write.bytes_written;
        self.shuffle_write.records_written += other.shuffle_write.records_written;
        self.shuffle_write.write_time_ns += other.shuffle_write.write_time_ns;
        self.input.bytes_read += other.input.bytes_read;
        self.input.records_read += other.input.records_read;
        self.output.bytes_written += other.output.bytes_written;
        self.output.records_written += other.output.records_written;
    }
}

/// Reading shuffle blocks.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ShuffleReadMetrics {
    /// Blocks fetched from other executors.
    pub remote_blocks_fetched: u64,
    /// Blocks read from this host.
    pub local_blocks_fetched: u64,
    /// Waiting for blocks with nothing to process, wall time.
    pub fetch_wait_time_ms: u64,
    /// Bytes fetched from other executors.
    pub remote_bytes_read: u64,
    /// The part of them that went straight to disk.
    pub remote_bytes_read_to_disk: u64,
    /// Bytes read from this host.
    pub local_bytes_read: u64,
    /// Records read.
    pub records_read: u64,
}

/// Writing shuffle blocks.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ShuffleWriteMetrics {
    /// Bytes written, compressed.
    pub bytes_written: u64,
    /// Records written.
    pub records_written: u64,
    /// Writing, wall time.
    pub write_time_ns: u64,
}

/// Reading input.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct InputMetrics {
    /// Bytes read.
    pub bytes_read: u64,
    /// Records read.
    pub records_read: u64,
}

/// Writing output.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct OutputMetrics {
    /// Bytes written.
    pub bytes_written: u64,
    /// Records written.
    pub records_written: u64,
}
