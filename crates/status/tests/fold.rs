//! Stories told as events, and the state that must come of them.

use std::{collections::BTreeMap, sync::Arc};

use firesteel_model::*;
use firesteel_status::{ApplicationStatus, JobState, RetainedLimits, StageState, TaskState};
use proptest::prelude::*;

fn stage_id(stage_id: u32, attempt: u32) -> StageAttemptId {
    StageAttemptId { stage_id: StageId(stage_id), attempt: StageAttempt(attempt) }
}

fn snapshot(id: StageAttemptId, tasks: u32) -> StageSnapshot {
    let rdd = RddStorageInfo {
        id: RddId(id.stage_id.0),
        name: "cached".to_owned(),
        scope: None,
        call_site: String::new(),
        parents: Vec::new(),
        storage_level: StorageLevel::MEMORY_ONLY,
        barrier: false,
        partitions: tasks,
        cached_partitions: 0,
        memory_size: 0,
        disk_size: 0,
    };
    StageSnapshot {
        id,
        name: format!("stage {}", id.stage_id),
        details: String::new(),
        tasks,
        rdds: vec![rdd],
        parents: Vec::new(),
        shuffle_id: None,
        submission_time_ms: None,
        completion_time_ms: None,
        failure_reason: None,
        accumulables: BTreeMap::new(),
        resource_profile_id: ResourceProfileId(0),
        barrier: false,
    }
}

/// Tells events to a status.
struct Story {
    status: ApplicationStatus,
    next_task: u64,
}

impl Story {
    fn new(limits: RetainedLimits) -> Self {
        Self { status: ApplicationStatus::new(limits), next_task: 0 }
    }

    fn tell(&mut self, event: ListenerEvent) {
        self.status.apply(&event);
    }

    fn job(&mut self, job_id: u32, stages: &[(u32, u32)], properties: &[(&str, &str)]) {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let stages = stages.iter().map(|(id, tasks)| Arc::new(snapshot(stage_id(*id, 0), *tasks))).collect();
        let properties = Arc::new(properties);
        self.tell(ListenerEvent::JobStart { job_id: JobId(job_id), time_ms: 100, stages, properties });
    }

    fn end_job(&mut self, job_id: u32, failure: Option<&str>) {
        let outcome = match failure {
            None => JobOutcome::Succeeded,
            Some(message) => JobOutcome::Failed { message: message.to_owned() },
        };
        self.tell(ListenerEvent::JobEnd { job_id: JobId(job_id), time_ms: 900, outcome });
    }

    fn submit(&mut self, id: StageAttemptId, tasks: u32) {
        let stage = StageSnapshot { submission_time_ms: Some(200), ..snapshot(id, tasks) };
        self.tell(ListenerEvent::StageSubmitted { stage: Arc::new(stage), properties: Arc::default() });
    }

    fn complete(&mut self, id: StageAttemptId, tasks: u32, failure: Option<&str>) {
        let stage = StageSnapshot {
            completion_time_ms: Some(800),
            failure_reason: failure.map(str::to_owned),
            ..snapshot(id, tasks)
        };
        self.tell(ListenerEvent::StageCompleted { stage: Arc::new(stage) });
    }

    fn start(&mut self, stage: StageAttemptId, index: u32, executor: &str) -> TaskSnapshot {
        let task = TaskSnapshot {
            task_id: TaskId(self.next_task),
            index,
            attempt: TaskAttemptNumber(0),
            partition: Partition(index),
            launch_time_ms: 300,
            executor_id: ExecutorId::from(executor),
            host: format!("host-{executor}"),
            locality: TaskLocality::Any,
            speculative: false,
            getting_result_time_ms: 0,
            finish_time_ms: 0,
            failed: false,
            killed: false,
            accumulables: Vec::new(),
            resources: Vec::new(),
        };
        self.next_task += 1;
        self.tell(ListenerEvent::TaskStart { stage, task: task.clone() });
        task
    }

    fn end(&mut self, stage: StageAttemptId, task: TaskSnapshot, reason: TaskEndReason) {
        let metrics = TaskMetrics {
            input: InputMetrics { bytes_read: 10, records_read: 1 },
            executor_run_time_ms: 5,
            ..TaskMetrics::default()
        };
        let task = TaskSnapshot { finish_time_ms: 350, ..task };
        let metrics = Some(Arc::new(metrics));
        self.tell(ListenerEvent::TaskEnd { stage, task_type: "ResultTask", reason, task, metrics });
    }

    fn run(&mut self, stage: StageAttemptId, index: u32, reason: TaskEndReason) {
        let task = self.start(stage, index, "1");
        self.end(stage, task, reason);
    }
}

