//! Scenarios on a clock that only moves when it is told to.

mod growth;
mod random;
mod removal;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use firesteel_model::{
    ApplicationId, BlockId, BlockManagerId, BlockUpdatedInfo, ExecutorId, ExecutorInfo, JobId, JobOutcome,
    ListenerEvent, LocalProperties, Moment, Partition, RddId, ResourceProfileId, ShuffleId, StageAttempt,
    StageAttemptId, StageId, StageSnapshot, StorageLevel, TaskEndReason, TaskId, TaskLocality, TaskSnapshot,
};

use crate::{AllocationOptions, Decision, ExecutorAllocationManager, ExecutorShape};

/// Spark's defaults, with executors of one slot.
fn options() -> AllocationOptions {
    AllocationOptions {
        min_executors: 0,
        max_executors: u32::MAX,
        initial_executors: 0,
        executor_allocation_ratio: 1.0,
        scheduler_backlog_timeout: Duration::from_secs(1),
        sustained_scheduler_backlog_timeout: Duration::from_secs(1),
        executor_idle_timeout: Duration::from_secs(60),
        cached_executor_idle_timeout: None,
        shuffle_tracking: true,
        shuffle_tracking_timeout: None,
        disk_blocks_outlive_executors: false,
        executor: ExecutorShape { cores: Some(1), resources: vec![] },
        task: vec![("cpus".to_owned(), 1.0)],
    }
}

/// An application, and the driver's part in it.
struct Story {
    manager: ExecutorAllocationManager,
    now: Moment,
    running: BTreeMap<u64, (StageAttemptId, TaskSnapshot)>,
    next_task: u64,
}

fn story(options: AllocationOptions) -> Story {
    let manager = ExecutorAllocationManager::new(options).expect("the options are valid");
    Story { manager, now: Moment(0), running: BTreeMap::new(), next_task: 0 }
}

fn executor(number: u32) -> ExecutorId {
    ExecutorId::new(number.to_string())
}

fn attempt(stage: u32) -> StageAttemptId {
    StageAttemptId { stage_id: StageId(stage), attempt: StageAttempt(0) }
}

fn snapshot(stage: u32, tasks: u32, shuffle: Option<u32>) -> Arc<StageSnapshot> {
    Arc::new(StageSnapshot {
        id: attempt(stage),
        name: String::new(),
        details: String::new(),
        tasks,
        rdds: vec![],
        parents: vec![],
        shuffle_id: shuffle.map(ShuffleId),
        submission_time_ms: None,
        completion_time_ms: None,
        failure_reason: None,
        accumulables: BTreeMap::new(),
        resource_profile_id: ResourceProfileId(0),
        barrier: false,
    })
}

impl Story {
    fn hear(&mut self, event: ListenerEvent) {
        self.manager.listen(self.now, &event);
    }

    fn after(&mut self, wait: Duration) -> &mut Self {
        self.now = self.now + wait;
        self
    }

    fn seconds(&mut self, seconds: u64) -> &mut Self {
        self.after(Duration::from_secs(seconds))
    }

    /// The number that is asked for, if it has changed. Executors must stay.
    fn total(&mut self) -> Option<u32> {
        let Decision { total, remove } = self.manager.decide(self.now);
        assert_eq!(remove, [], "executors are given back");
        total
    }

    /// Who is given back, and does end.
    fn removed(&mut self) -> Vec<String> {
        let Decision { remove, .. } = self.manager.decide(self.now);
        for id in &remove {
            self.hear(ListenerEvent::ExecutorRemoved { time_ms: 0, executor_id: id.clone(), reason: String::new() });
        }
        remove.iter().map(ToString::to_string).collect()
    }

    fn executors(&mut self, numbers: impl IntoIterator<Item = u32>, cores: u32) {
        for number in numbers {
            let info = ExecutorInfo {
                host: "h".to_owned(),
                cores,
                log_urls: BTreeMap::new(),
                attributes: BTreeMap::new(),
                resources: vec![],
                resource_profile_id: ResourceProfileId(0),
            };
            let executor_id = executor(number);
            self.hear(ListenerEvent::ExecutorAdded { time_ms: 0, executor_id, info: Arc::new(info) });
        }
    }

    fn job(&mut self, job: u32, stages: &[Arc<StageSnapshot>]) {
        self.hear(ListenerEvent::JobStart {
            job_id: JobId(job),
            time_ms: 0,
            stages: stages.to_vec(),
            properties: LocalProperties::default(),
        });
    }

    fn job_ends(&mut self, job: u32) {
        self.hear(ListenerEvent::JobEnd { job_id: JobId(job), time_ms: 0, outcome: JobOutcome::Succeeded });
    }

    fn stage(&mut self, stage: &Arc<StageSnapshot>) {
        self.hear(ListenerEvent::StageSubmitted { stage: Arc::clone(stage), properties: LocalProperties::default() });
    }

    fn stage_ends(&mut self, stage: &Arc<StageSnapshot>) {
        self.hear(ListenerEvent::StageCompleted { stage: Arc::clone(stage) });
    }

    fn launch(&mut self, stage: u32, index: u32, on: u32) -> u64 {
        self.launch_as(stage, index, on, false)
    }

    fn launch_as(&mut self, stage: u32, index: u32, on: u32, speculative: bool) -> u64 {
        let number = self.next_task;
        self.next_task += 1;
        let task = TaskSnapshot {
            task_id: TaskId(number),
            index,
            attempt: Default::default(),
            partition: Partition(index),
            launch_time_ms: 0,
            executor_id: executor(on),
            host: "h".to_owned(),
            locality: TaskLocality::NoPref,
            speculative,
            getting_result_time_ms: 0,
            finish_time_ms: 0,
            failed: false,
            killed: false,
            accumulables: vec![],
            resources: vec![],
        };
        self.running.insert(number, (attempt(stage), task.clone()));
        self.hear(ListenerEvent::TaskStart { stage: attempt(stage), task });
        number
    }

    fn ends(&mut self, number: u64, task_type: &'static str, reason: TaskEndReason) {
        let (stage, task) = self.running.remove(&number).expect("it runs");
        self.hear(ListenerEvent::TaskEnd { stage, task_type, reason, task, metrics: None });
    }

    fn succeeds(&mut self, number: u64) {
        self.ends(number, "ResultTask", TaskEndReason::Success);
    }

    fn writes(&mut self, number: u64) {
        self.ends(number, "ShuffleMapTask", TaskEndReason::Success);
    }

    fn caches(&mut self, on: u32, rdd: u32, level: StorageLevel) {
        let in_memory = level.use_memory;
        self.hear(ListenerEvent::BlockUpdated(BlockUpdatedInfo {
            block_manager_id: BlockManagerId { executor_id: executor(on), host: "h".to_owned(), port: 1 },
            block_id: BlockId::Rdd(RddId(rdd), Partition(0)),
            storage_level: level,
            memory_size: u64::from(in_memory),
            disk_size: u64::from(!in_memory && level.is_valid()),
        }));
    }
}

#[test]
fn what_has_nothing_to_do_with_executors_is_not_minded() {
    let mut story = story(options());
    story.hear(ListenerEvent::ApplicationStart {
        app_name: "a".to_owned(),
        app_id: ApplicationId::new("a"),
        time_ms: 0,
        user: "u".to_owned(),
    });
    assert_eq!(story.manager.decide(Moment(u64::MAX)), Decision::default());
    assert_eq!(story.manager.next_deadline(Moment(0)), None);
}
