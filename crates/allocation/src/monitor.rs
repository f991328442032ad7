//! Which executors do nothing, since when, and what they hold: Spark's `ExecutorMonitor`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use firesteel_model::{
    BlockId, BlockUpdatedInfo, ExecutorId, ExecutorInfo, JobId, Moment, RddId, ShuffleId, StageId, StageSnapshot,
};

use crate::AllocationOptions;

/// What is known of an executor.
#[derive(Debug)]
struct Tracker {
    info: Arc<ExecutorInfo>,
    running: u32,
    /// Since when it has had no task; kept while it has some.
    idle_since: Moment,
    /// The blocks of data sets that it caches.
    cached: BTreeSet<BlockId>,
    /// Shuffles that it has map outputs of.
    shuffles: BTreeSet<ShuffleId>,
}

/// The executors that are there.
#[derive(Debug, Default)]
pub(crate) struct ExecutorMonitor {
    executors: BTreeMap<ExecutorId, Tracker>,
    /// What stages that write map outputs write, and which jobs need it.
    shuffle_of_stage: BTreeMap<StageId, ShuffleId>,
    jobs_of_shuffle: BTreeMap<ShuffleId, BTreeSet<JobId>>,
}

impl ExecutorMonitor {
    pub(crate) fn added(&mut self, now: Moment, id: &ExecutorId, info: &Arc<ExecutorInfo>) {
        let tracker = Tracker {
            info: Arc::clone(info),
            running: 0,
            idle_since: now,
            cached: BTreeSet::new(),
            shuffles: BTreeSet::new(),
        };
        self.executors.insert(id.clone(), tracker);
    }

    pub(crate) fn removed(&mut self, id: &ExecutorId) {
        self.executors.remove(id);
    }

    /// It was to be given back, but had a task.
    pub(crate) fn kept(&mut self, now: Moment, id: &ExecutorId) {
        if let Some(executor) = self.executors.get_mut(id) {
            executor.idle_since = now;
        }
    }

    pub(crate) fn task_launched(&mut self, id: &ExecutorId) {
        if let Some(executor) = self.executors.get_mut(id) {
            executor.running += 1;
        }
    }

    /// `wrote` is the stage of a map task that succeeded.
    pub(crate) fn task_ended(&mut self, now: Moment, id: &ExecutorId, wrote: Option<StageId>) {
        let Some(executor) = self.executors.get_mut(id) else { return };
        executor.running = executor.running.saturating_sub(1);
        if executor.running == 0 {
            executor.idle_since = now;
        }
        if let Some(shuffle) = wrote.and_then(|stage| self.shuffle_of_stage.get(&stage)) {
            executor.shuffles.insert(*shuffle);
        }
    }

    pub(crate) fn job_started(&mut self, job_id: JobId, stages: &[Arc<StageSnapshot>]) {
        for stage in stages {
            if let Some(shuffle) = stage.shuffle_id {
                self.shuffle_of_stage.insert(stage.id.stage_id, shuffle);
                self.jobs_of_shuffle.entry(shuffle).or_default().insert(job_id);
            }
        }
    }

    pub(crate) fn job_ended(&mut self, now: Moment, job_id: JobId) {
        for (shuffle, jobs) in &mut self.jobs_of_shuffle {
            if !jobs.remove(&job_id) || !jobs.is_empty() {
                continue;
            }
            // The wait that `shuffle_tracking_timeout` means begins when nobody needs it any more.
            for executor in self.executors.values_mut() {
                if executor.running == 0 && executor.shuffles.contains(shuffle) {
                    executor.idle_since = now;
                }
            }
        }
        self.jobs_of_shuffle.retain(|_, jobs| !jobs.is_empty());
    }

    pub(crate) fn shuffle_removed(&mut self, shuffle: ShuffleId) {
        for executor in self.executors.values_mut() {
            executor.shuffles.remove(&shuffle);
        }
        self.jobs_of_shuffle.remove(&shuffle);
        self.shuffle_of_stage.retain(|_, written| *written != shuffle);
    }

    pub(crate) fn block_updated(&mut self, options: &AllocationOptions, update: &BlockUpdatedInfo) {
        let Some(executor) = self.executors.get_mut(&update.block_manager_id.executor_id) else { return };
        if !update.block_id.is_rdd() {
            return;
        }
        let on_disk_only = update.disk_size > 0 && update.memory_size == 0;
        let keeps = update.storage_level.is_valid() && !(on_disk_only && options.disk_blocks_outlive_executors);
        if keeps {
            executor.cached.insert(update.block_id);
        } else {
            executor.cached.remove(&update.block_id);
        }
    }

    pub(crate) fn unpersisted(&mut self, rdd_id: RddId) {
        for executor in self.executors.values_mut() {
            executor.cached.retain(|block| block.rdd_id() != Some(rdd_id));
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.executors.len() as u32
    }

    /// What the executors are that are there.
    pub(crate) fn infos(&self) -> impl Iterator<Item = &ExecutorInfo> {
        self.executors.values().map(|executor| &*executor.info)
    }

    /// Those that have had nothing to do for long enough, the longest first.
    pub(crate) fn timed_out(&self, options: &AllocationOptions, now: Moment) -> Vec<ExecutorId> {
        let due = |(id, executor): (_, &Tracker)| Some((self.due(options, executor)?, id));
        let mut due: Vec<(Moment, &ExecutorId)> =
            self.executors.iter().filter_map(due).filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// When the next one will have had nothing to do for long enough.
    pub(crate) fn next_time_out(&self, options: &AllocationOptions, now: Moment) -> Option<Moment> {
        self.executors.values().filter_map(|executor| self.due(options, executor)).filter(|at| *at > now).min()
    }

    /// When it can be given back; none while it is busy, and for as long as what it holds is needed.
    fn due(&self, options: &AllocationOptions, executor: &Tracker) -> Option<Moment> {
        let shuffles = options.shuffle_tracking && !executor.shuffles.is_empty();
        let needed = || executor.shuffles.iter().any(|shuffle| self.jobs_of_shuffle.contains_key(shuffle));
        if executor.running > 0 || (shuffles && needed()) {
            return None;
        }
        let holds = !executor.cached.is_empty() || shuffles;
        let mut wait = if holds { Duration::ZERO } else { options.executor_idle_timeout };
        if !executor.cached.is_empty() {
            wait = wait.max(options.cached_executor_idle_timeout?);
        }
        if shuffles {
            wait = wait.max(options.shuffle_tracking_timeout?);
        }
        Some(executor.idle_since + wait)
    }
}
