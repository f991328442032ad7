//! Stages: cut at shuffles, submitted when their parents are there, computed where their data is (RT-07, RT-08, RT-10).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{
    JobId, ListenerEvent, Partition, RddId, RddStorageInfo, ReduceId, ShuffleId, StageAttempt, StageAttemptId, StageId,
    StageSnapshot, TaskLocation, property,
};

use crate::{
    BlockLocations, Command, Dependency, NarrowMapping, RddInfo, Scheduler, ShuffleDependency, StageBinaryKind,
    bit_set::BitSet,
    scheduler::Turn,
    stage::{JobProgress, Stage, StageKind, StageStatus},
    task_set::{NewTaskSet, Preferences, TaskKind, TaskSet, TaskSetState},
};

/// The data sets of a stage and the shuffles that it reads.
struct Pipeline {
    rdds: Vec<Arc<RddInfo>>,
    shuffles: Vec<Arc<ShuffleDependency>>,
}

fn pipeline(end: &Arc<RddInfo>) -> Pipeline {
    let mut seen = BTreeSet::from([end.id]);
    let mut shuffles = BTreeMap::new();
    let mut rdds = vec![end.clone()];
    let mut next = 0;
    while next < rdds.len() {
        let rdd = rdds[next].clone();
        next += 1;
        for dependency in &rdd.dependencies {
            match dependency {
                Dependency::Narrow { parent, .. } if seen.insert(parent.id) => rdds.push(parent.clone()),
                Dependency::Narrow { .. } => {}
                Dependency::Shuffle(shuffle) => _ = shuffles.insert(shuffle.shuffle_id, shuffle.clone()),
            }
        }
    }
    Pipeline { rdds, shuffles: shuffles.into_values().collect() }
}

impl Scheduler {
    pub(crate) fn create_result_stage(
        &mut self,
        rdd: Arc<RddInfo>,
        job_id: JobId,
        tasks: u32,
        (name, details): (String, String),
        turn: &Turn,
    ) -> StageId {
        let Pipeline { rdds, shuffles } = pipeline(&rdd);
        let parents = self.create_map_stages(&shuffles, job_id, turn);
        self.create_stage(rdd, StageKind::Result(job_id), rdds, parents, job_id, tasks, name, details, turn)
    }

    /// The map stages of the shuffles, made where they are missing, parents first; their numbers in ascending order.
    pub(crate) fn create_map_stages(
        &mut self,
        shuffles: &[Arc<ShuffleDependency>],
        job_id: JobId,
        turn: &Turn,
    ) -> Vec<StageId> {
        let mut to_make: Vec<(Arc<ShuffleDependency>, Option<Pipeline>)> =
            shuffles.iter().rev().map(|shuffle| (shuffle.clone(), None)).collect();
        while let Some((shuffle, pipelined)) = to_make.pop() {
            if self.map_stages.contains_key(&shuffle.shuffle_id) {
                continue;
            }
            let Some(Pipeline { rdds, shuffles }) = pipelined else {
                let found = pipeline(&shuffle.parent);
                let parents: Vec<_> = found.shuffles.iter().rev().map(|parent| (parent.clone(), None)).collect();
                to_make.push((shuffle, Some(found)));
                to_make.extend(parents);
                continue;
            };
            let parents = self.stages_of(&shuffles);
            let rdd = shuffle.parent.clone();
            self.map_outputs.register_shuffle(shuffle.shuffle_id, rdd.partitions, shuffle.reducers);
            let (name, details) = (rdd.call_site_short.clone(), rdd.call_site_long.clone());
            let (tasks, shuffle_id) = (rdd.partitions, shuffle.shuffle_id);
            let kind = StageKind::Map(shuffle);
            let stage_id = self.create_stage(rdd, kind, rdds, parents, job_id, tasks, name, details, turn);
            self.map_stages.insert(shuffle_id, stage_id);
        }
        self.stages_of(shuffles)
    }

