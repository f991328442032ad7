//! The fold: one event in, the tables changed.

mod queries;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

use firesteel_model::{
    BlockId, BlockUpdatedInfo, ExecutorId, ExecutorResourceRequest, JobId, JobOutcome, ListenerEvent, LocalProperties,
    RddId, ResourceProfileId, StageAttemptId, StageId, StageSnapshot, TaskEndReason, TaskMetrics, TaskSnapshot,
    property,
};

use crate::{
    ApplicationSummary, ExecutorRemoval, ExecutorStatus, JobState, JobStatus, RddStatus, RetainedLimits, StageState,
    StageStatus, TaskRow, TaskState, stage::count_kill, task::end_state,
};

/// The pool of jobs that name none.
const DEFAULT_POOL: &str = "default";

/// Names and values, as an environment event lists them.
pub type Properties = Vec<(String, String)>;

/// The state of one application.
#[derive(Clone, Debug, Default)]
pub struct ApplicationStatus {
    limits: RetainedLimits,
    summary: ApplicationSummary,
    user: String,
    runtime: Properties,
    spark_properties: Properties,
    system_properties: Properties,
    resource_profiles: BTreeMap<ResourceProfileId, ResourceProfileStatus>,
    jobs: BTreeMap<JobId, JobStatus>,
    ended_jobs: VecDeque<JobId>,
    stages: BTreeMap<StageAttemptId, StageStatus>,
    active_stages: Vec<StageAttemptId>,
    ended_stages: VecDeque<StageAttemptId>,
    /// Ended stage attempts whose rows have not been dropped, oldest first.
    stages_with_rows: VecDeque<StageAttemptId>,
    task_rows: usize,
    executors: BTreeMap<ExecutorId, ExecutorStatus>,
    dead_executors: VecDeque<ExecutorId>,
    rdds: BTreeMap<RddId, RddStatus>,
    hosts: HashSet<Arc<str>>,
}

/// What a resource profile asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceProfileStatus {
    /// What each executor is asked to have.
    pub executor_resources: Vec<ExecutorResourceRequest>,
    /// What each task takes: name, amount.
    pub task_resources: Vec<(String, f64)>,
}

/// One ended task attempt, with what the tables need of it.
struct TaskEnd<'a> {
    stage: StageAttemptId,
    reason: &'a TaskEndReason,
    task: &'a TaskSnapshot,
    metrics: Option<&'a Arc<TaskMetrics>>,
    state: TaskState,
}

