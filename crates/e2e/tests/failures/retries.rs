//! Stages that run again (RT-36, RT-56).

use std::{fs, path::PathBuf};

use rustix::process::Signal;

use crate::{
    WIDE_CLUSTER,
    application::{Application, Start, files_below, signal},
};

#[test]
fn what_an_action_accumulates_counts_once_when_its_stage_is_tried_again() {
    let mut application = Start::new("accumulate-twice", WIDE_CLUSTER).start();
    application.wait_for("between");
    let is_data = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "data");
    let file = files_below(&application.scratch()).into_iter().find(is_data).expect("map tasks leave data files");
    fs::remove_file(file).unwrap();
    application.gates().open("between");
    application.finish().succeeded_with(&["before 10000 49995000", "after 20000 99990000", "a stage was tried again"]);
}

/// Every executor is there from the start, so that none is without a part of each stage.
fn scatter(deliver: &str) -> Start {
    Start::new("scatter", WIDE_CLUSTER).complete().with("spark.e2e.deliver", deliver)
}

/// Map tasks that deal records out in turn, each run of them.
fn deals(application: &Application) -> Vec<String> {
    let mut deals = application.gates().announced();
    deals.retain(|name| name.starts_with("deal-"));
    deals
}

#[test]
fn records_that_go_elsewhere_when_they_are_computed_anew_are_all_computed_anew() {
    let mut application = scatter("false").start();
    let readers: Vec<u32> = (0..4).map(|index| application.wait_for(&format!("read-{index}"))).collect();
    assert_eq!(deals(&application).len(), 3);
    signal(readers[0], Signal::KILL);
    let finished = application.finish();
    finished.succeeded_with(&["all of them once true"]);
    let deals: Vec<String> = finished.gates.announced().into_iter().filter(|name| name.starts_with("deal-")).collect();
    for index in 0..3 {
        let runs = deals.iter().filter(|name| name.starts_with(&format!("deal-{index}-"))).count();
        assert!(runs >= 2, "map task {index} ran only once: {deals:?}\n{finished:?}");
    }
}

#[test]
fn a_job_that_has_delivered_what_cannot_be_computed_alike_again_fails_and_says_so() {
    let mut application = scatter("true").start();
    let readers: Vec<u32> = (0..4).map(|index| application.wait_for(&format!("read-{index}"))).collect();
    application.wait_for("delivered");
    signal(readers[1], Signal::KILL);
    let finished = application.finish();
    let [failed] = finished.lines()[..] else { panic!("one line: {finished:?}") };
    assert!(failed.contains("indeterminate output was failed and retried"), "{finished:?}");
}

#[test]
fn a_map_task_knows_for_which_job_it_runs() {
    let finished = Start::new("job-of-a-stage", WIDE_CLUSTER).finish();
    finished.succeeded_with(&["first 10", "second 2"]);
    assert_eq!(finished.gates.announced(), ["map-of-job-1"]);
}