    fn stages_of(&self, shuffles: &[Arc<ShuffleDependency>]) -> Vec<StageId> {
        let mut stages: Vec<_> = shuffles.iter().map(|shuffle| self.map_stages[&shuffle.shuffle_id]).collect();
        stages.sort_unstable();
        stages
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a stage is put together from its parts")]
    fn create_stage(
        &mut self,
        rdd: Arc<RddInfo>,
        kind: StageKind,
        mut rdds: Vec<Arc<RddInfo>>,
        parents: Vec<StageId>,
        first_job: JobId,
        tasks: u32,
        name: String,
        details: String,
        turn: &Turn,
    ) -> StageId {
        let id = StageId(self.next_stage_id);
        self.next_stage_id += 1;
        rdds.sort_by_key(|rdd| std::cmp::Reverse(rdd.id));
        let resource_profile_id = self.profiles.of_stage(rdds.iter().map(|rdd| rdd.resource_profile));
        let snapshot = StageSnapshot {
            id: StageAttemptId { stage_id: id, attempt: StageAttempt(0) },
            name,
            details,
            tasks,
            rdds: rdds.iter().map(|rdd| storage_info(rdd, turn.blocks)).collect(),
            parents: parents.clone(),
            shuffle_id: match &kind {
                StageKind::Map(shuffle) => Some(shuffle.shuffle_id),
                StageKind::Result(_) => None,
            },
            submission_time_ms: None,
            completion_time_ms: None,
            failure_reason: None,
            accumulables: BTreeMap::new(),
            resource_profile_id,
            barrier: rdd.barrier,
        };
        let pending = match kind {
            StageKind::Map(_) => BitSet::new(rdd.partitions),
            StageKind::Result(_) => BitSet::default(),
        };
        let stage = Stage {
            id,
            rdd,
            kind,
            parents,
            first_job,
            jobs: BTreeSet::new(),
            status: StageStatus::Idle,
            attempts: 0,
            failed_attempts: BTreeSet::new(),
            losses_before: self.recent_losses.count(),
            first_valid_attempt: 0,
            pending,
            snapshot,
        };
        self.stages.insert(id, stage);
        id
    }

    /// Does every partition of a map stage have its output?
    pub(crate) fn is_stage_available(&self, stage_id: StageId) -> bool {
        match &self.stages[&stage_id].kind {
            StageKind::Map(shuffle) => self.map_outputs.is_complete(shuffle.shuffle_id),
            StageKind::Result(_) => false,
        }
    }

    /// The parents that must run before the stage can: those whose outputs are wanted, as no cached data set stands
    /// before them, and missing.
    fn missing_parents(&self, stage_id: StageId, blocks: &dyn BlockLocations) -> BTreeSet<StageId> {
        let end = &self.stages[&stage_id].rdd;
        let mut missing = BTreeSet::new();
        let mut seen = BTreeSet::from([end.id]);
        let mut to_visit = vec![end];
        while let Some(rdd) = to_visit.pop() {
            if blocks.storage_level(rdd.id).is_valid() && blocks.is_fully_cached(rdd.id, rdd.partitions) {
                continue;
            }
            for dependency in &rdd.dependencies {
                match dependency {
                    Dependency::Narrow { parent, .. } if seen.insert(parent.id) => to_visit.push(parent),
                    Dependency::Narrow { .. } => {}
                    Dependency::Shuffle(shuffle) => {
                        if !self.map_outputs.is_complete(shuffle.shuffle_id) {
                            missing.insert(self.map_stages[&shuffle.shuffle_id]);
                        }
                    }
                }
            }
        }
        missing
    }

    /// Submits the stage, or first the parents that are missing.
    pub(crate) fn submit_stage(&mut self, stage_id: StageId, turn: &mut Turn) {
        let mut to_submit = vec![stage_id];
        while let Some(stage_id) = to_submit.pop() {
            let Some(stage) = self.stages.get(&stage_id) else { continue };
            if stage.status != StageStatus::Idle || self.resubmit.contains(&stage_id) {
                continue;
            }
            if self.options.stage.max_attempts.is_some_and(|most| stage.attempts >= most.get()) {
                let lost = self.recent_losses.since(stage.losses_before);
                let reason = format!(
                    "{stage} has failed the maximum allowable number of times: {} (spark.stage.maxAttempts){lost}",
                    stage.attempts
                );
                self.abort_stage(stage_id, &reason, turn);
                continue;
            }
            let missing = self.missing_parents(stage_id, turn.blocks);
            if missing.is_empty() {
                self.submit_missing_tasks(stage_id, turn);
            } else {
                self.stage_mut(stage_id).status = StageStatus::Waiting;
                to_submit.extend(missing.into_iter().rev());
            }
        }
    }

    pub(crate) fn stage_mut(&mut self, stage_id: StageId) -> &mut Stage {
        self.stages.get_mut(&stage_id).expect("the caller has seen the stage")
    }

    /// The parent is there: those that waited for it, and for nothing else any more, run.
    fn submit_waiting_children(&mut self, parent: StageId, turn: &mut Turn) {
        let mut children: Vec<(JobId, StageId)> = self
            .stages
            .values()
            .filter(|stage| stage.status == StageStatus::Waiting && stage.parents.contains(&parent))
            .map(|stage| (stage.first_job, stage.id))
            .collect();
        children.sort_unstable();
        for &(_, child) in &children {
            self.stage_mut(child).status = StageStatus::Idle;
        }
        for (_, child) in children {
            self.submit_stage(child, turn);
        }
    }

    fn submit_missing_tasks(&mut self, stage_id: StageId, turn: &mut Turn) {
        if let StageKind::Map(shuffle) = &self.stages[&stage_id].kind {
            let shuffle_id = shuffle.shuffle_id;
            let again = self.map_outputs.ever_registered(shuffle_id) && !self.map_outputs.is_complete(shuffle_id);
            if self.stages[&stage_id].is_indeterminate() && again {
                self.roll_back(stage_id, turn);
                if !self.stages.contains_key(&stage_id) {
                    return;
                }
            }
        }
        let outputs = match &self.stages[&stage_id].kind {
            StageKind::Map(shuffle) => self.map_outputs.missing(shuffle.shuffle_id),
            StageKind::Result(job_id) => match &self.jobs[job_id].progress {
                JobProgress::Result { finished, .. } => finished.missing(),
                JobProgress::MapStage => unreachable!("a result stage belongs to a result job"),
            },
        };
        // Nothing of an earlier attempt is launched any more, but what runs of it goes on and counts.
        self.make_zombies(stage_id, turn);
        let job_id = *self.stages[&stage_id].jobs.first().expect("a stage that is submitted has a job");
        let properties = self.jobs[&job_id].properties.clone();
        let time_ms = turn.now.wall_clock_ms;
        let stage = self.stage_mut(stage_id);
        stage.attempts += 1;
        stage.status = StageStatus::Running;
        let id = stage.latest();
        stage.snapshot.id = id;
        stage.snapshot.tasks = outputs.len() as u32;
        stage.snapshot.submission_time_ms = Some(time_ms);
        stage.snapshot.completion_time_ms = None;
        stage.snapshot.failure_reason = None;
        if matches!(stage.kind, StageKind::Map(_)) {
            stage.pending.clear();
            outputs.iter().for_each(|&output| _ = stage.pending.insert(output));
        }
        let (rdd, snapshot) = (stage.rdd.clone(), Arc::new(stage.snapshot.clone()));
        let binary = match &stage.kind {
            StageKind::Map(shuffle) => StageBinaryKind::Map(shuffle.clone()),
            StageKind::Result(job_id) => StageBinaryKind::Result { job_id: *job_id },
        };
        turn.post(ListenerEvent::StageSubmitted { stage: snapshot, properties: properties.clone() });
        self.commits.stage_started(stage_id);
        if outputs.is_empty() {
            // Late tasks of an earlier attempt brought what was missing.
            return self.complete_map_stage(stage_id, turn);
        }
        let tasks = outputs.len() as u32;
        self.create_task_set(id, outputs, &properties, turn);
        let cpus = self.task_sets[&id].requirements.cpus.get();
        let kind = binary;
        turn.commands.push(Command::PrepareStageBinary { stage: id, rdd, kind, job_id, cpus, properties, tasks });
    }

    fn create_task_set(
        &mut self,
        id: StageAttemptId,
        outputs: Vec<u32>,
        properties: &firesteel_model::LocalProperties,
        turn: &mut Turn,
    ) {
        let stage = &self.stages[&id.stage_id];
        let (rdd, first_job) = (stage.rdd.clone(), stage.first_job);
        let profile = stage.snapshot.resource_profile_id;
        let (kind, all_outputs) = match &stage.kind {
            StageKind::Map(shuffle) => (TaskKind::Map { shuffle_id: shuffle.shuffle_id }, rdd.partitions),
            StageKind::Result(job_id) => match &self.jobs[job_id].progress {
                JobProgress::Result { partitions, .. } => {
                    let all = partitions.len() as u32;
                    (TaskKind::Result { job_id: *job_id, partitions: partitions.clone() }, all)
                }
                JobProgress::MapStage => unreachable!("a result stage belongs to a result job"),
            },
        };
        let partitions = outputs.iter().map(|&output| match &kind {
            TaskKind::Map { .. } => Partition(output),
            TaskKind::Result { partitions, .. } => partitions[output as usize],
        });
        let preferences = self.preferences(&rdd, partitions, turn.blocks);
        let requirements = self.profiles.requirements(profile).clone();
        let new = NewTaskSet {
            id,
            kind,
            barrier: rdd.barrier,
            epoch: self.map_outputs.epoch(),
            profile,
            requirements,
            interrupt_on_cancel: properties.get(property::INTERRUPT_ON_CANCEL).is_some_and(|value| value == "true"),
            outputs,
            all_outputs,
            preferences,
            watch_durations: self.options.speculation.is_some(),
        };
        let set = TaskSet::new(new, turn.moment(), &self.executors);
        let pool = properties.get(property::POOL).map(String::as_str);
        if self.pools.add(id, first_job, pool) {
            let pool = pool.unwrap_or_default().to_owned();
            turn.commands.push(Command::WarnUnknownPool { pool });
        }
        self.task_sets.insert(id, set);
    }

    pub(crate) fn stage_binary_prepared(&mut self, id: StageAttemptId, turn: &Turn) {
        // The stage may have ended while its binary was made, and the answer may come twice.
        let Some(set) = self.task_sets.get_mut(&id).filter(|set| set.state == TaskSetState::Preparing) else { return };
        set.state = TaskSetState::Active;
        set.idle_since = turn.moment();
        set.next_warning = turn.moment() + self.options.starvation_timeout;
        if self.options.speculation.is_some() && self.next_speculation_check.is_none() {
            self.next_speculation_check =
                self.options.speculation.as_ref().map(|options| turn.moment() + options.interval);
        }
        self.offer_all();
    }

    pub(crate) fn stage_binary_failed(&mut self, id: StageAttemptId, message: &str, turn: &mut Turn) {
        let waited = self.task_sets.get(&id).is_some_and(|set| set.state == TaskSetState::Preparing);
        if waited {
            self.abort_stage(id.stage_id, &format!("Task serialization failed: {message}"), turn);
        }
    }

    /// Tells that the stage's latest attempt ended.
    pub(crate) fn finish_stage(&mut self, stage_id: StageId, failure: Option<&str>, turn: &mut Turn) {
        let time_ms = turn.now.wall_clock_ms;
        let stage = self.stage_mut(stage_id);
        stage.status = StageStatus::Idle;
        stage.snapshot.completion_time_ms = Some(time_ms);
        stage.snapshot.failure_reason = failure.map(str::to_owned);
        if failure.is_none() {
            stage.failed_attempts.clear();
        }
        let latest = stage.latest();
        let snapshot = Arc::new(stage.snapshot.clone());
        self.barriers.stage_ended(latest, turn.commands);
        if failure.is_none() {
            self.commits.stage_ended(stage_id);
        }
        turn.post(ListenerEvent::StageCompleted { stage: snapshot });
    }

    /// The latest attempt of a map stage has nothing left to do.
    pub(crate) fn complete_map_stage(&mut self, stage_id: StageId, turn: &mut Turn) {
        self.finish_stage(stage_id, None, turn);
        self.map_outputs.increment_epoch();
        if !self.is_stage_available(stage_id) {
            // An output came from an executor that was lost meanwhile.
            return self.submit_stage(stage_id, turn);
        }
        let jobs: Vec<JobId> = self.stages[&stage_id].jobs.iter().copied().collect();
        for job_id in jobs {
            let is_final = self.jobs.get(&job_id).is_some_and(|job| job.final_stage == stage_id);
            if is_final {
                self.job_succeeded(job_id, turn);
            }
        }
        if self.stages.contains_key(&stage_id) {
            self.submit_waiting_children(stage_id, turn);
        }
    }

    /// Submits the failed stages again, oldest job first (RT-35).
    pub(crate) fn resubmit_failed_stages(&mut self, turn: &mut Turn) {
        self.resubmit_at = None;
        let stages = std::mem::take(&mut self.resubmit);
        let mut stages: Vec<_> = stages
            .into_iter()
            .filter_map(|stage_id| self.stages.get(&stage_id).map(|stage| (stage.first_job, stage_id)))
            .collect();
        stages.sort_unstable();
        for (_, stage_id) in stages {
            self.submit_stage(stage_id, turn);
        }
    }
}

/// Where the partitions of a stage would like to be computed (RT-10).
impl Scheduler {
    fn preferences(
        &mut self,
        end: &Arc<RddInfo>,
        partitions: impl Iterator<Item = Partition>,
        blocks: &dyn BlockLocations,
    ) -> Preferences {
        let sources: BTreeMap<RddId, Source> =
            pipeline(end).rdds.iter().filter_map(|rdd| Some((rdd.id, self.source(rdd, blocks)?))).collect();
        let mut preferences = Preferences::default();
        if sources.is_empty() {
            return preferences;
        }
        for partition in partitions {
            let locations = self.preferred_locations(end, partition, &sources, blocks);
            let locations: Vec<_> = locations.iter().map(|location| self.executors.preference(location)).collect();
            preferences.push(locations);
        }
        preferences
    }

