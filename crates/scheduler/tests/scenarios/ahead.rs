//! Short tasks launched ahead of free slots: who gets them, when they count as started, and what becomes of those that wait.

use std::time::Duration;

use firesteel_model::{TaskEndReason, TaskId};
use firesteel_scheduler::{Event, LaunchAheadOptions, SchedulerOptions, TaskEnded, TaskOutcome};

use crate::story::*;

const SHORT: Duration = Duration::from_micros(100);
const LONG: Duration = Duration::from_millis(50);

/// Two for each slot at most.
fn ahead() -> SchedulerOptions {
    let launch_ahead = LaunchAheadOptions {
        most_per_slot: 2,
        queue_time: Duration::from_millis(2),
        longest_task: Duration::from_millis(5),
    };
    SchedulerOptions { launch_ahead: Some(launch_ahead), ..options() }
}

/// A job of one stage, prepared.
fn story(executors: &[(&str, &str, u32)], tasks: u32) -> (Story, Vec<String>) {
    let mut story = Story::with_executors(ahead(), executors);
    story.submit(0, &source(0, tasks));
    let launched = story.prepared(0, 0);
    (story, launched)
}

fn ran(task_id: u64, executor: &str, run_time: Duration) -> Event {
    match result(task_id, executor) {
        Event::TaskEnded(ended) => Event::TaskEnded(Box::new(TaskEnded { run_time: Some(run_time), ..*ended })),
        other => other,
    }
}

fn returned(executor_id: &str, tasks: &[u64]) -> Event {
    let task_ids = tasks.iter().map(|&task_id| TaskId(task_id)).collect();
    Event::TasksReturned { executor_id: executor(executor_id), task_ids }
}

fn launches(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).filter(|words| words.starts_with("launch")).collect()
}

#[test]
fn an_executor_gets_more_once_as_many_tasks_as_it_has_slots_were_short() {
    let (mut story, first) = story(&[("1", "a", 2)], 9);
    assert_eq!(first, ["launch on 1: 0=0.0 of 0.0, 1=1.0 of 0.0"]);
    assert_eq!(launches(&story.tell(ran(0, "1", SHORT))), ["launch on 1: 2=2.0 of 0.0"], "one success, two slots");
    assert_eq!(
        launches(&story.tell(ran(1, "1", SHORT))),
        ["launch on 1: 3=3.0 of 0.0, 4=4.0 of 0.0, 5=5.0 of 0.0, 6=6.0 of 0.0, 7=7.0 of 0.0"],
        "the free slot first, then two for each slot"
    );
    assert_eq!(launches(&story.tell(ran(2, "1", SHORT))), [""; 0], "most of what it has waits still");
    assert_eq!(launches(&story.tell(ran(3, "1", SHORT))), ["launch on 1: 8=8.0 of 0.0"]);
}

#[test]
fn nobody_gets_more_than_slots_without_the_option_or_with_long_tasks() {
    let mut without = Story::with_executors(options(), &[("1", "a", 1)]);
    without.submit(0, &source(0, 4));
    without.prepared(0, 0);
    assert_eq!(launches(&without.tell(ran(0, "1", SHORT))), ["launch on 1: 1=1.0 of 0.0"]);
    let (mut long, _) = story(&[("1", "a", 1)], 4);
    assert_eq!(launches(&long.tell(ran(0, "1", LONG))), ["launch on 1: 1=1.0 of 0.0"]);
}

#[test]
fn tasks_that_become_long_are_not_launched_ahead_any_more() {
    let (mut story, _) = story(&[("1", "a", 1)], 20);
    assert_eq!(launches(&story.tell(ran(0, "1", SHORT))), ["launch on 1: 1=1.0 of 0.0, 2=2.0 of 0.0, 3=3.0 of 0.0"]);
    assert_eq!(launches(&story.tell(ran(1, "1", LONG))), [""; 0]);
    assert_eq!(launches(&story.tell(ran(2, "1", LONG))), [""; 0]);
    assert_eq!(launches(&story.tell(ran(3, "1", LONG))), ["launch on 1: 4=4.0 of 0.0"], "only when the slot is free");
}

#[test]
fn a_free_slot_elsewhere_comes_before_any_queue() {
    let (mut story, _) = story(&[("1", "a", 1)], 4);
    story.tell(ran(0, "1", SHORT));
    story.tell(returned("1", &[2, 3]));
    assert_eq!(story.add_executor("2", "b", 4), ["launch on 2: 4=2.0 of 0.0, 5=3.0 of 0.0"]);
}

#[test]
fn the_last_tasks_are_spread_over_the_executors() {
    let (mut story, _) = story(&[("1", "a", 1), ("2", "b", 1)], 6);
    let words = story.tell_all([ran(0, "1", SHORT), ran(0, "2", SHORT), ran(1, "1", SHORT), ran(1, "2", SHORT)]);
    let mut sizes: Vec<usize> = launches(&words).iter().map(|launch| launch.matches('=').count()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 2], "{words:?}");
}

