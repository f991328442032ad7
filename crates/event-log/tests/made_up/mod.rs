//! A made-up application: a short story in which every kind of event happens.
//!
//! Job 0 writes a shuffle and reads it. Job 1 finds that shuffle's output (so stage 2 is skipped), meets everything that
//! can go wrong with a task, and fails.

#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::{collections::BTreeMap, sync::Arc};

use firesteel_event_log::{CompressionCodec, EventLogOptions, RollingOptions};
use firesteel_model::*;

/// When the story begins.
pub const START_MS: i64 = 1_795_265_600_000;

pub const NAME: &str = "made up \"application\" ☃ <b>";
pub const USER: &str = "someone";

pub fn options(directory: &std::path::Path, app_id: &str) -> EventLogOptions {
    EventLogOptions {
        directory: directory.to_owned(),
        app_id: ApplicationId::from(app_id),
        app_attempt_id: None,
        overwrite: false,
        buffer_size: ByteCount::kib(100),
        compression: None,
        rolling: None,
        log_block_updates: true,
        log_stage_executor_metrics: true,
        include_task_metrics_accumulators: true,
        redaction: None,
    }
}

pub fn rolling(codec: CompressionCodec) -> impl FnOnce(EventLogOptions) -> EventLogOptions {
    move |options| EventLogOptions {
        compression: Some(codec),
        rolling: Some(RollingOptions::new(RollingOptions::MIN_FILE_SIZE).expect("the least size is allowed")),
        ..options
    }
}

/// The whole story.
pub fn events(app_id: &str) -> Vec<ListenerEvent> {
    let mut events = start(app_id);
    events.extend(job_that_succeeds());
    events.extend(job_that_fails());
    events.extend(end());
    events
}

pub fn start(app_id: &str) -> Vec<ListenerEvent> {
    let added = |id: &str, offset: i64| ListenerEvent::ExecutorAdded {
        time_ms: START_MS + offset,
        executor_id: ExecutorId::from(id),
        info: Arc::new(ExecutorInfo {
            host: format!("host-{id}"),
            cores: 2,
            log_urls: BTreeMap::from([("stdout".to_owned(), format!("http://host-{id}:8081/stdout"))]),
            attributes: BTreeMap::from([("CONTAINER".to_owned(), format!("c-{id}"))]),
            resources: vec![ResourceInformation { name: "gpu".to_owned(), addresses: vec!["0".to_owned()] }],
            resource_profile_id: ResourceProfileId(0),
        }),
    };
    let block_manager_added = |id: &str| ListenerEvent::BlockManagerAdded {
        time_ms: START_MS + 10,
        block_manager_id: block_manager(id),
        maximum_memory: 512 << 20,
        maximum_on_heap_memory: 384 << 20,
        maximum_off_heap_memory: 128 << 20,
    };
    vec![
        ListenerEvent::ResourceProfileAdded {
            id: ResourceProfileId(0),
            executor_resources: vec![
                ExecutorResourceRequest::plain("cores", 2),
                ExecutorResourceRequest::plain("memory", 1024),
                ExecutorResourceRequest {
                    name: "gpu".to_owned(),
                    amount: 2,
                    discovery_script: "/opt/gpus.sh".to_owned(),
                    vendor: "nvidia.com".to_owned(),
                },
            ],
            task_resources: vec![("cpus".to_owned(), 1.0), ("gpu".to_owned(), 0.5)],
        },
        block_manager_added("driver"),
        ListenerEvent::EnvironmentUpdate {
            runtime: pairs(&[("Firesteel Version", "0.1.0")]),
            spark_properties: pairs(&[
                ("spark.app.name", NAME),
                ("spark.files", "s3a://me:hunter2@bucket/a,file:/b"),
                ("spark.master", "spark://host:7077"),
                ("spark.made.up.password", "hunter2"),
            ]),
            system_properties: pairs(&[("os.name", "Linux")]),
        },
        ListenerEvent::ApplicationStart {
            app_name: NAME.to_owned(),
            app_id: ApplicationId::from(app_id),
            time_ms: START_MS,
            user: USER.to_owned(),
        },
        added("1", 100),
        block_manager_added("1"),
        added("2", 110),
        block_manager_added("2"),
    ]
}

