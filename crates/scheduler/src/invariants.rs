//! What must hold after every event. Tests and the simulation call this each time; a broken invariant panics with the
//! numbers that disagree.

use std::collections::BTreeMap;

use crate::{
    AddressPart, Scheduler,
    stage::{JobProgress, StageKind, StageStatus},
    task_set::TaskSetState,
};

impl Scheduler {
    /// Panics if a slot is given twice, a count is wrong, or something is left of what has ended. Costs a walk through every
    /// table.
    pub fn assert_invariants(&self) {
        self.assert_slots();
        self.assert_task_sets();
        self.assert_stages();
        if self.jobs.is_empty() {
            self.assert_nothing_is_left();
        }
    }

    /// A slot is never given twice, nor lost.
    fn assert_slots(&self) {
        let mut cores: BTreeMap<u32, u32> = BTreeMap::new();
        let mut used_units: BTreeMap<(u32, &str, &str), u64> = BTreeMap::new();
        for (task_id, task) in &self.running {
            let executor = self.executors.get(task.executor);
            let executor = executor.unwrap_or_else(|| panic!("task {task_id} runs on an executor that is gone"));
            assert!(executor.tasks.contains(task_id), "executor {} does not list task {task_id}", executor.id);
            if task.getting_result_time_ms.is_none() && !task.ahead {
                let requirements = &self.task_sets[&task.stage].requirements;
                *cores.entry(task.executor).or_default() += requirements.cpus.get();
                for resource in &task.resources {
                    let request = requirements.resources.iter().find(|request| request.name == resource.name);
                    let units = request.expect("only what was requested is granted").amount.units();
                    for address in &resource.addresses {
                        *used_units.entry((task.executor, &resource.name, address)).or_default() += units;
                    }
                }
            }
        }
        for ((key, name, address), used) in used_units {
            let executor = self.executors.get(key).expect("its tasks were found there");
            let free = executor.free_units(name, address);
            assert_eq!(free + used, AddressPart::WHOLE, "{name} {address} of executor {}", executor.id);
        }
        let mut listed = 0;
        for (key, executor) in self.executors.iter() {
            listed += executor.tasks.len();
            for task_id in &executor.ahead {
                let task = &self.running[task_id];
                assert!(task.ahead && task.executor == key, "task {task_id} does not wait at executor {}", executor.id);
            }
            let ahead = executor.tasks.iter().filter(|task_id| self.running[task_id].ahead).count();
            assert_eq!(executor.ahead.len(), ahead, "tasks launched ahead to executor {}", executor.id);
            assert!(
                ahead == 0 || executor.free_cores == 0,
                "executor {} has a free core and tasks wait there",
                executor.id
            );
            let used = cores.get(&key).copied().unwrap_or(0);
            assert_eq!(executor.free_cores + used, executor.info.cores, "cores of executor {}", executor.id);
        }
        assert_eq!(listed, self.running.len(), "executors list tasks that do not run");
    }

    fn assert_task_sets(&self) {
        let mut running = 0;
        for (id, set) in &self.task_sets {
            assert_eq!(set.id, *id);
            running += set.running.len();
            assert_eq!(self.pools.running(*id) as usize, set.running.len(), "running tasks of {id} in its pool");
            let mut copies: BTreeMap<u32, u8> = BTreeMap::new();
            for task_id in &set.running {
                let task = &self.running[task_id];
                assert_eq!(task.stage, *id);
                *copies.entry(task.index).or_default() += 1;
            }
            for (&index, &count) in &copies {
                assert!(count <= 2, "{count} copies of task {index} of {id} run");
                assert_eq!(set.copies_running(index), count, "copies of task {index} of {id}");
            }
            match set.state {
                TaskSetState::Zombie => {
                    assert_eq!(set.waiting(), 0, "zombie {id} has waiting tasks");
                    assert!(!set.running.is_empty(), "zombie {id} has nothing to wait for");
                }
                TaskSetState::Preparing => assert!(set.running.is_empty(), "{id} runs without its binary"),
                TaskSetState::Active => {
                    assert_eq!(set.waiting() as usize, set.all_waiting().len(), "waiting tasks of {id}");
                    assert!(!set.all_successful(), "{id} is done and yet active");
                }
            }
            if set.state != TaskSetState::Zombie {
                let stage = self.stages.get(&id.stage_id);
                let stage = stage.unwrap_or_else(|| panic!("{id} is launched for a stage that is gone"));
                assert_eq!(stage.latest(), *id, "an earlier attempt is still launched");
                assert_eq!(stage.status, StageStatus::Running, "{id} is launched for a stage that does not run");
            }
        }
        assert_eq!(running, self.running.len(), "task sets and running tasks");
        assert_eq!(self.pools.len(), self.task_sets.len(), "pools and task sets");
    }

    fn assert_stages(&self) {
        for (stage_id, stage) in &self.stages {
            assert!(!stage.jobs.is_empty(), "stage {stage_id} is needed by no job");
            assert!(stage.jobs.iter().all(|job| self.jobs[job].stages.contains(stage_id)));
            assert!(stage.parents.iter().all(|parent| self.stages.contains_key(parent) && parent < stage_id));
            match &stage.kind {
                StageKind::Map(shuffle) => assert_eq!(self.map_stages[&shuffle.shuffle_id], *stage_id),
                StageKind::Result(job_id) => assert_eq!(self.jobs[job_id].final_stage, *stage_id),
            }
            let has_set = self.task_sets.get(&stage.latest()).is_some_and(|set| set.state != TaskSetState::Zombie);
            if stage.status == StageStatus::Running {
                assert!(has_set, "stage {stage_id} runs, but its task set does not");
            }
            if stage.status == StageStatus::Idle && stage.attempts > 0 {
                let resting = self.resubmit.contains(stage_id) || matches!(&stage.kind, StageKind::Map(_));
                assert!(resting, "result stage {stage_id} is neither running, waiting nor to be submitted again");
            }
            if stage.status == StageStatus::Waiting {
                let coming = stage.parents.iter().any(|parent| {
                    let parent_stage = &self.stages[parent];
                    parent_stage.status != StageStatus::Idle || self.resubmit.contains(parent)
                });
                assert!(coming, "stage {stage_id} waits for parents that do nothing");
            }
        }
        assert!(self.resubmit.iter().all(|stage_id| self.stages.contains_key(stage_id)));
        assert_eq!(self.resubmit.is_empty(), self.resubmit_at.is_none(), "stages to submit again, and when");
        for (job_id, job) in &self.jobs {
            assert!(job.stages.contains(&job.final_stage), "job {job_id} does not need its last stage");
            if let JobProgress::Result { finished, held, .. } = &job.progress {
                assert!(!finished.is_full(), "job {job_id} has every result and does not end");
                assert!(held.len() as u32 <= finished.count());
            }
        }
    }

    /// Spark's `assertDataStructuresEmpty`: after the last job, only what still runs in vain is known.
    fn assert_nothing_is_left(&self) {
        assert!(self.stages.is_empty() && self.map_stages.is_empty(), "stages outlive the last job");
        assert!(self.resubmit.is_empty() && self.resubmit_at.is_none(), "something would be submitted again");
        assert!(self.commits.is_empty(), "commits outlive the last job");
        assert!(self.task_sets.values().all(|set| set.state == TaskSetState::Zombie), "task sets outlive the last job");
        if self.running.is_empty() {
            assert!(self.task_sets.is_empty() && self.barriers.is_empty(), "task sets outlive their last task");
        }
    }
}
