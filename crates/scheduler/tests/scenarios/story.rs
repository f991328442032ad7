//! The one place that touches the API: a scheduler, its clock, and commands in short words.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use firesteel_model::{
    BlockManagerId, ByteCount, ExecutorId, ExecutorLossReason, JobId, JobOutcome, ListenerEvent, LocalProperties,
    MapId, MapIndex, MapStatus, Partition, RddId, ReduceId, ResourceProfileId, ShuffleId, StageAttempt, StageAttemptId,
    StageId, StorageLevel, TaskEndReason, TaskId, TaskLocation,
};
use firesteel_scheduler::{
    BarrierOptions, BlockLocations, Command, Dependency, Determinism, Event, ExclusionOptions, ExecutorRegistration,
    JobKind, JobSubmission, LocalityOptions, LostOutputs, Moment, NarrowMapping, Now, RddInfo, ReducerLocalityOptions,
    Scheduler, SchedulerOptions, SchedulingMode, ShuffleDependency, SpeculationOptions, StageOptions, TaskEnded,
    TaskOutcome, TaskRequirements,
};

pub fn count(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

/// Spark's defaults, without heartbeats.
pub fn options() -> SchedulerOptions {
    let wait = Duration::from_secs(3);
    SchedulerOptions {
        mode: SchedulingMode::Fifo,
        pools: vec![],
        task_max_failures: count(4),
        task: TaskRequirements { cpus: count(1), resources: vec![] },
        locality: LocalityOptions {
            wait_process: wait,
            wait_node: wait,
            wait_rack: wait,
            legacy_reset_on_task_launch: false,
        },
        speculation: None,
        exclusion: None,
        barrier: BarrierOptions {
            slots_check_interval: Duration::from_secs(15),
            slots_check_max_failures: 40,
            sync_timeout: Duration::from_secs(365 * 24 * 3600),
        },
        stage: StageOptions {
            max_consecutive_attempts: count(4),
            max_attempts: None,
            resubmit_delay: Duration::from_millis(200),
            unregister_output_on_host: false,
            ignore_decommission_fetch_failure: false,
        },
        reducer_locality: ReducerLocalityOptions {
            enabled: false,
            fraction: 0.2,
            maps_threshold: 1000,
            reducers_threshold: 1000,
        },
        max_result_size: Some(ByteCount::gib(1)),
        min_registered: None,
        starvation_timeout: Duration::from_secs(15),
        heartbeat: None,
        output_commit_coordination: true,
        external_shuffle_service: false,
        dynamic_allocation: false,
        decommission_kill_interval: None,
        launch_ahead: None,
        cancelled_job_groups_tracked: 2,
    }
}

pub fn exclusion() -> ExclusionOptions {
    ExclusionOptions {
        max_task_attempts_per_executor: count(1),
        max_task_attempts_per_node: count(2),
        max_failed_tasks_per_executor_stage: count(2),
        max_failed_executors_per_node_stage: count(2),
        max_failed_tasks_per_executor: count(2),
        max_failed_executors_per_node: count(2),
        timeout: Duration::from_secs(3600),
        kill_excluded_executors: false,
        exclude_on_fetch_failure: false,
        unschedulable_task_set_timeout: Duration::from_secs(120),
    }
}

pub fn speculation() -> SpeculationOptions {
    SpeculationOptions {
        interval: Duration::from_millis(100),
        quantile: 0.75,
        multiplier: 1.5,
        min_task_runtime: Duration::from_millis(100),
        task_duration_threshold: None,
        efficiency: None,
    }
}

/// A data set with a little less to write.
pub struct Rdd(pub RddInfo);

impl Rdd {
    pub fn new(id: u32, partitions: u32, dependencies: Vec<Dependency>) -> Self {
        let determinism = Determinism::from_dependencies(&dependencies);
        Self(RddInfo {
            id: RddId(id),
            name: format!("rdd{id}"),
            scope: None,
            call_site_short: format!("map at {id}"),
            call_site_long: String::new(),
            partitions,
            dependencies,
            determinism,
            barrier: false,
            preferred_locations: None,
            resource_profile: ResourceProfileId(0),
        })
    }

    pub fn indeterminate(mut self) -> Self {
        self.0.determinism = Determinism::Indeterminate;
        self
    }

    pub fn barrier(mut self) -> Self {
        self.0.barrier = true;
        self
    }

    pub fn prefers(mut self, hosts: &[&str]) -> Self {
        self.0.preferred_locations =
            Some(hosts.iter().map(|&host| vec![TaskLocation::Host(host.to_owned())]).collect());
        self
    }

    pub fn done(self) -> Arc<RddInfo> {
        Arc::new(self.0)
    }
}

pub fn source(id: u32, partitions: u32) -> Arc<RddInfo> {
    Rdd::new(id, partitions, vec![]).done()
}

pub fn narrow(parent: &Arc<RddInfo>) -> Dependency {
    Dependency::Narrow { parent: parent.clone(), mapping: NarrowMapping::OneToOne }
}

pub fn shuffle(shuffle_id: u32, parent: &Arc<RddInfo>, reducers: u32) -> Arc<ShuffleDependency> {
    Arc::new(ShuffleDependency {
        shuffle_id: ShuffleId(shuffle_id),
        parent: parent.clone(),
        reducers,
        sorted_and_aggregated: false,
        parent_is_partitioned_alike: false,
    })
}

pub fn stage(stage_id: u32, attempt: u32) -> StageAttemptId {
    StageAttemptId { stage_id: StageId(stage_id), attempt: StageAttempt(attempt) }
}

/// What the block registry says.
#[derive(Default)]
pub struct Cached(pub BTreeMap<(RddId, Partition), Vec<TaskLocation>>);

impl BlockLocations for Cached {
    fn storage_level(&self, rdd_id: RddId) -> StorageLevel {
        if self.0.keys().any(|(id, _)| *id == rdd_id) { StorageLevel::MEMORY_ONLY } else { StorageLevel::NONE }
    }

    fn cached_locations(&self, rdd_id: RddId, partition: Partition) -> Vec<TaskLocation> {
        self.0.get(&(rdd_id, partition)).cloned().unwrap_or_default()
    }
}

pub struct Story {
    pub scheduler: Scheduler,
    pub cached: Cached,
    pub now: u64,
    /// Listener events too, or only commands that do something.
    pub with_events: bool,
}

impl Story {
    pub fn new(options: SchedulerOptions) -> Self {
        let scheduler = Scheduler::new(options, 42).unwrap();
        Self { scheduler, cached: Cached::default(), now: 0, with_events: false }
    }

    /// With executors `(id, host, cores)`.
    pub fn with_executors(options: SchedulerOptions, executors: &[(&str, &str, u32)]) -> Self {
        let mut story = Self::new(options);
        for &(id, host, cores) in executors {
            story.add_executor(id, host, cores);
        }
        story
    }

    /// The commands that follow from one event, in short words; invariants checked.
    pub fn tell(&mut self, event: Event) -> Vec<String> {
        self.tell_all([event])
    }

    pub fn tell_all(&mut self, events: impl IntoIterator<Item = Event>) -> Vec<String> {
        let now = Now { moment: Moment(self.now), wall_clock_ms: self.now as i64 };
        let mut commands = vec![];
        self.scheduler.handle_all(now, events, &self.cached, &mut commands);
        self.scheduler.assert_invariants();
        let words = commands.iter().map(in_words);
        words.filter(|words| self.with_events || !words.starts_with(['+', '-'])).collect()
    }

    /// Lets time pass up to the next deadline, and tells it; when that was.
    pub fn next_deadline(&mut self) -> (u64, Vec<String>) {
        self.now = self.scheduler.next_deadline().expect("something is due").0;
        (self.now, self.tell(Event::DeadlineReached))
    }

    pub fn wait_until(&mut self, now: u64) -> Vec<String> {
        self.now = now;
        self.tell(Event::DeadlineReached)
    }

    pub fn add_executor(&mut self, id: &str, host: &str, cores: u32) -> Vec<String> {
        self.tell(Event::ExecutorAdded(ExecutorRegistration::plain(id.into(), host, cores)))
    }

    pub fn lose_executor(&mut self, id: &str) -> Vec<String> {
        let reason = ExecutorLossReason::Exited {
            exit_code: Some(137),
            signal: None,
            caused_by_app: true,
            detail: String::new(),
        };
        self.tell(Event::ExecutorLost { executor_id: id.into(), reason, lost_outputs: LostOutputs::OfExecutor })
    }

    pub fn submit(&mut self, job_id: u32, rdd: &Arc<RddInfo>) -> Vec<String> {
        let partitions = (0..rdd.partitions).map(Partition).collect();
        self.tell(submission(job_id, JobKind::Result { rdd: rdd.clone(), partitions }, &[]))
    }

    pub fn prepared(&mut self, stage_id: u32, attempt: u32) -> Vec<String> {
        self.tell(Event::StageBinaryPrepared { stage: stage(stage_id, attempt) })
    }

    /// A result task succeeds.
    pub fn result(&mut self, task_id: u64, executor: &str) -> Vec<String> {
        self.tell(result(task_id, executor))
    }

    /// A map task succeeds; its output is on its executor.
    pub fn map(&mut self, task_id: u64, executor: &str, host: &str) -> Vec<String> {
        self.tell(map(task_id, executor, host))
    }

    pub fn fail(&mut self, task_id: u64, executor: &str, reason: TaskEndReason) -> Vec<String> {
        self.tell(failure(task_id, executor, reason))
    }
}

pub fn submission(job_id: u32, kind: JobKind, properties: &[(&str, &str)]) -> Event {
    let properties: LocalProperties =
        Arc::new(properties.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect());
    Event::JobSubmitted(Box::new(JobSubmission {
        job_id: JobId(job_id),
        kind,
        properties,
        call_site_short: "collect at story".to_owned(),
        call_site_long: String::new(),
    }))
}

fn ended(task_id: u64, executor: &str, outcome: TaskOutcome) -> Event {
    let (task_id, executor_id) = (TaskId(task_id), executor.into());
    Event::TaskEnded(Box::new(TaskEnded { task_id, executor_id, outcome, run_time: None, metrics: None }))
}

pub fn result(task_id: u64, executor: &str) -> Event {
    let outcome = TaskOutcome::Success { map_status: None, result_size: ByteCount(10), accumulators: vec![] };
    ended(task_id, executor, outcome)
}

pub fn block_manager(executor: &str, host: &str) -> BlockManagerId {
    BlockManagerId { executor_id: executor.into(), host: host.to_owned(), port: 1 }
}

pub fn map(task_id: u64, executor: &str, host: &str) -> Event {
    let status = MapStatus::new(block_manager(executor, host), MapId(task_id), [100, 100]);
    let map_status = Some(Arc::new(status));
    ended(task_id, executor, TaskOutcome::Success { map_status, result_size: ByteCount::ZERO, accumulators: vec![] })
}

pub fn failure(task_id: u64, executor: &str, reason: TaskEndReason) -> Event {
    ended(task_id, executor, TaskOutcome::Failure(reason))
}

pub fn exception() -> TaskEndReason {
    TaskEndReason::ExceptionFailure {
        class_name: "Oops".to_owned(),
        description: "it broke".to_owned(),
        stack_trace: String::new(),
        retryable: true,
    }
}

pub fn fetch_failed(shuffle_id: u32, map_index: u32, executor: &str, host: &str) -> TaskEndReason {
    TaskEndReason::FetchFailed {
        block_manager_id: Some(block_manager(executor, host)),
        shuffle_id: ShuffleId(shuffle_id),
        map_id: MapId(u64::from(map_index)),
        map_index: MapIndex(map_index),
        reduce_id: ReduceId(0),
        message: "connection refused".to_owned(),
    }
}

fn in_words(command: &Command) -> String {
    match command {
        Command::PrepareStageBinary { stage, rdd, tasks, .. } => {
            format!("prepare {stage}: {} of {}", tasks, rdd.name)
        }
        Command::ForgetStageBinary { stage } => format!("forget {stage}"),
        Command::LaunchTasks { executor_id, tasks } => {
            let tasks: Vec<_> = tasks
                .iter()
                .map(|task| format!("{}={}.{} of {}", task.task_id, task.partition, task.attempt, task.stage))
                .collect();
            format!("launch on {executor_id}: {}", tasks.join(", "))
        }
        Command::KillTask { executor_id, task_id, interrupt, reason } => {
            let how = if *interrupt { "interrupt" } else { "kill" };
            format!("{how} {task_id} on {executor_id}: {reason}")
        }
        Command::FetchResult { task_id } => format!("fetch {task_id}"),
        Command::DeliverResult { job_id, output_index, task_id } => {
            format!("deliver {task_id} as {output_index} of job {job_id}")
        }
        Command::DropResult { task_id } => format!("drop {task_id}"),
        Command::MergeAccumulators { task_id, updates, .. } => format!("merge {} of {task_id}", updates.len()),
        Command::JobSucceeded { job_id, statistics: None } => format!("job {job_id} succeeded"),
        Command::JobSucceeded { job_id, statistics: Some(statistics) } => {
            format!("job {job_id} succeeded: {:?}", statistics.bytes_by_partition)
        }
        Command::JobFailed { job_id, message, .. } => format!("job {job_id} failed: {message}"),
        Command::PostEvent(event) => event_in_words(event),
        Command::KillExecutor { executor_id, reason, replace } => {
            format!("kill executor {executor_id} (replace: {replace}): {reason}")
        }
        Command::AcceptExecutor { executor_id } => format!("+accept {executor_id}"),
        Command::RefuseExecutor { executor_id, reason } => format!("refuse {executor_id}: {reason}"),
        Command::AskToRegister { executor_id } => format!("ask {executor_id} to register"),
        Command::AnswerCommit { ask, allowed } => format!("commit {ask}: {allowed}"),
        Command::AnswerBarrier { task_id, epoch, outcome, .. } => format!("barrier {epoch} of {task_id}: {outcome:?}"),
        Command::MapOutputsChanged { shuffle_id, epoch } => format!("-outputs of {shuffle_id} at {epoch}"),
        Command::WarnStarvation { stage, waited, pending, reason } => {
            format!("{stage} waits with {pending} for {} s: {reason}", waited.as_secs())
        }
        Command::WarnBarrierSlots { job_id, needed, available, checks_left, interval } => {
            let seconds = interval.as_secs();
            format!("job {job_id} needs {needed} slots of {available}, {checks_left} looks left, each {seconds} s")
        }
        Command::WarnUnknownPool { pool } => format!("unknown pool {pool}"),
    }
}

fn event_in_words(event: &ListenerEvent) -> String {
    match event {
        ListenerEvent::JobStart { job_id, stages, .. } => {
            let stages: Vec<_> = stages.iter().map(|stage| stage.id.stage_id.0).collect();
            format!("+job {job_id} of stages {stages:?}")
        }
        ListenerEvent::JobEnd { job_id, outcome: JobOutcome::Succeeded, .. } => format!("-job {job_id}"),
        ListenerEvent::JobEnd { job_id, outcome: JobOutcome::Failed { message }, .. } => {
            format!("-job {job_id}: {message}")
        }
        ListenerEvent::StageSubmitted { stage, .. } => format!("+stage {} ({})", stage.id, stage.name),
        ListenerEvent::StageCompleted { stage } => {
            format!(
                "-stage {}{}",
                stage.id,
                stage.failure_reason.as_ref().map_or(String::new(), |it| format!(": {it}"))
            )
        }
        ListenerEvent::TaskStart { task, .. } => {
            format!("+task {} {}{}", task.task_id, task.locality, if task.speculative { " copy" } else { "" })
        }
        ListenerEvent::TaskEnd { task, reason, .. } => format!("-task {} {reason}", task.task_id),
        ListenerEvent::TaskGettingResult { task } => format!("+result of {}", task.task_id),
        ListenerEvent::SpeculativeTaskSubmitted { task_index, .. } => format!("+copy of {task_index} wanted"),
        ListenerEvent::ExecutorAdded { executor_id, .. } => format!("+executor {executor_id}"),
        ListenerEvent::ExecutorRemoved { executor_id, reason, .. } => format!("-executor {executor_id}: {reason}"),
        ListenerEvent::ExecutorExcluded { executor_id, task_failures, stage, .. } => {
            format!("-excluded executor {executor_id} after {task_failures}{}", scope(stage))
        }
        ListenerEvent::NodeExcluded { host, executor_failures, stage, .. } => {
            format!("-excluded host {host} after {executor_failures}{}", scope(stage))
        }
        other => format!("+{other:?}"),
    }
}

fn scope(stage: &Option<StageAttemptId>) -> String {
    stage.map_or(String::new(), |stage| format!(" in {stage}"))
}

pub fn executor(id: &str) -> ExecutorId {
    id.into()
}
