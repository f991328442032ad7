//! Copies of slow tasks (RT-45…47, RT-77).

use std::time::Duration;

use firesteel_model::{ExecutorId, TaskId};
use firesteel_scheduler::{EfficiencyOptions, Event, SchedulerOptions, TaskProgress};

use crate::story::*;

fn speculative() -> SchedulerOptions {
    SchedulerOptions { speculation: Some(speculation()), ..options() }
}

/// Four tasks, one on each core of two hosts; all but one end after a second. Where the slow one runs.
fn one_is_slow(options: SchedulerOptions) -> (Story, u64, &'static str) {
    let mut story = Story::with_executors(options, &[("1", "a", 2), ("2", "b", 2)]);
    story.submit(0, &source(0, 4));
    let launched = story.prepared(0, 0);
    let on_one = launched.iter().find(|it| it.starts_with("launch on 1")).unwrap();
    let slow: u64 = on_one.split(": ").nth(1).unwrap().split('=').next().unwrap().parse().unwrap();
    story.now = 1000;
    for task_id in (0..4).filter(|&task_id| task_id != slow) {
        ["1", "2"].iter().for_each(|at| _ = story.result(task_id, at));
    }
    (story, slow, "1")
}

#[test]
fn a_slow_task_gets_one_copy_on_another_host_and_the_first_result_wins() {
    let (mut story, slow, at) = one_is_slow(speculative());
    assert_eq!(story.wait_until(1500), [""; 0], "not longer than one and a half medians");
    assert_eq!(story.wait_until(1600), [format!("launch on 2: 4={slow}.1 of 0.0")]);
    assert_eq!(story.wait_until(9000), [""; 0], "one copy is enough");
    let won = story.result(4, "2");
    assert_eq!(
        won[..2],
        [format!("interrupt {slow} on {at}: another attempt succeeded"), format!("deliver 4 as {slow} of job 0")]
    );
    assert_eq!(story.result(slow, at), [format!("drop {slow}"), "forget 0.0".to_owned()]);
}

#[test]
fn a_copy_never_runs_on_the_host_of_the_original() {
    let mut story = Story::with_executors(speculative(), &[("1", "a", 2), ("2", "a", 2)]);
    story.submit(0, &source(0, 4));
    story.prepared(0, 0);
    story.now = 1000;
    for task_id in 0..3 {
        ["1", "2"].iter().for_each(|at| _ = story.result(task_id, at));
    }
    assert_eq!(story.wait_until(5000), [""; 0]);
    assert_eq!(story.add_executor("3", "b", 1), ["launch on 3: 4=3.1 of 0.0"]);
}

#[test]
fn a_failed_copy_leaves_the_original_and_may_be_asked_for_again() {
    let (mut story, slow, _) = one_is_slow(speculative());
    story.wait_until(1600);
    assert_eq!(story.fail(4, "2", exception()), [""; 0], "the original still runs");
    assert_eq!(story.wait_until(1800), [format!("launch on 2: 5={slow}.2 of 0.0")]);
}

#[test]
fn a_single_task_is_copied_only_by_plain_duration() {
    let run = |threshold| {
        let mut options = speculative();
        options.speculation.as_mut().unwrap().task_duration_threshold = threshold;
        let mut story = Story::with_executors(options, &[("1", "a", 1), ("2", "b", 1)]);
        story.submit(0, &source(0, 1));
        story.prepared(0, 0);
        story.wait_until(60_000).len()
    };
    assert_eq!(run(None), 0);
    assert_eq!(run(Some(Duration::from_secs(10))), 1);
    assert_eq!(run(Some(Duration::from_secs(100))), 0);
}

#[test]
fn a_task_that_is_slow_for_more_data_is_not_copied() {
    let mut options = speculative();
    let efficiency = EfficiencyOptions { process_rate_multiplier: 0.75, long_run_task_factor: 2.0 };
    options.speculation.as_mut().unwrap().efficiency = Some(efficiency);
    let mut story = Story::with_executors(options, &[("1", "a", 4), ("2", "b", 4)]);
    story.submit(0, &source(0, 4));
    story.prepared(0, 0);
    story.now = 1000;
    let mut metrics = firesteel_model::TaskMetrics { executor_run_time_ms: 1000, ..Default::default() };
    metrics.input.records_read = 1000;
    for task_id in 0..3 {
        for at in ["1", "2"] {
            let Event::TaskEnded(mut ended) = result(task_id, at) else { unreachable!() };
            ended.metrics = Some(std::sync::Arc::new(metrics.clone()));
            story.tell(Event::TaskEnded(ended));
        }
    }
    let progress = |records_read| {
        let tasks = vec![TaskProgress { task_id: TaskId(3), records_read, accumulators: vec![] }];
        let beat = |at: &str| Event::Heartbeat { executor_id: ExecutorId::from(at), tasks: tasks.clone() };
        [beat("1"), beat("2")]
    };
    story.now = 1900;
    for event in progress(1900) {
        story.tell(event);
    }
    assert_eq!(story.wait_until(1900), [""; 0], "it reads as fast as the others");
    assert_eq!(story.wait_until(3100).len(), 1, "but not for longer than twice the threshold");
}

#[test]
fn tasks_that_would_outlive_their_executor_are_copied_in_time() {
    let mut options = speculative();
    options.decommission_kill_interval = Some(Duration::from_secs(1));
    let (mut story, slow, at) = one_is_slow(options);
    story.tell(Event::ExecutorDecommissioned { executor_id: at.into(), host_too: false });
    assert_eq!(story.wait_until(1100), [""; 0]);
    let _ = slow;
    assert_eq!(story.wait_until(1700).len(), 1);
}