fn killed() -> TaskEndReason {
    TaskEndReason::TaskKilled { reason: "another attempt succeeded".to_owned() }
}

fn exception() -> TaskEndReason {
    TaskEndReason::ExceptionFailure {
        class_name: "panic".to_owned(),
        description: "x".repeat(10_000),
        stack_trace: String::new(),
        retryable: true,
    }
}

#[test]
fn a_job_counts_the_tasks_of_its_stages() {
    let mut story = Story::new(RetainedLimits::default());
    let (map, reduce) = (stage_id(0, 0), stage_id(1, 0));
    story.job(0, &[(0, 2), (1, 1)], &[(property::JOB_GROUP, "g"), (property::JOB_TAGS, "a,b")]);
    story.submit(map, 2);
    let first = story.start(map, 0, "1");
    let job = story.status.job(JobId(0)).unwrap();
    assert_eq!((job.tasks, job.active_tasks, job.active_stages), (3, 1, 1));
    let progress = story.status.active_stages();
    assert_eq!((progress[0].tasks, progress[0].active_tasks, progress[0].completed_tasks), (2, 1, 0));

    // A speculative copy of task 0 wins, and the original comes in too: two completed attempts, one completed index.
    let copy = story.start(map, 0, "2");
    story.end(map, copy, TaskEndReason::Success);
    story.end(map, first, TaskEndReason::Success);
    story.run(map, 1, exception());
    story.run(map, 1, killed());
    story.run(map, 1, TaskEndReason::Success);
    let stage = story.status.stage(map).unwrap();
    let counts = (stage.completed_tasks, stage.completed_indices, stage.failed_tasks, stage.killed_tasks);
    assert_eq!(counts, (3, 2, 1, 1));
    assert_eq!(stage.killed_tasks_summary["another attempt succeeded"], 1);
    assert_eq!(stage.totals.input.bytes_read, 50);
    assert_eq!(stage.executors[&ExecutorId::from("1")].succeeded_tasks, 2);
    assert_eq!(stage.progress().completed_tasks, 2);
    let failed = stage.tasks().find(|row| row.state == TaskState::Failed).unwrap();
    assert!(failed.error.as_ref().unwrap().len() < 2100, "long errors are cut");
    story.complete(map, 2, None);

    story.submit(reduce, 1);
    story.run(reduce, 0, TaskEndReason::Success);
    story.complete(reduce, 1, None);
    story.end_job(0, None);
    let job = story.status.job(JobId(0)).unwrap();
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!((job.active_tasks, job.completed_tasks, job.completed_indices), (0, 4, 3));
    assert_eq!((job.failed_tasks, job.killed_tasks, job.completed_stages, job.active_stages), (1, 1, 2, 0));
    assert!(story.status.active_stages().is_empty());
}

#[test]
fn the_status_tracker_finds_jobs_and_stages() {
    let mut story = Story::new(RetainedLimits::default());
    story.job(0, &[(0, 1)], &[(property::JOB_GROUP, "g")]);
    story.job(1, &[(1, 1)], &[(property::JOB_TAGS, "nightly")]);
    story.job(2, &[(2, 1)], &[(property::JOB_GROUP, "g")]);
    story.submit(stage_id(2, 0), 1);
    story.submit(stage_id(0, 0), 1);
    assert_eq!(story.status.job_ids_for_group(Some("g")), [JobId(0), JobId(2)]);
    assert_eq!(story.status.job_ids_for_group(None), [JobId(1)]);
    assert_eq!(story.status.job_ids_for_group(Some("other")), []);
    assert_eq!(story.status.job_ids_for_tag("nightly"), [JobId(1)]);
    assert_eq!(story.status.active_stage_ids(), [StageId(2), StageId(0)]);
    story.end_job(0, None);
    assert_eq!(story.status.active_job_ids(), [JobId(1), JobId(2)]);
    assert_eq!(story.status.job_ids_for_group(Some("g")), [JobId(0), JobId(2)], "ended jobs are found too");
    assert!(story.status.last_stage_attempt(StageId(9)).is_none());
}

