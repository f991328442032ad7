//! How many executors are asked for (SC-21…23, SC-31…33).

use std::time::Duration;

use firesteel_model::{ListenerEvent, Partition, ResourceProfileId, TaskEndReason};

use super::{attempt, options, snapshot, story};
use crate::{AllocationOptions, ExecutorAllocationManager, ExecutorShape, OptionsError};

#[test]
fn twice_as_many_more_are_asked_for_at_each_step() {
    let mut story = story(options());
    story.stage(&snapshot(0, 100, None));
    assert_eq!(story.total(), None, "nothing before the backlog has lasted");
    let totals: Vec<_> = (0..8).map(|_| story.seconds(1).total()).collect();
    assert_eq!(totals, [Some(1), Some(3), Some(7), Some(15), Some(31), Some(63), Some(100), None]);
}

#[test]
fn the_first_step_and_those_after_it_have_times_of_their_own() {
    let mut story = story(AllocationOptions {
        scheduler_backlog_timeout: Duration::from_secs(10),
        sustained_scheduler_backlog_timeout: Duration::from_secs(2),
        ..options()
    });
    story.stage(&snapshot(0, 100, None));
    assert_eq!(story.manager.next_deadline(story.now), Some(firesteel_model::Moment(10_000)));
    assert_eq!(story.seconds(9).total(), None);
    assert_eq!(story.seconds(1).total(), Some(1));
    assert_eq!(story.seconds(1).total(), None);
    assert_eq!(story.seconds(1).total(), Some(3));
}

#[test]
fn no_more_are_asked_for_than_are_allowed_and_no_fewer() {
    let mut story = story(AllocationOptions { min_executors: 2, initial_executors: 2, max_executors: 5, ..options() });
    assert_eq!(story.manager.target(), 2);
    let stage = snapshot(0, 100, None);
    story.stage(&stage);
    let totals: Vec<_> = (0..3).map(|_| story.seconds(1).total()).collect();
    assert_eq!(totals, [Some(3), Some(5), None]);
    story.stage_ends(&stage);
    assert_eq!(story.total(), Some(2));
}

/// Spark begins with so many, and lets them be until there is a stage or one of them is idle for long.
#[test]
fn the_first_executors_are_kept_until_something_is_to_run() {
    let mut story = story(AllocationOptions { initial_executors: 4, ..options() });
    assert_eq!(story.seconds(30).total(), None);
    assert_eq!(story.manager.target(), 4);
    story.stage(&snapshot(0, 1, None));
    assert_eq!(story.total(), Some(1));
}

#[test]
fn what_is_there_already_costs_no_steps() {
    let mut story = story(options());
    story.executors(0..10, 1);
    story.stage(&snapshot(0, 100, None));
    assert_eq!(story.seconds(1).total(), Some(11));
    assert_eq!(story.seconds(1).total(), Some(12), "eleven more were not one step's worth: it begins anew");
}

#[test]
fn tasks_that_have_a_slot_are_needed_and_those_that_have_ended_are_not() {
    let mut story = story(AllocationOptions { initial_executors: 3, ..options() });
    story.executors(0..3, 1);
    let stage = snapshot(0, 3, None);
    story.stage(&stage);
    let tasks: Vec<u64> = (0..3).map(|index| story.launch(0, index, index)).collect();
    assert_eq!(story.seconds(5).total(), None);
    story.succeeds(tasks[0]);
    assert_eq!(story.total(), Some(2));
    story.ends(tasks[1], "ResultTask", TaskEndReason::TaskResultLost);
    assert_eq!(story.total(), None, "it will be launched again");
    story.succeeds(tasks[2]);
    assert_eq!(story.total(), Some(1));
}

#[test]
fn lost_outputs_are_to_be_made_again() {
    let mut story = story(options());
    story.executors([0], 1);
    story.stage(&snapshot(0, 1, Some(0)));
    let task = story.launch(0, 0, 0);
    let (stage, launched) = story.running[&task].clone();
    story.writes(task);
    assert_eq!(story.manager.decide(story.now).total, None);
    story.hear(ListenerEvent::TaskEnd {
        stage,
        task_type: "ShuffleMapTask",
        reason: TaskEndReason::Resubmitted,
        task: launched,
        metrics: None,
    });
    assert_eq!(story.seconds(1).total(), Some(1));
}

