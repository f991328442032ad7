//! What spilling collections of a task share.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use firesteel_executor::{Environment, TaskContext};
use firesteel_external_collections::{
    EncryptedBlocks, ExecutionMemory, Lz4Blocks, PlainBlocks, SpillCodec, SpillContext, SpillMetrics, SpillOptions,
};
use firesteel_local_dirs::LocalDirs;
use firesteel_model::BlockId;

/// Memory, directories, kill flag and counters for the collections of one operator of a task.
pub(crate) struct TaskSpill(SpillContext);

impl TaskSpill {
    /// What spills counts towards the task's metrics when the task ends.
    pub(crate) fn of(context: &Arc<TaskContext>) -> Self {
        let metrics = Arc::new(SpillMetrics::default());
        let counted = Arc::clone(&metrics);
        context.on_completion(move |context| {
            let task = context.metrics();
            task.memory_bytes_spilled.add(counted.memory_bytes_spilled());
            task.disk_bytes_spilled.add(counted.disk_bytes_spilled());
            task.peak_execution_memory_bytes.add(counted.peak_execution_memory_bytes());
        });
        let environment = context.environment();
        let memory = Arc::new(TaskExecutionMemory(context.memory().clone()));
        let directory = SpillFiles(Arc::clone(environment.local_dirs()));
        let options =
            SpillOptions { force_spill_records: environment.force_spill_records(), ..SpillOptions::default() };
        let spill = SpillContext::new(memory, Arc::new(move || directory.new_file()))
            .with_kill_flag(Arc::clone(context.kill_switch().flag()))
            .with_recalls(Arc::clone(context.memory().recalls()))
            .with_metrics(metrics)
            .with_options(options);
        Self(spill.with_codec(codec(environment)))
    }

    pub(crate) fn context(&self) -> &SpillContext {
        &self.0
    }
}

/// Blocks are compressed if they are to be, and then encrypted if they are to be.
fn codec(environment: &Environment) -> Arc<dyn SpillCodec> {
    match (environment.compress_spills(), environment.local_dirs().encryption().cloned()) {
        (false, None) => Arc::new(PlainBlocks),
        (true, None) => Arc::new(Lz4Blocks),
        (false, Some(encryption)) => Arc::new(EncryptedBlocks::new(PlainBlocks, encryption)),
        (true, Some(encryption)) => Arc::new(EncryptedBlocks::new(Lz4Blocks, encryption)),
    }
}

struct TaskExecutionMemory(firesteel_block_store::TaskMemory);

impl ExecutionMemory for TaskExecutionMemory {
    fn acquire(&self, bytes: u64) -> u64 {
        self.0.acquire(bytes)
    }

    fn release(&self, bytes: u64) {
        self.0.release(bytes);
    }
}

/// Names spill files; unique in the process, and so in its directories.
struct SpillFiles(Arc<LocalDirs>);

impl SpillFiles {
    fn new_file(&self) -> io::Result<PathBuf> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.0.path_to_write(&BlockId::TempLocal(number).to_string())
    }
}
