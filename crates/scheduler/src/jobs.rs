//! Jobs: submitted, cancelled, failed, done (RT-06, RT-39).

use std::{collections::BTreeSet, sync::Arc};

use firesteel_model::{JobId, JobOutcome, ListenerEvent, StageId, StageSnapshot, TaskEndReason, property};

use crate::{
    Command, Dependency, JobKind, JobSubmission, RddInfo, Scheduler,
    bit_set::BitSet,
    scheduler::Turn,
    stage::{DelayedJob, Job, JobProgress, StageKind, StageStatus},
};

/// Why a job with a barrier stage cannot begin.
enum BarrierRefusal {
    /// It never can.
    Final(String),
    /// There are too few slots by now.
    TooFewSlots { needed: u32, available: u32 },
}

impl Scheduler {
    pub(crate) fn job_submitted(&mut self, submission: Box<JobSubmission>, failed_checks: u32, turn: &mut Turn) {
        let job_id = submission.job_id;
        if self.stopped {
            let message = format!("Job {job_id} cancelled because SparkContext was shut down");
            return turn.commands.push(Command::JobFailed { job_id, message, cause: None });
        }
        if let Some(group) = submission.properties.get(property::JOB_GROUP)
            && self.cancelled_groups.contains(group)
        {
            let message = format!(
                "Job {job_id} cancelled because its job group {group} was cancelled together with its future jobs"
            );
            return turn.commands.push(Command::JobFailed { job_id, message, cause: None });
        }
        match self.check_barriers(&submission) {
            Ok(()) => {}
            Err(BarrierRefusal::TooFewSlots { needed, available })
                if failed_checks < self.options.barrier.slots_check_max_failures =>
            {
                // On a cluster that is just starting it is no news that the first look finds nothing.
                if failed_checks > 0 || self.executors.len() > 0 {
                    let checks_left = self.options.barrier.slots_check_max_failures - failed_checks;
                    let interval = self.options.barrier.slots_check_interval;
                    turn.commands.push(Command::WarnBarrierSlots { job_id, needed, available, checks_left, interval });
                }
                let next_check = turn.moment() + self.options.barrier.slots_check_interval;
                let delayed = DelayedJob { submission, failed_checks: failed_checks + 1, next_check };
                self.delayed_jobs.insert(job_id, delayed);
                return;
            }
            Err(BarrierRefusal::TooFewSlots { needed, available }) => {
                let message = format!(
                    "[SPARK-24819]: Barrier execution mode does not allow run a barrier stage that requires more slots than the total number of slots in the cluster currently: it needs {needed}, and there are {available}. Add executors, or repartition the input into fewer partitions"
                );
                return turn.commands.push(Command::JobFailed { job_id, message, cause: None });
            }
            Err(BarrierRefusal::Final(message)) => {
                return turn.commands.push(Command::JobFailed { job_id, message, cause: None });
            }
        }
        let JobSubmission { kind, properties, call_site_short, call_site_long, .. } = *submission;
        let (final_stage, progress) = match kind {
            JobKind::Result { rdd, partitions } => {
                if partitions.is_empty() {
                    return self.empty_job(job_id, properties, turn);
                }
                let partitions: Arc<[_]> = partitions.into();
                let finished = BitSet::new(partitions.len() as u32);
                let names = (call_site_short, call_site_long);
                let stage = self.create_result_stage(rdd, job_id, partitions.len() as u32, names, turn);
                (stage, JobProgress::Result { partitions, finished, held: Vec::new() })
            }
            JobKind::MapStage { shuffle } => {
                if shuffle.parent.partitions == 0 {
                    let statistics = Some(Arc::new(crate::MapOutputStatistics {
                        shuffle_id: shuffle.shuffle_id,
                        bytes_by_partition: vec![0; shuffle.reducers as usize],
                    }));
                    turn.commands.push(Command::JobSucceeded { job_id, statistics });
                    return;
                }
                (self.create_map_stages(&[shuffle], job_id, turn)[0], JobProgress::MapStage)
            }
        };
        let stages = self.ancestry(final_stage);
        let mut snapshots: Vec<Arc<StageSnapshot>> = Vec::with_capacity(stages.len());
        for stage_id in &stages {
            let stage = self.stages.get_mut(stage_id).expect("the ancestry of a new job exists");
            stage.jobs.insert(job_id);
            snapshots.push(Arc::new(stage.snapshot.clone()));
        }
        let job = Job { id: job_id, final_stage, progress, properties: properties.clone(), stages };
        assert!(self.jobs.insert(job_id, job).is_none(), "job {job_id} was submitted twice");
        let time_ms = turn.now.wall_clock_ms;
        turn.post(ListenerEvent::JobStart { job_id, time_ms, stages: snapshots, properties });
        let is_map = matches!(self.stages[&final_stage].kind, StageKind::Map(_));
        if is_map && self.is_stage_available(final_stage) {
            self.job_succeeded(job_id, turn);
        } else {
            self.submit_stage(final_stage, turn);
        }
    }

