//! The tasks of a barrier stage wait for each other (RT-48): Spark's `BarrierCoordinator`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use firesteel_model::{StageAttemptId, TaskId};

use crate::{BarrierMethod, BarrierSync, Command, Moment};

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
pub(crate) fn answer(
    stage: StageAttemptId,
    task_id: TaskId,
    epoch: u32,
    outcome: Result<Arc<[String]>, String>,
) -> Command {
    Command::AnswerBarrier { stage, task_id, epoch, outcome }
}
