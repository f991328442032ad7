//! `JavaSparkContext` and `SparkContext`, which are one to us.

use std::sync::Arc;

use bytes::Bytes;
use firesteel::Rdd;
use firesteel_py4j::{Class, JavaArray, Object, Value, constructor, method};

use super::{
    JavaCall, JavaResult,
    conf::ConfHandle,
    files, hadoop, job_control as jobs,
    python::AccumulatorHandle,
    rdd::{JAVA_RDD, RddHandle},
    scala::ScalaOption,
    storage,
};
use crate::{application::Application, call_site::native, driver::Driver, error::thrown, rdd::Elements};

const JAVA_SPARK_CONTEXT: &str = "org.apache.spark.api.java.JavaSparkContext";
const SPARK_CONTEXT: &str = "org.apache.spark.SparkContext";

/// The release of Spark that this is, if it could not be found out which one the program's PySpark is of.
pub(super) const VERSION: &str = "4.3.0";

/// The application, as one of the two classes.
pub(crate) struct ContextHandle {
    pub(crate) application: Arc<Application>,
    class: &'static str,
}

impl Object for ContextHandle {
    fn class(&self) -> &'static str {
        self.class
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: JAVA_SPARK_CONTEXT,
        extends: &[COMMON],
        members: &[
            constructor(1, new),
            method("sc", 0, |call| as_class(call, SPARK_CONTEXT)),
            method("version", 0, version),
            method("startTime", 0, start_time),
            method("textFile", 2, files::text_file),
            method("wholeTextFiles", 2, files::whole_text_files),
            method("binaryFiles", 2, files::binary_files),
            method("binaryRecords", 2, files::binary_records),
            method("objectFile", 2, hadoop::object_file),
            method("checkpointFile", 1, files::checkpoint_file),
            method("emptyRDD", 0, |call| {
                let context = application(call)?.context();
                frames(application(call)?, native(context, "emptyRDD", || context.empty_rdd::<Bytes>()))
            }),
            method("union", 1, union),
            method("broadcast", 1, super::broadcast::broadcast),
            method("setCallSite", 1, jobs::set_call_site),
            method("statusTracker", 0, super::status::status_tracker),
            method("resources", 0, super::resources::of_driver),
            method("getConf", 0, conf),
            method("getPersistentRDDs", 0, storage::persistent_rdds),
        ],
    },
    Class {
        name: SPARK_CONTEXT,
        extends: &[COMMON],
        members: &[
            method("conf", 0, conf),
            method("getConf", 0, conf),
            method("startTime", 0, start_time),
            method("version", 0, version),
            method("isLocal", 0, |call| Ok(Value::Bool(is_local(application(call)?.context().master())))),
            method("deployMode", 0, deploy_mode),
            method("getExecutorMemoryStatus", 0, storage::executor_memory_status),
            method("getPersistentRDDs", 0, storage::persistent_rdds_of_scala),
            method("getRDDStorageInfo", 0, storage::rdd_storage_info),
            method("statusTracker", 0, super::status::scala_status_tracker),
            method("applicationId", 0, |call| {
                Ok(Value::text(application(call)?.context().application_id().to_string()))
            }),
            method("sparkUser", 0, |call| Ok(Value::text(application(call)?.context().spark_user()))),
            method("uiWebUrl", 0, |_| Ok(Value::object(ScalaOption(None)))),
            method("register", 1, register),
            method("getLocalProperties", 0, jobs::get_local_properties),
            method("setLocalProperties", 1, jobs::set_local_properties),
            method("addFile", 2, files::add_file),
            method("addArchive", 1, files::add_archive),
            method("listFiles", 0, files::list_files),
            method("listArchives", 0, files::list_archives),
            method("setCheckpointDir", 1, |call| {
                let context = application(call)?.context();
                match call.optional_text(0)? {
                    Some(directory) => done(context.set_checkpoint_dir(directory)),
                    None => {
                        context.clear_checkpoint_dir();
                        Ok(Value::Void)
                    }
                }
            }),
            method("getCheckpointDir", 0, |call| {
                let directory = application(call)?.context().checkpoint_dir();
                Ok(Value::object(ScalaOption(directory.map(Value::text))))
            }),
        ],
    },
    Class {
        name: COMMON,
        extends: &[],
        members: &[
            method("stop", 0, |call| {
                application(call)?.stop();
                Ok(Value::Void)
            }),
            method("defaultParallelism", 0, |call| number(application(call)?.context().default_parallelism())),
            method("defaultMinPartitions", 0, |call| number(application(call)?.context().default_min_partitions())),
            method("hadoopConfiguration", 0, super::hadoop_conf::hadoop_configuration),
            method("isStopped", 0, |call| Ok(Value::Bool(application(call)?.is_stopped()))),
            method("appName", 0, |call| Ok(Value::text(application(call)?.context().app_name()))),
            method("master", 0, |call| Ok(Value::text(application(call)?.context().master()))),
            method("setLogLevel", 1, jobs::set_log_level),
            method("setLocalProperty", 2, jobs::set_local_property),
            method("getLocalProperty", 1, jobs::get_local_property),
            method("setJobDescription", 1, jobs::set_job_description),
            method("setJobGroup", 3, jobs::set_job_group),
            method("setInterruptOnCancel", 1, jobs::set_interrupt_on_cancel),
            method("addJobTag", 1, jobs::add_job_tag),
            method("removeJobTag", 1, jobs::remove_job_tag),
            method("clearJobTags", 0, jobs::clear_job_tags),
            method("getJobTags", 0, jobs::get_job_tags),
            method("cancelJobGroup", 1, jobs::cancel_job_group),
            method("cancelJobsWithTag", 1, jobs::cancel_jobs_with_tag),
            method("cancelAllJobs", 0, jobs::cancel_all_jobs),
        ],
    },
];

