//! Functions of Python, applied to partitions by worker processes.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use firesteel::{Accumulator, Broadcast, Records, SparkFiles, TaskEndReason};
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_py4j::Object;
use firesteel_python_worker::{
    Broadcasts, DecodeError, PythonRun, RunError, RunOptions, TaskContextInfo, TaskResource, WorkerFactory, WorkerKey,
};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{BroadcastFile, Updates, WorkerSettings, append, barrier::Barrier, broadcast::TaskBroadcasts};
use crate::error::{PYTHON_EXCEPTION, SPARK_EXCEPTION};

/// What PySpark's own buffers hold; it is told, as Spark tells it.
pub(crate) const BUFFER_SIZE: i32 = 65536;

/// Under this property PySpark looks for the hosts of a barrier stage's tasks.
const ADDRESSES: &str = "addresses";

/// A function on whole partitions, as PySpark hands it over; and how it is run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PythonFunction {
    /// Pickled, with the serializers of its input and output.
    pub(crate) command: Bytes,
    /// Variables of its workers' environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Those of the application's files that are archives of modules.
    pub(crate) includes: Vec<String>,
    /// The interpreter.
    pub(crate) python: String,
    /// Python's version on the driver.
    pub(crate) python_version: String,
    /// The broadcast values that it reads.
    pub(crate) broadcasts: Vec<Broadcast<BroadcastFile>>,
    /// Where what it adds to accumulators goes.
    pub(crate) updates: Accumulator<Updates>,
    /// How its workers run.
    pub(crate) workers: WorkerSettings,
    /// Do the elements of its input consist of several frames?
    pub(crate) several: bool,
}

/// PySpark's handle of one.
pub(crate) struct SimplePythonFunction(pub(crate) PythonFunction);

impl Object for SimplePythonFunction {
    fn class(&self) -> &'static str {
        "org.apache.spark.api.python.SimplePythonFunction"
    }
}

/// The workers of this process, which is one executor.
pub(crate) fn workers() -> &'static WorkerFactory {
    static WORKERS: LazyLock<WorkerFactory> = LazyLock::new(WorkerFactory::default);
    &WORKERS
}

/// The function's output for a partition.
pub(crate) fn apply(function: &PythonFunction, partition: u32, mut records: Records<Bytes>) -> Records<Bytes> {
    let context = TaskContext::get().expect("functions are applied in tasks");
    let is_killed = {
        let context = Arc::clone(&context);
        move || context.is_interrupted()
    };
    let barrier = context.barrier().is_some().then(|| Barrier::start(&context));
    let broadcasts = TaskBroadcasts::of(&function.broadcasts, &context);
    let mut broadcasts = broadcasts.unwrap_or_else(|error| TaskFailure::from_error(&error).throw());
    let mut worker = workers().worker(&function.worker_key(&context), &is_killed).unwrap_or_else(|error| {
        context.end_if_killed();
        if error.is_final() { TaskFailure::from_final_error(&error) } else { TaskFailure::from_error(&error) }.throw()
    });
    let for_worker = broadcasts.for_worker(&mut worker);
    let for_worker = for_worker.unwrap_or_else(|error| TaskFailure::from_error(&error).throw());
    let options = function.options(partition, for_worker, &context, barrier.as_ref());
    let several = function.several;
    let mut room = None;
    let input = {
        let context = Arc::clone(&context);
        move |output: &mut Vec<u8>| {
            // What was asked for last was written.
            drop(room.take());
            let Some(record) = records.next() else { return false };
            room = context.room_for_record(record.len());
            append(several, &record, output);
            true
        }
    };
    let make_room = {
        let context = Arc::clone(&context);
        move |length| context.room_for_record(length)
    };
    let updates = function.updates.clone();
    let on_accumulators = move |arrived: Vec<Bytes>| {
        if !arrived.is_empty() {
            updates.add(arrived);
        }
    };
    let run = PythonRun::new(worker, &options, input, on_accumulators, is_killed, make_room);
    Box::new(run.map(move |element| {
        // Files and their server stay as long as the task.
        let _ = &broadcasts;
        element.unwrap_or_else(|error| fail(error, &context, barrier.as_ref()))
    }))
}

fn fail(error: RunError, context: &TaskContext, barrier: Option<&Barrier>) -> ! {
    context.end_if_killed();
    if let Some(barrier) = barrier {
        barrier.fail_if_not_passed();
    }
    let (class_name, description) = match error {
        RunError::Exception { traceback } => {
            let text = "[PYTHON_EXCEPTION] An exception was thrown from the Python worker: ";
            (PYTHON_EXCEPTION, format!("{text}{traceback}\n SQLSTATE: 38000"))
        }
        error @ (RunError::Crashed | RunError::Faulted { .. } | RunError::Idle { .. }) => {
            (SPARK_EXCEPTION, error.to_string())
        }
        // The same would come from every other attempt.
        RunError::Decode(error @ DecodeError::TooLarge { .. }) => TaskFailure::from_final_error(&error).throw(),
        error => TaskFailure::from_error(&error).throw(),
    };
    TaskFailure::from(TaskEndReason::ExceptionFailure {
        class_name: class_name.to_owned(),
        description,
        stack_trace: String::new(),
        retryable: true,
    })
    .throw()
}

