//! A fake executor: runs nothing, but takes its time, fails, asks and answers as a real one would.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use firesteel_model::{ExecutorId, StageAttemptId, TaskId};
use firesteel_scheduler::{RddInfo, StageBinaryKind, TaskLaunch};

use crate::oracle::Provenance;

/// What every task of a stage attempt needs.
#[derive(Clone, Debug)]
pub(crate) struct StageBinary {
    pub(crate) rdd: Arc<RddInfo>,
    pub(crate) kind: StageBinaryKind,
    pub(crate) tasks: u32,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Fetches and reads its input.
    Reading,
    /// Computes from what it has read.
    Working(Provenance),
    /// Waits for the other tasks of its barrier stage, at one of its barriers.
    AtBarrier {
        /// Which, from 0.
        epoch: u32,
    },
    /// Waits for leave to commit, holding what it has computed.
    Committing(Provenance),
}

#[derive(Clone, Debug)]
pub(crate) struct FakeTask {
    pub(crate) launch: TaskLaunch,
    pub(crate) phase: Phase,
    /// When it got its slot.
    pub(crate) since: u64,
    /// Does not look whether it was killed, and goes on to its end.
    pub(crate) deaf: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeExecutor {
    pub(crate) id: ExecutorId,
    pub(crate) host: String,
    pub(crate) cores: u32,
    /// Takes part in nothing until then.
    pub(crate) hangs_until: u64,
    pub(crate) tasks: BTreeMap<TaskId, FakeTask>,
    /// Launched ahead: each starts when a slot is free, in this order.
    pub(crate) waiting: VecDeque<TaskLaunch>,
    /// Every task ever launched here: a launch that comes twice is known.
    pub(crate) seen: BTreeSet<TaskId>,
    pub(crate) binaries: BTreeMap<StageAttemptId, StageBinary>,
}

impl FakeExecutor {
    pub(crate) fn new(id: ExecutorId, host: String, cores: u32) -> Self {
        Self {
            id,
            host,
            cores,
            hangs_until: 0,
            tasks: BTreeMap::new(),
            waiting: VecDeque::new(),
            seen: BTreeSet::new(),
            binaries: BTreeMap::new(),
        }
    }
}