#[test]
fn slots_and_the_ratio_count() {
    let cases: [(u32, f64, f64, u32); 6] = [
        // tasks, cpus each, ratio, executors of 4 cores
        (16, 1.0, 1.0, 4),
        (17, 1.0, 1.0, 5),
        (16, 2.0, 1.0, 8),
        (16, 1.0, 0.5, 2),
        (17, 1.0, 0.5, 3),
        (3, 8.0, 1.0, 3),
    ];
    for (tasks, cpus, ratio, expected) in cases {
        let mut story = story(AllocationOptions {
            executor: ExecutorShape { cores: Some(4), resources: vec![] },
            task: vec![("cpus".to_owned(), cpus)],
            executor_allocation_ratio: ratio,
            ..options()
        });
        story.stage(&snapshot(0, tasks, None));
        for _ in 0..5 {
            story.seconds(1).total();
        }
        assert_eq!(story.manager.target(), expected, "{tasks} tasks of {cpus} cores at {ratio}");
    }
}

#[test]
fn custom_resources_and_profiles_limit_slots() {
    let mut story = story(AllocationOptions {
        executor: ExecutorShape { cores: Some(8), resources: vec![("gpu".to_owned(), 2)] },
        ..options()
    });
    let of = |gpu: f64| vec![("cpus".to_owned(), 1.0), ("gpu".to_owned(), gpu)];
    for (id, gpu) in [(1, 1.0), (2, 0.5)] {
        story.hear(ListenerEvent::ResourceProfileAdded {
            id: ResourceProfileId(id),
            executor_resources: vec![],
            task_resources: of(gpu),
        });
    }
    for (stage, profile) in [(0, 1), (1, 2)] {
        let mut snapshot = (*snapshot(stage, 8, None)).clone();
        snapshot.resource_profile_id = ResourceProfileId(profile);
        story.stage(&snapshot.into());
    }
    for _ in 0..5 {
        story.seconds(1).total();
    }
    // 8 tasks with an address each need four executors, 8 with half of one need two.
    assert_eq!(story.manager.target(), 6);
}

#[test]
fn without_a_size_for_executors_those_that_are_there_show_it() {
    let mut story = story(AllocationOptions { executor: ExecutorShape::default(), ..options() });
    story.stage(&snapshot(0, 16, None));
    story.seconds(1).total();
    story.executors([0], 8);
    for _ in 0..5 {
        story.seconds(1).total();
    }
    assert_eq!(story.manager.target(), 2);
}

#[test]
fn a_copy_alone_gets_an_executor_of_its_own() {
    let mut story =
        story(AllocationOptions { executor: ExecutorShape { cores: Some(4), resources: vec![] }, ..options() });
    story.executors([0], 4);
    story.stage(&snapshot(0, 1, None));
    let original = story.launch(0, 0, 0);
    assert_eq!(story.seconds(1).total(), None);
    story.hear(ListenerEvent::SpeculativeTaskSubmitted { stage: attempt(0), task_index: 0, partition: Partition(0) });
    assert_eq!(story.seconds(1).total(), Some(2));
    story.succeeds(original);
    assert_eq!(story.total(), Some(0), "nobody needs the copy any more");
}

#[test]
fn a_task_set_that_no_executor_may_run_gets_one_more() {
    let mut story = story(AllocationOptions { initial_executors: 1, ..options() });
    story.executors([0], 1);
    story.stage(&snapshot(0, 1, None));
    story.hear(ListenerEvent::UnschedulableTaskSetAdded { stage: attempt(0) });
    assert_eq!(story.seconds(1).total(), Some(2));
    story.hear(ListenerEvent::UnschedulableTaskSetRemoved { stage: attempt(0) });
    assert_eq!(story.total(), Some(1));
}

#[test]
fn contradictions_are_refused() {
    let refused = |options: AllocationOptions| ExecutorAllocationManager::new(options).expect_err("a contradiction");
    assert_eq!(refused(AllocationOptions { max_executors: 0, ..options() }), OptionsError::NoExecutors);
    let limits = AllocationOptions { min_executors: 3, max_executors: 2, ..options() };
    assert_eq!(refused(limits), OptionsError::Limits { min: 3, max: 2 });
    let initial = AllocationOptions { initial_executors: 3, max_executors: 2, ..options() };
    assert_eq!(refused(initial), OptionsError::Initial { initial: 3, max: 2 });
    for ratio in [0.0, -1.0, 1.1, f64::NAN] {
        let error = refused(AllocationOptions { executor_allocation_ratio: ratio, ..options() });
        assert!(matches!(error, OptionsError::Ratio(_)), "{error}");
    }
    let error = refused(AllocationOptions { scheduler_backlog_timeout: Duration::ZERO, ..options() });
    assert!(matches!(error, OptionsError::NoTime(_)), "{error}");
}
