//! [`Scheduler`]: its state, its one entry, its deadlines. What each event does is in the modules beside.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use firesteel_model::{
    JobId, ListenerEvent, MapStatus, ResourceInformation, ShuffleId, StageAttemptId, StageId, TaskAttemptNumber,
    TaskId, TaskLocality, TaskSnapshot,
};

use crate::{
    BlockLocations, Command, Event, ExpectedResources, Moment, Now, OptionsError, SchedulerOptions,
    barrier::BarrierCoordinator,
    executors::{ExecutorKey, Executors, HostKey},
    health::HealthTracker,
    map_output_tracker::MapOutputTracker,
    output_commit::OutputCommitCoordinator,
    pool::Pools,
    profiles::Profiles,
    random::Random,
    recent_losses::RecentLosses,
    stage::{DelayedJob, Job, Stage},
    task_set::TaskSet,
};

/// A task attempt whose end is not known.
#[derive(Debug)]
pub(crate) struct RunningTask {
    pub(crate) stage: StageAttemptId,
    pub(crate) index: u32,
    pub(crate) attempt: TaskAttemptNumber,
    pub(crate) executor: ExecutorKey,
    pub(crate) host: HostKey,
    pub(crate) launched: Moment,
    pub(crate) launch_time_ms: i64,
    pub(crate) locality: TaskLocality,
    pub(crate) speculative: bool,
    /// The executor has said that it runs.
    pub(crate) started: bool,
    /// When its result began to be fetched; it holds no slot from then on.
    pub(crate) getting_result_time_ms: Option<i64>,
    /// It was asked to end: why, and whether its thread is interrupted.
    pub(crate) kill: Option<(String, bool)>,
    pub(crate) resources: Vec<ResourceInformation>,
    /// It was launched ahead and has not started: it holds no slot, and listeners have not heard of it.
    pub(crate) ahead: bool,
    /// How many heartbeats in a row did not name it.
    pub(crate) missed_heartbeats: u8,
    pub(crate) records_read: u64,
}

/// Which executors have something to offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum OfferScope {
    Some(BTreeSet<ExecutorKey>),
    All,
}

/// One call of [`Scheduler::handle`]: the present, and where the commands go.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) blocks: &'a dyn BlockLocations,
    pub(crate) commands: &'a mut Vec<Command>,
}

impl Turn<'_> {
    pub(crate) fn post(&mut self, event: ListenerEvent) {
        self.commands.push(Command::PostEvent(Box::new(event)));
    }

    pub(crate) fn moment(&self) -> Moment {
        self.now.moment
    }
}

/// Decides what runs where; performs nothing. See the crate's documentation.
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) options: SchedulerOptions,
    pub(crate) random: Random,
    pub(crate) executors: Executors,
    pub(crate) map_outputs: MapOutputTracker,
    pub(crate) commits: OutputCommitCoordinator,
    pub(crate) barriers: BarrierCoordinator,
    pub(crate) health: HealthTracker,
    pub(crate) pools: Pools,
    pub(crate) profiles: Profiles,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) delayed_jobs: BTreeMap<JobId, DelayedJob>,
    pub(crate) cancelled_groups: VecDeque<String>,
    pub(crate) stages: BTreeMap<StageId, Stage>,
    pub(crate) map_stages: BTreeMap<ShuffleId, StageId>,
    pub(crate) task_sets: BTreeMap<StageAttemptId, TaskSet>,
    pub(crate) running: BTreeMap<TaskId, RunningTask>,
    pub(crate) next_stage_id: u32,
    pub(crate) next_task_id: u64,
    /// Stages that failed, and when they are submitted again (RT-35).
    pub(crate) resubmit: BTreeSet<StageId>,
    pub(crate) resubmit_at: Option<Moment>,
    /// The epoch at which an executor was last found to have failed: what its older tasks report may be gone already.
    pub(crate) executor_failure_epochs: BTreeMap<ExecutorKey, u64>,
    pub(crate) offers: Option<OfferScope>,
    pub(crate) next_heartbeat_check: Option<Moment>,
    pub(crate) next_speculation_check: Option<Moment>,
    pub(crate) enough_registered: bool,
    pub(crate) recent_losses: RecentLosses,
    /// The executor that came last was refused for its host, and no other one is here.
    pub(crate) all_refused: bool,
    pub(crate) stopped: bool,
}

impl Scheduler {
    /// A scheduler without executors or jobs. Moments count from here.
    pub fn new(options: SchedulerOptions, seed: u64) -> Result<Self, OptionsError> {
        options.validate()?;
        Ok(Self {
            random: Random::new(seed),
            executors: Executors::new(),
            map_outputs: MapOutputTracker::new(),
            commits: OutputCommitCoordinator::default(),
            barriers: BarrierCoordinator::default(),
            health: HealthTracker::default(),
            pools: Pools::new(options.mode, &options.pools),
            profiles: Profiles::new(options.task.clone()),
            jobs: BTreeMap::new(),
            delayed_jobs: BTreeMap::new(),
            cancelled_groups: VecDeque::new(),
            stages: BTreeMap::new(),
            map_stages: BTreeMap::new(),
            task_sets: BTreeMap::new(),
            running: BTreeMap::new(),
            next_stage_id: 0,
            next_task_id: 0,
            resubmit: BTreeSet::new(),
            resubmit_at: None,
            executor_failure_epochs: BTreeMap::new(),
            offers: None,
            next_heartbeat_check: None,
            next_speculation_check: None,
            enough_registered: options.min_registered.is_none(),
            recent_losses: RecentLosses::default(),
            all_refused: false,
            stopped: false,
            options,
        })
    }

