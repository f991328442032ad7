//! How an application's workers run, by its configuration.

use std::{env, time::Duration};

use firesteel::SparkConf;
use firesteel_conf::{ConfError, MasterUrl, keys};
use firesteel_model::ByteCount;
use firesteel_python_worker::WorkerLaunch;
use serde::{Deserialize, Serialize};

/// What holds for all functions of an application.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct WorkerSettings {
    /// May a worker run more than one task (`spark.python.worker.reuse`)?
    pub(crate) reuse: bool,
    pub(crate) launch: WorkerLaunch,
    /// What each worker may have of `spark.executor.pyspark.memory`.
    pub(crate) memory_mib: Option<u64>,
    /// `spark.python.worker.faulthandler.enabled`
    pub(crate) faulthandler: bool,
    /// `spark.python.worker.idleTimeoutSeconds`
    pub(crate) idle_timeout: Option<Duration>,
    /// `spark.python.worker.killOnIdleTimeout`
    pub(crate) kill_on_idle_timeout: bool,
    /// `spark.python.task.killTimeout`
    pub(crate) kill_timeout: Duration,
    /// How long the program and workers have to connect (`spark.python.authenticate.socketTimeout`).
    pub(crate) time_to_connect: Duration,
    /// `spark.python.worker.tracebackDumpIntervalSeconds`, if it is not 0.
    pub(crate) traceback_dump_interval_seconds: Option<u64>,
    /// The PySpark of the program, if that could be found out.
    pub(crate) driver_release: Option<String>,
}

/// The configuration cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerSettingsError {
    #[error(transparent)]
    Conf(#[from] ConfError),
    #[error(
        "cannot honor spark.executor.pyspark.memory={memory}, split across {slots} concurrent task slots: each worker would get less than 1 MiB; increase it, or reduce the executor's cores"
    )]
    TooLittleMemory { memory: ByteCount, slots: u32 },
}

impl WorkerSettings {
    pub(crate) fn new(conf: &SparkConf, driver_release: Option<String>) -> Result<Self, WorkerSettingsError> {
        let seconds = |time: Duration| (!time.is_zero()).then(|| time.as_secs().max(1));
        let memory = conf.get(&keys::PYSPARK_EXECUTOR_MEMORY)?.filter(|memory| memory.bytes() > 0);
        let slots = slots_of_executor(conf)?;
        let memory_mib = memory.map(|memory| match memory.bytes() / u64::from(slots) / ByteCount::mib(1).bytes() {
            0 => Err(WorkerSettingsError::TooLittleMemory { memory, slots }),
            share => Ok(share),
        });
        Ok(Self {
            reuse: conf.get(&keys::PYTHON_WORKER_REUSE)?,
            launch: WorkerLaunch {
                use_daemon: conf.get(&keys::PYTHON_USE_DAEMON)?,
                daemon_module: conf.get(&keys::PYTHON_DAEMON_MODULE)?,
                worker_module: conf.get(&keys::PYTHON_WORKER_MODULE)?,
                socket_directory: socket_directory(conf)?,
                replace_functions: conf.get(&keys::PYTHON_WORKER_REPLACE_FUNCTIONS)?,
                most_idle: conf.get(&keys::PYTHON_FACTORY_IDLE_WORKER_MAX_POOL_SIZE)?,
            },
            memory_mib: memory_mib.transpose()?,
            faulthandler: conf.get(&keys::PYTHON_WORKER_FAULTHANDLER_ENABLED)?,
            idle_timeout: seconds(conf.get(&keys::PYTHON_WORKER_IDLE_TIMEOUT)?).map(Duration::from_secs),
            kill_on_idle_timeout: conf.get(&keys::PYTHON_WORKER_KILL_ON_IDLE_TIMEOUT)?,
            kill_timeout: conf.get(&keys::PYTHON_TASK_KILL_TIMEOUT)?,
            time_to_connect: conf.get(&keys::PYTHON_AUTHENTICATE_SOCKET_TIMEOUT)?,
            traceback_dump_interval_seconds: seconds(conf.get(&keys::PYTHON_WORKER_TRACEBACK_DUMP_INTERVAL)?),
            driver_release,
        })
    }
}

/// Where sockets of the file system are, if those are wanted. The program decides by the same key and variable.
fn socket_directory(conf: &SparkConf) -> Result<Option<String>, ConfError> {
    let by_environment = || env::var("PYSPARK_UDS_MODE").is_ok_and(|mode| mode.eq_ignore_ascii_case("true"));
    if !conf.get(&keys::PYTHON_UNIX_DOMAIN_SOCKET_ENABLED)?.unwrap_or_else(by_environment) {
        return Ok(None);
    }
    let directory = conf.get(&keys::PYTHON_UNIX_DOMAIN_SOCKET_DIR)?;
    Ok(Some(directory.unwrap_or_else(|| env::temp_dir().to_string_lossy().into_owned())))
}

/// How many tasks run at once in an executor.
fn slots_of_executor(conf: &SparkConf) -> Result<u32, ConfError> {
    let cores = match conf.get(&keys::MASTER)? {
        Some(MasterUrl::Local { threads, .. }) => {
            threads.count(std::thread::available_parallelism().map_or(1, |number| number.get() as u32))
        }
        Some(MasterUrl::LocalCluster { cores_per_worker, .. }) => {
            conf.get(&keys::EXECUTOR_CORES)?.unwrap_or(cores_per_worker)
        }
        _ => conf.get(&keys::EXECUTOR_CORES)?.unwrap_or(1),
    };
    Ok((cores / conf.get(&keys::TASK_CPUS)?.max(1)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(entries: &[(&str, &str)]) -> Result<WorkerSettings, WorkerSettingsError> {
        let mut conf = SparkConf::new();
        conf.set_all(entries.iter().copied());
        WorkerSettings::new(&conf, None)
    }

    #[test]
    fn workers_share_the_memory_of_their_executor() {
        let memory = ("spark.executor.pyspark.memory", "1g");
        let share = |entries: &[(&str, &str)]| settings(entries).unwrap().memory_mib;
        assert_eq!(share(&[("spark.master", "local[4]")]), None);
        assert_eq!(share(&[("spark.master", "local[4]"), memory]), Some(256));
        assert_eq!(share(&[("spark.master", "local-cluster[2,1,512]"), memory]), Some(1024));
        assert_eq!(share(&[("spark.master", "local[4]"), memory, ("spark.task.cpus", "2")]), Some(512));
        let error = settings(&[("spark.master", "local[4]"), ("spark.executor.pyspark.memory", "3m")]).unwrap_err();
        assert!(error.to_string().contains("split across 4 concurrent task slots"), "{error}");
    }

    #[test]
    fn no_time_means_never() {
        let none = settings(&[]).unwrap();
        assert_eq!((none.idle_timeout, none.traceback_dump_interval_seconds), (None, None));
        let some = settings(&[("spark.python.worker.idleTimeoutSeconds", "7")]).unwrap();
        assert_eq!(some.idle_timeout, Some(Duration::from_secs(7)));
    }
}
