//! What pages are made of, copied out of the state machine at one moment.

use std::time::SystemTime;

use firesteel_model::{ApplicationId, ByteCount, WorkerId};
use firesteel_standalone::{
    ApplicationState, DriverState, RecoveryState, WorkerState,
    master::{ApplicationRecord, DriverRecord, Master, WorkerRecord},
};

/// All that a master knows.
#[derive(Clone, Debug)]
pub(crate) struct MasterView {
    /// `spark://host:port`
    pub(crate) url: String,
    pub(crate) status: RecoveryState,
    pub(crate) workers: Vec<WorkerRecord>,
    /// In the order of their submission.
    pub(crate) applications: Vec<ApplicationRecord>,
    /// The latest last.
    pub(crate) completed_applications: Vec<ApplicationRecord>,
    pub(crate) drivers: Vec<DriverRecord>,
    pub(crate) completed_drivers: Vec<DriverRecord>,
    pub(crate) waiting_drivers: usize,
    /// When it was copied, in milliseconds since the Unix epoch.
    pub(crate) now_ms: i64,
}

/// What there is and what is used of it, of workers that are alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) alive: usize,
    pub(crate) cores: u64,
    pub(crate) cores_used: u64,
    pub(crate) memory: ByteCount,
    pub(crate) memory_used: ByteCount,
}

/// One application, and where its executors are or were.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationView {
    pub(crate) master_url: String,
    pub(crate) application: ApplicationRecord,
    pub(crate) workers: Vec<(WorkerId, String)>,
    pub(crate) default_cores: Option<u32>,
    pub(crate) now_ms: i64,
}

impl MasterView {
    pub(crate) fn of(master: &Master) -> Self {
        Self {
            url: master.options().url.clone(),
            status: master.state(),
            workers: master.workers().cloned().collect(),
            applications: master.applications().cloned().collect(),
            completed_applications: master.completed_applications().cloned().collect(),
            drivers: master.drivers().cloned().collect(),
            completed_drivers: master.completed_drivers().cloned().collect(),
            waiting_drivers: master.waiting_drivers(),
            now_ms: now_ms(),
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        totals(&self.workers)
    }

    pub(crate) fn workers_in(&self, state: WorkerState) -> usize {
        self.workers.iter().filter(|worker| worker.state == state).count()
    }

    pub(crate) fn completed_drivers_in(&self, state: DriverState) -> usize {
        self.completed_drivers.iter().filter(|driver| driver.state == state).count()
    }

    /// Those that have fewer executors than they want, and why.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&ApplicationRecord, &str)> {
        self.applications.iter().filter_map(|application| Some((application, application.waits.as_deref()?)))
    }
}

pub(crate) fn totals<'a>(workers: impl IntoIterator<Item = &'a WorkerRecord>) -> Totals {
    let mut totals = Totals::default();
    for worker in workers.into_iter().filter(|worker| worker.state == WorkerState::Alive) {
        totals.alive += 1;
        totals.cores += u64::from(worker.description.cores);
        totals.cores_used += u64::from(worker.used.cores);
        totals.memory = sum(totals.memory, worker.description.memory);
        totals.memory_used = sum(totals.memory_used, worker.used.memory);
    }
    totals
}

fn sum(a: ByteCount, b: ByteCount) -> ByteCount {
    ByteCount(a.bytes().saturating_add(b.bytes()))
}

impl ApplicationView {
    pub(crate) fn of(master: &Master, id: &ApplicationId) -> Option<Self> {
        let application = master.application(id)?.clone();
        let executors = application.executors.values().chain(&application.removed_executors);
        let mut workers: Vec<WorkerId> = executors.map(|executor| executor.worker_id.clone()).collect();
        workers.sort();
        workers.dedup();
        let page = |id: WorkerId| master.worker(&id).map(|worker| (id, worker.description.web_ui_url.clone()));
        Some(Self {
            master_url: master.options().url.clone(),
            workers: workers.into_iter().filter_map(page).collect(),
            default_cores: Some(master.options().default_cores).filter(|cores| *cores != u32::MAX),
            application,
            now_ms: now_ms(),
        })
    }

    pub(crate) fn worker_page(&self, id: &WorkerId) -> &str {
        self.workers.iter().find(|(worker, _)| worker == id).map_or("", |(_, page)| page)
    }
}

/// How long an application runs, or has run.
pub(crate) fn duration_ms(application: &ApplicationRecord, now_ms: i64) -> i64 {
    application.ended_ms.unwrap_or(now_ms) - application.submitted_ms
}

/// Does it hold nothing although it has not ended?
pub(crate) fn is_waiting(application: &ApplicationRecord) -> bool {
    application.state == ApplicationState::Waiting
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