    /// Decides what follows from one event. The driver performs the commands, in order.
    pub fn handle(&mut self, now: Now, event: Event, blocks: &dyn BlockLocations, commands: &mut Vec<Command>) {
        self.handle_all(now, [event], blocks, commands);
    }

    /// Decides what follows from several events of one moment, and only then gives out the free slots: fewer and fuller
    /// `LaunchTasks` than one call per event.
    pub fn handle_all(
        &mut self,
        now: Now,
        events: impl IntoIterator<Item = Event>,
        blocks: &dyn BlockLocations,
        commands: &mut Vec<Command>,
    ) {
        let mut turn = Turn { now, blocks, commands };
        for event in events {
            self.dispatch(event, &mut turn);
        }
        if let Some(scope) = self.offers.take() {
            self.make_offers(scope, &mut turn);
        }
        let epoch = self.map_outputs.epoch();
        let changed = self.map_outputs.take_changed();
        turn.commands.extend(changed.into_iter().map(|shuffle_id| Command::MapOutputsChanged { shuffle_id, epoch }));
    }

    fn dispatch(&mut self, event: Event, turn: &mut Turn) {
        match event {
            Event::JobSubmitted(submission) => self.job_submitted(submission, 0, turn),
            Event::JobCancelled { job_id, reason } => self.job_cancelled(job_id, reason.as_deref(), turn),
            Event::JobGroupCancelled { group, cancel_future_jobs, reason } => {
                self.job_group_cancelled(group, cancel_future_jobs, reason, turn);
            }
            Event::JobTagCancelled { tag, reason } => self.job_tag_cancelled(&tag, reason, turn),
            Event::AllJobsCancelled => self.all_jobs_cancelled("as part of cancellation of all jobs", turn),
            Event::StageCancelled { stage_id, reason } => self.stage_cancelled(stage_id, reason, turn),
            Event::TaskAttemptKilled { task_id, interrupt, reason } => {
                self.kill_task(task_id, interrupt, &reason, turn);
            }
            Event::StageBinaryPrepared { stage } => self.stage_binary_prepared(stage, turn),
            Event::StageBinaryFailed { stage, message } => self.stage_binary_failed(stage, &message, turn),
            Event::ResourceProfileAdded { id, task, tasks_only } => self.profiles.add(id, task, tasks_only),
            Event::ResourceProfilesMerged { profiles, into } => self.profiles.merge(profiles, into),
            Event::ExecutorAdded(registration) => self.executor_added(registration, turn),
            Event::ExecutorLost { executor_id, reason, lost_outputs } => {
                self.executor_lost(&executor_id, &reason, lost_outputs, turn);
            }
            Event::ExecutorsUnwanted { executor_ids, reason, busy_too } => {
                self.executors_unwanted(executor_ids, &reason, busy_too, turn);
            }
            Event::ExecutorDecommissioned { executor_id, host_too } => {
                self.executor_decommissioned(&executor_id, host_too, turn);
            }
            Event::TaskStarted { task_id, executor_id } => self.task_started(task_id, &executor_id),
            Event::TaskGettingResult { task_id, executor_id, result_size } => {
                self.task_getting_result(task_id, &executor_id, result_size, turn);
            }
            Event::TaskEnded(ended) => self.task_ended(*ended, turn),
            Event::TasksReturned { executor_id, task_ids } => self.tasks_returned(&executor_id, task_ids, turn),
            Event::Heartbeat { executor_id, tasks } => self.heartbeat(&executor_id, tasks, turn),
            Event::CommitAsked { stage, partition, attempt, ask } => {
                let allowed = !self.options.output_commit_coordination || self.commits.ask(stage, partition, attempt);
                turn.commands.push(Command::AnswerCommit { ask, allowed });
            }
            Event::BarrierSync(request) => self.barrier_sync(request, turn),
            Event::MapOutputMoved { shuffle_id, map_id, location } => {
                self.map_outputs.move_output(shuffle_id, map_id, location);
            }
            Event::ShuffleRemoved { shuffle_id } => {
                // A job that still needs it would wait for ever; the driver's reference count says that there is none.
                if !self.map_stages.contains_key(&shuffle_id) {
                    self.map_outputs.remove_shuffle(shuffle_id);
                }
            }
            Event::DeadlineReached => self.deadline_reached(turn),
            Event::ApplicationStopping => {
                self.stopped = true;
                self.all_jobs_cancelled("because SparkContext was shut down", turn);
            }
        }
    }