    /// Does the data set itself have something to say about places?
    fn source(&self, rdd: &RddInfo, blocks: &dyn BlockLocations) -> Option<Source> {
        let cached = blocks.storage_level(rdd.id).is_valid();
        let shuffle = match &rdd.dependencies[..] {
            [Dependency::Shuffle(shuffle)] if shuffle.reducers == rdd.partitions => Some(shuffle.shuffle_id),
            _ => None,
        };
        let speaks = cached || shuffle.is_some() || rdd.preferred_locations.is_some();
        speaks.then_some(Source { cached, shuffle })
    }

    /// Depth first through the narrow parents, the first that answers. Chains of one-to-one dependencies, which are most,
    /// cost no memory of what was seen.
    fn preferred_locations(
        &self,
        end: &Arc<RddInfo>,
        partition: Partition,
        sources: &BTreeMap<RddId, Source>,
        blocks: &dyn BlockLocations,
    ) -> Vec<TaskLocation> {
        let mut seen = BTreeSet::new();
        let mut to_visit = vec![(end, partition)];
        while let Some((rdd, partition)) = to_visit.pop() {
            if let Some(source) = sources.get(&rdd.id) {
                let own = self.own_locations(rdd, partition, *source, blocks);
                if !own.is_empty() {
                    return own;
                }
            }
            if let [Dependency::Narrow { parent, mapping: NarrowMapping::OneToOne }] = &rdd.dependencies[..] {
                to_visit.push((parent, partition));
                continue;
            }
            let mut parents = Vec::new();
            for dependency in &rdd.dependencies {
                if let Dependency::Narrow { parent, mapping } = dependency {
                    mapping.for_each_parent(partition, parent.partitions, |read| {
                        if seen.insert((parent.id, read)) {
                            parents.push((parent, read));
                        }
                    });
                }
            }
            to_visit.extend(parents.into_iter().rev());
        }
        Vec::new()
    }

