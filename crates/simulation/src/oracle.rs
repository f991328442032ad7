//! What the users were promised.

mod barriers;
mod commits;
mod exclusions;
mod failures;
mod map_outputs;
mod merges;
mod tasks;
mod turns;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{
    BlockManagerId, ExecutorId, JobId, ListenerEvent, MapStatus, ShuffleId, StageAttemptId, StageId, TaskEndReason,
    TaskId,
};
use firesteel_scheduler::{
    Command, Determinism, Event, JobSubmission, LostOutputs, SchedulerOptions, StageBinaryKind, TaskLaunch, TaskOutcome,
};

use barriers::Barriers;
use commits::Commits;
use exclusions::Exclusions;
use failures::{Failures, Needs};
use map_outputs::MapOutputs;
use merges::Merges;
use tasks::{Ended, Tasks};
use turns::Turns;

/// Which rows something was computed from: for each shuffle and map index, the version of the map output that was read.
pub(crate) type Provenance = BTreeMap<(ShuffleId, u32), u64>;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    Succeeded,
    Failed(String),
}

#[derive(Debug)]
struct Promise {
    /// None for a map-stage job.
    outputs: Option<u32>,
    delivered: BTreeMap<u32, TaskId>,
    rows: Provenance,
    needs: Needs,
    /// Its tasks commit their output.
    commits: bool,
    must_succeed: bool,
    cancelled: bool,
    ending: Option<Ending>,
}

/// Keeps what was promised and what came, and panics where they disagree.
#[derive(Debug, Default)]
pub struct Oracle {
    jobs: BTreeMap<JobId, Promise>,
    results: BTreeMap<TaskId, Provenance>,
    tasks: Tasks,
    merges: Merges,
    commits: Commits,
    barriers: Barriers,
    failures: Failures,
    map_outputs: MapOutputs,
    exclusions: Exclusions,
    turns: Turns,
    /// A shuffle service serves map outputs, so what cannot be read there speaks of the host.
    shuffle_service: bool,
    /// The latest attempt of each stage.
    latest: BTreeMap<StageId, StageAttemptId>,
    /// Stage attempts of which nothing may count: a task of a barrier stage failed, or what they read is computed anew.
    void: BTreeSet<StageAttemptId>,
}

impl Oracle {
    pub(crate) fn new(options: &SchedulerOptions) -> Self {
        Self {
            shuffle_service: options.external_shuffle_service,
            exclusions: Exclusions::new(options.exclusion.clone()),
            turns: Turns::new(options),
            ..Self::default()
        }
    }

    pub(crate) fn submitted(
        &mut self,
        submission: &JobSubmission,
        outputs: Option<u32>,
        commits: bool,
        must_succeed: bool,
    ) {
        let promise = Promise {
            outputs,
            delivered: BTreeMap::new(),
            rows: Provenance::new(),
            needs: Needs::of(&submission.kind),
            commits,
            must_succeed,
            cancelled: false,
            ending: None,
        };
        let job_id = submission.job_id;
        assert!(self.jobs.insert(job_id, promise).is_none(), "job {job_id} is submitted twice");
    }

    pub(crate) fn cancelled(&mut self, job_id: JobId) {
        self.jobs.get_mut(&job_id).expect("only submitted jobs are cancelled").cancelled = true;
    }

    /// The jobs that need the stage are cancelled.
    pub(crate) fn stage_cancelled(&mut self, stage_id: StageId) {
        for job in self.jobs.values_mut().filter(|job| job.needs.stages.contains(&stage_id)) {
            job.cancelled = true;
        }
    }

    pub(crate) fn is_over(&self, job_id: JobId) -> bool {
        self.jobs[&job_id].ending.is_some()
    }

    /// The driver hears of something, and has not acted yet.
    pub(crate) fn heard(&mut self, event: &Event) {
        match event {
            Event::TaskStarted { task_id, executor_id } => self.tasks.started(*task_id, executor_id),
            Event::TaskEnded(ended) if self.tasks.runs(ended.task_id, &ended.executor_id) => {
                if let TaskOutcome::Failure(reason) = &ended.outcome {
                    self.failures.task_failed(ended.task_id, reason, &self.tasks);
                    self.fetch_failed(ended.task_id, reason);
                }
            }
            Event::ExecutorLost { executor_id, reason, lost_outputs } => {
                self.failures.executor_lost(executor_id, reason.caused_by_app(), &self.tasks);
                if *lost_outputs != LostOutputs::None {
                    self.suspect(|at| at.executor_id == *executor_id);
                }
            }
            Event::ExecutorAdded(executor) => {
                self.exclusions.executor_added(&executor.executor_id, &executor.info.host);
            }
            Event::StageBinaryPrepared { stage } => self.turns.stage_prepared(*stage),
            Event::BarrierSync(sync) => self.barriers.arrived(sync),
            Event::StageBinaryFailed { stage, .. } => self.failures.binary_failed(*stage),
            _ => {}
        }
    }