#[test]
fn listeners_see_no_more_tasks_than_slots_and_each_start_before_its_end() {
    let (mut story, _) = story(&[("1", "a", 1)], 4);
    story.with_events = true;
    let events =
        |words: Vec<String>| -> Vec<String> { words.into_iter().filter(|words| words.contains("task")).collect() };
    assert_eq!(events(story.tell(ran(0, "1", SHORT))), ["-task 0 Success", "+task 1 PROCESS_LOCAL"]);
    assert_eq!(events(story.tell(ran(1, "1", SHORT))), ["-task 1 Success", "+task 2 PROCESS_LOCAL"]);
    let both = story.tell_all([ran(2, "1", SHORT), ran(3, "1", SHORT)]);
    assert_eq!(events(both), ["-task 2 Success", "+task 3 PROCESS_LOCAL", "-task 3 Success"]);
}

#[test]
fn what_is_given_back_runs_elsewhere_and_is_neither_failure_nor_news() {
    let (mut story, _) = story(&[("1", "a", 1), ("2", "b", 1)], 5);
    story.with_events = true;
    story.tell_all([ran(0, "1", SHORT), ran(0, "2", SHORT)]);
    let words = story.tell(returned("1", &[3, 4]));
    assert!(words.iter().all(|words| !words.contains("task 3") && !words.contains("task 4")), "{words:?}");
    let words = story.tell(returned("2", &[3, 4]));
    assert!(words.iter().all(|words| !words.contains("task 3") && !words.contains("task 4")), "{words:?}");
    assert_eq!(story.scheduler.running_tasks() as u64 + story.scheduler.pending_tasks(), 4);
}

#[test]
fn who_gave_tasks_back_gets_none_ahead_until_a_task_has_ended_there() {
    let (mut story, _) = story(&[("1", "a", 1)], 9);
    story.tell(ran(0, "1", SHORT));
    assert_eq!(story.tell(returned("1", &[2, 3])), [""; 0], "its slot is taken by a long task");
    assert_eq!(
        launches(&story.tell(ran(1, "1", SHORT))),
        ["launch on 1: 4=2.0 of 0.0, 5=3.0 of 0.0, 6=4.0 of 0.0"],
        "given back, they come first; what never began was no attempt"
    );
}

#[test]
fn given_back_twice_or_by_another_changes_nothing() {
    let (mut story, _) = story(&[("1", "a", 1), ("2", "b", 1)], 9);
    story.tell_all([ran(0, "1", SHORT), ran(0, "2", SHORT)]);
    let before = (story.scheduler.running_tasks(), story.scheduler.pending_tasks());
    for nobody in [returned("3", &[2]), returned("1", &[99])] {
        assert_eq!(story.tell(nobody), [""; 0]);
    }
    assert_eq!((story.scheduler.running_tasks(), story.scheduler.pending_tasks()), before);
}

#[test]
fn a_task_taken_for_started_and_given_back_runs_again_without_a_failure() {
    let (mut story, _) = story(&[("1", "a", 1)], 1);
    for attempt in 0..6 {
        let words = story.tell(returned("1", &[attempt]));
        let next = attempt + 1;
        assert_eq!(launches(&words), [format!("launch on 1: {next}=0.{next} of 0.0")]);
    }
    assert_eq!(story.result(6, "1"), ["deliver 6 as 0 of job 0", "forget 0.0", "job 0 succeeded"]);
}

#[test]
fn what_waits_at_a_lost_executor_has_not_failed() {
    let mut options = ahead();
    options.task_max_failures = count(1);
    let mut story = Story::with_executors(options, &[("1", "a", 1)]);
    story.submit(0, &source(0, 4));
    story.prepared(0, 0);
    story.tell(ran(0, "1", SHORT));
    story.result(1, "1");
    // Two has started, three waits; both were sent.
    story.tell(Event::TaskStarted { task_id: TaskId(3), executor_id: executor("1") });
    let words = story.lose_executor("1");
    assert!(words.iter().all(|words| !words.contains("failed")), "{words:?}");
    assert_eq!(story.add_executor("2", "b", 2), ["launch on 2: 4=3.1 of 0.0, 5=2.1 of 0.0"]);
}

#[test]
fn who_ended_an_executor_with_a_queue_is_not_guessed_and_the_next_time_it_is_known() {
    let mut options = ahead();
    options.task_max_failures = count(1);
    let mut story = Story::with_executors(options, &[("1", "a", 1)]);
    story.submit(0, &source(0, 9));
    story.prepared(0, 0);
    assert_eq!(launches(&story.tell(ran(0, "1", SHORT))), ["launch on 1: 1=1.0 of 0.0, 2=2.0 of 0.0, 3=3.0 of 0.0"]);
    let started = |task_id, on| Event::TaskStarted { task_id: TaskId(task_id), executor_id: executor(on) };
    story.tell_all([started(1, "1"), started(2, "1"), started(3, "1")]);
    let words = story.lose_executor("1");
    assert!(words.iter().all(|words| !words.contains("failed")), "{words:?}");
    // From then on one at a time.
    let one = |words: &[String]| launches(words).iter().map(|launch| launch.matches('=').count()).sum::<usize>();
    let words = story.add_executor("2", "b", 1);
    assert_eq!(one(&words), 1, "{words:?}");
    let words = story.tell(ran(4, "2", SHORT));
    assert_eq!(one(&words), 1, "{words:?}");
    story.tell(started(5, "2"));
    let words = story.lose_executor("2");
    assert!(words.iter().any(|words| words.contains("failed")), "{words:?}");
}

