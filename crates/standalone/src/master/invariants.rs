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
            for kind in worker.used.resources.values() {
                let mut addresses = kind.clone();
                addresses.sort();
                addresses.dedup();
                assert_eq!(addresses.len(), kind.len(), "an address of {} is given twice", worker.id);
            }
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
