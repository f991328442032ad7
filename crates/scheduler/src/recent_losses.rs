//! Why executors were lost of late: what a stage says that fails for what was lost with them.
//!
//! A task that finds no map output knows at most where it was. That its executor ran out of memory stands in another message, which
//! whoever reads the failure of a job would have to look for.

use std::{collections::VecDeque, fmt};

use firesteel_model::{ExecutorId, ExecutorLossReason};

/// The last so many are told of. A reason may have the last lines of the executor's standard error in it.
const KEPT: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct RecentLosses {
    /// How many there were in all.
    count: u64,
    last: VecDeque<(ExecutorId, String)>,
}

impl RecentLosses {
    pub(crate) fn add(&mut self, executor_id: &ExecutorId, reason: &ExecutorLossReason) {
        self.count += 1;
        self.last.push_back((executor_id.clone(), reason.to_string()));
        if self.last.len() > KEPT {
            self.last.pop_front();
        }
    }

    /// How many executors were lost so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// To be put behind the reason of a failure: those that were lost since [`Self::count`] was `before`.
    pub(crate) fn since(&self, before: u64) -> Since<'_> {
        Since { losses: self, lost: self.count - before }
    }
}

pub(crate) struct Since<'a> {
    losses: &'a RecentLosses,
    lost: u64,
}

impl fmt::Display for Since<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.losses.last.len().min(usize::try_from(self.lost).unwrap_or(usize::MAX));
        match self.lost {
            0 => return Ok(()),
            lost if lost > told as u64 => {
                write!(f, "\nOf {lost} executors that were lost meanwhile, the last {told}:")?
            }
            _ => f.write_str("\nExecutors that were lost meanwhile:")?,
        }
        for (executor_id, reason) in self.losses.last.iter().rev().take(told).rev() {
            write!(f, "\nexecutor {executor_id}: {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_of_the_time_in_question_are_told() {
        let mut losses = RecentLosses::default();
        let mut lose = |id: &str| losses.add(&id.into(), &ExecutorLossReason::HeartbeatTimedOut { silence_ms: 7 });
        let line = |id: &str| format!("\nexecutor {id}: no heartbeat for 7 ms (spark.network.timeout)");
        lose("1");
        lose("2");
        let told = |losses: &RecentLosses, before| losses.since(before).to_string();
        assert_eq!(told(&losses, 2), "");
        assert_eq!(told(&losses, 1), format!("\nExecutors that were lost meanwhile:{}", line("2")));
        let mut lose = |id: &str| losses.add(&id.into(), &ExecutorLossReason::HeartbeatTimedOut { silence_ms: 7 });
        lose("3");
        lose("4");
        assert_eq!(
            told(&losses, 1),
            format!("\nExecutors that were lost meanwhile:{}{}{}", line("2"), line("3"), line("4"))
        );
        let last = format!("{}{}{}", line("2"), line("3"), line("4"));
        assert_eq!(told(&losses, 0), format!("\nOf 4 executors that were lost meanwhile, the last 3:{last}"));
        assert_eq!(losses.count(), 4);
    }
}
