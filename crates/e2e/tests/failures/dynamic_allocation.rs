//! Dynamic allocation, and executors that programs ask for and end themselves (SC-20…41).

use crate::application::Start;

/// Room for three executors of one core.
const WORKERS: &str = "local-cluster[3,1,1024]";

fn dynamic(scenario: &str) -> Start {
    Start::new(scenario, WORKERS)
        .with("spark.dynamicAllocation.enabled", "true")
        .with("spark.dynamicAllocation.schedulerBacklogTimeout", "20ms")
        .with("spark.dynamicAllocation.executorIdleTimeout", "200ms")
        .with("spark.executor.cores", "1")
}

#[test]
fn executors_come_with_tasks_and_go_without() {
    let lines = ["0 at first", "3 for three tasks", "none afterwards", "2 for two tasks", "1000 words", "none at last"];
    dynamic("executors-come-and-go").finish().succeeded_with(&lines);
}

#[test]
fn executors_stay_for_what_they_hold() {
    dynamic("executors-that-hold-something-stay").finish().succeeded_with(&[
        "10 cached",
        "2 for two tasks",
        "its holder stays",
        "10 shuffled",
        "2 for two tasks",
        "the holder of map outputs stays",
        "10 shuffled",
        "none at last",
    ]);
}

#[test]
fn programs_ask_for_executors_and_end_them() {
    let lines = ["100 of 100", "1 is left", "three at last"];
    Start::new("executors-are-asked-for-and-killed", WORKERS).finish().succeeded_with(&lines);
}

#[test]
fn with_dynamic_allocation_programs_do_not_end_executors_themselves() {
    let finished =
        dynamic("executors-are-asked-for-and-killed").with("spark.dynamicAllocation.minExecutors", "3").finish();
    finished.failed_with(&["killExecutors() unsupported with Dynamic Allocation turned on"]);
}

#[test]
fn contradictions_are_refused_at_the_start() {
    let cases = [
        ("spark.dynamicAllocation.shuffleTracking.enabled", "false", "map outputs would be lost"),
        ("spark.dynamicAllocation.maxExecutors", "0", "spark.dynamicAllocation.maxExecutors is 0"),
        ("spark.dynamicAllocation.executorAllocationRatio", "1.5", "above 0 and at most 1"),
    ];
    for (key, value, expected) in cases {
        dynamic("executors-come-and-go").with(key, value).finish().failed_with(&[expected]);
    }
}
