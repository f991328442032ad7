//! Spark's gauges of a master and of its applications (SA-67).

use firesteel_standalone::WorkerState;
use firesteel_web_pages::Gauge;

use super::view::{MasterView, duration_ms, is_waiting};

/// `MasterSource`
pub(crate) fn master(view: &MasterView) -> Vec<Gauge> {
    let waiting = view.applications.iter().filter(|application| is_waiting(application)).count();
    vec![
        Gauge::number("master.workers", view.workers.len()),
        Gauge::number("master.aliveWorkers", view.workers_in(WorkerState::Alive)),
        Gauge::number("master.apps", view.applications.len()),
        Gauge::number("master.waitingApps", waiting),
    ]
}

/// `ApplicationSource` of each application that has not ended.
pub(crate) fn applications(view: &MasterView) -> Vec<Gauge> {
    let of_one = |application: &firesteel_standalone::master::ApplicationRecord| {
        let name = format!("application.{}.{}", application.description.name, application.submitted_ms);
        [
            Gauge::text(format!("{name}.status"), application.state.as_str()),
            Gauge::number(format!("{name}.runtime_ms"), duration_ms(application, view.now_ms)),
            Gauge::number(format!("{name}.cores"), application.cores_granted()),
        ]
    };
    view.applications.iter().flat_map(of_one).collect()
}
