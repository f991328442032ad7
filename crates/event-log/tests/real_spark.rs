//! Our logs before real Spark 4.3: its reader and writer of events, and its history server.

mod made_up;
mod spark;

use std::{fs, path::Path};

use anyhow::Context;
use firesteel_event_log::{CompressionCodec, EventLogListener, EventLogOptions};
use firesteel_listener_bus::Listener;
use firesteel_model::ListenerEvent;
use serde_json::{Value, json};
use spark::{HistoryServer, Spark};

const CODECS: [CompressionCodec; 3] = [CompressionCodec::Zstd, CompressionCodec::Lz4, CompressionCodec::Snappy];

fn write(options: EventLogOptions, events: &[ListenerEvent], stop: bool) -> EventLogListener {
    let mut listener = EventLogListener::open(options).unwrap();
    events.iter().for_each(|event| listener.on_event(event));
    if stop {
        listener.on_stop();
    }
    listener
}

/// The two lines as far as Spark's classes keep everything: its speculative tasks have neither index nor partition once
/// they were read, and absent task metrics become zeros.
fn comparable(mut ours: Value, mut sparks: Value) -> (Value, Value) {
    if ours["Event"] == "org.apache.spark.scheduler.SparkListenerSpeculativeTaskSubmitted" {
        for event in [&mut ours, &mut sparks] {
            let members = event.as_object_mut().unwrap();
            members.retain(|name, _| !["taskIndex", "partitionId"].contains(&name.as_str()));
        }
    }
    if ours.get("Task Metrics").is_none() {
        sparks.as_object_mut().unwrap().remove("Task Metrics");
    }
    (ours, sparks)
}

#[test]
fn spark_reads_every_line_and_writes_it_the_same() {
    let spark = Spark::find();
    let directory = tempfile::tempdir().unwrap();
    let log = write(made_up::options(directory.path(), "app-1"), &made_up::events("app-1"), true);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spark/round_trip.py");
    let answer = spark.python(&script, &[log.path()]).unwrap();
    let ours = fs::read_to_string(log.path()).unwrap();
    assert_eq!(ours.lines().count(), answer.lines().count());
    for (ours, sparks) in ours.lines().zip(answer.lines()) {
        let (ours, sparks) = comparable(serde_json::from_str(ours).unwrap(), serde_json::from_str(sparks).unwrap());
        assert_eq!(ours, sparks);
    }
}

/// The members of this name of all elements, in their order.
fn column<'a>(rows: &'a Value, name: &str) -> Vec<&'a Value> {
    rows.as_array().into_iter().flatten().map(|row| &row[name]).collect()
}

/// The element whose member has this value.
fn find<'a>(rows: &'a Value, name: &str, value: impl Into<Value>) -> &'a Value {
    let value = value.into();
    let found = rows.as_array().into_iter().flatten().find(|row| row[name] == value);
    found.unwrap_or_else(|| panic!("no {name} {value} in {rows}"))
}

fn assert_members(row: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name} of {row}");
    }
}

