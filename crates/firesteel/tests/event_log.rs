//! Event logs of real runs, in `local[2]` and in `local-cluster`, shown by Spark's own history server (UI-30, UI-31).

#[path = "../../event-log/tests/spark/mod.rs"]
mod spark;

use std::{error::Error, path::Path, process::ExitCode};

use firesteel::{SparkConf, SparkContext, StorageLevel};
use serde_json::{Value, json};
use spark::{HistoryServer, Spark};

fn main() -> ExitCode {
    firesteel::main(&[("event_log", run)])
}

fn run(_arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let logs = directory.path();
    let local = application(logs, "local[2]")?;
    let cluster = application(logs, "local-cluster[2,1,1024]")?;
    for id in [&local, &cluster] {
        let log = std::fs::read_to_string(logs.join(id)).map_err(|error| format!("the log of {id}: {error}"))?;
        let shown = log.lines().find(|line| line.contains("hunter2"));
        assert_eq!(shown, None, "a secret of a URL is in the log");
        for text in ["Task End Reason", "Failure Reason", "Exception", "spark.job.description", "RDD Info"] {
            let has = |line: &str| line.contains(&format!("\"{text}\"")) && line.contains(SHOWN_URL);
            assert!(log.lines().any(has), "{text} should have had a URL");
        }
    }
    let spark = Spark::find();
    let server = spark.history_server(logs)?;
    check(&server, &local, &["driver"])?;
    check(&server, &cluster, &["driver", "0", "1"])?;
    let bad: Vec<String> = server
        .log()
        .lines()
        .filter(|line| line.contains(" ERROR ") || line.contains("Exception"))
        .map(str::to_owned)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    println!("event logs of local[2] and local-cluster: ok");
    Ok(())
}

/// What the run has in its name, an RDD's, a job's description and a panic; and how that is shown.
const SECRET_URL: &str = "jdbc://me:hunter2@host/db";
const SHOWN_URL: &str = "jdbc://*********(redacted)@host/db";

/// A run with a shuffle, a cached RDD and a job that fails. Gives its id.
fn application(logs: &Path, master: &str) -> Result<String, Box<dyn Error>> {
    let mut conf = SparkConf::new();
    conf.set("spark.master", master).set("spark.app.name", format!("events of {SECRET_URL}"));
    conf.set("spark.executor.memory", "512m").set("spark.ui.showConsoleProgress", "false");
    conf.set("spark.eventLog.enabled", "true").set("spark.eventLog.dir", logs.to_str().ok_or("the path is text")?);
    conf.set("spark.my.password", "hush");
    // The jobs would be over before the second executor is there.
    conf.set("spark.scheduler.minRegisteredResourcesRatio", "1.0");
    conf.set("spark.scheduler.maxRegisteredResourcesWaitingTime", "2min");
    let sc = SparkContext::new(&conf)?;
    let id = sc.application_id().as_str().to_owned();
    sc.set_job_group("sums", "sums by key", false);
    let pairs = sc.parallelize((0..1000u64).map(|n| (n % 10, n)), 4);
    pairs.persist(StorageLevel::MEMORY_ONLY)?;
    let sums = pairs.reduce_by_key_with(|a, b| a + b, 3).collect()?;
    assert_eq!(sums.into_iter().map(|(_, sum)| sum).sum::<u64>(), 499_500);
    sc.clear_job_group();
    assert_eq!(pairs.count()?, 1000);
    sc.set_job_group("sums", SECRET_URL, false);
    let numbers = sc.range(0, 4, 1, 2);
    numbers.set_name(SECRET_URL);
    let failed = numbers.map(|n| if n == 3 { panic!("three is bad for {SECRET_URL}") } else { n }).count();
    assert!(failed.is_err());
    sc.stop();
    Ok(id)
}

fn find<'a>(rows: &'a Value, name: &str, value: impl Into<Value>) -> &'a Value {
    let value = value.into();
    let found = rows.as_array().into_iter().flatten().find(|row| row[name] == value);
    found.unwrap_or_else(|| panic!("no {name} {value} in {rows}"))
}

fn assert_members(row: &Value, expected: &Value) {
    for (name, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(&row[name], value, "{name} of {row}");
    }
}

fn check(server: &HistoryServer, id: &str, executors: &[&str]) -> Result<(), Box<dyn Error>> {
    let get = |path: &str| server.get(&format!("/applications/{id}{path}"), |answer| !answer.is_null());
    let application = get("")?;
    assert_eq!(application["name"], format!("events of {SHOWN_URL}"));
    assert_eq!(application["attempts"][0]["completed"], true);
    let jobs = get("/jobs")?;
    let group = json!({"status": "SUCCEEDED", "jobGroup": "sums", "description": "sums by key", "numTasks": 7,
        "numCompletedTasks": 7, "numFailedTasks": 0, "numCompletedStages": 2});
    assert_members(find(&jobs, "jobId", 0), &group);
    assert_members(find(&jobs, "jobId", 1), &json!({"status": "SUCCEEDED", "numCompletedTasks": 4}));
    assert_members(find(&jobs, "jobId", 2), &json!({"status": "FAILED", "numTasks": 2}));
    let stages = get("/stages")?;
    let map = find(&stages, "stageId", 0);
    assert_members(map, &json!({"status": "COMPLETE", "numTasks": 4, "numCompleteTasks": 4}));
    let reduce = find(&stages, "stageId", 1);
    assert_members(reduce, &json!({"status": "COMPLETE", "numTasks": 3}));
    assert!(map["shuffleWriteBytes"].as_u64().is_some_and(|bytes| bytes > 0), "{map}");
    assert_eq!(map["shuffleWriteBytes"], reduce["shuffleReadBytes"]);
    assert_eq!(map["shuffleWriteRecords"], reduce["shuffleReadRecords"]);
    let failed = find(&stages, "stageId", 3);
    assert_eq!(failed["status"], "FAILED");
    assert!(
        failed["failureReason"]
            .as_str()
            .is_some_and(|reason| reason.contains(&format!("three is bad for {SHOWN_URL}"))),
        "{failed}"
    );
    let known = get("/allexecutors")?;
    for executor in executors {
        find(&known, "id", *executor);
    }
    let environment = get("/environment")?;
    let properties = &environment["sparkProperties"];
    let has = |row: Value| properties.as_array().is_some_and(|rows| rows.contains(&row));
    assert!(has(json!(["spark.app.id", id])), "{properties}");
    assert!(has(json!(["spark.my.password", "*********(redacted)"])), "{properties}");
    Ok(())
}