/// Numbers that tell one another apart.
pub fn memory(times: u64) -> ExecutorMetrics {
    ExecutorMetrics {
        on_heap_execution: 100 * times,
        off_heap_execution: 10 * times,
        on_heap_storage: 200 * times,
        off_heap_storage: 20 * times,
        on_heap_unified: 300 * times,
        off_heap_unified: 30 * times,
        virtual_memory: 9000 * times,
        resident_memory: 8000 * times,
    }
}

pub fn job_that_succeeds() -> Vec<ListenerEvent> {
    let (map, reduce) = (stage(0, "map at made_up.rs:1", 2), stage(1, "collect at made_up.rs:2", 2));
    let mut events = vec![
        ListenerEvent::JobStart {
            job_id: JobId(0),
            time_ms: START_MS + 1000,
            stages: vec![Arc::clone(&map), Arc::clone(&reduce)],
            properties: properties(),
        },
        ListenerEvent::StageSubmitted { stage: submitted(&map, 1010), properties: properties() },
    ];
    for index in 0..2 {
        events.push(task_start(&map, u64::from(index), index, 1020));
    }
    events.push(ListenerEvent::SpeculativeTaskSubmitted { stage: map.id, task_index: 1, partition: Partition(1) });
    for index in 0..2 {
        events.push(task_end(&map, u64::from(index), index, TaskEndReason::Success, Some(map_metrics())));
    }
    events.push(ListenerEvent::StageCompleted { stage: completed(&map, 2000, None) });
    events.push(ListenerEvent::StageSubmitted { stage: submitted(&reduce, 2010), properties: properties() });
    for index in 0..2 {
        events.push(task_start(&reduce, 2 + u64::from(index), index, 2020));
    }
    events.push(block_updated(5, 0, "1", StorageLevel::MEMORY_AND_DISK, 1000, 0));
    events.push(block_updated(6, 0, "1", StorageLevel::MEMORY_AND_DISK, 2000, 50));
    events.push(ListenerEvent::ExecutorMetricsUpdate {
        executor_id: ExecutorId::from("1"),
        updates: vec![(
            TaskId(2),
            reduce.id,
            vec![AccumulatorUpdate {
                id: AccumulatorId(1),
                name: Some("internal.metrics.executorRunTime".to_owned()),
                value: AccumulatorValue::Long(12),
                additions: 1,
            }],
        )],
        memory: vec![(Some(reduce.id), memory(1))],
    });
    for (executor_id, memory) in [("1", vec![(Some(map.id), memory(9))]), ("driver", vec![(None, memory(2))])] {
        let executor_id = ExecutorId::from(executor_id);
        events.push(ListenerEvent::ExecutorMetricsUpdate { executor_id, updates: Vec::new(), memory });
    }
    events.push(ListenerEvent::TaskGettingResult {
        task: TaskSnapshot { getting_result_time_ms: START_MS + 2900, ..task(2, 0, 2020, &reduce) },
    });
    for index in 0..2 {
        let id = 2 + u64::from(index);
        events.push(task_end(&reduce, id, index, TaskEndReason::Success, Some(reduce_metrics())));
    }
    events.push(ListenerEvent::StageCompleted { stage: completed(&reduce, 3000, None) });
    events.push(ListenerEvent::JobEnd { job_id: JobId(0), time_ms: START_MS + 3010, outcome: JobOutcome::Succeeded });
    events.push(ListenerEvent::UnpersistRdd { rdd_id: RddId(5) });
    events
}