impl ApplicationStatus {
    /// Nothing has happened yet.
    pub fn new(limits: RetainedLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes one event. Events about what was never heard of are possible (the queue may have dropped some) and change
    /// what they can.
    pub fn apply(&mut self, event: &ListenerEvent) {
        match event {
            ListenerEvent::ApplicationStart { app_name, app_id, time_ms, user } => {
                self.summary.app_name = Some(app_name.clone());
                self.summary.app_id = Some(app_id.clone());
                self.summary.start_time_ms = Some(*time_ms);
                self.user = user.clone();
            }
            ListenerEvent::ApplicationEnd { time_ms, exit_code } => {
                self.summary.end_time_ms = Some(*time_ms);
                self.summary.exit_code = *exit_code;
            }
            ListenerEvent::EnvironmentUpdate { runtime, spark_properties, system_properties } => {
                self.runtime = runtime.clone();
                self.spark_properties = spark_properties.clone();
                self.system_properties = system_properties.clone();
            }
            ListenerEvent::ResourceProfileAdded { id, executor_resources, task_resources } => {
                let profile = ResourceProfileStatus {
                    executor_resources: executor_resources.clone(),
                    task_resources: task_resources.clone(),
                };
                self.resource_profiles.insert(*id, profile);
            }
            ListenerEvent::JobStart { job_id, time_ms, stages, properties } => {
                self.start_job(*job_id, *time_ms, stages, properties);
            }
            ListenerEvent::JobEnd { job_id, time_ms, outcome } => self.end_job(*job_id, *time_ms, outcome),
            ListenerEvent::StageSubmitted { stage, properties } => self.submit_stage(stage, properties),
            ListenerEvent::StageCompleted { stage } => self.complete_stage(stage),
            ListenerEvent::TaskStart { stage, task } => self.start_task(*stage, task),
            ListenerEvent::TaskGettingResult { task } => self.get_result(task),
            ListenerEvent::TaskEnd { stage, task_type: _, reason, task, metrics } => {
                let state = end_state(reason);
                self.end_task(&TaskEnd { stage: *stage, reason, task, metrics: metrics.as_ref(), state });
            }
            ListenerEvent::SpeculativeTaskSubmitted { stage, .. } => {
                if let Some(stage) = self.stages.get_mut(stage) {
                    stage.speculative_tasks += 1;
                }
            }
            ListenerEvent::UnschedulableTaskSetAdded { stage } => self.set_unschedulable(*stage, true),
            ListenerEvent::UnschedulableTaskSetRemoved { stage } => self.set_unschedulable(*stage, false),
            ListenerEvent::ExecutorAdded { time_ms, executor_id, info } => {
                let executor = self.executor(executor_id, &info.host, *time_ms);
                executor.host = info.host.clone();
                executor.add_time_ms = *time_ms;
                executor.info = Some(Arc::clone(info));
            }
            ListenerEvent::ExecutorRemoved { time_ms, executor_id, reason } => {
                self.remove_executor(executor_id, *time_ms, reason);
            }
            ListenerEvent::ExecutorExcluded { executor_id, stage, .. } => {
                self.exclude(|executor| executor.id == *executor_id, *stage);
            }
            ListenerEvent::NodeExcluded { host, stage, .. } => {
                self.exclude(|executor| executor.host == *host, *stage);
            }
            ListenerEvent::ExecutorUnexcluded { executor_id, .. } => {
                self.include(|executor| executor.id == *executor_id);
            }
            ListenerEvent::NodeUnexcluded { host, .. } => self.include(|executor| executor.host == *host),
            ListenerEvent::BlockManagerAdded {
                time_ms,
                block_manager_id,
                maximum_memory,
                maximum_on_heap_memory,
                maximum_off_heap_memory,
            } => {
                let executor = self.executor(&block_manager_id.executor_id, &block_manager_id.host, *time_ms);
                executor.host = block_manager_id.host.clone();
                executor.port = block_manager_id.port;
                executor.maximum_memory = *maximum_memory;
                executor.maximum_on_heap_memory = *maximum_on_heap_memory;
                executor.maximum_off_heap_memory = *maximum_off_heap_memory;
            }
            ListenerEvent::BlockManagerRemoved { block_manager_id, .. } => {
                self.forget_blocks_of(&block_manager_id.executor_id);
            }
            ListenerEvent::BlockUpdated(block) => self.update_block(block),
            ListenerEvent::UnpersistRdd { rdd_id } => self.unpersist(*rdd_id),
            // What a running task has added so far is shown when it ends: the sums come from its metrics.
            ListenerEvent::ExecutorMetricsUpdate { .. } => {}
        }
    }

    fn start_job(&mut self, id: JobId, time_ms: i64, stages: &[Arc<StageSnapshot>], properties: &LocalProperties) {
        let mut job = JobStatus::new(id, time_ms, stages, properties);
        self.summary.jobs += 1;
        for snapshot in stages.iter().filter(|stage| stage.completion_time_ms.is_none()) {
            let stage = self
                .stages
                .entry(snapshot.id)
                .or_insert_with(|| StageStatus::new(Arc::clone(snapshot), job.description.clone(), pool(properties)));
            stage.jobs.push(id);
            if stage.state == StageState::Active {
                // Another job runs it already.
                job.active_stages += 1;
                job.active_tasks += stage.active_tasks;
                job.completed_tasks += stage.completed_tasks;
                job.completed_indices += stage.completed_indices;
            }
        }
        self.jobs.insert(id, job);
    }

    fn end_job(&mut self, id: JobId, time_ms: i64, outcome: &JobOutcome) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.end(time_ms, outcome);
        if job.state == JobState::Failed {
            self.summary.failed_jobs += 1;
        }
        let stage_ids = job.stage_ids.clone();
        for stage_id in stage_ids {
            for attempt in self.attempts_of(stage_id) {
                self.skip_stage(id, attempt);
            }
        }
        self.ended_jobs.push_back(id);
        while self.jobs.len() > self.limits.jobs {
            let Some(oldest) = self.ended_jobs.pop_front() else { break };
            self.jobs.remove(&oldest);
        }
    }