#[test]
fn spark_history_server_shows_the_story() {
    let spark = Spark::find();
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path();
    let compressed = |codec| move |options| EventLogOptions { compression: Some(codec), ..options };
    let written = |id: &str, options: &dyn Fn(EventLogOptions) -> EventLogOptions| {
        write(options(made_up::options(logs, id)), &made_up::events(id), true)
    };
    written("app-plain", &|options| options);
    written("app-zstd", &compressed(CompressionCodec::Zstd));
    written("app-lz4", &compressed(CompressionCodec::Lz4));
    written("app-snappy", &compressed(CompressionCodec::Snappy));

    // Enough tasks for a second file.
    let mut long = made_up::start("app-rolling");
    long.extend(made_up::job_that_succeeds());
    long.extend(made_up::wide_job(1, 4, 6000));
    long.extend(made_up::end());
    let rolled = write(made_up::rolling(CompressionCodec::Zstd)(made_up::options(logs, "app-rolling")), &long, true);
    let files = fs::read_dir(rolled.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.contains(&"events_2_app-rolling.zstd".to_owned()), "{names:?}");

    // As after kill -9: nothing closed, and the last line torn.
    let killed = |id: &str| [made_up::start(id), made_up::job_that_succeeds()].concat();
    let open = write(made_up::options(logs, "app-killed"), &killed("app-killed"), false);
    let torn = logs.join("app-killed.inprogress");
    let mut text = fs::read_to_string(&torn).unwrap();
    text.push_str(r#"{"Event":"SparkListenerTaskSta"#);
    fs::write(&torn, text).unwrap();
    drop(open);
    for codec in CODECS {
        let id = format!("app-killed-{codec}");
        drop(write(compressed(codec)(made_up::options(logs, &id)), &killed(&id), false));
    }

    let server = spark.history_server(logs).unwrap();
    let complete = ["app-plain", "app-zstd", "app-lz4", "app-snappy"];
    check_list(&server, &complete);
    for id in complete {
        check_story(&server, id).with_context(|| id.to_owned()).unwrap();
    }
    let wide = server.get("/applications/app-rolling/stages/4/0?details=false", Value::is_object).unwrap();
    assert_members(&wide, &json!({"numTasks": 6000, "numCompleteTasks": 6000, "inputBytes": 60_000_000}));
    for id in ["app-killed", "app-killed-zstd", "app-killed-lz4", "app-killed-snappy"] {
        let jobs = server.get(&format!("/applications/{id}/jobs"), Value::is_array).unwrap();
        assert_eq!(column(&jobs, "status"), ["SUCCEEDED"], "{id}");
    }
    check_log(&server.log());
}

/// No warning, no error and no exception, but for the torn line and for what Spark says of the machine.
fn check_log(log: &str) {
    let expected = |line: &&str| line.contains("app-killed.inprogress") || line.contains("NativeCodeLoader");
    let unexpected: Vec<_> = log
        .lines()
        .filter(|line| [" WARN ", " ERROR ", "Exception"].iter().any(|bad| line.contains(bad)))
        .filter(|line| !expected(line))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

fn check_list(server: &HistoryServer, complete: &[&str]) {
    let all = |list: &Value| list.as_array().is_some_and(|list| list.len() == complete.len() + 2 + CODECS.len());
    let applications = server.get("/applications", all).unwrap();
    for id in complete {
        let application = find(&applications, "id", *id);
        assert_eq!(application["name"], made_up::NAME);
        let attempt = &application["attempts"][0];
        assert_members(
            attempt,
            &json!({"completed": true, "sparkUser": made_up::USER, "duration": 6000, "appSparkVersion": "4.3.0",
                "startTimeEpoch": made_up::START_MS}),
        );
    }
    for id in ["app-killed", "app-killed-zstd", "app-killed-lz4", "app-killed-snappy"] {
        assert_eq!(find(&applications, "id", id)["attempts"][0]["completed"], false, "{id}");
    }
    let rolling = find(&applications, "id", "app-rolling");
    assert_eq!(rolling["attempts"][0]["completed"], true);
}

fn check_story(server: &HistoryServer, id: &str) -> anyhow::Result<()> {
    let get = |path: &str| server.get(&format!("/applications/{id}{path}"), |answer| !answer.is_null());
    check_jobs(&get("/jobs")?);
    check_stages(&get("/stages")?);
    check_tasks(&get("/stages/0/0/taskList")?, &get("/stages/3/0/taskList")?);
    check_executors(&get("/allexecutors")?);

    let rdds = get("/storage/rdd")?;
    assert_eq!(column(&rdds, "id"), [&json!(6)], "RDD 5 was unpersisted");
    assert_members(&rdds[0], &json!({"memoryUsed": 2000, "diskUsed": 50, "numCachedPartitions": 1}));

    let environment = get("/environment")?;
    let properties = environment["sparkProperties"].as_array().context("properties")?;
    assert!(properties.contains(&json!(["spark.master", "spark://host:7077"])), "{properties:?}");
    let cpus = &environment["resourceProfiles"][0]["taskResources"]["cpus"]["amount"];
    assert_eq!(cpus, &json!(1.0));
    Ok(())
}

fn check_jobs(jobs: &Value) {
    assert_eq!(jobs.as_array().map(Vec::len), Some(2));
    assert_members(
        find(jobs, "jobId", 0),
        &json!({"status": "SUCCEEDED", "jobGroup": "group one", "description": "what it does", "stageIds": [0, 1],
            "numTasks": 4, "numCompletedTasks": 4, "numFailedTasks": 0, "numCompletedStages": 2}),
    );
    assert_members(
        find(jobs, "jobId", 1),
        &json!({"status": "FAILED", "stageIds": [2, 3], "numTasks": 10, "numActiveTasks": 0, "numCompletedTasks": 0,
            "numFailedTasks": 6, "numKilledTasks": 2, "numSkippedTasks": 2, "numSkippedStages": 1,
            "numFailedStages": 1}),
    );
}

fn check_stages(stages: &Value) {
    assert_members(
        find(stages, "stageId", 0),
        &json!({"status": "COMPLETE", "name": "map at made_up.rs:1", "numTasks": 2, "numCompleteTasks": 2,
            "schedulingPool": "production", "executorRunTime": 1000, "executorCpuTime": 800_000_000,
            "inputBytes": 20_000, "inputRecords": 200, "shuffleWriteBytes": 1400, "shuffleWriteRecords": 140,
            "memoryBytesSpilled": 8192, "diskBytesSpilled": 2048}),
    );
    let accumulators = &find(stages, "stageId", 0)["accumulatorUpdates"];
    assert_members(find(accumulators, "name", "records"), &json!({"id": 7, "value": "42"}));
    assert_members(
        find(stages, "stageId", 1),
        &json!({"status": "COMPLETE", "shuffleReadBytes": 1400, "shuffleReadRecords": 140, "outputBytes": 10_000,
            "shuffleRemoteBytesRead": 800, "shuffleLocalBytesRead": 600}),
    );
    assert_members(find(stages, "stageId", 2), &json!({"status": "SKIPPED"}));
    assert_members(
        find(stages, "stageId", 3),
        &json!({"status": "FAILED", "numFailedTasks": 6, "numKilledTasks": 2,
            "failureReason": "Job aborted: task failed 4 times"}),
    );
}

fn check_tasks(map: &Value, failing: &Value) {
    let first = find(map, "taskId", 0);
    assert_members(
        first,
        &json!({"index": 0, "attempt": 0, "partitionId": 0, "status": "SUCCESS", "taskLocality": "PROCESS_LOCAL",
            "host": "host-1", "executorId": "1", "duration": 600}),
    );
    assert_members(
        &first["taskMetrics"],
        &json!({"executorRunTime": 500, "executorCpuTime": 400_000_000, "resultSize": 1234,
            "peakExecutionMemory": 8192}),
    );
    assert_eq!(first["taskMetrics"]["inputMetrics"]["bytesRead"], 10_000);
    assert_eq!(find(&first["accumulatorUpdates"], "name", "records")["update"], "21");
    let errors = column(failing, "errorMessage");
    for part in ["connection reset", "no location", "index out of bounds", "exited with code 52", "TaskResultLost"] {
        assert!(
            errors.iter().any(|error| error.as_str().is_some_and(|error| error.contains(part))),
            "{part}: {errors:?}"
        );
    }
    let statuses = column(failing, "status");
    assert_eq!(statuses.iter().filter(|status| **status == "KILLED").count(), 2, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == "FAILED").count(), 6, "{statuses:?}");
}

fn check_executors(executors: &Value) {
    assert_members(
        find(executors, "id", "1"),
        &json!({"hostPort": "host-1:7001", "isActive": true, "totalCores": 2, "completedTasks": 2, "failedTasks": 0,
            "maxMemory": 512 << 20, "totalInputBytes": 10_000, "totalShuffleWrite": 700,
            "executorLogs": {"stdout": "http://host-1:8081/stdout"}}),
    );
    assert_members(
        &find(executors, "id", "1")["peakMemoryMetrics"],
        &json!({"OnHeapExecutionMemory": 8192, "OnHeapStorageMemory": 200, "ProcessTreeOtherRSSMemory": 8000}),
    );
    assert_members(
        find(executors, "id", "2"),
        &json!({"isActive": false, "removeReason": "exited with code 52", "failedTasks": 6, "completedTasks": 2}),
    );
}
