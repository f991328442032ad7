//! Tasks that fail, loop, or hoard.

use firesteel_e2e::wait_until;
use rustix::process::Signal;

use crate::{
    CLUSTER, WIDE_CLUSTER,
    application::{Start, is_alive, signal},
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
fn a_context_inside_a_task_is_refused() {
    let lines = ["SparkContext::new was called inside a task (stage 0.0, partition 0", "then 100"];
    for master in [CLUSTER, "local[2]"] {
        Start::new("context-in-a-task", master).finish().succeeded_with(&lines);
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

/// There is one slot in all, and the task in it listens to nobody: the next job can only run in another executor.
#[test]
fn with_the_reaper_the_executor_of_a_task_that_listens_to_nobody_is_ended_and_replaced() {
    let finished = Start::new("loop-in-one-slot", "local-cluster[1,1,1024]")
        .with("spark.task.reaper.enabled", "true")
        .with("spark.task.reaper.pollingInterval", "100ms")
        .with("spark.task.reaper.killTimeout", "1s")
        .finish();
    let [cancelled, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
    assert!(cancelled.contains("cancelled") && cancelled.contains("endless"), "{finished:?}");
    assert_eq!(then, "then 100");
    assert_eq!(finished.code(), Some(0));
    let logs = finished.executor_logs();
    for text in ["killed task 0 is still running after", "\"executor-task\" is running, in no system call"] {
        assert!(logs.contains(text), "the executor's log does not have {text:?}: {finished:?}");
    }
    for text in ["executor lost", "exited with code 50", "spark.task.reaper.killTimeout", "Stage cancelled"] {
        assert!(finished.stderr.contains(text), "the driver does not say {text:?}: {finished:?}");
    }
    // Its own reason, and not whatever it logged last.
    assert!(!finished.stderr.contains("last words"), "{finished:?}");
}

#[test]
fn the_reaper_shows_no_thread_if_that_is_not_wanted_and_waits_for_ever_without_a_time_out() {
    let mut application = Start::new("loop-and-wait", CLUSTER)
        .with("spark.task.reaper.enabled", "true")
        .with("spark.task.reaper.pollingInterval", "50ms")
        .with("spark.task.reaper.threadDump", "false")
        .start();
    let executor = application.wait_for("looping-0");
    application.wait_for("driver");
    let logs = wait_until("the reaper's third look", || {
        let logs = application.executor_logs();
        (logs.matches("killed task 0 is still running after").count() >= 3).then_some(logs)
    });
    assert!(!logs.contains("processor time"), "{logs}");
    assert!(is_alive(executor));
    application.gates().open("driver");
    let finished = application.finish();
    assert_eq!(finished.lines().last(), Some(&"then 100"), "{finished:?}");
    assert!(!finished.stderr.contains("executor lost"), "{finished:?}");
}

#[test]
fn in_local_mode_the_reaper_says_that_it_cannot_end_the_process() {
    let mut application = Start::new("loop-and-wait", "local[2]")
        .with("spark.task.reaper.enabled", "true")
        .with("spark.task.reaper.pollingInterval", "50ms")
        .with("spark.task.reaper.killTimeout", "300ms")
        .start();
    application.wait_for("driver");
    wait_until("the reaper's last word", || {
        application.driver_log().contains("the process goes on, as it is the driver too").then_some(())
    });
    application.gates().open("driver");
    let finished = application.finish();
    assert_eq!(finished.lines().last(), Some(&"then 100"), "{finished:?}");
    assert_eq!(finished.code(), Some(0));
    for text in ["ERROR", "could not be stopped within", "spark.task.reaper.killTimeout"] {
        assert!(finished.stderr.contains(text), "{text:?}: {finished:?}");
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

#[test]
fn a_stack_overflow_ends_the_executor_and_the_reason_says_what_would_help() {
    let finished = Start::new("overflow-the-stack", CLUSTER).with("spark.task.maxFailures", "1").finish();
    let [failed, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
    for text in
        ["killed by signal 6 (SIGABRT", "spark.executorEnv.RUST_MIN_STACK", "executor-task", "has overflowed its stack"]
    {
        assert!(failed.contains(text), "{text:?}: {finished:?}");
    }
    assert_eq!(then, "then 100");
}

#[test]
fn a_stack_overflow_in_local_mode_ends_the_process_and_names_the_thread() {
    let finished = Start::new("overflow-the-stack", "local[2]").start().finish_untidily();
    assert_eq!(finished.code(), None, "a signal: {finished:?}");
    assert!(finished.stderr.contains("thread 'executor-task'"), "{finished:?}");
    assert!(finished.stderr.contains("has overflowed its stack"), "{finished:?}");
}