impl PythonFunction {
    fn options(
        &self,
        partition: u32,
        broadcasts: Broadcasts,
        context: &TaskContext,
        barrier: Option<&Barrier>,
    ) -> RunOptions {
        let cpus = context.cpus();
        let resources = context.resources().iter().map(|resource| {
            let (name, addresses) = (resource.name.clone(), resource.addresses.to_vec());
            (name.clone(), TaskResource { name, addresses })
        });
        let properties = context.stage_description().properties.iter();
        let mut local_properties: BTreeMap<_, _> =
            properties.map(|(key, value)| (key.clone(), value.clone())).collect();
        if let Some(tasks) = context.barrier() {
            local_properties.insert(ADDRESSES.to_owned(), tasks.addresses.join(","));
        }
        RunOptions {
            partition,
            python_version: self.python_version.clone(),
            context: TaskContextInfo {
                is_barrier: barrier.is_some(),
                conn_info: barrier.map_or(-1, |barrier| i32::from(barrier.server.port())),
                secret: barrier.map_or_else(String::new, |barrier| barrier.server.secret().to_owned()),
                stage_id: context.stage().stage_id.0,
                partition_id: context.partition().0,
                attempt_number: context.attempt_number().0,
                task_attempt_id: context.task_id().0,
                cpus,
                cpu_amount: cpus.to_string(),
                resources: resources.collect(),
                local_properties,
            },
            files_directory: SparkFiles::root_directory().to_string_lossy().into_owned(),
            includes: self.includes.clone(),
            broadcasts,
            command: self.command.clone(),
            reuse_worker: self.workers.reuse,
            most_element_bytes: usize::try_from(context.environment().most_record_bytes().bytes())
                .unwrap_or(usize::MAX),
            fault_directory: self.workers.faulthandler.then(|| fault_directory(context)),
            idle_timeout: self.workers.idle_timeout,
            kill_on_idle_timeout: self.workers.kill_on_idle_timeout,
            kill_timeout: self.workers.kill_timeout,
        }
    }

    fn worker_key(&self, context: &TaskContext) -> WorkerKey {
        let local_dirs = context.environment().local_dirs().directories();
        let local_dirs: Vec<_> = local_dirs.iter().map(|directory| directory.to_string_lossy()).collect();
        let mut environment = self.environment.clone();
        let ours = [
            ("OMP_NUM_THREADS", context.cpus().to_string()),
            ("PYTHONUNBUFFERED", "YES".to_owned()),
            ("PYTHON_DAEMON_KILL_WORKER_ON_FLUSH_FAILURE", "1".to_owned()),
            ("PYTHON_UDF_BATCH_SIZE", "100".to_owned()),
            ("SPARK_AUTH_SOCKET_TIMEOUT", self.workers.time_to_connect.as_secs().to_string()),
            ("SPARK_BUFFER_SIZE", BUFFER_SIZE.to_string()),
            ("SPARK_JOB_ARTIFACT_UUID", "default".to_owned()),
            ("SPARK_LOCAL_DIRS", local_dirs.join(",")),
            ("SPARK_PYTHON_RUNTIME", "PYTHON_WORKER".to_owned()),
        ];
        for (name, value) in ours {
            // The user's own setting counts.
            environment.entry(name.to_owned()).or_insert(value);
        }
        let workers = &self.workers;
        let wanted = [
            ("SPARK_REUSE_WORKER", workers.reuse.then(|| "1".to_owned())),
            ("PYSPARK_EXECUTOR_MEMORY_MB", workers.memory_mib.map(|memory| memory.to_string())),
            (
                "PYTHON_FAULTHANDLER_DIR",
                workers.faulthandler.then(|| fault_directory(context).to_string_lossy().into_owned()),
            ),
            (
                "PYTHON_TRACEBACK_DUMP_INTERVAL_SECONDS",
                workers.traceback_dump_interval_seconds.map(|seconds| seconds.to_string()),
            ),
        ];
        environment.extend(wanted.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        WorkerKey {
            python: self.python.clone(),
            environment,
            launch: workers.launch.clone(),
            driver_python: self.python_version.clone(),
            driver_release: workers.driver_release.clone(),
        }
    }
}

/// Where workers leave word of what they did when they crashed. It goes with the local directories.
fn fault_directory(context: &TaskContext) -> PathBuf {
    let directories = context.environment().local_dirs().directories();
    let directory = directories.first().map_or_else(std::env::temp_dir, |first| first.join("python-faulthandler"));
    // Where that cannot be, the workers say so.
    if let Err(error) = fs::create_dir_all(&directory) {
        warn!(%error, path = %directory.display(), "there is no directory for what Python workers say of crashes");
    }
    directory
}
