//! Executors and hosts that get no more tasks after failures (RT-74): per task set, and for the whole application.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    ExclusionOptions, Moment,
    executors::{ExecutorKey, HostKey},
};

/// What became excluded by one failure; each at most once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exclusion {
    Executor { executor: ExecutorKey, failures: u32 },
    Host { host: HostKey, executors: u32 },
}

#[derive(Debug, Default)]
struct ExecutorFailures {
    host: HostKey,
    /// By task index: how often, and when last.
    by_task: BTreeMap<u32, (u32, Moment)>,
}

/// Failures inside one task set: Spark's `TaskSetExcludelist`.
#[derive(Debug, Default)]
pub(crate) struct TaskSetExclusion {
    failures: BTreeMap<ExecutorKey, ExecutorFailures>,
    hosts_by_task: BTreeSet<(HostKey, u32)>,
    executors: BTreeSet<ExecutorKey>,
    hosts: BTreeSet<HostKey>,
}

impl TaskSetExclusion {
    pub(crate) fn task_failed(
        &mut self,
        options: &ExclusionOptions,
        now: Moment,
        host: HostKey,
        executor: ExecutorKey,
        index: u32,
    ) -> Vec<Exclusion> {
        let failures = self.failures.entry(executor).or_default();
        failures.host = host;
        let (count, last) = failures.by_task.entry(index).or_insert((0, now));
        *count += 1;
        *last = now;
        let failed_tasks = failures.by_task.len() as u32;
        let on_host = self.failures.values().filter(|failures| failures.host == host);
        let attempts: u32 = on_host.map(|failures| failures.by_task.get(&index).map_or(0, |(count, _)| *count)).sum();
        if attempts >= options.max_task_attempts_per_node.get() {
            self.hosts_by_task.insert((host, index));
        }
        let mut excluded = Vec::new();
        if failed_tasks >= options.max_failed_tasks_per_executor_stage.get() && self.executors.insert(executor) {
            excluded.push(Exclusion::Executor { executor, failures: failed_tasks });
            let failures = &self.failures;
            let on_host = self.executors.iter().filter(|executor| failures[executor].host == host).count() as u32;
            if on_host >= options.max_failed_executors_per_node_stage.get() && self.hosts.insert(host) {
                excluded.push(Exclusion::Host { host, executors: on_host });
            }
        }
        excluded
    }

    /// No task of the set may run there.
    pub(crate) fn excludes(&self, executor: ExecutorKey, host: HostKey) -> bool {
        self.executors.contains(&executor) || self.hosts.contains(&host)
    }

    /// This task may not run there.
    pub(crate) fn excludes_task(
        &self,
        options: &ExclusionOptions,
        executor: ExecutorKey,
        host: HostKey,
        index: u32,
    ) -> bool {
        let attempts = self.failures.get(&executor).and_then(|failures| failures.by_task.get(&index));
        attempts.is_some_and(|(count, _)| *count >= options.max_task_attempts_per_executor.get())
            || self.hosts_by_task.contains(&(host, index))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }
}

#[derive(Debug)]
struct Excluded {
    host: HostKey,
    until: Moment,
}

/// Failures in the whole application, counted when a task set succeeds in spite of them: Spark's `HealthTracker`.
#[derive(Debug, Default)]
pub(crate) struct HealthTracker {
    failures: BTreeMap<ExecutorKey, Vec<Moment>>,
    executors: BTreeMap<ExecutorKey, Excluded>,
    hosts: BTreeMap<HostKey, Moment>,
}

impl HealthTracker {
    /// A task set succeeded: what failed in it speaks against its executors, not against its code.
    pub(crate) fn task_set_succeeded(
        &mut self,
        options: &ExclusionOptions,
        now: Moment,
        task_set: &TaskSetExclusion,
    ) -> Vec<Exclusion> {
        let mut excluded = Vec::new();
        for (&executor, failures) in &task_set.failures {
            let known = self.failures.entry(executor).or_default();
            known.extend(failures.by_task.values().map(|(_, last)| *last));
            known.retain(|&at| now.since(at) < options.timeout);
            let count = known.len() as u32;
            if count >= options.max_failed_tasks_per_executor.get() && !self.executors.contains_key(&executor) {
                excluded.extend(self.exclude_executor(options, now, executor, failures.host, count));
            }
        }
        excluded
    }

    /// Excludes at once, as after a fetch failure (`application.fetchFailure.enabled`).
    pub(crate) fn exclude_executor(
        &mut self,
        options: &ExclusionOptions,
        now: Moment,
        executor: ExecutorKey,
        host: HostKey,
        failures: u32,
    ) -> Vec<Exclusion> {
        let until = now + options.timeout;
        if self.executors.insert(executor, Excluded { host, until }).is_some() {
            return Vec::new();
        }
        let mut excluded = vec![Exclusion::Executor { executor, failures }];
        let on_host = self.executors.values().filter(|excluded| excluded.host == host).count() as u32;
        if on_host >= options.max_failed_executors_per_node.get() {
            excluded.extend(self.exclude_host(options.timeout, now, host, on_host));
        }
        excluded
    }

    pub(crate) fn exclude_host(
        &mut self,
        timeout: Duration,
        now: Moment,
        host: HostKey,
        executors: u32,
    ) -> Option<Exclusion> {
        self.hosts.insert(host, now + timeout).is_none().then_some(Exclusion::Host { host, executors })
    }

    /// What is forgiven by now: executors, hosts.
    pub(crate) fn expire(&mut self, now: Moment) -> (Vec<ExecutorKey>, Vec<HostKey>) {
        let executors: Vec<_> = self.executors.extract_if(.., |_, excluded| excluded.until <= now).collect();
        let hosts: Vec<_> = self.hosts.extract_if(.., |_, until| *until <= now).collect();
        for (executor, _) in &executors {
            self.failures.remove(executor);
        }
        (
            executors.into_iter().map(|(executor, _)| executor).collect(),
            hosts.into_iter().map(|(host, _)| host).collect(),
        )
    }

    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let executors = self.executors.values().map(|excluded| excluded.until);
        executors.chain(self.hosts.values().copied()).min()
    }

    /// The executor is gone: its failures are of no interest, but its exclusion still counts for its host until it expires.
    pub(crate) fn executor_removed(&mut self, executor: ExecutorKey) {
        self.failures.remove(&executor);
    }

    pub(crate) fn excludes(&self, executor: ExecutorKey, host: HostKey) -> bool {
        self.executors.contains_key(&executor) || self.hosts.contains_key(&host)
    }

    pub(crate) fn excludes_host(&self, host: HostKey) -> bool {
        self.hosts.contains_key(&host)
    }

    /// Which hosts, and until when.
    pub(crate) fn excluded_hosts(&self) -> impl Iterator<Item = (HostKey, Moment)> {
        self.hosts.iter().map(|(&host, &until)| (host, until))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.executors.is_empty() && self.hosts.is_empty()
    }
}