    /// The ended job did without this stage, if it was never submitted; unless another job still waits for it, it is over.
    fn skip_stage(&mut self, job_id: JobId, attempt: StageAttemptId) {
        let running = |id: &JobId| self.jobs.get(id).is_some_and(|job| job.state == JobState::Running);
        let Some(stage) = self.stages.get_mut(&attempt) else { return };
        if stage.state != StageState::Pending {
            return;
        }
        let tasks = u64::from(stage.snapshot.tasks);
        let over = !stage.jobs.iter().any(running);
        if over {
            stage.state = StageState::Skipped;
            self.summary.skipped_stages += 1;
        }
        if let Some(job) = self.jobs.get_mut(&job_id) {
            job.skipped_stages += 1;
            job.skipped_tasks += tasks;
        }
        if over {
            self.note_stage_end(attempt);
        }
    }

    fn submit_stage(&mut self, snapshot: &Arc<StageSnapshot>, properties: &LocalProperties) {
        self.summary.stages += 1;
        let stage_id = snapshot.id.stage_id;
        let jobs: Vec<_> = self
            .jobs
            .values_mut()
            .filter(|job| job.state == JobState::Running && job.stage_ids.contains(&stage_id))
            .map(|job| {
                job.active_stages += 1;
                job.id
            })
            .collect();
        if self.stages.get(&snapshot.id).is_some_and(|stage| stage.state != StageState::Pending) {
            // A second time under the same number: whatever lies behind it, it begins anew.
            self.forget_stage(snapshot.id);
        }
        let description = properties.get(property::JOB_DESCRIPTION).cloned();
        let stage = self
            .stages
            .entry(snapshot.id)
            .or_insert_with(|| StageStatus::new(Arc::clone(snapshot), description, pool(properties)));
        stage.snapshot = Arc::clone(snapshot);
        stage.state = StageState::Active;
        stage.pool = pool(properties);
        stage.jobs = jobs;
        self.active_stages.push(snapshot.id);
        for info in snapshot.rdds.iter().filter(|info| info.storage_level.is_valid()) {
            let rdd = self.rdds.entry(info.id).or_insert_with(|| RddStatus::new(info));
            rdd.name.clone_from(&info.name);
            rdd.storage_level = info.storage_level;
        }
    }

    fn complete_stage(&mut self, snapshot: &Arc<StageSnapshot>) {
        let Some(stage) = self.stages.get_mut(&snapshot.id) else { return };
        let was_active = stage.state == StageState::Active;
        let failed = snapshot.failure_reason.is_some();
        stage.snapshot = Arc::clone(snapshot);
        stage.state = if failed { StageState::Failed } else { StageState::Complete };
        stage.unschedulable = false;
        stage.done.clear();
        if failed {
            self.summary.failed_stages += 1;
        }
        for job_id in &stage.jobs {
            let Some(job) = self.jobs.get_mut(job_id) else { continue };
            job.active_stages = job.active_stages.saturating_sub(u32::from(was_active));
            if failed { job.failed_stages += 1 } else { job.completed_stages += 1 }
        }
        for executor in self.executors.values_mut() {
            executor.excluded_in_stages.remove(&snapshot.id);
        }
        self.active_stages.retain(|active| *active != snapshot.id);
        self.note_stage_end(snapshot.id);
    }

    fn note_stage_end(&mut self, id: StageAttemptId) {
        self.ended_stages.push_back(id);
        self.stages_with_rows.push_back(id);
        while self.stages.len() > self.limits.stages {
            let Some(oldest) = self.ended_stages.front().copied() else { break };
            self.forget_stage(oldest);
        }
    }

