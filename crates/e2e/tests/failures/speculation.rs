//! Copies of slow tasks, on executors of two hosts (RT-37, RT-45, RT-47).

use crate::{CLUSTER, WIDE_CLUSTER, application::Start};

fn speculative(scenario: &str, master: &str) -> Start {
    Start::new(scenario, master).hosts(2).with("spark.speculation", "true").with("spark.speculation.quantile", "0.5")
}

#[test]
fn a_copy_of_a_slow_task_runs_on_another_host_and_its_result_counts_once() {
    speculative("slow-task", CLUSTER).finish().succeeded_with(&[
        "records [0, 1, 2, 3]",
        "winner: attempt 1 speculative true",
        "loser: attempt 0 TaskKilled (another attempt succeeded)",
        "on different hosts: true",
    ]);
}

#[test]
fn of_two_attempts_that_want_to_commit_one_may() {
    let start = speculative("two-committers", CLUSTER);
    let output = start.directory().join("output").display().to_string();
    start.with("spark.e2e.output", &output).finish().succeeded_with(&[
        "part-00000: 0",
        "part-00000: -1",
        "part-00001: 1",
        "part-00001: -1",
        "succeeded 1 of 2",
    ]);
}

#[test]
fn a_task_that_is_slow_because_it_has_much_to_read_gets_no_copy() {
    speculative("much-to-read", WIDE_CLUSTER)
        .with("spark.executor.heartbeatInterval", "50ms")
        // However long it takes.
        .with("spark.speculation.efficiency.longRunTaskFactor", "1e9")
        .finish()
        .succeeded_with(&["records 200030", "read [200000, 10, 10, 10]", "copied [1]"]);
}