/// Every way in which a task can fail to succeed.
pub fn failures() -> Vec<TaskEndReason> {
    vec![
        TaskEndReason::FetchFailed {
            block_manager_id: Some(block_manager("2")),
            shuffle_id: ShuffleId(0),
            map_id: MapId(1),
            map_index: MapIndex(1),
            reduce_id: ReduceId(0),
            message: "connection reset".to_owned(),
        },
        TaskEndReason::FetchFailed {
            block_manager_id: None,
            shuffle_id: ShuffleId(0),
            map_id: MapId(0),
            map_index: MapIndex(0),
            reduce_id: ReduceId(0),
            message: "no location".to_owned(),
        },
        TaskEndReason::ExceptionFailure {
            class_name: "panic".to_owned(),
            description: "index out of bounds\nsecond line \u{1b}[31m".to_owned(),
            stack_trace: "   0: made_up::main".to_owned(),
            retryable: true,
        },
        TaskEndReason::TaskResultLost,
        TaskEndReason::ExecutorLostFailure {
            executor_id: ExecutorId::from("2"),
            exit_caused_by_app: true,
            reason: Some("exited with code 52".to_owned()),
        },
        TaskEndReason::ExecutorLostFailure {
            executor_id: ExecutorId::from("2"),
            exit_caused_by_app: false,
            reason: None,
        },
        TaskEndReason::TaskKilled { reason: "another attempt succeeded".to_owned() },
        TaskEndReason::TaskCommitDenied {
            stage_id: StageId(3),
            partition: Partition(1),
            attempt_number: TaskAttemptNumber(2),
        },
    ]
}

pub fn job_that_fails() -> Vec<ListenerEvent> {
    let (skipped, failing) = (stage(2, "map at made_up.rs:1", 2), stage(3, "collect at made_up.rs:3", 8));
    let mut events = vec![
        ListenerEvent::JobStart {
            job_id: JobId(1),
            time_ms: START_MS + 4000,
            stages: vec![skipped, Arc::clone(&failing)],
            properties: Arc::default(),
        },
        ListenerEvent::StageSubmitted { stage: submitted(&failing, 4010), properties: Arc::default() },
    ];
    for (index, reason) in (0..).zip(failures()) {
        let id = 10 + u64::from(index);
        events.push(task_start(&failing, id, index, 4020));
        // An executor that is lost leaves no metrics behind.
        let lost = matches!(reason, TaskEndReason::ExecutorLostFailure { .. });
        events.push(task_end(&failing, id, index, reason, (!lost).then(map_metrics)));
    }
    let executor_2 = || ExecutorId::from("2");
    let stage_id = failing.id;
    events.extend([
        ListenerEvent::ExecutorExcluded {
            time_ms: START_MS + 4500,
            executor_id: executor_2(),
            task_failures: 2,
            stage: Some(stage_id),
        },
        ListenerEvent::NodeExcluded {
            time_ms: START_MS + 4500,
            host: "host-2".to_owned(),
            executor_failures: 2,
            stage: Some(stage_id),
        },
        ListenerEvent::ExecutorExcluded {
            time_ms: START_MS + 4510,
            executor_id: executor_2(),
            task_failures: 2,
            stage: None,
        },
        ListenerEvent::NodeExcluded {
            time_ms: START_MS + 4510,
            host: "host-2".to_owned(),
            executor_failures: 2,
            stage: None,
        },
        ListenerEvent::UnschedulableTaskSetAdded { stage: stage_id },
        ListenerEvent::UnschedulableTaskSetRemoved { stage: stage_id },
        ListenerEvent::ExecutorUnexcluded { time_ms: START_MS + 4600, executor_id: executor_2() },
        ListenerEvent::NodeUnexcluded { time_ms: START_MS + 4600, host: "host-2".to_owned() },
        ListenerEvent::ExecutorRemoved {
            time_ms: START_MS + 4700,
            executor_id: executor_2(),
            reason: "exited with code 52".to_owned(),
        },
        ListenerEvent::BlockManagerRemoved { time_ms: START_MS + 4700, block_manager_id: block_manager("2") },
        ListenerEvent::StageCompleted { stage: completed(&failing, 5000, Some("Job aborted: task failed 4 times")) },
        ListenerEvent::JobEnd {
            job_id: JobId(1),
            time_ms: START_MS + 5010,
            outcome: JobOutcome::Failed { message: "Job aborted: task failed 4 times".to_owned() },
        },
    ]);
    events
}

pub fn end() -> Vec<ListenerEvent> {
    vec![ListenerEvent::ApplicationEnd { time_ms: START_MS + 6000, exit_code: Some(1) }]
}

