//! Functions of Python, applied to partitions by worker processes.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use firesteel::{Accumulator, Broadcast, Records, SparkFiles, TaskEndReason};
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_py4j::Object;
use firesteel_python_worker::{
    PythonRun, RunError, RunOptions, TaskContextInfo, TaskResource, WorkerFactory, WorkerKey,
};
use serde::{Deserialize, Serialize};

use super::{Updates, append, barrier::Barrier, broadcast};
use crate::{
    channel::TIME_TO_CONNECT_SECONDS,
    error::{PYTHON_EXCEPTION, SPARK_EXCEPTION},
};

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
    pub(crate) broadcasts: Vec<Broadcast<Bytes>>,
    /// Where what it adds to accumulators goes.
    pub(crate) updates: Accumulator<Updates>,
    /// May a worker run more than one task (`spark.python.worker.reuse`)?
    pub(crate) reuse_worker: bool,
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
    let options = function.options(partition, &context, barrier.as_ref());
    let worker = workers().worker(&function.worker_key(&context), &is_killed).unwrap_or_else(|error| {
        context.end_if_killed();
        if error.is_final() { TaskFailure::from_final_error(&error) } else { TaskFailure::from_error(&error) }.throw()
    });
    let several = function.several;
    let input = move |output: &mut Vec<u8>| {
        let Some(record) = records.next() else { return false };
        append(several, &record, output);
        true
    };
    let updates = function.updates.clone();
    let on_accumulators = move |arrived: Vec<Bytes>| {
        if !arrived.is_empty() {
            updates.add(arrived);
        }
    };
    let run = PythonRun::new(worker, &options, input, on_accumulators, is_killed);
    Box::new(run.map(move |element| element.unwrap_or_else(|error| fail(error, &context, barrier.as_ref()))))
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
        error @ RunError::Crashed => (SPARK_EXCEPTION, error.to_string()),
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
    fn options(&self, partition: u32, context: &TaskContext, barrier: Option<&Barrier>) -> RunOptions {
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
            broadcasts: broadcast::files(&self.broadcasts, context).into_iter().collect(),
            command: self.command.clone(),
            reuse_worker: self.reuse_worker,
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
            ("SPARK_AUTH_SOCKET_TIMEOUT", TIME_TO_CONNECT_SECONDS.to_string()),
            ("SPARK_BUFFER_SIZE", BUFFER_SIZE.to_string()),
            ("SPARK_JOB_ARTIFACT_UUID", "default".to_owned()),
            ("SPARK_LOCAL_DIRS", local_dirs.join(",")),
            ("SPARK_PYTHON_RUNTIME", "PYTHON_WORKER".to_owned()),
        ];
        for (name, value) in ours {
            // The user's own setting counts.
            environment.entry(name.to_owned()).or_insert(value);
        }
        if self.reuse_worker {
            environment.insert("SPARK_REUSE_WORKER".to_owned(), "1".to_owned());
        }
        WorkerKey { python: self.python.clone(), environment }
    }
}
