//! Safety under any messages at all: executors may say anything in any order, and no slot is given twice, no output is
//! delivered twice, nothing is left behind.

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};

use firesteel_model::{
    BlockManagerId, ByteCount, ExecutorLossReason, JobId, LocalProperties, MapId, MapIndex, MapStatus, Partition,
    RddId, ReduceId, ResourceProfileId, ShuffleId, StageAttempt, StageAttemptId, StageId, TaskAttemptNumber,
    TaskEndReason, TaskId,
};
use firesteel_scheduler::{
    BarrierMethod, BarrierOptions, BarrierSync, Command, Dependency, Determinism, Event, ExclusionOptions,
    ExecutorRegistration, HeartbeatOptions, JobKind, JobSubmission, LocalityOptions, LostOutputs, Moment,
    NothingCached, Now, RddInfo, ReducerLocalityOptions, Scheduler, SchedulerOptions, SchedulingMode,
    ShuffleDependency, SpeculationOptions, StageOptions, TaskEnded, TaskOutcome, TaskProgress, TaskRequirements,
};
use proptest::prelude::*;

/// Three numbers make any message; small ones, so that they often mean something.
type Message = (u8, u8, u8);

fn options(fair: bool) -> SchedulerOptions {
    let count = |count| NonZeroU32::new(count).unwrap();
    let wait = Duration::from_millis(200);
    SchedulerOptions {
        mode: if fair { SchedulingMode::Fair } else { SchedulingMode::Fifo },
        pools: vec![],
        task_max_failures: count(4),
        task: TaskRequirements { cpus: count(1), resources: vec![] },
        locality: LocalityOptions {
            wait_process: wait,
            wait_node: wait,
            wait_rack: wait,
            legacy_reset_on_task_launch: false,
        },
        speculation: Some(SpeculationOptions {
            interval: Duration::from_millis(100),
            quantile: 0.5,
            multiplier: 1.0,
            min_task_runtime: Duration::from_millis(1),
            task_duration_threshold: None,
            efficiency: None,
        }),
        exclusion: Some(ExclusionOptions {
            max_task_attempts_per_executor: count(1),
            max_task_attempts_per_node: count(2),
            max_failed_tasks_per_executor_stage: count(2),
            max_failed_executors_per_node_stage: count(2),
            max_failed_tasks_per_executor: count(2),
            max_failed_executors_per_node: count(2),
            timeout: Duration::from_secs(5),
            kill_excluded_executors: true,
            exclude_on_fetch_failure: true,
            unschedulable_task_set_timeout: Duration::from_secs(3),
        }),
        barrier: BarrierOptions {
            slots_check_interval: Duration::from_secs(1),
            slots_check_max_failures: 3,
            sync_timeout: Duration::from_secs(2),
        },
        stage: StageOptions {
            max_consecutive_attempts: count(3),
            max_attempts: Some(count(6)),
            resubmit_delay: Duration::from_millis(200),
            unregister_output_on_host: true,
            ignore_decommission_fetch_failure: true,
        },
        reducer_locality: ReducerLocalityOptions {
            enabled: true,
            fraction: 0.2,
            maps_threshold: 1000,
            reducers_threshold: 1000,
        },
        max_result_size: Some(ByteCount(3000)),
        min_registered: None,
        starvation_timeout: Duration::from_secs(1),
        heartbeat: Some(HeartbeatOptions {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            check_interval: Duration::from_secs(1),
        }),
        output_commit_coordination: true,
        external_shuffle_service: false,
        dynamic_allocation: false,
        decommission_kill_interval: Some(Duration::from_secs(1)),
        launch_ahead: None,
        cancelled_job_groups_tracked: 2,
    }
}

/// A source, a shuffle of it, an indeterminate shuffle of that, and a barrier stage.
fn rdds() -> Vec<Arc<RddInfo>> {
    let mut rdds: Vec<Arc<RddInfo>> = vec![];
    for id in 0..4 {
        let dependencies = match id {
            0 => vec![],
            _ => vec![Dependency::Shuffle(Arc::new(ShuffleDependency {
                shuffle_id: ShuffleId(id - 1),
                parent: rdds[id as usize - 1].clone(),
                reducers: 2,
                sorted_and_aggregated: false,
                parent_is_partitioned_alike: false,
            }))],
        };
        rdds.push(Arc::new(RddInfo {
            id: RddId(id),
            name: String::new(),
            scope: None,
            call_site_short: String::new(),
            call_site_long: String::new(),
            partitions: 2,
            dependencies,
            determinism: if id >= 1 { Determinism::Indeterminate } else { Determinism::Determinate },
            barrier: id == 3,
            preferred_locations: None,
            resource_profile: ResourceProfileId(0),
        }));
    }
    rdds
}

struct Messages {
    rdds: Vec<Arc<RddInfo>>,
    next_job: u32,
}

