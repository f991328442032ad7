//! The tasks of a task set that wait, by where they would like to run: Spark's `PendingTasksByLocality`.
//!
//! A task is in every list that fits it, and leaves the others lazily, when they are looked at: so launching costs the same
//! however many tasks wait. Lists are taken from the end.

use std::collections::BTreeMap;

use firesteel_model::TaskLocality;

use crate::executors::{ExecutorKey, Executors, HostKey, Preference};

/// What to do with a task that stands in a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Launch it.
    Take,
    /// It does not wait any more: strike it out.
    Strike,
    /// It waits, but not for this executor.
    Keep,
}

/// Who offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offerer {
    pub(crate) executor: ExecutorKey,
    pub(crate) host: HostKey,
    pub(crate) rack: Option<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct PendingTasks {
    for_executor: BTreeMap<ExecutorKey, Vec<u32>>,
    for_host: BTreeMap<HostKey, Vec<u32>>,
    for_rack: BTreeMap<u32, Vec<u32>>,
    no_preference: Vec<u32>,
    all: Vec<u32>,
}

impl PendingTasks {
    pub(crate) fn reserve(&mut self, tasks: usize, with_preferences: bool) {
        self.all.reserve_exact(tasks);
        if !with_preferences {
            self.no_preference.reserve_exact(tasks);
        }
    }

    pub(crate) fn add(&mut self, index: u32, preferences: &[Preference], executors: &Executors) {
        for preference in preferences {
            if let Some(executor) = preference.executor {
                self.for_executor.entry(executor).or_default().push(index);
            }
            self.for_host.entry(preference.host).or_default().push(index);
            if let Some(rack) = executors.rack_of(preference.host) {
                let list = self.for_rack.entry(rack).or_default();
                if list.last() != Some(&index) {
                    list.push(index);
                }
            }
        }
        if preferences.is_empty() {
            self.no_preference.push(index);
        }
        self.all.push(index);
    }

    /// The next task for the offer that is at most `farthest` from its data, and how far it is.
    pub(crate) fn take(
        &mut self,
        offerer: Offerer,
        farthest: TaskLocality,
        mut judge: impl FnMut(u32) -> Verdict,
    ) -> Option<(u32, TaskLocality)> {
        if let Some(index) = take_listed(&mut self.for_executor, offerer.executor, &mut judge) {
            return Some((index, TaskLocality::ProcessLocal));
        }
        if farthest >= TaskLocality::NodeLocal
            && let Some(index) = take_listed(&mut self.for_host, offerer.host, &mut judge)
        {
            return Some((index, TaskLocality::NodeLocal));
        }
        // After the host's own, so that fewer tasks read across racks; Spark calls these PROCESS_LOCAL.
        if farthest >= TaskLocality::NoPref
            && let Some(index) = take_last(&mut self.no_preference, &mut judge)
        {
            return Some((index, TaskLocality::ProcessLocal));
        }
        if farthest >= TaskLocality::RackLocal
            && let Some(rack) = offerer.rack
            && let Some(index) = take_listed(&mut self.for_rack, rack, &mut judge)
        {
            return Some((index, TaskLocality::RackLocal));
        }
        if farthest >= TaskLocality::Any {
            return take_last(&mut self.all, &mut judge).map(|index| (index, TaskLocality::Any));
        }
        None
    }

    /// Does anything wait at exactly this level? Strikes out what does not wait any more.
    pub(crate) fn waits_at(&mut self, level: TaskLocality, waits: impl Fn(u32) -> bool) -> bool {
        match level {
            TaskLocality::ProcessLocal => waits_in_any(&mut self.for_executor, waits),
            TaskLocality::NodeLocal => waits_in_any(&mut self.for_host, waits),
            TaskLocality::NoPref => waits_in(&mut self.no_preference, &waits),
            TaskLocality::RackLocal => waits_in_any(&mut self.for_rack, waits),
            TaskLocality::Any => waits_in(&mut self.all, &waits),
        }
    }

    /// One that waits.
    pub(crate) fn any(&mut self, waits: impl Fn(u32) -> bool) -> Option<u32> {
        waits_in(&mut self.all, &waits).then(|| self.all.last().copied()).flatten()
    }

    /// The levels at which something waits and something is alive, nearest first; always ends with ANY (RT-20).
    pub(crate) fn levels(&self, executors: &Executors) -> Vec<TaskLocality> {
        let mut levels = Vec::with_capacity(5);
        if self.for_executor.keys().any(|&executor| executors.get(executor).is_some()) {
            levels.push(TaskLocality::ProcessLocal);
        }
        if self.for_host.keys().any(|&host| executors.is_host_alive(host)) {
            levels.push(TaskLocality::NodeLocal);
        }
        if !self.no_preference.is_empty() {
            levels.push(TaskLocality::NoPref);
        }
        if self.for_rack.keys().any(|&rack| executors.is_rack_alive(rack)) {
            levels.push(TaskLocality::RackLocal);
        }
        levels.push(TaskLocality::Any);
        levels
    }
}

fn take_listed(lists: &mut BTreeMap<u32, Vec<u32>>, key: u32, judge: &mut impl FnMut(u32) -> Verdict) -> Option<u32> {
    if lists.is_empty() {
        return None;
    }
    take_last(lists.get_mut(&key)?, judge)
}

fn take_last(list: &mut Vec<u32>, judge: &mut impl FnMut(u32) -> Verdict) -> Option<u32> {
    let mut at = list.len();
    while at > 0 {
        at -= 1;
        match judge(list[at]) {
            Verdict::Take => return Some(list.remove(at)),
            Verdict::Strike => _ = list.remove(at),
            Verdict::Keep => {}
        }
    }
    None
}

fn waits_in(list: &mut Vec<u32>, waits: &impl Fn(u32) -> bool) -> bool {
    while let Some(&last) = list.last() {
        if waits(last) {
            return true;
        }
        list.pop();
    }
    false
}

fn waits_in_any(lists: &mut BTreeMap<u32, Vec<u32>>, waits: impl Fn(u32) -> bool) -> bool {
    while let Some(mut first) = lists.first_entry() {
        if waits_in(first.get_mut(), &waits) {
            return true;
        }
        first.remove();
    }
    false
}
