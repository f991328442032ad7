//! One event, one line; for exclusions two, as Spark writes them under their old names too.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use firesteel_model::{
    AccumulatorUpdate, ExecutorId, ExecutorMetrics, JobOutcome, ListenerEvent, LocalProperties, StageAttemptId,
    StageSnapshot, TaskEndReason, TaskId, TaskMetrics, TaskSnapshot,
};

use super::{
    accumulable::{MetricAccumulables, accumulator_update},
    executor::{block_manager_id, block_updated_info, executor_info, executor_metrics},
    stage::stage_info,
    task::{Accumulables, no_executor_metrics, task_end_reason, task_info, task_metrics},
    writer::{Object, object},
};
use crate::{EventLogOptions, SPARK_VERSION, redaction::Redaction};

/// Names of events that Spark's protocol does not spell itself are class names.
const PACKAGE: &str = "org.apache.spark.scheduler.SparkListener";

/// The first line of every log.
pub(crate) fn log_start(out: &mut Vec<u8>) {
    line(out, "SparkListenerLogStart", |object| object.field("Spark Version", SPARK_VERSION));
}

fn line(out: &mut Vec<u8>, event: &str, members: impl FnOnce(&mut Object<'_>)) {
    object(out, |object| {
        object.field("Event", event);
        members(object);
    });
    out.push(b'\n');
}

/// Writes events as lines, and keeps what a line needs of earlier events: the sums of the running stage attempts.
pub(crate) struct EventEncoder {
    app_attempt_id: Option<String>,
    log_block_updates: bool,
    log_stage_executor_metrics: bool,
    include_task_metrics_accumulators: bool,
    redaction: Redaction,
    /// One entry for each stage attempt between its submission and its completion.
    running: HashMap<StageAttemptId, RunningStage>,
}

/// What is known of a stage attempt before it completes.
#[derive(Default)]
struct RunningStage {
    totals: TaskMetrics,
    /// The most that executors' memory has held meanwhile, as far as anybody has looked.
    peaks: BTreeMap<ExecutorId, ExecutorMetrics>,
}

impl EventEncoder {
    pub(crate) fn new(options: EventLogOptions) -> Self {
        Self {
            app_attempt_id: options.app_attempt_id,
            log_block_updates: options.log_block_updates,
            log_stage_executor_metrics: options.log_stage_executor_metrics,
            include_task_metrics_accumulators: options.include_task_metrics_accumulators,
            redaction: Redaction(options.redaction),
            running: HashMap::new(),
        }
    }

    /// Appends the lines of the event; none if the options leave it out. Should the log be flushed after it? Spark does so
    /// for all but the events of which there are as many as tasks.
    pub(crate) fn encode(&mut self, event: &ListenerEvent, out: &mut Vec<u8>) -> bool {
        match event {
            ListenerEvent::ApplicationStart { app_name, app_id, time_ms, user } => {
                line(out, "SparkListenerApplicationStart", |object| {
                    object.field("App Name", app_name);
                    object.field("App ID", app_id);
                    object.field("Timestamp", time_ms);
                    object.field("User", user);
                    object.optional("App Attempt ID", self.app_attempt_id.as_ref());
                });
            }
            ListenerEvent::ApplicationEnd { time_ms, exit_code } => {
                line(out, "SparkListenerApplicationEnd", |object| {
                    object.field("Timestamp", time_ms);
                    object.optional("ExitCode", *exit_code);
                });
            }
            ListenerEvent::EnvironmentUpdate { runtime, spark_properties, system_properties } => {
                self.environment(out, runtime, spark_properties, system_properties);
                return false;
            }
            ListenerEvent::JobStart { job_id, time_ms, stages, properties } => {
                line(out, "SparkListenerJobStart", |object| {
                    object.field("Job ID", job_id);
                    object.field("Submission Time", time_ms);
                    object.array("Stage Infos", |array| {
                        for stage in stages {
                            array.object(|object| stage_info(object, stage, &Accumulables::All(None)));
                        }
                    });
                    object.array("Stage IDs", |array| {
                        stages.iter().for_each(|stage| array.element(stage.id.stage_id));
                    });
                    self.properties(object, properties);
                });
            }
            ListenerEvent::JobEnd { job_id, time_ms, outcome } => {
                line(out, "SparkListenerJobEnd", |object| {
                    object.field("Job ID", job_id);
                    object.field("Completion Time", time_ms);
                    object.object("Job Result", |object| job_result(object, outcome));
                });
            }
            ListenerEvent::StageSubmitted { stage, properties } => {
                self.running.insert(stage.id, RunningStage::default());
                line(out, "SparkListenerStageSubmitted", |object| {
                    object.object("Stage Info", |object| stage_info(object, stage, &Accumulables::None));
                    self.properties(object, properties);
                });
                return false;
            }
            ListenerEvent::StageCompleted { stage } => self.stage_completed(out, stage),
            ListenerEvent::TaskStart { stage, task } => {
                line(out, "SparkListenerTaskStart", |object| {
                    stage_attempt(object, *stage);
                    object.object("Task Info", |object| task_info(object, task, &Accumulables::None));
                });
                return false;
            }
            ListenerEvent::TaskGettingResult { task } => {
                line(out, "SparkListenerTaskGettingResult", |object| {
                    object.object("Task Info", |object| task_info(object, task, &Accumulables::None));
                });
                return false;
            }
            ListenerEvent::TaskEnd { stage, task_type, reason, task, metrics } => {
                self.task_end(out, *stage, task_type, reason, task, metrics.as_ref());
                return false;
            }
            ListenerEvent::SpeculativeTaskSubmitted { stage, task_index, partition } => {
                class(out, "SpeculativeTaskSubmitted", |object| {
                    camel_stage_attempt(object, *stage);
                    object.field("taskIndex", task_index);
                    object.field("partitionId", partition);
                });
                return false;
            }
            ListenerEvent::ExecutorAdded { time_ms, executor_id, info } => {
                line(out, "SparkListenerExecutorAdded", |object| {
                    object.field("Timestamp", time_ms);
                    object.field("Executor ID", executor_id);
                    object.object("Executor Info", |object| executor_info(object, info, *time_ms));
                });
            }
            ListenerEvent::ExecutorRemoved { time_ms, executor_id, reason } => {
                line(out, "SparkListenerExecutorRemoved", |object| {
                    object.field("Timestamp", time_ms);
                    object.field("Executor ID", executor_id);
                    object.field("Removed Reason", reason);
                });
            }
            ListenerEvent::ExecutorExcluded { time_ms, executor_id, task_failures, stage } => {
                let names = for_stage(*stage, EXECUTOR_EXCLUDED, EXECUTOR_EXCLUDED_FOR_STAGE);
                exclusion(out, names, |object| {
                    object.field("time", time_ms);
                    object.field("executorId", executor_id);
                    object.field("taskFailures", task_failures);
                    stage.iter().for_each(|stage| camel_stage_attempt(object, *stage));
                });
            }
            ListenerEvent::ExecutorUnexcluded { time_ms, executor_id } => {
                exclusion(out, ["ExecutorUnblacklisted", "ExecutorUnexcluded"], |object| {
                    object.field("time", time_ms);
                    object.field("executorId", executor_id);
                });
            }
            ListenerEvent::NodeExcluded { time_ms, host, executor_failures, stage } => {
                let names = for_stage(*stage, NODE_EXCLUDED, NODE_EXCLUDED_FOR_STAGE);
                exclusion(out, names, |object| {
                    object.field("time", time_ms);
                    object.field("hostId", host);
                    object.field("executorFailures", executor_failures);
                    stage.iter().for_each(|stage| camel_stage_attempt(object, *stage));
                });
            }
            ListenerEvent::NodeUnexcluded { time_ms, host } => {
                exclusion(out, ["NodeUnblacklisted", "NodeUnexcluded"], |object| {
                    object.field("time", time_ms);
                    object.field("hostId", host);
                });
            }
            ListenerEvent::UnschedulableTaskSetAdded { stage } => {
                class(out, "UnschedulableTaskSetAdded", |object| camel_stage_attempt(object, *stage));
            }
            ListenerEvent::UnschedulableTaskSetRemoved { stage } => {
                class(out, "UnschedulableTaskSetRemoved", |object| camel_stage_attempt(object, *stage));
            }
            ListenerEvent::BlockManagerAdded {
                time_ms,
                block_manager_id: id,
                maximum_memory,
                maximum_on_heap_memory,
                maximum_off_heap_memory,
            } => {
                line(out, "SparkListenerBlockManagerAdded", |object| {
                    object.object("Block Manager ID", |object| block_manager_id(object, id));
                    object.field("Maximum Memory", maximum_memory);
                    object.field("Timestamp", time_ms);
                    object.field("Maximum Onheap Memory", maximum_on_heap_memory);
                    object.field("Maximum Offheap Memory", maximum_off_heap_memory);
                });
            }
            ListenerEvent::BlockManagerRemoved { time_ms, block_manager_id: id } => {
                line(out, "SparkListenerBlockManagerRemoved", |object| {
                    object.object("Block Manager ID", |object| block_manager_id(object, id));
                    object.field("Timestamp", time_ms);
                });
            }
            ListenerEvent::BlockUpdated(block) => {
                if self.log_block_updates {
                    line(out, "SparkListenerBlockUpdated", |object| {
                        object.object("Block Updated Info", |object| block_updated_info(object, block));
                    });
                }
                return false;
            }
            ListenerEvent::UnpersistRdd { rdd_id } => {
                line(out, "SparkListenerUnpersistRDD", |object| object.field("RDD ID", rdd_id));
            }
            ListenerEvent::ExecutorMetricsUpdate { executor_id, updates, memory } => {
                if self.log_stage_executor_metrics {
                    self.note_memory(executor_id, memory);
                    // Of other executors there are too many; the peaks at the ends of stages stand for theirs.
                    if *executor_id == ExecutorId::driver() {
                        executor_metrics_update(out, executor_id, updates, memory);
                    }
                }
                return false;
            }
            ListenerEvent::ResourceProfileAdded { id, executor_resources, task_resources } => {
                line(out, "SparkListenerResourceProfileAdded", |object| {
                    object.field("Resource Profile Id", id);
                    object.object("Executor Resource Requests", |object| {
                        for request in executor_resources {
                            object.data_object(&request.name, |object| {
                                object.field("Resource Name", &request.name);
                                object.field("Amount", request.amount);
                                object.field("Discovery Script", &request.discovery_script);
                                object.field("Vendor", &request.vendor);
                            });
                        }
                    });
                    object.object("Task Resource Requests", |object| {
                        for (name, amount) in task_resources {
                            object.data_object(name, |object| {
                                object.field("Resource Name", name);
                                object.field("Amount", amount);
                            });
                        }
                    });
                });
            }
        }
        true
    }

    fn environment(
        &self,
        out: &mut Vec<u8>,
        runtime: &[(String, String)],
        spark_properties: &[(String, String)],
        system_properties: &[(String, String)],
    ) {
        line(out, "SparkListenerEnvironmentUpdate", |object| {
            self.pairs(object, "JVM Information", runtime);
            self.pairs(object, "Spark Properties", spark_properties);
            self.pairs(object, "Hadoop Properties", &[]);
            self.pairs(object, "System Properties", system_properties);
            self.pairs(object, "Metrics Properties", &[]);
            self.pairs(object, "Classpath Entries", &[]);
        });
    }

    fn pairs(&self, object: &mut Object<'_>, name: &'static str, pairs: &[(String, String)]) {
        let redacted = pairs.iter().map(|(key, value)| (key.as_str(), self.redaction.apply(key, value)));
        object.texts(name, redacted);
    }

    fn properties(&self, object: &mut Object<'_>, properties: &LocalProperties) {
        let redacted = properties.iter().map(|(key, value)| (key.as_str(), self.redaction.apply(key, value)));
        object.texts("Properties", redacted);
    }

    fn stage_completed(&mut self, out: &mut Vec<u8>, stage: &StageSnapshot) {
        let running = self.running.remove(&stage.id);
        let metrics = running
            .as_ref()
            .filter(|_| self.include_task_metrics_accumulators)
            .map(|running| MetricAccumulables { stage: stage.id, update: None, value: &running.totals });
        if let Some(running) = running.as_ref().filter(|_| self.log_stage_executor_metrics) {
            for (executor_id, peaks) in &running.peaks {
                line(out, "SparkListenerStageExecutorMetrics", |object| {
                    object.field("Executor ID", executor_id);
                    stage_attempt(object, stage.id);
                    object.object("Executor Metrics", |object| executor_metrics(object, peaks));
                });
            }
        }
        line(out, "SparkListenerStageCompleted", |object| {
            object.object("Stage Info", |object| stage_info(object, stage, &Accumulables::All(metrics)));
        });
    }

    /// Of the driver it is told while any stage runs, of executors for the stages of their tasks.
    fn note_memory(&mut self, executor_id: &ExecutorId, memory: &[(Option<StageAttemptId>, ExecutorMetrics)]) {
        for (stage, metrics) in memory {
            let note = |running: &mut RunningStage| {
                running.peaks.entry(executor_id.clone()).or_default().raise_to(metrics);
            };
            match stage {
                Some(stage) => self.running.get_mut(stage).into_iter().for_each(note),
                None => self.running.values_mut().for_each(note),
            }
        }
    }

    fn task_end(
        &mut self,
        out: &mut Vec<u8>,
        stage: StageAttemptId,
        task_type: &str,
        reason: &TaskEndReason,
        task: &TaskSnapshot,
        metrics: Option<&Arc<TaskMetrics>>,
    ) {
        // A task that ends after its stage counts for itself only.
        let totals = match (self.running.get_mut(&stage), metrics) {
            (Some(running), Some(metrics)) => {
                running.totals += metrics;
                if self.log_stage_executor_metrics {
                    // A task's memory is on heap, and the executor held at least as much.
                    let held = metrics.peak_execution_memory_bytes;
                    let held = ExecutorMetrics { on_heap_execution: held, on_heap_unified: held, ..Default::default() };
                    running.peaks.entry(task.executor_id.clone()).or_default().raise_to(&held);
                }
                Some(&running.totals)
            }
            (_, metrics) => metrics.map(Arc::as_ref),
        };
        let accumulables = totals.filter(|_| self.include_task_metrics_accumulators).map(|value| MetricAccumulables {
            stage,
            update: metrics.map(Arc::as_ref),
            value,
        });
        line(out, "SparkListenerTaskEnd", |object| {
            stage_attempt(object, stage);
            object.field("Task Type", task_type);
            object.object("Task End Reason", |object| task_end_reason(object, reason));
            object.object("Task Info", |object| task_info(object, task, &Accumulables::All(accumulables)));
            no_executor_metrics(object);
            if let Some(metrics) = metrics {
                object.object("Task Metrics", |object| task_metrics(object, metrics));
            }
        });
    }
}

const EXECUTOR_EXCLUDED: [&str; 2] = ["ExecutorBlacklisted", "ExecutorExcluded"];
const EXECUTOR_EXCLUDED_FOR_STAGE: [&str; 2] = ["ExecutorBlacklistedForStage", "ExecutorExcludedForStage"];
const NODE_EXCLUDED: [&str; 2] = ["NodeBlacklisted", "NodeExcluded"];
const NODE_EXCLUDED_FOR_STAGE: [&str; 2] = ["NodeBlacklistedForStage", "NodeExcludedForStage"];

fn for_stage(
    stage: Option<StageAttemptId>,
    application: [&'static str; 2],
    for_stage: [&'static str; 2],
) -> [&'static str; 2] {
    if stage.is_some() { for_stage } else { application }
}

/// The same event under its old and its new name.
fn exclusion(out: &mut Vec<u8>, names: [&str; 2], members: impl Fn(&mut Object<'_>)) {
    for name in names {
        class(out, name, &members);
    }
}

fn class(out: &mut Vec<u8>, name: &str, members: impl FnOnce(&mut Object<'_>)) {
    line(out, &format!("{PACKAGE}{name}"), members);
}

fn stage_attempt(object: &mut Object<'_>, stage: StageAttemptId) {
    object.field("Stage ID", stage.stage_id);
    object.field("Stage Attempt ID", stage.attempt);
}

fn camel_stage_attempt(object: &mut Object<'_>, stage: StageAttemptId) {
    object.field("stageId", stage.stage_id);
    object.field("stageAttemptId", stage.attempt);
}

fn job_result(object: &mut Object<'_>, outcome: &JobOutcome) {
    match outcome {
        JobOutcome::Succeeded => object.field("Result", "JobSucceeded"),
        JobOutcome::Failed { message } => {
            object.field("Result", "JobFailed");
            object.object("Exception", |object| {
                object.field("Message", message);
                object.array("Stack Trace", |_| {});
            });
        }
    }
}

fn executor_metrics_update(
    out: &mut Vec<u8>,
    executor_id: &ExecutorId,
    updates: &[(TaskId, StageAttemptId, Vec<AccumulatorUpdate>)],
    memory: &[(Option<StageAttemptId>, ExecutorMetrics)],
) {
    line(out, "SparkListenerExecutorMetricsUpdate", |object| {
        object.field("Executor ID", executor_id);
        object.array("Metrics Updated", |array| {
            for (task_id, stage, updates) in updates {
                array.object(|object| {
                    object.field("Task ID", task_id);
                    stage_attempt(object, *stage);
                    object.array("Accumulator Updates", |array| {
                        updates.iter().for_each(|update| array.object(|object| accumulator_update(object, update)));
                    });
                });
            }
        });
        object.array("Executor Metrics Updated", |array| {
            for (stage, metrics) in memory {
                array.object(|object| {
                    match stage {
                        Some(stage) => stage_attempt(object, *stage),
                        // What Spark writes for the driver, which belongs to no stage.
                        None => ["Stage ID", "Stage Attempt ID"].into_iter().for_each(|name| object.field(name, -1)),
                    }
                    object.object("Executor Metrics", |object| executor_metrics(object, metrics));
                });
            }
        });
    });
}
