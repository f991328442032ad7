//! Executors and hosts that get no tasks after failures, by the oracle's own account (RT-74): of a task and of its set from
//! the failures that were heard of, of the whole application from what the listeners were told.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{ExecutorId, StageAttemptId, TaskId};
use firesteel_scheduler::{ExclusionOptions, TaskLaunch};

use super::tasks::{Task, Tasks};

/// The failures of one set: by executor and index, how many.
type SetFailures = BTreeMap<ExecutorId, BTreeMap<u32, u32>>;

#[derive(Debug, Default)]
pub(super) struct Exclusions {
    options: Option<ExclusionOptions>,
    hosts: BTreeMap<ExecutorId, String>,
    /// The executors that tasks are given to, excluded or not.
    present: BTreeSet<ExecutorId>,
    sets: BTreeMap<StageAttemptId, SetFailures>,
    /// Indexes whose output is there: what fails beside does not speak against its executor.
    successes: BTreeSet<(StageAttemptId, u32)>,
    executors: BTreeSet<ExecutorId>,
    excluded_hosts: BTreeSet<String>,
}

impl Exclusions {
    pub(super) fn new(options: Option<ExclusionOptions>) -> Self {
        Self { options, ..Self::default() }
    }

    pub(super) fn executor_added(&mut self, executor_id: &ExecutorId, host: &str) {
        self.hosts.insert(executor_id.clone(), host.to_owned());
    }

    pub(super) fn executor_accepted(&mut self, executor_id: &ExecutorId) {
        self.present.insert(executor_id.clone());
    }

    pub(super) fn executor_removed(&mut self, executor_id: &ExecutorId) {
        self.present.remove(executor_id);
    }

    /// May the task run on none of the executors that are there?
    pub(super) fn forbids_everywhere(&self, stage: StageAttemptId, index: u32) -> bool {
        self.options.is_some() && self.present.iter().all(|at| self.forbids(at, stage, index).is_some())
    }

    pub(super) fn task_succeeded(&mut self, task: &Task) {
        self.successes.insert((task.stage, task.index));
    }

    /// Its output is lost, and it is made again.
    pub(super) fn output_lost(&mut self, stage: StageAttemptId, index: u32) {
        self.successes.remove(&(stage, index));
    }

    /// The task failed by its own fault.
    pub(super) fn task_failed(&mut self, task_id: TaskId, tasks: &Tasks) {
        let task = tasks.get(task_id);
        if !self.successes.contains(&(task.stage, task.index)) {
            let set = self.sets.entry(task.stage).or_default();
            *set.entry(task.executor_id.clone()).or_default().entry(task.index).or_default() += 1;
        }
    }

    /// For the whole application.
    pub(super) fn executor_excluded(&mut self, executor_id: &ExecutorId, excluded: bool) {
        if excluded {
            self.executors.insert(executor_id.clone());
        } else {
            self.executors.remove(executor_id);
        }
    }

    /// For the whole application.
    pub(super) fn host_excluded(&mut self, host: &str, excluded: bool) {
        if excluded {
            self.excluded_hosts.insert(host.to_owned());
        } else {
            self.excluded_hosts.remove(host);
        }
    }

    pub(super) fn launched(&self, executor_id: &ExecutorId, launch: &TaskLaunch) {
        let TaskLaunch { task_id, stage, index, .. } = launch;
        if let Some(why) = self.forbids(executor_id, *stage, *index) {
            panic!("task {task_id} of {stage} is launched on executor {executor_id}: {why}");
        }
    }

    /// Did nothing fail that could keep a task of the set off any executor?
    pub(super) fn is_free(&self, stage: StageAttemptId) -> bool {
        self.options.is_none() || !self.sets.contains_key(&stage)
    }

    fn forbids(&self, executor_id: &ExecutorId, stage: StageAttemptId, index: u32) -> Option<&'static str> {
        let options = self.options.as_ref()?;
        let host = self.hosts.get(executor_id)?;
        if self.executors.contains(executor_id) || self.excluded_hosts.contains(host) {
            return Some("it is excluded for the application");
        }
        let set = self.sets.get(&stage)?;
        let times = |at: &BTreeMap<u32, u32>| at.get(&index).copied().unwrap_or_default();
        let failed_here = set.get(executor_id);
        if failed_here.is_some_and(|at| times(at) >= options.max_task_attempts_per_executor.get()) {
            return Some("the task has failed there");
        }
        let on_host = || set.iter().filter(|(other, _)| self.hosts.get(*other) == Some(host)).map(|(_, at)| at);
        if on_host().map(times).sum::<u32>() >= options.max_task_attempts_per_node.get() {
            return Some("the task has failed on its host");
        }
        let excluded = |at: &BTreeMap<u32, u32>| at.len() as u32 >= options.max_failed_tasks_per_executor_stage.get();
        if failed_here.is_some_and(excluded) {
            return Some("tasks of the stage have failed there");
        }
        let executors = on_host().filter(|at| excluded(at)).count() as u32;
        (executors >= options.max_failed_executors_per_node_stage.get()).then_some("its host is excluded for the stage")
    }
}
