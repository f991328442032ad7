//! The tasks of one stage attempt: which wait, which run, which are done. Spark's `TaskSetManager`.
//!
//! A set may hold a million tasks, so what is kept per task is a few bytes in flat arrays; only running and failed tasks have
//! entries of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::Discriminant,
    sync::Arc,
};

use firesteel_model::{
    ByteCount, JobId, Partition, ResourceProfileId, ShuffleId, StageAttemptId, TaskAttemptNumber, TaskId, TaskLocality,
};

use crate::{
    ExclusionOptions, LocalityOptions, Moment, StarvationReason, TaskRequirements,
    bit_set::BitSet,
    executors::{Executors, HostKey, Preference},
    health::TaskSetExclusion,
    median::Median,
    pending::{Offerer, PendingTasks, Verdict},
};

/// What the tasks of a set make.
#[derive(Clone, Debug)]
pub(crate) enum TaskKind {
    /// Map outputs; the output number is the partition.
    Map { shuffle_id: ShuffleId },
    /// Results; the output number is the place in the job's list of partitions.
    Result { job_id: JobId, partitions: Arc<[Partition]> },
}

/// The preferred locations of all tasks, flat.
#[derive(Debug, Default)]
pub(crate) struct Preferences {
    /// Where the locations of task `i` end; empty if no task has any.
    ends: Vec<u32>,
    flat: Vec<Preference>,
}

impl Preferences {
    pub(crate) fn push(&mut self, locations: impl IntoIterator<Item = Preference>) {
        self.flat.extend(locations);
        self.ends.push(self.flat.len() as u32);
    }

    pub(crate) fn of(&self, index: u32) -> &[Preference] {
        let Some(&end) = self.ends.get(index as usize) else { return &[] };
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.flat[start as usize..end as usize]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flat.is_empty()
    }
}

/// The life of a task set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TaskSetState {
    /// Its stage binary is being made.
    Preparing,
    /// Its tasks may be launched.
    Active,
    /// Nothing of it is launched any more; it goes when its last task has ended. Spark's word.
    Zombie,
}

/// What one offer round found out about a task set (RT-22).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundOutcome {
    pub(crate) launched: u32,
    /// An offer was refused to wait for a better one.
    pub(crate) refused_for_delay: bool,
    pub(crate) nearest: Option<TaskLocality>,
}

#[derive(Debug)]
pub(crate) struct TaskSet {
    pub(crate) id: StageAttemptId,
    pub(crate) kind: TaskKind,
    pub(crate) state: TaskSetState,
    pub(crate) barrier: bool,
    /// The map-output epoch when it was made.
    pub(crate) epoch: u64,
    pub(crate) profile: ResourceProfileId,
    pub(crate) requirements: Arc<TaskRequirements>,
    pub(crate) interrupt_on_cancel: bool,
    /// Output numbers by index, ascending; none: index and output are the same.
    outputs: Option<Vec<u32>>,
    tasks: u32,
    copies_running: Vec<u8>,
    attempts: Vec<u32>,
    /// Its tasks may be what ends executors: each is sent when it can start, so that it is known which one ran.
    pub(crate) never_ahead: bool,
    successful: BitSet,
    failures: BTreeMap<u32, u32>,
    waiting: u32,
    pending: PendingTasks,
    preferences: Preferences,
    /// Tasks with, or about to get, a second copy.
    speculated: BTreeSet<u32>,
    waiting_copies: BTreeSet<u32>,
    pub(crate) running: BTreeSet<TaskId>,
    pub(crate) durations: Option<Median>,
    pub(crate) records_processed: u64,
    pub(crate) processing_ms: u64,
    /// How long its tasks ran lately, in microseconds; none before the first has ended.
    pub(crate) mean_run_us: Option<u64>,
    levels: Vec<TaskLocality>,
    level: usize,
    last_reset: Moment,
    no_refusal_since_reset: bool,
    pub(crate) result_size: ByteCount,
    pub(crate) results: u32,
    pub(crate) exclusion: TaskSetExclusion,
    pub(crate) last_failure: Option<String>,
    pub(crate) unschedulable_until: Option<Moment>,
    pub(crate) launched_any: bool,
    pub(crate) idle_since: Moment,
    pub(crate) next_warning: Moment,
    /// Why it waited whenever that was said.
    pub(crate) warned: Vec<Discriminant<StarvationReason>>,
}

