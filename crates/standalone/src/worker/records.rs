//! What a worker knows of its executors, drivers and applications.

use std::{collections::BTreeMap, time::Duration};

use firesteel_model::{ApplicationId, ByteCount, ExecutorLossReason, Moment, ResourceInformation, SubmissionId};

use super::ProcessId;
use crate::{
    DriverDescription, DriverState, ExecutorState, Usage,
    protocol::{DriverUpdate, ExecutorNumber, ExecutorUpdate, LaunchExecutor, RunningDriver, RunningExecutor},
};

/// An executor.
#[derive(Clone, Debug)]
pub struct ExecutorRecord {
    /// Whose it is.
    pub application_id: ApplicationId,
    /// Its number.
    pub number: ExecutorNumber,
    /// What people call the application.
    pub application_name: String,
    /// Whose application it is.
    pub user: String,
    /// Where its application's web UI is; empty without one.
    pub web_ui_url: String,
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
    /// Its process, once there is one.
    pub pid: Option<u32>,
    pub(super) process: ProcessId,
    pub(super) kill: Option<Kill>,
}

/// Somebody wants a process to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kill {
    pub(super) why: KillCause,
    /// When it is ended by force; none once it was.
    pub(super) forced_at: Option<Moment>,
}

/// Who wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KillCause {
    /// The master.
    Ordered,
    /// This worker, as it ends itself.
    WorkerEnds,
}

impl ExecutorRecord {
    pub(super) fn new(launch: &LaunchExecutor, process: ProcessId) -> Self {
        Self {
            application_id: launch.application_id.clone(),
            number: launch.executor,
            application_name: launch.application_name.clone(),
            user: launch.user.clone(),
            web_ui_url: launch.web_ui_url.clone(),
            cores: launch.cores,
            memory: launch.memory,
            resources: launch.resources.clone(),
            state: ExecutorState::Launching,
            reason: None,
            pid: None,
            process,
            kill: None,
        }
    }

    pub(super) fn update(&self) -> ExecutorUpdate {
        ExecutorUpdate {
            application_id: self.application_id.clone(),
            executor: self.number,
            state: self.state,
            reason: self.reason.clone(),
        }
    }

    /// As a master is told that it is there. One that has ended is only listed until that is known, so it has not yet.
    pub(super) fn as_running(&self) -> RunningExecutor {
        RunningExecutor {
            application_id: self.application_id.clone(),
            executor: self.number,
            state: if self.state.is_final() { ExecutorState::Running } else { self.state },
            cores: self.cores,
            memory: self.memory,
            resources: self.resources.clone(),
        }
    }
}

/// A driver.
#[derive(Clone, Debug)]
pub struct DriverRecord {
    /// Its id.
    pub id: SubmissionId,
    /// What it is.
    pub description: DriverDescription,
    /// Its custom resources.
    pub resources: Vec<ResourceInformation>,
    /// What it is.
    pub state: DriverState,
    /// The exit code of its last end, if it had one.
    pub exit_code: Option<i32>,
    /// What people should know of its last end; may be empty.
    pub message: String,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    pub(super) phase: DriverPhase,
    /// How long is waited before it is started again the next time.
    pub(super) next_wait: Duration,
}

/// Where a driver is between its starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DriverPhase {
    /// It was ordered to start, and its end has not been heard of.
    Process { process: ProcessId, started_at: Option<Moment>, kill: Option<Kill> },
    /// It is started again then.
    Waits { until: Moment },
    /// Nothing follows.
    Ended,
}

impl DriverRecord {
    pub(super) fn update(&self) -> DriverUpdate {
        DriverUpdate {
            submission_id: self.id.clone(),
            state: self.state,
            exit_code: self.exit_code,
            message: self.message.clone(),
        }
    }

    pub(super) fn as_running(&self) -> RunningDriver {
        RunningDriver {
            submission_id: self.id.clone(),
            description: self.description.clone(),
            resources: self.resources.clone(),
        }
    }
}

/// What is kept of an application that has, or has had, executors here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ApplicationRecord {
    /// No executor of it follows.
    pub(super) finished: bool,
    /// No executor with a lower number follows: executors that have ended and are not remembered any more had such numbers.
    pub(super) forgotten_below: ExecutorNumber,
    /// When its last executor here ended, counted in ends; none while it has one.
    pub(super) idle_since: Option<u64>,
}

/// What executors and drivers take together.
pub(super) fn sum<'a>(parts: impl Iterator<Item = (u32, ByteCount, &'a [ResourceInformation])>) -> Usage {
    let mut usage = Usage { resources: BTreeMap::new(), ..Usage::default() };
    for (cores, memory, resources) in parts {
        usage.cores = usage.cores.saturating_add(cores);
        usage.memory = ByteCount(usage.memory.bytes().saturating_add(memory.bytes()));
        for resource in resources {
            usage.resources.entry(resource.name.clone()).or_default().extend_from_slice(&resource.addresses);
        }
    }
    usage
}