    fn own_locations(
        &self,
        rdd: &RddInfo,
        partition: Partition,
        source: Source,
        blocks: &dyn BlockLocations,
    ) -> Vec<TaskLocation> {
        if source.cached {
            let cached = blocks.cached_locations(rdd.id, partition);
            if !cached.is_empty() {
                return cached;
            }
        }
        if let Some(own) = rdd.preferred_locations.as_ref().and_then(|all| all.get(partition.0 as usize))
            && !own.is_empty()
        {
            return own.clone();
        }
        let hosts = source.shuffle.map(|shuffle_id| {
            let options = &self.options.reducer_locality;
            self.map_outputs.preferred_hosts(shuffle_id, ReduceId(partition.0), options)
        });
        hosts.into_iter().flatten().map(TaskLocation::Host).collect()
    }
}

/// What a data set can say about places.
#[derive(Clone, Copy)]
struct Source {
    cached: bool,
    shuffle: Option<ShuffleId>,
}

fn storage_info(rdd: &RddInfo, blocks: &dyn BlockLocations) -> RddStorageInfo {
    RddStorageInfo {
        id: rdd.id,
        name: rdd.name.clone(),
        scope: rdd.scope.clone(),
        call_site: rdd.call_site_short.clone(),
        parents: rdd.dependencies.iter().map(|dependency| dependency.parent().id).collect(),
        storage_level: blocks.storage_level(rdd.id),
        barrier: rdd.barrier,
        partitions: rdd.partitions,
        cached_partitions: 0,
        memory_size: 0,
        disk_size: 0,
    }
}