/// What a task set is made of.
pub(crate) struct NewTaskSet {
    pub(crate) id: StageAttemptId,
    pub(crate) kind: TaskKind,
    pub(crate) barrier: bool,
    pub(crate) epoch: u64,
    pub(crate) profile: ResourceProfileId,
    pub(crate) requirements: Arc<TaskRequirements>,
    pub(crate) interrupt_on_cancel: bool,
    /// The outputs to make, ascending, out of `all_outputs`.
    pub(crate) outputs: Vec<u32>,
    pub(crate) all_outputs: u32,
    pub(crate) preferences: Preferences,
    pub(crate) watch_durations: bool,
}

impl TaskSet {
    pub(crate) fn new(new: NewTaskSet, now: Moment, executors: &Executors) -> Self {
        let tasks = new.outputs.len() as u32;
        let mut pending = PendingTasks::default();
        pending.reserve(tasks as usize, !new.preferences.is_empty());
        // Lists are taken from the end, so that the lowest index goes first.
        (0..tasks).rev().for_each(|index| pending.add(index, new.preferences.of(index), executors));
        let levels = pending.levels(executors);
        Self {
            id: new.id,
            kind: new.kind,
            state: TaskSetState::Preparing,
            barrier: new.barrier,
            epoch: new.epoch,
            profile: new.profile,
            requirements: new.requirements,
            interrupt_on_cancel: new.interrupt_on_cancel,
            outputs: (tasks != new.all_outputs).then_some(new.outputs),
            tasks,
            copies_running: vec![0; tasks as usize],
            attempts: vec![0; tasks as usize],
            never_ahead: false,
            successful: BitSet::new(tasks),
            failures: BTreeMap::new(),
            waiting: tasks,
            pending,
            preferences: new.preferences,
            speculated: BTreeSet::new(),
            waiting_copies: BTreeSet::new(),
            running: BTreeSet::new(),
            durations: new.watch_durations.then(Median::default),
            records_processed: 0,
            processing_ms: 0,
            mean_run_us: None,
            levels,
            level: 0,
            last_reset: now,
            no_refusal_since_reset: true,
            result_size: ByteCount::ZERO,
            results: 0,
            exclusion: TaskSetExclusion::default(),
            last_failure: None,
            unschedulable_until: None,
            launched_any: false,
            idle_since: now,
            next_warning: now,
            warned: Vec::new(),
        }
    }

    pub(crate) fn tasks(&self) -> u32 {
        self.tasks
    }

    pub(crate) fn output(&self, index: u32) -> u32 {
        self.outputs.as_ref().map_or(index, |outputs| outputs[index as usize])
    }

    pub(crate) fn index_of(&self, output: u32) -> Option<u32> {
        match &self.outputs {
            None => (output < self.tasks).then_some(output),
            Some(outputs) => outputs.binary_search(&output).ok().map(|index| index as u32),
        }
    }

    pub(crate) fn partition(&self, index: u32) -> Partition {
        match &self.kind {
            TaskKind::Map { .. } => Partition(self.output(index)),
            TaskKind::Result { partitions, .. } => partitions[self.output(index) as usize],
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.kind, TaskKind::Map { .. })
    }

