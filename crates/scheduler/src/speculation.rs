//! Copies of slow tasks (RT-45…47).

use firesteel_model::{ListenerEvent, StageAttemptId, TaskId};

use crate::{
    Moment, Scheduler, SpeculationOptions,
    scheduler::{RunningTask, Turn},
    task_set::{TaskSet, TaskSetState},
};

impl Scheduler {
    pub(crate) fn check_speculation(&mut self, turn: &mut Turn) {
        let now = turn.moment();
        let Some(options) = self.options.speculation.clone() else { return };
        if self.next_speculation_check.is_none_or(|at| at > now) {
            return;
        }
        let sets: Vec<StageAttemptId> = self.active_sets().map(|set| set.id).collect();
        for id in &sets {
            for index in self.slow_tasks(*id, &options, now) {
                let set = self.task_sets.get_mut(id).expect("it was listed");
                if set.speculate(index) {
                    let partition = set.partition(index);
                    turn.post(ListenerEvent::SpeculativeTaskSubmitted { stage: *id, task_index: index, partition });
                }
            }
        }
        self.next_speculation_check = (!sets.is_empty()).then(|| now + options.interval);
    }

    /// The indexes that deserve a copy, ascending.
    fn slow_tasks(&self, id: StageAttemptId, options: &SpeculationOptions, now: Moment) -> Vec<u32> {
        let set = &self.task_sets[&id];
        debug_assert_eq!(set.state, TaskSetState::Active);
        let by_duration = options.task_duration_threshold.filter(|_| self.fits_one_executor(set));
        if set.barrier || (set.tasks() == 1 && by_duration.is_none()) {
            return Vec::new();
        }
        let enough = ((f64::from(set.tasks()) * options.quantile).floor() as u32).max(1);
        let threshold_ms = if set.successes() >= enough {
            let median = set.durations.as_ref().map_or(0.0, |durations| durations.get());
            Some((median * options.multiplier).max(options.min_task_runtime.as_millis() as f64))
        } else {
            by_duration.map(|duration| duration.as_millis() as f64)
        };
        let filtered = set.successes() >= enough;
        let mut slow: Vec<u32> = set
            .running
            .iter()
            .filter(|task_id| self.is_slow(set, **task_id, threshold_ms, filtered, options, now))
            .map(|task_id| self.running[task_id].index)
            .collect();
        slow.sort_unstable();
        slow
    }

    fn is_slow(
        &self,
        set: &TaskSet,
        task_id: TaskId,
        threshold_ms: Option<f64>,
        filtered: bool,
        options: &SpeculationOptions,
        now: Moment,
    ) -> bool {
        let task = &self.running[&task_id];
        if task.getting_result_time_ms.is_some() || task.kill.is_some() {
            return false;
        }
        let run_ms = now.since(task.launched).as_millis() as f64;
        let slow = threshold_ms.is_some_and(|threshold| {
            run_ms > threshold && (!filtered || is_inefficient(set, task, run_ms, threshold, options))
        });
        slow || self.outlives_its_executor(task, threshold_ms, now)
    }

    /// Will its executor be killed before the task can end (RT-77)?
    fn outlives_its_executor(&self, task: &RunningTask, typical_ms: Option<f64>, now: Moment) -> bool {
        let decommissioned = self.executors.get(task.executor).and_then(|executor| executor.decommissioned);
        match (decommissioned, self.options.decommission_kill_interval, typical_ms) {
            (Some(since), Some(interval), Some(typical_ms)) => {
                let ends_at = task.launched.0 as f64 + typical_ms;
                now.0 as f64 <= ends_at && (since + interval).0 as f64 <= ends_at
            }
            _ => false,
        }
    }

    /// A set of so few tasks that one executor could run them all (RT-46).
    fn fits_one_executor(&self, set: &TaskSet) -> bool {
        let slots = self.executors.iter().map(|(_, executor)| executor.capacity(&set.requirements)).max();
        set.tasks() <= slots.unwrap_or(1)
    }
}

/// Slower than others by records per second, or by far too long (RT-47).
fn is_inefficient(
    set: &TaskSet,
    task: &RunningTask,
    run_ms: f64,
    threshold_ms: f64,
    options: &SpeculationOptions,
) -> bool {
    let Some(efficiency) = &options.efficiency else { return true };
    if set.records_processed == 0 || set.processing_ms == 0 {
        return true;
    }
    let average = set.records_processed as f64 / set.processing_ms as f64;
    let own = task.records_read as f64 / run_ms.max(1.0);
    own < average * efficiency.process_rate_multiplier || run_ms > threshold_ms * efficiency.long_run_task_factor
}
