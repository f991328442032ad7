//! Pages, JSON, metrics and logs of a worker that real messages have been said to.

use std::{fs, os::unix::fs::symlink, path::Path};

use askama::Template;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use firesteel_model::{ApplicationId, ByteCount, Moment, Now, WorkerId};
use firesteel_standalone::{
    LaunchData, Term, WorkerDescription,
    protocol::{FromMaster, LaunchExecutor, Leader, ToWorker},
    worker::{ProcessEnd, ProcessId, Worker, WorkerCommand, WorkerEvent, WorkerOptions},
};
use firesteel_web_pages::{Sort, metrics_prometheus};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;
use tower_service::Service;

use super::{json, metrics, page, view::WorkerView};
use crate::{WorkerHandle, event_loop::Input};

const NOW: Now = Now { moment: Moment(1000), wall_clock_ms: 1_795_348_528_874 };

fn worker() -> Worker {
    let description = WorkerDescription {
        host: "w".into(),
        port: 9,
        cores: 2,
        memory: ByteCount::gib(2),
        resources: Vec::new(),
        web_ui_url: "http://w:8081".into(),
    };
    Worker::new(WorkerOptions::default(), WorkerId::from("worker-1"), description, 1, 7)
}

fn say(worker: &mut Worker, message: ToWorker) -> Vec<WorkerCommand> {
    worker.handle_all(NOW, [WorkerEvent::Received { master: 0, message: Box::new(FromMaster::Worker(message)) }])
}

fn launch(worker: &mut Worker, name: &str, executor: u32) -> ProcessId {
    let commands = say(
        worker,
        ToWorker::LaunchExecutor(Box::new(LaunchExecutor {
            term: Term(1),
            application_id: ApplicationId::from("app-1"),
            application_name: name.into(),
            user: name.into(),
            executor,
            cores: 1,
            memory: ByteCount::mib(512),
            resources: Vec::new(),
            web_ui_url: "javascript:alert(1)".into(),
            launch: LaunchData::default(),
        })),
    );
    let started = commands.iter().find_map(|command| match command {
        WorkerCommand::StartExecutor { process, .. } => Some(*process),
        _ => None,
    });
    started.expect("an executor is started")
}

/// One executor runs, and one has ended.
fn busy_worker(name: &str) -> Worker {
    let mut worker = worker();
    let leader = Leader { term: Term(1), url: "spark://m:7077".into(), web_ui_url: "http://m:8080".into() };
    worker.handle_all(NOW, [WorkerEvent::Connected { master: 0 }]);
    worker.handle_all(
        NOW,
        [WorkerEvent::Received { master: 0, message: Box::new(FromMaster::MasterLeads(leader.clone())) }],
    );
    say(&mut worker, ToWorker::Registered { leader });
    let ended = launch(&mut worker, name, 0);
    launch(&mut worker, name, 1);
    let end = ProcessEnd { exit_code: Some(1), signal: None, caused_by_app: true, detail: name.to_owned() };
    worker.handle_all(NOW, [WorkerEvent::ProcessEnded { process: ended, end }]);
    worker
}

fn home(worker: &Worker) -> String {
    page::home(&WorkerView::of(worker), &Sort::default()).render().unwrap()
}

