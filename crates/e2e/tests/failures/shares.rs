//! Slots: who gets them, who waits for them, and what is said meanwhile.

use std::fs;

use crate::{CLUSTER, application::Start};

/// Two jobs in two pools, of which three slots become free.
fn shares(pools: &str, allocations: Option<&str>) -> Start {
    let start = Start::new("share", "local-cluster[1,3,1024]").with("spark.e2e.pools", pools);
    let Some(allocations) = allocations else { return start };
    let file = start.directory().join("fairscheduler.xml");
    fs::write(&file, format!("<allocations>{allocations}</allocations>")).unwrap();
    start.with("spark.scheduler.mode", "FAIR").with("spark.scheduler.allocation.file", &file.display().to_string())
}

const COUNTS: [&str; 3] = ["count 6", "count 6", "count 3"];

#[test]
fn a_pool_of_twice_the_weight_gets_twice_the_slots() {
    let pools = r#"<pool name="light"><weight>1</weight></pool><pool name="heavy"><weight>2</weight></pool>"#;
    let finished = shares("light,heavy", Some(pools)).finish();
    finished.succeeded_with(&[&["light 1", "heavy 2"][..], &COUNTS].concat());
}

#[test]
fn a_pool_below_its_minimum_share_comes_before_any_weight() {
    let pools = r#"<pool name="heavy"><weight>100</weight></pool><pool name="needy"><minShare>2</minShare></pool>"#;
    let finished = shares("heavy,needy", Some(pools)).finish();
    finished.succeeded_with(&[&["heavy 1", "needy 2"][..], &COUNTS].concat());
}

#[test]
fn a_pool_that_the_file_does_not_have_is_made_with_a_warning() {
    let pools = r#"<pool name="known"><weight>2</weight></pool>"#;
    let finished = shares("known,stranger", Some(pools)).finish();
    finished.succeeded_with(&[&["known 2", "stranger 1"][..], &COUNTS].concat());
    let warning = finished.stderr.lines().find(|line| line.contains("a scheduler pool that is not configured"));
    assert!(finished.stderr.contains("stranger") && warning.is_some(), "{finished:?}");
}

#[test]
fn without_pools_the_earlier_job_gets_all() {
    shares("first,second", None).finish().succeeded_with(&[&["first 3", "second 0"][..], &COUNTS].concat());
}

#[test]
fn a_job_that_waits_for_the_slots_of_another_is_told_so() {
    let mut application = Start::new("wait-for-slots", CLUSTER).with("spark.starvation.timeout", "200ms").start();
    application.wait_for_stderr("all 2 slots are taken by 2 running tasks of other stages");
    application.gates().open("slots");
    application.finish().succeeded_with(&["count 2", "count 3"]);
}

/// Executors that register only when a gate is open, the first one perhaps at once.
fn late(first_at_once: bool, workers: u32) -> Start {
    let start = Start::new("one-task", &format!("local-cluster[{workers},1,1024]"));
    let gates = start.directory().join("gates");
    let first = if first_at_once { format!("mkdir '{0}/first' || ", gates.display()) } else { String::new() };
    let body = format!(
        "{first}while [ ! -e '{}/late.open' ]; do sleep 0.02; done; echo '{{\"name\": \"gate\", \"addresses\": [\"0\"]}}'",
        gates.display()
    );
    let script = start.script("late.sh", &body);
    start
        .with("spark.starvation.timeout", "200ms")
        .with("spark.executor.resource.gate.amount", "1")
        .with("spark.executor.resource.gate.discoveryScript", &script)
}

#[test]
fn a_job_without_executors_is_told_so_again_and_again() {
    let mut application = late(false, 1).start();
    application.wait_for_stderr("no executor has registered");
    application.gates().open("late");
    let finished = application.finish();
    finished.succeeded_with(&["count 1"]);
}

#[test]
fn the_first_task_waits_until_the_wanted_part_of_the_executors_has_registered() {
    let mut application = late(true, 2)
        .with("spark.scheduler.minRegisteredResourcesRatio", "1.0")
        .with("spark.scheduler.maxRegisteredResourcesWaitingTime", "3600s")
        .start();
    application.wait_for_stderr("1 of 2 cores have registered (spark.scheduler.minRegisteredResourcesRatio)");
    assert_eq!(application.gates().arrived("task-0"), None, "a task has started before its time");
    application.gates().open("late");
    application.finish().succeeded_with(&["count 1"]);
}

#[test]
fn the_first_task_does_not_wait_for_ever_for_executors_that_do_not_come() {
    let mut application = late(true, 2)
        .with("spark.scheduler.minRegisteredResourcesRatio", "1.0")
        .with("spark.scheduler.maxRegisteredResourcesWaitingTime", "1s")
        .start();
    application.wait_for("task-0");
    application.gates().open("late");
    application.finish().succeeded_with(&["count 1"]);
}
