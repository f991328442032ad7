//! Ends of the driver, in good order and otherwise.

use std::{fs, path::PathBuf};

use firesteel_e2e::wait_until;
use rustix::process::Signal;

use crate::{
    CLUSTER, WIDE_CLUSTER,
    application::{Finished, Start, files_below, processes_of, signal},
    events::logging,
};

#[test]
fn nothing_is_left_when_the_driver_is_told_to_end_while_tasks_run() {
    for end in [Signal::TERM, Signal::INT, Signal::HUP] {
        for master in [CLUSTER, "local[2]"] {
            // Whoever runs the tests in the background has some signals ignored.
            let start = Start::new("hold-every-task", master).through(&["env", "--default-signal"]);
            let mut application = start.start();
            application.wait_for("task-0");
            application.wait_for("task-1");
            signal(application.driver(), end);
            let finished = application.finish();
            assert_eq!(finished.code(), Some(128 + end.as_raw()), "{finished:?}");
        }
    }
}

#[test]
fn an_output_is_removed_when_the_driver_is_told_to_end_while_tasks_write_it() {
    for master in [CLUSTER, "local[2]"] {
        let start = Start::new("save-without-end", master);
        let root = start.directory().join("root");
        fs::create_dir(&root).unwrap();
        let mut application = start.with("spark.e2e.root", &root.display().to_string()).start();
        application.wait_for("saving-0");
        application.wait_for("saving-1");
        assert!(!files_below(&root).is_empty());
        signal(application.driver(), Signal::TERM);
        let finished = application.finish();
        assert_eq!(finished.code(), Some(128 + Signal::TERM.as_raw()), "{finished:?}");
        // As in Spark, the directory itself may be there.
        let left: Vec<PathBuf> = files_below(&root).into_iter().filter(|path| *path != root.join("endless")).collect();
        assert!(left.is_empty(), "{left:?} {finished:?}");
    }
}

#[test]
fn a_signal_that_the_starter_has_set_to_be_ignored_does_not_end_the_driver() {
    for master in [CLUSTER, "local[2]"] {
        let mut application = Start::new("hold-every-task", master).through(&["nohup"]).start();
        application.wait_for("task-0");
        application.wait_for("task-1");
        signal(application.driver(), Signal::HUP);
        signal(application.driver(), Signal::TERM);
        let finished = application.finish();
        assert_eq!(finished.code(), Some(128 + Signal::TERM.as_raw()), "{finished:?}");
    }
}

#[test]
fn a_place_for_logs_that_cannot_be_made_ends_the_start_and_is_named() {
    let start = Start::new("idle", CLUSTER);
    let work = start.directory().join("work");
    fs::remove_dir(&work).unwrap();
    fs::write(&work, "a file is in the way").unwrap();
    let finished = start.finish();
    finished.failed_with(&[&format!("could not make {}/", work.display()), "SPARK_WORKER_DIR"]);
    assert!(!finished.stderr.contains("in a row"), "no executor was tried: {finished:?}");
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
fn nothing_is_left_when_the_driver_is_killed() {
    // The second driver waits, too: one that has begun to stop leaves it to itself to remove what executors had.
    for (scenario, gates) in [("hold-every-task", ["task-0", "task-1"]), ("loop-and-wait", ["looping-0", "driver"])] {
        let mut application = Start::new(scenario, CLUSTER).start();
        for gate in gates {
            application.wait_for(gate);
        }
        signal(application.driver(), Signal::KILL);
        nothing_is_left_in_the_end(&application.finish_untidily());
    }
}

/// RT-81: the driver removes nothing then. Its executors do.
fn nothing_is_left_in_the_end(finished: &Finished) {
    wait_until("the executors to end", || processes_of(finished.directory()).is_empty().then_some(()));
    assert_eq!(files_below(&finished.scratch()), [] as [PathBuf; 0], "files are left\n{finished:?}");
}

/// Nobody is left that could remove anything, but the next application that comes to the same disk.
#[test]
fn what_nobody_has_removed_goes_when_the_next_application_starts() {
    let mut application = Start::new("hold-every-task", CLUSTER).start();
    application.wait_for("task-0");
    application.wait_for("task-1");
    let executors = application.executors();
    for pid in executors.iter().chain([&application.driver()]) {
        signal(*pid, Signal::STOP);
    }
    for &pid in &executors {
        signal(pid, Signal::KILL);
    }
    signal(application.driver(), Signal::KILL);
    let killed = application.finish_untidily();
    assert!(!files_below(&killed.scratch()).is_empty());
    let mut next = Start::new("hold-every-task", "local[2]")
        .with("spark.local.dir", &killed.scratch().display().to_string())
        .start();
    next.wait_for("task-0");
    let directories = || fs::read_dir(killed.scratch()).unwrap().count();
    wait_until("the directories of the killed application to go", || (directories() == 1).then_some(()));
    signal(next.driver(), Signal::TERM);
    next.finish();
    assert_eq!(directories(), 0);
}

#[test]
fn nothing_is_left_when_the_driver_is_killed_and_an_executor_cannot_notice() {
    let mut application = Start::new("hold-every-task", CLUSTER).start();
    signal(application.wait_for("task-0"), Signal::STOP);
    signal(application.driver(), Signal::KILL);
    nothing_is_left_in_the_end(&application.finish_untidily());
}

#[test]
fn nothing_is_left_when_the_application_panics() {
    for master in [CLUSTER, "local[2]"] {
        let finished = Start::new("application-panics", master).finish();
        finished.failed_with(&["the application is broken"]);
        assert_eq!(finished.lines(), ["count 100"]);
    }
}

/// RT-80: no destructor runs then, and no `main` returns.
#[test]
fn nothing_is_left_and_the_event_log_is_complete_when_the_program_exits() {
    for master in [CLUSTER, "local[2]"] {
        let finished = logging(Start::new("application-exits", master)).finish();
        assert_eq!(finished.code(), Some(7), "{finished:?}");
        assert_eq!(finished.lines(), ["count 100"]);
        let logs = files_below(&finished.directory().join("events"));
        let [log] = &logs[..] else { panic!("one event log: {logs:?}") };
        assert_eq!(log.extension(), None, "it has its final name: {log:?}");
        let text = fs::read_to_string(log).unwrap();
        for event in ["SparkListenerApplicationEnd", "SparkListenerJobEnd"] {
            assert!(text.contains(event), "{event} is in {text}");
        }
    }
}
