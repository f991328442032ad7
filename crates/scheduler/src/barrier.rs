//! Barrier stages (RT-48): their tasks wait for each other, as with Spark's `BarrierCoordinator`, and run all or none.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use firesteel_model::{StageAttemptId, StageId, TaskEndReason, TaskId};

use crate::{
    BarrierMethod, BarrierSync, Command, Moment, Scheduler,
    scheduler::Turn,
    stage::{JobProgress, StageKind, StageStatus},
    task_set::TaskSetState,
};

#[derive(Debug)]
struct Waiter {
    index: u32,
    message: String,
}

#[derive(Debug)]
struct Meeting {
    epoch: u32,
    method: Option<BarrierMethod>,
    deadline: Moment,
    waiting: BTreeMap<TaskId, Waiter>,
}

#[derive(Debug, Default)]
pub(crate) struct BarrierCoordinator {
    meetings: BTreeMap<StageAttemptId, Meeting>,
}

impl BarrierCoordinator {
    /// A running task of `tasks` came. A task that waits already is not counted twice; one that is behind or ahead of the
    /// others is refused.
    pub(crate) fn sync(
        &mut self,
        request: BarrierSync,
        index: u32,
        tasks: u32,
        now: Moment,
        timeout: Duration,
        commands: &mut Vec<Command>,
    ) {
        let BarrierSync { stage, task_id, epoch, method, message } = request;
        let meeting = self.meetings.entry(stage).or_insert_with(|| Meeting {
            epoch: 0,
            method: None,
            deadline: now + timeout,
            waiting: BTreeMap::new(),
        });
        if epoch != meeting.epoch {
            let behind = format!(
                "the task waits at barrier {epoch} of its stage attempt, but the others are at barrier {}",
                meeting.epoch
            );
            return commands.push(answer(stage, task_id, epoch, Err(behind)));
        }
        match meeting.method {
            None => {
                meeting.method = Some(method);
                meeting.deadline = now + timeout;
            }
            Some(earlier) if earlier != method => {
                let mixed = "some tasks of the stage called barrier() and others allGather(); all must call the same";
                return self.fail(stage, Some((task_id, epoch)), mixed, commands);
            }
            Some(_) => {}
        }
        meeting.waiting.insert(task_id, Waiter { index, message });
        if meeting.waiting.len() as u32 == tasks {
            let mut messages = vec![String::new(); tasks as usize];
            let waiting = std::mem::take(&mut meeting.waiting);
            let task_ids: Vec<TaskId> = waiting.keys().copied().collect();
            for waiter in waiting.into_values() {
                messages[waiter.index as usize] = waiter.message;
            }
            meeting.epoch += 1;
            meeting.method = None;
            let messages: Arc<[String]> = messages.into();
            commands.extend(task_ids.into_iter().map(|id| answer(stage, id, epoch, Ok(messages.clone()))));
        }
    }

    fn fail(
        &mut self,
        stage: StageAttemptId,
        latest: Option<(TaskId, u32)>,
        reason: &str,
        commands: &mut Vec<Command>,
    ) {
        if let Some(meeting) = self.meetings.remove(&stage) {
            for &task_id in meeting.waiting.keys() {
                commands.push(answer(stage, task_id, meeting.epoch, Err(reason.to_owned())));
            }
        }
        commands.extend(latest.map(|(task_id, epoch)| answer(stage, task_id, epoch, Err(reason.to_owned()))));
    }

    /// The stage attempt is over; who still waits is told.
    pub(crate) fn stage_ended(&mut self, stage: StageAttemptId, commands: &mut Vec<Command>) {
        self.fail(stage, None, "the stage attempt has ended", commands);
    }

    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let met = self.meetings.values().filter(|meeting| !meeting.waiting.is_empty());
        met.map(|meeting| meeting.deadline).min()
    }

    pub(crate) fn expire(&mut self, now: Moment, timeout: Duration, commands: &mut Vec<Command>) {
        let late: Vec<StageAttemptId> = self
            .meetings
            .iter()
            .filter(|(_, meeting)| !meeting.waiting.is_empty() && meeting.deadline <= now)
            .map(|(&stage, _)| stage)
            .collect();
        for stage in late {
            let reason = format!("not all tasks came to the barrier within {timeout:?} (spark.barrier.sync.timeout)");
            self.fail(stage, None, &reason, commands);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.meetings.is_empty()
    }
}

/// The answer to one task.
fn answer(stage: StageAttemptId, task_id: TaskId, epoch: u32, outcome: Result<Arc<[String]>, String>) -> Command {
    Command::AnswerBarrier { stage, task_id, epoch, outcome }
}

impl Scheduler {
    /// A task of a barrier stage waits for the others.
    pub(crate) fn barrier_sync(&mut self, request: BarrierSync, turn: &mut Turn) {
        let set = self.task_sets.get(&request.stage);
        let set = set.filter(|set| set.running.contains(&request.task_id) && set.state != TaskSetState::Preparing);
        let ended = || "the stage attempt has ended, or the task is no part of it".to_owned();
        let stage_runs = self
            .stages
            .get(&request.stage.stage_id)
            .is_some_and(|stage| stage.latest() == request.stage && stage.status == StageStatus::Running);
        let Some(set) = set.filter(|set| set.barrier && stage_runs) else {
            let refusal = answer(request.stage, request.task_id, request.epoch, Err(ended()));
            return turn.commands.push(refusal);
        };
        let (index, tasks) = (self.running[&request.task_id].index, set.tasks());
        let timeout = self.options.barrier.sync_timeout;
        self.barriers.sync(request, index, tasks, turn.moment(), timeout, turn.commands);
    }

    /// One task of a barrier stage failed: the attempt failed, and the rest is killed.
    pub(crate) fn barrier_task_failed(
        &mut self,
        id: StageAttemptId,
        what: &str,
        reason: &TaskEndReason,
        turn: &mut Turn,
    ) {
        let stage_id = id.stage_id;
        let message = format!("Stage failed because barrier task {what} finished unsuccessfully.\n{reason}");
        let killed = format!("Task {what} from barrier stage {id} failed");
        self.retire_task_sets(stage_id, false, &killed, turn);
        self.finish_stage(stage_id, Some(&message), turn);
        if self.count_failed_attempt(id, &message, turn) {
            return;
        }
        self.void_barrier_outputs(stage_id, turn);
        self.resubmit_later([stage_id], turn);
    }

    /// All tasks of a barrier stage run again, so what some of them made is void.
    pub(crate) fn void_barrier_outputs(&mut self, stage_id: StageId, turn: &mut Turn) {
        let stage = self.stage_mut(stage_id);
        stage.first_valid_attempt = stage.attempts;
        let Self { commits, task_sets, running, .. } = self;
        commits.outputs_void(stage_id, |id, partition, number| {
            let Some(set) = task_sets.get(&id) else { return false };
            let mut own = set.running.iter().map(|task_id| &running[task_id]);
            own.any(|task| set.partition(task.index) == partition && task.attempt == number)
        });
        match &self.stages[&stage_id].kind {
            StageKind::Map(shuffle) => {
                let shuffle_id = shuffle.shuffle_id;
                let lost = self.map_outputs.unregister_all(shuffle_id);
                self.requeue_lost(lost, turn);
            }
            StageKind::Result(job_id) => {
                let job = self.jobs.get_mut(job_id).expect("a result stage is gone when its job is");
                if let JobProgress::Result { finished, held, .. } = &mut job.progress {
                    finished.clear();
                    let dropped = held.drain(..).map(|result| Command::DropResult { task_id: result.task_id });
                    turn.commands.extend(dropped);
                }
            }
        }
    }
}
