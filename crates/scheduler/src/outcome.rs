//! What becomes of task attempts: started, ended well, failed, killed (RT-30…34, RT-38).

use std::sync::Arc;

use firesteel_model::{
    AccumulableInfo, AccumulatorUpdate, ByteCount, ExecutorId, ListenerEvent, MapStatus, StageAttemptId, StageId,
    TaskEndReason, TaskId, TaskMetrics,
};

use crate::{
    Command, Moment, Scheduler, TaskEnded, TaskOutcome,
    health::Exclusion,
    scheduler::{RunningTask, Turn},
    stage::{HeldResult, JobProgress, StageStatus},
    task_set::{TaskKind, TaskSetState},
};

/// A task attempt whose end was just taken note of.
pub(crate) struct EndedTask {
    pub(crate) id: TaskId,
    pub(crate) task: RunningTask,
    pub(crate) metrics: Option<Arc<TaskMetrics>>,
}

/// What a success brought.
struct Success {
    map_status: Option<Arc<MapStatus>>,
    accumulators: Vec<AccumulatorUpdate>,
}

const OTHER_ATTEMPT: &str = "another attempt succeeded";

impl Scheduler {
    pub(crate) fn task_started(&mut self, task_id: TaskId, executor_id: &ExecutorId) {
        // Of a task that has ended already, or was given up, the message is late.
        if self.runs_there(task_id, executor_id)
            && let Some(task) = self.running.get_mut(&task_id)
        {
            task.started = true;
        }
    }

    /// Does the result wait for those of other tasks of its barrier stage?
    fn is_held(&self, task_id: TaskId) -> bool {
        self.jobs.values().any(|job| match &job.progress {
            JobProgress::Result { held, .. } => held.iter().any(|result| result.task_id == task_id),
            JobProgress::MapStage => false,
        })
    }

    /// Is the task known to run, and on this executor? All else is late, duplicated or wrong.
    pub(crate) fn runs_there(&self, task_id: TaskId, executor_id: &ExecutorId) -> bool {
        let task = self.running.get(&task_id);
        task.is_some_and(|task| self.executors.id_of(task.executor) == executor_id)
    }

    pub(crate) fn task_getting_result(
        &mut self,
        task_id: TaskId,
        executor_id: &ExecutorId,
        result_size: ByteCount,
        turn: &mut Turn,
    ) {
        if !self.runs_there(task_id, executor_id) {
            if !self.is_held(task_id) {
                turn.commands.push(Command::DropResult { task_id });
            }
            return;
        }
        if self.running[&task_id].getting_result_time_ms.is_some() {
            return; // The message came twice; the result is being fetched.
        }
        if self.running[&task_id].ahead {
            self.announce_start(task_id, turn);
        }
        self.free_slot(task_id);
        let task = self.running.get_mut(&task_id).expect("it was seen to run");
        task.ahead = false;
        task.started = true;
        task.getting_result_time_ms = Some(turn.now.wall_clock_ms.max(1));
        let (stage, index) = (task.stage, task.index);
        let set = &self.task_sets[&stage];
        let wanted = !set.is_successful(index) && self.stages.contains_key(&stage.stage_id);
        if !wanted || !self.has_room_for_result(stage, result_size) {
            let reason = if wanted { "Tasks result size has exceeded maxResultSize" } else { OTHER_ATTEMPT };
            let reason = TaskEndReason::TaskKilled { reason: reason.to_owned() };
            return self.task_failed(task_id, reason, None, turn);
        }
        let snapshot = self.task_snapshot(task_id, &self.running[&task_id]);
        turn.post(ListenerEvent::TaskGettingResult { task: snapshot });
        turn.commands.push(Command::FetchResult { task_id });
    }

    /// Counts a result against `spark.driver.maxResultSize` (RT-33).
    fn has_room_for_result(&mut self, stage: StageAttemptId, size: ByteCount) -> bool {
        let set = self.task_sets.get_mut(&stage).expect("the set of a running task exists");
        if set.is_map() {
            return true;
        }
        set.result_size += size;
        set.results += 1;
        self.options.max_result_size.is_none_or(|most| set.result_size <= most)
    }

