//! The pages, as functions of what was copied.

use firesteel_standalone::{
    ApplicationState, DriverState, ExecutorState, RecoveryState, WorkerState,
    master::{ApplicationRecord, DriverRecord, ExecutorRecord, WorkerRecord},
};
use firesteel_web_pages::{Cell, Column, Fact, Link, Notice, Page, Section, Sort, State, Table, Tile, Tone, cut};

use super::view::{ApplicationView, MasterView, duration_ms};

const WORKERS: &[Column] = &[
    Column::text("Worker Id"),
    Column::text("Address"),
    Column::text("State"),
    Column::number("Cores"),
    Column::number("Memory"),
    Column::text("Resources"),
];
const APPLICATIONS: &[Column] = &[
    Column::text("Application ID"),
    Column::text("Name"),
    Column::number("Cores"),
    Column::number("Memory per Executor"),
    Column::text("Resources Per Executor"),
    Column::number("Submitted Time"),
    Column::text("User"),
    Column::text("State"),
    Column::number("Duration"),
    Column::text(""),
];
const DRIVERS: &[Column] = &[
    Column::text("Submission ID"),
    Column::number("Submitted Time"),
    Column::text("Worker"),
    Column::text("State"),
    Column::number("Cores"),
    Column::number("Memory"),
    Column::text("Main Class"),
    Column::text("Notes"),
    Column::text(""),
];
const EXECUTORS: &[Column] = &[
    Column::number("ExecutorID"),
    Column::text("Worker"),
    Column::number("Cores"),
    Column::number("Memory"),
    Column::text("Resources"),
    Column::text("State"),
    Column::text("Logs"),
    Column::text("Why it ended"),
];
/// How many reasons for waiting stand at the top.
const NOTICES: usize = 5;

/// `/`
pub(crate) fn home(view: &MasterView, sort: &Sort, may_kill: bool) -> Page {
    let mut sections = vec![Section::Tiles(tiles(view))];
    sections.extend(view.waiting().take(NOTICES).map(|(application, reason)| {
        Section::Notice(Notice {
            tone: Tone::Waiting,
            heading: format!("{} waits for executors", cut(&application.description.name)),
            text: reason.to_owned(),
            link: Some(page_of(application)),
        })
    }));
    let table = |id, heading, columns, rows| Table::new(id, heading, columns, rows, sort, "/", &[]);
    let mut workers: Vec<&WorkerRecord> = view.workers.iter().collect();
    // Those that give something come first.
    workers.sort_by_key(|worker| worker.state != WorkerState::Alive);
    let workers = workers.into_iter().map(worker_row).collect();
    let application = |application| application_row(application, view.now_ms, may_kill);
    let driver = |driver| driver_row(driver, view, may_kill);
    sections.push(Section::Table(table("workers", "Workers", WORKERS, workers).or_empty(
        "No worker has registered. sbin/start-worker.sh, or sbin/start-all.sh, starts them; they need the cluster's secret.",
    )));
    let running = view.applications.iter().map(application).collect();
    sections.push(Section::Table(table("running-applications", "Running Applications", APPLICATIONS, running)));
    if !view.drivers.is_empty() {
        let running = view.drivers.iter().map(driver).collect();
        sections.push(Section::Table(table("running-drivers", "Running Drivers", DRIVERS, running)));
    }
    let completed = view.completed_applications.iter().rev().map(application).collect();
    sections.push(Section::Table(table("completed-applications", "Completed Applications", APPLICATIONS, completed)));
    if !view.completed_drivers.is_empty() {
        let completed = view.completed_drivers.iter().rev().map(driver).collect();
        sections.push(Section::Table(table("completed-drivers", "Completed Drivers", DRIVERS, completed)));
    }
    Page {
        title: format!("Spark Master at {}", view.url),
        heading: format!("Spark Master at {}", view.url),
        state: Some(status(view.status)),
        above: vec![Link::here("Master", "/", &[]), Link::here("Log", "/logPage/", &[("self", "")])],
        sections,
        for_programs: vec![
            Link::here("JSON", "/json/", &[]),
            Link::here("Utilization", "/json/clusterutilization", &[]),
            Link::here("Metrics", "/metrics/master/prometheus/", &[]),
            Link::here("Metrics of applications", "/metrics/applications/prometheus/", &[]),
        ],
    }
}

