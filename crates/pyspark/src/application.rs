//! One application: a `SparkContext`, and what Python needs beside it.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use firesteel::{Accumulator, JobCanceller, SparkConf, SparkContext, SparkFiles, StorageLevel};
use firesteel_conf::{MasterUrl, keys};
use firesteel_py4j::{Throwable, unless_abandoned};
use parking_lot::Mutex;
use tracing::warn;

use crate::{
    call_site::by_default,
    channel::{AccumulatorClient, Sockets},
    error::{ILLEGAL_ARGUMENT, thrown},
    error_text::bad_master,
    rdd::{Elements, Updates, WeakElements, WorkerSettings, workers},
};

/// Why a job is cancelled that nobody waits for.
const INTERRUPTED: &str = "because the Python program was interrupted while it waited for it";

/// An application of Python.
pub(crate) struct Application {
    context: SparkContext,
    conf: SparkConf,
    start_time_ms: i64,
    /// What workers have added to accumulators, in Python's own encoding.
    updates: Accumulator<Updates>,
    /// Where that goes.
    accumulator_server: Mutex<Option<AccumulatorClient>>,
    worker_settings: WorkerSettings,
    sockets: Sockets,
    /// The data sets that the program has persisted, with the class of their handle, by their numbers.
    persisted: Mutex<BTreeMap<u32, (&'static str, WeakElements)>>,
    stopped: AtomicBool,
}

impl Application {
    /// `release` is the program's PySpark, if it is known.
    pub(crate) fn start(conf: SparkConf, release: Option<String>) -> Result<Arc<Self>, Throwable> {
        if let Err(error) = conf.get(&keys::MASTER) {
            return Err(bad_master(conf.get_raw(keys::MASTER.name()).unwrap_or_default(), &error.to_string()));
        }
        let worker_settings = WorkerSettings::new(&conf, release);
        let worker_settings = worker_settings.map_err(|error| Throwable::new(ILLEGAL_ARGUMENT, error.to_string()))?;
        let sockets = Sockets::new(worker_settings.launch.socket_directory.as_deref(), worker_settings.time_to_connect);
        let context = SparkContext::new(&without_python(&conf)).map_err(thrown)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let updates = context.accumulator("Python accumulators");
        // Those of an application before this one belong to nobody.
        Updates::take_arrived();
        let mut shown = context.conf().clone();
        shown.set_all(conf.get_all().filter(|setting| is_of_python(&conf, setting)).collect::<Vec<_>>());
        shown.set("spark.app.id", context.application_id().to_string());
        shown.set("spark.app.startTime", since_epoch.as_millis().to_string()).set("spark.executor.id", "driver");
        Ok(Arc::new(Self {
            context,
            conf: shown,
            start_time_ms: since_epoch.as_millis() as i64,
            updates,
            accumulator_server: Mutex::default(),
            worker_settings,
            sockets,
            persisted: Mutex::default(),
            stopped: AtomicBool::new(false),
        }))
    }

    pub(crate) fn context(&self) -> &SparkContext {
        &self.context
    }

    /// The configuration that it runs with.
    pub(crate) fn conf(&self) -> &SparkConf {
        &self.conf
    }

    pub(crate) fn start_time_ms(&self) -> i64 {
        self.start_time_ms
    }

    pub(crate) fn updates(&self) -> &Accumulator<Updates> {
        &self.updates
    }

    pub(crate) fn register_accumulators(&self, server: AccumulatorClient) {
        *self.accumulator_server.lock() = Some(server);
    }

    /// How its workers run.
    pub(crate) fn worker_settings(&self) -> &WorkerSettings {
        &self.worker_settings
    }

    /// Where the program connects to.
    pub(crate) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Runs what starts jobs, which are cancelled if the program waits for them no longer; and then hands on what those have added
    /// to accumulators: before the program gets the result, and
    /// also if there is none.
    pub(crate) fn run<R>(&self, job: impl FnOnce() -> R) -> R {
        let canceller = JobCanceller::new(&self.context);
        let result = unless_abandoned(|| canceller.cancel(INTERRUPTED), || canceller.run(job));
        // Held while the updates are taken and sent, so that whoever finds nothing to send returns after it was sent.
        let mut server = self.accumulator_server.lock();
        let arrived = Updates::take_arrived();
        if let Some(server) = server.as_mut().filter(|_| !arrived.is_empty())
            && let Err((tasks, error)) = server.send_each(&arrived)
        {
            warn!(%error, tasks, "what tasks have added to accumulators could not be handed to the Python program, and is lost");
        }
        result
    }

    /// Remembers a data set that the program has persisted.
    pub(crate) fn persisted(&self, class: &'static str, elements: &Elements) {
        let mut persisted = self.persisted.lock();
        // Those that are gone would otherwise stay for as long as nobody asks.
        persisted.retain(|_, (_, elements)| elements.upgrade().is_some());
        persisted.insert(elements.id(), (class, elements.downgrade()));
    }

    /// The data sets that are persisted, with the class of their handle, in the order of their numbers.
    pub(crate) fn persistent_rdds(&self) -> Vec<(&'static str, Elements)> {
        let persisted = self.persisted.lock();
        let live = persisted.values().filter_map(|(class, elements)| Some((*class, elements.upgrade()?)));
        live.filter(|(_, elements)| elements.storage_level() != StorageLevel::NONE).collect()
    }

    /// This process's directory for what goes with the application.
    pub(crate) fn local_directory(&self) -> PathBuf {
        let files = SparkFiles::root_directory();
        files.parent().map_or_else(|| files.clone(), PathBuf::from)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Whoever uses it afterwards is told so.
        by_default(&self.context, "SparkContext.stop of the Python program", || self.context.stop());
        // In local mode they are children of this process.
        workers().end();
    }
}

/// What PySpark sets by itself, and means nothing here. Nobody needs to be told so.
const DEFAULTS: [(&str, &str); 2] =
    [("spark.serializer.objectStreamReset", "100"), ("spark.sql.artifact.isolation.enabled", "false")];

/// Where executors are no processes, their variables are only for Python's workers, which get them from the program.
const EXECUTOR_ENV: &str = "spark.executorEnv.";

/// Does only Python look at the setting?
fn is_of_python(conf: &SparkConf, setting: &(&str, &str)) -> bool {
    let is_local = matches!(conf.get(&keys::MASTER), Ok(Some(MasterUrl::Local { .. })));
    DEFAULTS.contains(setting) || (is_local && setting.0.starts_with(EXECUTOR_ENV))
}

/// The configuration of the application itself, which warns of what it does not follow.
fn without_python(conf: &SparkConf) -> SparkConf {
    let mut rest = conf.clone();
    for (key, _) in conf.get_all().filter(|setting| is_of_python(conf, setting)) {
        rest.remove(key);
    }
    rest
}

/// Makes a directory that only its owner can look into, with a name that nobody else has.
pub(crate) fn create_directory(root: &str, prefix: &str) -> io::Result<PathBuf> {
    let path = PathBuf::from(root).join(format!("{prefix}-{:032x}", rand::random::<u128>()));
    fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_workers_are_not_the_application_s_where_it_has_no_executors() {
        let rest = |master: &str| {
            let mut conf = SparkConf::new();
            conf.set("spark.master", master).set("spark.executorEnv.A", "b").set("spark.app.name", "c");
            without_python(&conf).get_all().map(|(key, _)| key.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(rest("local[2]"), ["spark.app.name", "spark.master"]);
        assert_eq!(rest("local-cluster[1,1,1024]"), ["spark.app.name", "spark.executorEnv.A", "spark.master"]);
    }
}
