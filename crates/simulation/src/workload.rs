//! Random lineages and jobs over them.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use firesteel_model::{
    JobId, Partition, RddId, ResourceProfileId, ShuffleId, StageId, StorageLevel, TaskLocation, property,
};
use firesteel_scheduler::{
    BarrierOptions, BlockLocations, Dependency, Determinism, ExclusionOptions, HeartbeatOptions, JobKind,
    JobSubmission, LaunchAheadOptions, LocalityOptions, NarrowMapping, RddInfo, ReducerLocalityOptions,
    SchedulerOptions, SchedulingMode, ShuffleDependency, SpeculationOptions, StageOptions, TaskLaunch,
    TaskRequirements, TaskResourceAmount, TaskResourceRequest,
};

use crate::chance::Chance;

/// Do the result tasks of the job commit their output?
pub(crate) fn commits(job_id: JobId) -> bool {
    job_id.0.is_multiple_of(3)
}

/// At how many barriers the tasks of a barrier stage wait for each other.
pub(crate) fn barriers(stage_id: StageId) -> u32 {
    1 + stage_id.0 % 3
}

/// Does the task fail at first and dawdle then, while there is trouble? Those of barrier stages have enough to bear.
pub(crate) fn is_difficult(launch: &TaskLaunch) -> bool {
    launch.index == 0 && launch.stage.stage_id.0.is_multiple_of(3) && launch.barrier.is_none()
}

/// The custom resource that executors have.
pub(crate) const GPU: &str = "gpu";

/// Data sets to run jobs on, oldest first.
pub(crate) struct Workload {
    rdds: Vec<Arc<RddInfo>>,
    shuffles: Vec<Arc<ShuffleDependency>>,
    next_job: u32,
}

impl Workload {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let mut workload = Self { rdds: Vec::new(), shuffles: Vec::new(), next_job: 0 };
        for _ in 0..chance.between(3, 10) {
            workload.add_rdd(chance);
        }
        workload
    }

    fn add_rdd(&mut self, chance: &mut Chance) {
        let id = self.rdds.len() as u32;
        // Now and then far more tasks than slots: executors are then sent some ahead.
        let mut partitions = if chance.per_mille(100) { chance.between(20, 60) } else { chance.between(1, 6) } as u32;
        let mut dependencies = Vec::new();
        for _ in 0..chance.between(0, 2) {
            let Some(parent) = self.rdds.get(chance.between(0, 20) as usize % self.rdds.len().max(1)) else { continue };
            if chance.per_mille(600) && !parent.barrier {
                let shuffle = Arc::new(ShuffleDependency {
                    shuffle_id: ShuffleId(self.shuffles.len() as u32),
                    parent: parent.clone(),
                    reducers: partitions,
                    sorted_and_aggregated: false,
                    parent_is_partitioned_alike: false,
                });
                self.shuffles.push(shuffle.clone());
                dependencies.push(Dependency::Shuffle(shuffle));
            } else if dependencies.is_empty() {
                partitions = parent.partitions;
                dependencies.push(Dependency::Narrow { parent: parent.clone(), mapping: NarrowMapping::OneToOne });
            }
        }
        let random = chance.per_mille(400);
        let determinism = Determinism::from_dependencies(&dependencies).max(if random {
            Determinism::Indeterminate
        } else {
            Determinism::Determinate
        });
        let narrow_barrier =
            dependencies.iter().any(|it| matches!(it, Dependency::Narrow { parent, .. } if parent.barrier));
        let alone = dependencies.iter().all(|it| matches!(it, Dependency::Shuffle(_)));
        let preferred = chance.per_mille(300).then(|| {
            let host = |_| vec![TaskLocation::Host(format!("host{}", chance.between(0, 3)))];
            (0..partitions).map(host).collect()
        });
        self.rdds.push(Arc::new(RddInfo {
            id: RddId(id),
            name: format!("rdd {id}"),
            scope: None,
            call_site_short: format!("rdd at workload:{id}"),
            call_site_long: String::new(),
            partitions,
            dependencies,
            determinism,
            barrier: narrow_barrier || (alone && chance.per_mille(500) && partitions <= 4),
            preferred_locations: preferred,
            resource_profile: ResourceProfileId(0),
        }));
    }

    /// A job, and how many outputs it has.
    pub(crate) fn next_job(&mut self, chance: &mut Chance) -> (JobSubmission, Option<u32>) {
        let job_id = JobId(self.next_job);
        self.next_job += 1;
        let (kind, outputs) = if chance.per_mille(100) && !self.shuffles.is_empty() {
            let shuffle = self.shuffles[chance.between(0, self.shuffles.len() as u64 - 1) as usize].clone();
            (JobKind::MapStage { shuffle }, None)
        } else {
            let rdd = self.rdds[chance.between(0, self.rdds.len() as u64 - 1) as usize].clone();
            let mut partitions: Vec<_> = (0..rdd.partitions).rev().map(Partition).collect();
            if chance.per_mille(200) && !rdd.barrier {
                partitions.truncate(chance.between(0, u64::from(rdd.partitions)) as usize);
            }
            let outputs = partitions.len() as u32;
            (JobKind::Result { rdd, partitions }, Some(outputs))
        };
        let mut properties = BTreeMap::new();
        properties.insert(property::JOB_GROUP.to_owned(), format!("group {}", job_id.0 % 5));
        properties.insert(property::POOL.to_owned(), format!("pool {}", job_id.0 % 3));
        let submission = JobSubmission {
            job_id,
            kind,
            properties: Arc::new(properties),
            call_site_short: "collect at workload".to_owned(),
            call_site_long: String::new(),
        };
        (submission, outputs)
    }
}

