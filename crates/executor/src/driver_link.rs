//! The executor's way to its driver.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use firesteel_messages::{Answer, DriverMessage, Question};
use parking_lot::{Mutex, MutexGuard};

/// Carries messages to the driver: into its event loop in local mode, over a connection elsewhere.
pub trait DriverLink: Send + Sync {
    /// Sends a message. When the connection is lost it is dropped: that ends the executor anyhow (RT-72). What is too long to be
    /// sent is answered for by the link: somebody waits for it, or judges the executor by it.
    fn tell(&self, message: DriverMessage);
}

/// Questions that wait for their answers.
#[derive(Default)]
pub struct Questions {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next_number: u64,
    answers: HashMap<u64, Sender<Answer>>,
}

/// No answer came.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AskError {
    /// In time.
    #[error("the driver did not answer within {} s (spark.rpc.askTimeout)", .0.as_secs())]
    TimedOut(Duration),
    /// The driver will not give it.
    #[error("the driver refused: {0}")]
    Refused(String),
    /// The question, or the driver's answer to it, cannot be sent. It would be the same the next time.
    #[error("what the driver was asked, or its answer, could not be sent: {0}")]
    CannotBeSent(String),
    /// The driver says where the answer is, and it cannot be read there.
    #[error("the driver's answer could not be read: {0}")]
    Unreadable(String),
    /// The task was killed while it waited.
    #[error("the task was killed while it waited for the driver")]
    Killed,
}

impl Questions {
    /// Asks and waits, at most `time_out` and only as long as `killed` stays false.
    pub fn ask(
        &self,
        link: &dyn DriverLink,
        question: Question,
        time_out: Duration,
        killed: impl Fn() -> bool,
    ) -> Result<Answer, AskError> {
        let (number, answer) = self.register();
        link.tell(DriverMessage::Ask { number, question });
        let outcome = wait(&answer, time_out, killed);
        self.waiting.lock().answers.remove(&number);
        match outcome? {
            Answer::Refused(reason) => Err(AskError::Refused(reason)),
            Answer::CannotBeSent(reason) => Err(AskError::CannotBeSent(reason)),
            answer => Ok(answer),
        }
    }

    /// Hands an answer to whoever waits for it. Late answers are dropped.
    pub fn answered(&self, number: u64, answer: Answer) {
        if let Some(waiting) = self.waiting.lock().answers.remove(&number) {
            // The channel has room for the one answer; whoever asked may have left meanwhile.
            let _ = waiting.try_send(answer);
        }
    }

    fn register(&self) -> (u64, Receiver<Answer>) {
        let (sender, receiver) = bounded(1);
        let mut waiting = self.waiting.lock();
        let number = waiting.next_number;
        waiting.next_number += 1;
        waiting.answers.insert(number, sender);
        (number, receiver)
    }
}

/// Waits until no other task asks the same, at most `time_out` and only as long as `killed` stays false. Tasks ask in turn
/// so that what one of them learns serves the next.
pub(crate) fn take_turn(
    asking: &Mutex<()>,
    time_out: Duration,
    killed: impl Fn() -> bool,
) -> Result<MutexGuard<'_, ()>, AskError> {
    let start = Instant::now();
    loop {
        if let Some(turn) = asking.try_lock_for(KILL_CHECK.min(time_out)) {
            return Ok(turn);
        }
        if killed() {
            return Err(AskError::Killed);
        }
        if start.elapsed() >= time_out {
            return Err(AskError::TimedOut(time_out));
        }
    }
}

/// How often a waiting task looks whether it was killed.
const KILL_CHECK: Duration = Duration::from_millis(100);

fn wait(answer: &Receiver<Answer>, time_out: Duration, killed: impl Fn() -> bool) -> Result<Answer, AskError> {
    let mut left = time_out;
    loop {
        let step = left.min(KILL_CHECK);
        match answer.recv_timeout(step) {
            Ok(answer) => return Ok(answer),
            Err(_) if killed() => return Err(AskError::Killed),
            Err(_) if left <= step => return Err(AskError::TimedOut(time_out)),
            Err(_) => left -= step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_waited_for_until_the_task_is_killed_or_the_time_is_over() {
        let asking = Mutex::new(());
        drop(take_turn(&asking, Duration::ZERO, || false).unwrap());
        let _another = asking.lock();
        assert!(matches!(take_turn(&asking, Duration::MAX, || true), Err(AskError::Killed)));
        assert!(matches!(take_turn(&asking, Duration::ZERO, || false), Err(AskError::TimedOut(Duration::ZERO))));
    }
}
