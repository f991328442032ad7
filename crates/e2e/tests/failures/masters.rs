//! Who runs the executors (RT-03, RT-16).

use crate::application::Start;

/// `Dummy` of the application takes `dummy://N`.
#[test]
fn a_cluster_manager_that_the_application_brings_along_runs_its_jobs() {
    let finished = Start::new("on-any-master", "dummy://3").finish();
    assert!(finished.stdout.contains("Dummy creates dummy://3"), "{finished:?}");
    assert!(finished.stdout.contains("master dummy://3 parallelism 3\nkeys 7\n"), "{finished:?}");
    assert_eq!(finished.code(), Some(0), "{finished:?}");
}

#[test]
fn what_a_manager_says_against_a_master_ends_the_start() {
    Start::new("on-any-master", "dummy://many").finish().failed_with(&["does not say how many executors there are"]);
}

#[test]
fn a_master_that_two_managers_claim_is_refused_and_both_are_named() {
    Start::new("on-any-master", "dummy://twice")
        .finish()
        .failed_with(&["Multiple external cluster managers registered for the url dummy://twice: Dummy, Rival"]);
}

#[test]
fn a_master_that_nobody_claims_is_refused() {
    Start::new("on-any-master", "foo://user:word@host:1")
        .finish()
        .failed_with(&["Could not parse Master URL: 'foo://host:1'"]);
}

#[test]
fn partitions_are_as_many_as_cores_and_at_least_two_where_executors_are_processes() {
    for (master, parallelism) in
        [("local[1]", 1), ("local[3]", 3), ("local-cluster[1,1,1024]", 2), ("local-cluster[3,1,1024]", 3)]
    {
        let expected = format!("master {master} parallelism {parallelism}");
        Start::new("on-any-master", master).finish().succeeded_with(&[&expected, "keys 7"]);
    }
}

/// As many cores as the application may have, wherever they are.
#[test]
fn fewer_cores_than_the_workers_have_are_shared_by_their_executors() {
    for cores in [1, 3] {
        let start = Start::new("on-any-master", "local-cluster[2,2,1024]").with("spark.cores.max", &cores.to_string());
        let expected = format!("master local-cluster[2,2,1024] parallelism {}", cores.max(2));
        start.finish().succeeded_with(&[&expected, "keys 7"]);
    }
}

#[test]
fn more_executors_than_one_machine_is_to_run_are_refused() {
    Start::new("on-any-master", "local-cluster[3000000000,1,1024]").finish().failed_with(&[
        "there would be 3000000000 executors",
        "1024 at most",
        "spark.cores.max",
    ]);
}