    /// When [`Event::DeadlineReached`] is due; none if only events can change anything.
    pub fn next_deadline(&self) -> Option<Moment> {
        let delayed = self.delayed_jobs.values().map(|job| job.next_check);
        let unschedulable = self.task_sets.values().filter_map(|set| set.unschedulable_until);
        let single = [
            self.resubmit_at,
            self.next_heartbeat_check,
            self.next_speculation_check,
            self.barriers.next_deadline(),
            self.health.next_deadline(),
            self.registration_deadline(),
            self.next_locality_deadline(),
            self.next_starvation_warning(),
        ];
        single.into_iter().flatten().chain(delayed).chain(unschedulable).min()
    }

    fn deadline_reached(&mut self, turn: &mut Turn) {
        let now = turn.moment();
        if self.resubmit_at.is_some_and(|at| at <= now) {
            self.resubmit_failed_stages(turn);
        }
        self.check_delayed_jobs(turn);
        self.barriers.expire(now, self.options.barrier.sync_timeout, turn.commands);
        self.check_heartbeats(turn);
        self.check_speculation(turn);
        self.expire_exclusions(turn);
        self.abort_unschedulable(turn);
        self.advance_locality_levels(now);
        self.check_registered_resources(now);
        self.warn_starvation(turn);
        self.offers = Some(OfferScope::All);
    }

    /// The map outputs of a shuffle by map index, and the epoch they hold at (RT-62); none if the shuffle is unknown.
    pub fn map_statuses(&self, shuffle_id: ShuffleId) -> Option<(u64, &[Option<Arc<MapStatus>>])> {
        self.map_outputs.statuses(shuffle_id).map(|statuses| (self.map_outputs.epoch(), statuses))
    }

    /// The cores of all registered executors: what `parallelize` goes by in cluster modes, with 2 as the least (RT-16).
    pub fn registered_cores(&self) -> u32 {
        self.executors.cores()
    }

    /// How many task attempts have been launched and not been heard of the end of.
    pub fn running_tasks(&self) -> usize {
        self.running.len()
    }

    /// How many tasks wait for a slot, speculative copies included (SC-31).
    pub fn pending_tasks(&self) -> u64 {
        self.task_sets.values().map(|set| u64::from(set.waiting()) + u64::from(set.waiting_copies())).sum()
    }

    /// Jobs that have neither succeeded nor failed.
    pub fn active_jobs(&self) -> usize {
        self.jobs.len() + self.delayed_jobs.len()
    }

    pub(crate) fn offer(&mut self, executor: ExecutorKey) {
        match self.offers.get_or_insert_with(|| OfferScope::Some(BTreeSet::new())) {
            OfferScope::Some(executors) => _ = executors.insert(executor),
            OfferScope::All => {}
        }
    }

    pub(crate) fn offer_all(&mut self) {
        self.offers = Some(OfferScope::All);
    }

    /// What is registered and what is waited for, in the unit of the option (RT-14).
    pub(crate) fn registered_and_wanted(&self) -> Option<(u32, u32, &'static str)> {
        let minimum = self.options.min_registered.as_ref()?;
        let (registered, expected, unit) = match minimum.expected {
            ExpectedResources::Cores(cores) => (self.executors.cores(), cores, "cores"),
            ExpectedResources::Executors(executors) => (self.executors.len(), executors, "executors"),
        };
        Some((registered, (f64::from(expected) * minimum.ratio).ceil() as u32, unit))
    }

    /// Once enough was there, or the wait was over, it never matters again.
    pub(crate) fn check_registered_resources(&mut self, now: Moment) {
        if !self.enough_registered {
            let enough = self.registered_and_wanted().is_none_or(|(registered, wanted, _)| registered >= wanted);
            let waited = self.options.min_registered.as_ref().is_none_or(|minimum| now >= Moment(0) + minimum.max_wait);
            self.enough_registered = enough || waited;
        }
    }

    fn registration_deadline(&self) -> Option<Moment> {
        let minimum = self.options.min_registered.as_ref().filter(|_| !self.enough_registered)?;
        Some(Moment(0) + minimum.max_wait)
    }

    /// A task as listeners see it.
    pub(crate) fn task_snapshot(&self, task_id: TaskId, task: &RunningTask) -> TaskSnapshot {
        TaskSnapshot {
            task_id,
            index: task.index,
            attempt: task.attempt,
            partition: self.task_sets[&task.stage].partition(task.index),
            launch_time_ms: task.launch_time_ms,
            executor_id: self.executors.id_of(task.executor).clone(),
            host: self.executors.host_name(task.host).to_owned(),
            locality: task.locality,
            speculative: task.speculative,
            getting_result_time_ms: task.getting_result_time_ms.unwrap_or(0),
            finish_time_ms: 0,
            failed: false,
            killed: false,
            accumulables: Vec::new(),
            resources: task.resources.clone(),
        }
    }
}
