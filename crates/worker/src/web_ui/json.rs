//! `/json/`: the fields of Spark's `JsonProtocol`, by name and in its order (SA-64). Memory is in MiB.
//!
//! A worker does not know an application's own limits, so `appdesc` says what the executor has; and it cannot read what the executor is
//! started with, so `command` is empty.

use std::collections::BTreeMap;

use firesteel_model::{ByteCount, ResourceInformation};
use firesteel_standalone::worker::ExecutorRecord;
use serde_json::{Map, Value, json};

use super::view::WorkerView;

/// The state of a worker.
pub(crate) fn worker(view: &WorkerView) -> Value {
    let leader = view.leader.as_ref();
    let used: Map<String, Value> =
        view.used.resources.iter().map(|(name, addresses)| (name.clone(), resource(name, addresses))).collect();
    json!({
        "id": view.id,
        "masterurl": leader.map_or("", |leader| &leader.url),
        "masterwebuiurl": leader.map_or("", |leader| &leader.web_ui_url),
        "cores": view.description.cores,
        "coresused": view.used.cores,
        "memory": mib(view.description.memory),
        "memoryused": mib(view.used.memory),
        "resources": resources(&view.description.resources),
        "resourcesused": used,
        "executors": view.running_executors().map(executor_entry).collect::<Vec<_>>(),
        "finishedexecutors": view.finished_executors().map(executor_entry).collect::<Vec<_>>(),
    })
}

fn executor_entry(executor: &ExecutorRecord) -> Value {
    let amounts: BTreeMap<&str, usize> =
        executor.resources.iter().map(|resource| (resource.name.as_str(), resource.addresses.len())).collect();
    let wanted: Vec<Value> = amounts.iter().map(|(name, amount)| json!({ "name": name, "amount": amount })).collect();
    json!({
        "id": executor.number,
        "memory": mib(executor.memory),
        "resources": resources(&executor.resources),
        "appid": executor.application_id.as_str(),
        "appdesc": {
            "name": executor.application_name,
            "cores": executor.cores,
            "memoryperexecutor": mib(executor.memory),
            "resourcesperexecutor": wanted,
            "memoryperslave": mib(executor.memory),
            "resourcesperslave": wanted,
            "user": executor.user,
            "command": "",
        },
    })
}

fn resources(resources: &[ResourceInformation]) -> Value {
    let entries = resources.iter().map(|one| (one.name.clone(), resource(&one.name, &one.addresses)));
    Value::Object(entries.collect::<Map<_, _>>())
}

fn resource(name: &str, addresses: &[String]) -> Value {
    json!({ "name": name, "addresses": addresses })
}

fn mib(bytes: ByteCount) -> u64 {
    bytes.bytes() >> 20
}
