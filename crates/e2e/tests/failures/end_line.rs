//! The line at the end of a run: whoever sees the line at the start sees one, and it says how the application ended.

use crate::{
    CLUSTER,
    application::{Finished, Start},
};

/// The start line and the end line, each printed once.
fn lines(finished: &Finished) -> (&str, &str) {
    let of = |begin: &str| {
        let found: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with(begin)).collect();
        let [line] = found[..] else { panic!("one line that begins with {begin:?}: {finished:?}") };
        line
    };
    (of("Firesteel "), of("application \""))
}

/// Both lines name the same application, and the end line ends so behind the time that it took.
fn check(finished: &Finished, name: &str, outcome: &str) {
    let (start, end) = lines(finished);
    let (id, _) = start.split_once('(').unwrap().1.split_once(')').unwrap();
    let took = end.strip_prefix(&format!("application \"{name}\" ({id}) took "));
    assert!(took.is_some_and(|took| took.ends_with(outcome)), "{outcome:?}: {finished:?}");
}

#[test]
fn an_application_that_fails_before_its_first_job_says_so_at_its_end() {
    for master in ["local[2]", CLUSTER] {
        let finished = Start::new("application-fails", master).finish();
        finished.failed_with(&["Error: input path does not exist: file:/nowhere/input"]);
        check(&finished, "application-fails", ", exit code 1: 0 jobs, 0 stages, 0 tasks");
    }
}

#[test]
fn an_application_that_cannot_be_started_says_so_at_its_end() {
    for master in ["local[2]", CLUSTER] {
        let finished = Start::new("idle", master).with("spark.files", "/nowhere/file").finish();
        finished.failed_with(&["Error: spark.files: /nowhere/file cannot be added"]);
        check(&finished, "idle", ", exit code 1: 0 jobs, 0 stages, 0 tasks, could not be started");
    }
}

#[test]
fn an_application_that_panics_says_so_at_its_end() {
    let finished = Start::new("application-panics", "local[2]").finish();
    finished.failed_with(&["the application is broken"]);
    check(&finished, "application-panics", ", exit code 1: 1 job, 1 stage, 4 tasks, ended by a panic");
}

#[test]
fn an_application_that_ends_well_says_what_it_did() {
    let finished = Start::new("on-any-master", "local[2]").finish();
    let (_, end) = lines(&finished);
    assert!(end.contains("s: 1 job, 2 stages, 7 tasks") && !end.contains("exit code"), "{finished:?}");
}