#[test]
fn stages_that_did_not_have_to_run_are_skipped() {
    let mut story = Story::new(RetainedLimits::default());
    story.job(0, &[(0, 4), (1, 2)], &[]);
    story.submit(stage_id(1, 0), 2);
    story.complete(stage_id(1, 0), 2, Some("aborted"));
    story.end_job(0, Some("aborted"));
    let job = story.status.job(JobId(0)).unwrap();
    assert_eq!((job.state, job.failure.as_deref()), (JobState::Failed, Some("aborted")));
    assert_eq!((job.skipped_stages, job.skipped_tasks, job.failed_stages), (1, 4, 1));
    assert_eq!(story.status.stage(stage_id(0, 0)).unwrap().state, StageState::Skipped);
    assert_eq!(story.status.stage(stage_id(1, 0)).unwrap().state, StageState::Failed);
    let summary = story.status.summary();
    assert_eq!((summary.failed_jobs, summary.failed_stages, summary.skipped_stages), (1, 1, 1));
}

#[test]
fn a_stage_that_another_job_waits_for_is_not_skipped() {
    let mut story = Story::new(RetainedLimits::default());
    story.job(0, &[(0, 4)], &[]);
    story.job(1, &[(0, 4)], &[]);
    story.end_job(0, Some("cancelled"));
    assert_eq!(story.status.stage(stage_id(0, 0)).unwrap().state, StageState::Pending);
    story.submit(stage_id(0, 0), 4);
    story.run(stage_id(0, 0), 0, TaskEndReason::Success);
    assert_eq!(story.status.job(JobId(1)).unwrap().completed_tasks, 1);
    assert_eq!(story.status.job(JobId(0)).unwrap().completed_tasks, 0, "the ended job no longer counts");
}

#[test]
fn a_lost_output_is_computed_again() {
    let mut story = Story::new(RetainedLimits::default());
    let (first, second) = (stage_id(0, 0), stage_id(0, 1));
    story.job(0, &[(0, 2)], &[]);
    story.submit(first, 2);
    let task = story.start(first, 0, "1");
    story.end(first, task.clone(), TaskEndReason::Success);
    // The executor is lost while the stage runs: the finished task is told of a second time.
    story.end(first, task, TaskEndReason::Resubmitted);
    let stage = story.status.stage(first).unwrap();
    assert_eq!((stage.active_tasks, stage.completed_indices, stage.failed_tasks), (0, 0, 1));
    assert_eq!(stage.totals.input.bytes_read, 10, "what it measured counts once");
    story.complete(first, 2, Some("fetch failed"));
    story.submit(second, 1);
    story.run(second, 1, TaskEndReason::Success);
    let last = story.status.last_stage_attempt(StageId(0)).unwrap();
    assert_eq!((last.id(), last.completed_indices), (second, 1));
    assert_eq!(story.status.job(JobId(0)).unwrap().completed_indices, 1);
}

#[test]
fn executors_come_work_are_excluded_and_go() {
    let mut story = Story::new(RetainedLimits { dead_executors: 1, ..RetainedLimits::default() });
    let one = ExecutorId::from("1");
    let info = ExecutorInfo {
        host: "host-1".to_owned(),
        cores: 4,
        log_urls: BTreeMap::new(),
        attributes: BTreeMap::new(),
        resources: Vec::new(),
        resource_profile_id: ResourceProfileId(0),
    };
    for id in ["1", "2"] {
        let executor_id = ExecutorId::from(id);
        let info = Arc::new(ExecutorInfo { host: format!("host-{id}"), ..info.clone() });
        story.tell(ListenerEvent::ExecutorAdded { time_ms: 10, executor_id, info });
    }
    let stage = stage_id(0, 0);
    story.job(0, &[(0, 2)], &[]);
    story.submit(stage, 2);
    story.run(stage, 0, TaskEndReason::Success);
    let excluded = |stage| ListenerEvent::ExecutorExcluded {
        time_ms: 20,
        executor_id: ExecutorId::from("1"),
        task_failures: 2,
        stage,
    };
    story.tell(excluded(Some(stage)));
    story.tell(excluded(None));
    let executor = story.status.executor_status(&one).unwrap();
    assert_eq!((executor.cores(), executor.completed_tasks, executor.total_duration_ms), (4, 1, 50));
    assert!(executor.excluded && executor.excluded_in_stages.contains(&stage));
    assert!(story.status.stage(stage).unwrap().executors[&one].excluded);
    story.tell(ListenerEvent::ExecutorUnexcluded { time_ms: 30, executor_id: one.clone() });
    story.complete(stage, 2, None);
    let executor = story.status.executor_status(&one).unwrap();
    assert!(!executor.excluded && executor.excluded_in_stages.is_empty());

    for id in ["1", "2"] {
        let reason = format!("reason {id}");
        story.tell(ListenerEvent::ExecutorRemoved { time_ms: 40, executor_id: ExecutorId::from(id), reason });
    }
    assert!(story.status.executor_status(&one).is_none(), "one dead executor is kept, and it is the last");
    let two = story.status.executor_status(&ExecutorId::from("2")).unwrap();
    assert_eq!((two.is_active(), two.remove_reason.as_deref()), (false, Some("reason 2")));
    let summary = story.status.summary();
    let reasons: Vec<_> = summary.removals.iter().map(|removal| removal.reason.as_str()).collect();
    assert_eq!((summary.removed_executors, reasons), (2, vec!["reason 1", "reason 2"]));

    story.tell(ListenerEvent::ApplicationEnd { time_ms: 50, exit_code: Some(0) });
    let reason = "stopped".to_owned();
    story.tell(ListenerEvent::ExecutorRemoved { time_ms: 60, executor_id: ExecutorId::from("3"), reason });
    assert_eq!(story.status.summary().removed_executors, 2, "after the end, executors are meant to go");
}

