//! What the users were promised.

mod map_outputs;
mod merges;
mod tasks;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{ExecutorId, JobId, ListenerEvent, MapStatus, ShuffleId, StageAttemptId, TaskEndReason, TaskId};
use firesteel_scheduler::{StageBinaryKind, TaskLaunch};

use map_outputs::MapOutputs;
use merges::Merges;
use tasks::{Ended, Tasks};

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
    map_outputs: MapOutputs,
    /// Stage attempts of which nothing may count: a task of a barrier stage failed, or what they read is computed anew.
    void: BTreeSet<StageAttemptId>,
}

impl Oracle {
    pub(crate) fn submitted(&mut self, job_id: JobId, outputs: Option<u32>, must_succeed: bool) {
        let promise = Promise {
            outputs,
            delivered: BTreeMap::new(),
            rows: Provenance::new(),
            must_succeed,
            cancelled: false,
            ending: None,
        };
        assert!(self.jobs.insert(job_id, promise).is_none());
    }

    pub(crate) fn cancelled(&mut self, job_id: JobId) {
        self.jobs.get_mut(&job_id).expect("only submitted jobs are cancelled").cancelled = true;
    }

    pub(crate) fn is_over(&self, job_id: JobId) -> bool {
        self.jobs[&job_id].ending.is_some()
    }

    pub(crate) fn stage_prepared(&mut self, stage: StageAttemptId, kind: &StageBinaryKind) {
        self.tasks.prepared(stage, kind);
    }

    pub(crate) fn launched(&mut self, executor_id: &ExecutorId, launch: &TaskLaunch) {
        let (task_id, stage) = (launch.task_id, launch.stage);
        assert!(!self.void.contains(&stage), "task {task_id} of {stage} is launched, though all of it was void");
        self.tasks.launched(executor_id, launch);
    }

    /// What the listeners are told.
    pub(crate) fn posted(&mut self, event: &ListenerEvent) {
        match event {
            ListenerEvent::StageCompleted { stage } => {
                if let Some(reason) = &stage.failure_reason
                    && (stage.barrier || reason.starts_with("rolled back"))
                {
                    self.void.insert(stage.id);
                }
            }
            // The output is lost of an attempt that ended long ago.
            ListenerEvent::TaskEnd { reason: TaskEndReason::Resubmitted, .. } => {}
            ListenerEvent::TaskEnd { reason, task, .. } => {
                let how = if *reason == TaskEndReason::Success { Ended::Succeeded } else { Ended::InVain };
                self.tasks.ended(task.task_id, how);
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
        self.map_outputs.changed(shuffle_id, statuses);
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

    pub(crate) fn accumulators_merged(&mut self, task_id: TaskId) {
        self.merges.merged(task_id, &self.tasks, &self.map_outputs);
    }

    pub(crate) fn delivered(&mut self, job_id: JobId, output: u32, task_id: TaskId) {
        self.output_counts(task_id);
        let rows = self.results.remove(&task_id);
        let rows = rows.unwrap_or_else(|| panic!("job {job_id}: the result of task {task_id} is not on the driver"));
        assert!(self.merges.has(task_id), "the accumulators of task {task_id} were not merged");
        let job = self.jobs.get_mut(&job_id).expect("a result is delivered to a job");
        assert_eq!(job.ending, None, "job {job_id} gets a result after its end");
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
        /// Every honest reason begins or goes on like one of these.
        const HONEST: [&str; 8] = [
            "cancelled",
            "failed 4 times, most recent failure: Lost task",
            "maximum allowable number of times: 4. Most recent failure reason",
            "indeterminate output was failed and retried",
            "Task serialization failed",
            "[SPARK-24819]",
            "cannot run anywhere due to node and executor excludeOnFailure",
            "no retry can help",
        ];
        let job = self.jobs.get_mut(&job_id).expect("a job that was submitted");
        assert_eq!(job.ending, None, "job {job_id} ends twice");
        assert!(HONEST.iter().any(|reason| message.contains(reason)), "job {job_id} fails without a reason: {message}");
        let expected = !job.must_succeed || job.cancelled;
        assert!(expected, "job {job_id} fails though nothing went wrong: {message}");
        assert!(!message.contains("cancelled") || job.cancelled, "job {job_id} was never cancelled: {message}");
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
