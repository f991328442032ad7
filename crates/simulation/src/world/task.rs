//! A task's life on a fake executor: it waits at its barrier, reads, works, asks for leave to commit, and tells how it ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use firesteel_model::{
    BlockManagerId, ByteCount, ExecutorId, MapId, MapIndex, MapStatus, ReduceId, ShuffleId, TaskEndReason, TaskId,
};
use firesteel_scheduler::{
    BarrierMethod, BarrierSync, Dependency, Determinism, Event, RddInfo, StageBinaryKind, TaskEnded, TaskLaunch,
    TaskOutcome,
};

use super::{File, Item, MIXED, World, exception, success};
use crate::{
    executor::{FakeTask, Phase},
    oracle::Provenance,
    workload,
};

impl World {
    pub(super) fn start_task(&mut self, executor_id: &ExecutorId, launch: TaskLaunch) {
        let (task_id, stage) = (launch.task_id, launch.stage);
        let binary = self.binaries.get(&stage).cloned();
        let executor = self.executors.get_mut(executor_id).expect("the caller has seen it");
        if !executor.seen.insert(task_id) {
            return;
        }
        // The binary travels with the first task; a launch that comes after its stage is gone finds none.
        let Some(binary) = executor.binaries.get(&stage).cloned().or(binary) else { return };
        assert_eq!(binary.rdd.barrier, launch.barrier.is_some());
        assert!(launch.barrier.as_ref().is_none_or(|all| all.len() as u32 == binary.tasks), "not all of {stage}");
        executor.binaries.insert(stage, binary);
        executor.waiting.push_back(launch);
        self.start_waiting(executor_id);
    }

    /// Slots that are free take what waits for them.
    fn start_waiting(&mut self, executor_id: &ExecutorId) {
        let executor = self.executors.get_mut(executor_id).expect("it is alive");
        let most = workload::MOST_AHEAD * executor.cores;
        let mut starting = Vec::new();
        while (executor.tasks.len() + starting.len()) < executor.cores as usize
            && let Some(launch) = executor.waiting.pop_front()
        {
            starting.push(launch);
        }
        assert!(self.faults > 0 || executor.waiting.len() as u32 <= most, "too much waits at executor {executor_id}");
        if let Some(oldest) = executor.waiting.front() {
            let item = Item::GiveBack(executor_id.clone(), oldest.task_id);
            self.after(700, item);
        }
        for launch in starting {
            self.begin_task(executor_id, launch);
        }
    }

    /// The task was the oldest of those that wait, some time ago. If it still is, they go back.
    pub(super) fn give_back(&mut self, executor_id: &ExecutorId, oldest: TaskId) {
        let Some(executor) = self.executors.get_mut(executor_id) else { return };
        if executor.hangs_until > self.now {
            let delay = executor.hangs_until - self.now;
            return self.after(delay, Item::GiveBack(executor_id.clone(), oldest));
        }
        if executor.waiting.front().is_some_and(|launch| launch.task_id == oldest) {
            let task_ids = executor.waiting.drain(..).map(|launch| launch.task_id).collect();
            self.send(Item::ToDriver(Event::TasksReturned { executor_id: executor_id.clone(), task_ids }, None));
        }
    }

    fn begin_task(&mut self, executor_id: &ExecutorId, launch: TaskLaunch) {
        let (task_id, barrier) = (launch.task_id, launch.barrier.is_some());
        let phase = if barrier { Phase::AtBarrier { epoch: 0 } } else { Phase::Reading };
        let deaf = self.faults > 0 && self.chance.per_mille(300);
        let executor = self.executors.get_mut(executor_id).expect("it is alive");
        executor.tasks.insert(task_id, FakeTask { launch, phase, deaf, since: self.now });
        let mut users: BTreeMap<&str, u32> = BTreeMap::new();
        for resource in executor.tasks.values().flat_map(|task| &task.launch.resources) {
            resource.addresses.iter().for_each(|address| *users.entry(address).or_default() += 1);
        }
        let fair = users.values().all(|&users| users <= self.tasks_per_gpu);
        assert!(self.faults > 0 || fair, "tasks of executor {executor_id} use the same GPU: {users:?}");
        let started = Event::TaskStarted { task_id, executor_id: executor_id.clone() };
        self.send(Item::ToDriver(started, None));
        let time = self.time_of_work();
        let next = if barrier {
            Item::AskAgain(executor_id.clone(), task_id)
        } else {
            Item::Computed(executor_id.clone(), task_id)
        };
        self.after(time, next);
    }

