//! Barrier stages (RT-48).

use firesteel_model::{Partition, TaskAttemptNumber, TaskId};
use firesteel_scheduler::{
    BarrierMethod, BarrierSync, Command, Dependency, Event, Moment, NarrowMapping, Now, SchedulerOptions,
};

use crate::story::*;

fn together(partitions: u32) -> std::sync::Arc<firesteel_scheduler::RddInfo> {
    Rdd::new(0, partitions, vec![]).barrier().done()
}

fn sync(task_id: u64, epoch: u32, method: BarrierMethod, message: &str) -> Event {
    Event::BarrierSync(BarrierSync {
        stage: stage(0, 0),
        task_id: TaskId(task_id),
        epoch,
        method,
        message: message.to_owned(),
    })
}

#[test]
fn all_tasks_are_launched_together_or_none_and_each_knows_the_others() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1), ("2", "b", 2)]);
    story.submit(0, &source(9, 1));
    story.prepared(0, 0);
    story.submit(1, &together(3));
    assert_eq!(story.prepared(1, 0), [""; 0], "one of three slots is taken");
    let mut commands = vec![];
    let at = ["1", "2"].into_iter().find(|at| !story.result(0, at).is_empty() && story.scheduler.running_tasks() > 1);
    let now = Now { moment: Moment(1), wall_clock_ms: 1 };
    story.scheduler.handle(now, Event::DeadlineReached, &story.cached, &mut commands);
    assert_eq!((at.is_some(), story.scheduler.running_tasks()), (true, 3));
    assert!(!commands.iter().any(|command| matches!(command, Command::LaunchTasks { .. })));
}

#[test]
fn it_starts_when_the_last_of_several_executors_becomes_free() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1), ("2", "b", 1)]);
    story.submit(0, &source(9, 2));
    let launched = story.prepared(0, 0);
    let on = |task: &str| {
        if launched.iter().any(|words| words.contains("on 1") && words.contains(task)) { "1" } else { "2" }
    };
    let (first, second) = (on("0=0"), on("1=1"));
    story.submit(1, &together(2));
    assert_eq!(story.prepared(1, 0), [""; 0], "both slots are taken");
    story.result(0, first);
    story.result(1, second);
    assert_eq!(story.scheduler.running_tasks(), 2, "nothing but the tasks' ends has to happen");
}

#[test]
fn one_failure_fails_the_attempt_and_results_wait_for_the_last() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.submit(0, &together(2));
    assert_eq!(story.prepared(0, 0), ["launch on 1: 0=0.0 of 0.0, 1=1.0 of 0.0"]);
    assert_eq!(story.result(0, "1"), [""; 0], "held until all have succeeded");
    assert_eq!(story.tell(result(0, "1")), [""; 0], "twice, and still held");
    assert_eq!(story.fail(1, "1", exception()), ["forget 0.0", "drop 0"]);
    assert_eq!(story.next_deadline().1, ["prepare 0.1: 2 of rdd0"]);
    story.prepared(0, 1);
    story.result(3, "1");
    assert_eq!(
        story.result(2, "1"),
        ["deliver 3 as 1 of job 0", "deliver 2 as 0 of job 0", "forget 0.1", "job 0 succeeded"]
    );
}

#[test]
fn failed_attempts_count_like_fetch_failures() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &together(1));
    for attempt in 0..3 {
        story.prepared(0, attempt);
        assert_eq!(story.fail(u64::from(attempt), "1", exception())[0], format!("forget 0.{attempt}"));
        story.next_deadline();
    }
    story.prepared(0, 3);
    let failed = story.fail(3, "1", exception()).concat();
    assert!(failed.contains("maximum allowable number of times: 4"), "{failed}");
}

#[test]
fn tasks_meet_exchange_messages_and_meet_again() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.submit(0, &together(2));
    story.prepared(0, 0);
    assert_eq!(story.tell(sync(1, 0, BarrierMethod::AllGather, "one")), [""; 0]);
    assert_eq!(story.tell(sync(1, 0, BarrierMethod::AllGather, "one")), [""; 0], "the question came twice");
    assert_eq!(
        story.tell(sync(0, 0, BarrierMethod::AllGather, "zero")),
        [r#"barrier 0 of 0: Ok(["zero", "one"])"#, r#"barrier 0 of 1: Ok(["zero", "one"])"#]
    );
    story.tell(sync(0, 1, BarrierMethod::Barrier, ""));
    let behind = story.tell(sync(1, 0, BarrierMethod::Barrier, ""));
    assert!(behind[0].starts_with("barrier 0 of 1: Err"), "{behind:?}");
    let mixed = story.tell(sync(1, 1, BarrierMethod::AllGather, ""));
    assert_eq!(mixed.len(), 2, "{mixed:?}");
    assert!(mixed.iter().all(|answer| answer.contains("must call the same")));
}

#[test]
fn who_waits_too_long_is_told_and_so_is_who_is_no_part_of_it() {
    let mut options = options();
    options.barrier.sync_timeout = std::time::Duration::from_secs(30);
    let mut story = Story::with_executors(options, &[("1", "a", 2)]);
    story.submit(0, &together(2));
    story.prepared(0, 0);
    story.tell(sync(0, 0, BarrierMethod::Barrier, ""));
    let (at, answers) = story.next_deadline();
    assert_eq!((at, answers.len()), (30_000, 1));
    assert!(answers[0].contains("spark.barrier.sync.timeout"));
    assert!(story.tell(sync(77, 0, BarrierMethod::Barrier, ""))[0].starts_with("barrier 0 of 77: Err"));
    story.tell(sync(0, 0, BarrierMethod::Barrier, ""));
    let failed = story.fail(1, "1", exception());
    assert!(failed.iter().any(|it| it.starts_with("barrier 0 of 0: Err")), "{failed:?}");
}

