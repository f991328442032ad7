//! Launching ahead: executors get more short tasks than they have slots.
//!
//! A slot is idle from the end of its task until the driver has heard of it and has sent the next one. Where tasks take less
//! than that round trip, slots idle for most of the time, and each task costs a message each way. So an executor whose slots
//! are all taken by tasks of such a set is sent some more, which it keeps and starts in the order of their launch.
//!
//! A task that was launched ahead holds no slot. Executors start tasks in the order of launch, so the oldest of them starts
//! when a slot becomes free there; nobody says so, it follows. Listeners hear of its start then. An executor that has to let
//! tasks wait gives them back ([`crate::Event::TasksReturned`]), so none is stuck behind a long one.

use std::{collections::BTreeMap, mem};

use firesteel_model::{ExecutorId, ListenerEvent, StageAttemptId, TaskEndReason, TaskId, TaskLocality};

use crate::{
    LaunchAheadOptions, Scheduler,
    executors::ExecutorKey,
    offers::{Launches, Placement},
    pending::Offerer,
    scheduler::{OfferScope, Turn},
    task_set::TaskSet,
};

impl LaunchAheadOptions {
    /// How many tasks beyond its slots an executor may keep for each slot, if tasks run this long.
    fn per_slot(&self, mean_run_us: u64) -> u32 {
        if u128::from(mean_run_us) > self.longest_task.as_micros() {
            return 0;
        }
        let most = u64::from(self.most_per_slot);
        (self.queue_time.as_micros() as u64 / mean_run_us.max(1)).clamp(most.min(1), most) as u32
    }
}

impl Scheduler {
    /// Slots that came free are taken by what waits for them at their executor.
    pub(crate) fn start_ahead(&mut self, scope: &OfferScope, turn: &mut Turn) {
        let keys: Vec<ExecutorKey> = match scope {
            OfferScope::Some(keys) => keys.iter().copied().collect(),
            OfferScope::All => self.executors.iter().map(|(key, _)| key).collect(),
        };
        for key in keys {
            while let Some(task_id) = self.next_ahead(key) {
                let Self { executors, task_sets, running, .. } = self;
                let executor = executors.get_mut(key).expect("it has a task");
                let task = running.get_mut(&task_id).expect("an executor lists tasks that run");
                executor.ahead.pop_front();
                task.resources = executor.acquire(&task_sets[&task.stage].requirements);
                task.ahead = false;
                self.announce_start(task_id, turn);
            }
        }
    }

    /// The oldest task that waits at the executor, if a slot is free for it.
    fn next_ahead(&self, key: ExecutorKey) -> Option<TaskId> {
        let executor = self.executors.get(key)?;
        let task_id = *executor.ahead.front()?;
        executor.has_room(&self.task_sets[&self.running[&task_id].stage].requirements).then_some(task_id)
    }

    /// Listeners hear that a task that was launched ahead has started: when a slot is free for it, or at its end at the latest.
    pub(crate) fn announce_start(&mut self, task_id: TaskId, turn: &mut Turn) {
        let task = self.running.get_mut(&task_id).expect("the caller has seen it run");
        task.launched = turn.moment();
        task.launch_time_ms = turn.now.wall_clock_ms;
        let (stage, snapshot) = (task.stage, self.task_snapshot(task_id, &self.running[&task_id]));
        turn.post(ListenerEvent::TaskStart { stage, task: snapshot });
    }

    /// Fills what executors keep beyond their slots, after every free slot was given out.
    pub(crate) fn launch_ahead(&mut self, scope: &OfferScope, launches: &mut Launches, turn: &mut Turn) {
        let Some(options) = self.options.launch_ahead.clone() else { return };
        let mut waiting: Vec<StageAttemptId> =
            self.task_sets.values().filter(|set| set.per_slot_ahead(&options) > 0).map(|set| set.id).collect();
        if waiting.is_empty() {
            return;
        }
        self.pools.sort(&mut waiting);
        for id in waiting {
            let mut room = self.room_ahead(id, scope, &options);
            // One task per executor and pass, so that the last tasks of a stage are spread.
            while !room.is_empty() {
                let keys: Vec<ExecutorKey> = room.keys().copied().collect();
                for key in keys {
                    let launched = self.launch_one_ahead(id, key, launches, turn);
                    let left = room.get_mut(&key).expect("it was listed");
                    *left -= 1;
                    if !launched || *left == 0 {
                        room.remove(&key);
                    }
                }
            }
        }
    }

