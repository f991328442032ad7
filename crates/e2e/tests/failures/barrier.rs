//! Barrier stages (RT-48).

use crate::{CLUSTER, WIDE_CLUSTER, application::Start};

#[test]
fn tasks_of_a_barrier_stage_wait_for_one_another_and_hear_what_the_others_say() {
    for master in [WIDE_CLUSTER, "local[4]"] {
        let line = "true 0123 of 4";
        // Executors are still starting when the job comes; it does not wait for the next look at the slots.
        Start::new("barrier", master)
            .with("spark.e2e.tasks", "4")
            .with("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1h")
            .finish()
            .succeeded_with(&[line, line, line, line, "then 100"]);
    }
}

#[test]
fn a_barrier_stage_of_more_tasks_than_slots_fails_and_says_why() {
    let finished = Start::new("barrier", WIDE_CLUSTER)
        .with("spark.e2e.tasks", "5")
        .with("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s")
        .with("spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", "2")
        .finish();
    let [failed, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
    assert!(failed.contains("[SPARK-24819]") && failed.contains("more slots than"), "{finished:?}");
    assert_eq!(then, "then 100");
    assert!(
        finished.stderr.contains("a barrier stage that needs 5 slots at once, but the cluster has"),
        "{finished:?}"
    );
    assert_eq!(finished.gates.announced(), [""; 0], "no task has started");
}

#[test]
fn one_task_that_fails_takes_the_whole_attempt_along() {
    Start::new("barrier-with-a-failure", WIDE_CLUSTER).finish().succeeded_with(&["attempts [1, 1, 1, 1]"]);
}

#[test]
fn what_an_attempt_had_committed_before_it_failed_is_written_anew() {
    let start = Start::new("barrier-that-commits", WIDE_CLUSTER);
    let output = start.directory().join("output").display().to_string();
    start.with("spark.e2e.output", &output).finish().succeeded_with(&[
        "part-00000: 0 of attempt 1",
        "part-00001: 1 of attempt 1",
        "part-00002: 2 of attempt 1",
        "part-00003: 3 of attempt 1",
    ]);
}

/// Nobody waits for an answer that cannot come.
#[test]
fn tasks_that_say_more_than_a_message_may_hold_fail_once_and_say_so() {
    for (too_large, kib) in [("the answer", "600"), ("the question", "1100")] {
        let finished = Start::new("barrier-of-many-words", CLUSTER)
            .with("spark.e2e.kib", kib)
            .with("spark.rpc.message.maxSize", "1")
            .finish();
        finished.failed_with(&["the message is longer than the 1048576 bytes", "spark.rpc.message.maxSize"]);
        let attempts = finished.gates.announced();
        assert_eq!(attempts, ["attempt-0-0", "attempt-0-1"], "one attempt if {too_large} is too large");
    }
    Start::new("barrier-of-many-words", CLUSTER)
        .with("spark.e2e.kib", "600")
        .with("spark.rpc.message.maxSize", "2")
        .finish()
        .succeeded_with(&["heard [614400, 614400, 614400, 614400]"]);
}