/// A job of one stage with this many tasks.
pub fn wide_job(job_id: u32, stage_id: u32, tasks: u32) -> Vec<ListenerEvent> {
    let wide = stage(stage_id, "wide at made_up.rs:4", tasks);
    let mut events = vec![
        ListenerEvent::JobStart {
            job_id: JobId(job_id),
            time_ms: START_MS + 5100,
            stages: vec![Arc::clone(&wide)],
            properties: properties(),
        },
        ListenerEvent::StageSubmitted { stage: submitted(&wide, 5110), properties: properties() },
    ];
    for index in 0..tasks {
        let id = 1000 + u64::from(index);
        events.push(task_start(&wide, id, index, 5120));
        events.push(task_end(&wide, id, index, TaskEndReason::Success, Some(map_metrics())));
    }
    events.push(ListenerEvent::StageCompleted { stage: completed(&wide, 5500, None) });
    let outcome = JobOutcome::Succeeded;
    events.push(ListenerEvent::JobEnd { job_id: JobId(job_id), time_ms: START_MS + 5510, outcome });
    events
}

/// What each map task measured.
pub fn map_metrics() -> TaskMetrics {
    TaskMetrics {
        executor_deserialize_time_ms: 1,
        executor_deserialize_cpu_time_ns: 1_000_000,
        executor_run_time_ms: 500,
        executor_cpu_time_ns: 400_000_000,
        result_size_bytes: 1234,
        result_serialization_time_ms: 2,
        memory_bytes_spilled: 4096,
        disk_bytes_spilled: 1024,
        peak_execution_memory_bytes: 8192,
        shuffle_write: ShuffleWriteMetrics { bytes_written: 700, records_written: 70, write_time_ns: 5000 },
        input: InputMetrics { bytes_read: 10_000, records_read: 100 },
        ..TaskMetrics::default()
    }
}