#[test]
fn blocks_of_an_executor_that_is_heard_of_later_do_no_harm() {
    let mut story = Story::new(RetainedLimits::default());
    story.job(0, &[(0, 2)], &[]);
    story.submit(stage_id(0, 0), 2);
    story.tell(block("1", 0, StorageLevel::MEMORY_ONLY, 40));
    story.tell(block("1", 1, StorageLevel::MEMORY_ONLY, 40));
    // The queue has dropped its registration: only now is it heard of.
    story.start(stage_id(0, 0), 0, "1");
    story.tell(block("1", 0, StorageLevel::NONE, 0));
    story.tell(ListenerEvent::UnpersistRdd { rdd_id: RddId(0) });
    let executor = story.status.executors().next().unwrap();
    assert_eq!((executor.memory_used, executor.rdd_blocks), (0, 0));
}

fn block(executor: &str, partition: u32, storage_level: StorageLevel, memory_size: u64) -> ListenerEvent {
    ListenerEvent::BlockUpdated(BlockUpdatedInfo {
        block_manager_id: BlockManagerId {
            executor_id: ExecutorId::from(executor),
            host: format!("host-{executor}"),
            port: 1,
        },
        block_id: BlockId::Rdd(RddId(0), Partition(partition)),
        storage_level,
        memory_size,
        disk_size: 0,
    })
}

#[test]
fn storage_follows_the_blocks() {
    let mut story = Story::new(RetainedLimits::default());
    for executor in ["1", "2"] {
        story.tell(ListenerEvent::BlockManagerAdded {
            time_ms: 1,
            block_manager_id: BlockManagerId {
                executor_id: ExecutorId::from(executor),
                host: format!("host-{executor}"),
                port: 1,
            },
            maximum_memory: 100,
            maximum_on_heap_memory: 100,
            maximum_off_heap_memory: 0,
        });
    }
    story.job(0, &[(0, 2)], &[]);
    story.submit(stage_id(0, 0), 2);
    story.tell(block("1", 0, StorageLevel::MEMORY_ONLY, 40));
    story.tell(block("1", 0, StorageLevel::MEMORY_ONLY, 30));
    story.tell(block("1", 1, StorageLevel::MEMORY_ONLY, 5));
    story.tell(block("2", 0, StorageLevel::MEMORY_ONLY, 30));
    let used = |story: &Story| {
        let rdd = story.status.rdds().next().map(|rdd| (rdd.memory_used, rdd.cached.len()));
        let executors: Vec<_> = story.status.executors().map(|e| (e.memory_used, e.rdd_blocks)).collect();
        (rdd, executors)
    };
    assert_eq!(used(&story), (Some((65, 2)), vec![(35, 2), (30, 1)]));
    story.tell(block("1", 1, StorageLevel::NONE, 0));
    assert_eq!(used(&story), (Some((60, 1)), vec![(30, 1), (30, 1)]));
    let reason = "lost".to_owned();
    story.tell(ListenerEvent::ExecutorRemoved { time_ms: 2, executor_id: ExecutorId::from("2"), reason });
    assert_eq!(used(&story), (Some((30, 1)), vec![(30, 1), (0, 0)]));
    story.tell(ListenerEvent::UnpersistRdd { rdd_id: RddId(0) });
    assert_eq!(used(&story), (None, vec![(0, 0), (0, 0)]));
}

