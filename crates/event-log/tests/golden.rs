//! Lines compared with what real Spark 4.3 writes: names, types and order of fields, recorded in
//! `spark-4.3-events.json` from applications that it ran. A `?` after a name: not in every event of that kind; `*`: names
//! that are data.

mod made_up;

use std::{collections::BTreeSet, fs, sync::Arc};

use firesteel_event_log::{EventLogListener, EventLogOptions};
use firesteel_listener_bus::Listener;
use firesteel_model::{AccumulatorValue, JobOutcome, ListenerEvent, StageSnapshot, TaskEndReason};
use serde_json::{Map, Value};

fn lines(options: impl FnOnce(EventLogOptions) -> EventLogOptions, events: &[ListenerEvent]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut listener = EventLogListener::open(options(made_up::options(directory.path(), "app-1"))).unwrap();
    events.iter().for_each(|event| listener.on_event(event));
    listener.on_stop();
    fs::read_to_string(listener.path()).unwrap().lines().map(str::to_owned).collect()
}

fn story() -> Vec<Value> {
    let lines = lines(|options| options, &made_up::events("app-1"));
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn recorded() -> Map<String, Value> {
    serde_json::from_str(include_str!("spark-4.3-events.json")).unwrap()
}

/// Compares one value with the recorded shape and adds what differs.
fn compare(path: &str, shape: &Value, value: &Value, differences: &mut Vec<String>) {
    match (shape, value) {
        (Value::Null, _) => {}
        (Value::String(types), value) => {
            let found = match value {
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "text",
                Value::Null => "null",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            if !types.split('|').any(|known| known == found) {
                differences.push(format!("{path}: {found} instead of {types}"));
            }
        }
        (Value::Array(shapes), Value::Array(elements)) => {
            if let Some(shape) = shapes.first() {
                elements.iter().for_each(|element| compare(&format!("{path}[]"), shape, element, differences));
            }
        }
        (Value::Object(shape), Value::Object(members)) => compare_members(path, shape, members, differences),
        (shape, value) => differences.push(format!("{path}: {value} instead of {shape}")),
    }
}

fn compare_members(
    path: &str,
    shape: &Map<String, Value>,
    members: &Map<String, Value>,
    differences: &mut Vec<String>,
) {
    if let Some(any) = shape.get("*") {
        members.iter().for_each(|(name, value)| compare(&format!("{path}/{name}"), any, value, differences));
        return;
    }
    let known: Vec<_> = shape.keys().map(|name| name.trim_end_matches('?')).collect();
    let unknown: Vec<_> = members.keys().filter(|name| !known.contains(&name.as_str())).collect();
    if !unknown.is_empty() {
        differences.push(format!("{path}: Spark has no {unknown:?}"));
    }
    let order: Vec<_> = known.iter().filter(|name| members.contains_key(**name)).copied().collect();
    let ours: Vec<_> = members.keys().map(String::as_str).filter(|name| known.contains(name)).collect();
    if order != ours {
        differences.push(format!("{path}: order {ours:?} instead of {order:?}"));
    }
    for (name, shape) in shape {
        match members.get(name.trim_end_matches('?')) {
            Some(value) => compare(&format!("{path}/{}", name.trim_end_matches('?')), shape, value, differences),
            None if name.ends_with('?') => {}
            None => differences.push(format!("{path}: {name} is missing")),
        }
    }
}

/// Not in every event, though it was in all that were recorded: the user's accumulators have no name if they were given
/// none, ours may have no value, and a task without metrics has none.
const OPTIONAL: [&str; 4] =
    ["/Accumulables[]: Name is", "/Accumulables[]: Value is", "/Accumulables[]: Update is", "Task Metrics is missing"];

#[test]
fn every_recorded_kind_has_sparks_fields_types_and_order() {
    let recorded = recorded();
    let mut seen = BTreeSet::new();
    let mut differences = Vec::new();
    for event in story() {
        let kind = event["Event"].as_str().unwrap();
        let Some(shape) = recorded.get(kind) else { continue };
        // Of failed fetches, lost executors and denied commits, Spark's round trip is the witness.
        let reason = event["Task End Reason"]["Reason"].as_str();
        if reason.is_some_and(|reason| ["FetchFailed", "ExecutorLostFailure", "TaskCommitDenied"].contains(&reason)) {
            continue;
        }
        seen.insert(kind.to_owned());
        compare(kind, shape, &event, &mut differences);
    }
    differences.retain(|difference| !OPTIONAL.iter().any(|optional| difference.contains(optional)));
    assert!(differences.is_empty(), "{differences:#?}");
    let missing: Vec<_> = recorded.keys().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "the story has no {missing:?}");
}

#[test]
fn kinds_that_spark_reads_but_does_not_write_are_there_too() {
    let kinds: BTreeSet<_> = story().iter().map(|event| event["Event"].as_str().unwrap().to_owned()).collect();
    for kind in [
        "SparkListenerTaskGettingResult",
        "org.apache.spark.scheduler.SparkListenerSpeculativeTaskSubmitted",
        "org.apache.spark.scheduler.SparkListenerUnschedulableTaskSetAdded",
        "org.apache.spark.scheduler.SparkListenerUnschedulableTaskSetRemoved",
    ] {
        assert!(kinds.contains(kind), "{kind}");
    }
}

#[test]
fn the_first_line_names_the_version() {
    let lines = lines(|options| options, &[]);
    assert_eq!(lines, [r#"{"Event":"SparkListenerLogStart","Spark Version":"4.3.0"}"#]);
}

#[test]
fn lines_look_like_this() {
    let lines =
        lines(|options| EventLogOptions { app_attempt_id: Some("2".to_owned()), ..options }, &made_up::start("app-1"));
    for expected in [
        concat!(
            r#"{"Event":"SparkListenerApplicationStart","App Name":"made up \"application\" ☃ <b>","App ID":"app-1","#,
            r#""Timestamp":1795265600000,"User":"someone","App Attempt ID":"2"}"#
        ),
        concat!(
            r#"{"Event":"SparkListenerResourceProfileAdded","Resource Profile Id":0,"Executor Resource Requests":{"#,
            r#""cores":{"Resource Name":"cores","Amount":2,"Discovery Script":"","Vendor":""},"#,
            r#""memory":{"Resource Name":"memory","Amount":1024,"Discovery Script":"","Vendor":""},"#,
            r#""gpu":{"Resource Name":"gpu","Amount":2,"Discovery Script":"/opt/gpus.sh","Vendor":"nvidia.com"}},"#,
            r#""Task Resource Requests":{"cpus":{"Resource Name":"cpus","Amount":1.0},"#,
            r#""gpu":{"Resource Name":"gpu","Amount":0.5}}}"#
        ),
        concat!(
            r#"{"Event":"SparkListenerExecutorAdded","Timestamp":1795265600100,"Executor ID":"1","Executor Info":{"#,
            r#""Host":"host-1","Total Cores":2,"Log Urls":{"stdout":"http://host-1:8081/stdout"},"#,
            r#""Attributes":{"CONTAINER":"c-1"},"Resources":{"gpu":{"name":"gpu","addresses":["0"]}},"#,
            r#""Resource Profile Id":0,"Registration Time":1795265600100}}"#
        ),
    ] {
        assert!(lines.iter().any(|line| line == expected), "no {expected} in {lines:#?}");
    }
}

#[test]
fn block_updates_and_executor_metrics_are_written_only_if_asked_for() {
    let quiet = |options| EventLogOptions { log_block_updates: false, log_stage_executor_metrics: false, ..options };
    let lines = lines(quiet, &made_up::events("app-1"));
    for kind in ["SparkListenerBlockUpdated", "SparkListenerExecutorMetricsUpdate", "SparkListenerStageExecutorMetrics"]
    {
        assert!(!lines.iter().any(|line| line.contains(kind)), "{kind}");
    }
}

/// UI-32: for each executor of a stage the most that was told meanwhile, before the stage's end; and what the driver told.
#[test]
fn peaks_of_executors_are_written_for_each_stage() {
    let story = story();
    let of_kind = |kind: &str| story.iter().filter(|event| event["Event"] == kind).cloned().collect::<Vec<_>>();
    let updates = of_kind("SparkListenerExecutorMetricsUpdate");
    assert_eq!(updates.len(), 1, "only the driver's: {updates:?}");
    assert_eq!(updates[0]["Executor ID"], "driver");
    let told = &updates[0]["Executor Metrics Updated"][0];
    assert_eq!((&told["Stage ID"], &told["Stage Attempt ID"]), (&Value::from(-1), &Value::from(-1)));
    assert_eq!(told["Executor Metrics"]["ProcessTreeOtherRSSMemory"], 16_000);

    let peaks = of_kind("SparkListenerStageExecutorMetrics");
    let peak = |stage: u64, executor: &str| {
        let found = peaks.iter().find(|event| event["Stage ID"] == stage && event["Executor ID"] == executor);
        let metrics = &found.unwrap_or_else(|| panic!("{executor} in stage {stage}: {peaks:?}"))["Executor Metrics"];
        ["OnHeapExecutionMemory", "OnHeapStorageMemory", "OffHeapUnifiedMemory", "ProcessTreeOtherRSSMemory"]
            .map(|name| metrics[name].as_u64().unwrap())
    };
    // What an executor tells of a stage that has ended is late. A task of stage 0 held 8192 bytes.
    assert_eq!(peak(0, "1"), [8192, 0, 0, 0]);
    assert_eq!(peak(1, "1"), [100, 200, 30, 8000]);
    assert_eq!(peak(1, "driver"), [200, 400, 60, 16_000]);
    for stage in [0, 1] {
        let position = |kind: &str| {
            let id =
                |event: &Value| event.get("Stage Info").map_or(&event["Stage ID"], |info| &info["Stage ID"]).clone();
            story.iter().rposition(|event| event["Event"] == kind && id(event) == stage).unwrap()
        };
        assert!(position("SparkListenerStageExecutorMetrics") < position("SparkListenerStageCompleted"));
    }
}

#[test]
fn task_metrics_are_told_as_accumulators_unless_that_is_off() {
    let story = story();
    let ends: Vec<_> = story.iter().filter(|event| event["Event"] == "SparkListenerTaskEnd").collect();
    let run_time = |event: &Value, field: &str| {
        let accumulables = event["Task Info"]["Accumulables"].as_array().unwrap();
        let found = accumulables.iter().find(|info| info["Name"] == "internal.metrics.executorRunTime");
        found.map(|info| info[field].as_u64().unwrap())
    };
    assert_eq!((run_time(ends[0], "Update"), run_time(ends[0], "Value")), (Some(500), Some(500)));
    assert_eq!((run_time(ends[1], "Update"), run_time(ends[1], "Value")), (Some(500), Some(1000)));
    let completed = story.iter().find(|event| event["Event"] == "SparkListenerStageCompleted").unwrap();
    let sums = completed["Stage Info"]["Accumulables"].as_array().unwrap();
    let read = sums.iter().find(|info| info["Name"] == "internal.metrics.input.bytesRead").unwrap();
    assert_eq!(read["Value"], 20_000);

    let without = |options| EventLogOptions { include_task_metrics_accumulators: false, ..options };
    let lines = lines(without, &made_up::job_that_fails());
    assert!(lines.iter().any(|line| line.contains("SparkListenerTaskEnd")));
    assert!(!lines.iter().any(|line| line.contains("internal.metrics.")));
}

#[test]
fn secrets_stay_out() {
    let redaction = regex::Regex::new("(?i)secret|password|token|access[.]?key").unwrap();
    let with = |options| EventLogOptions { redaction: Some(redaction), ..options };
    let text = lines(with, &made_up::events("app-1")).join("\n");
    assert!(text.contains(r#""spark.made.up.password":"*********(redacted)""#));
    assert!(text.contains(r#""made.up.token":"*********(redacted)""#));
    assert!(text.contains(r#""spark.files":"s3a://*********(redacted)@bucket/a,file:/b""#));
    assert!(!text.contains("hunter2") && !text.contains("do not tell"));
    assert!(text.contains(r#""spark.jobGroup.id":"group one""#));
}

/// Whatever people can put a URL into: names, messages, the last words of an executor, keys of properties.
#[test]
fn no_text_shows_what_urls_have_of_secrets() {
    const URL: &str = "jdbc://me:sesame@host/x";
    let mut events = made_up::events("app-1");
    for event in &mut events {
        let text = || format!("before {URL}\nhttps://h/y?sig=sesame\n");
        let poison = |stage: &mut Arc<StageSnapshot>| {
            let stage = Arc::make_mut(stage);
            (stage.name, stage.details, stage.failure_reason) = (text(), text(), Some(text()));
            for rdd in &mut stage.rdds {
                (rdd.name, rdd.call_site, rdd.scope) = (text(), text(), Some(format!("{URL}?a\"b\\")));
            }
            stage.accumulables.values_mut().for_each(|info| info.name = Some(text()));
        };
        match event {
            ListenerEvent::ApplicationStart { app_name, user, .. } => (*app_name, *user) = (text(), text()),
            ListenerEvent::JobStart { stages, properties, .. } => {
                stages.iter_mut().for_each(poison);
                *properties = Arc::new([(text(), text())].into_iter().collect());
            }
            ListenerEvent::JobEnd { outcome, .. } => *outcome = JobOutcome::Failed { message: text() },
            ListenerEvent::StageSubmitted { stage, .. } | ListenerEvent::StageCompleted { stage } => poison(stage),
            ListenerEvent::TaskEnd { reason, task, .. } => {
                for info in &mut task.accumulables {
                    info.name = Some(text());
                    info.update = Some(AccumulatorValue::Other { encoded: Vec::new(), display: text() });
                }
                match reason {
                    TaskEndReason::FetchFailed { message, .. } => *message = text(),
                    TaskEndReason::ExceptionFailure { class_name, description, stack_trace, .. } => {
                        (*class_name, *description, *stack_trace) = (text(), text(), text());
                    }
                    TaskEndReason::TaskKilled { reason } => *reason = text(),
                    TaskEndReason::ExecutorLostFailure { reason, .. } => *reason = Some(text()),
                    _ => {}
                }
            }
            ListenerEvent::ExecutorRemoved { reason, .. } => *reason = text(),
            _ => {}
        }
    }
    let lines = lines(|options| options, &events);
    let shown = "jdbc://*********(redacted)@host/x";
    for field in [
        "App Name",
        "User",
        "Stage Name",
        "Details",
        "Failure Reason",
        "Message",
        "Class Name",
        "Description",
        "Full Stack Trace",
        "Kill Reason",
        "Loss Reason",
        "Removed Reason",
        "Callsite",
        "Scope",
    ] {
        let has = |line: &&String| line.contains(&format!("\"{field}\":")) && line.contains(shown);
        assert!(lines.iter().any(|line| has(&line)), "{field} is not among the texts");
    }
    for line in lines {
        assert!(!line.contains("sesame"), "{line}");
        let event: Value = serde_json::from_str(&line).unwrap();
        // A scope is JSON in a text, and stays JSON.
        for rdd in event["Stage Info"]["RDD Info"].as_array().into_iter().flatten() {
            let scope: Value = serde_json::from_str(rdd["Scope"].as_str().unwrap()).unwrap();
            assert_eq!(scope["name"], format!("{shown}?a\"b\\"));
        }
    }
}
