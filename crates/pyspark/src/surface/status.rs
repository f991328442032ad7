//! The status of jobs and stages.

use firesteel::{JobId, SparkJobInfo, SparkStageInfo, StageId};
use firesteel_py4j::{Class, Failure, JavaArray, Object, Value, method};

use super::{JavaCall, JavaResult, context::application};
use crate::driver::Driver;

const TRACKER: &str = "org.apache.spark.api.java.JavaSparkStatusTracker";
const JOB_INFO: &str = "org.apache.spark.SparkJobInfo";
const STAGE_INFO: &str = "org.apache.spark.SparkStageInfo";
const JOB_STATUS: &str = "org.apache.spark.JobExecutionStatus";

/// Asks the running application.
struct Tracker(firesteel::SparkContext);

struct JobInfo(SparkJobInfo);

struct StageInfo(SparkStageInfo);

/// A constant of Java's enumeration.
struct JobStatus(&'static str);

impl Object for Tracker {
    fn class(&self) -> &'static str {
        TRACKER
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
        name: TRACKER,
        extends: &[],
        members: &[
            method("getJobIdsForGroup", 1, job_ids_for_group),
            method("getActiveJobIds", 0, |call| {
                Ok(numbers(tracker(call)?.status_tracker().active_job_ids(), |id| id.0))
            }),
            method("getActiveStageIds", 0, |call| {
                Ok(numbers(tracker(call)?.status_tracker().active_stage_ids(), |id| id.0))
            }),
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
    Ok(Value::object(Tracker(application(call)?.context().clone())))
}

fn tracker<'a>(call: &JavaCall<'a>) -> Result<&'a firesteel::SparkContext, Failure> {
    Ok(&call.this::<Tracker>()?.0)
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