    pub(crate) fn free_slot(&mut self, task_id: TaskId) {
        let task = &self.running[&task_id];
        if task.getting_result_time_ms.is_some() {
            return;
        }
        let key = task.executor;
        if let Some(executor) = self.executors.get_mut(key) {
            if task.ahead {
                executor.ahead.retain(|&waiting| waiting != task_id);
            } else {
                executor.release(&self.task_sets[&task.stage].requirements, &task.resources);
            }
            executor.returned_ahead = false;
            self.offer(key);
        }
    }

    pub(crate) fn task_ended(&mut self, ended: TaskEnded, turn: &mut Turn) {
        let TaskEnded { task_id, executor_id, outcome, run_time, metrics } = ended;
        if !self.runs_there(task_id, &executor_id) {
            // Its executor was given up, or the message came twice: its end was decided then.
            if !self.is_held(task_id) {
                turn.commands.push(Command::DropResult { task_id });
            }
            return;
        }
        if let Some(run_time) = run_time {
            let stage = self.running[&task_id].stage;
            let set = self.task_sets.get_mut(&stage).expect("the set of a running task exists");
            set.ran(run_time.as_micros() as u64);
        }
        match outcome {
            TaskOutcome::Success { map_status, result_size, accumulators } => {
                let task = &self.running[&task_id];
                let stage = task.stage;
                if task.getting_result_time_ms.is_none() && !self.has_room_for_result(stage, result_size) {
                    turn.commands.push(Command::DropResult { task_id });
                    let reason = "Tasks result size has exceeded maxResultSize".to_owned();
                    return self.task_failed(task_id, TaskEndReason::TaskKilled { reason }, metrics, turn);
                }
                if self.task_sets[&stage].is_map() && map_status.is_none() {
                    let reason = protocol_failure("the map task reported success without a map status");
                    return self.task_failed(task_id, reason, metrics, turn);
                }
                self.task_succeeded(task_id, Success { map_status, accumulators }, metrics, turn);
            }
            TaskOutcome::Failure(TaskEndReason::Success | TaskEndReason::Resubmitted) => {
                let reason = protocol_failure("the task reported as its failure what is none");
                self.task_failed(task_id, reason, metrics, turn);
            }
            TaskOutcome::Failure(reason) => self.task_failed(task_id, reason, metrics, turn),
        }
    }

    /// Strikes a running task from every table but its set's list of successes.
    fn take_running(&mut self, task_id: TaskId, metrics: Option<Arc<TaskMetrics>>, turn: &mut Turn) -> EndedTask {
        if self.running[&task_id].ahead {
            self.announce_start(task_id, turn);
        }
        self.free_slot(task_id);
        EndedTask { id: task_id, task: self.strike_running(task_id, turn.moment()), metrics }
    }

    /// Strikes a task that holds no slot from every table but its set's list of successes.
    pub(crate) fn strike_running(&mut self, task_id: TaskId, now: Moment) -> RunningTask {
        let task = self.running.remove(&task_id).expect("the caller has seen it run");
        if let Some(executor) = self.executors.get_mut(task.executor) {
            executor.tasks.remove(&task_id);
        }
        self.pools.task_ended(task.stage);
        let set = self.task_sets.get_mut(&task.stage).expect("the set of a running task exists");
        set.copy_ended(task.index, task_id, now);
        task
    }

    fn post_task_end(
        &self,
        ended: &EndedTask,
        reason: TaskEndReason,
        accumulators: &[AccumulatorUpdate],
        turn: &mut Turn,
    ) {
        let mut task = self.task_snapshot(ended.id, &ended.task);
        task.finish_time_ms = turn.now.wall_clock_ms;
        task.killed = matches!(reason, TaskEndReason::TaskKilled { .. });
        task.failed = !task.killed && reason != TaskEndReason::Success;
        task.accumulables = accumulators.iter().map(accumulable).collect();
        turn.post(ListenerEvent::TaskEnd {
            stage: ended.task.stage,
            task_type: self.task_sets[&ended.task.stage].task_type(),
            reason,
            task,
            metrics: ended.metrics.clone(),
        });
    }