/// What each reduce task measured.
pub fn reduce_metrics() -> TaskMetrics {
    TaskMetrics {
        executor_run_time_ms: 300,
        result_size_bytes: 99,
        shuffle_read: ShuffleReadMetrics {
            remote_blocks_fetched: 1,
            local_blocks_fetched: 1,
            fetch_wait_time_ms: 3,
            remote_bytes_read: 400,
            remote_bytes_read_to_disk: 40,
            local_bytes_read: 300,
            records_read: 70,
        },
        output: OutputMetrics { bytes_written: 5000, records_written: 50 },
        ..TaskMetrics::default()
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn properties() -> LocalProperties {
    let texts = [
        (property::JOB_GROUP, "group one"),
        (property::JOB_DESCRIPTION, "what it does"),
        (property::POOL, "production"),
        ("made.up.token", "do not tell"),
    ];
    Arc::new(texts.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn block_manager(id: &str) -> BlockManagerId {
    BlockManagerId { executor_id: ExecutorId::from(id), host: format!("host-{id}"), port: 7001 }
}

fn block_updated(
    rdd: u32,
    partition: u32,
    executor: &str,
    storage_level: StorageLevel,
    memory_size: u64,
    disk_size: u64,
) -> ListenerEvent {
    ListenerEvent::BlockUpdated(BlockUpdatedInfo {
        block_manager_id: block_manager(executor),
        block_id: BlockId::Rdd(RddId(rdd), Partition(partition)),
        storage_level,
        memory_size,
        disk_size,
    })
}

fn stage(stage_id: u32, name: &str, tasks: u32) -> Arc<StageSnapshot> {
    let rdd = |id: u32, storage_level| RddStorageInfo {
        id: RddId(id),
        name: "MapPartitionsRDD".to_owned(),
        scope: Some("map \"quoted\"".to_owned()),
        call_site: name.to_owned(),
        parents: id.checked_sub(1).map(RddId).into_iter().collect(),
        storage_level,
        barrier: false,
        partitions: tasks,
        cached_partitions: 0,
        memory_size: 0,
        disk_size: 0,
    };
    let rdds = match stage_id {
        1 => vec![rdd(6, StorageLevel::MEMORY_AND_DISK), rdd(5, StorageLevel::MEMORY_AND_DISK)],
        other => vec![rdd(other * 100, StorageLevel::NONE)],
    };
    Arc::new(StageSnapshot {
        id: StageAttemptId { stage_id: StageId(stage_id), attempt: StageAttempt(0) },
        name: name.to_owned(),
        details: format!("{name}\nmain at made_up.rs:9"),
        tasks,
        rdds,
        parents: if stage_id % 2 == 1 { vec![StageId(stage_id - 1)] } else { Vec::new() },
        shuffle_id: stage_id.is_multiple_of(2).then_some(ShuffleId(0)),
        submission_time_ms: None,
        completion_time_ms: None,
        failure_reason: None,
        accumulables: BTreeMap::new(),
        resource_profile_id: ResourceProfileId(0),
        barrier: false,
    })
}

fn submitted(stage: &StageSnapshot, offset: i64) -> Arc<StageSnapshot> {
    Arc::new(StageSnapshot { submission_time_ms: Some(START_MS + offset), ..stage.clone() })
}

fn completed(stage: &StageSnapshot, offset: i64, failure: Option<&str>) -> Arc<StageSnapshot> {
    let records = AccumulableInfo {
        id: AccumulatorId(7),
        name: Some("records".to_owned()),
        update: None,
        value: Some(AccumulatorValue::Long(42)),
    };
    Arc::new(StageSnapshot {
        submission_time_ms: Some(START_MS + offset - 900),
        completion_time_ms: Some(START_MS + offset),
        failure_reason: failure.map(str::to_owned),
        accumulables: BTreeMap::from([(AccumulatorId(7), records)]),
        ..stage.clone()
    })
}

fn task(id: u64, index: u32, offset: i64, stage: &StageSnapshot) -> TaskSnapshot {
    let failing = stage.id.stage_id == StageId(3);
    let executor = if index % 2 == 1 || failing { "2" } else { "1" };
    TaskSnapshot {
        task_id: TaskId(id),
        index,
        attempt: TaskAttemptNumber(0),
        partition: Partition(index),
        launch_time_ms: START_MS + offset,
        executor_id: ExecutorId::from(executor),
        host: format!("host-{executor}"),
        locality: TaskLocality::ALL[index as usize % 5],
        speculative: false,
        getting_result_time_ms: 0,
        finish_time_ms: 0,
        failed: false,
        killed: false,
        accumulables: Vec::new(),
        resources: Vec::new(),
    }
}

fn task_start(stage: &StageSnapshot, id: u64, index: u32, offset: i64) -> ListenerEvent {
    ListenerEvent::TaskStart { stage: stage.id, task: task(id, index, offset, stage) }
}

fn task_end(
    stage: &StageSnapshot,
    id: u64,
    index: u32,
    reason: TaskEndReason,
    metrics: Option<TaskMetrics>,
) -> ListenerEvent {
    let offset = match stage.id.stage_id.0 {
        0 => 1020,
        1 => 2020,
        3 => 4020,
        _ => 5120,
    };
    let killed = matches!(reason, TaskEndReason::TaskKilled { .. } | TaskEndReason::TaskCommitDenied { .. });
    let accumulables = vec![
        AccumulableInfo {
            id: AccumulatorId(7),
            name: Some("records".to_owned()),
            update: Some(AccumulatorValue::Long(21)),
            value: Some(AccumulatorValue::Long(42)),
        },
        AccumulableInfo {
            id: AccumulatorId(8),
            name: Some("share".to_owned()),
            update: Some(AccumulatorValue::Double(0.5)),
            value: Some(AccumulatorValue::Double(1.0)),
        },
        AccumulableInfo {
            id: AccumulatorId(9),
            name: None,
            update: Some(AccumulatorValue::Other { encoded: vec![1], display: "[a, b]".to_owned() }),
            value: None,
        },
    ];
    let finished = TaskSnapshot {
        finish_time_ms: START_MS + offset + 600,
        failed: !matches!(reason, TaskEndReason::Success) && !killed,
        killed,
        accumulables,
        ..task(id, index, offset, stage)
    };
    ListenerEvent::TaskEnd {
        stage: stage.id,
        task_type: if stage.shuffle_id.is_some() { "ShuffleMapTask" } else { "ResultTask" },
        reason,
        task: finished,
        metrics: metrics.map(Arc::new),
    }
}
