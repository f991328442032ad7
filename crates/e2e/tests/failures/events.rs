//! What an application's event log says of its tasks.

use std::fs;

use serde_json::Value;

use crate::application::{Finished, Start, files_below};

/// Has the application write an event log.
pub fn logging(start: Start) -> Start {
    let directory = start.directory().join("events");
    fs::create_dir(&directory).expect("a directory for the test");
    let directory = directory.display().to_string();
    start.with("spark.eventLog.enabled", "true").with("spark.eventLog.dir", &directory)
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
