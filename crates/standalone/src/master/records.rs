//! What a master knows of workers, applications, executors and drivers.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{
    ApplicationId, ByteCount, ExecutorLossReason, Moment, ResourceInformation, SubmissionId, WorkerId,
};

use super::PeerId;
use crate::{
    ApplicationDescription, ApplicationState, DriverDescription, DriverState, ExecutorState, ResourceRequirement, Room,
    Usage, WorkerDescription, WorkerState, protocol::ExecutorNumber,
};

/// A worker.
#[derive(Clone, Debug)]
pub struct WorkerRecord {
    /// Its id.
    pub id: WorkerId,
    /// What it offers.
    pub description: WorkerDescription,
    /// What it is.
    pub state: WorkerState,
    /// Its connection, while there is one.
    pub(super) peer: Option<PeerId>,
    /// When it was last heard.
    pub last_heartbeat: Moment,
    /// The same, in milliseconds since the Unix epoch.
    pub last_heartbeat_ms: i64,
    /// What its executors and drivers take.
    pub used: Usage,
    /// Its executors.
    pub executors: BTreeSet<(ApplicationId, ExecutorNumber)>,
    /// Its drivers.
    pub drivers: BTreeSet<SubmissionId>,
    /// It is dead if it has not come back by then.
    pub(super) gone_at: Option<Moment>,
}

impl WorkerRecord {
    pub(super) fn new(id: WorkerId, description: WorkerDescription, state: WorkerState) -> Self {
        Self {
            id,
            description,
            state,
            peer: None,
            last_heartbeat: Moment::default(),
            last_heartbeat_ms: 0,
            used: Usage::default(),
            executors: BTreeSet::new(),
            drivers: BTreeSet::new(),
            gone_at: None,
        }
    }

    /// Cores that nobody has.
    pub fn free_cores(&self) -> u32 {
        self.description.cores.saturating_sub(self.used.cores)
    }

    /// Memory that nobody has.
    pub fn free_memory(&self) -> ByteCount {
        self.description.memory.saturating_sub(self.used.memory)
    }

    /// Can it be given something now?
    pub(super) fn takes_orders(&self) -> bool {
        self.state == WorkerState::Alive && self.peer.is_some()
    }

    /// Its room, as placement sees it.
    pub(super) fn room(&self, wanted: &[ResourceRequirement]) -> Room {
        let free = |wanted: &ResourceRequirement| self.free_addresses(&wanted.name).count() as u32;
        Room { cores: self.free_cores(), memory: self.free_memory(), resources: wanted.iter().map(free).collect() }
    }

    /// All of it, as if nobody had any.
    pub(super) fn whole_room(&self, wanted: &[ResourceRequirement]) -> Room {
        let all = |wanted: &ResourceRequirement| self.addresses(&wanted.name).len() as u32;
        Room {
            cores: self.description.cores,
            memory: self.description.memory,
            resources: wanted.iter().map(all).collect(),
        }
    }

    fn addresses(&self, kind: &str) -> &[String] {
        let found = self.description.resources.iter().find(|resource| resource.name == kind);
        found.map_or(&[], |resource| &resource.addresses)
    }

    fn free_addresses<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a String> {
        let used: &[String] = self.used.resources.get(kind).map_or(&[], Vec::as_slice);
        self.addresses(kind).iter().filter(move |address| !used.contains(address))
    }

    /// Takes room, and says which addresses. The caller has seen that there is enough.
    pub(super) fn acquire(
        &mut self,
        cores: u32,
        memory: ByteCount,
        wanted: &[ResourceRequirement],
    ) -> Vec<ResourceInformation> {
        let take = |wanted: &ResourceRequirement| ResourceInformation {
            name: wanted.name.clone(),
            addresses: self.free_addresses(&wanted.name).take(wanted.amount as usize).cloned().collect(),
        };
        let resources: Vec<ResourceInformation> = wanted.iter().map(take).collect();
        self.hold(cores, memory, &resources);
        resources
    }

    /// Counts as taken what somebody has.
    pub(super) fn hold(&mut self, cores: u32, memory: ByteCount, resources: &[ResourceInformation]) {
        self.used.cores = self.used.cores.saturating_add(cores);
        self.used.memory = ByteCount(self.used.memory.bytes().saturating_add(memory.bytes()));
        for resource in resources {
            self.used.resources.entry(resource.name.clone()).or_default().extend_from_slice(&resource.addresses);
        }
    }

    /// Gives back what was taken.
    pub(super) fn release(&mut self, cores: u32, memory: ByteCount, resources: &[ResourceInformation]) {
        self.used.cores = self.used.cores.saturating_sub(cores);
        self.used.memory = self.used.memory.saturating_sub(memory);
        for resource in resources {
            if let Some(used) = self.used.resources.get_mut(&resource.name) {
                for address in &resource.addresses {
                    // One of them: a worker may report two processes that have the same, of which one is about to end.
                    if let Some(at) = used.iter().position(|used| used == address) {
                        used.remove(at);
                    }
                }
            }
        }
    }
}

