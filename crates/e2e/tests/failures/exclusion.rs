//! Executors and hosts that get no tasks after failures (RT-74, RT-75).

use crate::{CLUSTER, application::Start};

#[test]
fn an_executor_on_which_tasks_fail_is_left_alone_first_by_the_stage_and_then_by_the_application() {
    for setting in ["spark.excludeOnFailure.enabled", "spark.blacklist.enabled"] {
        Start::new("bad-executor", CLUSTER).hosts(2).with(setting, "true").finish().succeeded_with(&[
            "count 4",
            "on the bad executor 0",
            r#"excluded ["stage after 2", "application after 2"]"#,
        ]);
    }
}

#[test]
fn a_task_that_may_run_nowhere_any_more_fails_the_job_after_a_while_and_the_message_says_why() {
    // All executors are on one host, also those that come in the place of others.
    let finished = Start::new("bad-task", CLUSTER)
        .with("spark.excludeOnFailure.enabled", "true")
        .with("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", "1")
        .with("spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout", "1s")
        .finish();
    finished.failed_with(&[
        "cannot run anywhere due to node and executor excludeOnFailure",
        "the task fails everywhere",
        "spark.excludeOnFailure.",
    ]);
    assert_eq!(finished.gates.announced().len(), 1, "it was tried once on the host: {finished:?}");
}

#[test]
fn limits_that_would_let_one_bad_host_fail_the_job_are_refused() {
    Start::new("bad-task", CLUSTER)
        .with("spark.excludeOnFailure.enabled", "true")
        .with("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", "4")
        .finish()
        .failed_with(&[
            "spark.excludeOnFailure.task.maxTaskAttemptsPerNode (4) must be less than spark.task.maxFailures (4)",
        ]);
}

/// Two executors of one host, which the application excludes when the first job is done.
fn with_an_excluded_host(kill: bool) -> Start {
    Start::new("bad-executor", CLUSTER)
        .with("spark.excludeOnFailure.enabled", "true")
        .with("spark.excludeOnFailure.application.maxFailedExecutorsPerNode", "1")
        .with("spark.excludeOnFailure.killExcludedExecutors", &kill.to_string())
}

#[test]
fn a_job_that_the_application_keeps_off_every_executor_fails_after_a_while_and_does_not_hang() {
    for kill in [false, true] {
        let finished = with_an_excluded_host(kill)
            .with("spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout", "1s")
            .finish();
        finished.failed_with(&["cannot run anywhere due to node and executor excludeOnFailure"]);
        assert_eq!(finished.lines(), ["count 4"], "the second job fails, killed or not: {kill} {finished:?}");
    }
}

#[test]
fn executors_of_an_excluded_host_are_started_ever_more_seldom_until_the_host_is_taken_again() {
    let mut application = with_an_excluded_host(true)
        .with("spark.excludeOnFailure.timeout", "10s")
        .with("spark.starvation.timeout", "1s")
        .start();
    application.wait_for_stderr("no executor is left, and executors on 127.0.0.1 are refused for another");
    let finished = application.finish();
    finished.succeeded_with(&[
        "count 4",
        "on the bad executor 0",
        r#"excluded ["stage after 2", "application after 2"]"#,
    ]);
    // Without the waits there would be hundreds.
    let refused = finished.stderr.matches("registration refused").count();
    assert!((2..30).contains(&refused), "{refused} executors were refused: {finished:?}");
}
