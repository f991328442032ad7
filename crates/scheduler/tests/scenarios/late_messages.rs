//! Messages that are late, doubled, or about nothing known: dropped on purpose.

use firesteel_model::{ByteCount, ExecutorLossReason, ShuffleId, TaskId};
use firesteel_scheduler::{Event, JobKind, LostOutputs};

use crate::story::*;

#[test]
fn ends_of_unknown_tasks_only_drop_their_results() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2), ("2", "b", 2)]);
    assert_eq!(story.result(99, "1"), ["drop 99"]);
    assert_eq!(story.fail(99, "1", exception()), ["drop 99"]);
    let unknown =
        Event::TaskGettingResult { task_id: TaskId(99), executor_id: executor("1"), result_size: ByteCount::mib(2) };
    assert_eq!(story.tell(unknown), ["drop 99"]);
    assert_eq!(story.tell(Event::TaskStarted { task_id: TaskId(99), executor_id: executor("9") }), [""; 0]);
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    assert_eq!(story.prepared(0, 0), [""; 0], "the binary was prepared before");
    assert_eq!(story.prepared(7, 3), [""; 0]);
    let runs_on = if story.result(0, "1") == ["drop 0"] { "2" } else { "1" };
    if runs_on == "2" {
        assert_eq!(story.result(0, "2"), ["deliver 0 as 0 of job 0"]);
    }
    assert_eq!(story.result(0, runs_on), ["drop 0"], "it came twice");
}

#[test]
fn a_result_of_a_lost_executor_is_too_late() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    story.lose_executor("1");
    assert_eq!(story.result(0, "1"), ["drop 0"]);
    // The same id again is another process: what its namesake ran stays lost.
    assert_eq!(story.add_executor("1", "a", 1), ["launch on 1: 1=0.1 of 0.0"]);
    assert_eq!(story.result(0, "1"), ["drop 0"]);
    assert_eq!(story.result(1, "1"), ["deliver 1 as 0 of job 0", "forget 0.0", "job 0 succeeded"]);
}

#[test]
fn executors_and_jobs_that_are_gone_are_ignored() {
    let mut story = Story::new(options());
    let reason = ExecutorLossReason::Disconnected;
    let lost = |lost_outputs| Event::ExecutorLost { executor_id: executor("1"), reason: reason.clone(), lost_outputs };
    for lost_outputs in [LostOutputs::None, LostOutputs::OfExecutor, LostOutputs::OfHost] {
        assert_eq!(story.tell(lost(lost_outputs)), [""; 0]);
    }
    assert_eq!(story.tell(Event::ExecutorDecommissioned { executor_id: executor("1"), host_too: true }), [""; 0]);
    assert_eq!(story.tell(Event::DeadlineReached), [""; 0]);
    assert_eq!(story.tell(Event::ShuffleRemoved { shuffle_id: ShuffleId(5) }), [""; 0]);
    assert_eq!(story.tell(Event::StageCancelled { stage_id: stage(5, 0).stage_id, reason: None }), [""; 0]);
}

#[test]
fn a_map_output_of_a_worker_that_dies_after_its_executor_is_forgotten_too() {
    // The executor is given up while a shuffle service serves its files; then the machine dies.
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    let kind = JobKind::MapStage { shuffle: shuffle(0, &source(0, 1), 1) };
    story.tell(submission(0, kind, &[]));
    story.prepared(0, 0);
    story.map(0, "1", "a");
    let lost = |lost_outputs| Event::ExecutorLost {
        executor_id: executor("1"),
        reason: ExecutorLossReason::Disconnected,
        lost_outputs,
    };
    story.tell(lost(LostOutputs::None));
    let is_there = |story: &Story| story.scheduler.map_statuses(ShuffleId(0)).unwrap().1[0].is_some();
    assert!(is_there(&story));
    story.tell(lost(LostOutputs::OfHost));
    assert!(!is_there(&story));
    story.tell(Event::ShuffleRemoved { shuffle_id: ShuffleId(0) });
    assert!(story.scheduler.map_statuses(ShuffleId(0)).is_none());
}

#[test]
fn map_tasks_that_report_nonsense_fail_and_run_again() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    let kind = JobKind::MapStage { shuffle: shuffle(0, &source(0, 1), 1) };
    story.tell(submission(0, kind, &[]));
    story.prepared(0, 0);
    assert_eq!(story.result(0, "1"), ["launch on 1: 1=0.1 of 0.0"], "no map status");
    let nonsense = firesteel_model::TaskEndReason::Success;
    assert_eq!(story.fail(1, "1", nonsense), ["launch on 1: 2=0.2 of 0.0"]);
}
