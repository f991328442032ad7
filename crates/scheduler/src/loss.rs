//! What is lost and how it is made again: fetch failures, executors, rollbacks (RT-11, RT-34…36, RT-71, RT-77).

use std::collections::BTreeSet;

use firesteel_model::{
    ExecutorId, ExecutorLossReason, ListenerEvent, StageAttemptId, StageId, TaskAttemptNumber, TaskEndReason, TaskId,
    TaskLocality, TaskSnapshot,
};

use crate::{
    Command, ExecutorRegistration, LostOutputs, Scheduler, TaskProgress,
    executors::ExecutorKey,
    map_output_tracker::LostOutput,
    outcome::EndedTask,
    scheduler::Turn,
    stage::{JobProgress, StageKind, StageStatus},
    task_set::{TaskSet, TaskSetState},
};

/// Two, as one heartbeat may have been under way when the task was launched.
const HEARTBEATS_TO_LOSE_A_TASK: u8 = 2;

impl Scheduler {
    pub(crate) fn executor_added(&mut self, registration: ExecutorRegistration, turn: &mut Turn) {
        let executor_id = registration.executor_id.clone();
        let host = self.executors.host_key(&registration.info.host);
        let refusal = if self.executors.key(&executor_id).is_some() {
            Some("duplicate executor id")
        } else if self.health.excludes_host(host) {
            Some("its host is excluded after failures")
        } else {
            None
        };
        self.all_refused = refusal.is_some() && self.executors.len() == 0;
        if let Some(reason) = refusal {
            // Where nobody else is, what waits has a limit.
            self.offer_all();
            let reason = format!("{reason}: {executor_id} on {}", registration.info.host);
            return turn.commands.push(Command::RefuseExecutor { executor_id, reason });
        }
        let key = self.executors.add(&registration, turn.moment());
        self.executor_failure_epochs.remove(&key);
        if let Some(heartbeat) = &self.options.heartbeat {
            self.next_heartbeat_check.get_or_insert(turn.moment() + heartbeat.check_interval);
        }
        self.check_registered_resources(turn.moment());
        self.executors_changed();
        let (time_ms, info) = (turn.now.wall_clock_ms, registration.info);
        turn.post(ListenerEvent::ExecutorAdded { time_ms, executor_id: executor_id.clone(), info });
        turn.commands.push(Command::AcceptExecutor { executor_id });
        self.start_delayed_jobs(turn);
        self.offer_all();
    }

    fn executors_changed(&mut self) {
        for set in self.task_sets.values_mut() {
            set.executors_changed(&self.executors);
        }
    }

    pub(crate) fn executors_unwanted(
        &mut self,
        executor_ids: Vec<ExecutorId>,
        reason: &str,
        busy_too: bool,
        turn: &mut Turn,
    ) {
        for executor_id in executor_ids {
            let executor = self.executors.key(&executor_id).and_then(|key| self.executors.get(key));
            if !executor.is_some_and(|executor| busy_too || executor.tasks.is_empty()) {
                continue;
            }
            let loss = ExecutorLossReason::KilledByDriver { reason: reason.to_owned() };
            self.executor_lost(&executor_id, &loss, self.outputs_lost_with_an_executor(), turn);
            turn.commands.push(Command::KillExecutor { executor_id, reason: reason.to_owned(), replace: false });
        }
    }

    fn outputs_lost_with_an_executor(&self) -> LostOutputs {
        if self.options.external_shuffle_service { LostOutputs::None } else { LostOutputs::OfExecutor }
    }

    pub(crate) fn executor_decommissioned(&mut self, executor_id: &ExecutorId, host_too: bool, turn: &Turn) {
        let Some(executor) = self.executors.key(executor_id).and_then(|key| self.executors.get_mut(key)) else {
            return;
        };
        executor.decommissioned.get_or_insert(turn.moment());
        executor.host_decommissioned |= host_too;
        self.offer_all();
    }

