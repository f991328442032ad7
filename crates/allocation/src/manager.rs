//! How many executors are wanted: Spark's `ExecutorAllocationManager`.

use std::collections::BTreeMap;

use firesteel_model::{ExecutorId, ListenerEvent, Moment, ResourceProfileId, ShuffleId, TaskEndReason};

use crate::{
    AllocationOptions, OptionsError,
    load::{Load, ProfileLoad},
    monitor::ExecutorMonitor,
};

/// What follows from what has happened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    /// So many executors are wanted in all from here on; none if that has not changed.
    pub total: Option<u32>,
    /// These are given back, and none is to follow them. Each is heard to be removed at once, unless it has a task after all; then
    /// [`ExecutorAllocationManager::kept`] is due.
    pub remove: Vec<ExecutorId>,
}

/// The state machine. See the crate's documentation.
#[derive(Debug)]
pub struct ExecutorAllocationManager {
    options: AllocationOptions,
    load: Load,
    monitor: ExecutorMonitor,
    /// What each task takes, where a resource profile says it: amounts by name.
    profiles: BTreeMap<ResourceProfileId, Vec<(String, f64)>>,
    /// How many executors are asked for.
    target: u32,
    /// How many more the next step asks for (SC-32).
    step: u32,
    /// When it does, if tasks still wait.
    next_step: Option<Moment>,
    /// No stage has come yet, and no executor was idle for long: the application keeps what it began with (SC-30).
    initializing: bool,
}

const CPUS: &str = "cpus";

impl ExecutorAllocationManager {
    /// Asks for [`AllocationOptions::initial_executors`] until there is something to run.
    ///
    /// # Errors
    ///
    /// The options contradict one another.
    pub fn new(options: AllocationOptions) -> Result<Self, OptionsError> {
        options.validate()?;
        Ok(Self {
            target: options.initial_executors.max(options.min_executors),
            options,
            load: Load::default(),
            monitor: ExecutorMonitor::default(),
            profiles: BTreeMap::new(),
            step: 1,
            next_step: None,
            initializing: true,
        })
    }

    /// How many executors are asked for.
    pub fn target(&self) -> u32 {
        self.target
    }

    /// Takes note of what has happened. [`Self::decide`] is due after one or several of these.
    pub fn listen(&mut self, now: Moment, event: &ListenerEvent) {
        match event {
            ListenerEvent::JobStart { job_id, stages, .. } => self.monitor.job_started(*job_id, stages),
            ListenerEvent::JobEnd { job_id, .. } => self.monitor.job_ended(now, *job_id),
            ListenerEvent::StageSubmitted { stage, .. } => {
                self.initializing = false;
                self.load.stage_submitted(stage);
            }
            ListenerEvent::StageCompleted { stage } => self.load.stage_completed(stage.id),
            ListenerEvent::TaskStart { stage, task } => {
                self.load.task_launched(*stage, task);
                self.monitor.task_launched(&task.executor_id);
            }
            ListenerEvent::TaskEnd { stage, reason, task, task_type, .. } => {
                self.load.task_ended(*stage, task, reason);
                if !matches!(reason, TaskEndReason::Resubmitted) {
                    let wrote = matches!(reason, TaskEndReason::Success) && *task_type == "ShuffleMapTask";
                    self.monitor.task_ended(now, &task.executor_id, wrote.then_some(stage.stage_id));
                }
            }
            ListenerEvent::SpeculativeTaskSubmitted { stage, task_index, .. } => {
                self.load.copy_wanted(*stage, *task_index);
            }
            ListenerEvent::UnschedulableTaskSetAdded { stage } => self.load.unschedulable(*stage, true),
            ListenerEvent::UnschedulableTaskSetRemoved { stage } => self.load.unschedulable(*stage, false),
            ListenerEvent::ExecutorAdded { executor_id, info, .. } => self.monitor.added(now, executor_id, info),
            ListenerEvent::ExecutorRemoved { executor_id, .. } => self.monitor.removed(executor_id),
            ListenerEvent::BlockUpdated(update) => self.monitor.block_updated(&self.options, update),
            ListenerEvent::UnpersistRdd { rdd_id } => self.monitor.unpersisted(*rdd_id),
            ListenerEvent::ResourceProfileAdded { id, task_resources, .. } => {
                self.profiles.insert(*id, task_resources.clone());
            }
            _ => {}
        }
        if !self.load.has_pending() {
            self.next_step = None;
            self.step = 1;
        } else if self.next_step.is_none() {
            self.next_step = Some(now + self.options.scheduler_backlog_timeout);
        }
    }

    /// Nothing refers to the shuffle any more, and its map outputs are removed: they keep no executor.
    pub fn shuffle_removed(&mut self, shuffle: ShuffleId) {
        self.monitor.shuffle_removed(shuffle);
    }

