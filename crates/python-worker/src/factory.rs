//! Daemons and idle workers, by interpreter and environment.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    sync::Arc,
};

use parking_lot::Mutex;
use tracing::warn;

use crate::{StartDaemonError, Worker, daemon::Daemon, worker::Connected};

/// Which workers are alike.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WorkerKey {
    /// The interpreter.
    pub python: String,
    /// Variables beside those of this process.
    pub environment: BTreeMap<String, String>,
}

/// The workers of one process. There are never more idle ones than have worked at the same time.
#[derive(Debug, Default)]
pub struct WorkerFactory {
    pools: Mutex<HashMap<WorkerKey, Place>>,
}

/// Where the workers of a key are, once there is a daemon.
type Place = Arc<Mutex<Option<Arc<Pool>>>>;

/// A daemon and the idle ones of its workers.
#[derive(Debug)]
pub(crate) struct Pool {
    /// The last one that worked comes first: its memory is warm.
    pub(crate) idle: Mutex<Vec<Connected>>,
    pub(crate) daemon: Daemon,
}

/// There is no worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// No daemon.
    #[error(transparent)]
    Daemon(#[from] StartDaemonError),
    /// The daemon gave none.
    #[error("the Python daemon of {python} gave no worker")]
    Fork {
        /// The interpreter.
        python: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl WorkerError {
    /// Will every other attempt meet the same?
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Daemon(StartDaemonError::Version(_)))
    }
}

impl WorkerFactory {
    /// An idle worker, or a new one. A daemon is started if there is none, or the last one has ended.
    pub fn worker(&self, key: &WorkerKey, is_killed: &dyn Fn() -> bool) -> Result<Worker, WorkerError> {
        let place = Arc::clone(self.pools.lock().entry(key.clone()).or_default());
        // Held while the daemon starts: others that want it wait for it, and those with other keys do not.
        let mut place = place.lock();
        if place.as_ref().is_some_and(|pool| pool.daemon.has_ended()) {
            warn!(python = key.python, "a Python daemon has ended; another one is started");
            *place = None;
        }
        let pool = match &*place {
            Some(pool) => Arc::clone(pool),
            None => {
                let daemon = Daemon::start(&key.python, &key.environment, is_killed)?;
                Arc::clone(place.insert(Arc::new(Pool { idle: Mutex::default(), daemon })))
            }
        };
        drop(place);
        loop {
            let Some(idle) = pool.idle.lock().pop() else { break };
            if !idle.is_broken() {
                return Ok(Worker::new(idle, pool));
            }
        }
        let (stream, pid) =
            pool.daemon.fork_worker().map_err(|source| WorkerError::Fork { python: key.python.clone(), source })?;
        Ok(Worker::new(Connected { stream, pid, broadcasts: BTreeSet::new() }, pool))
    }

    /// Ends all daemons and idle workers, and those that work when they are done.
    pub fn end(&self) {
        let pools = std::mem::take(&mut *self.pools.lock());
        drop(pools);
    }
}