impl Messages {
    fn event(&mut self, (kind, a, b): Message) -> Event {
        let executor_id = || ["1", "2", "3"][b as usize % 3].into();
        let stage =
            StageAttemptId { stage_id: StageId(u32::from(a) % 12), attempt: StageAttempt(u32::from(b) / 3 % 3) };
        let task_id = TaskId(u64::from(a) % 40);
        match kind % 16 {
            0 => {
                let rdd = self.rdds[a as usize % 4].clone();
                let job_id = JobId(self.next_job);
                self.next_job += 1;
                let kind = match (b % 4, &rdd.dependencies[..]) {
                    (0, [Dependency::Shuffle(shuffle)]) => JobKind::MapStage { shuffle: shuffle.clone() },
                    _ => JobKind::Result { rdd, partitions: (0..2).map(Partition).collect() },
                };
                let submission = JobSubmission {
                    job_id,
                    kind,
                    properties: LocalProperties::default(),
                    call_site_short: String::new(),
                    call_site_long: String::new(),
                };
                Event::JobSubmitted(Box::new(submission))
            }
            1 => Event::ExecutorAdded(ExecutorRegistration::plain(executor_id(), ["a", "b"][b as usize % 2], 2)),
            2 if a % 4 == 0 => {
                let reason = ExecutorLossReason::Disconnected;
                let lost_outputs = [LostOutputs::None, LostOutputs::OfExecutor, LostOutputs::OfHost][a as usize % 3];
                Event::ExecutorLost { executor_id: executor_id(), reason, lost_outputs }
            }
            2 => Event::TaskStarted { task_id, executor_id: executor_id() },
            3..=7 => self.ended(kind, task_id, a, b),
            8 => Event::TaskGettingResult { task_id, executor_id: executor_id(), result_size: ByteCount(1000) },
            9 => {
                let tasks = [u64::from(a) % 40, u64::from(a) / 6];
                let tasks = tasks.map(|id| TaskProgress { task_id: TaskId(id), records_read: 1, accumulators: vec![] });
                Event::Heartbeat { executor_id: executor_id(), tasks: tasks.to_vec() }
            }
            10 => Event::CommitAsked {
                stage,
                partition: Partition(u32::from(b) % 2),
                attempt: TaskAttemptNumber(0),
                ask: 0,
            },
            11 => Event::BarrierSync(BarrierSync {
                stage,
                task_id,
                epoch: u32::from(b) % 2,
                method: BarrierMethod::Barrier,
                message: String::new(),
            }),
            12 if a % 5 == 0 => Event::JobCancelled { job_id: JobId(u32::from(b) % 8), reason: None },
            12 => Event::TaskAttemptKilled { task_id, interrupt: true, reason: String::new() },
            13 if a % 5 == 0 => Event::ExecutorDecommissioned { executor_id: executor_id(), host_too: b % 2 == 0 },
            13 if a % 5 == 1 => Event::ShuffleRemoved { shuffle_id: ShuffleId(u32::from(b) % 3) },
            13 if a % 5 == 2 => Event::StageCancelled { stage_id: stage.stage_id, reason: None },
            13 => Event::MapOutputMoved {
                shuffle_id: ShuffleId(u32::from(b) % 3),
                map_id: MapId(task_id.0),
                location: block_manager(b),
            },
            14 if a % 9 == 0 => Event::StageBinaryFailed { stage, message: String::new() },
            _ => Event::StageBinaryPrepared { stage },
        }
    }

    fn ended(&self, kind: u8, task_id: TaskId, a: u8, b: u8) -> Event {
        let executor_id = ["1", "2", "3"][b as usize % 3].into();
        let outcome = match kind % 16 {
            3..=5 => {
                let status = MapStatus::new(block_manager(b), MapId(task_id.0), [10, 10]);
                let map_status = (b < 200).then(|| Arc::new(status));
                TaskOutcome::Success { map_status, result_size: ByteCount(u64::from(a)), accumulators: vec![] }
            }
            6 => TaskOutcome::Failure(TaskEndReason::FetchFailed {
                block_manager_id: (b < 200).then(|| block_manager(a)),
                shuffle_id: ShuffleId(u32::from(b) % 3),
                map_id: MapId(0),
                map_index: MapIndex(u32::from(a) % 3),
                reduce_id: ReduceId(0),
                message: String::new(),
            }),
            _ => TaskOutcome::Failure(TaskEndReason::ExceptionFailure {
                class_name: String::new(),
                description: String::new(),
                stack_trace: String::new(),
                retryable: !b.is_multiple_of(50),
            }),
        };
        Event::TaskEnded(Box::new(TaskEnded { task_id, executor_id, outcome, run_time: None, metrics: None }))
    }
}

fn block_manager(number: u8) -> BlockManagerId {
    let (executor, host) = [("1", "a"), ("2", "b"), ("3", "a")][number as usize % 3];
    BlockManagerId { executor_id: executor.into(), host: host.to_owned(), port: 1 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn safety_holds_whatever_is_said(messages in proptest::collection::vec(any::<Message>(), 1..400), fair: bool) {
        let mut scheduler = Scheduler::new(options(fair), 1).unwrap();
        let mut source = Messages { rdds: rdds(), next_job: 0 };
        let mut delivered = BTreeSet::new();
        let mut over = BTreeSet::new();
        let mut now = 0;
        let mut events: Vec<Event> = messages.into_iter().map(|message| source.event(message)).collect();
        events.push(Event::ApplicationStopping);
        for event in events {
            now += 37;
            let due = scheduler.next_deadline().is_some_and(|at| at.0 <= now);
            for event in due.then_some(Event::DeadlineReached).into_iter().chain([event]) {
                let mut commands = vec![];
                let present = Now { moment: Moment(now), wall_clock_ms: now as i64 };
                scheduler.handle(present, event, &NothingCached, &mut commands);
                scheduler.assert_invariants();
                for command in commands {
                    match command {
                        Command::DeliverResult { job_id, output_index, .. } => {
                            prop_assert!(delivered.insert((job_id, output_index)), "delivered twice");
                            prop_assert!(!over.contains(&job_id), "delivered after the end");
                        }
                        Command::JobSucceeded { job_id, .. } | Command::JobFailed { job_id, .. } => {
                            prop_assert!(over.insert(job_id), "job {} ends twice", job_id);
                        }
                        _ => {}
                    }
                }
            }
        }
        prop_assert_eq!(over.len(), source.next_job as usize, "every job that was submitted has ended");
    }
}
