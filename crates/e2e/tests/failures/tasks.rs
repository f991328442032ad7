//! Tasks that fail, loop, or hoard.

use rustix::process::Signal;

use crate::{
    CLUSTER, WIDE_CLUSTER,
    application::{Start, signal},
};

const PANIC: &str = "Schlüssel „7“ passt nicht: 鍵が合わない 🔑";

#[test]
fn a_panic_is_tried_so_often_as_is_configured_and_its_text_is_told() {
    for (master, attempts) in [(CLUSTER, 4), ("local[2]", 1), ("local[2,3]", 3)] {
        let finished = Start::new("panic", master).finish();
        finished.failed_with(&[PANIC, &format!("failed {attempts} time")]);
        let announced: Vec<String> = (0..attempts).map(|attempt| format!("attempt-{attempt}")).collect();
        assert_eq!(finished.gates.announced(), announced, "{finished:?}");
    }
}

#[test]
fn the_number_of_attempts_can_be_set() {
    let finished = Start::new("panic", CLUSTER).with("spark.task.maxFailures", "2").finish();
    finished.failed_with(&[PANIC, "failed 2 times"]);
    assert_eq!(finished.gates.announced(), ["attempt-0", "attempt-1"]);
}

#[test]
fn a_task_that_fails_three_times_succeeds_at_the_fourth() {
    for master in [CLUSTER, "local[2,4]"] {
        Start::new("fail-three-times", master).finish().succeeded_with(&["attempts [0, 3]"]);
    }
}

#[test]
fn what_an_action_accumulates_counts_once_whatever_fails() {
    for master in [CLUSTER, WIDE_CLUSTER] {
        let mut application = Start::new("accumulate", master).start();
        signal(application.wait_for("accumulate"), Signal::KILL);
        application
            .finish()
            .succeeded_with(&["records 1000 sum 499500 keys [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]"]);
    }
}

#[test]
fn two_threads_run_jobs_at_the_same_time() {
    for master in [CLUSTER, "local[2]"] {
        Start::new("two-jobs", master).finish().succeeded_with(&["counts 10 10"]);
    }
}

#[test]
fn a_cancelled_job_ends_and_its_slots_are_free_again() {
    for master in [CLUSTER, "local[2]"] {
        let finished = Start::new("loop-over-records", master).finish();
        let [cancelled, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
        assert!(cancelled.contains("cancelled") && cancelled.contains("endless"), "{finished:?}");
        assert_eq!(then, "then 100");
        assert_eq!(finished.code(), Some(0));
    }
}

#[test]
fn a_task_that_listens_to_nobody_keeps_neither_the_caller_of_cancel_nor_the_application_from_ending() {
    for master in [CLUSTER, "local[2]"] {
        let finished = Start::new("loop-without-end", master).finish();
        let [cancelled] = finished.lines()[..] else { panic!("one line: {finished:?}") };
        assert!(cancelled.contains("cancelled") && cancelled.contains("endless"), "{finished:?}");
        assert_eq!(finished.code(), Some(0));
    }
}

/// Nothing can end a thread that does not look up. Its slot stays taken, so that no task is sent to wait behind it; without
/// `spark.task.reaper.enabled` it is free again only when the executor ends.
#[test]
fn a_task_that_listens_to_nobody_takes_its_slot_along_and_no_other() {
    for master in [CLUSTER, "local[2]"] {
        let finished = Start::new("loop-in-one-slot", master).finish();
        let [cancelled, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
        assert!(cancelled.contains("cancelled") && cancelled.contains("endless"), "{finished:?}");
        assert_eq!(then, "then 100");
        assert_eq!(finished.code(), Some(0));
    }
}

#[test]
fn a_task_that_allocates_without_end_is_stopped_with_the_reason_and_the_rest_goes_on() {
    let finished = Start::new("allocate-without-end", CLUSTER)
        .with("spark.executor.memory", "512m")
        .with("spark.task.maxFailures", "2")
        .finish();
    let [failed, .., then] = finished.lines()[..] else { panic!("a message and a line: {finished:?}") };
    assert!(failed.starts_with("failed: "), "{finished:?}");
    assert!(finished.stdout.contains("spark.executor.memory"), "{finished:?}");
    assert!(finished.stdout.contains("exited with code 52"), "{finished:?}");
    assert_eq!(then, "then 100");
    assert_eq!(finished.code(), Some(0));
}
