//! Executors that hold more than they were given: they spill and evict, and do not end (RT-52, RT-53, RT-73).

use crate::{
    CLUSTER,
    application::{Finished, Start},
    events::{logging, sum_of, tasks_of_stage},
};

/// 90 MiB for execution and storage; the process may hold 834 MiB.
const SMALL: &str = "450m";
const ONE: &str = "local-cluster[1,1,1024]";

fn run(scenario: &str, mib: u32) -> Finished {
    logging(Start::new(scenario, ONE))
        .with("spark.executor.memory", SMALL)
        // Nothing is tried again: an executor that ends fails the job.
        .with("spark.task.maxFailures", "1")
        .with("spark.e2e.mib", &mib.to_string())
        .finish()
}

fn spilled(finished: &Finished, stage: u64) -> u64 {
    sum_of(&tasks_of_stage(finished, stage), &["Memory Bytes Spilled"])
}

#[test]
fn a_sort_of_records_that_are_much_larger_than_they_look_spills() {
    let finished = run("sort-hidden", 1500);
    finished.succeeded_with(&["sorted 24000, right true"]);
    assert!(spilled(&finished, 1) > 0, "{finished:?}");
    assert!(finished.executor_logs().contains("it spills and evicts what it can"), "{finished:?}");
}

#[test]
fn a_group_of_records_that_are_much_larger_than_they_look_spills() {
    let finished = run("group-hidden", 1500);
    finished.succeeded_with(&["groups of [375]"]);
    assert!(spilled(&finished, 1) > 0, "{finished:?}");
}

#[test]
fn a_cache_of_records_that_are_much_larger_than_they_look_goes_to_disk() {
    run("cache-hidden", 1500).succeeded_with(&["counts 24000 24000", "stored 16, on disk true, computed 16"]);
}

#[test]
fn beside_a_closure_that_holds_too_much_collections_spill_and_cached_blocks_go() {
    let finished = run("aggregate-beside-a-hoard", 740);
    let sum = 1_999_999_u64 * 1_000_000 + 2_000_000;
    finished.succeeded_with(&[
        "cached 1000000",
        &format!("keys 2000000, sum {sum}"),
        "stored 1, in memory 0.0 B",
        "cached 1000000",
    ]);
    assert!(spilled(&finished, 1) > 0, "{finished:?}");
}

/// AS-02: the task that is the end of the job only knows that an output is nowhere.
#[test]
fn a_job_that_fails_for_what_was_lost_with_an_executor_names_why_the_executor_was_lost() {
    let finished = Start::new("hoard-in-a-reducer", CLUSTER)
        .complete()
        .with("spark.executor.memory", "512m")
        .with("spark.stage.maxConsecutiveAttempts", "1")
        .finish();
    finished.failed_with(&["has failed the maximum allowable number of times: 1"]);
    let (_, error) = finished.stderr.split_once("Error: ").expect("it says why it failed");
    let (failure, lost) =
        error.split_once("Executors that were lost meanwhile:\nexecutor ").expect("it says what was lost");
    assert!(!failure.contains("code 52"), "what failed knows nothing of that: {finished:?}");
    assert!(lost.contains("exited with code 52 (out of memory"), "{finished:?}");
    assert!(lost.contains("the process held"), "{finished:?}");
}