fn tiles(view: &MasterView) -> Vec<Tile> {
    let totals = view.totals();
    let others = [WorkerState::Dead, WorkerState::Decommissioned, WorkerState::Unknown];
    let others = others.map(|state| format!("{} {state}", view.workers_in(state)).to_lowercase()).join(", ");
    let killed = [DriverState::Killed, DriverState::Failed, DriverState::Error];
    let killed = killed.map(|state| format!("{} {state}", view.completed_drivers_in(state)).to_lowercase()).join(", ");
    let waiting = view.waiting().count();
    vec![
        Tile::new("Alive Workers", totals.alive, others),
        Tile::share(
            "Cores in use",
            (totals.cores_used, totals.cores),
            (totals.cores_used, totals.cores),
            &format!("{} free", totals.cores.saturating_sub(totals.cores_used)),
        ),
        Tile::share(
            "Memory in use",
            (totals.memory_used, totals.memory),
            (totals.memory_used.bytes(), totals.memory.bytes()),
            &format!("{} free", totals.memory.saturating_sub(totals.memory_used)),
        ),
        Tile::new(
            "Applications",
            format!("{} running", view.applications.len()),
            format!("{waiting} waiting for executors, {} completed", view.completed_applications.len()),
        ),
        Tile::new(
            "Drivers",
            format!("{} running", view.drivers.len() - view.waiting_drivers.min(view.drivers.len())),
            format!("{} waiting, {} completed: {killed}", view.waiting_drivers, view.completed_drivers.len()),
        ),
    ]
}

/// `/app/`
pub(crate) fn application(view: &ApplicationView, sort: &Sort, may_kill: bool) -> Page {
    let application = &view.application;
    let (description, wants) = (&application.description, &application.description.executor);
    let granted = application.cores_granted();
    let limit = description.max_cores.or(view.default_cores);
    let cores = match limit {
        Some(limit) => format!("{limit} ({granted} granted, {} left)", limit.saturating_sub(granted)),
        None => format!("Unlimited ({granted} granted)"),
    };
    let executors = application.executors.len();
    let requested = application.requested.map_or_else(|| "Unlimited".to_owned(), |requested| requested.to_string());
    let mut facts = vec![
        Fact::new("ID", Cell::text(application.id.as_str())),
        Fact::new("Name", Cell::whole(&description.name)),
        Fact::new("User", Cell::text(&description.user)),
        Fact::new("Cores", Cell::text(&cores)),
        Fact::new("Executor Limit", Cell::text(&format!("{requested} ({executors} granted)"))),
        Fact::new("Memory per Executor", Cell::bytes(wants.memory)),
        Fact::new(
            "Cores per Executor",
            Cell::text(&wants.cores.map_or_else(|| "all there are".into(), |n| n.to_string())),
        ),
        Fact::new("Submit Date", Cell::date(application.submitted_ms)),
        Fact::new("Duration", Cell::duration(duration_ms(application, view.now_ms))),
    ];
    if !wants.resources.is_empty() {
        facts.push(Fact::new("Resources per Executor", Cell::text(&requirements(application))));
    }
    if !description.web_ui_url.is_empty() && !application.state.is_final() {
        facts.push(Fact::new("Web UI", Cell::link(detail_link(application, "Application Detail UI"))));
    }
    if may_kill && !application.state.is_final() {
        facts.push(Fact::new("End it", Cell::kill("/app/kill/", application.id.as_str())));
    }
    let mut sections = Vec::new();
    let notice = |tone, heading: &str, text: &str| {
        Section::Notice(Notice { tone, heading: heading.to_owned(), text: text.to_owned(), link: None })
    };
    if let Some(reason) = application.waits.as_deref().filter(|_| !application.state.is_final()) {
        sections.push(notice(Tone::Waiting, "Why it waits for executors", reason));
    }
    if !application.end_message.is_empty() {
        let tone = if application.state == ApplicationState::Failed { Tone::Bad } else { Tone::Quiet };
        sections.push(notice(tone, "How it ended", &application.end_message));
    }
    sections.push(Section::Facts(facts));
    let query = [("appId", application.id.as_str())];
    let table = |id, heading, rows| Table::new(id, heading, EXECUTORS, rows, sort, "/app/", &query);
    let row = |executor| executor_row(view, executor);
    sections.push(Section::Table(table(
        "executors",
        "Executor Summary",
        application.executors.values().map(row).collect(),
    )));
    sections.push(Section::Table(table(
        "removed-executors",
        "Removed Executors",
        application.removed_executors.iter().rev().map(row).collect(),
    )));
    Page {
        title: format!("Application: {}", cut(&description.name)),
        heading: format!("Application: {}", cut(&description.name)),
        state: Some(application_state(application)),
        above: vec![Link::here(view.master_url.clone(), "/", &[])],
        sections,
        for_programs: vec![Link::here("JSON of all applications", "/json/activeapps", &[])],
    }
}

