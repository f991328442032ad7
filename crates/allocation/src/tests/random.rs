//! Whatever happens, limits hold and nobody who is needed is given back.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use firesteel_model::{ListenerEvent, StageSnapshot, TaskEndReason};
use proptest::prelude::*;

use super::{executor, options, snapshot, story};
use crate::AllocationOptions;

#[derive(Clone, Debug)]
enum Step {
    Stage(u32),
    StageEnds(usize),
    Launch(usize, usize),
    TaskEnds(usize, bool),
    ExecutorsCome,
    ExecutorDies(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (1..40_u32).prop_map(Step::Stage),
        1 => any::<usize>().prop_map(Step::StageEnds),
        6 => (any::<usize>(), any::<usize>()).prop_map(|(stage, on)| Step::Launch(stage, on)),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(task, well)| Step::TaskEnds(task, well)),
        3 => Just(Step::ExecutorsCome),
        1 => any::<usize>().prop_map(Step::ExecutorDies),
        3 => (0..70_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn limits_hold(steps in prop::collection::vec(step(), 1..120), min in 0..3_u32, more in 1..20_u32) {
        let max = min + more;
        let mut story = story(AllocationOptions { min_executors: min, max_executors: max, ..options() });
        let (mut there, mut next_executor) = (BTreeSet::new(), 0);
        let mut stages: Vec<(Arc<StageSnapshot>, u32)> = vec![];
        let mut next_stage = 0;
        for step in steps {
            match step {
                Step::Stage(tasks) => {
                    let stage = snapshot(next_stage, tasks, None);
                    next_stage += 1;
                    story.stage(&stage);
                    stages.push((stage, 0));
                }
                Step::StageEnds(which) if !stages.is_empty() => {
                    let (stage, _) = stages.swap_remove(which % stages.len());
                    story.stage_ends(&stage);
                }
                Step::Launch(which, on) if !stages.is_empty() && !there.is_empty() => {
                    let chosen = which % stages.len();
                    let (stage, launched) = &mut stages[chosen];
                    if *launched < stage.tasks {
                        let (id, index) = (stage.id.stage_id.0, *launched);
                        *launched += 1;
                        let on = *there.iter().nth(on % there.len()).unwrap();
                        story.launch(id, index, on);
                    }
                }
                Step::TaskEnds(which, well) if !story.running.is_empty() => {
                    let task = *story.running.keys().nth(which % story.running.len()).unwrap();
                    let reason = if well { TaskEndReason::Success } else { TaskEndReason::TaskResultLost };
                    story.ends(task, "ResultTask", reason);
                }
                Step::ExecutorsCome => {
                    while (there.len() as u32) < story.manager.target() {
                        story.executors([next_executor], 1);
                        there.insert(next_executor);
                        next_executor += 1;
                    }
                }
                Step::ExecutorDies(which) if !there.is_empty() => {
                    let dies = *there.iter().nth(which % there.len()).unwrap();
                    let tasks: Vec<u64> = story.running.iter()
                        .filter(|(_, (_, task))| task.executor_id == executor(dies)).map(|(id, _)| *id).collect();
                    for task in tasks {
                        story.ends(task, "ResultTask", TaskEndReason::TaskResultLost);
                    }
                    let executor_id = executor(dies);
                    story.hear(ListenerEvent::ExecutorRemoved { time_ms: 0, executor_id, reason: String::new() });
                    there.remove(&dies);
                }
                Step::Wait(milliseconds) => { story.after(Duration::from_millis(milliseconds)); }
                _ => {}
            }
            let busy: BTreeSet<String> =
                story.running.values().map(|(_, task)| task.executor_id.to_string()).collect();
            for removed in story.removed() {
                prop_assert!(!busy.contains(&removed), "{removed} is busy");
                there.remove(&removed.parse::<u32>().unwrap());
            }
            let target = story.manager.target();
            prop_assert!((min..=max).contains(&target), "{target} is not in {min}..={max}");
        }
        // Once everything has ended and enough time has passed, no more are kept than must be.
        for (stage, _) in stages.drain(..) {
            story.stage_ends(&stage);
        }
        for task in story.running.keys().copied().collect::<Vec<_>>() {
            story.succeeds(task);
        }
        story.seconds(60);
        for removed in story.removed() {
            there.remove(&removed.parse::<u32>().unwrap());
        }
        if next_stage > 0 {
            prop_assert_eq!(story.manager.target(), min);
            prop_assert!(there.len() as u32 <= min, "{} are left", there.len());
        }
    }
}
