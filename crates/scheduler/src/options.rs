//! What the scheduler can be told, in real types. The driver fills these from the configuration; the defaults are declared
//! there, beside the keys, and nowhere else.

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use firesteel_model::ByteCount;

/// Everything the scheduler can be told. [`SchedulerOptions::validate`] refuses combinations that cannot work.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerOptions {
    /// `spark.scheduler.mode` (SC-01).
    pub mode: SchedulingMode,
    /// The pools of the allocation file (SC-04); in FAIR mode a pool `default` exists besides.
    pub pools: Vec<PoolOptions>,
    /// `spark.task.maxFailures` (RT-30); 1 in local mode unless the master URL says otherwise (RT-05).
    pub task_max_failures: NonZeroU32,
    /// What a task of the default resource profile takes (SC-07).
    pub task: TaskRequirements,
    /// Delay scheduling (RT-21, RT-22).
    pub locality: LocalityOptions,
    /// Speculative copies; none: off (RT-45).
    pub speculation: Option<SpeculationOptions>,
    /// Exclude on failure; none: off (RT-74).
    pub exclusion: Option<ExclusionOptions>,
    /// Barrier stages (RT-48).
    pub barrier: BarrierOptions,
    /// Stage retry (RT-35).
    pub stage: StageOptions,
    /// The preferred hosts of reducers (RT-10).
    pub reducer_locality: ReducerLocalityOptions,
    /// `spark.driver.maxResultSize` (RT-33): the most bytes of results per task set; none: no limit.
    pub max_result_size: Option<ByteCount>,
    /// What must be registered before the first task (RT-14); none: nothing.
    pub min_registered: Option<MinRegisteredOptions>,
    /// `spark.starvation.timeout` (RT-15).
    pub starvation_timeout: Duration,
    /// Executors that fall silent; none: never given up, as in local mode (RT-71).
    pub heartbeat: Option<HeartbeatOptions>,
    /// `spark.hadoop.outputCommitCoordination.enabled` (RT-37); off: every attempt may commit.
    pub output_commit_coordination: bool,
    /// An external shuffle service serves the map outputs of this application (SC-50): a fetch failure then speaks of the
    /// host, not of the executor.
    pub external_shuffle_service: bool,
    /// `spark.dynamicAllocation.enabled`: barrier stages are refused (RT-48), unschedulable task sets wait for an executor
    /// more (RT-75).
    pub dynamic_allocation: bool,
    /// `spark.executor.decommission.killInterval` (RT-77): tasks that cannot end before their decommissioned executor is
    /// killed get a speculative copy; none: unknown.
    pub decommission_kill_interval: Option<Duration>,
    /// Short tasks are launched before a slot is free for them; none: never.
    pub launch_ahead: Option<LaunchAheadOptions>,
    /// `spark.scheduler.numCancelledJobGroupsToTrack`: how many groups cancelled with their future jobs are remembered.
    pub cancelled_job_groups_tracked: usize,
}

/// How many short tasks an executor is sent beyond those that its slots can run at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchAheadOptions {
    /// `spark.scheduler.launchAhead.maxTasksPerSlot`: the most for each slot.
    pub most_per_slot: u32,
    /// So many that each slot has this much to do; longer, and the last tasks of a stage would wait where others are idle.
    pub queue_time: Duration,
    /// Tasks that run longer on average are never launched ahead: the round trip that it saves is nothing beside them.
    pub longest_task: Duration,
}

/// How task sets, or pools, take turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchedulingMode {
    /// Lower job first, then lower stage; later ones use what earlier ones leave.
    Fifo,
    /// Shares by weight, after minimum shares (SC-03).
    Fair,
}

/// One pool of the allocation file (SC-02).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolOptions {
    /// Its name, which `spark.scheduler.pool` gives.
    pub name: String,
    /// How its task sets take turns.
    pub mode: SchedulingMode,
    /// Its weight among the pools; 1 unless given.
    pub weight: NonZeroU32,
    /// How many running tasks it gets before others get more; 0 unless given.
    pub min_share: u32,
}

/// What one task takes of its executor (SC-07).
#[derive(Clone, PartialEq, Debug)]
pub struct TaskRequirements {
    /// `spark.task.cpus`.
    pub cpus: NonZeroU32,
    /// `spark.task.resource.R.amount`, one entry per resource.
    pub resources: Vec<TaskResourceRequest>,
}

/// How much of one custom resource a task takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskResourceRequest {
    /// The kind, such as `gpu`.
    pub name: String,
    /// How much of it.
    pub amount: TaskResourceAmount,
}

