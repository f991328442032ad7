//! Executors that are alive and say nothing.

use firesteel_e2e::wait_until;
use rustix::process::Signal;

use crate::{
    CLUSTER,
    application::{Start, is_alive, signal},
};

/// So that silence is noticed in seconds.
fn impatient(scenario: &str) -> Start {
    Start::new(scenario, CLUSTER)
        .with("spark.executor.heartbeatInterval", "200ms")
        .with("spark.storage.blockManagerHeartbeatTimeoutMs", "3s")
        .with("spark.network.timeoutInterval", "500ms")
}

#[test]
fn an_executor_that_is_stopped_in_a_task_is_killed_and_replaced() {
    let mut application = impatient("hold-map").start();
    let executor = application.wait_for("map");
    signal(executor, Signal::STOP);
    wait_until("the stopped executor to be gone", || (!is_alive(executor)).then_some(()));
    application.finish().succeeded_with(&["sums [(0, 166833), (1, 166167), (2, 166500)]"]);
}

#[test]
fn an_executor_that_is_stopped_while_others_read_from_it_is_killed_and_its_outputs_computed_again() {
    let mut application = impatient("two-jobs-on-a-shuffle").start();
    application.wait_for("between");
    let stopped = application.executors()[0];
    signal(stopped, Signal::STOP);
    application.gates().open("between");
    application.finish().succeeded_with(&["before 4999950000", "after 4999950000"]);
    assert!(!is_alive(stopped));
}

#[test]
fn a_short_network_time_out_alone_is_enough() {
    let mut application = Start::new("hold-map", CLUSTER)
        .with("spark.executor.heartbeatInterval", "1s")
        .with("spark.network.timeout", "4s")
        .with("spark.network.timeoutInterval", "1s")
        .start();
    let executor = application.wait_for("map");
    signal(executor, Signal::STOP);
    application.finish().succeeded_with(&["sums [(0, 166833), (1, 166167), (2, 166500)]"]);
}

#[test]
fn a_stopped_executor_does_not_keep_the_application_from_ending() {
    let mut application = Start::new("idle", CLUSTER).start();
    application.wait_for("driver");
    // The other one runs the last job.
    signal(application.executors()[0], Signal::STOP);
    signal(application.driver(), Signal::TERM);
    assert_eq!(application.finish().code(), Some(128 + 15));
}
