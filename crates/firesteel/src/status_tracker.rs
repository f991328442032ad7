//! What a program can ask about its own jobs: Spark's `SparkStatusTracker`.

use std::sync::Arc;

use firesteel_model::{ByteCount, ExecutorId, JobId, StageId};
use firesteel_status::{ApplicationStatus, JobState};
use parking_lot::Mutex;

/// Tells what jobs and stages do, as far as listeners have heard of it: a moment behind the scheduler. Of jobs and stages
/// long ended nothing is known any more.
///
/// ```
/// # let spark = firesteel::examples::context();
/// let tracker = spark.status_tracker();
/// spark.add_job_tag("nightly")?;
/// let endless = spark.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count_async();
/// while tracker.active_stage_ids().is_empty() {
///     std::thread::yield_now();
/// }
/// let jobs = tracker.active_job_ids();
/// assert_eq!((tracker.job_ids_for_tag("nightly"), tracker.job_ids_for_group(None)), (jobs.clone(), jobs.clone()));
/// let job = tracker.job_info(jobs[0]).expect("it runs");
/// let stage = tracker.stage_info(job.stage_ids[0]).expect("it runs");
/// assert_eq!((job.status, stage.num_tasks, tracker.executor_infos().len()), ("RUNNING", 1, 1));
/// endless.cancel();
/// # Ok::<(), firesteel::SparkError>(())
/// ```
#[derive(Clone)]
pub struct StatusTracker {
    status: Arc<Mutex<ApplicationStatus>>,
}

/// One job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SparkJobInfo {
    /// Which.
    pub job_id: JobId,
    /// Its stages, ascending.
    pub stage_ids: Vec<StageId>,
    /// `RUNNING`, `SUCCEEDED` or `FAILED`.
    pub status: &'static str,
}

/// The last attempt of one stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SparkStageInfo {
    /// Which.
    pub stage_id: StageId,
    /// The attempt, from 0.
    pub current_attempt_id: u32,
    /// When it was submitted, in milliseconds since 1970; 0 if it was not.
    pub submission_time_ms: i64,
    /// Its call site.
    pub name: String,
    /// How many tasks it has.
    pub num_tasks: u64,
    /// How many of them run.
    pub num_active_tasks: u64,
    /// How many of them are done.
    pub num_completed_tasks: u64,
    /// How many attempts have failed.
    pub num_failed_tasks: u64,
}

/// One executor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SparkExecutorInfo {
    /// Its host.
    pub host: String,
    /// The port of its block manager; 0 in local mode, where nobody reaches it.
    pub port: u16,
    /// Storage memory that its cached blocks take, on heap and off heap.
    pub cache_size: ByteCount,
    /// How many tasks it runs.
    pub num_running_tasks: u64,
    /// The part of that on heap.
    pub used_on_heap_storage_memory: ByteCount,
    /// The part of that off heap.
    pub used_off_heap_storage_memory: ByteCount,
    /// The most storage memory that it can have on heap.
    pub total_on_heap_storage_memory: ByteCount,
    /// The most storage memory that it can have off heap.
    pub total_off_heap_storage_memory: ByteCount,
}

impl StatusTracker {
    pub(crate) fn new(status: &Arc<Mutex<ApplicationStatus>>) -> Self {
        Self { status: Arc::clone(status) }
    }

    /// The known jobs of a group, or, with `None`, those in no group.
    pub fn job_ids_for_group(&self, group: Option<&str>) -> Vec<JobId> {
        self.status.lock().job_ids_for_group(group)
    }

    /// The known jobs with a tag.
    pub fn job_ids_for_tag(&self, tag: &str) -> Vec<JobId> {
        self.status.lock().job_ids_for_tag(tag)
    }

    /// The jobs that run.
    pub fn active_job_ids(&self) -> Vec<JobId> {
        self.status.lock().active_job_ids()
    }

    /// The stages that run.
    pub fn active_stage_ids(&self) -> Vec<StageId> {
        self.status.lock().active_stage_ids()
    }

    /// One job, if it is known.
    pub fn job_info(&self, job_id: JobId) -> Option<SparkJobInfo> {
        let status = self.status.lock();
        let job = status.job(job_id)?;
        let state: JobState = job.state;
        Some(SparkJobInfo { job_id, stage_ids: job.stage_ids.clone(), status: state.name() })
    }

    /// One stage, if it is known.
    pub fn stage_info(&self, stage_id: StageId) -> Option<SparkStageInfo> {
        let status = self.status.lock();
        let stage = status.last_stage_attempt(stage_id)?;
        let progress = stage.progress();
        Some(SparkStageInfo {
            stage_id,
            current_attempt_id: progress.id.attempt.0,
            submission_time_ms: progress.submission_time_ms,
            name: stage.snapshot.name.clone(),
            num_tasks: progress.tasks,
            num_active_tasks: progress.active_tasks,
            num_completed_tasks: progress.completed_tasks,
            num_failed_tasks: progress.failed_tasks,
        })
    }

    /// The ids of the executors that are there, without the driver.
    pub(crate) fn executor_ids(&self) -> Vec<ExecutorId> {
        let status = self.status.lock();
        let active = status.executors().filter(|executor| executor.is_active() && !executor.id.is_driver());
        active.map(|executor| executor.id.clone()).collect()
    }

    /// The executors that are there. As in Spark, the driver is among them, as what it stores counts, too.
    pub fn executor_infos(&self) -> Vec<SparkExecutorInfo> {
        let status = self.status.lock();
        let active = status.executors().filter(|executor| executor.is_active());
        let infos = active.map(|executor| {
            let off_heap = status.off_heap_memory_used(&executor.id);
            SparkExecutorInfo {
                host: executor.host.clone(),
                port: executor.port,
                cache_size: ByteCount(executor.memory_used),
                num_running_tasks: executor.active_tasks,
                used_on_heap_storage_memory: ByteCount(executor.memory_used.saturating_sub(off_heap)),
                used_off_heap_storage_memory: ByteCount(off_heap),
                total_on_heap_storage_memory: ByteCount(executor.maximum_on_heap_memory),
                total_off_heap_storage_memory: ByteCount(executor.maximum_off_heap_memory),
            }
        });
        infos.collect()
    }
}
