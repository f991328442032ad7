//! Free slots meet waiting tasks: Spark's `TaskSchedulerImpl.resourceOffers` (RT-20…23, RT-48, RT-75, SC-01…03, SC-07).
//!
//! A good answer launches as many tasks as there are slots, gives them to the task sets in the order of the pools, puts each
//! task as near to its data as its waiting time allows, spreads tasks over executors, and starts a barrier stage whole or
//! not at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{ListenerEvent, ResourceProfileId, StageAttemptId, TaskId, TaskLocality};

use crate::{
    BarrierTaskInfo, Command, Moment, Scheduler, SchedulingMode, TaskLaunch,
    executors::ExecutorKey,
    pending::Offerer,
    scheduler::{OfferScope, RunningTask, Turn},
    task_set::RoundOutcome,
};

/// Launches by executor, so that each gets one message.
pub(crate) type Launches = BTreeMap<ExecutorKey, Vec<TaskLaunch>>;

/// A chosen place for a task.
#[derive(Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) executor: ExecutorKey,
    pub(crate) index: u32,
    pub(crate) locality: TaskLocality,
    pub(crate) speculative: bool,
}

impl Scheduler {
    pub(crate) fn make_offers(&mut self, scope: OfferScope, turn: &mut Turn) {
        if !self.enough_registered {
            return;
        }
        // A barrier stage starts when the slots of several executors are free, whichever became free last.
        let scope =
            if self.active_sets().any(|set| set.barrier && set.wants_slots()) { OfferScope::All } else { scope };
        self.start_ahead(&scope, turn);
        let mut launches = Launches::new();
        self.offer_free_slots(&scope, &mut launches, turn);
        self.launch_ahead(&scope, &mut launches, turn);
        for (executor, tasks) in launches {
            let executor_id = self.executors.id_of(executor).clone();
            turn.commands.push(Command::LaunchTasks { executor_id, tasks });
        }
    }

    fn offer_free_slots(&mut self, scope: &OfferScope, launches: &mut Launches, turn: &mut Turn) {
        let mut offers = self.free_executors(scope);
        if offers.is_empty() {
            // It may be for exclusion that nothing is offered.
            return self.look_for_unschedulable(&BTreeMap::new(), turn);
        }
        self.random.shuffle(&mut offers);
        let mut waiting: Vec<StageAttemptId> =
            self.task_sets.values().filter(|set| set.wants_slots()).map(|set| set.id).collect();
        let all = *scope == OfferScope::All;
        let mut rounds: BTreeMap<StageAttemptId, RoundOutcome> = BTreeMap::new();
        match self.pools.mode() {
            SchedulingMode::Fifo => {
                self.pools.sort(&mut waiting);
                for id in waiting {
                    let round = rounds.entry(id).or_default();
                    self.offer_to(id, &offers, u32::MAX, round, launches, turn);
                }
            }
            SchedulingMode::Fair => self.offer_fairly(waiting, &offers, &mut rounds, launches, turn),
        }
        let legacy = self.options.locality.legacy_reset_on_task_launch;
        for (&id, &round) in &rounds {
            if let Some(set) = self.task_sets.get_mut(&id) {
                set.end_round(round, all, turn.moment(), legacy);
            }
        }
        self.look_for_unschedulable(&rounds, turn);
    }

    fn free_executors(&self, scope: &OfferScope) -> Vec<ExecutorKey> {
        let offers = |key: ExecutorKey| {
            let executor = self.executors.get(key)?;
            let takes_tasks = executor.free_cores > 0
                && executor.decommissioned.is_none()
                && !self.health.excludes(key, executor.host);
            takes_tasks.then_some(key)
        };
        match scope {
            OfferScope::Some(keys) => keys.iter().copied().filter_map(offers).collect(),
            OfferScope::All => self.executors.iter().filter_map(|(key, _)| offers(key)).collect(),
        }
    }

    /// One slot at a time to the set that deserves it most by then, so that shares hold inside a round too.
    fn offer_fairly(
        &mut self,
        mut waiting: Vec<StageAttemptId>,
        offers: &[ExecutorKey],
        rounds: &mut BTreeMap<StageAttemptId, RoundOutcome>,
        launches: &mut Launches,
        turn: &mut Turn,
    ) {
        while !waiting.is_empty() {
            let least = (0..waiting.len()).min_by(|&left, &right| self.pools.compare(waiting[left], waiting[right]));
            let least = least.expect("something waits");
            let id = waiting[least];
            let most = if waiting.len() == 1 { u32::MAX } else { 1 };
            let round = rounds.entry(id).or_default();
            let before = round.launched;
            self.offer_to(id, offers, most, round, launches, turn);
            let satisfied = !self.task_sets[&id].wants_slots();
            if round.launched == before || satisfied {
                waiting.swap_remove(least);
            }
        }
    }