    pub(crate) fn executor_lost(
        &mut self,
        executor_id: &ExecutorId,
        reason: &ExecutorLossReason,
        lost_outputs: LostOutputs,
        turn: &mut Turn,
    ) {
        let key = self.executors.key(executor_id);
        let host = match key {
            Some(key) => {
                let host = self.executors.get(key).expect("a present executor").host;
                Some(self.executors.host_name(host).to_owned())
            }
            None => self.map_outputs.host_of(executor_id),
        };
        let removed = key.and_then(|key| self.executors.remove(key));
        if let Some(key) = key {
            self.health.executor_removed(key);
            let epoch = self.map_outputs.epoch();
            self.executor_failure_epochs.insert(key, epoch);
        }
        let lost = match (lost_outputs, host) {
            (LostOutputs::None, _) | (_, None) => Vec::new(),
            (LostOutputs::OfExecutor, Some(_)) => self.map_outputs.unregister_executor(executor_id),
            (LostOutputs::OfHost, Some(host)) => self.map_outputs.unregister_host(&host),
        };
        self.requeue_lost(lost, turn);
        let Some(executor) = removed else { return };
        self.recent_losses.add(executor_id, reason);
        self.executors_changed();
        // It may have been further than is known here: what counts as running may have ended, and what waited may have run. So no
        // task is to blame; but the next time one must be, whoever else has tasks that wait there: a task that ends executors
        // would never fail beside the short tasks of other jobs.
        let mut not_known: BTreeSet<StageAttemptId> = BTreeSet::new();
        if !executor.ahead.is_empty() {
            not_known.extend(executor.tasks.iter().map(|task_id| self.running[task_id].stage));
            not_known.retain(|stage| self.task_sets.get_mut(stage).is_some_and(TaskSet::launch_no_more_ahead));
        }
        for task_id in executor.tasks {
            let task = &self.running[&task_id];
            let started = task.started && !task.ahead && !not_known.contains(&task.stage);
            let reason = TaskEndReason::ExecutorLostFailure {
                executor_id: executor_id.clone(),
                exit_caused_by_app: reason.caused_by_app() && started,
                reason: Some(reason.to_string()),
            };
            self.task_failed(task_id, reason, None, turn);
        }
        turn.post(ListenerEvent::ExecutorRemoved {
            time_ms: turn.now.wall_clock_ms,
            executor_id: executor_id.clone(),
            reason: reason.to_string(),
        });
        self.offer_all();
    }

    /// Outputs that a running map stage had made already are made again by the same task set (RT-34).
    pub(crate) fn requeue_lost(&mut self, lost: Vec<LostOutput>, turn: &mut Turn) {
        for LostOutput { shuffle_id, map_index, status } in lost {
            let Some(&stage_id) = self.map_stages.get(&shuffle_id) else { continue };
            let stage = &self.stages[&stage_id];
            let id = stage.latest();
            if stage.status != StageStatus::Running {
                continue;
            }
            let Some(set) = self.task_sets.get_mut(&id) else { continue };
            let Some(index) = set.index_of(map_index) else { continue };
            if !set.output_lost(index, &self.executors) {
                continue;
            }
            // What is not known any more of the attempt, its start, is given as its end.
            let time_ms = turn.now.wall_clock_ms;
            let task = TaskSnapshot {
                task_id: TaskId(status.map_id.0),
                index,
                attempt: TaskAttemptNumber(set.attempts(index).saturating_sub(1)),
                partition: set.partition(index),
                launch_time_ms: time_ms,
                executor_id: status.location.executor_id.clone(),
                host: status.location.host.clone(),
                locality: TaskLocality::Any,
                speculative: false,
                getting_result_time_ms: 0,
                finish_time_ms: time_ms,
                failed: true,
                killed: false,
                accumulables: Vec::new(),
                resources: Vec::new(),
            };
            let task_type = set.task_type();
            turn.post(ListenerEvent::TaskEnd {
                stage: id,
                task_type,
                reason: TaskEndReason::Resubmitted,
                task,
                metrics: None,
            });
            self.stage_mut(stage_id).pending.insert(map_index);
            self.offer_all();
        }
    }