    fn task_succeeded(
        &mut self,
        task_id: TaskId,
        success: Success,
        metrics: Option<Arc<TaskMetrics>>,
        turn: &mut Turn,
    ) {
        let ended = self.take_running(task_id, metrics, turn);
        let (id, index) = (ended.task.stage, ended.task.index);
        let set = self.task_sets.get_mut(&id).expect("the set of a running task exists");
        let output = set.output(index);
        let stale = self.stages.get(&id.stage_id).is_none_or(|stage| id.attempt.0 < stage.first_valid_attempt);
        if stale || !set.succeeded(index, true) {
            // Another attempt was first, or nobody waits for the stage any more.
            if !set.is_map() {
                turn.commands.push(Command::DropResult { task_id });
            }
            if stale {
                // It may have committed what is void; who computes it anew must be let.
                self.commits.attempt_failed(id, set.partition(index), ended.task.attempt);
            }
            let reason = if stale { "the stage does not need it any more" } else { OTHER_ATTEMPT };
            let reason = TaskEndReason::TaskKilled { reason: reason.to_owned() };
            self.post_task_end(&ended, reason, &[], turn);
            self.task_set_progressed(id, turn);
            return;
        }
        if let (Some(durations), Some(metrics)) = (&mut set.durations, &ended.metrics) {
            durations.insert(turn.moment().since(ended.task.launched).as_millis() as u64);
            set.records_processed += metrics.input.records_read + metrics.shuffle_read.records_read;
            set.processing_ms += metrics.executor_run_time_ms;
        } else if let Some(durations) = &mut set.durations {
            durations.insert(turn.moment().since(ended.task.launched).as_millis() as u64);
        }
        self.complete_set_if_done(id, turn);
        self.succeeded_elsewhere(id, output, turn);
        match self.task_sets[&id].kind.clone() {
            TaskKind::Map { .. } => self.map_task_succeeded(&ended, output, success, turn),
            TaskKind::Result { .. } => self.result_task_succeeded(&ended, output, success, turn),
        }
        self.task_set_progressed(id, turn);
    }

    /// Every other copy of the output, in this and in other attempts of the stage, is superfluous.
    fn succeeded_elsewhere(&mut self, winner: StageAttemptId, output: u32, turn: &mut Turn) {
        let sets: Vec<StageAttemptId> = self.sets_of_stage(winner.stage_id);
        for id in sets {
            let set = self.task_sets.get_mut(&id).expect("it was listed");
            let Some(index) = set.index_of(output) else { continue };
            if id != winner {
                set.succeeded(index, false);
            }
            if set.copies_running(index) > 0 {
                let copies: Vec<TaskId> =
                    set.running.iter().copied().filter(|task_id| self.running[task_id].index == index).collect();
                for task_id in copies {
                    self.kill_task(task_id, true, OTHER_ATTEMPT, turn);
                }
            }
            if id != winner {
                self.task_set_progressed(id, turn);
            }
        }
    }

    pub(crate) fn sets_of_stage(&self, stage_id: StageId) -> Vec<StageAttemptId> {
        let first = StageAttemptId { stage_id, attempt: firesteel_model::StageAttempt(0) };
        let last = StageAttemptId { stage_id, attempt: firesteel_model::StageAttempt(u32::MAX) };
        self.task_sets.range(first..=last).map(|(&id, _)| id).collect()
    }

    fn map_task_succeeded(&mut self, ended: &EndedTask, output: u32, success: Success, turn: &mut Turn) {
        let id = ended.task.stage;
        let set = &self.task_sets[&id];
        let TaskKind::Map { shuffle_id } = set.kind else { unreachable!("the caller has looked") };
        let status = success.map_status.expect("a success without a map status was refused");
        let failed_at = self.executor_failure_epochs.get(&ended.task.executor);
        // Launched before its executor was found to have lost outputs: this one may be gone as well (RT-62).
        let bogus = failed_at.is_some_and(|&failed_at| set.epoch <= failed_at);
        if !bogus {
            self.map_outputs.register(shuffle_id, output, status);
        }
        if !success.accumulators.is_empty() {
            let updates = success.accumulators.clone();
            turn.commands.push(Command::MergeAccumulators { task_id: ended.id, stage: id, updates });
        }
        self.post_task_end(ended, TaskEndReason::Success, &success.accumulators, turn);
        let stage = self.stage_mut(id.stage_id);
        stage.pending.remove(output);
        if stage.status == StageStatus::Running && stage.pending.count() == 0 {
            self.complete_map_stage(id.stage_id, turn);
        }
    }

