//! Ends of the driver, in good order and otherwise.

use firesteel_e2e::wait_until;
use rustix::process::Signal;

use crate::{
    CLUSTER, WIDE_CLUSTER,
    application::{Start, processes_of, signal},
};

#[test]
fn nothing_is_left_when_the_driver_is_told_to_end_while_tasks_run() {
    for end in [Signal::TERM, Signal::INT, Signal::HUP] {
        for master in [CLUSTER, "local[2]"] {
            let mut application = Start::new("hold-every-task", master).start();
            application.wait_for("task-0");
            application.wait_for("task-1");
            signal(application.driver(), end);
            let finished = application.finish();
            assert_eq!(finished.code(), Some(128 + end.as_raw()), "{finished:?}");
        }
    }
}

#[test]
fn nothing_is_left_when_the_driver_is_told_to_end_at_once() {
    // Whatever it is at: the signal comes while executors start.
    let application = Start::new("idle", WIDE_CLUSTER).start();
    wait_until("an executor to start", || application.executors().first().copied());
    signal(application.driver(), Signal::TERM);
    let finished = application.finish();
    assert_eq!(finished.code(), Some(128 + 15), "{finished:?}");
}

#[test]
fn no_process_is_left_when_the_driver_is_killed() {
    for scenario in ["hold-every-task", "loop-without-end"] {
        let mut application = Start::new(scenario, CLUSTER).start();
        for index in 0..2 {
            let gate = if scenario == "hold-every-task" { "task" } else { "looping" };
            application.wait_for(&format!("{gate}-{index}"));
        }
        signal(application.driver(), Signal::KILL);
        let finished = application.finish_untidily();
        wait_until("the executors to end", || processes_of(finished.directory()).is_empty().then_some(()));
    }
}

#[test]
fn no_process_is_left_when_the_driver_is_killed_and_an_executor_cannot_notice() {
    let mut application = Start::new("hold-every-task", CLUSTER).start();
    signal(application.wait_for("task-0"), Signal::STOP);
    signal(application.driver(), Signal::KILL);
    let finished = application.finish_untidily();
    wait_until("the executors to end", || processes_of(finished.directory()).is_empty().then_some(()));
}

#[test]
fn nothing_is_left_when_the_application_panics() {
    for master in [CLUSTER, "local[2]"] {
        let finished = Start::new("application-panics", master).finish();
        finished.failed_with(&["the application is broken"]);
        assert_eq!(finished.lines(), ["count 100"]);
    }
}