    /// A task could not read a map output: its stage, and the one that wrote the output, run again for what is missing
    /// (RT-35).
    pub(crate) fn fetch_failed(&mut self, ended: &EndedTask, reason: &TaskEndReason, turn: &mut Turn) {
        let TaskEndReason::FetchFailed { block_manager_id, shuffle_id, map_index, message, .. } = reason else {
            return;
        };
        let id = ended.task.stage;
        let stage_id = id.stage_id;
        // Of an earlier attempt the failure is late: it was dealt with, or its stage is gone.
        if self.stages.get(&stage_id).is_none_or(|stage| stage.latest() != id) {
            return;
        }
        let map_stage = self.map_stages.get(shuffle_id).copied();
        let decommissioned = block_manager_id.as_ref().and_then(|at| self.executors.key(&at.executor_id));
        let decommissioned =
            decommissioned.and_then(|key| self.executors.get(key)).filter(|it| it.decommissioned.is_some());
        let host_leaves = decommissioned.is_some_and(|executor| executor.host_decommissioned);
        let ignored = self.options.stage.ignore_decommission_fetch_failure && decommissioned.is_some();
        let running = self.stages[&stage_id].status == StageStatus::Running;
        if running {
            self.finish_stage(stage_id, Some(message), turn);
        }
        let map_is_barrier = map_stage.is_some_and(|map_stage| self.stages[&map_stage].rdd.barrier);
        let lost = match (block_manager_id, map_is_barrier) {
            (_, true) => self.map_outputs.unregister_all(*shuffle_id),
            (Some(at), false) => self.map_outputs.unregister(*shuffle_id, map_index.0, at),
            (None, false) => Vec::new(),
        };
        self.requeue_lost(lost, turn);
        if let Some(at) = block_manager_id {
            let whole_host =
                (self.options.external_shuffle_service || host_leaves) && self.options.stage.unregister_output_on_host;
            self.unregister_failed(&at.executor_id, whole_host.then_some(at.host.as_str()), ended, turn);
            self.exclude_after_fetch_failure(&at.executor_id, &at.host, turn);
        }
        if self.stages[&stage_id].rdd.barrier {
            self.retire_task_sets(stage_id, false, "a task of its barrier stage failed to fetch", turn);
            self.void_barrier_outputs(stage_id, turn);
        }
        if !ignored && self.count_failed_attempt(id, message, turn) {
            return;
        }
        self.resubmit_later([stage_id].into_iter().chain(map_stage), turn);
        if let Some(map_stage) = map_stage.filter(|map_stage| self.stages[map_stage].is_indeterminate()) {
            self.roll_back(map_stage, turn);
        }
    }

    /// All outputs of the executor, or of its host, are taken for lost, unless that was found out after the task began.
    fn unregister_failed(&mut self, executor_id: &ExecutorId, host: Option<&str>, ended: &EndedTask, turn: &mut Turn) {
        let key = self.executors.executor_key(executor_id);
        // A task set is made at an epoch: failures known at a later one are not news from it.
        let epoch = self.task_sets.get(&ended.task.stage).map_or_else(|| self.map_outputs.epoch(), |set| set.epoch);
        if self.executor_failure_epochs.get(&key).is_some_and(|&known| known >= epoch) {
            return;
        }
        self.executor_failure_epochs.insert(key, epoch);
        let lost = match host {
            Some(host) => self.map_outputs.unregister_host(host),
            None => self.map_outputs.unregister_executor(executor_id),
        };
        self.map_outputs.increment_epoch();
        self.requeue_lost(lost, turn);
    }

    fn exclude_after_fetch_failure(&mut self, executor_id: &ExecutorId, host: &str, turn: &mut Turn) {
        let Some(options) = self.options.exclusion.as_ref().filter(|options| options.exclude_on_fetch_failure) else {
            return;
        };
        let key = self.executors.executor_key(executor_id);
        let host = self.executors.host_key(host);
        let excluded = if self.options.external_shuffle_service {
            self.health.exclude_host(options.timeout, turn.moment(), host, 1).into_iter().collect()
        } else {
            self.health.exclude_executor(options, turn.moment(), key, host, 1)
        };
        self.announce_exclusions(excluded, None, turn);
    }

    /// The map stage is computed anew and may give other rows: whatever has read the old ones is void (RT-36). A result that
    /// was handed out cannot be called back, so its job fails.
    pub(crate) fn roll_back(&mut self, map_stage: StageId, turn: &mut Turn) {
        // Parents are made before their children, so one ascending pass finds all that come after.
        let mut void = BTreeSet::from([map_stage]);
        for stage in self.stages.values() {
            if stage.parents.iter().any(|parent| void.contains(parent)) {
                void.insert(stage.id);
            }
        }
        for &stage_id in &void {
            let Some(stage) = self.stages.get(&stage_id) else { continue };
            match &stage.kind {
                StageKind::Map(shuffle) => {
                    let shuffle_id = shuffle.shuffle_id;
                    self.map_outputs.unregister_all(shuffle_id);
                    self.void_attempts(stage_id, map_stage, turn);
                }
                StageKind::Result(job_id) => {
                    let JobProgress::Result { finished, held, .. } = &self.jobs[job_id].progress else { continue };
                    if finished.count() as usize > held.len() {
                        let reason = format!(
                            "A shuffle map stage with indeterminate output was failed and retried. However, Spark cannot rollback the {stage} to re-process the input data, and has to fail this job. Please eliminate the indeterminacy by checkpointing the RDD before repartition and try again"
                        );
                        self.abort_stage(stage_id, &reason, turn);
                    } else {
                        self.void_barrier_outputs(stage_id, turn);
                        self.void_attempts(stage_id, map_stage, turn);
                    }
                }
            }
        }
    }

