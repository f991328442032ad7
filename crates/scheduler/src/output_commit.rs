//! Which attempt of a task may commit its output (RT-37): the first to ask, until it fails.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{Partition, StageAttempt, StageAttemptId, StageId, TaskAttemptNumber};

type Attempt = (StageAttempt, TaskAttemptNumber);

#[derive(Debug, Default)]
struct StageCommits {
    authorized: BTreeMap<Partition, Attempt>,
    failed: BTreeSet<(Partition, Attempt)>,
}

/// Keeps only partitions that were asked for: most stages never commit.
#[derive(Debug, Default)]
pub(crate) struct OutputCommitCoordinator {
    stages: BTreeMap<StageId, StageCommits>,
}

impl OutputCommitCoordinator {
    pub(crate) fn stage_started(&mut self, stage_id: StageId) {
        self.stages.entry(stage_id).or_default();
    }

    pub(crate) fn stage_ended(&mut self, stage_id: StageId) {
        self.stages.remove(&stage_id);
    }

    /// May this attempt commit? The same attempt may ask again, as its question may have been sent twice; stages that
    /// have ended, and attempts that have, get no.
    pub(crate) fn ask(&mut self, stage: StageAttemptId, partition: Partition, attempt: TaskAttemptNumber) -> bool {
        let Some(commits) = self.stages.get_mut(&stage.stage_id) else { return false };
        let attempt = (stage.attempt, attempt);
        if commits.failed.contains(&(partition, attempt)) {
            return false;
        }
        *commits.authorized.entry(partition).or_insert(attempt) == attempt
    }

    pub(crate) fn attempt_failed(&mut self, stage: StageAttemptId, partition: Partition, attempt: TaskAttemptNumber) {
        let Some(commits) = self.stages.get_mut(&stage.stage_id) else { return };
        let attempt = (stage.attempt, attempt);
        commits.failed.insert((partition, attempt));
        if commits.authorized.get(&partition) == Some(&attempt) {
            commits.authorized.remove(&partition);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_ask_commits_until_it_fails() {
        let stage = |attempt| StageAttemptId { stage_id: StageId(1), attempt: StageAttempt(attempt) };
        let mut commits = OutputCommitCoordinator::default();
        let (part, first, second) = (Partition(3), TaskAttemptNumber(0), TaskAttemptNumber(1));
        assert!(!commits.ask(stage(0), part, first), "the stage has not started");
        commits.stage_started(StageId(1));
        assert!(commits.ask(stage(0), part, first));
        assert!(commits.ask(stage(0), part, first), "the question may come twice");
        assert!(!commits.ask(stage(0), part, second));
        assert!(!commits.ask(stage(1), part, first), "another attempt of the stage is another committer");
        commits.attempt_failed(stage(0), part, second);
        assert!(!commits.ask(stage(1), part, first), "the holder has not failed");
        commits.attempt_failed(stage(0), part, first);
        assert!(!commits.ask(stage(0), part, first), "a late question of an attempt that ended");
        assert!(commits.ask(stage(1), part, first));
        commits.stage_ended(StageId(1));
        assert!(!commits.ask(stage(1), part, first) && commits.is_empty());
    }
}