#[test]
fn too_few_slots_are_checked_every_fifteen_seconds_and_then_refused() {
    let mut options = options();
    options.barrier.slots_check_max_failures = 2;
    let mut story = Story::with_executors(options, &[("1", "a", 1)]);
    assert_eq!(story.submit(0, &together(2)), ["job 0 needs 2 slots of 1, 2 looks left, each 15 s"]);
    assert_eq!(story.next_deadline(), (15_000, vec!["job 0 needs 2 slots of 1, 1 looks left, each 15 s".to_owned()]));
    let (at, refused) = story.next_deadline();
    assert_eq!(at, 30_000);
    assert!(refused[0].starts_with("job 0 failed: [SPARK-24819]"), "{refused:?}");
    assert!(refused[0].contains("it needs 2, and there are 1"), "{refused:?}");
    // With a slot more in time, it runs at once.
    story.submit(1, &together(2));
    assert_eq!(story.add_executor("2", "b", 1), ["prepare 0.0: 2 of rdd0"]);
    // While it waits, it can be cancelled.
    story.submit(2, &together(3));
    assert_eq!(story.tell(Event::AllJobsCancelled).len(), 3);
    assert_eq!(story.scheduler.active_jobs(), 0);
}

#[test]
fn a_cluster_that_is_starting_runs_it_with_its_last_executor_and_no_executor_that_comes_counts_as_a_look() {
    let mut options = options();
    options.barrier.slots_check_max_failures = 1;
    let mut story = Story::new(options);
    assert_eq!(story.submit(0, &together(3)), [""; 0], "no executor can have come");
    assert_eq!(story.add_executor("1", "a", 1), [""; 0]);
    assert_eq!(story.add_executor("2", "b", 1), [""; 0]);
    assert_eq!(story.add_executor("3", "c", 1), ["prepare 0.0: 3 of rdd0"]);
    assert_eq!(story.prepared(0, 0).len(), 3, "one task for each executor");
}

#[test]
fn it_starts_when_an_excluded_executor_is_taken_again() {
    let mut excluding = exclusion();
    excluding.timeout = std::time::Duration::from_secs(20);
    let mut story =
        Story::with_executors(SchedulerOptions { exclusion: Some(excluding), ..options() }, &[("1", "a", 2)]);
    story.submit(0, &source(9, 2));
    story.prepared(0, 0);
    story.add_executor("2", "b", 2);
    for task_id in 0..2 {
        story.fail(task_id, "1", exception());
    }
    for task_id in 2..4 {
        story.result(task_id, "2");
    }
    assert_eq!(story.submit(1, &together(4)), ["job 1 needs 4 slots of 2, 40 looks left, each 15 s"]);
    story.next_deadline();
    assert_eq!(story.next_deadline(), (20_000, vec!["prepare 1.0: 4 of rdd0".to_owned()]));
}

#[test]
fn what_cannot_run_together_is_refused_at_once() {
    let mut story = Story::with_executors(options(), &[("1", "a", 9)]);
    let halved =
        Dependency::Narrow { parent: together(4), mapping: NarrowMapping::Many(vec![vec![0, 1], vec![2, 3]].into()) };
    let coalesced = Rdd::new(1, 2, vec![halved]).barrier().done();
    assert!(story.submit(0, &coalesced)[0].starts_with("job 0 failed: [SPARK-24820][SPARK-24821]"));
    let mut options = options();
    options.dynamic_allocation = true;
    let mut story = Story::with_executors(options, &[("1", "a", 9)]);
    assert!(story.submit(0, &together(2))[0].starts_with("job 0 failed: [SPARK-24942]"));
}

#[test]
fn what_a_failed_attempt_has_committed_is_committed_anew_by_the_next() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    let ask = |attempt, partition| Event::CommitAsked {
        stage: stage(0, attempt),
        partition: Partition(partition),
        attempt: TaskAttemptNumber(0),
        ask: 7,
    };
    story.submit(0, &together(2));
    story.prepared(0, 0);
    assert_eq!(story.tell(ask(0, 0)), ["commit 7: true"]);
    story.result(0, "1");
    assert_eq!(story.tell(ask(0, 1)), ["commit 7: true"]);
    story.fail(1, "1", exception());
    story.next_deadline();
    story.prepared(0, 1);
    assert_eq!([story.tell(ask(1, 0)), story.tell(ask(1, 1))].concat(), ["commit 7: true", "commit 7: true"]);
}

#[test]
fn a_task_of_a_failed_attempt_that_still_commits_keeps_others_from_it_until_it_has_ended() {
    let mut story = Story::with_executors(options(), &[("1", "a", 4)]);
    let ask = |attempt| Event::CommitAsked {
        stage: stage(0, attempt),
        partition: Partition(0),
        attempt: TaskAttemptNumber(0),
        ask: 7,
    };
    story.submit(0, &together(2));
    story.prepared(0, 0);
    assert_eq!(story.tell(ask(0)), ["commit 7: true"]);
    story.fail(1, "1", exception());
    story.next_deadline();
    story.prepared(0, 1);
    assert_eq!(story.tell(ask(1)), ["commit 7: false"]);
    assert_eq!(story.result(0, "1"), ["drop 0", "forget 0.0"], "it was killed, and has committed before it noticed");
    assert_eq!(story.tell(ask(1)), ["commit 7: true"]);
}
