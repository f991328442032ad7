//! Why a task set waits (AS-01, RT-15).

use firesteel_model::StageAttemptId;

use crate::{
    Command, Moment, Scheduler, StarvationReason,
    scheduler::Turn,
    task_set::{TaskSet, TaskSetState},
};

impl Scheduler {
    pub(crate) fn next_starvation_warning(&self) -> Option<Moment> {
        self.starving().map(|set| set.next_warning).min()
    }

    /// Sets that want slots and run nothing.
    fn starving(&self) -> impl Iterator<Item = &TaskSet> {
        self.active_sets().filter(|set| set.waiting() > 0 && set.running.is_empty())
    }

    pub(crate) fn warn_starvation(&mut self, turn: &mut Turn) {
        let now = turn.moment();
        let due: Vec<StageAttemptId> =
            self.starving().filter(|set| set.next_warning <= now).map(|set| set.id).collect();
        for id in due {
            let timeout = self.options.starvation_timeout;
            let set = &self.task_sets[&id];
            let waited = now.since(set.idle_since);
            if waited < timeout {
                // It ran something since the time was set.
                let next = set.idle_since + timeout;
                self.task_sets.get_mut(&id).expect("it was listed").next_warning = next;
                continue;
            }
            let reason = self.starvation_reason(set, now);
            let pending = set.waiting();
            let set = self.task_sets.get_mut(&id).expect("it was listed");
            set.next_warning = now + timeout;
            // A set may wait for hours: each reason is said once.
            let kind = std::mem::discriminant(&reason);
            if !set.warned.contains(&kind) {
                set.warned.push(kind);
                turn.commands.push(Command::WarnStarvation { stage: id, waited, pending, reason });
            }
        }
    }

    /// The first limit that blocks, from the cluster down to the slot.
    fn starvation_reason(&self, set: &TaskSet, now: Moment) -> StarvationReason {
        debug_assert_eq!(set.state, TaskSetState::Active);
        if self.executors.len() == 0 {
            let excluded: Vec<_> = self.health.excluded_hosts().collect();
            let names: Vec<_> = excluded.iter().map(|(host, _)| self.executors.host_name(*host)).collect();
            let until = excluded.iter().map(|(_, until)| *until).min();
            return until.map_or(StarvationReason::NoExecutor, |until| StarvationReason::HostsExcluded {
                hosts: names.join(", "),
                left: until.since(now),
            });
        }
        if let Some((registered, wanted, unit)) = self.registered_and_wanted().filter(|_| !self.enough_registered) {
            return StarvationReason::MinRegisteredResources { registered, wanted, unit };
        }
        let all = self.executors.iter();
        let mut suitable: Vec<_> =
            all.filter(|(_, it)| self.profiles.can_be_scheduled(set.profile, it.info.resource_profile_id)).collect();
        if suitable.is_empty() {
            return StarvationReason::NoExecutorOfProfile { profile: set.profile, executors: self.executors.len() };
        }
        let needed = set.requirements.cpus.get();
        let largest = suitable.iter().map(|(_, executor)| executor.info.cores).max().unwrap_or(0);
        if largest < needed {
            return StarvationReason::CoresPerTask { needed, largest, profile: set.profile };
        }
        for request in &set.requirements.resources {
            let most = suitable.iter().map(|(_, executor)| executor.addresses(&request.name)).max().unwrap_or(0);
            let needed = request.amount.addresses();
            if most < needed {
                let (name, profile) = (request.name.clone(), set.profile);
                return StarvationReason::ResourcePerTask { name, needed, most, profile };
            }
        }
        suitable.retain(|(_, executor)| executor.capacity(&set.requirements) > 0);
        let executors = suitable.len() as u32;
        suitable.retain(|(_, executor)| executor.decommissioned.is_none());
        if suitable.is_empty() {
            return StarvationReason::AllDecommissioned { executors };
        }
        let executors = suitable.len() as u32;
        suitable.retain(|(key, executor)| {
            !self.health.excludes(*key, executor.host) && !set.exclusion.excludes(*key, executor.host)
        });
        if suitable.is_empty() {
            return StarvationReason::AllExcluded { executors };
        }
        let free: u32 = suitable.iter().map(|(_, executor)| executor.free_cores / needed).sum();
        if set.barrier && free < set.tasks() {
            return StarvationReason::BarrierSlots { needed: set.tasks(), free };
        }
        let any_room = suitable.iter().any(|(_, executor)| executor.has_room(&set.requirements));
        if any_room && let Some(level) = set.waits_at_level(&self.options.locality, now) {
            return StarvationReason::LocalityWait { level };
        }
        let slots = suitable.iter().map(|(_, executor)| executor.capacity(&set.requirements)).sum();
        StarvationReason::SlotsTaken { slots, running: self.running.len() as u32 }
    }
}