    /// Offers the executors to one task set, level by level, one task per executor and pass.
    fn offer_to(
        &mut self,
        id: StageAttemptId,
        offers: &[ExecutorKey],
        most: u32,
        round: &mut RoundOutcome,
        launches: &mut Launches,
        turn: &mut Turn,
    ) {
        let set = &self.task_sets[&id];
        if set.barrier {
            return self.offer_to_barrier(id, offers, round, launches, turn);
        }
        let (profile, requirements) = (set.profile, set.requirements.clone());
        let levels = set.levels().to_vec();
        let mut launched = 0;
        for farthest in levels {
            loop {
                let mut launched_at_level = false;
                for &key in offers {
                    let Some(executor) = self.executors.get(key) else { continue };
                    let suits = self.profiles.can_be_scheduled(profile, executor.info.resource_profile_id);
                    if !suits || !executor.has_room(&requirements) {
                        continue;
                    }
                    let offerer = Offerer { executor: key, host: executor.host, rack: executor.rack };
                    let Some(placement) = self.place(id, offerer, farthest, turn.moment()) else {
                        // A set that is kept off an executor does not wait for a better one.
                        let set = &self.task_sets[&id];
                        round.refused_for_delay |=
                            farthest == TaskLocality::Any && set.wants_slots() && set.takes_offers(offerer);
                        continue;
                    };
                    let launch = self.launch(id, placement, false, None, turn);
                    launches.entry(key).or_default().push(launch);
                    round.launched += 1;
                    round.nearest = round.nearest.into_iter().chain([placement.locality]).min();
                    launched_at_level = true;
                    launched += 1;
                    if launched == most {
                        return;
                    }
                }
                if !launched_at_level || !self.task_sets[&id].wants_slots() {
                    break;
                }
            }
        }
    }

    fn place(
        &mut self,
        id: StageAttemptId,
        offerer: Offerer,
        farthest: TaskLocality,
        now: Moment,
    ) -> Option<Placement> {
        let Self { task_sets, running, options, .. } = self;
        let set = task_sets.get_mut(&id).expect("the caller has seen the set");
        let own: &BTreeSet<TaskId> = &set.running;
        // Copies are looked for only where something waits for one, and a set runs few tasks that have.
        let copies: Vec<(u32, u32)> = if set.waiting_copies() > 0 {
            own.iter().map(|task_id| (running[task_id].index, running[task_id].host)).collect()
        } else {
            Vec::new()
        };
        let on_host = |index, host| copies.contains(&(index, host));
        let exclusion = options.exclusion.as_ref();
        let (index, locality, speculative) =
            set.next_task(offerer, farthest, now, &options.locality, exclusion, on_host)?;
        Some(Placement { executor: offerer.executor, index, locality, speculative })
    }

    /// Takes the slot, unless it is launched ahead of one, and enters the task in every table.
    pub(crate) fn launch(
        &mut self,
        id: StageAttemptId,
        placement: Placement,
        ahead: bool,
        barrier: Option<Arc<[BarrierTaskInfo]>>,
        turn: &mut Turn,
    ) -> TaskLaunch {
        let Placement { executor: key, index, locality, speculative } = placement;
        let task_id = TaskId(self.next_task_id);
        self.next_task_id += 1;
        let set = self.task_sets.get_mut(&id).expect("the caller has seen the set");
        let executor = self.executors.get_mut(key).expect("the caller has seen the executor");
        let resources = if ahead {
            executor.ahead.push_back(task_id);
            Vec::new()
        } else {
            executor.acquire(&set.requirements)
        };
        executor.tasks.insert(task_id);
        let attempt = set.launched(index, task_id, speculative);
        self.pools.task_launched(id);
        let task = RunningTask {
            stage: id,
            index,
            attempt,
            executor: key,
            host: executor.host,
            launched: turn.moment(),
            launch_time_ms: turn.now.wall_clock_ms,
            locality,
            speculative,
            started: false,
            getting_result_time_ms: None,
            kill: None,
            resources: resources.clone(),
            ahead,
            missed_heartbeats: 0,
            records_read: 0,
        };
        let launch = TaskLaunch {
            task_id,
            stage: id,
            index,
            partition: set.partition(index),
            attempt,
            locality,
            cpus: set.requirements.cpus.get(),
            epoch: set.epoch,
            resources,
            barrier,
        };
        if !ahead {
            let snapshot = self.task_snapshot(task_id, &task);
            turn.post(ListenerEvent::TaskStart { stage: id, task: snapshot });
        }
        self.running.insert(task_id, task);
        launch
    }

