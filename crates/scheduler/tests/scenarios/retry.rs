//! Failures of tasks (RT-30…33, RT-37).

use firesteel_model::Partition;
use firesteel_model::{ByteCount, TaskAttemptNumber, TaskEndReason, TaskId};
use firesteel_scheduler::Event;

use crate::story::*;

#[test]
fn the_fourth_failure_of_one_index_fails_the_job_and_names_it() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    for task_id in 0..3 {
        let next = format!("launch on 1: {}=0.{} of 0.0", task_id + 1, task_id + 1);
        assert_eq!(story.fail(task_id, "1", exception()), [next]);
    }
    assert_eq!(
        story.fail(3, "1", exception()),
        [
            "forget 0.0",
            "job 0 failed: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most recent failure: Lost task 0.3 in stage 0.0 (TID 3) (a executor 1): Oops: it broke"
        ]
    );
}

#[test]
fn in_local_mode_the_first_failure_is_the_last() {
    let mut options = options();
    options.task_max_failures = count(1);
    let mut story = Story::with_executors(options, &[("driver", "localhost", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    assert!(story.fail(0, "driver", exception())[1].contains("failed 1 times"));
}

#[test]
fn what_is_not_the_tasks_fault_does_not_count() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    let harmless = [
        TaskEndReason::TaskKilled { reason: "someone clicked".to_owned() },
        TaskEndReason::TaskCommitDenied {
            stage_id: stage(0, 0).stage_id,
            partition: Partition(0),
            attempt_number: TaskAttemptNumber(0),
        },
        TaskEndReason::ExecutorLostFailure { executor_id: executor("1"), exit_caused_by_app: false, reason: None },
    ];
    for task_id in 0..12 {
        let next = format!("launch on 1: {}=0.{} of 0.0", task_id + 1, task_id + 1);
        assert_eq!(story.fail(task_id, "1", harmless[task_id as usize % 3].clone()), [next]);
    }
}

#[test]
fn what_no_retry_can_help_is_tried_once() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    let reason = TaskEndReason::ExceptionFailure {
        class_name: "NotSerializable".to_owned(),
        description: "the result is a socket".to_owned(),
        stack_trace: String::new(),
        retryable: false,
    };
    assert_eq!(
        story.fail(0, "1", reason),
        [
            "forget 0.0",
            "job 0 failed: Job aborted due to stage failure: Task 0.0 in stage 0.0 (TID 0) failed in a way that no retry can help: NotSerializable: the result is a socket"
        ]
    );
}

#[test]
fn a_success_resets_the_count_of_its_index() {
    // One map task fails three times, succeeds, is lost with its executor, and may fail three times again.
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    let shuffle = shuffle(0, &source(0, 2), 1);
    story.tell(submission(0, firesteel_scheduler::JobKind::MapStage { shuffle }, &[]));
    story.prepared(0, 0);
    for task_id in 0..3 {
        story.fail(task_id, "1", exception());
    }
    assert_eq!(story.map(3, "1", "a"), ["launch on 1: 4=1.0 of 0.0"]);
    story.lose_executor("1");
    assert_eq!(story.add_executor("2", "b", 2), ["launch on 2: 5=1.1 of 0.0, 6=0.4 of 0.0"]);
    for task_id in [6, 7, 8] {
        let commands = story.fail(task_id, "2", exception());
        assert!(commands[0].starts_with("launch on 2"), "{commands:?}");
    }
    assert!(story.fail(9, "2", exception()).last().unwrap().contains("failed 4 times"));
}

#[test]
fn a_large_result_is_fetched_and_frees_its_slot_before() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    let large = |task_id| Event::TaskGettingResult {
        task_id: TaskId(task_id),
        executor_id: executor("1"),
        result_size: ByteCount::mib(2),
    };
    assert_eq!(story.tell(large(0)), ["fetch 0", "launch on 1: 1=1.0 of 0.0"]);
    assert_eq!(story.tell(large(0)), [""; 0], "the message came twice");
    assert_eq!(story.fail(0, "1", TaskEndReason::TaskResultLost), ["drop 0"]);
    assert_eq!(story.tell(large(1)), ["fetch 1", "launch on 1: 2=0.1 of 0.0"]);
    assert_eq!(story.result(1, "1"), ["deliver 1 as 1 of job 0"]);
}

#[test]
fn results_beyond_the_maximum_abort_before_they_are_fetched() {
    let mut options = options();
    options.max_result_size = Some(ByteCount::mib(3));
    let mut story = Story::with_executors(options, &[("1", "a", 2)]);
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    let large = |task_id| Event::TaskGettingResult {
        task_id: TaskId(task_id),
        executor_id: executor("1"),
        result_size: ByteCount::mib(2),
    };
    assert_eq!(story.tell(large(0)), ["fetch 0"]);
    assert_eq!(
        story.tell(large(1)),
        [
            "drop 1",
            "kill 0 on 1: Stage cancelled",
            "job 0 failed: Job aborted due to stage failure: Total size of serialized results of 2 tasks (4.0 MiB) is bigger than spark.driver.maxResultSize (3.0 MiB)"
        ]
    );
    assert_eq!(story.result(0, "1"), ["drop 0", "forget 0.0"]);
}

#[test]
fn one_attempt_commits_until_it_fails() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    let ask = |attempt, ask| Event::CommitAsked {
        stage: stage(0, 0),
        partition: Partition(0),
        attempt: TaskAttemptNumber(attempt),
        ask,
    };
    assert_eq!(story.tell(ask(0, 10)), ["commit 10: true"]);
    assert_eq!(story.tell(ask(1, 11)), ["commit 11: false"]);
    story.fail(0, "1", exception());
    assert_eq!(story.tell(ask(0, 12)), ["commit 12: false"]);
    assert_eq!(story.tell(ask(1, 13)), ["commit 13: true"]);
    story.result(1, "1");
    assert_eq!(story.tell(ask(1, 14)), ["commit 14: false"], "the stage is over");
}
