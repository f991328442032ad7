//! What a task measures while it runs. Written by the task's thread, read by the heartbeat's.

use std::sync::atomic::{AtomicU64, Ordering};

use firesteel_model::{InputMetrics, OutputMetrics, ShuffleReadMetrics, ShuffleWriteMetrics, TaskMetrics};

/// One number of a task.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    #[inline]
    pub fn add(&self, number: u64) {
        // One thread writes, so a load and a store are enough, and cheaper than a locked addition.
        self.0.store(self.0.load(Ordering::Relaxed) + number, Ordering::Relaxed);
    }

    /// Raises to `number` if that is more.
    pub fn raise_to(&self, number: u64) {
        self.0.fetch_max(number, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! recorder {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counters of [`TaskMetrics`], one task's own.
        #[derive(Debug, Default)]
        pub struct TaskMetricsRecorder {
            $($(#[$doc])* pub $name: Counter,)*
        }
    };
}

recorder! {
    /// Decoding the task and its stage binary, wall time in ms.
    executor_deserialize_time_ms,
    /// The same, processor time in ns.
    executor_deserialize_cpu_time_ns,
    /// Running, wall time in ms.
    executor_run_time_ms,
    /// Running, processor time in ns.
    executor_cpu_time_ns,
    /// The encoded result, in bytes.
    result_size_bytes,
    /// Encoding the result, in ms.
    result_serialization_time_ms,
    /// Bytes that operators held when they spilled.
    memory_bytes_spilled,
    /// Bytes that spilling wrote.
    disk_bytes_spilled,
    /// The most execution memory held at once, in bytes.
    peak_execution_memory_bytes,
    /// Shuffle blocks fetched from other executors.
    remote_blocks_fetched,
    /// Shuffle blocks read from this host.
    local_blocks_fetched,
    /// Waiting for shuffle blocks, in ms.
    fetch_wait_time_ms,
    /// Shuffle bytes fetched from other executors.
    remote_bytes_read,
    /// The part of them that went straight to disk.
    remote_bytes_read_to_disk,
    /// Shuffle bytes read from this host.
    local_bytes_read,
    /// Shuffle records read.
    shuffle_records_read,
    /// Shuffle bytes written.
    shuffle_bytes_written,
    /// Shuffle records written.
    shuffle_records_written,
    /// Writing the shuffle, in ns.
    shuffle_write_time_ns,
    /// Input bytes read.
    input_bytes_read,
    /// Input records read.
    input_records_read,
    /// Output bytes written.
    output_bytes_written,
    /// Output records written.
    output_records_written,
}

impl TaskMetricsRecorder {
    /// Records read so far, from input and shuffle together: what the speculation efficiency filter goes by (RT-47).
    pub fn records_read(&self) -> u64 {
        self.input_records_read.get() + self.shuffle_records_read.get()
    }

    /// The numbers as they are.
    pub fn snapshot(&self) -> TaskMetrics {
        TaskMetrics {
            executor_deserialize_time_ms: self.executor_deserialize_time_ms.get(),
            executor_deserialize_cpu_time_ns: self.executor_deserialize_cpu_time_ns.get(),
            executor_run_time_ms: self.executor_run_time_ms.get(),
            executor_cpu_time_ns: self.executor_cpu_time_ns.get(),
            result_size_bytes: self.result_size_bytes.get(),
            result_serialization_time_ms: self.result_serialization_time_ms.get(),
            memory_bytes_spilled: self.memory_bytes_spilled.get(),
            disk_bytes_spilled: self.disk_bytes_spilled.get(),
            peak_execution_memory_bytes: self.peak_execution_memory_bytes.get(),
            shuffle_read: ShuffleReadMetrics {
                remote_blocks_fetched: self.remote_blocks_fetched.get(),
                local_blocks_fetched: self.local_blocks_fetched.get(),
                fetch_wait_time_ms: self.fetch_wait_time_ms.get(),
                remote_bytes_read: self.remote_bytes_read.get(),
                remote_bytes_read_to_disk: self.remote_bytes_read_to_disk.get(),
                local_bytes_read: self.local_bytes_read.get(),
                records_read: self.shuffle_records_read.get(),
            },
            shuffle_write: ShuffleWriteMetrics {
                bytes_written: self.shuffle_bytes_written.get(),
                records_written: self.shuffle_records_written.get(),
                write_time_ns: self.shuffle_write_time_ns.get(),
            },
            input: InputMetrics {
                bytes_read: self.input_bytes_read.get(),
                records_read: self.input_records_read.get(),
            },
            output: OutputMetrics {
                bytes_written: self.output_bytes_written.get(),
                records_written: self.output_records_written.get(),
            },
        }
    }
}
