//! Executors that die while they work.

use firesteel_e2e::wait_until;
use rustix::process::Signal;

use crate::{
    CLUSTER, WIDE_CLUSTER,
    application::{Start, is_alive, signal},
};

const SUMS: &[&str] = &["sums [(0, 166833), (1, 166167), (2, 166500)]"];

#[test]
fn an_executor_killed_in_a_map_task_costs_time_only() {
    for master in [CLUSTER, WIDE_CLUSTER] {
        let mut application = Start::new("hold-map", master).start();
        let executor = application.wait_for("map");
        assert!(application.executors().contains(&executor));
        signal(executor, Signal::KILL);
        let finished = application.finish();
        finished.succeeded_with(SUMS);
        let work = finished.directory().join("work").display().to_string();
        let told = finished.stderr.lines().find(|line| line.contains("executor lost")).unwrap_or_default();
        assert!(told.contains("signal 9") && told.contains(&format!("its output is in {work}")), "{finished:?}");
    }
}

#[test]
fn an_executor_killed_in_a_reduce_task_takes_its_map_outputs_along_and_the_sums_are_right() {
    for master in [CLUSTER, WIDE_CLUSTER] {
        let mut application = Start::new("hold-reduce", master).start();
        let executor = application.wait_for("reduce");
        signal(executor, Signal::KILL);
        application.finish().succeeded_with(SUMS);
    }
}

#[test]
fn every_executor_killed_at_once_is_replaced() {
    let mut application = Start::new("hold-every-task", CLUSTER).start();
    let executors = [application.wait_for("task-0"), application.wait_for("task-1")];
    assert_ne!(executors[0], executors[1]);
    for executor in executors {
        signal(executor, Signal::KILL);
    }
    application.finish().succeeded_with(&["count 100"]);
}

#[test]
fn executors_killed_between_jobs_are_replaced() {
    let mut application = Start::new("idle", CLUSTER).start();
    application.wait_for("driver");
    let old = application.executors();
    for &executor in &old {
        signal(executor, Signal::KILL);
    }
    wait_until("the killed executors to be gone", || old.iter().all(|&pid| !is_alive(pid)).then_some(()));
    application.gates().open("driver");
    application.finish().succeeded_with(&["before 100", "after 200"]);
}

#[test]
fn a_second_executor_of_the_same_id_is_refused_and_the_first_goes_on() {
    Start::new("twin", CLUSTER).hosts(1).finish().succeeded_with(&["code Some(1) refused true", "then 100"]);
}

#[test]
fn a_task_that_ends_its_process_with_code_0_is_tried_again() {
    Start::new("exit-once", CLUSTER).finish().succeeded_with(&["count 100"]);
}

#[test]
fn a_task_that_always_ends_its_process_fails_the_job_and_the_message_says_so() {
    Start::new("exit-always", CLUSTER).finish().failed_with(&["failed 4 times", "exited with code 0"]);
}

#[test]
fn a_task_that_crashes_its_process_is_tried_again() {
    Start::new("segfault-once", CLUSTER).finish().succeeded_with(&["count 100"]);
}

#[test]
fn a_task_that_always_crashes_its_process_fails_the_job_and_the_message_names_the_signal() {
    Start::new("segfault-always", CLUSTER).finish().failed_with(&["failed 4 times", "signal 11"]);
}
