//! One stage attempt as people see it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use firesteel_model::{ExecutorId, JobId, StageAttemptId, StageSnapshot, TaskId, TaskMetrics};

use crate::TaskRow;

/// More kill reasons than this are counted under one: reasons hold free text.
const KILL_REASONS_MAX: usize = 32;

/// How a stage attempt stands; Spark's `StageStatus`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StageState {
    /// Part of a job that runs, and not submitted.
    Pending,
    /// Submitted.
    Active,
    /// It succeeded.
    Complete,
    /// It failed.
    Failed,
    /// The job ended without it.
    Skipped,
}

impl StageState {
    /// Spark's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// One stage attempt: the numbers of Spark's `StageData`.
#[derive(Clone, Debug)]
pub struct StageStatus {
    /// What the scheduler last told of it: names, RDDs, times, accumulators.
    pub snapshot: Arc<StageSnapshot>,
    /// How it stands.
    pub state: StageState,
    /// The description of the job it was first needed by.
    pub description: Option<String>,
    /// The pool it is scheduled in.
    pub pool: String,
    /// The jobs that need it or needed it.
    pub jobs: Vec<JobId>,
    /// When its first task was launched.
    pub first_task_launched_time_ms: Option<i64>,
    /// Tasks that run.
    pub active_tasks: u64,
    /// Task attempts that succeeded.
    pub completed_tasks: u64,
    /// Tasks of which one attempt succeeded.
    pub completed_indices: u64,
    /// Task attempts that failed.
    pub failed_tasks: u64,
    /// Task attempts that were killed.
    pub killed_tasks: u64,
    /// Speculative copies that were asked for.
    pub speculative_tasks: u64,
    /// What is left of it fits no executor (RT-75).
    pub unschedulable: bool,
    /// How many tasks were killed for each reason.
    pub killed_tasks_summary: BTreeMap<String, u64>,
    /// Sums of what its task attempts measured.
    pub totals: TaskMetrics,
    /// The same for each executor.
    pub executors: BTreeMap<ExecutorId, ExecutorStageTotals>,
    pub(crate) done: CompletedIndices,
    pub(crate) tasks: TaskRows,
}

/// What one executor did for one stage attempt.
#[derive(Clone, Debug, Default)]
pub struct ExecutorStageTotals {
    /// Wall time of ended task attempts.
    pub task_time_ms: u64,
    /// Task attempts that succeeded.
    pub succeeded_tasks: u64,
    /// Task attempts that failed.
    pub failed_tasks: u64,
    /// Task attempts that were killed.
    pub killed_tasks: u64,
    /// It gets no more tasks of this stage attempt.
    pub excluded: bool,
    /// Sums of what its task attempts measured.
    pub totals: TaskMetrics,
}

/// A running stage attempt as the progress bar draws it (UI-20) and the status tracker returns it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StageProgress {
    /// Which.
    pub id: StageAttemptId,
    /// When it was submitted.
    pub submission_time_ms: i64,
    /// How many tasks it has.
    pub tasks: u64,
    /// How many run.
    pub active_tasks: u64,
    /// How many have succeeded; a task that succeeded twice, because a speculative copy ran, counts once.
    pub completed_tasks: u64,
    /// How many attempts have failed.
    pub failed_tasks: u64,
}

impl StageStatus {
    pub(crate) fn new(snapshot: Arc<StageSnapshot>, description: Option<String>, pool: String) -> Self {
        Self {
            snapshot,
            state: StageState::Pending,
            description,
            pool,
            jobs: Vec::new(),
            first_task_launched_time_ms: None,
            active_tasks: 0,
            completed_tasks: 0,
            completed_indices: 0,
            failed_tasks: 0,
            killed_tasks: 0,
            speculative_tasks: 0,
            unschedulable: false,
            killed_tasks_summary: BTreeMap::new(),
            totals: TaskMetrics::default(),
            executors: BTreeMap::new(),
            done: CompletedIndices::default(),
            tasks: TaskRows::default(),
        }
    }

    /// Which stage attempt.
    pub fn id(&self) -> StageAttemptId {
        self.snapshot.id
    }

    /// Its progress in numbers.
    pub fn progress(&self) -> StageProgress {
        StageProgress {
            id: self.snapshot.id,
            submission_time_ms: self.snapshot.submission_time_ms.unwrap_or(0),
            tasks: u64::from(self.snapshot.tasks),
            active_tasks: self.active_tasks,
            completed_tasks: self.completed_indices,
            failed_tasks: self.failed_tasks,
        }
    }

    /// The task rows that are kept, in the order of task ids.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskRow> {
        self.tasks.rows.values()
    }

    /// One task row, if it is kept.
    pub fn task(&self, task_id: TaskId) -> Option<&TaskRow> {
        self.tasks.rows.get(&task_id)
    }

    /// How many task rows were dropped.
    pub fn dropped_tasks(&self) -> u64 {
        self.tasks.dropped
    }
}

/// Counts one more task that was killed for `reason`.
pub(crate) fn count_kill(summary: &mut BTreeMap<String, u64>, reason: &str) {
    let known = summary.contains_key(reason) || summary.len() < KILL_REASONS_MAX;
    *summary.entry(if known { reason } else { "other reasons" }.to_owned()).or_default() += 1;
}

/// Which indices have a success: one bit each, given back when the stage attempt ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompletedIndices(Vec<u64>);

impl CompletedIndices {
    /// Notes the index. Was it the first time?
    pub(crate) fn insert(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1u64 << (index % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Forgets the index. Was it there?
    pub(crate) fn remove(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1u64 << (index % 64));
        let Some(word) = self.0.get_mut(word) else { return false };
        let known = *word & bit != 0;
        *word &= !bit;
        known
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

/// The task rows of one stage attempt. Ended ones are dropped in the order in which they ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskRows {
    pub(crate) rows: BTreeMap<TaskId, TaskRow>,
    ended: VecDeque<TaskId>,
    dropped: u64,
}

impl TaskRows {
    pub(crate) fn insert(&mut self, row: TaskRow) {
        self.rows.insert(row.task_id, row);
    }

    pub(crate) fn note_end(&mut self, task_id: TaskId) {
        self.ended.push_back(task_id);
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Drops ended rows until no more than `limit` are left or every one that is left runs. How many were dropped?
    pub(crate) fn shrink_to(&mut self, limit: usize) -> usize {
        let before = self.rows.len();
        while self.rows.len() > limit {
            let Some(task_id) = self.ended.pop_front() else { break };
            self.rows.remove(&task_id);
        }
        let removed = before - self.rows.len();
        self.dropped += removed as u64;
        removed
    }
}