#[test]
fn a_stage_of_a_million_tasks_keeps_the_last_rows_and_every_count() {
    let limits = RetainedLimits { tasks: 1000, ..RetainedLimits::default() };
    let mut story = Story::new(limits);
    let (stage, tasks) = (stage_id(0, 0), 1_000_000);
    story.job(0, &[(0, tasks)], &[]);
    story.submit(stage, tasks);
    for index in 0..tasks {
        story.run(stage, index, TaskEndReason::Success);
    }
    let status = story.status.stage(stage).unwrap();
    assert_eq!(status.completed_indices, u64::from(tasks));
    assert_eq!(status.totals.input.bytes_read, 10 * u64::from(tasks));
    assert_eq!(status.tasks().count(), 1000);
    assert_eq!(status.dropped_tasks(), u64::from(tasks) - 1000);
    assert_eq!(status.tasks().next().unwrap().index, tasks - 1000, "the oldest went first");
}

#[test]
fn ended_jobs_and_stages_go_oldest_first_and_still_count() {
    let mut story = Story::new(RetainedLimits { jobs: 3, stages: 2, ..RetainedLimits::default() });
    story.job(100, &[(100, 1)], &[]);
    for id in 0..10 {
        story.job(id, &[(id, 1)], &[]);
        story.submit(stage_id(id, 0), 1);
        story.run(stage_id(id, 0), 0, TaskEndReason::Success);
        story.complete(stage_id(id, 0), 1, None);
        story.end_job(id, None);
    }
    let jobs: Vec<_> = story.status.jobs().map(|job| job.id.0).collect();
    assert_eq!(jobs, [8, 9, 100], "what runs is kept, though it is the oldest");
    let stages: Vec<_> = story.status.stages().map(|stage| stage.id().stage_id.0).collect();
    assert_eq!(stages, [9, 100]);
    let summary = story.status.summary();
    assert_eq!((summary.jobs, summary.stages, summary.completed_tasks), (11, 10, 10));
    assert_eq!(summary.totals.input.bytes_read, 100);
}

/// One thing that a made-up scheduler may do.
#[derive(Clone, Debug)]
enum Step {
    Submit(u32),
    Start(u32, u32),
    End(usize, u8),
    Complete(u32, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u32..4).prop_map(Step::Submit),
        (0u32..4, 0u32..8).prop_map(|(stage, index)| Step::Start(stage, index)),
        (any::<prop::sample::Index>(), 0u8..4).prop_map(|(which, how)| Step::End(which.index(1000), how)),
        (0u32..4, any::<bool>()).prop_map(|(stage, failed)| Step::Complete(stage, failed)),
    ]
}

proptest! {
    /// Safety, for any order of events, even one no scheduler would produce: limits hold, sums agree, nothing panics.
    #[test]
    fn counts_agree_and_limits_hold(steps in prop::collection::vec(step(), 0..400)) {
        let limits = RetainedLimits { jobs: 2, stages: 3, tasks: 5, all_tasks: 8, dead_executors: 1 };
        let mut story = Story::new(limits);
        story.job(0, &[(0, 8), (1, 8), (2, 8), (3, 8)], &[]);
        let mut running: Vec<(StageAttemptId, TaskSnapshot)> = Vec::new();
        for step in steps {
            match step {
                Step::Submit(stage) => story.submit(stage_id(stage, 0), 8),
                Step::Start(stage, index) => {
                    let task = story.start(stage_id(stage, 0), index, if index % 2 == 0 { "1" } else { "2" });
                    running.push((stage_id(stage, 0), task));
                }
                Step::End(which, how) if !running.is_empty() => {
                    let (stage, task) = running.swap_remove(which % running.len());
                    let reason = match how {
                        0 | 1 => TaskEndReason::Success,
                        2 => killed(),
                        _ => exception(),
                    };
                    story.end(stage, task, reason);
                }
                Step::End(..) => {}
                Step::Complete(stage, failed) => story.complete(stage_id(stage, 0), 8, failed.then_some("failed")),
            }
            let summary = story.status.summary();
            let ended = summary.completed_tasks + summary.failed_tasks + summary.killed_tasks;
            prop_assert_eq!(summary.tasks, ended + running.len() as u64);
            let active: u64 = story.status.executors().map(|executor| executor.active_tasks).sum();
            prop_assert_eq!(active, running.len() as u64);
            prop_assert_eq!(summary.totals.input.bytes_read, 10 * ended);
            let mut rows = 0;
            for stage in story.status.stages() {
                prop_assert!(stage.completed_indices <= 8);
                let kept = stage.tasks().count();
                let ended = stage.tasks().filter(|row| row.state.has_ended()).count();
                prop_assert!(kept <= limits.tasks || ended == 0, "{kept} rows, {ended} of them ended");
                rows += kept;
            }
            let running_rows = story.status.stages().flat_map(|s| s.tasks()).filter(|r| !r.state.has_ended()).count();
            prop_assert!(rows <= limits.all_tasks.max(running_rows), "{rows} rows");
        }
    }
}
