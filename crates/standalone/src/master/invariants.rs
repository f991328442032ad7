//! What is always so. Checked after every event in tests.

use std::collections::BTreeMap;

use firesteel_model::ByteCount;

use super::{Master, Peer};
use crate::WorkerState;

impl Master {
    /// Panics with what is not as it should be.
    pub fn assert_invariants(&self) {
        let mut used: BTreeMap<_, (u32, ByteCount)> = BTreeMap::new();
        for application in self.applications.values() {
            for executor in application.executors.values() {
                let key = (application.id.clone(), executor.number);
                let worker = self.workers.get(&executor.worker_id).expect("an executor is on a worker that is known");
                assert_ne!(worker.state, WorkerState::Dead, "{key:?} is on a dead worker");
                assert!(worker.executors.contains(&key), "{key:?} is not listed at its worker");
                assert!(executor.number < application.next_executor, "{key:?} may come again");
                let sum = used.entry(worker.id.clone()).or_default();
                *sum = (sum.0 + executor.cores, sum.1 + executor.memory);
            }
        }
        for driver in self.drivers.values() {
            let waits = self.waiting_drivers.contains(&driver.id);
            let Some(worker) = driver.worker_id.as_ref().filter(|_| !waits).and_then(|id| self.workers.get(id)) else {
                continue;
            };
            if worker.drivers.contains(&driver.id) {
                let sum = used.entry(worker.id.clone()).or_default();
                *sum = (sum.0 + driver.description.cores, sum.1 + driver.description.memory);
            }
        }
        for worker in self.workers.values() {
            let sum = used.remove(&worker.id).unwrap_or_default();
            assert_eq!((worker.used.cores, worker.used.memory), sum, "what is used of {}", worker.id);
            for (application_id, number) in &worker.executors {
                let known = self.applications.get(application_id).and_then(|known| known.executors.get(number));
                assert_eq!(known.map(|executor| &executor.worker_id), Some(&worker.id), "{application_id}/{number}");
            }
            // A worker may have reported two that have the same address, of which one is about to end; so not each is there once.
            let of_executors =
                worker.executors.iter().map(|(id, number)| &self.applications[id].executors[number].resources);
            let of_drivers = worker.drivers.iter().filter_map(|id| Some(&self.drivers.get(id)?.resources));
            let mut held: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for resource in of_executors.chain(of_drivers).flatten() {
                held.entry(&resource.name).or_default().extend(resource.addresses.iter().map(String::as_str));
            }
            for (kind, used) in &worker.used.resources {
                let mut used: Vec<&str> = used.iter().map(String::as_str).collect();
                let mut held = held.remove(kind.as_str()).unwrap_or_default();
                used.sort_unstable();
                held.sort_unstable();
                assert_eq!(used, held, "addresses of {}", worker.id);
            }
            assert!(held.values().all(Vec::is_empty), "{} holds {held:?}", worker.id);
        }
        for (peer, who) in &self.peers {
            match who {
                Peer::Worker(id) => assert_eq!(self.workers[id].peer, Some(*peer)),
                Peer::Application(id) => assert_eq!(self.applications[id].peer, Some(*peer)),
                Peer::Unknown => {}
            }
        }
        assert_eq!(self.order.len(), self.applications.len(), "each application is in the order once");
    }
}
