//! What a task hands to its collections: memory to ask for, a place to spill to, a flag that stops it, and counters.
//!
//! The collections know neither the memory manager nor the disk manager. They see two traits, so that the executor's pools
//! (RT-52) and local directories (RT-17) can serve them, and a test can refuse every byte.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use crate::{PlainBlocks, SpillCodec, SpillError};

/// Execution memory of one task (RT-52). Implemented by the executor's memory manager.
pub trait ExecutionMemory: Send + Sync {
    /// Asks for `bytes` and returns how many were granted: anything from 0 to `bytes`. May block until a fair share is free.
    fn acquire(&self, bytes: u64) -> u64;
    /// Gives back bytes that [`acquire`](Self::acquire) granted.
    fn release(&self, bytes: u64);
}

/// Where spill files go. Implemented for every `Fn() -> io::Result<PathBuf>`.
pub trait SpillDirectory: Send + Sync {
    /// The path of a file that does not exist yet, in a directory that does. Two calls never give the same path.
    fn new_file(&self) -> io::Result<PathBuf>;
}

impl<F: Fn() -> io::Result<PathBuf> + Send + Sync> SpillDirectory for F {
    fn new_file(&self) -> io::Result<PathBuf> {
        self()
    }
}

/// What spilling has cost a task so far. Shared by all its collections; goes into the task metrics of the same names.
#[derive(Debug, Default)]
pub struct SpillMetrics {
    memory_bytes_spilled: AtomicU64,
    disk_bytes_spilled: AtomicU64,
    spills: AtomicU64,
    peak_execution_memory_bytes: AtomicU64,
    held_bytes: AtomicU64,
}

impl SpillMetrics {
    /// Estimated bytes in memory of everything that was spilled, Spark's `Memory Bytes Spilled`.
    pub fn memory_bytes_spilled(&self) -> u64 {
        self.memory_bytes_spilled.load(Relaxed)
    }

    /// Bytes written to spill files, merge passes included, Spark's `Disk Bytes Spilled`.
    pub fn disk_bytes_spilled(&self) -> u64 {
        self.disk_bytes_spilled.load(Relaxed)
    }

    /// How often a collection wrote its memory to disk. Merge passes are not counted.
    pub fn spills(&self) -> u64 {
        self.spills.load(Relaxed)
    }

    /// The most execution memory that the collections held at once, as granted.
    pub fn peak_execution_memory_bytes(&self) -> u64 {
        self.peak_execution_memory_bytes.load(Relaxed)
    }

    pub(crate) fn count_spill(&self, memory_bytes: u64) {
        self.spills.fetch_add(1, Relaxed);
        self.memory_bytes_spilled.fetch_add(memory_bytes, Relaxed);
    }

    pub(crate) fn count_written(&self, bytes: u64) {
        self.disk_bytes_spilled.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn count_granted(&self, bytes: u64) {
        let held = self.held_bytes.fetch_add(bytes, Relaxed) + bytes;
        self.peak_execution_memory_bytes.fetch_max(held, Relaxed);
    }

    pub(crate) fn count_released(&self, bytes: u64) {
        self.held_bytes.fetch_sub(bytes, Relaxed);
    }
}

/// Sizes and limits of the collections. Each field names the Spark key that fills it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpillOptions {
    /// Bytes that each collection may use before it asks for memory: `spark.shuffle.spill.initialMemoryThreshold`, 5 MiB.
    /// This much is what keeps a task going when every request is refused.
    pub initial_memory_bytes: u64,
    /// A collection with this many records in memory spills whatever it was granted:
    /// `spark.shuffle.spill.numElementsForceSpillThreshold`, without a limit by default.
    pub force_spill_records: u64,
    /// Records are written and read in blocks of about this size; a larger record makes a larger block. 64 KiB: twice
    /// Spark's `spark.shuffle.file.buffer`, since a block is also what one checksum covers.
    pub block_bytes: usize,
    /// So many runs are merged at once, each with one open file and one block in memory. More runs are first merged into
    /// fewer. At least 2. 64 keeps a merge within 4 MiB and 64 descriptors.
    pub max_open_runs: usize,
}

