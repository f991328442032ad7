//! Exclude on failure (RT-74, RT-75).

use firesteel_model::ExecutorLossReason;
use firesteel_scheduler::{Event, LostOutputs, OptionsError, Scheduler, SchedulerOptions};

use crate::story::*;

fn excluding() -> SchedulerOptions {
    SchedulerOptions { exclusion: Some(exclusion()), ..options() }
}

#[test]
fn options_that_would_fail_jobs_by_one_bad_node_are_refused() {
    let mut options = excluding();
    options.task_max_failures = count(2);
    let refused = Scheduler::new(options, 0).unwrap_err();
    assert_eq!(refused, OptionsError::ExclusionPerNode { per_node: 2, max_failures: 2 });
    assert!(refused.to_string().contains("spark.excludeOnFailure.task.maxTaskAttemptsPerNode"));
}

#[test]
fn a_task_does_not_return_to_the_executor_it_failed_on() {
    let mut story = Story::with_executors(excluding(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    story.add_executor("2", "b", 1);
    assert_eq!(story.fail(0, "1", exception()), ["launch on 2: 1=0.1 of 0.0"]);
}

#[test]
fn a_node_that_always_fails_is_left_alone_after_two_executors() {
    let mut story = Story::with_executors(excluding(), &[("1", "a", 2), ("2", "a", 2)]);
    story.with_events = true;
    story.submit(0, &source(0, 8));
    story.prepared(0, 0);
    story.add_executor("3", "b", 1);
    let mut excluded = vec![];
    for task_id in 0..4 {
        for at in ["1", "2"] {
            let told = story.fail(task_id, at, exception());
            excluded.extend(told.into_iter().filter(|it| it.starts_with("-excluded")));
        }
    }
    excluded.sort();
    assert_eq!(
        excluded,
        [
            "-excluded executor 1 after 2 in 0.0",
            "-excluded executor 2 after 2 in 0.0",
            "-excluded host a after 2 in 0.0"
        ]
    );
}

#[test]
fn failures_speak_against_an_executor_once_the_task_set_succeeds_and_are_forgiven_in_time() {
    let mut story = Story::with_executors(excluding(), &[("1", "a", 2)]);
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    story.add_executor("2", "b", 2);
    story.fail(0, "1", exception());
    story.fail(1, "1", exception());
    story.with_events = true;
    story.result(2, "2");
    let told = story.result(3, "2");
    assert!(told.contains(&"-excluded executor 1 after 2".to_owned()), "{told:?}");
    story.with_events = false;
    story.submit(1, &source(1, 4));
    assert_eq!(story.prepared(1, 0), ["launch on 2: 4=0.0 of 1.0, 5=1.0 of 1.0"]);
    let (at, launched) = (3_600_000, story.wait_until(3_600_000));
    assert_eq!((at, launched), (3_600_000, vec!["launch on 1: 6=2.0 of 1.0, 7=3.0 of 1.0".to_owned()]));
}

#[test]
fn a_stage_that_can_run_nowhere_waits_for_a_new_executor_and_then_gives_up() {
    let mut story = Story::with_executors(excluding(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    assert_eq!(
        story.fail(0, "1", exception()),
        ["kill executor 1 (replace: true): excluded and idle, while stage 0.0 can run nowhere"]
    );
    // Nobody replaces it: not a hang, but a truthful failure after 120 s.
    let (mut at, mut told) = story.next_deadline();
    while at < 120_000 {
        (at, told) = story.next_deadline();
    }
    assert_eq!(at, 120_000);
    assert!(told.last().unwrap().contains("cannot run anywhere due to node and executor excludeOnFailure"), "{told:?}");

    // Somebody does: it runs there.
    let mut story = Story::with_executors(excluding(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    story.fail(0, "1", exception());
    let reason = ExecutorLossReason::KilledByDriver { reason: "excluded".to_owned() };
    story.tell(Event::ExecutorLost { executor_id: executor("1"), reason, lost_outputs: LostOutputs::OfExecutor });
    assert_eq!(story.add_executor("2", "b", 1), ["launch on 2: 1=0.1 of 0.0"]);
}

/// Task 0 and 1 fail on executor 1 and succeed on executor 2 of another host: executor 1 is excluded for the application.
fn with_an_excluded_executor(options: SchedulerOptions) -> (Story, Vec<String>) {
    let mut story = Story::with_executors(options, &[("1", "a", 2)]);
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    story.add_executor("2", "b", 2);
    story.fail(0, "1", exception());
    story.fail(1, "1", exception());
    story.result(2, "2");
    let told = story.result(3, "2");
    (story, told)
}

#[test]
fn a_stage_gives_up_where_only_the_application_excludes_and_no_failure_is_its_own() {
    let (mut story, _) = with_an_excluded_executor(excluding());
    story.lose_executor("2");
    story.submit(1, &source(1, 2));
    assert_eq!(
        story.prepared(1, 0),
        ["kill executor 1 (replace: true): excluded and idle, while stage 1.0 can run nowhere"]
    );
    // The executor stays, or one after the other comes and is excluded: the wait has an end.
    let gave_up = "job 1 failed: Job aborted due to stage failure: Aborting TaskSet 1.0";
    let (mut at, mut told) = story.next_deadline();
    while at < 120_000 {
        (at, told) = story.next_deadline();
    }
    assert!(at == 120_000 && told.iter().any(|it| it.starts_with(gave_up)), "{at}: {told:?}");
}

#[test]
fn a_stage_gives_up_when_the_executor_that_made_room_is_gone_and_none_came() {
    let (mut story, _) = with_an_excluded_executor(excluding());
    story.lose_executor("2");
    story.submit(1, &source(1, 1));
    story.prepared(1, 0);
    story.lose_executor("1");
    let told = story.wait_until(120_000);
    assert!(told.iter().any(|it| it.contains("cannot run anywhere due to node and executor")), "{told:?}");
}

#[test]
fn a_stage_gives_up_where_every_executor_that_comes_is_refused_for_its_host() {
    let mut exclusion = exclusion();
    exclusion.max_failed_executors_per_node = count(1);
    let (mut story, _) = with_an_excluded_executor(SchedulerOptions { exclusion: Some(exclusion), ..options() });
    story.lose_executor("1");
    story.lose_executor("2");
    story.submit(1, &source(1, 1));
    story.prepared(1, 0);
    assert_eq!(story.wait_until(10_000), [""; 0], "others may be on their way");
    story.now = 15_000;
    assert_eq!(story.add_executor("3", "a", 2), ["refuse 3: its host is excluded after failures: 3 on a"]);
    story.now = 16_000;
    story.add_executor("4", "a", 2);
    let told = story.wait_until(135_000);
    assert!(told.iter().any(|it| it.contains("cannot run anywhere due to node and executor")), "{told:?}");
    // Unless one comes in time that is taken.
    story.submit(2, &source(2, 1));
    story.prepared(2, 0);
    assert_eq!(story.add_executor("5", "c", 2), ["launch on 5: 4=0.0 of 2.0"]);
    assert_eq!(story.wait_until(300_000), [""; 0]);
}

#[test]
fn a_stage_that_runs_beside_excluded_executors_is_not_given_up() {
    let (mut story, _) = with_an_excluded_executor(excluding());
    story.submit(1, &source(1, 3));
    assert_eq!(story.prepared(1, 0), ["launch on 2: 4=0.0 of 1.0, 5=1.0 of 1.0"], "executor 2 is not excluded");
    assert_eq!(story.wait_until(200_000), [""; 0], "its third task waits for a slot, not for ever");
}