    /// All tasks or none (RT-48). Places are chosen first, each task's nearest free one; there is no waiting for locality, as
    /// a barrier stage that waits holds nobody's slots and helps nobody.
    fn offer_to_barrier(
        &mut self,
        id: StageAttemptId,
        offers: &[ExecutorKey],
        round: &mut RoundOutcome,
        launches: &mut Launches,
        turn: &mut Turn,
    ) {
        let set = &self.task_sets[&id];
        let (profile, requirements) = (set.profile, set.requirements.clone());
        let usable = |key: &ExecutorKey| {
            let executor = self.executors.get(*key)?;
            let suits = self.profiles.can_be_scheduled(profile, executor.info.resource_profile_id);
            let usable = suits && !set.exclusion.excludes(*key, executor.host);
            usable.then(|| executor.clone())
        };
        let mut free: Vec<(ExecutorKey, crate::executors::Executor)> =
            offers.iter().filter_map(|key| Some((*key, usable(key)?))).collect();
        let mut placements = Vec::new();
        for index in set.all_waiting() {
            let preferences = set.preferences(index);
            let nearness = |(key, executor): &(ExecutorKey, crate::executors::Executor)| {
                if preferences.iter().any(|at| at.executor == Some(*key)) {
                    TaskLocality::ProcessLocal
                } else if preferences.iter().any(|at| at.host == executor.host) {
                    TaskLocality::NodeLocal
                } else if preferences.is_empty() {
                    TaskLocality::NoPref
                } else {
                    TaskLocality::Any
                }
            };
            let allowed = |(key, executor): &(ExecutorKey, crate::executors::Executor)| {
                executor.has_room(&requirements)
                    && self
                        .options
                        .exclusion
                        .as_ref()
                        .is_none_or(|options| !set.exclusion.excludes_task(options, *key, executor.host, index))
            };
            // Among the nearest, the one with most room: tasks of a barrier stage spread.
            let best = (0..free.len())
                .filter(|&at| allowed(&free[at]))
                .min_by_key(|&at| (nearness(&free[at]), std::cmp::Reverse(free[at].1.free_cores)));
            let Some(best) = best else { return };
            let locality = nearness(&free[best]);
            let (key, executor) = &mut free[best];
            executor.acquire(&requirements);
            placements.push(Placement { executor: *key, index, locality, speculative: false });
        }
        let addresses = placements.iter().map(|placement| {
            let executor = self.executors.get(placement.executor).expect("it was offered");
            BarrierTaskInfo { executor_id: executor.id.clone(), host: executor.info.host.clone() }
        });
        let addresses: Arc<[BarrierTaskInfo]> = addresses.collect();
        for placement in placements {
            let launch = self.launch(id, placement, false, Some(addresses.clone()), turn);
            launches.entry(placement.executor).or_default().push(launch);
            round.launched += 1;
        }
    }

    /// How many tasks of a profile could run at once, busy slots included, excluded executors not.
    pub(crate) fn slots(&self, profile: ResourceProfileId) -> u32 {
        let requirements = self.profiles.requirements(profile);
        self.executors
            .iter()
            .filter(|(key, executor)| {
                self.profiles.can_be_scheduled(profile, executor.info.resource_profile_id)
                    && executor.decommissioned.is_none()
                    && !self.health.excludes(*key, executor.host)
            })
            .map(|(_, executor)| executor.capacity(requirements))
            .sum()
    }

    /// When a task set gives ground to a farther level while slots are free (RT-21).
    pub(crate) fn next_locality_deadline(&self) -> Option<Moment> {
        if !self.enough_registered {
            return None;
        }
        // Most sets have no level to wait for, so the executors are looked at last.
        let at = self.active_sets().filter_map(|set| set.next_level_at(&self.options.locality)).min()?;
        self.executors.iter().any(|(_, executor)| executor.free_cores > 0).then_some(at)
    }

    pub(crate) fn advance_locality_levels(&mut self, now: Moment) {
        for set in self.task_sets.values_mut().filter(|set| set.wants_slots()) {
            set.allowed_level(now, &self.options.locality);
        }
    }
}

/// Task sets that no executor will take after failures (RT-75).
impl Scheduler {
    fn look_for_unschedulable(&mut self, rounds: &BTreeMap<StageAttemptId, RoundOutcome>, turn: &mut Turn) {
        if self.options.exclusion.is_none() {
            return;
        }
        if rounds.values().any(|round| round.launched > 0) {
            // As long as anything is launched, slots come free and executors may come; nobody is given up.
            return self.forgive_unschedulable(turn);
        }
        if self.executors.len() == 0 && !self.all_refused {
            // Nobody is excluded; the first executors may be on their way.
            return;
        }
        let waiting: Vec<StageAttemptId> =
            self.active_sets().filter(|set| set.waiting() > 0).map(|set| set.id).collect();
        for id in waiting {
            if let Some(index) = self.completely_excluded_task(id) {
                self.unschedulable(id, index, turn);
            }
        }
    }

