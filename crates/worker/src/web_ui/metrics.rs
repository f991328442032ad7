//! Spark's gauges of a worker (SA-67): `WorkerSource`.

use firesteel_model::ByteCount;
use firesteel_web_pages::Gauge;

use super::view::WorkerView;

pub(crate) fn worker(view: &WorkerView) -> Vec<Gauge> {
    let (description, used) = (&view.description, &view.used);
    let mib = |bytes: ByteCount| bytes.bytes() >> 20;
    vec![
        Gauge::number("worker.executors", view.running_executors().count()),
        Gauge::number("worker.coresUsed", used.cores),
        Gauge::number("worker.memUsed_MB", mib(used.memory)),
        Gauge::number("worker.coresFree", description.cores.saturating_sub(used.cores)),
        Gauge::number("worker.memFree_MB", mib(description.memory.saturating_sub(used.memory))),
    ]
}
