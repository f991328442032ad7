//! What is alive of the lineages of one context, and what is to be told when something is no longer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use firesteel_model::{RddId, ShuffleId};
use parking_lot::Mutex;

use super::{Ancestors, RddCore, ShuffleCore};

/// Every live RDD and shuffle of one context, by id; and what must be told when one is dropped.
pub(crate) struct LineageRegistry {
    tables: Mutex<Tables>,
    /// How often an RDD became another than it was made as: its lineage was cut, or it was given a resource profile.
    changes: AtomicU64,
    /// How many RDDs are marked for a checkpoint.
    pub(crate) marked: AtomicUsize,
    jobs: Mutex<Jobs>,
    /// Called when nothing refers to an RDD or a shuffle any more. Must not block: it runs wherever the last handle is
    /// dropped.
    unreachable: Box<dyn Fn(Unreachable) + Send + Sync>,
}

/// Jobs under way, and ancestors of RDDs whose lineage was cut meanwhile: stages of such a job may still need them.
#[derive(Default)]
struct Jobs {
    under_way: usize,
    let_go: Vec<Ancestors>,
}

/// A job is under way as long as it lives.
pub(crate) struct JobUnderWay(Arc<LineageRegistry>);

impl Drop for JobUnderWay {
    fn drop(&mut self) {
        let mut jobs = self.0.jobs.lock();
        jobs.under_way -= 1;
        let let_go = if jobs.under_way == 0 { std::mem::take(&mut jobs.let_go) } else { Vec::new() };
        drop(jobs);
        // Not under the lock: what is dropped may tell the registry.
        drop(let_go);
    }
}

#[derive(Default)]
struct Tables {
    next_rdd: u32,
    next_shuffle: u32,
    rdds: HashMap<RddId, Weak<RddCore>>,
    shuffles: HashMap<ShuffleId, Weak<ShuffleCore>>,
}

/// What nothing refers to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// A persisted RDD.
    Rdd(RddId),
    /// A shuffle.
    Shuffle(ShuffleId),
}

impl LineageRegistry {
    pub(crate) fn new(unreachable: impl Fn(Unreachable) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            tables: Mutex::new(Tables::default()),
            changes: AtomicU64::new(0),
            marked: AtomicUsize::new(0),
            jobs: Mutex::default(),
            unreachable: Box::new(unreachable),
        })
    }

    pub(crate) fn rdd(&self, rdd_id: RddId) -> Option<Arc<RddCore>> {
        self.tables.lock().rdds.get(&rdd_id).and_then(Weak::upgrade)
    }

    pub(crate) fn shuffle(&self, shuffle_id: ShuffleId) -> Option<Arc<ShuffleCore>> {
        self.tables.lock().shuffles.get(&shuffle_id).and_then(Weak::upgrade)
    }

    /// Every live RDD that has a storage level, in the order of their ids.
    pub(crate) fn persisted(&self) -> Vec<Arc<RddCore>> {
        let live: Vec<Arc<RddCore>> = self.tables.lock().rdds.values().filter_map(Weak::upgrade).collect();
        // Not under the lock: a handle that is the last one by now takes it when it goes.
        let mut persisted: Vec<_> = live.into_iter().filter(|rdd| rdd.storage_level().is_valid()).collect();
        persisted.sort_by_key(|rdd| rdd.id());
        persisted
    }

    /// Is every RDD what it was made as?
    pub(crate) fn is_unchanged(&self) -> bool {
        self.changes.load(Ordering::Acquire) == 0
    }

    /// An RDD is described anew from now on.
    pub(super) fn lineage_changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A job begins. What it refers to must be looked up after that.
    pub(crate) fn job_under_way(self: &Arc<Self>) -> JobUnderWay {
        self.jobs.lock().under_way += 1;
        JobUnderWay(Arc::clone(self))
    }

    /// A lineage was cut: what it held is let go of when no job is under way that may have been submitted before.
    pub(super) fn let_go(&self, ancestors: Ancestors) {
        self.lineage_changed();
        let mut jobs = self.jobs.lock();
        if jobs.under_way > 0 {
            jobs.let_go.push(ancestors);
        }
    }

    pub(super) fn add_rdd(&self, rdd: &Arc<RddCore>) {
        self.tables.lock().rdds.insert(rdd.id(), Arc::downgrade(rdd));
    }

    pub(super) fn add_shuffle(&self, shuffle: &Arc<ShuffleCore>) {
        self.tables.lock().shuffles.insert(shuffle.id(), Arc::downgrade(shuffle));
    }

    pub(super) fn remove_rdd(&self, rdd_id: RddId, was_persisted: bool) {
        self.tables.lock().rdds.remove(&rdd_id);
        if was_persisted {
            (self.unreachable)(Unreachable::Rdd(rdd_id));
        }
    }

    pub(super) fn remove_shuffle(&self, shuffle_id: ShuffleId) {
        self.tables.lock().shuffles.remove(&shuffle_id);
        (self.unreachable)(Unreachable::Shuffle(shuffle_id));
    }

    pub(super) fn next_rdd_id(&self) -> RddId {
        let mut tables = self.tables.lock();
        let id = RddId(tables.next_rdd);
        tables.next_rdd += 1;
        id
    }

    pub(super) fn next_shuffle_id(&self) -> ShuffleId {
        let mut tables = self.tables.lock();
        let id = ShuffleId(tables.next_shuffle);
        tables.next_shuffle += 1;
        id
    }
}
