//! How many tasks per second one scheduler launches and ends, and how much memory a stage of that many tasks takes:
//! `cargo run --release -p firesteel-scheduler --example scheduler_throughput -- [TASKS]`.

use std::{collections::VecDeque, env, fs, num::NonZeroU32, sync::Arc, time::Duration, time::Instant};

use firesteel_model::{
    ByteCount, ExecutorId, JobId, LocalProperties, Partition, RddId, ResourceProfileId, StageAttemptId, TaskId,
};
use firesteel_scheduler::{
    BarrierOptions, Command, Determinism, Event, ExecutorRegistration, JobKind, JobSubmission, LocalityOptions, Moment,
    NothingCached, Now, RddInfo, ReducerLocalityOptions, Scheduler, SchedulerOptions, SchedulingMode, StageOptions,
    TaskEnded, TaskOutcome, TaskRequirements,
};

const EXECUTORS: u32 = 100;
const CORES: u32 = 16;

fn main() {
    let tasks: u32 = env::args().nth(1).map_or(1_000_000, |tasks| tasks.parse().expect("TASKS is a number"));
    for mode in [SchedulingMode::Fifo, SchedulingMode::Fair] {
        for batch in [1, 16] {
            run(mode, tasks, batch);
        }
    }
}

/// `batch` ends of one executor are handed in together, as status updates come.
fn run(mode: SchedulingMode, tasks: u32, batch: usize) {
    let mut scheduler = Scheduler::new(options(mode), 7).expect("the options are valid");
    let mut commands = Vec::new();
    let now = Now::default();
    for id in 0..EXECUTORS {
        let id = ExecutorId::from(id.to_string().as_str());
        let event = Event::ExecutorAdded(ExecutorRegistration::plain(id, "host", CORES));
        scheduler.handle(now, event, &NothingCached, &mut commands);
    }
    let before = resident_kib();
    let stage = submit(&mut scheduler, tasks);
    let memory = resident_kib().saturating_sub(before);
    let mut running: VecDeque<(TaskId, ExecutorId)> = VecDeque::new();
    let mut batch_events = Vec::with_capacity(batch);
    let (mut launched, mut emitted) = (0u32, 0u64);
    let started = Instant::now();
    scheduler.handle(now, Event::StageBinaryPrepared { stage }, &NothingCached, &mut commands);
    loop {
        emitted += commands.len() as u64;
        for command in commands.drain(..) {
            if let Command::LaunchTasks { executor_id, tasks } = command {
                launched += tasks.len() as u32;
                running.extend(tasks.iter().map(|task| (task.task_id, executor_id.clone())));
            }
        }
        if running.is_empty() {
            break;
        }
        let moment = Moment(started.elapsed().as_millis() as u64);
        for (task_id, executor_id) in running.drain(..batch.min(running.len())) {
            let outcome =
                TaskOutcome::Success { map_status: None, result_size: ByteCount(8), accumulators: Vec::new() };
            batch_events.push(Event::TaskEnded(Box::new(TaskEnded {
                task_id,
                executor_id,
                outcome,
                run_time: None,
                metrics: None,
            })));
        }
        let now = Now { moment, wall_clock_ms: moment.0 as i64 };
        scheduler.handle_all(now, batch_events.drain(..), &NothingCached, &mut commands);
    }
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!((launched, scheduler.active_jobs()), (tasks, 0));
    println!(
        "{mode:?}, ends in batches of {batch:>2}: {:>9.0} tasks/s, {:.1} commands per task, {} MiB for {tasks} waiting tasks",
        f64::from(tasks) / seconds,
        emitted as f64 / f64::from(tasks),
        memory / 1024
    );
}

fn submit(scheduler: &mut Scheduler, tasks: u32) -> StageAttemptId {
    let rdd = Arc::new(RddInfo {
        id: RddId(0),
        name: "source".to_owned(),
        scope: None,
        call_site_short: String::new(),
        call_site_long: String::new(),
        partitions: tasks,
        dependencies: Vec::new(),
        determinism: Determinism::Determinate,
        barrier: false,
        preferred_locations: None,
        resource_profile: ResourceProfileId(0),
    });
    let submission = JobSubmission {
        job_id: JobId(0),
        kind: JobKind::Result { rdd, partitions: (0..tasks).map(Partition).collect() },
        properties: LocalProperties::default(),
        call_site_short: String::new(),
        call_site_long: String::new(),
    };
    let mut commands = Vec::new();
    scheduler.handle(Now::default(), Event::JobSubmitted(Box::new(submission)), &NothingCached, &mut commands);
    let prepare = commands.into_iter().find_map(|command| match command {
        Command::PrepareStageBinary { stage, .. } => Some(stage),
        _ => None,
    });
    prepare.expect("a job begins with its stage's binary")
}

/// What the system says this process holds in memory; 0 where it does not say.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn options(mode: SchedulingMode) -> SchedulerOptions {
    let count = |count| NonZeroU32::new(count).expect("not zero");
    let wait = Duration::from_secs(3);
    SchedulerOptions {
        mode,
        pools: Vec::new(),
        task_max_failures: count(4),
        task: TaskRequirements { cpus: count(1), resources: Vec::new() },
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
            sync_timeout: Duration::from_secs(3600),
        },
        stage: StageOptions {
            max_consecutive_attempts: count(4),
            max_attempts: None,
            resubmit_delay: Duration::from_millis(200),
            unregister_output_on_host: false,
            ignore_decommission_fetch_failure: true,
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
        heartbeat: None,
        output_commit_coordination: true,
        external_shuffle_service: false,
        dynamic_allocation: false,
        decommission_kill_interval: None,
        launch_ahead: None,
        cancelled_job_groups_tracked: 1000,
    }
}