    fn forgive_unschedulable(&mut self, turn: &mut Turn) {
        for set in self.task_sets.values_mut() {
            if set.unschedulable_until.take().is_some() {
                turn.post(ListenerEvent::UnschedulableTaskSetRemoved { stage: set.id });
            }
        }
    }

    /// A waiting task that may run on none of the executors that are there, after failures.
    fn completely_excluded_task(&mut self, id: StageAttemptId) -> Option<u32> {
        let set = self.task_sets.get_mut(&id)?;
        if set.exclusion.is_empty() && self.health.is_empty() {
            return None;
        }
        let index = set.any_waiting()?;
        let set = &self.task_sets[&id];
        let options = self.options.exclusion.as_ref()?;
        let excluded = self.executors.iter().all(|(key, executor)| {
            self.health.excludes(key, executor.host)
                || set.exclusion.excludes(key, executor.host)
                || set.exclusion.excludes_task(options, key, executor.host, index)
        });
        excluded.then_some(index)
    }

    /// Makes room for a new executor by ending an idle excluded one, or asks for one more, and waits; else gives up.
    fn unschedulable(&mut self, id: StageAttemptId, index: u32, turn: &mut Turn) {
        let timeout = self.options.exclusion.as_ref().map(|options| options.unschedulable_task_set_timeout);
        let until = turn.moment() + timeout.unwrap_or_default();
        let idle = self.executors.iter().find(|(key, _)| self.is_idle(*key)).map(|(_, executor)| executor.id.clone());
        let set = self.task_sets.get_mut(&id).expect("the caller has seen the set");
        if set.unschedulable_until.is_some() {
            return;
        }
        match idle {
            Some(executor_id) => {
                set.unschedulable_until = Some(until);
                turn.post(ListenerEvent::UnschedulableTaskSetAdded { stage: id });
                let reason = format!("excluded and idle, while stage {id} can run nowhere");
                turn.commands.push(Command::KillExecutor { executor_id, reason, replace: true });
            }
            // There may be one that another host has started.
            None if self.options.dynamic_allocation || self.executors.len() == 0 => {
                set.unschedulable_until = Some(until);
                turn.post(ListenerEvent::UnschedulableTaskSetAdded { stage: id });
            }
            None => self.abort_excluded(id, index, turn),
        }
    }

    fn abort_excluded(&mut self, id: StageAttemptId, index: u32, turn: &mut Turn) {
        let set = &self.task_sets[&id];
        let partition = set.partition(index);
        let latest = set.last_failure.as_deref().unwrap_or("none in this stage attempt");
        let message = format!(
            "Aborting TaskSet {id} because task {index} (partition {partition}) cannot run anywhere due to node and executor excludeOnFailure.\nMost recent failure:\n{latest}\nExcludeOnFailure behavior can be configured via spark.excludeOnFailure.*."
        );
        self.abort_stage(id.stage_id, &message, turn);
    }

    pub(crate) fn abort_unschedulable(&mut self, turn: &mut Turn) {
        let now = turn.moment();
        let due: Vec<StageAttemptId> = self
            .task_sets
            .values()
            .filter(|set| set.unschedulable_until.is_some_and(|until| until <= now))
            .map(|set| set.id)
            .collect();
        for id in due {
            if let Some(set) = self.task_sets.get_mut(&id) {
                set.unschedulable_until = None;
            }
            turn.post(ListenerEvent::UnschedulableTaskSetRemoved { stage: id });
            // Also if no executor is left: the last one was ended to make room, and none came that is not excluded.
            if let Some(index) = self.completely_excluded_task(id) {
                self.abort_excluded(id, index, turn);
            }
        }
    }

    pub(crate) fn expire_exclusions(&mut self, turn: &mut Turn) {
        let (executors, hosts) = self.health.expire(turn.moment());
        let time_ms = turn.now.wall_clock_ms;
        for key in executors {
            let executor_id = self.executors.id_of(key).clone();
            turn.post(ListenerEvent::ExecutorUnexcluded { time_ms, executor_id });
        }
        for key in hosts {
            let host = self.executors.host_name(key).to_owned();
            turn.post(ListenerEvent::NodeUnexcluded { time_ms, host });
        }
        self.start_delayed_jobs(turn);
    }
}