/// An executor of an application.
#[derive(Clone, Debug)]
pub struct ExecutorRecord {
    /// Its number.
    pub number: ExecutorNumber,
    /// Where it runs.
    pub worker_id: WorkerId,
    /// How many cores it has.
    pub cores: u32,
    /// How much memory it has.
    pub memory: ByteCount,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
    /// What it is.
    pub state: ExecutorState,
    /// Why it ended; none while it has not.
    pub reason: Option<ExecutorLossReason>,
    /// It has registered with its driver.
    pub(super) ready: bool,
}

/// An application.
#[derive(Clone, Debug)]
pub struct ApplicationRecord {
    /// Its id.
    pub id: ApplicationId,
    /// What it is.
    pub description: ApplicationDescription,
    /// What it is.
    pub state: ApplicationState,
    /// When it was submitted, in milliseconds since the Unix epoch.
    pub submitted_ms: i64,
    /// When it ended, in milliseconds since the Unix epoch.
    pub ended_ms: Option<i64>,
    /// What people should know of its end; may be empty.
    pub end_message: String,
    /// Its executors.
    pub executors: BTreeMap<ExecutorNumber, ExecutorRecord>,
    /// Its last executors that have ended.
    pub removed_executors: Vec<ExecutorRecord>,
    /// Why it has fewer executors than it wants (AS-01).
    pub waits: Option<String>,
    /// How many executors it wants.
    pub requested: Option<u32>,
    pub(super) peer: Option<PeerId>,
    pub(super) next_executor: ExecutorNumber,
    /// What it had when it registered last, of the numbers below this one.
    pub(super) counts_on: (ExecutorNumber, BTreeSet<ExecutorNumber>),
    pub(super) failures_in_a_row: u32,
    /// It has ended if it has not come back by then.
    pub(super) gone_at: Option<Moment>,
}

impl ApplicationRecord {
    pub(super) fn new(
        id: ApplicationId,
        description: ApplicationDescription,
        state: ApplicationState,
        submitted_ms: i64,
    ) -> Self {
        Self {
            requested: description.executor_limit,
            id,
            description,
            state,
            submitted_ms,
            ended_ms: None,
            end_message: String::new(),
            executors: BTreeMap::new(),
            removed_executors: Vec::new(),
            waits: None,
            peer: None,
            next_executor: 0,
            counts_on: (0, BTreeSet::new()),
            failures_in_a_row: 0,
            gone_at: None,
        }
    }

    /// Was it told before that this executor is lost, perhaps by another master?
    pub(super) fn has_given_up(&self, number: ExecutorNumber) -> bool {
        number < self.counts_on.0 && !self.counts_on.1.contains(&number)
    }

    /// How many cores its executors have.
    pub fn cores_granted(&self) -> u32 {
        self.executors.values().map(|executor| executor.cores).sum()
    }

    /// How many more it may have.
    pub(super) fn cores_left(&self, default_cores: u32) -> u32 {
        self.description.max_cores.unwrap_or(default_cores).saturating_sub(self.cores_granted())
    }

    /// How many more executors it may have.
    pub(super) fn executors_left(&self) -> u32 {
        self.requested.unwrap_or(u32::MAX).saturating_sub(self.executors.len() as u32)
    }
}

/// A driver that was submitted.
#[derive(Clone, Debug)]
pub struct DriverRecord {
    /// Its id.
    pub id: SubmissionId,
    /// What it is.
    pub description: DriverDescription,
    /// What it is.
    pub state: DriverState,
    /// When it was submitted, in milliseconds since the Unix epoch.
    pub submitted_ms: i64,
    /// Where it runs, or ran last.
    pub worker_id: Option<WorkerId>,
    /// Where that worker is.
    pub worker_host_port: String,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
    /// Its exit code if it has ended with one.
    pub exit_code: Option<i32>,
    /// What people should know of its end; may be empty.
    pub message: String,
    /// What runs in its place since its worker was lost.
    pub relaunched_as: Option<SubmissionId>,
    /// Somebody wants it to end.
    pub(super) killed: bool,
}

impl DriverRecord {
    pub(super) fn new(id: SubmissionId, description: DriverDescription, submitted_ms: i64) -> Self {
        Self {
            id,
            description,
            state: DriverState::Submitted,
            submitted_ms,
            worker_id: None,
            worker_host_port: String::new(),
            resources: Vec::new(),
            exit_code: None,
            message: String::new(),
            relaunched_as: None,
            killed: false,
        }
    }
}
