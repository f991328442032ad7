//! `/json/`: the fields of Spark's `JsonProtocol`, by name and in its order (SA-64). Memory is in MiB.

use std::collections::BTreeMap;

use firesteel_model::ByteCount;
use firesteel_standalone::{
    ResourceRequirement, WorkerState,
    master::{ApplicationRecord, DriverRecord, WorkerRecord},
};
use firesteel_web_pages::java_date;
use serde_json::{Map, Value, json};

use super::view::{MasterView, duration_ms};

/// The state of a master.
pub(crate) fn master(view: &MasterView) -> Value {
    let totals = view.totals();
    let alive = || view.workers.iter().filter(|worker| worker.state == WorkerState::Alive);
    let of = |application| application_entry(application, view.now_ms);
    json!({
        "url": view.url,
        "workers": view.workers.iter().map(worker_entry).collect::<Vec<_>>(),
        "aliveworkers": totals.alive,
        "cores": totals.cores,
        "coresused": totals.cores_used,
        "memory": mib(totals.memory),
        "memoryused": mib(totals.memory_used),
        "resources": alive().map(|worker| resources(&all_resources(worker))).collect::<Vec<_>>(),
        "resourcesused": alive().map(|worker| resources(&worker.used.resources)).collect::<Vec<_>>(),
        "activeapps": view.applications.iter().map(of).collect::<Vec<_>>(),
        "completedapps": view.completed_applications.iter().map(of).collect::<Vec<_>>(),
        "activedrivers": view.drivers.iter().map(driver_entry).collect::<Vec<_>>(),
        "completeddrivers": view.completed_drivers.iter().map(driver_entry).collect::<Vec<_>>(),
        "status": view.status.as_str(),
    })
}

/// How much of the cluster is used.
pub(crate) fn utilization(view: &MasterView) -> Value {
    let totals = view.totals();
    let percent = |used: u64, total: u64| (100 * used).checked_div(total).unwrap_or(100);
    json!({
        "waitingDrivers": view.waiting_drivers,
        "cores": totals.cores,
        "coresused": totals.cores_used,
        "coresutilization": percent(totals.cores_used, totals.cores),
        "memory": mib(totals.memory),
        "memoryused": mib(totals.memory_used),
        "memoryutilization": percent(mib(totals.memory_used), mib(totals.memory)),
    })
}

fn worker_entry(worker: &WorkerRecord) -> Value {
    let (description, all) = (&worker.description, all_resources(worker));
    let free: BTreeMap<String, Vec<String>> = all
        .iter()
        .map(|(name, addresses)| {
            let used = worker.used.resources.get(name).map_or(&[][..], Vec::as_slice);
            (name.clone(), addresses.iter().filter(|address| !used.contains(address)).cloned().collect())
        })
        .collect();
    json!({
        "id": worker.id.as_str(),
        "host": description.host,
        "port": description.port,
        "webuiaddress": description.web_ui_url,
        "cores": description.cores,
        "coresused": worker.used.cores,
        "coresfree": worker.free_cores(),
        "memory": mib(description.memory),
        "memoryused": mib(worker.used.memory),
        "memoryfree": mib(worker.free_memory()),
        "resources": resources(&all),
        "resourcesused": resources(&worker.used.resources),
        "resourcesfree": resources(&free),
        "state": worker.state.as_str(),
        "lastheartbeat": worker.last_heartbeat_ms,
    })
}

fn application_entry(application: &ApplicationRecord, now_ms: i64) -> Value {
    let wants = &application.description.executor;
    json!({
        "id": application.id.as_str(),
        "starttime": application.submitted_ms,
        "name": application.description.name,
        "cores": application.cores_granted(),
        "user": application.description.user,
        "memoryperexecutor": mib(wants.memory),
        "memoryperslave": mib(wants.memory),
        "resourcesperexecutor": requirements(&wants.resources),
        "resourcesperslave": requirements(&wants.resources),
        "submitdate": java_date(application.submitted_ms),
        "state": application.state.as_str(),
        "duration": duration_ms(application, now_ms),
    })
}

fn driver_entry(driver: &DriverRecord) -> Value {
    let held = driver.resources.iter().map(|resource| (resource.name.clone(), resource.addresses.clone())).collect();
    json!({
        "id": driver.id.as_str(),
        "starttime": driver.submitted_ms.to_string(),
        "state": driver.state.as_str(),
        "cores": driver.description.cores,
        "memory": mib(driver.description.memory),
        "resources": resources(&held),
        "submitdate": java_date(driver.submitted_ms),
        "worker": driver.worker_id.as_ref().map_or("None", |id| id.as_str()),
        "mainclass": driver.description.name,
    })
}

fn all_resources(worker: &WorkerRecord) -> BTreeMap<String, Vec<String>> {
    let resources = worker.description.resources.iter();
    resources.map(|resource| (resource.name.clone(), resource.addresses.clone())).collect()
}

fn resources(resources: &BTreeMap<String, Vec<String>>) -> Value {
    let entry =
        |(name, addresses): (&String, &Vec<String>)| (name.clone(), json!({ "name": name, "addresses": addresses }));
    Value::Object(resources.iter().map(entry).collect::<Map<_, _>>())
}

fn requirements(resources: &[ResourceRequirement]) -> Value {
    resources.iter().map(|resource| json!({ "name": resource.name, "amount": resource.amount })).collect()
}

fn mib(bytes: ByteCount) -> u64 {
    bytes.bytes() >> 20
}