    /// An executor of [`Decision::remove`] has a task, and stays. One that is gone is not minded.
    pub fn kept(&mut self, now: Moment, executor_id: &ExecutorId) {
        self.monitor.kept(now, executor_id);
    }

    /// What is to be done now (SC-30): first whether more or fewer executors are wanted, then which are given back.
    pub fn decide(&mut self, now: Moment) -> Decision {
        let timed_out = self.monitor.timed_out(&self.options, now);
        if !timed_out.is_empty() {
            self.initializing = false;
        }
        let total = self.update_target(now).then_some(self.target);
        Decision { total, remove: self.to_remove(timed_out) }
    }

    /// When [`Self::decide`] is due though nothing has happened.
    pub fn next_deadline(&self, now: Moment) -> Option<Moment> {
        let step = self.next_step.filter(|_| !self.initializing);
        let idle = self.monitor.next_time_out(&self.options, now);
        step.into_iter().chain(idle).min()
    }

    /// True if another number is wanted than before.
    fn update_target(&mut self, now: Moment) -> bool {
        if self.initializing {
            return false;
        }
        let needed = self.needed();
        let before = self.target;
        if needed < self.target {
            // What was asked for and has not come is not wanted any more (SC-33).
            self.target = needed.max(self.options.min_executors);
            self.step = 1;
        } else if self.next_step.is_some_and(|at| at <= now) {
            self.grow(needed);
            self.next_step = Some(now + self.options.sustained_scheduler_backlog_timeout);
        }
        self.target != before
    }

    fn grow(&mut self, needed: u32) {
        let (min, max) = (self.options.min_executors, self.options.max_executors);
        if self.target >= max {
            self.step = 1;
            return;
        }
        let before = self.target;
        // Up to what is there already no time is to be lost.
        let there = self.monitor.count();
        let wanted = self.target.max(there.min(max)).saturating_add(self.step);
        self.target = wanted.min(needed).min(max).max(min);
        let grown = self.target - before.min(self.target);
        self.step = if grown == self.step { self.step.saturating_mul(2) } else { 1 };
    }

    /// How many executors could be busy, with the part of parallelism that is wanted (SC-31).
    fn needed(&self) -> u32 {
        let ratio = self.options.executor_allocation_ratio;
        let loads = self.load.by_profile();
        let (mut executors, mut unschedulable) = (0.0, 0.0);
        for (profile, load) in &loads {
            let slots = f64::from(self.slots(*profile));
            executors += f64::from(load.running_or_pending()) * ratio / slots;
            unschedulable += f64::from(load.unschedulable) * ratio / slots;
        }
        let mut needed = whole(executors);
        let copies_alone = |load: &ProfileLoad| load.pending_copies > 0;
        let several_slots = loads.keys().any(|profile| self.slots(*profile) > 1);
        if needed == 1 && several_slots && loads.values().any(copies_alone) {
            // A copy is to run on another executor than its original.
            needed = 2;
        }
        if unschedulable > 0.0 { needed.max(self.monitor.count()).saturating_add(whole(unschedulable)) } else { needed }
    }

    /// How many tasks of a profile an executor runs at once.
    fn slots(&self, profile: ResourceProfileId) -> u32 {
        let task = self.profiles.get(&profile).unwrap_or(&self.options.task);
        let shape = &self.options.executor;
        let smallest = self.monitor.infos().map(|info| info.cores).min();
        let cores = shape.cores.or(smallest).unwrap_or(1);
        let of = |name: &str| {
            let resource = shape.resources.iter().find(|(resource, _)| resource == name);
            if name == CPUS { u64::from(cores) } else { resource.map_or(0, |(_, amount)| *amount) }
        };
        let slots = task.iter().filter(|(_, amount)| *amount > 0.0).map(|(name, amount)| {
            // A part of an address is shared by so many tasks; whole ones are dealt out.
            let tasks = if *amount < 1.0 { of(name) as f64 * (1.0 / amount).floor() } else { of(name) as f64 / amount };
            tasks.floor().min(f64::from(u32::MAX)) as u32
        });
        slots.min().unwrap_or(cores).max(1)
    }

    /// Not below what is asked for, nor the least that there must be (SC-35).
    fn to_remove(&self, timed_out: Vec<ExecutorId>) -> Vec<ExecutorId> {
        let there = self.monitor.count();
        let spare = there.saturating_sub(self.target.max(self.options.min_executors));
        timed_out.into_iter().take(spare as usize).collect()
    }
}

fn whole(executors: f64) -> u32 {
    executors.ceil().min(f64::from(u32::MAX)) as u32
}