impl Default for SpillOptions {
    fn default() -> Self {
        Self { initial_memory_bytes: 5 << 20, force_spill_records: u64::MAX, block_bytes: 64 << 10, max_open_runs: 64 }
    }
}

/// Everything that a collection needs from its task. Cheap to clone; all clones share the counters and the kill flag.
#[derive(Clone)]
pub struct SpillContext {
    pub(crate) memory: Arc<dyn ExecutionMemory>,
    pub(crate) directory: Arc<dyn SpillDirectory>,
    pub(crate) codec: Arc<dyn SpillCodec>,
    pub(crate) killed: Arc<AtomicBool>,
    pub(crate) recalls: Arc<AtomicU64>,
    pub(crate) metrics: Arc<SpillMetrics>,
    pub(crate) options: SpillOptions,
}

impl fmt::Debug for SpillContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SpillContext")
            .field("killed", &self.killed)
            .field("metrics", &self.metrics)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl SpillContext {
    /// A context with default options, fresh counters, a flag that nobody has raised, and blocks written as they are.
    pub fn new(memory: Arc<dyn ExecutionMemory>, directory: Arc<dyn SpillDirectory>) -> Self {
        Self {
            memory,
            directory,
            codec: Arc::new(PlainBlocks),
            killed: Arc::new(AtomicBool::new(false)),
            recalls: Arc::default(),
            metrics: Arc::new(SpillMetrics::default()),
            options: SpillOptions::default(),
        }
    }

    /// Compresses or encrypts spilled blocks (`spark.shuffle.spill.compress`, `spark.io.encryption.enabled`).
    pub fn with_codec(mut self, codec: Arc<dyn SpillCodec>) -> Self {
        self.codec = codec;
        self
    }

    /// The task's kill flag: while it is true, every operation of a collection ends in [`SpillError::Killed`].
    pub fn with_kill_flag(mut self, killed: Arc<AtomicBool>) -> Self {
        self.killed = killed;
        self
    }

    /// A number that grows when the process holds more than it was given: collections that see it grow spill what they hold,
    /// whatever they were granted, for what they take their records to be may be too little.
    pub fn with_recalls(mut self, recalls: Arc<AtomicU64>) -> Self {
        self.recalls = recalls;
        self
    }

    /// Counters that the task already keeps.
    pub fn with_metrics(mut self, metrics: Arc<SpillMetrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Other sizes and limits.
    ///
    /// # Panics
    ///
    /// If fewer than two runs may be open: nothing can be merged one by one.
    pub fn with_options(mut self, options: SpillOptions) -> Self {
        assert!(options.max_open_runs >= 2, "at least two runs must be open to merge them");
        self.options = options;
        self
    }

    /// The counters.
    pub fn metrics(&self) -> &Arc<SpillMetrics> {
        &self.metrics
    }

    /// The sizes and limits.
    pub fn options(&self) -> &SpillOptions {
        &self.options
    }

    pub(crate) fn check_killed(&self) -> Result<(), SpillError> {
        if self.killed.load(Relaxed) { Err(SpillError::Killed) } else { Ok(()) }
    }
}

/// A fixed number of bytes, granted first come first served and never blocking: for tools, benchmarks and tests that run
/// without an executor.
#[derive(Debug)]
pub struct FixedMemory {
    free_bytes: AtomicU64,
}

impl FixedMemory {
    /// This many bytes in all.
    pub fn new(bytes: u64) -> Self {
        Self { free_bytes: AtomicU64::new(bytes) }
    }

    /// What is left.
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Relaxed)
    }
}

impl ExecutionMemory for FixedMemory {
    fn acquire(&self, bytes: u64) -> u64 {
        let before = self.free_bytes.fetch_update(Relaxed, Relaxed, |free| Some(free.saturating_sub(bytes)));
        bytes.min(before.unwrap_or(0))
    }

    fn release(&self, bytes: u64) {
        self.free_bytes.fetch_add(bytes, Relaxed);
    }
}
