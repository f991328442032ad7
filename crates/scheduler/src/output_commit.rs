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

    /// The attempt has ended without a result that counts; another one may commit.
    pub(crate) fn attempt_failed(&mut self, stage: StageAttemptId, partition: Partition, attempt: TaskAttemptNumber) {
        let Some(commits) = self.stages.get_mut(&stage.stage_id) else { return };
        let attempt = (stage.attempt, attempt);
        commits.failed.insert((partition, attempt));
        if commits.authorized.get(&partition) == Some(&attempt) {
            commits.authorized.remove(&partition);
        }
    }

    /// What attempts of the stage have committed is void, and will be committed anew. Who still runs keeps its leave until it
    /// has ended: two must never commit at once.
    pub(crate) fn outputs_void(
        &mut self,
        stage_id: StageId,
        runs: impl Fn(StageAttemptId, Partition, TaskAttemptNumber) -> bool,
    ) {
        let Some(commits) = self.stages.get_mut(&stage_id) else { return };
        let StageCommits { authorized, failed } = commits;
        authorized.retain(|&partition, &mut (attempt, number)| {
            let keeps = runs(StageAttemptId { stage_id, attempt }, partition, number);
            if !keeps {
                failed.insert((partition, (attempt, number)));
            }
            keeps
        });
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

    #[test]
    fn what_was_committed_and_is_void_is_committed_anew_once_nobody_commits() {
        let stage = |attempt| StageAttemptId { stage_id: StageId(1), attempt: StageAttempt(attempt) };
        let (ended, runs, first) = (Partition(0), Partition(1), TaskAttemptNumber(0));
        let mut commits = OutputCommitCoordinator::default();
        commits.stage_started(StageId(1));
        assert!(commits.ask(stage(0), ended, first) && commits.ask(stage(0), runs, first));
        commits.outputs_void(StageId(1), |at, partition, _| at == stage(0) && partition == runs);
        assert!(!commits.ask(stage(0), ended, first), "a late question of an attempt whose output is void");
        assert!(commits.ask(stage(1), ended, first));
        assert!(!commits.ask(stage(1), runs, first), "the holder may be committing");
        commits.attempt_failed(stage(0), runs, first);
        assert!(commits.ask(stage(1), runs, first));
    }
}
