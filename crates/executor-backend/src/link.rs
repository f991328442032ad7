//! The way to the driver over a connection.

use std::{collections::VecDeque, mem};

use firesteel_executor::DriverLink;
use firesteel_messages::{Answer, DriverMessage, Heartbeat, TaskOutcome};
use firesteel_model::TaskEndReason;
use firesteel_rpc::{SendError, Sender};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{debug, warn};

/// Queues messages for the driver. What ends at the same time leaves in one message.
pub struct RpcLink {
    // Unbounded, as a task's thread must not wait for the network. What is in it is bounded by the executor's slots, and by
    // the blocks that its tasks store.
    messages: UnboundedSender<DriverMessage>,
}

impl RpcLink {
    /// A link, and what [`forward`] takes its messages from.
    pub(crate) fn new() -> (Self, UnboundedReceiver<DriverMessage>) {
        let (messages, queue) = unbounded_channel();
        (Self { messages }, queue)
    }
}

impl DriverLink for RpcLink {
    fn tell(&self, message: DriverMessage) {
        // Without a connection the process ends anyhow.
        let _ = self.messages.send(message);
    }
}

/// Outcomes in one message: enough to save messages, and few enough that inline results stay below a message's limit.
const MAX_OUTCOMES: usize = 64;

/// Sends what is queued until the connection or the queue ends. `answer` answers a question that cannot be sent.
pub(crate) async fn forward(
    mut queue: UnboundedReceiver<DriverMessage>,
    sender: Sender<DriverMessage>,
    answer: impl Fn(u64, Answer),
) {
    // What comes before anything in the queue.
    let mut first = VecDeque::new();
    loop {
        let message = match first.pop_front() {
            Some(message) => message,
            None => match queue.recv().await {
                Some(message) => message,
                None => return,
            },
        };
        let message = match message {
            DriverMessage::StatusUpdates(mut outcomes) => {
                while outcomes.len() < MAX_OUTCOMES && first.is_empty() {
                    match queue.try_recv() {
                        Ok(DriverMessage::StatusUpdates(more)) => outcomes.extend(more),
                        Ok(other) => first.push_back(other),
                        Err(_) => break,
                    }
                }
                DriverMessage::StatusUpdates(outcomes)
            }
            other => other,
        };
        match sender.send(&message).await {
            Ok(()) => {}
            Err(error @ (SendError::Closed | SendError::Broken)) => {
                debug!(%error, "message to the driver was not sent");
                return;
            }
            // The connection goes on. Whoever waits for a task's end must hear of it all the same.
            Err(error) => {
                warn!(%error, "message to the driver was not sent");
                match message {
                    DriverMessage::StatusUpdates(outcomes) => {
                        // Together they may be too large where each is not.
                        let alone = outcomes.len() == 1;
                        let again =
                            outcomes.into_iter().map(|outcome| if alone { unsent(outcome, &error) } else { outcome });
                        for outcome in again.rev() {
                            first.push_front(DriverMessage::StatusUpdates(vec![outcome]));
                        }
                    }
                    // Who asks a question waits too.
                    DriverMessage::Ask { number, .. } => answer(number, Answer::CannotBeSent(error.to_string())),
                    // Without heartbeats a healthy executor is given up. What its tasks have added so far can wait for their ends.
                    DriverMessage::Heartbeat(heartbeat) => {
                        first.extend(without_accumulators(heartbeat).map(DriverMessage::Heartbeat));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A shorter heartbeat that says the same of what lives; none if it is short of accumulators already.
fn without_accumulators(mut heartbeat: Heartbeat) -> Option<Heartbeat> {
    let taken = heartbeat.tasks.iter_mut().map(|task| mem::take(&mut task.accumulators));
    let any = taken.filter(|updates| !updates.is_empty()).count() > 0;
    any.then_some(heartbeat)
}

/// A task whose outcome cannot be sent has failed, and would fail so again.
fn unsent(outcome: TaskOutcome, error: &SendError) -> TaskOutcome {
    let reason = TaskEndReason::ExceptionFailure {
        class_name: "TaskOutcomeTooLarge".to_owned(),
        description: format!("what the task reports to the driver cannot be sent: {error}"),
        stack_trace: String::new(),
        retryable: false,
    };
    TaskOutcome { result: Err(reason), accumulators: Vec::new(), ..outcome }
}

#[cfg(test)]
mod tests {
    use firesteel_messages::TaskHeartbeat;
    use firesteel_model::{
        AccumulatorId, AccumulatorUpdate, AccumulatorValue, ExecutorMetrics, StageAttempt, StageAttemptId, StageId,
        TaskId,
    };

    use super::*;

    #[test]
    fn a_heartbeat_that_is_too_long_goes_out_once_more_without_accumulators() {
        let stage = StageAttemptId { stage_id: StageId(0), attempt: StageAttempt(0) };
        let update =
            AccumulatorUpdate { id: AccumulatorId(1), name: None, value: AccumulatorValue::Long(7), additions: 1 };
        let task = |id, accumulators| TaskHeartbeat { task_id: TaskId(id), stage, records_read: 7, accumulators };
        let heartbeat =
            |first| Heartbeat { tasks: vec![task(1, first), task(2, Vec::new())], memory: ExecutorMetrics::default() };
        assert_eq!(without_accumulators(heartbeat(vec![update])), Some(heartbeat(Vec::new())));
        assert_eq!(without_accumulators(heartbeat(Vec::new())), None);
    }
}