    /// No partitions: nothing to run, but listeners are told.
    fn empty_job(&mut self, job_id: JobId, properties: firesteel_model::LocalProperties, turn: &mut Turn) {
        let time_ms = turn.now.wall_clock_ms;
        turn.post(ListenerEvent::JobStart { job_id, time_ms, stages: Vec::new(), properties });
        turn.post(ListenerEvent::JobEnd { job_id, time_ms, outcome: JobOutcome::Succeeded });
        turn.commands.push(Command::JobSucceeded { job_id, statistics: None });
    }

    /// Every stage that `final_stage` needs, itself included.
    fn ancestry(&self, final_stage: StageId) -> BTreeSet<StageId> {
        let mut stages = BTreeSet::new();
        let mut to_visit = vec![final_stage];
        while let Some(stage_id) = to_visit.pop() {
            if stages.insert(stage_id) {
                to_visit.extend(&self.stages[&stage_id].parents);
            }
        }
        stages
    }

    /// The rules of RT-48 for every barrier stage that the job would have, before anything of it exists.
    fn check_barriers(&self, submission: &JobSubmission) -> Result<(), BarrierRefusal> {
        let (last, tasks) = match &submission.kind {
            JobKind::Result { rdd, partitions } => (rdd, partitions.len() as u32),
            JobKind::MapStage { shuffle } => (&shuffle.parent, shuffle.parent.partitions),
        };
        let mut seen = BTreeSet::from([last.id]);
        let mut stage_ends: Vec<(&Arc<RddInfo>, u32)> = vec![(last, tasks)];
        let mut wanted = Vec::new();
        while let Some((end, tasks)) = stage_ends.pop() {
            let mut profiles = BTreeSet::from([end.resource_profile]);
            let mut in_stage = vec![end];
            let mut seen_in_stage = BTreeSet::from([end.id]);
            while let Some(rdd) = in_stage.pop() {
                if end.barrier {
                    check_barrier_rdd(rdd, tasks)?;
                }
                for dependency in &rdd.dependencies {
                    let parent = dependency.parent();
                    if let Dependency::Narrow { .. } = dependency {
                        profiles.insert(parent.resource_profile);
                    }
                    match dependency {
                        Dependency::Narrow { .. } if seen_in_stage.insert(parent.id) => in_stage.push(parent),
                        Dependency::Shuffle(_) if seen.insert(parent.id) => {
                            stage_ends.push((parent, parent.partitions));
                        }
                        Dependency::Narrow { .. } | Dependency::Shuffle(_) => {}
                    }
                }
            }
            if end.barrier {
                wanted.push((tasks, self.profiles.of_stage(profiles)));
            }
        }
        if wanted.is_empty() {
            Ok(())
        } else if self.options.dynamic_allocation {
            Err(BarrierRefusal::Final("[SPARK-24942]: Barrier execution mode does not support dynamic resource allocation for now. Set spark.dynamicAllocation.enabled to false".to_owned()))
        } else {
            let slots = wanted.into_iter().map(|(needed, profile)| (needed, self.slots(profile)));
            // The stage that lacks most is told of.
            let short = slots.filter(|(needed, available)| needed > available).max_by_key(|(needed, has)| needed - has);
            short.map_or(Ok(()), |(needed, available)| Err(BarrierRefusal::TooFewSlots { needed, available }))
        }
    }

