//! One executor as the Executors page has it (UI-15).

use std::{collections::BTreeSet, sync::Arc};

use firesteel_model::{ExecutorId, ExecutorInfo, StageAttemptId, TaskMetrics};

/// One executor, alive or gone; the numbers of Spark's `ExecutorSummary`.
#[derive(Clone, Debug)]
pub struct ExecutorStatus {
    /// Which.
    pub id: ExecutorId,
    /// The host its block manager or its registration named.
    pub host: String,
    /// The port of its block manager; 0 before one registered.
    pub port: u16,
    /// What it is; none for the driver's own block manager.
    pub info: Option<Arc<ExecutorInfo>>,
    /// When it registered.
    pub add_time_ms: i64,
    /// When it was removed.
    pub remove_time_ms: Option<i64>,
    /// Why, in words.
    pub remove_reason: Option<String>,
    /// Tasks that run on it.
    pub active_tasks: u64,
    /// Task attempts that succeeded on it.
    pub completed_tasks: u64,
    /// Task attempts that failed on it; killed ones count with neither.
    pub failed_tasks: u64,
    /// Task attempts that were started on it.
    pub total_tasks: u64,
    /// Wall time of its ended task attempts.
    pub total_duration_ms: u64,
    /// Sums of what its tasks measured.
    pub totals: TaskMetrics,
    /// It gets no tasks of any stage.
    pub excluded: bool,
    /// It gets no tasks of these stage attempts.
    pub excluded_in_stages: BTreeSet<StageAttemptId>,
    /// RDD blocks it holds.
    pub rdd_blocks: u64,
    /// Bytes of them in memory.
    pub memory_used: u64,
    /// Bytes of them on disk.
    pub disk_used: u64,
    /// Its storage memory in bytes.
    pub maximum_memory: u64,
    /// The part of it on heap.
    pub maximum_on_heap_memory: u64,
    /// The part of it off heap.
    pub maximum_off_heap_memory: u64,
}

impl ExecutorStatus {
    pub(crate) fn new(id: ExecutorId, host: String, add_time_ms: i64) -> Self {
        Self {
            id,
            host,
            port: 0,
            info: None,
            add_time_ms,
            remove_time_ms: None,
            remove_reason: None,
            active_tasks: 0,
            completed_tasks: 0,
            failed_tasks: 0,
            total_tasks: 0,
            total_duration_ms: 0,
            totals: TaskMetrics::default(),
            excluded: false,
            excluded_in_stages: BTreeSet::new(),
            rdd_blocks: 0,
            memory_used: 0,
            disk_used: 0,
            maximum_memory: 0,
            maximum_on_heap_memory: 0,
            maximum_off_heap_memory: 0,
        }
    }

    /// Is it there?
    pub fn is_active(&self) -> bool {
        self.remove_time_ms.is_none()
    }

    /// How many cores it offers; 0 where nothing told.
    pub fn cores(&self) -> u32 {
        self.info.as_ref().map_or(0, |info| info.cores)
    }
}