fn worker_row(worker: &WorkerRecord) -> Vec<Cell> {
    let (description, used) = (&worker.description, &worker.used);
    let (cores, memory) = (u64::from(description.cores), description.memory);
    let resources = description.resources.iter().map(|resource| {
        let taken = used.resources.get(&resource.name).map_or(0, Vec::len);
        format!("{}: {taken} of {} used", resource.name, resource.addresses.len())
    });
    vec![
        Cell::link(Link::elsewhere(worker.id.as_str(), &description.web_ui_url, "/", &[])),
        Cell::text(&format!("{}:{}", description.host, description.port)),
        Cell::state(worker_state(worker.state)),
        Cell::share(format!("{cores} ({} Used)", used.cores), u64::from(used.cores), cores),
        Cell::share(format!("{memory} ({} Used)", used.memory), used.memory.bytes(), memory.bytes()),
        Cell::text(&resources.collect::<Vec<_>>().join(", ")),
    ]
}

fn application_row(application: &ApplicationRecord, now_ms: i64, may_kill: bool) -> Vec<Cell> {
    let description = &application.description;
    let ended = application.state.is_final();
    vec![
        Cell::link(page_of(application)),
        if ended { Cell::text(&description.name) } else { Cell::link(detail_link(application, &description.name)) },
        Cell::number(application.cores_granted()),
        Cell::bytes(description.executor.memory),
        Cell::text(&requirements(application)),
        Cell::date(application.submitted_ms),
        Cell::text(&description.user),
        Cell::state(application_state(application)),
        Cell::duration(duration_ms(application, now_ms)),
        if may_kill && !ended { Cell::kill("/app/kill/", application.id.as_str()) } else { Cell::text("") },
    ]
}

fn driver_row(driver: &DriverRecord, view: &MasterView, may_kill: bool) -> Vec<Cell> {
    let worker = driver.worker_id.as_ref().map(|id| {
        let known = view.workers.iter().find(|worker| worker.id == *id);
        Link::elsewhere(id.as_str(), known.map_or("", |worker| &worker.description.web_ui_url), "/", &[])
    });
    vec![
        Cell::text(driver.id.as_str()),
        Cell::date(driver.submitted_ms),
        worker.map_or_else(|| Cell::text("None"), Cell::link),
        Cell::state(driver_state(driver.state)),
        Cell::number(driver.description.cores),
        Cell::bytes(driver.description.memory),
        Cell::text(&driver.description.name),
        Cell::text(&driver.message),
        if may_kill && !driver.state.is_final() {
            Cell::kill("/driver/kill/", driver.id.as_str())
        } else {
            Cell::text("")
        },
    ]
}