#[test]
fn the_page_shows_executors_and_where_their_logs_are() {
    let page = home(&busy_worker("my app"));
    for text in [
        "Spark Worker at w:9",
        "REGISTERED",
        "Back to Master",
        "http://m:8080/",
        "Running Executors (1)",
        "Finished Executors (1)",
        "1 <small>of 2</small>",
        "/logPage/?appId=app-1&#38;executorId=0&#38;logType=stderr",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(home(&worker()).contains("No master"));
}

/// SE-43
#[test]
fn hostile_names_stay_text_and_lead_nowhere() {
    let long = "x".repeat(10 << 10);
    for name in ["<script>alert(1)</script>", "\" onmouseover=\"alert(1)", "a\u{202e}b\u{0}c", long.as_str()] {
        let page = home(&busy_worker(name));
        assert!(!page.contains("<script") && !page.contains("javascript:"), "{page}");
        assert!(!page.contains("\" onmouseover") && !page.contains(['\u{202e}', '\u{0}']), "{page}");
        assert!(page.len() < 20_000, "{}", page.len());
    }
}

/// The same fields in the same order, and of the same kinds.
fn same_shape(ours: &Value, recorded: &Value, at: &str) {
    match (ours, recorded) {
        (Value::Object(ours), Value::Object(recorded)) => {
            let names = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(ours), names(recorded), "{at}");
            ours.iter().for_each(|(name, value)| same_shape(value, &recorded[name], &format!("{at}.{name}")));
        }
        (Value::Array(ours), Value::Array(recorded)) => {
            if let (Some(ours), Some(recorded)) = (ours.first(), recorded.first()) {
                same_shape(ours, recorded, &format!("{at}[0]"));
            }
        }
        _ => assert_eq!((ours.is_string(), ours.is_u64()), (recorded.is_string(), recorded.is_u64()), "{at}"),
    }
}

/// SA-64
#[test]
fn the_json_has_the_fields_of_spark() {
    let recorded: Value = serde_json::from_str(include_str!("../../recordings/spark-4.3.0-json.json")).unwrap();
    let ours = json::worker(&WorkerView::of(&busy_worker("my app")));
    same_shape(&ours, &recorded, "");
    same_shape(&ours["finishedexecutors"][0], &recorded["executors"][0], "finished");
    assert_eq!((ours["coresused"].as_u64(), ours["memoryused"].as_u64()), (Some(1), Some(512)));
}

#[test]
fn the_gauges_have_sparks_names() {
    let text = metrics_prometheus(&metrics::worker(&WorkerView::of(&busy_worker("a"))));
    let gauges = [("executors", 1), ("coresUsed", 1), ("memUsed_MB", 512), ("coresFree", 1), ("memFree_MB", 1536)];
    for (name, value) in gauges {
        let line = format!("metrics_worker_{name}_Value{{type=\"gauges\"}} {value}\n");
        assert!(text.contains(&line), "{line}: {text}");
    }
}

fn site(work: &Path) -> Router {
    let (inputs, mut received) = unbounded_channel();
    tokio::spawn(async move {
        let worker = busy_worker("my app");
        while let Some(input) = received.recv().await {
            match input {
                Input::Question(question) => question(&worker),
                Input::Event(_) => panic!("nothing can be changed by a page"),
            }
        }
    });
    super::web_ui(WorkerHandle::new(inputs, work.to_owned()))
}

