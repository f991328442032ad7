//! Daemons and idle workers, by interpreter and environment.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Instant,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::{
    StartPythonError, Worker,
    daemon::{Daemon, ForkError},
    idle::{IDLE_TIME, Idle},
    single::SingleWorker,
    worker::Connected,
};

/// Which workers are alike.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WorkerKey {
    /// The interpreter.
    pub python: String,
    /// Variables beside those of this process.
    pub environment: BTreeMap<String, String>,
    /// How they are started.
    pub launch: WorkerLaunch,
    /// The program's own Python, `3.11`: that of the workers must be the same, as bytecode is pickled.
    pub driver_python: String,
    /// The program's own release of PySpark, if it is known: that of the workers must be the same.
    pub driver_release: Option<String>,
}

/// How workers are started, and kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct WorkerLaunch {
    /// Does a daemon fork them (`spark.python.use.daemon`)? Otherwise each is started for one task.
    pub use_daemon: bool,
    /// The module that is the daemon (`spark.python.daemon.module`).
    pub daemon_module: String,
    /// The module that runs tasks (`spark.python.worker.module`).
    pub worker_module: String,
    /// Where sockets of the file system are, if those are wanted (`spark.python.unix.domain.socket.dir`).
    pub socket_directory: Option<String>,
    /// Do PySpark's own functions have equivalents that are faster (`spark.firesteel.python.worker.replaceFunctions`)?
    pub replace_functions: bool,
    /// How many idle ones are kept (`spark.python.factory.idleWorkerMaxPoolSize`).
    pub most_idle: Option<u32>,
}

impl Default for WorkerLaunch {
    fn default() -> Self {
        Self {
            use_daemon: true,
            daemon_module: "pyspark.daemon".to_owned(),
            worker_module: "pyspark.worker".to_owned(),
            socket_directory: None,
            replace_functions: true,
            most_idle: None,
        }
    }
}

/// The workers of one process. There are never more idle ones than have worked at the same time, and none that was idle for a
/// minute.
#[derive(Debug, Default)]
pub struct WorkerFactory {
    pools: Mutex<HashMap<WorkerKey, Place>>,
}

/// Where the workers of a key are, once there is a daemon.
type Place = Arc<Mutex<Option<Arc<Pool>>>>;

/// A daemon and the idle ones of its workers.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Idle<Connected>>,
    pub(crate) daemon: Daemon,
    /// Closed with the pool, which ends the thread that evicts.
    _ended: Sender<()>,
}

/// There is no worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// No process of Python.
    #[error(transparent)]
    Start(#[from] StartPythonError),
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
        matches!(self, Self::Start(StartPythonError::Version(_) | StartPythonError::PythonVersion { .. }))
    }
}

impl WorkerFactory {
    /// An idle worker, or a new one. A daemon is started if there is none, or the last one has ended.
    pub fn worker(&self, key: &WorkerKey, is_killed: &dyn Fn() -> bool) -> Result<Worker, WorkerError> {
        if !key.launch.use_daemon {
            let (channel, pid, release, process) = SingleWorker::start(key, is_killed)?;
            return Ok(Worker::single(Connected::new(channel, pid), release, process));
        }
        let mut pool = self.pool(key, is_killed)?;
        while let Some(idle) = pool.take() {
            if !idle.is_broken() {
                return Ok(Worker::of_daemon(idle, pool));
            }
            idle.kill(&pool);
        }
        let mut forked = pool.daemon.fork_worker();
        if let Err(error) = &forked {
            // Perhaps the daemon has just ended, or is about to: a signal that a task has sent to its parent does that.
            if let ForkError::Deaf(_) = error {
                pool.daemon.end_deaf();
            }
            warn!(python = key.python, %error, "a Python daemon gave no worker; it is tried once more");
            pool = self.pool(key, is_killed)?;
            forked = pool.daemon.fork_worker();
        }
        let (channel, pid) =
            forked.map_err(|error| WorkerError::Fork { python: key.python.clone(), source: error.into_io() })?;
        Ok(Worker::of_daemon(Connected::new(channel, pid), pool))
    }

    /// A daemon that lives, and its idle workers.
    fn pool(&self, key: &WorkerKey, is_killed: &dyn Fn() -> bool) -> Result<Arc<Pool>, StartPythonError> {
        let place = Arc::clone(self.pools.lock().entry(key.clone()).or_default());
        // Held while the daemon starts: others that want it wait for it, and those with other keys do not.
        let mut place = place.lock();
        if place.as_ref().is_some_and(|pool| pool.daemon.has_ended()) {
            warn!(python = key.python, "a Python daemon has ended; another one is started");
            *place = None;
        }
        Ok(match &*place {
            Some(pool) => Arc::clone(pool),
            None => Arc::clone(place.insert(Pool::start(key, is_killed)?)),
        })
    }

    /// Ends all daemons and idle workers, and those that work when they are done.
    pub fn end(&self) {
        let pools = std::mem::take(&mut *self.pools.lock());
        drop(pools);
    }
}

impl Pool {
    fn start(key: &WorkerKey, is_killed: &dyn Fn() -> bool) -> Result<Arc<Self>, StartPythonError> {
        let daemon = Daemon::start(key, is_killed)?;
        let (sender, receiver) = channel();
        let idle = Mutex::new(Idle::new(key.launch.most_idle));
        let pool = Arc::new(Self { idle, daemon, _ended: sender });
        let evicted = Arc::downgrade(&pool);
        let thread = thread::Builder::new().name("python-idle-workers".to_owned());
        let evict = move || evict_idle(&evicted, &receiver);
        thread.spawn(evict).map_err(|source| StartPythonError::Io { python: key.python.clone(), source })?;
        Ok(pool)
    }

    fn take(&self) -> Option<Connected> {
        self.idle.lock().take()
    }

    pub(crate) fn give_back(&self, connected: Connected) {
        let too_many = self.idle.lock().put(Instant::now(), connected);
        if let Some(oldest) = too_many {
            oldest.kill(self);
        }
    }
}

/// Ends workers that were idle for too long, until the pool ends.
fn evict_idle(pool: &Weak<Pool>, ended: &Receiver<()>) {
    let mut wait = IDLE_TIME;
    while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        let (evicted, next) = {
            let mut idle = pool.idle.lock();
            (idle.evict(now), idle.next_eviction(now))
        };
        for worker in evicted {
            debug!(pid = worker.pid, "a Python worker was idle for too long and is ended");
            worker.kill(&pool);
        }
        wait = next.saturating_duration_since(now);
    }
}
