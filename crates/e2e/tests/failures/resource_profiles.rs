//! Resource profiles of tasks: slots and addresses that they take, and what cannot be (SC-08).

use std::fs;

use crate::application::{Start, files_below};

/// One executor of four cores.
const EXECUTOR: &str = "local-cluster[1,4,1024]";

#[test]
fn tasks_of_several_profiles_share_the_cores_of_an_executor() {
    let narrow = "narrow 24";
    let wide = format!("wide {:?}", [2; 12]);
    Start::new("profiles-share-cores", EXECUTOR).finish().succeeded_with(&[wide.as_str(), narrow]);
}

#[test]
fn tasks_of_several_profiles_share_addresses() {
    let start = Start::new("profiles-share-addresses", EXECUTOR);
    let script = start.script("gpus.sh", r#"echo '{"name": "gpu", "addresses": ["0", "1"]}'"#);
    let finished = start
        .with("spark.executor.resource.gpu.amount", "2")
        .with("spark.executor.resource.gpu.discoveryScript", &script)
        .with("spark.scheduler.mode", "FAIR")
        .finish();
    let mut lines = finished.lines();
    lines.sort_unstable();
    assert_eq!(lines, [r#"0.5: ["0", "1"]"#, r#"1: ["0", "1"]"#], "{finished:?}");
}

/// What `profiles-meet` prints ahead of two profiles in one stage, and after.
const BEFORE: [&str; 3] = ["from its parent: [3, 3]", "behind a shuffle: [(3, 1), (3, 1)]", "3 and None"];
const AFTER: &str = "the same: [2, 2]";

#[test]
fn profiles_that_meet_in_a_stage_are_refused() {
    let finished = Start::new("profiles-meet", EXECUTOR).finish();
    let refused = "refused: Multiple ResourceProfiles specified in the RDDs for this stage, either resolve the conflicting ResourceProfiles yourself or enable spark.scheduler.resource.profileMergeConflicts and understand how Spark handles the merging them.";
    finished.succeeded_with(&[BEFORE[0], BEFORE[1], BEFORE[2], refused, AFTER]);
}

#[test]
fn profiles_that_meet_in_a_stage_are_merged_if_that_is_wanted_and_listeners_are_told() {
    let start = Start::new("profiles-meet", EXECUTOR);
    let events = start.directory().join("events");
    fs::create_dir(&events).unwrap();
    let finished = start
        .with("spark.scheduler.resource.profileMergeConflicts", "true")
        .with("spark.eventLog.enabled", "true")
        .with("spark.eventLog.dir", &events.display().to_string())
        .finish();
    finished.succeeded_with(&[BEFORE[0], BEFORE[1], BEFORE[2], "merged: [3, 3]", AFTER]);
    let [file] = &files_below(&events)[..] else { panic!("one event log") };
    let log = fs::read_to_string(file).unwrap();
    let added = log.lines().filter(|line| line.contains(r#""Executor Resource Requests":{}"#)).count();
    // 3, 2 and 2: what the first two become is the first.
    assert_eq!(added, 3, "{log}");
    let request = r#""Task Resource Requests":{"cpus":{"Resource Name":"cpus","Amount":3.0}}"#;
    assert!(log.contains(request), "no {request} in {log}");
}

#[test]
fn a_job_whose_profile_nobody_can_serve_says_so_and_can_be_cancelled() {
    let mut application =
        Start::new("profile-that-nobody-serves", EXECUTOR).with("spark.starvation.timeout", "200ms").start();
    application.wait_for_stderr("a task takes 5 cores (resource profile 1), but the largest executor has 4");
    application.gates().open("give-up");
    let finished = application.finish();
    assert!(finished.lines()[0].starts_with("Job 0 cancelled"), "{finished:?}");
}

#[test]
fn a_profile_that_nobody_can_ever_serve_is_refused_if_that_is_known() {
    let start = Start::new("profile-that-nobody-serves", EXECUTOR).with("spark.executor.cores", "4");
    start
        .finish()
        .failed_with(&["The number of cores per executor (=4) has to be >= the number of cpus per task = 5."]);
    let local = Start::new("profile-that-nobody-serves", "local[4]").finish();
    local.failed_with(&["TaskResourceProfiles are only supported for Standalone, Yarn and Kubernetes cluster for now"]);
}
