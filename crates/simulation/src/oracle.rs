//! What the users were promised.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{JobId, ShuffleId, StageAttemptId, TaskId};

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
    merged: BTreeSet<TaskId>,
    results: BTreeMap<TaskId, Provenance>,
    /// Of which stage attempt each task is.
    stages: BTreeMap<TaskId, StageAttemptId>,
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

    pub(crate) fn launched(&mut self, task_id: TaskId, stage: StageAttemptId) {
        assert!(!self.void.contains(&stage), "task {task_id} of {stage} is launched, though all of it was void");
        assert!(self.stages.insert(task_id, stage).is_none(), "task {task_id} is launched twice");
    }

    /// Nothing that tasks of the attempt bring from here on may count.
    pub(crate) fn voided(&mut self, stage: StageAttemptId) {
        self.void.insert(stage);
    }

    /// What the task made is used.
    pub(crate) fn output_counts(&self, task_id: TaskId) {
        let stage = self.stages.get(&task_id).unwrap_or_else(|| panic!("task {task_id} was never launched"));
        assert!(
            !self.void.contains(stage),
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
        assert!(self.merged.insert(task_id), "the accumulators of task {task_id} were merged twice");
    }

    pub(crate) fn delivered(&mut self, job_id: JobId, output: u32, task_id: TaskId) {
        self.output_counts(task_id);
        let rows = self.results.remove(&task_id);
        let rows = rows.unwrap_or_else(|| panic!("job {job_id}: the result of task {task_id} is not on the driver"));
        assert!(self.merged.contains(&task_id), "the accumulators of task {task_id} were not merged");
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