    /// There are more slots than before: what waited for them need not wait for its next look.
    pub(crate) fn start_delayed_jobs(&mut self, turn: &mut Turn) {
        let fits = |job: &DelayedJob| self.check_barriers(&job.submission).is_ok();
        let fitting: Vec<JobId> =
            self.delayed_jobs.iter().filter(|(_, job)| fits(job)).map(|(&job_id, _)| job_id).collect();
        for job_id in fitting {
            let job = self.delayed_jobs.remove(&job_id).expect("it was listed");
            self.job_submitted(job.submission, job.failed_checks, turn);
        }
    }

    pub(crate) fn check_delayed_jobs(&mut self, turn: &mut Turn) {
        let now = turn.moment();
        let due: Vec<_> = self.delayed_jobs.extract_if(.., |_, job| job.next_check <= now).collect();
        for (_, job) in due {
            self.job_submitted(job.submission, job.failed_checks, turn);
        }
    }

    /// Without a reason, the message ends after the word `cancelled`.
    pub(crate) fn job_cancelled(&mut self, job_id: JobId, reason: Option<&str>, turn: &mut Turn) {
        let message = match reason {
            Some(reason) => format!("Job {job_id} cancelled {reason}"),
            None => format!("Job {job_id} cancelled"),
        };
        if self.delayed_jobs.remove(&job_id).is_some() {
            turn.commands.push(Command::JobFailed { job_id, message, cause: None });
        } else {
            self.fail_job(job_id, message, None, turn);
        }
    }

    pub(crate) fn job_group_cancelled(
        &mut self,
        group: String,
        cancel_future_jobs: bool,
        reason: Option<String>,
        turn: &mut Turn,
    ) {
        let in_group = |properties: &firesteel_model::LocalProperties| {
            properties.get(property::JOB_GROUP).is_some_and(|own| *own == group)
        };
        let reason = reason.unwrap_or_else(|| format!("part of cancelled job group {group}"));
        self.cancel_jobs_where(in_group, &reason, turn);
        if cancel_future_jobs && !self.cancelled_groups.contains(&group) {
            self.cancelled_groups.push_back(group);
            if self.cancelled_groups.len() > self.options.cancelled_job_groups_tracked {
                self.cancelled_groups.pop_front();
            }
        }
    }

    pub(crate) fn job_tag_cancelled(&mut self, tag: &str, reason: Option<String>, turn: &mut Turn) {
        let tagged = |properties: &firesteel_model::LocalProperties| {
            properties.get(property::JOB_TAGS).is_some_and(|tags| tags.split(',').any(|own| own.trim() == tag))
        };
        let reason = reason.unwrap_or_else(|| format!("part of cancelled job tag {tag}"));
        self.cancel_jobs_where(tagged, &reason, turn);
    }

    pub(crate) fn all_jobs_cancelled(&mut self, reason: &str, turn: &mut Turn) {
        self.cancel_jobs_where(|_| true, reason, turn);
    }

    fn cancel_jobs_where(
        &mut self,
        wanted: impl Fn(&firesteel_model::LocalProperties) -> bool,
        reason: &str,
        turn: &mut Turn,
    ) {
        let active = self.jobs.iter().filter(|(_, job)| wanted(&job.properties)).map(|(&id, _)| id);
        let delayed = self.delayed_jobs.iter().filter(|(_, job)| wanted(&job.submission.properties)).map(|(&id, _)| id);
        let jobs: BTreeSet<JobId> = active.chain(delayed).collect();
        for job_id in jobs {
            self.job_cancelled(job_id, Some(reason), turn);
        }
    }

    pub(crate) fn stage_cancelled(&mut self, stage_id: StageId, reason: Option<String>, turn: &mut Turn) {
        let Some(stage) = self.stages.get(&stage_id) else { return };
        let because = match reason {
            Some(reason) => format!("because Stage {stage_id} was cancelled: {reason}"),
            None => format!("because Stage {stage_id} was cancelled"),
        };
        for job_id in stage.jobs.clone() {
            self.job_cancelled(job_id, Some(&because), turn);
        }
    }

    /// Fails every job that needs the stage.
    pub(crate) fn abort_stage(&mut self, stage_id: StageId, reason: &str, turn: &mut Turn) {
        self.abort_stage_because(stage_id, reason, None, turn);
    }

