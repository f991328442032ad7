//! What executors ask: answered at once where the loop knows, else when the scheduler has decided.

use std::collections::HashMap;

use firesteel_messages::{Answer, ExecutorMessage, Question};
use firesteel_model::{ExecutorId, TaskId};
use firesteel_scheduler::{BarrierMethod, BarrierSync, Event};

use super::Loop;

/// Whom to answer, and the number that the question has at the asker's.
type Asker = (ExecutorId, u64);

/// Questions that the scheduler has yet to decide. It answers each of them once.
#[derive(Default)]
pub(super) struct Questions {
    commits: HashMap<u64, Asker>,
    next_commit: u64,
    barriers: HashMap<(TaskId, u32), Asker>,
}

impl Loop {
    /// Answers a question, or gives the event that will. Answers about map outputs are encoded elsewhere and come later.
    pub(super) fn take_question(&mut self, executor_id: &ExecutorId, number: u64, question: Question) -> Option<Event> {
        let answer = match question {
            Question::MapOutputs(shuffle_id) => match self.scheduler.map_statuses(shuffle_id) {
                Some((epoch, statuses)) => {
                    self.map_outputs.ask((executor_id.clone(), number), shuffle_id, epoch, statuses);
                    return None;
                }
                None => Answer::Refused(format!("shuffle {shuffle_id} is not known")),
            },
            Question::BlockLocations(block_ids) => {
                let locations = |block_id| self.blocks.with(|registry, _| registry.locations(block_id));
                Answer::BlockLocations(block_ids.iter().map(locations).collect())
            }
            Question::Peers => Answer::Peers(self.blocks.with(|registry, _| registry.peers(executor_id))),
            Question::LocalDirectories(executor_ids) => {
                let directories = executor_ids.iter().map(|id| self.executors.get(id).cloned().unwrap_or_default());
                Answer::LocalDirectories(directories.collect())
            }
            Question::MayCommit { stage, partition, attempt_number } => {
                let ask = self.questions.next_commit;
                self.questions.next_commit += 1;
                self.questions.commits.insert(ask, (executor_id.clone(), number));
                return Some(Event::CommitAsked { stage, partition, attempt: attempt_number, ask });
            }
            Question::BarrierSync { stage, task_id, epoch, message } => {
                self.questions.barriers.insert((task_id, epoch), (executor_id.clone(), number));
                let method = if message.is_some() { BarrierMethod::AllGather } else { BarrierMethod::Barrier };
                let message = message.unwrap_or_default();
                return Some(Event::BarrierSync(BarrierSync { stage, task_id, epoch, method, message }));
            }
        };
        self.backend.send(executor_id, ExecutorMessage::Answer { number, answer });
        None
    }

    pub(super) fn answer_commit(&mut self, ask: u64, allowed: bool) {
        let asker = self.questions.commits.remove(&ask);
        self.answer(asker, Answer::MayCommit(allowed));
    }

    pub(super) fn answer_barrier(&mut self, task_id: TaskId, epoch: u32, outcome: Result<Vec<String>, String>) {
        let answer = outcome.map_or_else(Answer::Refused, Answer::BarrierPassed);
        let asker = self.questions.barriers.remove(&(task_id, epoch));
        self.answer(asker, answer);
    }

    fn answer(&self, asker: Option<Asker>, answer: Answer) {
        if let Some((executor_id, number)) = asker {
            self.backend.send(&executor_id, ExecutorMessage::Answer { number, answer });
        }
    }
}