    fn result_task_succeeded(&mut self, ended: &EndedTask, output: u32, success: Success, turn: &mut Turn) {
        let (id, task_id) = (ended.task.stage, ended.id);
        let set = &self.task_sets[&id];
        let TaskKind::Result { job_id, .. } = set.kind else { unreachable!("the caller has looked") };
        let barrier = set.barrier;
        let job = self.jobs.get_mut(&job_id).expect("a result stage is gone when its job is");
        let JobProgress::Result { finished, held, .. } = &mut job.progress else {
            unreachable!("a result stage belongs to a result job")
        };
        assert!(finished.insert(output), "output {output} of job {job_id} was made twice");
        let done = finished.is_full();
        let mut deliverable = Vec::new();
        if barrier {
            // If another task of the stage fails, all of them run again: nothing is handed out before the last (RT-48).
            let accumulators = success.accumulators.clone();
            held.push(HeldResult { output, task_id, stage: id, accumulators });
            if done {
                deliverable = std::mem::take(held);
            }
        } else {
            let accumulators = success.accumulators.clone();
            deliverable.push(HeldResult { output, task_id, stage: id, accumulators });
        }
        for HeldResult { output, task_id, stage, accumulators } in deliverable {
            if !accumulators.is_empty() {
                turn.commands.push(Command::MergeAccumulators { task_id, stage, updates: accumulators });
            }
            turn.commands.push(Command::DeliverResult { job_id, output_index: output, task_id });
        }
        self.post_task_end(ended, TaskEndReason::Success, &success.accumulators, turn);
        if done {
            self.finish_stage(id.stage_id, None, turn);
            self.job_succeeded(job_id, turn);
        }
    }

    /// After a task ended: the set may be done, or gone.
    pub(crate) fn task_set_progressed(&mut self, id: StageAttemptId, turn: &mut Turn) {
        self.complete_set_if_done(id, turn);
        self.remove_if_over(id, turn);
    }

    fn complete_set_if_done(&mut self, id: StageAttemptId, turn: &mut Turn) {
        let Some(set) = self.task_sets.get_mut(&id) else { return };
        if set.state != TaskSetState::Zombie && set.all_successful() {
            set.become_zombie();
            if let Some(options) = &self.options.exclusion {
                let excluded = self.health.task_set_succeeded(options, turn.moment(), &set.exclusion);
                self.announce_exclusions(excluded, None, turn);
            }
        }
    }

    /// A zombie without running tasks goes.
    pub(crate) fn remove_if_over(&mut self, id: StageAttemptId, turn: &mut Turn) {
        let over =
            self.task_sets.get(&id).is_some_and(|set| set.state == TaskSetState::Zombie && set.running.is_empty());
        if over {
            self.task_sets.remove(&id);
            self.pools.remove(id);
            self.barriers.stage_ended(id, turn.commands);
            turn.commands.push(Command::ForgetStageBinary { stage: id });
        }
    }

    /// Nothing of the stage's attempts is launched any more.
    pub(crate) fn make_zombies(&mut self, stage_id: StageId, turn: &mut Turn) {
        for id in self.sets_of_stage(stage_id) {
            if let Some(set) = self.task_sets.get_mut(&id) {
                set.become_zombie();
            }
            self.remove_if_over(id, turn);
        }
    }