/// How long an exclusion lasts, and a failure counts towards one.
pub(crate) const EXCLUSION_TIMEOUT: Duration = Duration::from_secs(20);

/// The most tasks that an executor is sent ahead of each of its slots.
pub(crate) const MOST_AHEAD: u32 = 4;

/// Spark's defaults with shorter times, and some features by chance.
pub(crate) fn options(chance: &mut Chance, shuffle_service: bool) -> SchedulerOptions {
    let locality_wait = if chance.per_mille(400) { Duration::ZERO } else { Duration::from_millis(300) };
    let count = |count| NonZeroU32::new(count).expect("not zero");
    SchedulerOptions {
        mode: if chance.per_mille(500) { SchedulingMode::Fair } else { SchedulingMode::Fifo },
        pools: Vec::new(),
        task_max_failures: count(4),
        task: TaskRequirements { cpus: count(1), resources: gpus(chance) },
        locality: LocalityOptions {
            wait_process: locality_wait,
            wait_node: locality_wait,
            wait_rack: locality_wait,
            legacy_reset_on_task_launch: chance.per_mille(200),
        },
        speculation: chance.per_mille(500).then(|| SpeculationOptions {
            interval: Duration::from_millis(100),
            quantile: 0.75,
            multiplier: 1.5,
            min_task_runtime: Duration::from_millis(100),
            task_duration_threshold: Some(Duration::from_secs(3)),
            efficiency: None,
        }),
        exclusion: chance.per_mille(400).then(|| ExclusionOptions {
            max_task_attempts_per_executor: count(1),
            max_task_attempts_per_node: count(2),
            max_failed_tasks_per_executor_stage: count(2),
            max_failed_executors_per_node_stage: count(2),
            max_failed_tasks_per_executor: count(2),
            max_failed_executors_per_node: count(2),
            timeout: EXCLUSION_TIMEOUT,
            kill_excluded_executors: chance.per_mille(500),
            exclude_on_fetch_failure: chance.per_mille(300),
            unschedulable_task_set_timeout: Duration::from_secs(chance.between(1, 40)),
        }),
        barrier: BarrierOptions {
            slots_check_interval: Duration::from_secs(15),
            slots_check_max_failures: 40,
            sync_timeout: Duration::from_secs(30),
        },
        stage: StageOptions {
            max_consecutive_attempts: count(4),
            max_attempts: None,
            resubmit_delay: Duration::from_millis(200),
            unregister_output_on_host: true,
            ignore_decommission_fetch_failure: chance.per_mille(500),
        },
        reducer_locality: ReducerLocalityOptions {
            enabled: true,
            fraction: 0.2,
            maps_threshold: 1000,
            reducers_threshold: 1000,
        },
        max_result_size: None,
        min_registered: None,
        starvation_timeout: Duration::from_secs(15),
        heartbeat: Some(HeartbeatOptions {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            check_interval: Duration::from_secs(5),
        }),
        output_commit_coordination: true,
        external_shuffle_service: shuffle_service,
        dynamic_allocation: false,
        decommission_kill_interval: None,
        launch_ahead: chance.per_mille(700).then(|| LaunchAheadOptions {
            most_per_slot: MOST_AHEAD,
            queue_time: Duration::from_millis(800),
            longest_task: Duration::from_millis(1500),
        }),
        cancelled_job_groups_tracked: 1000,
    }
}

/// What of a custom resource tasks take: most often nothing, else a whole GPU or half of one (SC-07).
fn gpus(chance: &mut Chance) -> Vec<TaskResourceRequest> {
    let whole = TaskResourceAmount::Addresses(NonZeroU32::MIN);
    let half = TaskResourceAmount::from_number(0.5).expect("a fraction of one");
    let amount = match chance.between(0, 5) {
        0 => whole,
        1 => half,
        _ => return Vec::new(),
    };
    vec![TaskResourceRequest { name: GPU.to_owned(), amount }]
}

/// Every third data set is said to be cached, in part, on executors that may be gone: hints can be wrong.
pub(crate) struct StaleHints;

impl BlockLocations for StaleHints {
    fn storage_level(&self, rdd_id: RddId) -> StorageLevel {
        if rdd_id.0.is_multiple_of(3) { StorageLevel::MEMORY_ONLY } else { StorageLevel::NONE }
    }

    fn cached_locations(&self, _: RddId, partition: Partition) -> Vec<TaskLocation> {
        let executor = TaskLocation::Executor { host: "host1".to_owned(), executor_id: "1".into() };
        if partition.0 % 2 == 1 { vec![executor] } else { Vec::new() }
    }
}