    /// What attempts of the stage still bring is dropped; it runs again if it ran.
    fn void_attempts(&mut self, stage_id: StageId, cause: StageId, turn: &mut Turn) {
        let stage = self.stage_mut(stage_id);
        stage.first_valid_attempt = stage.attempts;
        let running = stage.status == StageStatus::Running;
        self.retire_task_sets(stage_id, false, "its input is computed anew", turn);
        if running {
            let reason = format!("rolled back: its input from stage {cause} is indeterminate and is computed anew");
            self.finish_stage(stage_id, Some(&reason), turn);
            self.resubmit_later([stage_id], turn);
        }
    }
}

/// Heartbeats (RT-70, RT-71).
impl Scheduler {
    pub(crate) fn heartbeat(&mut self, executor_id: &ExecutorId, tasks: Vec<TaskProgress>, turn: &mut Turn) {
        let Some(key) = self.executors.key(executor_id) else {
            return turn.commands.push(Command::AskToRegister { executor_id: executor_id.clone() });
        };
        let executor = self.executors.get_mut(key).expect("its key was found");
        executor.last_heartbeat = turn.moment();
        let believed = executor.tasks.clone();
        let mut named = BTreeSet::new();
        let mut updates = Vec::new();
        for TaskProgress { task_id, records_read, accumulators } in tasks {
            named.insert(task_id);
            match self.running.get_mut(&task_id).filter(|task| task.executor == key) {
                Some(task) => {
                    task.missed_heartbeats = 0;
                    task.records_read = records_read;
                    if !accumulators.is_empty() {
                        updates.push((task_id, task.stage, accumulators));
                    }
                    // The first request may have been lost; asking again does no harm.
                    if let Some((reason, interrupt)) = task.kill.clone() {
                        let executor_id = executor_id.clone();
                        turn.commands.push(Command::KillTask { executor_id, task_id, interrupt, reason });
                    }
                }
                None => {
                    let reason = "the driver does not know of it".to_owned();
                    let executor_id = executor_id.clone();
                    turn.commands.push(Command::KillTask { executor_id, task_id, interrupt: true, reason });
                }
            }
        }
        if !updates.is_empty() {
            let executor_id = executor_id.clone();
            turn.post(ListenerEvent::ExecutorMetricsUpdate { executor_id, updates, memory: Vec::new() });
        }
        for task_id in believed.difference(&named) {
            self.heartbeat_missed(*task_id, executor_id, turn);
        }
    }

    /// The executor does not name a task that should run there: its launch or its end was lost on the way.
    fn heartbeat_missed(&mut self, task_id: TaskId, executor_id: &ExecutorId, turn: &mut Turn) {
        let Some(task) = self.running.get_mut(&task_id) else { return };
        if task.getting_result_time_ms.is_some() {
            return; // It has ended there; its result is being fetched.
        }
        task.missed_heartbeats += 1;
        if task.missed_heartbeats >= HEARTBEATS_TO_LOSE_A_TASK {
            let reason = TaskEndReason::ExecutorLostFailure {
                executor_id: executor_id.clone(),
                exit_caused_by_app: false,
                reason: Some("the executor does not run the task, and its end was never reported".to_owned()),
            };
            self.task_failed(task_id, reason, None, turn);
        }
    }

    pub(crate) fn check_heartbeats(&mut self, turn: &mut Turn) {
        let Some(options) = self.options.heartbeat.clone() else { return };
        let now = turn.moment();
        if self.next_heartbeat_check.is_none_or(|at| at > now) {
            return;
        }
        let expired: Vec<(ExecutorKey, ExecutorId, u64)> = self
            .executors
            .iter()
            .filter(|(_, executor)| now.since(executor.last_heartbeat) > options.timeout)
            .map(|(key, it)| (key, it.id.clone(), now.since(it.last_heartbeat).as_millis() as u64))
            .collect();
        for (_, executor_id, silence_ms) in expired {
            let reason = ExecutorLossReason::HeartbeatTimedOut { silence_ms };
            self.executor_lost(&executor_id, &reason, self.outputs_lost_with_an_executor(), turn);
            let reason = reason.to_string();
            turn.commands.push(Command::KillExecutor { executor_id, reason, replace: true });
        }
        self.next_heartbeat_check = (self.executors.len() > 0).then(|| now + options.check_interval);
    }

    /// Is nothing known to run on this executor, in a set that still counts?
    pub(crate) fn is_idle(&self, key: ExecutorKey) -> bool {
        self.executors.get(key).is_some_and(|executor| executor.tasks.is_empty())
    }

    pub(crate) fn active_sets(&self) -> impl Iterator<Item = &crate::task_set::TaskSet> {
        self.task_sets.values().filter(|set| set.state == TaskSetState::Active)
    }
}