/// Whole addresses, or a part of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskResourceAmount {
    /// That many addresses, shared with no other task.
    Addresses(NonZeroU32),
    /// A part of one address, which it shares with other tasks as long as there is room for their parts.
    Part(AddressPart),
}

/// A part of an address, less than all of it, in units of which an address has [`AddressPart::WHOLE`]. Tasks of several
/// resource profiles may share an address, so it is their parts that count and not their number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressPart(NonZeroU64);

impl AddressPart {
    /// The units of a whole address: fine enough for every fraction that somebody writes down, as Spark's are.
    pub const WHOLE: u64 = 10_000_000_000_000_000;
}

impl TaskResourceAmount {
    /// How many addresses one task uses, its own or shared.
    pub fn addresses(self) -> u32 {
        match self {
            Self::Addresses(count) => count.get(),
            Self::Part(_) => 1,
        }
    }

    /// How much it takes of each of those, in the units of [`AddressPart`].
    pub(crate) fn units(self) -> u64 {
        match self {
            Self::Addresses(_) => AddressPart::WHOLE,
            Self::Part(AddressPart(units)) => units.get(),
        }
    }

    /// How many tasks so many addresses are enough for, at once.
    pub fn tasks(self, addresses: u32) -> u32 {
        match self {
            Self::Addresses(count) => addresses / count,
            Self::Part(AddressPart(units)) => {
                let tasks = u64::from(addresses).saturating_mul(AddressPart::WHOLE / units);
                u32::try_from(tasks).unwrap_or(u32::MAX)
            }
        }
    }

    /// Reads Spark's number: a whole number, or a fraction of one (SC-07).
    pub fn from_number(amount: f64) -> Result<Self, OptionsError> {
        let refused = || OptionsError::TaskResourceAmount { amount: amount.to_string() };
        if amount > 0.0 && amount < 1.0 {
            let units = (amount * AddressPart::WHOLE as f64) as u64;
            NonZeroU64::new(units).map(|units| Self::Part(AddressPart(units))).ok_or_else(refused)
        } else if amount >= 1.0 && amount.fract() == 0.0 && amount <= f64::from(u32::MAX) {
            NonZeroU32::new(amount as u32).map(Self::Addresses).ok_or_else(refused)
        } else {
            Err(refused())
        }
    }
}

/// Delay scheduling (RT-21).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalityOptions {
    /// `spark.locality.wait.process`.
    pub wait_process: Duration,
    /// `spark.locality.wait.node`.
    pub wait_node: Duration,
    /// `spark.locality.wait.rack`.
    pub wait_rack: Duration,
    /// `spark.locality.wait.legacyResetOnTaskLaunch` (RT-22).
    pub legacy_reset_on_task_launch: bool,
}

/// Speculative copies of slow tasks (RT-45…47).
#[derive(Clone, PartialEq, Debug)]
pub struct SpeculationOptions {
    /// `spark.speculation.interval`: how often running tasks are looked at.
    pub interval: Duration,
    /// `spark.speculation.quantile`: the part of a task set that must have succeeded, 0 to 1.
    pub quantile: f64,
    /// `spark.speculation.multiplier`: slow is this many times the median.
    pub multiplier: f64,
    /// `spark.speculation.minTaskRuntime`: nothing that ran shorter is slow.
    pub min_task_runtime: Duration,
    /// `spark.speculation.task.duration.threshold` (RT-46).
    pub task_duration_threshold: Option<Duration>,
    /// The efficiency filter; none: off (RT-47).
    pub efficiency: Option<EfficiencyOptions>,
}

/// Copies only tasks that process fewer records per second than others (RT-47).
#[derive(Clone, PartialEq, Debug)]
pub struct EfficiencyOptions {
    /// `spark.speculation.efficiency.processRateMultiplier`: slow is below this part of the average rate.
    pub process_rate_multiplier: f64,
    /// `spark.speculation.efficiency.longRunTaskFactor`: copied all the same after this many thresholds.
    pub long_run_task_factor: f64,
}