    /// The same, and what runs is killed.
    pub(crate) fn retire_task_sets(&mut self, stage_id: StageId, interrupt: bool, reason: &str, turn: &mut Turn) {
        for id in self.sets_of_stage(stage_id) {
            let set = self.task_sets.get_mut(&id).expect("it was listed");
            set.become_zombie();
            let interrupt = interrupt || set.interrupt_on_cancel;
            for task_id in set.running.iter().copied().collect::<Vec<_>>() {
                self.kill_task(task_id, interrupt, reason, turn);
            }
            self.remove_if_over(id, turn);
        }
    }

    /// Asks the executor to end a task, once.
    pub(crate) fn kill_task(&mut self, task_id: TaskId, interrupt: bool, reason: &str, turn: &mut Turn) {
        let Some(task) = self.running.get_mut(&task_id) else { return };
        if task.kill.is_none() {
            task.kill = Some((reason.to_owned(), interrupt));
            // Of an executor that was just lost, every task is on its way to being failed.
            if self.executors.get(task.executor).is_some() {
                let executor_id = self.executors.id_of(task.executor).clone();
                turn.commands.push(Command::KillTask { executor_id, task_id, interrupt, reason: reason.to_owned() });
            }
        }
    }

    /// A task attempt ended without success, however that became known.
    pub(crate) fn task_failed(
        &mut self,
        task_id: TaskId,
        reason: TaskEndReason,
        metrics: Option<Arc<TaskMetrics>>,
        turn: &mut Turn,
    ) {
        let fetching = self.running[&task_id].getting_result_time_ms.is_some();
        let ended = self.take_running(task_id, metrics, turn);
        if fetching {
            turn.commands.push(Command::DropResult { task_id });
        }
        let (id, index) = (ended.task.stage, ended.task.index);
        self.post_task_end(&ended, reason.clone(), &[], turn);
        let partition = self.task_sets[&id].partition(index);
        self.commits.attempt_failed(id, partition, ended.task.attempt);
        let zombie = self.task_sets[&id].state == TaskSetState::Zombie;
        let exceeded = !zombie && self.exceeds_result_size(id);
        if let Some(message) = exceeded.then(|| self.result_size_message(id)) {
            self.abort_stage(id.stage_id, &message, turn);
        } else if matches!(reason, TaskEndReason::FetchFailed { .. }) {
            self.make_zombie(id);
            self.fetch_failed(&ended, &reason, turn);
        } else if !zombie {
            self.retry_or_abort(&ended, &reason, turn);
        }
        self.task_set_progressed(id, turn);
    }

    fn make_zombie(&mut self, id: StageAttemptId) {
        self.task_sets.get_mut(&id).expect("its task has just ended").become_zombie();
    }

    fn exceeds_result_size(&self, id: StageAttemptId) -> bool {
        self.options.max_result_size.is_some_and(|most| self.task_sets[&id].result_size > most)
    }

    fn result_size_message(&self, id: StageAttemptId) -> String {
        let set = &self.task_sets[&id];
        let most = self.options.max_result_size.unwrap_or_default();
        format!(
            "Total size of serialized results of {} tasks ({}) is bigger than spark.driver.maxResultSize ({most})",
            set.results, set.result_size
        )
    }

    /// Counts, excludes, and lets the task wait again, unless it has failed for good (RT-30…32).
    fn retry_or_abort(&mut self, ended: &EndedTask, reason: &TaskEndReason, turn: &mut Turn) {
        let (id, index) = (ended.task.stage, ended.task.index);
        let what = format!("{index}.{} in stage {id} (TID {})", ended.task.attempt, ended.id);
        if let TaskEndReason::ExceptionFailure { retryable: false, description, class_name, .. } = reason {
            let message = format!("Task {what} failed in a way that no retry can help: {class_name}: {description}");
            return self.abort_stage_because(id.stage_id, &message, Some(&Arc::new(reason.clone())), turn);
        }
        let host = self.executors.host_name(ended.task.host);
        let executor_id = self.executors.id_of(ended.task.executor);
        let lost = format!("Lost task {what} ({host} executor {executor_id}): {reason}");
        let set = self.task_sets.get_mut(&id).expect("a set that is no zombie exists");
        if reason.counts_towards_task_failures() && !set.is_successful(index) {
            set.last_failure = Some(lost.clone());
            let mut excluded = Vec::new();
            if let Some(options) = &self.options.exclusion {
                let task = &ended.task;
                excluded = set.exclusion.task_failed(options, turn.moment(), task.host, task.executor, index);
            }
            let failures = set.count_failure(index);
            self.announce_exclusions(excluded, Some(id), turn);
            if failures >= self.options.task_max_failures.get() {
                let message =
                    format!("Task {index} in stage {id} failed {failures} times, most recent failure: {lost}");
                return self.abort_stage_because(id.stage_id, &message, Some(&Arc::new(reason.clone())), turn);
            }
        }
        if self.task_sets[&id].barrier {
            return self.barrier_task_failed(id, &what, reason, turn);
        }
        let set = self.task_sets.get_mut(&id).expect("a set that is no zombie exists");
        set.retry(index, &self.executors);
        self.offer_all();
    }

