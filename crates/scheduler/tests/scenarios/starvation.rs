//! Why does my job wait? The reason is the true one (AS-01, RT-15).

use std::time::Duration;

use firesteel_scheduler::{
    Event, ExpectedResources, MinRegisteredOptions, SchedulerOptions, TaskRequirements, TaskResourceAmount,
    TaskResourceRequest,
};

use crate::story::*;

/// What is said after 15 s to a job of two tasks.
fn said(options: SchedulerOptions, executors: &[(&str, &str, u32)]) -> Vec<String> {
    let mut story = Story::with_executors(options, executors);
    story.submit(0, &Rdd::new(0, 2, vec![]).done());
    story.prepared(0, 0);
    story.wait_until(15_000)
}

fn tasks(cpus: u32, gpus: u32) -> SchedulerOptions {
    let mut resources = vec![];
    if gpus > 0 {
        resources
            .push(TaskResourceRequest { name: "gpu".to_owned(), amount: TaskResourceAmount::Addresses(count(gpus)) });
    }
    SchedulerOptions { task: TaskRequirements { cpus: count(cpus), resources }, ..options() }
}

#[test]
fn it_is_looked_at_every_fifteen_seconds_until_something_runs_and_each_reason_said_once() {
    let mut story = Story::new(options());
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    let (at, said) = story.next_deadline();
    assert_eq!(at, 15_000);
    assert!(said[0].starts_with("0.0 waits with 2 for 15 s: no executor has registered"), "{said:?}");
    for seconds in [30, 45] {
        assert_eq!(story.next_deadline(), (seconds * 1000, vec![]));
    }
    story.add_executor("1", "a", 1);
    assert_eq!(story.scheduler.next_deadline(), None);
}

#[test]
fn each_limit_is_named() {
    let mut waits_for_more = options();
    waits_for_more.min_registered = Some(MinRegisteredOptions {
        ratio: 1.0,
        expected: ExpectedResources::Executors(3),
        max_wait: Duration::from_secs(30),
    });
    let cases = [
        (said(waits_for_more, &[("1", "a", 1)]), "1 of 3 executors have registered"),
        (
            said(tasks(4, 0), &[("1", "a", 2), ("2", "a", 3)]),
            "a task takes 4 cores (spark.task.cpus), but the largest executor has 3",
        ),
        (
            said(tasks(1, 2), &[("1", "a", 2)]),
            "a task takes 2 of resource gpu (spark.task.resource.gpu.amount), but no executor has more than 0",
        ),
    ];
    for (said, expected) in cases {
        assert!(said.len() == 1 && said[0].contains(expected), "{said:?}");
    }
}

#[test]
fn a_decommissioned_cluster_and_taken_slots_are_named_and_the_latter_only_once() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    story.submit(1, &source(1, 1));
    story.prepared(1, 0);
    let taken = story.wait_until(15_000);
    assert_eq!(taken, ["1.0 waits with 1 for 15 s: all 1 slots are taken by 1 running tasks of other stages"]);
    assert_eq!(story.wait_until(30_000), [""; 0]);
    story.tell(Event::ExecutorDecommissioned { executor_id: executor("1"), host_too: false });
    let leaving = story.wait_until(45_000);
    assert_eq!(leaving, ["1.0 waits with 1 for 45 s: all 1 suitable executors are being decommissioned"]);
}

#[test]
fn waiting_for_locality_is_named() {
    let mut options = options();
    options.locality.wait_node = Duration::from_secs(60);
    let mut story = Story::with_executors(options, &[("1", "a", 1), ("2", "b", 1)]);
    story.submit(0, &Rdd::new(0, 1, vec![]).prefers(&["a"]).done());
    story.prepared(0, 0);
    story.submit(1, &Rdd::new(1, 1, vec![]).prefers(&["a"]).done());
    story.prepared(1, 0);
    let said = story.wait_until(15_000);
    assert_eq!(
        said,
        ["1.0 waits with 1 for 15 s: waiting for a slot at locality level NODE_LOCAL (spark.locality.wait)"]
    );
}

#[test]
fn hosts_whose_executors_are_refused_are_named() {
    let mut excluding = exclusion();
    excluding.max_failed_executors_per_node = count(1);
    let options = SchedulerOptions { exclusion: Some(excluding), ..options() };
    let mut story = Story::with_executors(options, &[("1", "a", 2)]);
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    story.add_executor("2", "b", 2);
    story.fail(0, "1", exception());
    story.fail(1, "1", exception());
    story.result(2, "2");
    story.result(3, "2");
    story.lose_executor("1");
    story.lose_executor("2");
    assert_eq!(story.add_executor("3", "a", 2), ["refuse 3: its host is excluded after failures: 3 on a"]);
    story.submit(1, &source(1, 2));
    story.prepared(1, 0);
    assert_eq!(
        story.wait_until(15_000),
        [
            "1.0 waits with 2 for 15 s: no executor is left, and executors on a are refused for another 3585 s, as tasks \
             failed there (spark.excludeOnFailure.timeout)"
        ]
    );
}