    pub(crate) fn task_type(&self) -> &'static str {
        if self.is_map() { "ShuffleMapTask" } else { "ResultTask" }
    }

    /// Does it want slots?
    pub(crate) fn wants_slots(&self) -> bool {
        self.state == TaskSetState::Active && (self.waiting > 0 || !self.waiting_copies.is_empty())
    }

    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }

    pub(crate) fn waiting_copies(&self) -> u32 {
        self.waiting_copies.len() as u32
    }

    pub(crate) fn is_successful(&self, index: u32) -> bool {
        self.successful.contains(index)
    }

    pub(crate) fn all_successful(&self) -> bool {
        self.successful.is_full()
    }

    pub(crate) fn successes(&self) -> u32 {
        self.successful.count()
    }

    pub(crate) fn copies_running(&self, index: u32) -> u8 {
        self.copies_running[index as usize]
    }

    fn waits(&self, index: u32) -> bool {
        self.copies_running[index as usize] == 0 && !self.successful.contains(index)
    }

    /// The next task for an offer, if the set takes it. `hosts_of_copies` tells where the copies of an index run.
    pub(crate) fn next_task(
        &mut self,
        offerer: Offerer,
        farthest: TaskLocality,
        now: Moment,
        locality: &LocalityOptions,
        exclusion: Option<&ExclusionOptions>,
        runs_on_host: impl Fn(u32, HostKey) -> bool,
    ) -> Option<(u32, TaskLocality, bool)> {
        if let Some((index, level)) = self.next_waiting(offerer, farthest, now, locality, exclusion) {
            return Some((index, level, false));
        }
        if self.waiting_copies.is_empty() || !self.takes_offers(offerer) {
            return None;
        }
        let farthest = self.farthest(farthest, now, locality);
        let excluded = |set: &TaskSetExclusion, index| {
            exclusion.is_some_and(|options| set.excludes_task(options, offerer.executor, offerer.host, index))
        };
        self.waiting_copies.iter().copied().find_map(|index| {
            let level = self.level_of(index, offerer);
            let fits = level <= farthest && !runs_on_host(index, offerer.host) && !excluded(&self.exclusion, index);
            fits.then_some((index, level, true))
        })
    }

    /// The same without speculative copies.
    pub(crate) fn next_waiting(
        &mut self,
        offerer: Offerer,
        farthest: TaskLocality,
        now: Moment,
        locality: &LocalityOptions,
        exclusion: Option<&ExclusionOptions>,
    ) -> Option<(u32, TaskLocality)> {
        if !self.takes_offers(offerer) {
            return None;
        }
        let farthest = self.farthest(farthest, now, locality);
        if self.waiting == 0 {
            return None;
        }
        let Self { pending, copies_running, successful, exclusion: set, .. } = self;
        let excludes =
            |index| exclusion.is_some_and(|options| set.excludes_task(options, offerer.executor, offerer.host, index));
        pending.take(offerer, farthest, |index| {
            if copies_running[index as usize] > 0 || successful.contains(index) {
                Verdict::Strike
            } else if excludes(index) {
                Verdict::Keep
            } else {
                Verdict::Take
            }
        })
    }

    /// Not if the whole set is kept off there after failures.
    pub(crate) fn takes_offers(&self, offerer: Offerer) -> bool {
        self.state == TaskSetState::Active && !self.exclusion.excludes(offerer.executor, offerer.host)
    }

    fn farthest(&mut self, farthest: TaskLocality, now: Moment, locality: &LocalityOptions) -> TaskLocality {
        match farthest {
            TaskLocality::NoPref => farthest,
            _ => self.allowed_level(now, locality).min(farthest),
        }
    }

    /// How near a task would be; no preference counts as near, as in [`PendingTasks::take`].
    fn level_of(&self, index: u32, offerer: Offerer) -> TaskLocality {
        let preferences = self.preferences.of(index);
        if preferences.is_empty() || preferences.iter().any(|at| at.executor == Some(offerer.executor)) {
            TaskLocality::ProcessLocal
        } else if preferences.iter().any(|at| at.host == offerer.host) {
            TaskLocality::NodeLocal
        } else {
            TaskLocality::Any
        }
    }

    /// Accounts for a launch; the attempt number.
    pub(crate) fn launched(&mut self, index: u32, task_id: TaskId, speculative: bool) -> TaskAttemptNumber {
        let slot = index as usize;
        if speculative {
            self.waiting_copies.remove(&index);
        } else {
            assert_eq!(self.copies_running[slot], 0, "a task that runs was launched again without speculation");
            self.waiting -= 1;
        }
        self.copies_running[slot] += 1;
        self.running.insert(task_id);
        self.launched_any = true;
        self.attempts[slot] += 1;
        TaskAttemptNumber(self.attempts[slot] - 1)
    }

    /// A copy that was launched never began: its attempt number is free again, unless a later one has been given.
    pub(crate) fn never_began(&mut self, index: u32, attempt: TaskAttemptNumber) {
        let given = &mut self.attempts[index as usize];
        if *given == attempt.0 + 1 {
            *given -= 1;
        }
    }

    /// Accounts for the end of a copy, however it ended; whether the index waits again is decided after.
    pub(crate) fn copy_ended(&mut self, index: u32, task_id: TaskId, now: Moment) {
        self.copies_running[index as usize] -= 1;
        self.running.remove(&task_id);
        self.speculated.remove(&index);
        self.waiting_copies.remove(&index);
        if self.running.is_empty() {
            self.idle_since = now;
        }
    }

    /// The index needs another attempt, unless one runs or has succeeded.
    pub(crate) fn retry(&mut self, index: u32, executors: &Executors) {
        if self.waits(index) && self.state != TaskSetState::Zombie {
            self.waiting += 1;
            self.pending.add(index, self.preferences.of(index), executors);
        }
    }

    /// Counts a failure (RT-30); how many there were.
    pub(crate) fn count_failure(&mut self, index: u32) -> u32 {
        let failures = self.failures.entry(index).or_default();
        *failures += 1;
        *failures
    }

    /// The output exists, made by this set or by another attempt of the stage. Was it new? Call after `copy_ended`.
    pub(crate) fn succeeded(&mut self, index: u32, just_ran_here: bool) -> bool {
        let waited = self.waits(index) && !just_ran_here;
        if !self.successful.insert(index) {
            return false;
        }
        if waited && self.state != TaskSetState::Zombie {
            self.waiting -= 1;
        }
        self.failures.remove(&index);
        self.speculated.remove(&index);
        self.waiting_copies.remove(&index);
        true
    }

    /// The output was lost with its executor (RT-34). Was the index done? Then it waits again.
    pub(crate) fn output_lost(&mut self, index: u32, executors: &Executors) -> bool {
        let lost = self.state != TaskSetState::Zombie && self.successful.remove(index);
        if lost {
            self.retry(index, executors);
        }
        lost
    }

    /// Launches nothing more.
    pub(crate) fn become_zombie(&mut self) {
        self.state = TaskSetState::Zombie;
        self.waiting = 0;
        self.waiting_copies.clear();
        self.pending = PendingTasks::default();
        self.unschedulable_until = None;
    }

    pub(crate) fn attempts(&self, index: u32) -> u32 {
        self.attempts[index as usize]
    }

    /// Asks for a copy of a running task (RT-45). Was none asked for yet?
    pub(crate) fn speculate(&mut self, index: u32) -> bool {
        let new = self.copies_running[index as usize] == 1
            && !self.successful.contains(index)
            && self.speculated.insert(index);
        if new {
            self.waiting_copies.insert(index);
        }
        new
    }

    /// One that waits, for [`crate::Scheduler`] to see whether it can run anywhere at all.
    pub(crate) fn any_waiting(&mut self) -> Option<u32> {
        let Self { pending, copies_running, successful, .. } = self;
        pending.any(|index| copies_running[index as usize] == 0 && !successful.contains(index))
    }

    /// All indexes that wait, ascending.
    pub(crate) fn all_waiting(&self) -> Vec<u32> {
        (0..self.tasks).filter(|&index| self.waits(index)).collect()
    }

    pub(crate) fn preferences(&self, index: u32) -> &[Preference] {
        self.preferences.of(index)
    }
}

