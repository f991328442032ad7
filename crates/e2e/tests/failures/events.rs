//! What an application's event log says of its tasks.

use std::{collections::BTreeSet, fs};

use firesteel_e2e::wait_until;
use serde_json::Value;

use crate::{
    CLUSTER,
    application::{Finished, Start, files_below},
};

/// Has the application write an event log.
pub fn logging(start: Start) -> Start {
    let directory = start.directory().join("events");
    fs::create_dir(&directory).expect("a directory for the test");
    let directory = directory.display().to_string();
    start.with("spark.eventLog.enabled", "true").with("spark.eventLog.dir", &directory)
}

#[test]
fn the_event_log_tells_how_much_memory_each_executor_held_in_a_stage() {
    let executors_of_cluster = ["0", "1", "driver"];
    for (master, executors) in [(CLUSTER, &executors_of_cluster[..]), ("local[2]", &["driver"])] {
        let start = logging(Start::new("jobs-until-enough", master)).complete();
        let directory = start.directory().join("events");
        let start = start.with("spark.eventLog.logStageExecutorMetrics", "true");
        // Often, but so seldom that no executor is thought to have lost a task that is on its way.
        let application = start.with("spark.executor.heartbeatInterval", "1s").start();
        wait_until("every executor to be told of", || {
            let log = files_below(&directory).into_iter().next()?;
            let text = fs::read_to_string(log).ok()?;
            // The last line may be half written.
            let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let resident = |event: &Value| event["Executor Metrics"]["ProcessTreeOtherRSSMemory"].as_u64();
            let told: BTreeSet<String> = events
                .filter(|event| event["Event"] == "SparkListenerStageExecutorMetrics")
                .filter(|event| resident(event).is_some_and(|bytes| bytes > 0))
                .filter_map(|event| event["Executor ID"].as_str().map(str::to_owned))
                .collect();
            executors.iter().all(|executor| told.contains(*executor)).then_some(())
        });
        application.gates().open("enough");
        application.finish().succeeded_with(&["done"]);
    }
}

/// The ends of the tasks of a stage, in the order in which they came.
pub fn tasks_of_stage(finished: &Finished, stage: u64) -> Vec<Value> {
    let logs = files_below(&finished.directory().join("events"));
    let [log] = &logs[..] else { panic!("one event log: {logs:?}") };
    let text = fs::read_to_string(log).expect("the event log can be read");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is an event"));
    let ends = events.filter(|event| event["Event"] == "SparkListenerTaskEnd" && event["Stage ID"] == stage);
    let ends: Vec<Value> = ends.collect();
    assert!(!ends.is_empty(), "stage {stage} has tasks: {text}");
    ends
}

/// The sum of a number in the tasks' metrics, such as `["Shuffle Read Metrics", "Local Blocks Fetched"]`.
pub fn sum_of(tasks: &[Value], path: &[&str]) -> u64 {
    let number = |task: &Value| {
        let found = path.iter().fold(&task["Task Metrics"], |value, name| &value[*name]);
        found.as_u64().unwrap_or_else(|| panic!("{path:?} is a number: {task}"))
    };
    tasks.iter().map(number).sum()
}