#[test]
fn of_two_tasks_with_slots_neither_is_guessed() {
    let mut options = ahead();
    options.task_max_failures = count(1);
    let mut story = Story::with_executors(options, &[("1", "a", 2)]);
    story.submit(0, &source(0, 9));
    story.prepared(0, 0);
    story.tell_all([ran(0, "1", SHORT), ran(1, "1", SHORT)]);
    let started = |task_id| Event::TaskStarted { task_id: TaskId(task_id), executor_id: executor("1") };
    story.tell_all((2..7).map(started));
    assert!(story.scheduler.running_tasks() > 2, "nothing waits");
    let words = story.lose_executor("1");
    assert!(words.iter().all(|words| !words.contains("failed")), "{words:?}");
}

#[test]
fn who_ends_executors_is_known_though_short_tasks_of_another_job_wait_there() {
    let mut options = ahead();
    options.task_max_failures = count(1);
    let mut story = Story::with_executors(options, &[("1", "a", 1)]);
    story.submit(0, &source(0, 3));
    story.prepared(0, 0);
    story.tell(ran(0, "1", SHORT));
    let started = |task_id, on| Event::TaskStarted { task_id: TaskId(task_id), executor_id: executor(on) };
    let words = story.lose_executor("1");
    assert!(words.iter().all(|words| !words.contains("failed")), "{words:?}");
    // The stage has one task that runs for long on each slot but one, where another job's tasks are short and queue up.
    assert_eq!(story.add_executor("2", "b", 3), ["launch on 2: 3=2.1 of 0.0, 4=1.1 of 0.0"]);
    story.tell_all([started(3, "2"), started(4, "2")]);
    story.submit(1, &source(1, 9));
    story.prepared(1, 0);
    for task_id in 5..8 {
        story.tell(ran(task_id, "2", SHORT));
    }
    let waiting = story.scheduler.running_tasks();
    assert!(waiting > 3, "{waiting} tasks, of which three have slots");
    let words = story.lose_executor("2");
    let failed: Vec<&String> = words.iter().filter(|words| words.contains("failed")).collect();
    assert!(failed.len() == 1 && failed[0].contains("job 0"), "{words:?}");
}

#[test]
fn a_cancelled_job_kills_what_waits_as_well() {
    let (mut story, _) = story(&[("1", "a", 1)], 9);
    story.tell(ran(0, "1", SHORT));
    let words = story.tell(Event::AllJobsCancelled);
    let killed = words.iter().filter(|words| words.starts_with("kill") || words.starts_with("interrupt")).count();
    assert_eq!(killed, 3, "{words:?}");
    let reason = || TaskEndReason::TaskKilled { reason: "cancelled".to_owned() };
    for task_id in [1, 2] {
        assert_eq!(story.fail(task_id, "1", reason()), [""; 0]);
    }
    assert_eq!(story.fail(3, "1", reason()), ["forget 0.0"]);
}

#[test]
fn a_large_result_of_a_task_that_waited_frees_no_slot_twice() {
    let (mut story, _) = story(&[("1", "a", 1)], 3);
    story.tell(ran(0, "1", SHORT));
    let fetching = Event::TaskGettingResult {
        task_id: TaskId(2),
        executor_id: executor("1"),
        result_size: firesteel_model::ByteCount::mib(2),
    };
    assert_eq!(story.tell(fetching), ["fetch 2"], "the message that 1 has ended is late");
    story.result(1, "1");
    let done = story.result(2, "1");
    assert!(done.contains(&"job 0 succeeded".to_owned()), "{done:?}");
}

#[test]
fn barrier_stages_are_launched_into_free_slots_only() {
    let mut story = Story::with_executors(ahead(), &[("1", "a", 2)]);
    story.submit(0, &Rdd::new(0, 2, vec![]).barrier().done());
    story.prepared(0, 0);
    let words = story.tell(Event::TaskEnded(Box::new(TaskEnded {
        task_id: TaskId(0),
        executor_id: executor("1"),
        outcome: TaskOutcome::Success {
            map_status: None,
            result_size: firesteel_model::ByteCount(1),
            accumulators: vec![],
        },
        run_time: Some(SHORT),
        metrics: None,
    })));
    assert_eq!(launches(&words), [""; 0]);
}