/// Delay scheduling (RT-20…22).
impl TaskSet {
    pub(crate) fn levels(&self) -> &[TaskLocality] {
        &self.levels
    }

    fn wait(level: TaskLocality, options: &LocalityOptions) -> std::time::Duration {
        match level {
            TaskLocality::ProcessLocal => options.wait_process,
            TaskLocality::NodeLocal => options.wait_node,
            TaskLocality::RackLocal => options.wait_rack,
            TaskLocality::NoPref | TaskLocality::Any => std::time::Duration::ZERO,
        }
    }

    /// The farthest level that may be launched at by now. Gives ground where time has passed or nothing waits.
    pub(crate) fn allowed_level(&mut self, now: Moment, options: &LocalityOptions) -> TaskLocality {
        while self.level + 1 < self.levels.len() {
            let level = self.levels[self.level];
            let wait = Self::wait(level, options);
            let Self { pending, copies_running, successful, .. } = self;
            let waits = |index: u32| copies_running[index as usize] == 0 && !successful.contains(index);
            if !pending.waits_at(level, waits) {
                self.last_reset = now;
                self.level += 1;
            } else if now.since(self.last_reset) >= wait {
                self.last_reset = self.last_reset + wait;
                self.level += 1;
            } else {
                break;
            }
        }
        self.levels[self.level]
    }