    /// How long a task is at one thing.
    pub(super) fn time_of_work(&mut self) -> u64 {
        let slow = self.chance.per_mille(30);
        if slow { self.chance.between(2000, 20_000) } else { self.chance.between(5, 600) }
    }

    /// Asks for leave to commit, or waits at the barrier; again each half second until an answer comes.
    pub(super) fn ask(&mut self, executor_id: &ExecutorId, task_id: TaskId) {
        let Some(task) = self.executors.get(executor_id).and_then(|executor| executor.tasks.get(&task_id)) else {
            return;
        };
        let TaskLaunch { stage, partition, attempt, .. } = task.launch;
        let question = match &task.phase {
            Phase::Reading | Phase::Working(_) => return,
            &Phase::AtBarrier { epoch } => {
                let gathers = epoch % 2 == 1;
                Event::BarrierSync(BarrierSync {
                    stage,
                    task_id,
                    epoch,
                    method: if gathers { BarrierMethod::AllGather } else { BarrierMethod::Barrier },
                    message: if gathers { format!("{partition} at {epoch}") } else { String::new() },
                })
            }
            Phase::Committing(_) => Event::CommitAsked { stage, partition, attempt, ask: task_id.0 },
        };
        self.send(Item::ToDriver(question, None));
        self.after(500, Item::AskAgain(executor_id.clone(), task_id));
    }

    pub(super) fn commit_answered(&mut self, executor_id: &ExecutorId, task_id: TaskId, allowed: bool) {
        let Some(task) = self.executors.get(executor_id).and_then(|executor| executor.tasks.get(&task_id)) else {
            return;
        };
        let TaskLaunch { stage, partition, attempt, .. } = task.launch;
        let Phase::Committing(rows) = task.phase.clone() else { return };
        if allowed {
            self.oracle.committed(task_id);
            return self.result_ready(executor_id, task_id, rows);
        }
        let reason = TaskEndReason::TaskCommitDenied { stage_id: stage.stage_id, partition, attempt_number: attempt };
        self.end_task(executor_id, task_id, TaskOutcome::Failure(reason), None);
    }

    /// The task has done the next thing that takes time.
    pub(super) fn computed(&mut self, executor_id: &ExecutorId, task_id: TaskId) {
        let Some(executor) = self.executors.get(executor_id) else { return };
        if executor.hangs_until > self.now {
            let delay = executor.hangs_until - self.now;
            return self.after(delay, Item::Computed(executor_id.clone(), task_id));
        }
        let Some(task) = executor.tasks.get(&task_id) else { return };
        let (stage, partition) = (task.launch.stage, task.launch.partition);
        let bad_start = workload::is_difficult(&task.launch) && task.launch.attempt.0 == 0;
        let binary = executor.binaries[&stage].clone();
        let host = executor.host.clone();
        let rows = match task.phase.clone() {
            Phase::Reading => return self.read_input(executor_id, task_id, &binary.rdd, ReduceId(partition.0)),
            Phase::Working(rows) => rows,
            Phase::AtBarrier { .. } | Phase::Committing(_) => return,
        };
        if self.in_trouble() && (bad_start || self.chance.per_mille(15 * self.faults)) {
            let outcome = exception("bad luck");
            return self.end_task(executor_id, task_id, outcome, None);
        }
        match binary.kind {
            StageBinaryKind::Map(shuffle) => {
                let map_id = MapId(task_id.0);
                let random = binary.rdd.determinism == Determinism::Indeterminate;
                let version = if random { task_id.0 + 1 } else { 0 };
                // What is computed alike from other rows is not alike.
                let version = if rows.values().any(|&version| version == MIXED) { MIXED } else { version };
                let file = File { executor_id: executor_id.clone(), rows, version };
                self.files.insert((shuffle.shuffle_id, map_id), file);
                let location = BlockManagerId { executor_id: executor_id.clone(), host, port: 7337 };
                let status = MapStatus::new(location, map_id, vec![100; shuffle.reducers as usize]);
                self.end_task(executor_id, task_id, success(Some(Arc::new(status))), None);
            }
            StageBinaryKind::Result { job_id } if workload::commits(job_id) => {
                let executor = self.executors.get_mut(executor_id).expect("it is alive");
                executor.tasks.get_mut(&task_id).expect("it runs").phase = Phase::Committing(rows);
                self.ask(executor_id, task_id);
            }
            StageBinaryKind::Result { .. } => self.result_ready(executor_id, task_id, rows),
        }
    }