/// Exclude on failure (RT-74). Field for field the `spark.excludeOnFailure.*` keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExclusionOptions {
    /// `task.maxTaskAttemptsPerExecutor`.
    pub max_task_attempts_per_executor: NonZeroU32,
    /// `task.maxTaskAttemptsPerNode`.
    pub max_task_attempts_per_node: NonZeroU32,
    /// `stage.maxFailedTasksPerExecutor`.
    pub max_failed_tasks_per_executor_stage: NonZeroU32,
    /// `stage.maxFailedExecutorsPerNode`.
    pub max_failed_executors_per_node_stage: NonZeroU32,
    /// `application.maxFailedTasksPerExecutor`.
    pub max_failed_tasks_per_executor: NonZeroU32,
    /// `application.maxFailedExecutorsPerNode`.
    pub max_failed_executors_per_node: NonZeroU32,
    /// `timeout`: how long an exclusion lasts, and a failure counts.
    pub timeout: Duration,
    /// `killExcludedExecutors`.
    pub kill_excluded_executors: bool,
    /// `application.fetchFailure.enabled`.
    pub exclude_on_fetch_failure: bool,
    /// `spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout` (RT-75).
    pub unschedulable_task_set_timeout: Duration,
}

/// Barrier stages (RT-48).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BarrierOptions {
    /// `spark.scheduler.barrier.maxConcurrentTasksCheck.interval`.
    pub slots_check_interval: Duration,
    /// `spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures`.
    pub slots_check_max_failures: u32,
    /// `spark.barrier.sync.timeout`.
    pub sync_timeout: Duration,
}

/// Stage retry (RT-35).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageOptions {
    /// `spark.stage.maxConsecutiveAttempts`.
    pub max_consecutive_attempts: NonZeroU32,
    /// `spark.stage.maxAttempts`; none: no limit.
    pub max_attempts: Option<NonZeroU32>,
    /// How long failed stages are gathered before they are submitted again; Spark's is 200 ms.
    pub resubmit_delay: Duration,
    /// `spark.files.fetchFailure.unRegisterOutputOnHost`.
    pub unregister_output_on_host: bool,
    /// `spark.stage.ignoreDecommissionFetchFailure`: such failures do not count as attempts.
    pub ignore_decommission_fetch_failure: bool,
}

/// The preferred hosts of reducers (RT-10).
#[derive(Clone, PartialEq, Debug)]
pub struct ReducerLocalityOptions {
    /// `spark.shuffle.reduceLocality.enabled`.
    pub enabled: bool,
    /// The part of a reducer's input that a host must hold; Spark's is 0.2.
    pub fraction: f64,
    /// From this many map tasks on, reducers have no preference; Spark's is 1000.
    pub maps_threshold: u32,
    /// From this many reducers on, reducers have no preference; Spark's is 1000.
    pub reducers_threshold: u32,
}

/// What must be registered before the first task (RT-14).
#[derive(Clone, PartialEq, Debug)]
pub struct MinRegisteredOptions {
    /// `spark.scheduler.minRegisteredResourcesRatio`, 0 to 1.
    pub ratio: f64,
    /// What the ratio is of.
    pub expected: ExpectedResources,
    /// `spark.scheduler.maxRegisteredResourcesWaitingTime`, from when the scheduler was made.
    pub max_wait: Duration,
}

/// What a cluster manager was asked for at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpectedResources {
    /// That many cores (standalone, Mesos).
    Cores(u32),
    /// That many executors (YARN).
    Executors(u32),
}

/// Executors that fall silent (RT-71).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeartbeatOptions {
    /// `spark.executor.heartbeatInterval`; only checked against the time-out.
    pub interval: Duration,
    /// `spark.network.timeout`, or what overrides it.
    pub timeout: Duration,
    /// How often executors are looked at; Spark's is 60 s.
    pub check_interval: Duration,
}

/// The options cannot work.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OptionsError {
    /// A task would be excluded from every node only after it has failed for good.
    #[error(
        "spark.excludeOnFailure.task.maxTaskAttemptsPerNode ({per_node}) must be less than spark.task.maxFailures ({max_failures}): otherwise one bad node fails the job; raise the latter or lower the former"
    )]
    ExclusionPerNode {
        /// The attempts per node.
        per_node: u32,
        /// The failures allowed.
        max_failures: u32,
    },
    /// Executors would always be given up.
    #[error(
        "spark.executor.heartbeatInterval ({interval:?}) must be less than spark.network.timeout ({timeout:?}): otherwise every executor is taken for dead"
    )]
    HeartbeatInterval {
        /// The interval.
        interval: Duration,
        /// The time-out.
        timeout: Duration,
    },
    /// Not a share and not a whole number.
    #[error("the amount {amount} of a task's resource must be a whole number, or a fraction of 1")]
    TaskResourceAmount {
        /// What was given.
        amount: String,
    },
    /// A number outside its range.
    #[error("{key} must be {range}, not {value}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What it may be.
        range: &'static str,
        /// What was given.
        value: String,
    },
    /// An interval of zero would never let anything else happen.
    #[error("{key} must be longer than zero")]
    ZeroInterval {
        /// The key.
        key: &'static str,
    },
}