    /// Counts a failed attempt; has the stage failed too often? Then its jobs have failed (RT-35).
    pub(crate) fn count_failed_attempt(&mut self, id: StageAttemptId, message: &str, turn: &mut Turn) -> bool {
        let most = self.options.stage.max_consecutive_attempts.get();
        let stage = self.stages.get_mut(&id.stage_id).expect("the stage of a failed attempt exists");
        stage.failed_attempts.insert(id.attempt);
        let too_often = stage.failed_attempts.len() as u32 >= most;
        if too_often {
            let lost = self.recent_losses.since(stage.losses_before);
            let reason = format!(
                "{stage} has failed the maximum allowable number of times: {most}. Most recent failure reason:\n{message}{lost}"
            );
            self.abort_stage(id.stage_id, &reason, turn);
        }
        too_often
    }

    /// The stages are submitted again after the delay that gathers failures of one cause.
    pub(crate) fn resubmit_later(&mut self, stages: impl IntoIterator<Item = StageId>, turn: &Turn) {
        self.resubmit.extend(stages);
        self.resubmit_at.get_or_insert(turn.moment() + self.options.stage.resubmit_delay);
    }

    /// Tells of exclusions; `stage` if they hold for one task set only.
    pub(crate) fn announce_exclusions(
        &mut self,
        excluded: Vec<Exclusion>,
        stage: Option<StageAttemptId>,
        turn: &mut Turn,
    ) {
        let time_ms = turn.now.wall_clock_ms;
        let kill = self.options.exclusion.as_ref().is_some_and(|options| options.kill_excluded_executors);
        for exclusion in excluded {
            match exclusion {
                Exclusion::Executor { executor, failures } => {
                    let executor_id = self.executors.id_of(executor).clone();
                    turn.post(ListenerEvent::ExecutorExcluded {
                        time_ms,
                        executor_id: executor_id.clone(),
                        task_failures: failures,
                        stage,
                    });
                    if kill && stage.is_none() && self.executors.get(executor).is_some() {
                        let reason =
                            "excluded after failures (spark.excludeOnFailure.killExcludedExecutors)".to_owned();
                        turn.commands.push(Command::KillExecutor { executor_id, reason, replace: true });
                    }
                }
                Exclusion::Host { host, executors } => {
                    let name = self.executors.host_name(host).to_owned();
                    let event =
                        ListenerEvent::NodeExcluded { time_ms, host: name, executor_failures: executors, stage };
                    turn.post(event);
                    if kill && stage.is_none() {
                        for executor in self.executors.on_host(host) {
                            let executor_id = self.executors.id_of(executor).clone();
                            let reason = "its host is excluded after failures".to_owned();
                            turn.commands.push(Command::KillExecutor { executor_id, reason, replace: true });
                        }
                    }
                }
            }
        }
    }
}

fn protocol_failure(description: &str) -> TaskEndReason {
    TaskEndReason::ExceptionFailure {
        class_name: "ProtocolError".to_owned(),
        description: description.to_owned(),
        stack_trace: String::new(),
        retryable: true,
    }
}

fn accumulable(update: &AccumulatorUpdate) -> AccumulableInfo {
    AccumulableInfo { id: update.id, name: update.name.clone(), update: Some(update.value.clone()), value: None }
}