    /// The task has read its input, and works on for a while: what it has read may be void before it ends.
    fn read_input(&mut self, executor_id: &ExecutorId, task_id: TaskId, end: &Arc<RddInfo>, reduce_id: ReduceId) {
        match self.read(end, reduce_id) {
            Ok(rows) => {
                let executor = self.executors.get_mut(executor_id).expect("it is alive");
                let task = executor.tasks.get_mut(&task_id).expect("it runs");
                task.phase = Phase::Working(rows);
                // Slow where it comes after a failure: a copy of it must keep off where that was.
                let slow = workload::is_difficult(&task.launch) && task.launch.attempt.0 == 1;
                let slow = slow && self.in_trouble();
                let time = if slow { self.chance.between(5000, 20_000) } else { self.time_of_work() };
                self.after(time, Item::Computed(executor_id.clone(), task_id));
            }
            Err(reason) => self.end_task(executor_id, task_id, TaskOutcome::Failure(reason), None),
        }
    }

    /// Sends a result inline, or keeps it to be fetched.
    fn result_ready(&mut self, executor_id: &ExecutorId, task_id: TaskId, rows: Provenance) {
        if self.chance.per_mille(150) {
            self.take_off(executor_id, task_id);
            self.waiting_results.insert(task_id, (executor_id.clone(), rows));
            let executor_id = executor_id.clone();
            let event = Event::TaskGettingResult { task_id, executor_id, result_size: ByteCount::mib(2) };
            return self.send(Item::ToDriver(event, None));
        }
        self.end_task(executor_id, task_id, success(None), Some(rows));
    }

    pub(super) fn end_task(
        &mut self,
        executor_id: &ExecutorId,
        task_id: TaskId,
        outcome: TaskOutcome,
        rows: Option<Provenance>,
    ) {
        let run_time = self.take_off(executor_id, task_id);
        let ended = TaskEnded { task_id, executor_id: executor_id.clone(), outcome, run_time, metrics: None };
        self.send(Item::ToDriver(Event::TaskEnded(Box::new(ended)), rows));
    }

    /// The slot goes to the next task; how long this one had it.
    fn take_off(&mut self, executor_id: &ExecutorId, task_id: TaskId) -> Option<Duration> {
        let task = self.executors.get_mut(executor_id).expect("it is alive").tasks.remove(&task_id);
        let run_time = task.map(|task| Duration::from_millis(self.now - task.since));
        self.start_waiting(executor_id);
        run_time
    }

    /// Reads every map output of every shuffle that the stage reads.
    fn read(&mut self, end: &Arc<RddInfo>, reduce_id: ReduceId) -> Result<Provenance, TaskEndReason> {
        let mut rows = Provenance::new();
        let mut to_visit = vec![end.clone()];
        while let Some(rdd) = to_visit.pop() {
            for dependency in &rdd.dependencies {
                match dependency {
                    Dependency::Narrow { parent, .. } => to_visit.push(parent.clone()),
                    Dependency::Shuffle(shuffle) => self.read_shuffle(shuffle.shuffle_id, reduce_id, &mut rows)?,
                }
            }
        }
        Ok(rows)
    }

    fn read_shuffle(
        &self,
        shuffle_id: ShuffleId,
        reduce_id: ReduceId,
        rows: &mut Provenance,
    ) -> Result<(), TaskEndReason> {
        let failed = |at: Option<&MapStatus>, map_index: u32| TaskEndReason::FetchFailed {
            block_manager_id: at.map(|status| status.location.clone()),
            shuffle_id,
            map_id: at.map_or(MapId(0), |status| status.map_id),
            map_index: MapIndex(map_index),
            reduce_id,
            message: "the fake network found nothing there".to_owned(),
        };
        let statuses = self.scheduler.map_statuses(shuffle_id).map_or(&[][..], |(_, statuses)| statuses);
        if statuses.is_empty() {
            return Err(failed(None, 0));
        }
        for (map_index, status) in statuses.iter().enumerate() {
            let map_index = map_index as u32;
            let status = status.as_ref().ok_or_else(|| failed(None, map_index))?;
            let file = self.files.get(&(shuffle_id, status.map_id));
            let hangs = self.executors.get(&status.location.executor_id).is_some_and(|it| it.hangs_until > self.now);
            let file = file.filter(|_| !hangs || self.shuffle_service);
            let file = file.ok_or_else(|| failed(Some(status), map_index))?;
            let own = [(&(shuffle_id, map_index), &file.version)];
            for (&input, &version) in file.rows.iter().chain(own) {
                let known = rows.entry(input).or_insert(version);
                if *known != version {
                    *known = MIXED;
                }
            }
        }
        Ok(())
    }
}
