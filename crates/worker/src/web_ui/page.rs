//! The page, as a function of what was copied.

use firesteel_model::ResourceInformation;
use firesteel_standalone::{
    DriverState, ExecutorState,
    worker::{DriverRecord, ExecutorRecord},
};
use firesteel_web_pages::{Cell, Column, Fact, Link, Notice, Page, Section, Sort, State, Table, Tile, Tone};

use super::view::WorkerView;

const EXECUTORS: &[Column] = &[
    Column::number("ExecutorID"),
    Column::text("State"),
    Column::number("Cores"),
    Column::number("Memory"),
    Column::text("Resources"),
    Column::text("Application"),
    Column::text("Name"),
    Column::text("User"),
    Column::text("Logs"),
    Column::text("Why it ended"),
];
const DRIVERS: &[Column] = &[
    Column::text("DriverID"),
    Column::text("Main Class"),
    Column::text("State"),
    Column::number("Cores"),
    Column::number("Memory"),
    Column::text("Resources"),
    Column::text("Logs"),
    Column::text("Notes"),
];

/// `/`
pub(crate) fn home(view: &WorkerView, sort: &Sort) -> Page {
    let mut sections = Vec::new();
    if view.leader.is_none() {
        sections.push(Section::Notice(Notice {
            tone: Tone::Waiting,
            heading: "No master".to_owned(),
            text: "This worker is not registered, and tries to be. What runs on it runs on. Its log says what each master answers."
                .to_owned(),
            link: Some(Link::here("No master: see the log", "/logPage/", &[("self", "")])),
        }));
    }
    sections.push(Section::Tiles(tiles(view)));
    sections.push(Section::Facts(vec![
        Fact::new("ID", Cell::text(&view.id)),
        Fact::new("Master URL", Cell::text(view.leader.as_ref().map_or("None", |leader| &leader.url))),
    ]));
    let executors = |id, heading, rows| Section::Table(Table::new(id, heading, EXECUTORS, rows, sort, "/", &[]));
    sections.push(executors("executors", "Running Executors", view.running_executors().map(executor_row).collect()));
    let (finished, running): (Vec<_>, Vec<_>) = view.drivers.iter().partition(|driver| driver.state.is_final());
    let drivers = |id, heading, drivers: Vec<&DriverRecord>| {
        let rows = drivers.into_iter().map(driver_row).collect();
        Section::Table(Table::new(id, heading, DRIVERS, rows, sort, "/", &[]))
    };
    if !running.is_empty() {
        sections.push(drivers("drivers", "Running Drivers", running));
    }
    let mut ended: Vec<&ExecutorRecord> = view.finished_executors().collect();
    ended.reverse();
    let ended = ended.into_iter().map(executor_row).collect();
    sections.push(executors("finished-executors", "Finished Executors", ended));
    if !finished.is_empty() {
        sections.push(drivers("finished-drivers", "Finished Drivers", finished));
    }
    let address = format!("{}:{}", view.description.host, view.description.port);
    let state = match (view.decommissioning, &view.leader) {
        (true, _) => State::new("DECOMMISSIONED", Tone::Quiet),
        (false, Some(_)) => State::new("REGISTERED", Tone::Good),
        (false, None) => State::new("REGISTERING", Tone::Waiting),
    };
    let mut above = Vec::new();
    if let Some(leader) = &view.leader {
        above.push(Link::elsewhere("Back to Master", &leader.web_ui_url, "/", &[]));
    }
    above.extend([Link::here("Worker", "/", &[]), Link::here("Log", "/logPage/", &[("self", "")])]);
    Page {
        title: format!("Spark Worker at {address}"),
        heading: format!("Spark Worker at {address}"),
        state: Some(state),
        above,
        sections,
        for_programs: vec![Link::here("JSON", "/json/", &[]), Link::here("Metrics", "/metrics/prometheus/", &[])],
    }
}

fn tiles(view: &WorkerView) -> Vec<Tile> {
    let (description, used) = (&view.description, &view.used);
    let mut tiles = vec![
        Tile::share(
            "Cores in use",
            (used.cores, description.cores),
            (used.cores.into(), description.cores.into()),
            &format!("{} free", description.cores.saturating_sub(used.cores)),
        ),
        Tile::share(
            "Memory in use",
            (used.memory, description.memory),
            (used.memory.bytes(), description.memory.bytes()),
            &format!("{} free", description.memory.saturating_sub(used.memory)),
        ),
        Tile::new(
            "Executors",
            format!("{} running", view.running_executors().count()),
            format!("{} finished", view.finished_executors().count()),
        ),
    ];
    for resource in &description.resources {
        let taken = used.resources.get(&resource.name).map_or(0, Vec::len);
        let all = resource.addresses.len();
        let name = format!("{} in use", resource.name);
        tiles.push(Tile::share(&name, (taken, all), (taken as u64, all as u64), &resource.addresses.join(", ")));
    }
    tiles
}

fn executor_row(executor: &ExecutorRecord) -> Vec<Cell> {
    let (application, number) = (executor.application_id.as_str(), executor.number.to_string());
    let log =
        |kind| Link::here(kind, "/logPage/", &[("appId", application), ("executorId", &number), ("logType", kind)]);
    let why = executor.reason.as_ref().map_or_else(String::new, ToString::to_string);
    vec![
        Cell::numbered(number.clone(), executor.number),
        Cell::state(executor_state(executor.state)),
        Cell::number(executor.cores),
        Cell::bytes(executor.memory),
        Cell::text(&held(&executor.resources)),
        Cell::text(application),
        Cell::link(Link::elsewhere(executor.application_name.clone(), &executor.web_ui_url, "", &[])),
        Cell::text(&executor.user),
        Cell::links(vec![log("stdout"), log("stderr")]),
        Cell::text(&why),
    ]
}

fn driver_row(driver: &DriverRecord) -> Vec<Cell> {
    let id = driver.id.as_str();
    let log = |kind| Link::here(kind, "/logPage/", &[("driverId", id), ("logType", kind)]);
    vec![
        Cell::text(id),
        Cell::text(&driver.description.name),
        Cell::state(driver_state(driver.state)),
        Cell::number(driver.description.cores),
        Cell::bytes(driver.description.memory),
        Cell::text(&held(&driver.resources)),
        Cell::links(vec![log("stdout"), log("stderr")]),
        Cell::text(&driver.message),
    ]
}

fn held(resources: &[ResourceInformation]) -> String {
    let texts = resources.iter().map(|resource| format!("{}: {}", resource.name, resource.addresses.join(", ")));
    texts.collect::<Vec<_>>().join("; ")
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
