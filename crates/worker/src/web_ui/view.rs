//! What pages are made of, copied out of the state machine at one moment.

use firesteel_standalone::{
    Usage, WorkerDescription,
    protocol::Leader,
    worker::{DriverRecord, ExecutorRecord, Worker},
};

/// All that a worker knows.
#[derive(Clone, Debug)]
pub(crate) struct WorkerView {
    pub(crate) id: String,
    pub(crate) description: WorkerDescription,
    pub(crate) leader: Option<Leader>,
    pub(crate) decommissioning: bool,
    pub(crate) used: Usage,
    pub(crate) executors: Vec<ExecutorRecord>,
    pub(crate) drivers: Vec<DriverRecord>,
}

impl WorkerView {
    pub(crate) fn of(worker: &Worker) -> Self {
        Self {
            id: worker.id().as_str().to_owned(),
            description: worker.description().clone(),
            leader: worker.leader().cloned(),
            decommissioning: worker.is_decommissioning(),
            used: worker.used(),
            executors: worker.executors().cloned().collect(),
            drivers: worker.drivers().cloned().collect(),
        }
    }

    pub(crate) fn running_executors(&self) -> impl Iterator<Item = &ExecutorRecord> {
        self.executors.iter().filter(|executor| !executor.state.is_final())
    }

    pub(crate) fn finished_executors(&self) -> impl Iterator<Item = &ExecutorRecord> {
        self.executors.iter().filter(|executor| executor.state.is_final())
    }
}