    fn forget_stage(&mut self, id: StageAttemptId) {
        if let Some(stage) = self.stages.remove(&id) {
            self.task_rows -= stage.tasks.len();
        }
        self.active_stages.retain(|other| *other != id);
        self.ended_stages.retain(|other| *other != id);
        self.stages_with_rows.retain(|other| *other != id);
    }

    fn start_task(&mut self, stage_id: StageAttemptId, task: &TaskSnapshot) {
        self.summary.tasks += 1;
        let executor = self.executor(&task.executor_id, &task.host, task.launch_time_ms);
        executor.active_tasks += 1;
        executor.total_tasks += 1;
        let host = self.host(&task.host);
        let Some(stage) = self.stages.get_mut(&stage_id) else { return };
        stage.active_tasks += 1;
        stage.first_task_launched_time_ms.get_or_insert(task.launch_time_ms);
        stage.tasks.insert(TaskRow::start(task, host));
        self.task_rows += 1;
        for job_id in &stage.jobs {
            if let Some(job) = self.jobs.get_mut(job_id) {
                job.active_tasks += 1;
            }
        }
        self.drop_rows(stage_id);
    }

    /// Brings the task rows back under their limits: of this stage attempt, and of all. Rows of ended stage attempts go
    /// first, oldest first; then ended rows of this one; then those of others. Rows of running tasks stay.
    fn drop_rows(&mut self, stage_id: StageAttemptId) {
        if let Some(stage) = self.stages.get_mut(&stage_id) {
            self.task_rows -= stage.tasks.shrink_to(self.limits.tasks);
        }
        while self.task_rows > self.limits.all_tasks
            && let Some(oldest) = self.stages_with_rows.front().copied()
        {
            self.drop_excess(oldest);
            if self.task_rows > self.limits.all_tasks {
                self.stages_with_rows.pop_front();
            }
        }
        if self.task_rows > self.limits.all_tasks {
            self.drop_excess(stage_id);
        }
        if self.task_rows > self.limits.all_tasks {
            let others: Vec<_> = self.stages.keys().copied().collect();
            others.into_iter().for_each(|other| self.drop_excess(other));
        }
    }

    /// Drops as many ended rows of the stage attempt as there are too many of all.
    fn drop_excess(&mut self, stage_id: StageAttemptId) {
        let excess = self.task_rows.saturating_sub(self.limits.all_tasks);
        if let Some(stage) = self.stages.get_mut(&stage_id) {
            let left = stage.tasks.len().saturating_sub(excess);
            self.task_rows -= stage.tasks.shrink_to(left);
        }
    }

    fn get_result(&mut self, task: &TaskSnapshot) {
        for stage_id in &self.active_stages {
            let rows = self.stages.get_mut(stage_id).map(|stage| &mut stage.tasks.rows);
            if let Some(row) = rows.and_then(|rows| rows.get_mut(&task.task_id)) {
                row.state = TaskState::GettingResult;
                row.getting_result_time_ms = task.getting_result_time_ms;
                return;
            }
        }
    }

    fn end_task(&mut self, end: &TaskEnd<'_>) {
        // The attempt ended long ago, well; it is its output that is lost (RT-34).
        let resubmitted = matches!(end.reason, TaskEndReason::Resubmitted);
        match end.state {
            TaskState::Success => self.summary.completed_tasks += 1,
            TaskState::Killed => self.summary.killed_tasks += 1,
            _ => self.summary.failed_tasks += 1,
        }
        if let Some(metrics) = end.metrics.filter(|_| !resubmitted) {
            self.summary.totals += metrics;
        }
        self.end_task_of_executor(end, resubmitted);
        let indices = self.end_task_of_stage(end, resubmitted);
        let Some(stage) = self.stages.get(&end.stage) else { return };
        for job_id in &stage.jobs {
            let Some(job) = self.jobs.get_mut(job_id) else { continue };
            job.active_tasks = job.active_tasks.saturating_sub(u64::from(!resubmitted));
            job.completed_indices = job.completed_indices.saturating_add_signed(indices);
            match end.state {
                TaskState::Success => job.completed_tasks += 1,
                TaskState::Killed => {
                    job.killed_tasks += 1;
                    count_kill(&mut job.killed_tasks_summary, &kill_reason(end.reason));
                }
                _ => job.failed_tasks += 1,
            }
        }
        self.drop_rows(end.stage);
    }