/// What the two classes share.
const COMMON: &str = "org.apache.spark.SparkContext$Common";

pub(crate) fn application<'a>(call: &JavaCall<'a>) -> Result<&'a Arc<Application>, firesteel_py4j::Failure> {
    Ok(&call.this::<ContextHandle>()?.application)
}

/// The application as `SparkContext`.
pub(super) fn spark_context(application: &Arc<Application>) -> Value {
    Value::object(ContextHandle { application: Arc::clone(application), class: SPARK_CONTEXT })
}

fn as_class(call: &JavaCall<'_>, class: &'static str) -> JavaResult {
    Ok(Value::object(ContextHandle { application: Arc::clone(application(call)?), class }))
}

fn conf(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(ConfHandle::new(application(call)?.conf().clone())))
}

/// Where `spark-submit` was told to run this driver.
fn deploy_mode(call: &JavaCall<'_>) -> JavaResult {
    let mode = application(call)?.conf().get_raw("spark.submit.deployMode").unwrap_or("client").to_owned();
    Ok(Value::text(mode))
}

/// Are there no processes of executors?
fn is_local(master: &str) -> bool {
    master == "local" || master.starts_with("local[")
}

fn version(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::text(call.state.release().unwrap_or_else(|| VERSION.to_owned())))
}

fn start_time(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::Long(application(call)?.start_time_ms()))
}

fn number(number: u32) -> JavaResult {
    Ok(Value::Int(i32::try_from(number).unwrap_or(i32::MAX)))
}

fn frames(application: &Arc<Application>, rdd: Rdd<Bytes>) -> JavaResult {
    Ok(RddHandle::value(application, JAVA_RDD, Elements::Frames(rdd)))
}

fn new(call: &JavaCall<'_>) -> JavaResult {
    let application = Application::start(call.object::<ConfHandle>(0)?.conf(), call.state.release())?;
    call.state.started(&application);
    Ok(Value::object(ContextHandle { application, class: JAVA_SPARK_CONTEXT }))
}

fn union(call: &JavaCall<'_>) -> JavaResult {
    let values = call.object::<JavaArray>(0)?.values();
    let handles =
        values.iter().map(|value| value.as_object::<RddHandle>().ok_or_else(|| call.wrong(0, "an array of data sets")));
    let handles = handles.collect::<Result<Vec<_>, _>>()?;
    super::rdd::union_of(application(call)?, &handles)
}

fn register(call: &JavaCall<'_>) -> JavaResult {
    application(call)?.register_accumulators(call.object::<AccumulatorHandle>(0)?.client());
    Ok(Value::Void)
}

/// Makes an exception of an error.
pub(super) fn done<R>(result: Result<R, firesteel::SparkError>) -> JavaResult {
    result.map_err(thrown)?;
    Ok(Value::Void)
}
