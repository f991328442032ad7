//! Checkpoints and the death of the executors that made them (RT-57).

use std::fs;

use firesteel_e2e::wait_until;
use rustix::process::Signal;

use crate::{
    CLUSTER,
    application::{Application, Start, is_alive, signal},
};

const SUMS: &str = "[(0, 166833), (1, 166167), (2, 166500)]";

fn kill_every_executor(application: &mut Application) {
    application.wait_for("kill");
    let executors = application.executors();
    assert!(!executors.is_empty());
    for &executor in &executors {
        signal(executor, Signal::KILL);
    }
    wait_until("the executors to be gone", || executors.iter().all(|&pid| !is_alive(pid)).then_some(()));
    application.gates().open("kill");
}

#[test]
fn a_reliable_checkpoint_cuts_the_lineage_and_outlives_every_executor() {
    let start = Start::new("reliable-checkpoint", CLUSTER);
    let checkpoints = start.directory().join("checkpoints");
    fs::create_dir(&checkpoints).unwrap();
    let mut application = start.with("checkpoints", &checkpoints.display().to_string()).start();
    kill_every_executor(&mut application);
    let finished = application.finish();
    finished.succeeded_with(&[
        "lines of lineage before: true",
        &format!("before {SUMS}"),
        "checkpointed true, lineage 0",
        &format!("after {SUMS}"),
    ]);
    // The source was looked at once, though all of the cache and of the shuffle was lost.
    assert_eq!(
        finished.gates.announced().iter().filter(|name| name.starts_with("compute-")).count(),
        4,
        "{finished:?}"
    );
}

#[test]
fn a_local_checkpoint_is_lost_with_its_executors_and_the_message_says_so() {
    let mut application = Start::new("local-checkpoint", CLUSTER).start();
    kill_every_executor(&mut application);
    let finished = application.finish();
    let [before, checkpointed, again, lost] = finished.lines()[..] else { panic!("four lines: {finished:?}") };
    assert_eq!([before, checkpointed], [&format!("before {SUMS}"), "checkpointed true"]);
    assert_eq!(again, format!("again {SUMS}"));
    assert!(lost.starts_with("lost: ") && lost.contains("heckpoint"), "{finished:?}");
}

/// RT-37: what another attempt has made may have been read already.
#[test]
fn a_copy_of_a_task_does_not_replace_a_part_of_a_checkpoint() {
    let start = Start::new("copied-checkpoint", CLUSTER).hosts(2);
    let checkpoints = start.directory().join("checkpoints");
    fs::create_dir(&checkpoints).unwrap();
    start
        .with("checkpoints", &checkpoints.display().to_string())
        .with("spark.speculation", "true")
        .with("spark.speculation.quantile", "0.5")
        .finish()
        .succeeded_with(&["computed [0, 0]", "read [0, 0]"]);
}