    fn end_task_of_executor(&mut self, end: &TaskEnd<'_>, resubmitted: bool) {
        let Some(executor) = self.executors.get_mut(&end.task.executor_id) else { return };
        match end.state {
            TaskState::Success => executor.completed_tasks += 1,
            TaskState::Killed => {}
            _ => executor.failed_tasks += 1,
        }
        if resubmitted {
            return;
        }
        executor.active_tasks = executor.active_tasks.saturating_sub(1);
        executor.total_duration_ms += duration_ms(end.task);
        if let Some(metrics) = end.metrics {
            executor.totals += metrics;
        }
    }

    /// Returns by how much the number of completed indices changed.
    fn end_task_of_stage(&mut self, end: &TaskEnd<'_>, resubmitted: bool) -> i64 {
        let Some(stage) = self.stages.get_mut(&end.stage) else { return 0 };
        let totals = stage.executors.entry(end.task.executor_id.clone()).or_default();
        let mut indices = 0;
        match end.state {
            TaskState::Success => {
                stage.completed_tasks += 1;
                totals.succeeded_tasks += 1;
                if stage.state == StageState::Active && stage.done.insert(end.task.index) {
                    indices = 1;
                }
            }
            TaskState::Killed => {
                stage.killed_tasks += 1;
                totals.killed_tasks += 1;
                count_kill(&mut stage.killed_tasks_summary, &kill_reason(end.reason));
            }
            _ => {
                stage.failed_tasks += 1;
                totals.failed_tasks += 1;
            }
        }
        if resubmitted {
            if stage.done.remove(end.task.index) {
                indices = -1;
            }
        } else {
            stage.active_tasks = stage.active_tasks.saturating_sub(1);
            totals.task_time_ms += duration_ms(end.task);
            if let Some(metrics) = end.metrics {
                stage.totals += metrics;
                totals.totals += metrics;
            }
            if let Some(row) = stage.tasks.rows.get_mut(&end.task.task_id) {
                row.end(end.task, end.reason, end.metrics);
                stage.tasks.note_end(end.task.task_id);
            }
        }
        stage.completed_indices = stage.completed_indices.saturating_add_signed(indices);
        indices
    }

    fn set_unschedulable(&mut self, stage_id: StageAttemptId, unschedulable: bool) {
        if let Some(stage) = self.stages.get_mut(&stage_id) {
            stage.unschedulable = unschedulable;
        }
    }

    fn executor(&mut self, id: &ExecutorId, host: &str, time_ms: i64) -> &mut ExecutorStatus {
        self.executors.entry(id.clone()).or_insert_with(|| ExecutorStatus::new(id.clone(), host.to_owned(), time_ms))
    }

    fn remove_executor(&mut self, id: &ExecutorId, time_ms: i64, reason: &str) {
        self.forget_blocks_of(id);
        let Some(executor) = self.executors.get_mut(id).filter(|executor| executor.is_active()) else { return };
        executor.remove_time_ms = Some(time_ms);
        executor.remove_reason = Some(reason.to_owned());
        executor.active_tasks = 0;
        if self.summary.end_time_ms.is_none() {
            self.summary.removed_executors += 1;
            if self.summary.removals.len() < ApplicationSummary::REMOVALS_MAX {
                let host = executor.host.clone();
                self.summary.removals.push(ExecutorRemoval {
                    executor_id: id.clone(),
                    host,
                    reason: reason.to_owned(),
                });
            }
        }
        self.dead_executors.push_back(id.clone());
        while self.dead_executors.len() > self.limits.dead_executors {
            if let Some(oldest) = self.dead_executors.pop_front() {
                self.executors.remove(&oldest);
            }
        }
    }

    fn exclude(&mut self, of: impl Fn(&ExecutorStatus) -> bool, stage: Option<StageAttemptId>) {
        for executor in self.executors.values_mut().filter(|executor| of(executor)) {
            let Some(stage_id) = stage else {
                executor.excluded = true;
                continue;
            };
            executor.excluded_in_stages.insert(stage_id);
            if let Some(stage) = self.stages.get_mut(&stage_id) {
                stage.executors.entry(executor.id.clone()).or_default().excluded = true;
            }
        }
    }