    fn fetch_failed(&mut self, task_id: TaskId, reason: &TaskEndReason) {
        let TaskEndReason::FetchFailed { block_manager_id: Some(at), .. } = reason else { return };
        let task = self.tasks.get(task_id);
        let (stage, epoch) = (task.stage, task.epoch);
        let wanted = self.jobs.values().any(|job| job.ending.is_none() && job.needs.stages.contains(&stage.stage_id));
        if wanted && self.latest.get(&stage.stage_id) == Some(&stage) {
            self.map_outputs.unreadable(&at.executor_id, epoch);
        }
        let whole_host = self.shuffle_service;
        self.suspect(|other| other.executor_id == at.executor_id || (whole_host && other.host == at.host));
    }

    fn suspect(&mut self, gone: impl Fn(&BlockManagerId) -> bool) {
        for shuffle_id in self.map_outputs.suspected(gone) {
            self.failures.damaged(shuffle_id);
        }
    }

    /// The driver acts: what of that can be judged by itself.
    pub(crate) fn told(&mut self, command: &Command) {
        match command {
            Command::PrepareStageBinary { stage, rdd, kind, tasks, .. } => {
                self.tasks.prepared(*stage, kind);
                self.barriers.prepared(*stage, *tasks);
                if let StageBinaryKind::Map(shuffle) = kind
                    && (rdd.barrier || rdd.determinism == Determinism::Indeterminate)
                {
                    self.map_outputs.made_as_a_whole(shuffle.shuffle_id);
                }
            }
            Command::LaunchTasks { executor_id, tasks } => {
                tasks.iter().for_each(|launch| self.launched(executor_id, launch));
            }
            Command::AcceptExecutor { executor_id } => self.exclusions.executor_accepted(executor_id),
            Command::AnswerCommit { ask, allowed: true } => {
                self.commits.granted(TaskId(*ask), &self.tasks, &self.void);
            }
            Command::AnswerBarrier { stage, task_id, epoch, outcome: Ok(messages) } => {
                self.barriers.released(*stage, *task_id, *epoch, messages);
            }
            Command::MergeAccumulators { task_id, .. } => {
                self.merges.merged(*task_id, &self.tasks, &self.map_outputs);
            }
            Command::PostEvent(event) => self.posted(event),
            _ => {}
        }
    }

    /// The driver has done all that follows from what it heard.
    pub(crate) fn turn_over(&mut self) {
        self.turns.over(|stage| self.exclusions.is_free(stage));
    }

    fn launched(&mut self, executor_id: &ExecutorId, launch: &TaskLaunch) {
        let (task_id, stage) = (launch.task_id, launch.stage);
        assert!(!self.void.contains(&stage), "task {task_id} of {stage} is launched, though all of it was void");
        self.tasks.launched(executor_id, launch);
        self.exclusions.launched(executor_id, launch);
        self.turns.launched(launch);
        if let Some(shuffle_id) = self.tasks.shuffle(stage) {
            self.map_outputs.launched(shuffle_id, launch.partition);
        }
    }

    /// What the listeners are told.
    fn posted(&mut self, event: &ListenerEvent) {
        match event {
            ListenerEvent::JobStart { job_id, stages, .. } => {
                let job = self.jobs.get_mut(job_id).expect("a job that was submitted");
                job.needs.stages = stages.iter().map(|stage| stage.id.stage_id).collect();
                self.turns.job_started(*job_id, stages.iter().map(|stage| stage.id.stage_id));
            }
            ListenerEvent::StageSubmitted { stage, properties } => {
                self.latest.insert(stage.id.stage_id, stage.id);
                self.turns.stage_submitted(stage.id, stage.barrier, stage.tasks, properties);
            }
            ListenerEvent::TaskStart { task, .. } => self.turns.started(task.task_id),
            ListenerEvent::StageCompleted { stage } => {
                self.turns.stage_over(stage.id);
                if let Some(reason) = &stage.failure_reason
                    && (stage.barrier || reason.starts_with("rolled back"))
                {
                    self.void.insert(stage.id);
                }
            }
            // The attempt ended long ago.
            ListenerEvent::TaskEnd { reason: TaskEndReason::Resubmitted, task, stage, .. } => {
                self.exclusions.output_lost(*stage, task.index);
            }
            ListenerEvent::TaskEnd { reason, task, stage, .. } => {
                let how = if *reason == TaskEndReason::Success { Ended::Succeeded } else { Ended::InVain };
                self.tasks.ended(task.task_id, how);
                if how == Ended::Succeeded {
                    self.exclusions.task_succeeded(self.tasks.get(task.task_id));
                    self.turns.succeeded(*stage);
                } else if failures::is_own_fault(reason) {
                    self.exclusions.task_failed(task.task_id, &self.tasks);
                }
                if how == Ended::InVain && self.tasks.get(task.task_id).barrier {
                    self.failures.stage_in_vain(*stage);
                }
            }
            ListenerEvent::ExecutorExcluded { executor_id, stage: None, .. } => {
                self.exclusions.executor_excluded(executor_id, true);
            }
            ListenerEvent::ExecutorUnexcluded { executor_id, .. } => {
                self.exclusions.executor_excluded(executor_id, false);
            }
            ListenerEvent::NodeExcluded { host, stage: None, .. } => self.exclusions.host_excluded(host, true),
            ListenerEvent::NodeUnexcluded { host, .. } => self.exclusions.host_excluded(host, false),
            // Its heartbeats stopped, or its loss was reported.
            ListenerEvent::ExecutorRemoved { executor_id, .. } => {
                self.exclusions.executor_removed(executor_id);
                if !self.shuffle_service {
                    self.suspect(|at| at.executor_id == *executor_id);
                }
            }
            _ => {}
        }
    }

