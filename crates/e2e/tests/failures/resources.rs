//! Custom resources: found by scripts, given to tasks, told to listeners (SC-07).

use std::{fs, path::Path};

use firesteel_e2e::wait_until;
use rustix::process::Signal;

use crate::application::{Start, files_below, processes_of, signal};

/// One executor of four cores.
const EXECUTOR: &str = "local-cluster[1,4,1024]";
const TWO_GPUS: &str = r#"echo '{"name": "gpu", "addresses": ["0", "1"]}'"#;

/// Executors of so many GPUs, which a script finds; it finds two.
fn with_gpus(scenario: &str, amount: &str) -> (Start, String) {
    let start = Start::new(scenario, EXECUTOR);
    let script = start.script("gpus.sh", TWO_GPUS);
    let start = start
        .with("spark.executor.resource.gpu.amount", amount)
        .with("spark.executor.resource.gpu.discoveryScript", &script);
    (start, script)
}

/// The one event log of a finished application.
fn event_log(directory: &Path) -> (String, String) {
    let files = files_below(directory);
    let [file] = &files[..] else { panic!("one event log: {files:?}") };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (name, fs::read_to_string(file).unwrap())
}

#[test]
fn two_gpus_are_enough_for_four_tasks_of_half_a_gpu_each() {
    let (start, script) = with_gpus("tasks-at-once", "2");
    let events = start.directory().join("events");
    fs::create_dir(&events).unwrap();
    let finished = start
        .with("spark.task.resource.gpu.amount", "0.5")
        .with("spark.driver.resource.gpu.amount", "1")
        .with("spark.driver.resource.gpu.discoveryScript", &script)
        .with("spark.e2e.tasks", "4")
        .with("spark.eventLog.enabled", "true")
        .with("spark.eventLog.dir", &events.display().to_string())
        .with("spark.app.attempt.id", "3")
        .finish();
    let of = |address: &str| format!(r#"cpus 1 {{"gpu":{{"name":"gpu","addresses":["{address}"]}}}}"#);
    let (first, second) = (of("0"), of("1"));
    finished.succeeded_with(&[r#"driver gpu ["0", "1"]"#, &first, &first, &second, &second]);
    let (name, log) = event_log(&events);
    assert!(name.ends_with("_3"), "the attempt is part of the log's name: {name}");
    let request = format!(
        r#""gpu":{{"Resource Name":"gpu","Amount":2,"Discovery Script":"{script}","Vendor":""}}}},"Task Resource Requests":{{"cpus":{{"Resource Name":"cpus","Amount":1.0}},"gpu":{{"Resource Name":"gpu","Amount":0.5}}}}"#
    );
    let expected =
        [request.as_str(), r#""Resources":{"gpu":{"name":"gpu","addresses":["0","1"]}}"#, r#""App Attempt ID":"3""#];
    for expected in expected {
        assert!(log.contains(expected), "no {expected} in {log}");
    }
}

#[test]
fn a_gpu_is_never_used_by_two_tasks_that_want_a_whole_one_and_what_is_wasted_is_said() {
    let (start, _) = with_gpus("addresses-of-their-own", "2");
    let finished = start.with("spark.task.resource.gpu.amount", "1").finish();
    finished.succeeded_with(&["tasks 20", r#"addresses ["0", "1"]"#]);
    let waste = "the 4 cores of an executor are enough for 4 tasks, but resource gpu allows only 2 at once";
    assert!(finished.stderr.contains(waste), "{finished:?}");
}

#[test]
fn a_task_of_two_cpus_knows_so_and_two_of_them_fill_an_executor() {
    Start::new("tasks-at-once", EXECUTOR)
        .with("spark.task.cpus", "2")
        .with("spark.e2e.tasks", "2")
        .finish()
        .succeeded_with(&["cpus 2 {}", "cpus 2 {}"]);
}

#[test]
fn the_driver_has_resources_in_local_mode_too() {
    let start = Start::new("tasks-at-once", "local[2]").with("spark.driver.resource.gpu.amount", "2");
    let script = start.script("gpus.sh", TWO_GPUS);
    start
        .with("spark.driver.resource.gpu.discoveryScript", &script)
        .with("spark.e2e.tasks", "2")
        .finish()
        .succeeded_with(&[r#"driver gpu ["0", "1"]"#, "cpus 1 {}", "cpus 1 {}"]);
}

#[test]
fn an_executor_that_finds_too_few_ends_and_the_application_says_why() {
    let (start, _) = with_gpus("tasks-at-once", "3");
    let finished = start.with("spark.task.resource.gpu.amount", "1").with("spark.e2e.tasks", "1").finish();
    finished.failed_with(&[
        "before they had registered",
        "resource gpu has 2 addresses here (0, 1), fewer than the 3 of spark.executor.resource.gpu.amount",
    ]);
}

#[test]
fn a_script_that_hangs_ends_with_the_process_that_waits_for_it() {
    for whose in ["executor", "driver"] {
        for end in [Signal::TERM, Signal::KILL] {
            let start = Start::new("tasks-at-once", EXECUTOR).with("spark.e2e.tasks", "1");
            let runs = start.directory().join("runs");
            let script = start.script("hangs.sh", &format!("sleep 1000 & echo > {}; sleep 1000", runs.display()));
            let application = start
                .with(&format!("spark.{whose}.resource.gpu.amount"), "1")
                .with(&format!("spark.{whose}.resource.gpu.discoveryScript"), &script)
                .start();
            wait_until("the script to run", || runs.exists().then_some(()));
            signal(application.driver(), end);
            let finished = application.finish_untidily();
            let what = format!("the {whose}'s script to end after {end:?}");
            wait_until(&what, || processes_of(finished.directory()).is_empty().then_some(()));
        }
    }
}

#[test]
fn what_no_task_can_ever_get_is_refused_at_start() {
    let too_few_for_the_driver = {
        let start = Start::new("tasks-at-once", "local[2]").with("spark.driver.resource.gpu.amount", "3");
        let script = start.script("gpus.sh", TWO_GPUS);
        start.with("spark.driver.resource.gpu.discoveryScript", &script)
    };
    let (no_such_share, _) = with_gpus("tasks-at-once", "2");
    let local = Start::new("tasks-at-once", "local[2]").with("spark.task.resource.gpu.amount", "1");
    let one_core = Start::new("tasks-at-once", "local-cluster[1,2,1024]").with("spark.cores.max", "1");
    let one_core = one_core.with("spark.executor.cores", "2");
    let too_many_cores = Start::new("tasks-at-once", EXECUTOR).with("spark.executor.cores", "5");
    let cases = [
        (one_core, "an executor takes 2 cores (spark.executor.cores), and the application may have 1"),
        (too_many_cores, "an executor takes 5 cores (spark.executor.cores), and a worker has 4"),
        (too_few_for_the_driver, "fewer than the 3 of spark.driver.resource.gpu.amount"),
        (no_such_share.with("spark.task.resource.gpu.amount", "0.7"), "a whole number, or a fraction of at most 0.5"),
        (local, "tasks of local mode can have no custom resources"),
        (
            Start::new("tasks-at-once", EXECUTOR).with("spark.task.cpus", "5"),
            "has to be at least the number of cpus per task (5",
        ),
        (
            Start::new("tasks-at-once", "local-cluster[1,2,1024]").with("spark.task.cpus", "3"),
            "the number of cores per executor (2) has to be at least the number of cpus per task (3, spark.task.cpus)",
        ),
        (
            Start::new("tasks-at-once", "local[2]").with("spark.task.cpus", "3"),
            "the number of cores per executor (2) has to be at least the number of cpus per task (3, spark.task.cpus)",
        ),
    ];
    for (start, expected) in cases {
        let finished = start.with("spark.e2e.tasks", "1").finish();
        finished.failed_with(&[expected]);
        assert!(!finished.stderr.contains("does nothing"), "{finished:?}");
    }
}

#[test]
fn a_job_that_waits_for_executors_that_are_slow_to_start_says_so() {
    let start = Start::new("tasks-at-once", EXECUTOR);
    let gate = start.directory().join("gates/slow.open");
    let script = start.script("gpus.sh", &format!("until [ -e {} ]; do sleep 0.05; done\n{TWO_GPUS}", gate.display()));
    let mut application = start
        .with("spark.executor.resource.gpu.amount", "2")
        .with("spark.executor.resource.gpu.discoveryScript", &script)
        .with("spark.starvation.timeout", "1s")
        .with("spark.e2e.tasks", "1")
        .start();
    application.wait_for_stderr("no executor has registered: 1 was started and was not heard of yet; see the output");
    application.gates().open("slow");
    application.finish().succeeded_with(&["cpus 1 {}"]);
}