    fn include(&mut self, of: impl Fn(&ExecutorStatus) -> bool) {
        for executor in self.executors.values_mut().filter(|executor| of(executor)) {
            executor.excluded = false;
        }
    }

    fn update_block(&mut self, block: &BlockUpdatedInfo) {
        let BlockId::Rdd(rdd_id, partition) = block.block_id else { return };
        let Some(rdd) = self.rdds.get_mut(&rdd_id) else { return };
        let executor_id = &block.block_manager_id.executor_id;
        let after = block.storage_level.is_valid().then_some((block.memory_size, block.disk_size));
        let before = rdd.set_copy(partition, executor_id, after);
        if let Some(executor) = self.executors.get_mut(executor_id) {
            let (memory_before, disk_before) = before.unwrap_or_default();
            let (memory, disk) = after.unwrap_or_default();
            // What was stored before the executor was heard of is not counted there.
            executor.rdd_blocks =
                executor.rdd_blocks.saturating_sub(u64::from(before.is_some())) + u64::from(after.is_some());
            executor.memory_used = executor.memory_used.saturating_sub(memory_before) + memory;
            executor.disk_used = executor.disk_used.saturating_sub(disk_before) + disk;
        }
    }

    fn forget_blocks_of(&mut self, executor_id: &ExecutorId) {
        for rdd in self.rdds.values_mut() {
            let held: Vec<_> = rdd
                .cached
                .iter()
                .filter(|(_, partition)| partition.copies.contains_key(executor_id))
                .map(|(partition, _)| *partition)
                .collect();
            for partition in held {
                rdd.set_copy(partition, executor_id, None);
            }
        }
        if let Some(executor) = self.executors.get_mut(executor_id) {
            executor.rdd_blocks = 0;
            executor.memory_used = 0;
            executor.disk_used = 0;
        }
    }

    /// Of the bytes in an executor's memory, those that lie off heap.
    pub fn off_heap_memory_used(&self, executor_id: &ExecutorId) -> u64 {
        let off_heap = self.rdds.values().filter(|rdd| rdd.storage_level.use_off_heap);
        let copies = off_heap.flat_map(|rdd| rdd.cached.values()).filter_map(|cached| cached.copies.get(executor_id));
        copies.map(|(memory, _)| memory).sum()
    }

    fn unpersist(&mut self, rdd_id: RddId) {
        let Some(rdd) = self.rdds.remove(&rdd_id) else { return };
        for (executor_id, (memory, disk)) in rdd.cached.values().flat_map(|partition| &partition.copies) {
            if let Some(executor) = self.executors.get_mut(executor_id) {
                // As in `update_block`.
                executor.rdd_blocks = executor.rdd_blocks.saturating_sub(1);
                executor.memory_used = executor.memory_used.saturating_sub(*memory);
                executor.disk_used = executor.disk_used.saturating_sub(*disk);
            }
        }
    }

    /// One copy of each host name, however many tasks ran there.
    fn host(&mut self, host: &str) -> Arc<str> {
        if let Some(known) = self.hosts.get(host) {
            return Arc::clone(known);
        }
        let host: Arc<str> = host.into();
        self.hosts.insert(Arc::clone(&host));
        host
    }

    fn attempts_of(&self, stage_id: StageId) -> Vec<StageAttemptId> {
        self.stage_attempts(stage_id).map(StageStatus::id).collect()
    }
}

fn pool(properties: &LocalProperties) -> String {
    properties.get(property::POOL).cloned().unwrap_or_else(|| DEFAULT_POOL.to_owned())
}

fn kill_reason(reason: &TaskEndReason) -> String {
    match reason {
        TaskEndReason::TaskKilled { reason } => reason.clone(),
        other => other.to_string(),
    }
}

fn duration_ms(task: &TaskSnapshot) -> u64 {
    u64::try_from(task.finish_time_ms - task.launch_time_ms).unwrap_or(0)
}