    /// When time alone will allow a farther level; none if it will not. Levels without a wait are passed at the next offer
    /// anyway.
    pub(crate) fn next_level_at(&self, options: &LocalityOptions) -> Option<Moment> {
        let last = self.levels.len() - 1;
        let mut wait = self.levels[self.level..last].iter().map(|&level| Self::wait(level, options));
        let wait = wait.find(|wait| !wait.is_zero()).filter(|_| self.wants_slots());
        wait.map(|wait| self.last_reset + wait)
    }

    /// The farthest level allowed, if a farther one would be of use.
    pub(crate) fn waits_at_level(&self, options: &LocalityOptions, now: Moment) -> Option<TaskLocality> {
        self.next_level_at(options).filter(|at| *at > now).map(|_| self.levels[self.level])
    }

    pub(crate) fn reset_delay(&mut self, now: Moment, nearest: Option<TaskLocality>) {
        self.last_reset = now;
        if let Some(nearest) = nearest {
            self.level = self.level_at_least(nearest);
        }
    }

    /// The rule of Spark 3.1 and later (RT-22).
    pub(crate) fn end_round(&mut self, round: RoundOutcome, all_resources: bool, now: Moment, legacy: bool) {
        if legacy {
            if round.launched > 0 {
                self.reset_delay(now, round.nearest);
            }
        } else if round.refused_for_delay {
            self.no_refusal_since_reset = false;
        } else if round.launched > 0 && (all_resources || self.no_refusal_since_reset) {
            self.reset_delay(now, round.nearest);
            self.no_refusal_since_reset = true;
        }
    }

    fn level_at_least(&self, level: TaskLocality) -> usize {
        let found = self.levels.iter().position(|&own| own >= level);
        found.expect("ANY ends the levels, and no level is beyond it")
    }

    /// An executor came or went: other levels may be of use (RT-20).
    pub(crate) fn executors_changed(&mut self, executors: &Executors) {
        if self.state == TaskSetState::Zombie {
            return;
        }
        let (before, at) = (std::mem::take(&mut self.levels), self.level);
        self.levels = self.pending.levels(executors);
        self.level = self.level_at_least(before[at]);
        if self.level > at
            && let Some(new) = self.levels.iter().position(|level| !before.contains(level))
        {
            // A nearer level came up: go back to it rather than launch far away.
            self.level = new;
        }
    }
}
