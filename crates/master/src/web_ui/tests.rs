//! Pages, JSON and metrics of a master that real messages have been said to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use askama::Template;
use axum::{
    Extension,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use firesteel_http_server::Peer;
use firesteel_model::{ByteCount, Moment, Now, WorkerId};
use firesteel_standalone::{
    ApplicationDescription, DriverDescription, ExecutorDemand, LaunchData, Term, WorkerDescription,
    master::{Master, MasterEvent, MasterOptions, PeerId, Stored},
    protocol::{ClientRequest, FromApplication, FromWorker, ToMaster, WorkerState as RegisteredWorker},
};
use firesteel_web_pages::{Page, Sort, metrics_prometheus};
use serde_json::Value;
use tokio::sync::mpsc;
use tower_service::Service;

use super::{
    KillRights, MasterWebUi, json, metrics, pages,
    view::{ApplicationView, MasterView},
};
use crate::{MasterHandle, event_loop::Input};

const NOW: Now = Now { moment: Moment(1000), wall_clock_ms: 1_795_348_528_874 };

fn master() -> Master {
    let mut master = Master::new(MasterOptions { url: "spark://m:7077".into(), ..MasterOptions::default() }, 7);
    let connected = (1..9).map(|peer| MasterEvent::Connected { peer: PeerId(peer) });
    let elected = [MasterEvent::Elected { term: Term(1), stored: Stored::default() }];
    master.handle_all(NOW, elected.into_iter().chain(connected));
    master
}

fn say(master: &mut Master, peer: u64, message: ToMaster) {
    master.handle_all(NOW, [MasterEvent::Received { peer: PeerId(peer), message: Box::new(message) }]);
}

fn with_worker(master: &mut Master, web_ui_url: &str) {
    let description = WorkerDescription {
        host: "w".into(),
        port: 9,
        cores: 2,
        memory: ByteCount::gib(2),
        resources: Vec::new(),
        web_ui_url: web_ui_url.into(),
    };
    let worker_id = WorkerId::from("worker-1");
    let state = RegisteredWorker {
        worker_id,
        description,
        executors: vec![],
        drivers: vec![],
        decommissioning: false,
        term: Term::default(),
    };
    say(master, 1, ToMaster::Worker(FromWorker::Register(state)));
}

fn application(name: &str, memory: ByteCount, max_cores: u32) -> ApplicationDescription {
    ApplicationDescription {
        name: name.into(),
        user: name.into(),
        max_cores: Some(max_cores),
        executor: ExecutorDemand { cores: None, memory, resources: Vec::new() },
        executor_limit: None,
        web_ui_url: "javascript:alert(1)".into(),
        queue: String::new(),
        launch: LaunchData::default(),
    }
}

fn submit(master: &mut Master, peer: u64, description: ApplicationDescription) {
    say(master, peer, ToMaster::Application(FromApplication::Register { description, known: None }));
}

fn submit_driver(master: &mut Master, name: &str) {
    let description = DriverDescription {
        name: name.into(),
        user: "u".into(),
        cores: 1,
        memory: ByteCount::gib(1),
        resources: Vec::new(),
        supervise: false,
        artifacts: None,
        launch: LaunchData::default(),
    };
    say(master, 8, ToMaster::Client(ClientRequest::SubmitDriver(Box::new(description))));
}

/// One that runs, one that waits, one that has ended, and a driver.
fn busy_master() -> Master {
    let mut master = master();
    with_worker(&mut master, "http://w:8081");
    submit(&mut master, 2, application("one that runs", ByteCount::mib(512), 1));
    submit(&mut master, 3, application("one that waits", ByteCount::gib(8), 1));
    submit(&mut master, 4, application("one that has ended", ByteCount::mib(256), 1));
    say(&mut master, 4, ToMaster::Application(FromApplication::Unregister));
    submit_driver(&mut master, "org.example.Main");
    master
}

fn html(page: &Page) -> String {
    page.render().unwrap()
}

fn home(master: &Master, may_kill: bool) -> String {
    html(&pages::home(&MasterView::of(master), &Sort::default(), may_kill))
}

#[test]
fn the_first_page_shows_what_a_book_tells_to_look_for() {
    let page = home(&busy_master(), true);
    for text in [
        "Spark Master at spark://m:7077",
        "Running Applications (2)",
        "Completed Applications (1)",
        "Workers (1)",
        "one that runs",
        r#"<a href="http://w:8081/"><bdi>worker-1</bdi></a>"#,
        "one that waits waits for executors",
        "8.0 GiB of memory (spark.executor.memory",
        r#"2 <small>of 2</small>"#,
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(page.matches(r#"action="/app/kill/""#).count(), 2, "{page}");
    assert!(!home(&busy_master(), false).contains("<form"));
    assert!(home(&master(), false).contains("No worker has registered"));
}

#[test]
fn the_page_of_an_application_says_why_it_waits() {
    let master = busy_master();
    let page = |index: usize| {
        let id = master.applications().nth(index).unwrap().id.clone();
        html(&pages::application(&ApplicationView::of(&master, &id).unwrap(), &Sort::default(), true))
    };
    let waits = page(1);
    assert!(
        waits.contains("Why it waits for executors") && waits.contains("the largest worker has 2.0 GiB"),
        "{waits}"
    );
    let runs = page(0);
    assert!(!runs.contains("Why it waits") && runs.contains("1 (1 granted, 0 left)"), "{runs}");
    let log = "http://w:8081/logPage/?appId=app-20261122115528-0000&#38;executorId=0&#38;logType=stderr";
    assert!(runs.contains(log), "{runs}");
}

/// SE-40, SE-43: whatever a name contains is text.
#[test]
fn hostile_names_stay_text_and_lead_nowhere() {
    let long = "x".repeat(10 << 10);
    for name in ["<script>alert(1)</script>", "\" onmouseover=\"alert(1)", "a\u{202e}b\u{0}c", long.as_str()] {
        let mut master = master();
        with_worker(&mut master, "javascript:alert(2)");
        submit(&mut master, 2, application(name, ByteCount::mib(512), 1));
        submit(&mut master, 3, application(name, ByteCount::gib(8), 1));
        submit_driver(&mut master, name);
        let ids: Vec<_> = master.applications().map(|application| application.id.clone()).collect();
        let of = |id| html(&pages::application(&ApplicationView::of(&master, id).unwrap(), &Sort::default(), true));
        for page in [home(&master, true), of(&ids[0]), of(&ids[1])] {
            assert!(!page.contains("<script") && !page.contains("javascript:"), "{page}");
            assert!(!page.contains("\" onmouseover"), "{page}");
            assert!(!page.contains('\u{202e}') || page.contains("<bdi>"), "{page}");
            assert!(page.len() < 30_000, "{}", page.len());
        }
        assert!(!home(&master, true).contains(['\u{202e}', '\u{0}']));
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
        _ => {
            let kind = |value: &Value| (value.is_string(), value.is_u64());
            assert_eq!(kind(ours), kind(recorded), "{at}: {ours} {recorded}");
        }
    }
}

/// SA-64
#[test]
fn the_json_has_the_fields_of_spark() {
    let mut master = busy_master();
    let driver = master.drivers().next().unwrap().id.clone();
    let recorded: Value = serde_json::from_str(include_str!("../../recordings/spark-4.3.0-json.json")).unwrap();
    let running = json::master(&MasterView::of(&master));
    assert_eq!(running["activedrivers"].as_array().unwrap().len(), 1);
    // Killed before it was started, or told to end: it is listed with the fields of one that has ended.
    same_shape(&running["activedrivers"][0], &recorded["completeddrivers"][0], "driver");
    same_shape(&running, &recorded, "");
    master.handle_all(NOW, [MasterEvent::KillDriver { submission_id: driver }]);
    let utilization = json::utilization(&MasterView::of(&master));
    let recorded = serde_json::from_str(include_str!("../../recordings/spark-4.3.0-clusterutilization.json")).unwrap();
    same_shape(&utilization, &recorded, "utilization");
    assert_eq!((running["cores"].as_u64(), running["memory"].as_u64()), (Some(2), Some(2048)));
    assert_eq!(running["activeapps"][0]["submitdate"], "Sun Nov 22 11:55:28 UTC 2026");
}

#[test]
fn the_gauges_have_sparks_names() {
    let view = MasterView::of(&busy_master());
    let master = metrics_prometheus(&metrics::master(&view));
    for (name, value) in [("workers", 1), ("aliveWorkers", 1), ("apps", 2), ("waitingApps", 1)] {
        let line = format!("metrics_master_{name}_Value{{type=\"gauges\"}} {value}\n");
        assert!(master.contains(&line), "{line}: {master}");
    }
    let applications = metrics_prometheus(&metrics::applications(&view));
    assert!(applications.contains("metrics_application_one_that_runs_1795348528874_cores_Value{type=\"gauges\"} 1\n"));
}

/// The pages of a master, and what is asked of it.
struct Site {
    router: axum::Router,
    wishes: Arc<Mutex<Vec<String>>>,
}

fn site(kill: KillRights, is_local: bool) -> Site {
    let (inputs, mut received) = mpsc::channel(16);
    let wishes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&wishes);
    tokio::spawn(async move {
        let master = busy_master();
        while let Some(input) = received.recv().await {
            match input {
                Input::Question(question) => question(&master),
                Input::Event(event) => seen.lock().unwrap().push(format!("{event:?}")),
                Input::Connected(..) | Input::Elected(_) => panic!("nobody says so"),
            }
        }
    });
    let peer = Peer { address: SocketAddr::from(([10, 0, 0, 9], 1)), https: false, is_local };
    let router = MasterWebUi { master: MasterHandle::new(inputs), kill }.router().layer(Extension(peer));
    Site { router, wishes }
}

impl Site {
    async fn ask(&mut self, method: Method, path: &str, form: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).body(Body::from(form.to_owned())).unwrap();
        let answer = self.router.call(request).await.unwrap();
        let status = answer.status();
        let location = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, location.unwrap_or_else(|| String::from_utf8(body.to_vec()).unwrap()))
    }

    fn wishes(&self) -> Vec<String> {
        self.wishes.lock().unwrap().clone()
    }
}

const KILL: &str = "id=app-1&terminate=true";

/// SA-65, SE-44
#[tokio::test]
async fn only_a_post_of_someone_who_may_ends_something() {
    let mut local = site(KillRights::ThisMachine, true);
    for path in ["/app/kill/?id=app-1&terminate=true", "/driver/kill/?id=driver-1&terminate=true"] {
        let (status, _) = local.ask(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        let (status, _) = local.ask(Method::HEAD, path, "").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(local.ask(Method::POST, "/app/kill/", "id=app-1").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(local.ask(Method::POST, "/app/kill/", "terminate=true").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(local.wishes(), [""; 0]);
    assert_eq!(local.ask(Method::POST, "/app/kill/", KILL).await, (StatusCode::SEE_OTHER, "/".to_owned()));
    assert_eq!(local.ask(Method::POST, "/driver/kill?id=driver-1&terminate=true", "").await.0, StatusCode::SEE_OTHER);
    // A question is answered behind what was said before it.
    local.ask(Method::GET, "/", "").await;
    let wishes = local.wishes();
    assert!(wishes[0].contains("KillApplication") && wishes[0].contains("app-1"), "{wishes:?}");
    assert!(wishes[1].contains("KillDriver") && wishes[1].contains("driver-1"), "{wishes:?}");

    for (kill, is_local, may) in [
        (KillRights::ThisMachine, false, false),
        (KillRights::Nobody, true, false),
        (KillRights::Everyone, false, true),
    ] {
        let mut site = site(kill, is_local);
        let (status, text) = site.ask(Method::POST, "/app/kill/", KILL).await;
        assert_eq!(status, if may { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN });
        assert_eq!(text.contains("spark.ui.killEnabled"), !may, "{text}");
        let (_, page) = site.ask(Method::GET, "/", "").await;
        assert_eq!(page.contains("<form"), may);
        assert_eq!(site.wishes().len(), usize::from(may));
    }
}

#[tokio::test]
async fn every_path_is_answered_and_what_is_not_there_is_not_repeated() {
    let mut site = site(KillRights::ThisMachine, true);
    let (_, page) = site.ask(Method::GET, "/", "").await;
    let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|link| link.split('"').next()).collect();
    let links: Vec<&str> = links.into_iter().filter(|link| link.starts_with('/')).collect();
    assert!(links.len() > 20, "{links:?}");
    for link in links.iter().filter(|link| !link.contains("/logPage/")) {
        let path = link.replace("&#38;", "&");
        let path = path.split('#').next().unwrap();
        let (status, text) = site.ask(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
    }
    for path in [
        "/json",
        "/json/workers",
        "/json/clusterutilization/",
        "/metrics/master/json",
        "/app?appId=app-20261122115528-0000",
    ] {
        assert_eq!(site.ask(Method::GET, path, "").await.0, StatusCode::OK, "{path}");
    }
    for path in ["/<b>", "/json/%3Cb%3E", "/app/?appId=%3Cb%3E", "/metrics/%3Cb%3E/json", "/metrics/master/%3Cb%3E"] {
        let request = if path == "/<b>" { "/%3Cb%3E" } else { path };
        let (status, text) = site.ask(Method::GET, request, "").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(!text.contains("<b>") && !text.contains("&lt;b") && !text.contains("&#60;b"), "{text}");
    }
}

/// A page of a master that does not answer is an answer too.
#[tokio::test(start_paused = true)]
async fn a_master_that_has_too_much_to_do_is_not_waited_for() {
    let (inputs, _received) = mpsc::channel(16);
    let peer = Peer { address: SocketAddr::from(([127, 0, 0, 1], 1)), https: false, is_local: true };
    let ui = MasterWebUi { master: MasterHandle::new(inputs), kill: KillRights::Nobody };
    let mut site = Site { router: ui.router().layer(Extension(peer)), wishes: Arc::default() };
    let (status, text) = site.ask(Method::GET, "/", "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("too much to do"), "{text}");
}