impl SchedulerOptions {
    /// A scheduler that does as little as one can: whatever may be off is off, nothing waits, the first failure of a task is its
    /// last. These are no application's defaults; whoever drives a scheduler without a configuration begins here.
    pub fn minimal() -> Self {
        let never = Duration::from_secs(365 * 24 * 3600);
        Self {
            mode: SchedulingMode::Fifo,
            pools: Vec::new(),
            task_max_failures: NonZeroU32::MIN,
            task: TaskRequirements { cpus: NonZeroU32::MIN, resources: Vec::new() },
            locality: LocalityOptions {
                wait_process: Duration::ZERO,
                wait_node: Duration::ZERO,
                wait_rack: Duration::ZERO,
                legacy_reset_on_task_launch: false,
            },
            speculation: None,
            exclusion: None,
            barrier: BarrierOptions { slots_check_interval: never, slots_check_max_failures: 1, sync_timeout: never },
            stage: StageOptions {
                max_consecutive_attempts: NonZeroU32::MIN,
                max_attempts: None,
                resubmit_delay: Duration::ZERO,
                unregister_output_on_host: false,
                ignore_decommission_fetch_failure: false,
            },
            reducer_locality: ReducerLocalityOptions {
                enabled: false,
                fraction: 0.2,
                maps_threshold: 1000,
                reducers_threshold: 1000,
            },
            max_result_size: None,
            min_registered: None,
            starvation_timeout: never,
            heartbeat: None,
            output_commit_coordination: true,
            external_shuffle_service: false,
            dynamic_allocation: false,
            decommission_kill_interval: None,
            launch_ahead: None,
            cancelled_job_groups_tracked: 1,
        }
    }

    /// Refuses what cannot work, naming the keys.
    pub fn validate(&self) -> Result<(), OptionsError> {
        if let Some(exclusion) = &self.exclusion {
            let per_node = exclusion.max_task_attempts_per_node;
            if per_node >= self.task_max_failures {
                return Err(OptionsError::ExclusionPerNode {
                    per_node: per_node.get(),
                    max_failures: self.task_max_failures.get(),
                });
            }
        }
        if let Some(heartbeat) = &self.heartbeat {
            if heartbeat.interval >= heartbeat.timeout {
                return Err(OptionsError::HeartbeatInterval {
                    interval: heartbeat.interval,
                    timeout: heartbeat.timeout,
                });
            }
            not_zero("the heartbeat check interval", heartbeat.check_interval)?;
        }
        if let Some(speculation) = &self.speculation {
            within("spark.speculation.quantile", "between 0 and 1", speculation.quantile, 0.0, 1.0)?;
            within("spark.speculation.multiplier", "a number of at least 0", speculation.multiplier, 0.0, f64::MAX)?;
            not_zero("spark.speculation.interval", speculation.interval)?;
        }
        if let Some(minimum) = &self.min_registered {
            within("spark.scheduler.minRegisteredResourcesRatio", "between 0 and 1", minimum.ratio, 0.0, 1.0)?;
        }
        not_zero("spark.starvation.timeout", self.starvation_timeout)?;
        not_zero("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", self.barrier.slots_check_interval)
    }
}

fn within(key: &'static str, range: &'static str, value: f64, low: f64, high: f64) -> Result<(), OptionsError> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(OptionsError::OutOfRange { key, range, value: value.to_string() })
    }
}

fn not_zero(key: &'static str, interval: Duration) -> Result<(), OptionsError> {
    if interval < Duration::from_millis(1) { Err(OptionsError::ZeroInterval { key }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_or_a_part_of_one() {
        for count in [1, 3] {
            let whole = TaskResourceAmount::Addresses(NonZeroU32::new(count).unwrap());
            assert_eq!(TaskResourceAmount::from_number(f64::from(count)), Ok(whole), "{count}");
        }
        for (amount, tasks) in [(0.5, 2), (0.1, 10), (0.25, 4), (0.3, 3), (1.0 / 3.0, 3), (0.51, 1), (0.9, 1)] {
            let part = TaskResourceAmount::from_number(amount).unwrap();
            assert_eq!((part.addresses(), part.tasks(1), part.tasks(2)), (1, tasks, 2 * tasks), "{amount}");
        }
        for amount in [0.0, -1.0, 1e-17, 1.5, f64::NAN, f64::INFINITY] {
            assert!(TaskResourceAmount::from_number(amount).is_err(), "{amount}");
        }
    }
}