    /// What readers of the shuffle are told from here on.
    pub(crate) fn map_outputs_changed(&mut self, shuffle_id: ShuffleId, statuses: &[Option<Arc<MapStatus>>]) {
        for status in statuses.iter().flatten() {
            let task_id = TaskId(status.map_id.0);
            self.output_counts(task_id);
            assert!(self.merges.has(task_id), "the accumulators of map task {task_id} were not merged");
        }
        self.map_outputs.changed(shuffle_id, statuses, &self.tasks);
    }

    /// What the task made is used.
    fn output_counts(&self, task_id: TaskId) {
        let stage = self.tasks.get(task_id).stage;
        assert!(
            !self.void.contains(&stage),
            "what task {task_id} made counts, though its stage attempt {stage} is void"
        );
    }

    /// The driver holds the result of a task.
    pub(crate) fn result_arrived(&mut self, task_id: TaskId, rows: Provenance) {
        self.results.insert(task_id, rows);
    }

    pub(crate) fn result_dropped(&mut self, task_id: TaskId) {
        self.results.remove(&task_id);
    }

    /// A task of a job has put its output in its place.
    pub(crate) fn committed(&mut self, task_id: TaskId) {
        self.commits.committed(task_id, &self.tasks);
    }

    pub(crate) fn delivered(&mut self, job_id: JobId, output: u32, task_id: TaskId) {
        self.output_counts(task_id);
        let rows = self.results.remove(&task_id);
        let rows = rows.unwrap_or_else(|| panic!("job {job_id}: the result of task {task_id} is not on the driver"));
        assert!(self.merges.has(task_id), "the accumulators of task {task_id} were not merged");
        let job = self.jobs.get_mut(&job_id).expect("a result is delivered to a job");
        assert_eq!(job.ending, None, "job {job_id} gets a result after its end");
        if job.commits {
            self.commits.delivered(task_id, &self.tasks);
        }
        assert!(output < job.outputs.expect("a map-stage job has no results"));
        assert_eq!(job.delivered.insert(output, task_id), None, "job {job_id}: output {output} is delivered twice");
        for (input, version) in rows {
            let known = *job.rows.entry(input).or_insert(version);
            assert_eq!(known, version, "job {job_id}: its results were computed from different versions of {input:?}");
        }
    }

    pub(crate) fn succeeded(&mut self, job_id: JobId) {
        let job = self.jobs.get_mut(&job_id).expect("a job that was submitted");
        if let Some(outputs) = job.outputs {
            assert_eq!(job.delivered.len() as u32, outputs, "job {job_id} succeeds without all of its results");
        }
        assert_eq!(job.ending.replace(Ending::Succeeded), None, "job {job_id} ends twice");
    }

    pub(crate) fn failed(&mut self, job_id: JobId, message: &str) {
        let job = self.jobs.get_mut(&job_id).expect("a job that was submitted");
        assert_eq!(job.ending, None, "job {job_id} ends twice");
        let expected = !job.must_succeed || job.cancelled;
        assert!(expected, "job {job_id} fails though nothing went wrong: {message}");
        let explained = if message.contains("cancelled") {
            job.cancelled
        } else if message.contains("cannot run anywhere due to node and executor excludeOnFailure") {
            let sets = job.needs.stages.iter().filter_map(|stage_id| self.latest.get(stage_id));
            let mut tasks = sets.flat_map(|&stage| (0..self.barriers.tasks(stage)).map(move |index| (stage, index)));
            tasks.any(|(stage, index)| {
                message.contains(&format!("Aborting TaskSet {stage} because task {index} (partition"))
                    && self.exclusions.forbids_everywhere(stage, index)
            })
        } else {
            self.failures.explains(job_id, &job.needs, message)
        };
        assert!(explained, "job {job_id} fails for what did not happen: {message}");
        job.ending = Some(Ending::Failed(message.to_owned()));
    }

    /// Jobs that have not ended.
    pub(crate) fn open_jobs(&self) -> Vec<JobId> {
        self.jobs.iter().filter(|(_, job)| job.ending.is_none()).map(|(&id, _)| id).collect()
    }

    /// How many jobs succeeded, and how many failed.
    pub(crate) fn tally(&self) -> (u32, u32) {
        let succeeded = self.jobs.values().filter(|job| job.ending == Some(Ending::Succeeded)).count() as u32;
        (succeeded, self.jobs.len() as u32 - succeeded - self.open_jobs().len() as u32)
    }

    /// Results that the driver keeps for nobody.
    pub(crate) fn leaked_results(&self) -> usize {
        self.results.len()
    }
}