fn executor_row(view: &ApplicationView, executor: &ExecutorRecord) -> Vec<Cell> {
    let page = view.worker_page(&executor.worker_id);
    let number = executor.number.to_string();
    let log = |kind| {
        let query = [("appId", view.application.id.as_str()), ("executorId", &number), ("logType", kind)];
        Link::elsewhere(kind, page, "/logPage/", &query)
    };
    let resources = executor.resources.iter();
    let resources = resources.map(|resource| format!("{}: {}", resource.name, resource.addresses.join(", ")));
    vec![
        Cell::numbered(number.clone(), executor.number),
        Cell::link(Link::elsewhere(executor.worker_id.as_str(), page, "/", &[])),
        Cell::number(executor.cores),
        Cell::bytes(executor.memory),
        Cell::text(&resources.collect::<Vec<_>>().join("; ")),
        Cell::state(executor_state(executor.state)),
        Cell::links(vec![log("stdout"), log("stderr")]),
        Cell::text(&executor.reason.as_ref().map_or_else(String::new, ToString::to_string)),
    ]
}

fn page_of(application: &ApplicationRecord) -> Link {
    let id = application.id.as_str();
    Link::here(id, "/app/", &[("appId", id)])
}

/// The application's own web UI, if it has one.
fn detail_link(application: &ApplicationRecord, text: &str) -> Link {
    Link::elsewhere(text, &application.description.web_ui_url, "", &[])
}

fn requirements(application: &ApplicationRecord) -> String {
    let resources = application.description.executor.resources.iter();
    resources.map(|resource| format!("{} {}", resource.amount, resource.name)).collect::<Vec<_>>().join(", ")
}

fn status(status: RecoveryState) -> State {
    let tone = match status {
        RecoveryState::Alive => Tone::Good,
        RecoveryState::Recovering | RecoveryState::CompletingRecovery => Tone::Waiting,
        RecoveryState::Standby => Tone::Quiet,
    };
    State::new(status.as_str(), tone)
}

fn worker_state(state: WorkerState) -> State {
    let tone = match state {
        WorkerState::Alive => Tone::Good,
        WorkerState::Dead => Tone::Bad,
        WorkerState::Decommissioned => Tone::Quiet,
        WorkerState::Unknown => Tone::Waiting,
    };
    State::new(state.as_str(), tone)
}

fn application_state(application: &ApplicationRecord) -> State {
    let tone = match application.state {
        ApplicationState::Running => Tone::Busy,
        ApplicationState::Waiting | ApplicationState::Unknown => Tone::Waiting,
        ApplicationState::Finished => Tone::Good,
        ApplicationState::Failed => Tone::Bad,
        ApplicationState::Killed => Tone::Quiet,
    };
    State::new(application.state.as_str(), tone)
}

fn driver_state(state: DriverState) -> State {
    let tone = match state {
        DriverState::Running => Tone::Busy,
        DriverState::Submitted | DriverState::Relaunching | DriverState::Unknown => Tone::Waiting,
        DriverState::Finished => Tone::Good,
        DriverState::Failed | DriverState::Error => Tone::Bad,
        DriverState::Killed => Tone::Quiet,
    };
    State::new(state.as_str(), tone)
}

fn executor_state(state: ExecutorState) -> State {
    let tone = match state {
        ExecutorState::Running => Tone::Busy,
        ExecutorState::Launching => Tone::Waiting,
        ExecutorState::Failed | ExecutorState::Lost => Tone::Bad,
        ExecutorState::Killed | ExecutorState::Exited | ExecutorState::Decommissioned => Tone::Quiet,
    };
    State::new(state.as_str(), tone)
}