async fn ask(router: &mut Router, path: &str) -> (StatusCode, String) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let answer = router.call(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 4 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const STDERR: &str = "appId=app-1&executorId=0&logType=stderr";

/// SA-63
#[tokio::test]
async fn logs_are_paged_and_what_they_say_is_text() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("app-1/0")).unwrap();
    fs::create_dir_all(root.path().join("driver-1")).unwrap();
    let hostile = "</pre><script>alert(1)</script>\n";
    fs::write(root.path().join("app-1/0/stderr"), format!("{}{hostile}", "0123456789\n".repeat(20_000))).unwrap();
    fs::write(root.path().join("driver-1/stdout"), "of a driver").unwrap();
    let mut site = site(root.path());
    let total = 220_000 + hostile.len();
    let start = total - (100 << 10);
    let (status, text) = ask(&mut site, &format!("/log/?{STDERR}")).await;
    assert_eq!(status, StatusCode::OK);
    let head = format!("==== Bytes {start}-{total} of {total} of app-1/0/stderr ====\n");
    assert!(text.starts_with(&head) && text.ends_with(hostile), "{}", &text[..100]);
    let (_, text) = ask(&mut site, &format!("/log?{STDERR}&offset=11&byteLength=5")).await;
    assert_eq!(text, format!("==== Bytes 11-16 of {total} of app-1/0/stderr ====\n01234"));
    let (status, page) = ask(&mut site, &format!("/logPage/?{STDERR}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("<script>") && page.contains("&#60;script&#62;alert(1)"), "{}", &page[page.len() - 900..]);
    assert!(page.contains("Load older") && page.contains("Load newer"));
    let (_, page) = ask(&mut site, &format!("/logPage/?{STDERR}&offset=0")).await;
    assert!(!page.contains("Load older") && page.contains("Bytes 0 to 102400"));
    let (_, text) = ask(&mut site, "/log/?driverId=driver-1&logType=stdout").await;
    assert_eq!(text, "==== Bytes 0-11 of 11 of driver-1/stdout ====\nof a driver");
}

/// SE-59: encoded or not, no way leads out, and what was asked for is not repeated (SE-40).
#[tokio::test]
async fn nothing_but_logs_can_be_read() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    fs::create_dir_all(work.join("app-1/0")).unwrap();
    fs::write(work.join("app-1/0/stderr"), "log").unwrap();
    fs::write(work.join("app-1/0/spilled"), "secret").unwrap();
    fs::create_dir_all(root.path().join("0")).unwrap();
    fs::write(root.path().join("0/stderr"), "secret").unwrap();
    fs::write(root.path().join("stderr"), "secret").unwrap();
    symlink(root.path(), work.join("link")).unwrap();
    symlink(root.path().join("stderr"), work.join("app-1/0/stdout")).unwrap();
    let mut site = site(&work);
    let absolute = root.path().to_str().unwrap();
    let outside = [
        "appId=..&executorId=0&logType=stderr".to_owned(),
        "appId=%2e%2e&executorId=0&logType=stderr".to_owned(),
        "appId=%2e%2e%2f&executorId=0&logType=stderr".to_owned(),
        "appId=app-1&executorId=..%2f..%2f..%2f0&logType=stderr".to_owned(),
        "appId=app-1/../..&executorId=0&logType=stderr".to_owned(),
        "appId=.&executorId=..&logType=stderr".to_owned(),
        "appId=link&executorId=0&logType=stderr".to_owned(),
        format!("appId={absolute}&executorId=0&logType=stderr"),
        "driverId=..&logType=stderr".to_owned(),
        "driverId=link&logType=stderr".to_owned(),
        format!("driverId={absolute}&logType=stderr"),
        "appId=app-1%00&executorId=0&logType=stderr".to_owned(),
        "appId=app-1&executorId=0&logType=stdout".to_owned(),
        "appId=app-1&executorId=0&logType=spilled".to_owned(),
        "appId=app-1&executorId=0&logType=..%2f0%2fspilled".to_owned(),
        "appId=app-1&executorId=0&logType=stderr%00".to_owned(),
        "appId=app-1&executorId=0&driverId=driver-1&logType=stderr".to_owned(),
        "appId=app-1&logType=stderr".to_owned(),
        "appId=%3Cb%3E&executorId=0&logType=stderr".to_owned(),
        String::new(),
    ];
    for query in outside {
        for path in ["/log", "/log/", "/logPage", "/logPage/"] {
            let (status, text) = ask(&mut site, &format!("{path}?{query}")).await;
            assert!(status.is_client_error(), "{path}?{query}: {status}");
            assert!(!text.contains("secret") && !text.contains("%3C") && !text.contains("&#60;b"), "{query}: {text}");
        }
    }
    let (status, _) = ask(&mut site, &format!("/log?{STDERR}")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn every_path_is_answered() {
    let root = tempfile::tempdir().unwrap();
    let mut site = site(root.path());
    for path in
        ["/", "/json", "/json/", "/json/executors", "/metrics/json/", "/metrics/prometheus", "/static/log-view.js"]
    {
        assert_eq!(ask(&mut site, path).await.0, StatusCode::OK, "{path}");
    }
    for path in ["/x", "/json/x", "/metrics/x"] {
        assert_eq!(ask(&mut site, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