    /// How many tasks of the set each executor may be sent ahead.
    fn room_ahead(
        &self,
        id: StageAttemptId,
        scope: &OfferScope,
        options: &LaunchAheadOptions,
    ) -> BTreeMap<ExecutorKey, u32> {
        let set = &self.task_sets[&id];
        let room = |key: ExecutorKey| {
            let executor = self.executors.get(key)?;
            let slots = executor.info.cores;
            let takes_tasks = executor.free_cores == 0
                && !executor.returned_ahead
                && self.profiles.can_be_scheduled(set.profile, executor.info.resource_profile_id)
                && executor.decommissioned.is_none()
                && !self.health.excludes(key, executor.host)
                && set.successes() >= slots;
            let most = set.per_slot_ahead(options).saturating_mul(slots);
            let waiting = executor.ahead.len() as u32;
            // Only when half of them have started: a message then carries many.
            (takes_tasks && waiting <= most / 2 && waiting < most).then(|| (key, most - waiting))
        };
        match scope {
            OfferScope::Some(keys) => keys.iter().copied().filter_map(room).collect(),
            OfferScope::All => self.executors.iter().filter_map(|(key, _)| room(key)).collect(),
        }
    }

    fn launch_one_ahead(
        &mut self,
        id: StageAttemptId,
        key: ExecutorKey,
        launches: &mut Launches,
        turn: &mut Turn,
    ) -> bool {
        let executor = self.executors.get(key).expect("it was listed");
        let offerer = Offerer { executor: key, host: executor.host, rack: executor.rack };
        let Self { task_sets, options, .. } = self;
        let set = task_sets.get_mut(&id).expect("the caller has seen the set");
        let levels = set.levels().to_vec();
        let next = levels.into_iter().find_map(|farthest: TaskLocality| {
            set.next_waiting(offerer, farthest, turn.moment(), &options.locality, options.exclusion.as_ref())
        });
        let Some((index, locality)) = next else { return false };
        let placement = Placement { executor: key, index, locality, speculative: false };
        let launch = self.launch(id, placement, true, None, turn);
        launches.entry(key).or_default().push(launch);
        true
    }

    /// An executor gives back tasks that wait there for longer than they should. They wait here again, and the executor gets
    /// none ahead until one of its tasks has ended.
    pub(crate) fn tasks_returned(&mut self, executor_id: &ExecutorId, task_ids: Vec<TaskId>, turn: &mut Turn) {
        // What waits longest is taken first, so the oldest of them comes last.
        for task_id in task_ids.into_iter().rev() {
            if self.runs_there(task_id, executor_id) {
                self.task_returned(task_id, turn);
            }
        }
        if let Some(executor) = self.executors.key(executor_id).and_then(|key| self.executors.get_mut(key)) {
            executor.returned_ahead = true;
        }
    }

    fn task_returned(&mut self, task_id: TaskId, turn: &mut Turn) {
        if !self.running[&task_id].ahead {
            // It was taken for started: what had run there before has ended, and the message of that was lost.
            let reason = "the executor gave the task back before it started".to_owned();
            return self.task_failed(task_id, TaskEndReason::TaskKilled { reason }, None, turn);
        }
        self.free_slot(task_id);
        let ended = self.strike_running(task_id, turn.moment());
        let (id, index) = (ended.stage, ended.index);
        let set = self.task_sets.get_mut(&id).expect("the set of a running task exists");
        set.never_began(index, ended.attempt);
        set.retry(index, &self.executors);
        self.task_set_progressed(id, turn);
        self.offer_all();
    }
}

impl TaskSet {
    /// How many tasks beyond its slots an executor may keep of this set for each slot.
    pub(crate) fn per_slot_ahead(&self, options: &LaunchAheadOptions) -> u32 {
        let plain = self.requirements.cpus.get() == 1 && self.requirements.resources.is_empty();
        match self.mean_run_us {
            Some(mean) if plain && !self.barrier && !self.never_ahead && self.wants_slots() => options.per_slot(mean),
            _ => 0,
        }
    }

    /// An executor was lost of which it is not known what it ran. Whether that is the first time.
    pub(crate) fn launch_no_more_ahead(&mut self) -> bool {
        !mem::replace(&mut self.never_ahead, true)
    }

    /// Takes note of how long a task ran. Later tasks count more: a set's tasks need not be alike.
    pub(crate) fn ran(&mut self, run_us: u64) {
        self.mean_run_us = Some(match self.mean_run_us {
            Some(mean) => mean - mean / 8 + run_us / 8,
            None => run_us,
        });
    }
}
