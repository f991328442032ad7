//! Cancelled jobs, while others go on (RT-39).

use crate::{CLUSTER, application::Start};

fn cancelled(way: &str, interrupt: bool, endless: &str, later: &str) {
    let interrupt = if interrupt { "true" } else { "false" };
    let finished =
        Start::new("cancel", CLUSTER).with("spark.e2e.way", way).with("spark.e2e.interrupt", interrupt).finish();
    finished.succeeded_with(&[&format!("endless failed: {endless}"), "killed 1", "other count 10", later]);
}

#[test]
fn a_job_is_cancelled_by_its_number() {
    for interrupt in [false, true] {
        cancelled("job", interrupt, "Job 0 cancelled it is late", "later count 10");
    }
}

#[test]
fn a_job_is_cancelled_by_its_stage() {
    cancelled("stage", false, "Job 0 cancelled because Stage 0 was cancelled: it is late", "later count 10");
}

#[test]
fn a_job_is_cancelled_by_its_tag() {
    cancelled("tag", false, "Job 0 cancelled it is late", "later count 10");
}

#[test]
fn a_job_is_cancelled_by_its_group_and_the_group_goes_on() {
    for interrupt in [false, true] {
        cancelled("group", interrupt, "Job 0 cancelled part of cancelled job group endless", "later count 10");
    }
}

#[test]
fn a_group_is_cancelled_with_its_future_jobs() {
    let later =
        "later failed: Job 2 cancelled because its job group endless was cancelled together with its future jobs";
    cancelled("group-and-future", false, "Job 0 cancelled part of cancelled job group endless", later);
}