    /// As [`Self::abort_stage`]; `cause` is how the task ended that was its last chance.
    pub(crate) fn abort_stage_because(
        &mut self,
        stage_id: StageId,
        reason: &str,
        cause: Option<&Arc<TaskEndReason>>,
        turn: &mut Turn,
    ) {
        let Some(stage) = self.stages.get(&stage_id) else { return };
        for job_id in stage.jobs.clone() {
            let message = format!("Job aborted due to stage failure: {reason}");
            self.fail_job(job_id, message, cause.cloned(), turn);
        }
    }

    /// Ends a job and every stage that only it needs. A job that has ended already is left alone.
    pub(crate) fn fail_job(
        &mut self,
        job_id: JobId,
        message: String,
        cause: Option<Arc<TaskEndReason>>,
        turn: &mut Turn,
    ) {
        let Some(job) = self.jobs.remove(&job_id) else { return };
        let interrupt = job.properties.get(property::INTERRUPT_ON_CANCEL).is_some_and(|value| value == "true");
        self.leave_stages(&job, interrupt, Some(&message), turn);
        if let JobProgress::Result { held, .. } = &job.progress {
            turn.commands.extend(held.iter().map(|result| Command::DropResult { task_id: result.task_id }));
        }
        let outcome = JobOutcome::Failed { message: message.clone() };
        turn.post(ListenerEvent::JobEnd { job_id, time_ms: turn.now.wall_clock_ms, outcome });
        turn.commands.push(Command::JobFailed { job_id, message, cause });
        self.offer_all();
    }

    pub(crate) fn job_succeeded(&mut self, job_id: JobId, turn: &mut Turn) {
        let job = self.jobs.remove(&job_id).expect("a job that succeeds is active");
        let statistics = match &self.stages[&job.final_stage].kind {
            StageKind::Map(shuffle) => Some(Arc::new(self.map_outputs.statistics(shuffle.shuffle_id))),
            StageKind::Result(_) => None,
        };
        self.leave_stages(&job, false, None, turn);
        let time_ms = turn.now.wall_clock_ms;
        turn.post(ListenerEvent::JobEnd { job_id, time_ms, outcome: JobOutcome::Succeeded });
        turn.commands.push(Command::JobSucceeded { job_id, statistics });
        self.offer_all();
    }

    /// The job needs its stages no more. Those that nobody else needs end, whatever they do.
    fn leave_stages(&mut self, job: &Job, interrupt: bool, failure: Option<&str>, turn: &mut Turn) {
        for &stage_id in &job.stages {
            let stage = self.stages.get_mut(&stage_id).expect("the stages of an active job exist");
            stage.jobs.remove(&job.id);
            if !stage.jobs.is_empty() {
                continue;
            }
            let reason = if failure.is_some() { "Stage cancelled" } else { "Stage finished" };
            let running = stage.status == StageStatus::Running;
            self.retire_task_sets(stage_id, interrupt, reason, turn);
            if running {
                // A job can succeed while a stage of it runs: its output was found in time another way.
                self.finish_stage(stage_id, Some(failure.unwrap_or("Job succeeded without this stage")), turn);
            }
            let stage = self.stages.remove(&stage_id).expect("it was there a moment ago");
            if let StageKind::Map(shuffle) = &stage.kind {
                self.map_stages.remove(&shuffle.shuffle_id);
            }
            self.resubmit.remove(&stage_id);
            self.commits.stage_ended(stage_id);
        }
        if self.resubmit.is_empty() {
            self.resubmit_at = None;
        }
    }
}

/// What stands in the way of running all tasks of a stage together: other numbers of partitions, several barrier parents.
fn check_barrier_rdd(rdd: &RddInfo, tasks: u32) -> Result<(), BarrierRefusal> {
    let barrier_parents = rdd.dependencies.iter().filter(|dependency| dependency.parent().barrier).count();
    if rdd.partitions == tasks && barrier_parents <= 1 {
        return Ok(());
    }
    Err(BarrierRefusal::Final(format!(
        "[SPARK-24820][SPARK-24821]: Barrier execution mode does not allow this pattern of RDDs within a barrier stage: {} (RDD {}) has {} partitions and {barrier_parents} barrier parents, the stage has {tasks} tasks. Every RDD of it must have as many partitions as the stage has tasks (no union, coalesce, first, take), and at most one barrier parent",
        rdd.name, rdd.id, rdd.partitions
    )))
}
