//! The status of jobs and stages.

use firesteel::{JobId, SparkExecutorInfo, SparkJobInfo, SparkStageInfo, StageId};
use firesteel_model::ByteCount;
use firesteel_py4j::{Class, Failure, JavaArray, Object, Value, method};

use super::{JavaCall, JavaResult, context::application};
use crate::driver::Driver;

const TRACKER: &str = "org.apache.spark.api.java.JavaSparkStatusTracker";
const JOB_INFO: &str = "org.apache.spark.SparkJobInfo";
const STAGE_INFO: &str = "org.apache.spark.SparkStageInfo";
const EXECUTOR_INFO: &str = "org.apache.spark.SparkExecutorInfo";
/// The tracker of Scala's context, of which only this is there.
const SCALA_TRACKER: &str = "org.apache.spark.SparkStatusTracker";
const JOB_STATUS: &str = "org.apache.spark.JobExecutionStatus";

/// Asks the running application, as one of the two classes.
struct Tracker {
    context: firesteel::SparkContext,
    class: &'static str,
}

struct ExecutorInfo(SparkExecutorInfo);

struct JobInfo(SparkJobInfo);

struct StageInfo(SparkStageInfo);

/// A constant of Java's enumeration.
struct JobStatus(&'static str);

impl Object for Tracker {
    fn class(&self) -> &'static str {
        self.class
    }
}

impl Object for ExecutorInfo {
    fn class(&self) -> &'static str {
        EXECUTOR_INFO
    }
}

impl Object for JobInfo {
    fn class(&self) -> &'static str {
        JOB_INFO
    }
}

impl Object for StageInfo {
    fn class(&self) -> &'static str {
        STAGE_INFO
    }
}

impl Object for JobStatus {
    fn class(&self) -> &'static str {
        JOB_STATUS
    }

    fn to_java_string(&self) -> String {
        self.0.to_owned()
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: SCALA_TRACKER,
        extends: &[],
        members: &[
            method("getJobIdsForGroup", 1, job_ids_for_group),
            method("getActiveJobIds", 0, |call| {
                Ok(numbers(tracker(call)?.status_tracker().active_job_ids(), |id| id.0))
            }),
            method("getActiveStageIds", 0, |call| {
                Ok(numbers(tracker(call)?.status_tracker().active_stage_ids(), |id| id.0))
            }),
            method("getExecutorInfos", 0, |call| {
                let infos = tracker(call)?.status_tracker().executor_infos().into_iter();
                Ok(Value::object(JavaArray::new(infos.map(|info| Value::object(ExecutorInfo(info))))))
            }),
        ],
    },
    Class {
        name: TRACKER,
        extends: &[SCALA_TRACKER],
        members: &[
            method("getJobInfo", 1, |call| {
                let info = tracker(call)?.status_tracker().job_info(JobId(call.count(0)?));
                Ok(info.map_or(Value::Null, |info| Value::object(JobInfo(info))))
            }),
            method("getStageInfo", 1, |call| {
                let info = tracker(call)?.status_tracker().stage_info(StageId(call.count(0)?));
                Ok(info.map_or(Value::Null, |info| Value::object(StageInfo(info))))
            }),
        ],
    },
    Class {
        name: EXECUTOR_INFO,
        extends: &[],
        members: &[
            method("host", 0, |call| Ok(Value::text(executor(call)?.host.as_str()))),
            method("port", 0, |call| Ok(Value::Int(i32::from(executor(call)?.port)))),
            method("cacheSize", 0, |call| bytes(executor(call)?.cache_size)),
            method("numRunningTasks", 0, |call| Ok(Value::Int(executor(call)?.num_running_tasks as i32))),
            method("usedOnHeapStorageMemory", 0, |call| bytes(executor(call)?.used_on_heap_storage_memory)),
            method("usedOffHeapStorageMemory", 0, |call| bytes(executor(call)?.used_off_heap_storage_memory)),
            method("totalOnHeapStorageMemory", 0, |call| bytes(executor(call)?.total_on_heap_storage_memory)),
            method("totalOffHeapStorageMemory", 0, |call| bytes(executor(call)?.total_off_heap_storage_memory)),
        ],
    },
    Class {
        name: JOB_INFO,
        extends: &[],
        members: &[
            method("jobId", 0, |call| Ok(Value::Int(call.this::<JobInfo>()?.0.job_id.0 as i32))),
            method("stageIds", 0, |call| Ok(numbers(call.this::<JobInfo>()?.0.stage_ids.clone(), |id| id.0))),
            method("status", 0, |call| Ok(Value::object(JobStatus(call.this::<JobInfo>()?.0.status)))),
        ],
    },
    Class {
        name: STAGE_INFO,
        extends: &[],
        members: &[
            method("stageId", 0, |call| Ok(Value::Int(stage(call)?.stage_id.0 as i32))),
            method("name", 0, |call| Ok(Value::text(stage(call)?.name.as_str()))),
            method("currentAttemptId", 0, |call| Ok(Value::Int(stage(call)?.current_attempt_id as i32))),
            method("numTasks", 0, |call| Ok(Value::Int(stage(call)?.num_tasks as i32))),
            method("numActiveTasks", 0, |call| Ok(Value::Int(stage(call)?.num_active_tasks as i32))),
            method("numCompletedTasks", 0, |call| Ok(Value::Int(stage(call)?.num_completed_tasks as i32))),
            method("numFailedTasks", 0, |call| Ok(Value::Int(stage(call)?.num_failed_tasks as i32))),
        ],
    },
];

/// `JavaSparkContext.statusTracker`
pub(super) fn status_tracker(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(Tracker { context: application(call)?.context().clone(), class: TRACKER }))
}

/// `SparkContext.statusTracker`
pub(super) fn scala_status_tracker(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(Tracker { context: application(call)?.context().clone(), class: SCALA_TRACKER }))
}

fn tracker<'a>(call: &JavaCall<'a>) -> Result<&'a firesteel::SparkContext, Failure> {
    Ok(&call.this::<Tracker>()?.context)
}

fn executor<'a>(call: &JavaCall<'a>) -> Result<&'a SparkExecutorInfo, Failure> {
    Ok(&call.this::<ExecutorInfo>()?.0)
}

/// As Java's `long`.
pub(super) fn bytes(count: ByteCount) -> JavaResult {
    Ok(Value::Long(i64::try_from(count.bytes()).unwrap_or(i64::MAX)))
}

fn stage<'a>(call: &JavaCall<'a>) -> Result<&'a SparkStageInfo, Failure> {
    Ok(&call.this::<StageInfo>()?.0)
}

fn job_ids_for_group(call: &JavaCall<'_>) -> JavaResult {
    Ok(numbers(tracker(call)?.status_tracker().job_ids_for_group(call.optional_text(0)?), |id| id.0))
}

fn numbers<T>(ids: Vec<T>, number: impl Fn(T) -> u32) -> Value {
    Value::object(JavaArray::new(ids.into_iter().map(|id| Value::Int(number(id) as i32))))
}
