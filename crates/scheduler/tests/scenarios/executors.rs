//! Executors come, fall silent, leave and are lost (RT-09, RT-11, RT-14, RT-34, RT-70, RT-71, RT-77, AS-02).

use std::time::Duration;

use firesteel_model::{ExecutorLossReason, MapId, ShuffleId, TaskId};
use firesteel_scheduler::{
    Event, ExpectedResources, HeartbeatOptions, JobKind, LostOutputs, MinRegisteredOptions, SchedulerOptions,
    TaskProgress,
};

use crate::story::*;

fn with_heartbeats() -> SchedulerOptions {
    let heartbeat = HeartbeatOptions {
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(120),
        check_interval: Duration::from_secs(60),
    };
    SchedulerOptions { heartbeat: Some(heartbeat), ..options() }
}

fn beat(executor_id: &str, tasks: &[u64]) -> Event {
    let tasks = tasks.iter().map(|&id| TaskProgress { task_id: TaskId(id), records_read: 0, accumulators: vec![] });
    Event::Heartbeat { executor_id: executor_id.into(), tasks: tasks.collect() }
}

#[test]
fn the_same_id_twice_is_refused_and_the_first_stays() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    assert_eq!(story.add_executor("1", "b", 1), ["refuse 1: duplicate executor id: 1 on b"]);
    assert_eq!(story.scheduler.registered_cores(), 1);
}

#[test]
fn a_lost_executor_takes_its_tasks_and_its_map_outputs_along() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.with_events = true;
    let shuffle = shuffle(0, &source(0, 3), 1);
    story.tell(submission(0, JobKind::MapStage { shuffle }, &[]));
    story.prepared(0, 0);
    story.map(0, "1", "a");
    story.tell(Event::TaskStarted { task_id: TaskId(1), executor_id: executor("1") });
    let lost = "ExecutorLostFailure (executor 1 exited";
    let why = "exited with code 137 (128+9: killed from outside; most often the kernel, for lack of memory)";
    assert_eq!(
        story.lose_executor("1"),
        [
            "-task 0 Resubmitted (resubmitted due to lost executor)".to_owned(),
            format!("-task 1 {lost} caused by one of the running tasks) Reason: {why}"),
            format!("-task 2 {lost} unrelated to one of the running tasks) Reason: {why}"),
            format!("-executor 1: {why}"),
            "-outputs of 0 at 1".to_owned()
        ]
    );
    assert_eq!(story.lose_executor("1"), [""; 0], "a loss is noticed in several ways");
    story.with_events = false;
    assert_eq!(story.add_executor("2", "b", 3), ["launch on 2: 3=2.1 of 0.0, 4=1.1 of 0.0, 5=0.1 of 0.0"]);
}

#[test]
fn outputs_that_a_shuffle_service_serves_survive_and_a_dead_host_takes_all() {
    for (lost_outputs, missing) in [(LostOutputs::None, 0), (LostOutputs::OfExecutor, 1), (LostOutputs::OfHost, 2)] {
        let mut story = Story::with_executors(options(), &[("1", "a", 1), ("2", "a", 1)]);
        let job = JobKind::MapStage { shuffle: shuffle(0, &source(0, 3), 1) };
        story.tell(submission(0, job, &[]));
        story.prepared(0, 0);
        for task_id in 0..2 {
            for at in ["1", "2"] {
                story.map(task_id, at, "a");
            }
        }
        let reason = ExecutorLossReason::WorkerLost { message: "gone".to_owned() };
        story.tell(Event::ExecutorLost { executor_id: executor("1"), reason, lost_outputs });
        let (_, statuses) = story.scheduler.map_statuses(ShuffleId(0)).unwrap();
        assert_eq!(statuses.iter().filter(|status| status.is_none()).count(), missing + 1, "{lost_outputs:?}");
    }
}

/// SC-35, SC-41.
#[test]
fn what_is_unwanted_is_forgotten_at_once_and_ended_if_it_is_idle_or_must_end() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1), ("2", "a", 1)]);
    story.submit(0, &source(0, 1));
    assert_eq!(story.prepared(0, 0), ["launch on 1: 0=0.0 of 0.0"]);
    let unwanted = |busy_too| Event::ExecutorsUnwanted {
        executor_ids: vec![executor("1"), executor("2"), executor("3")],
        reason: "why".to_owned(),
        busy_too,
    };
    assert_eq!(story.tell(unwanted(false)), ["kill executor 2 (replace: false): why"]);
    assert_eq!(story.scheduler.registered_cores(), 1);
    assert_eq!(story.lose_executor("2"), [""; 0], "its end is no news");
    assert_eq!(story.tell(unwanted(true)), ["kill executor 1 (replace: false): why"]);
    assert_eq!(story.add_executor("4", "b", 1), ["launch on 4: 1=0.1 of 0.0"], "which is no failure of the task's");
}

#[test]
fn all_executors_lost_is_no_end_and_no_hang() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1), ("2", "b", 1)]);
    story.submit(0, &source(0, 2));
    story.prepared(0, 0);
    story.lose_executor("1");
    story.lose_executor("2");
    let (at, told) = story.next_deadline();
    assert_eq!(at, 15_000);
    assert!(told[0].contains("no executor has registered"), "{told:?}");
    assert_eq!(story.add_executor("3", "c", 2), ["launch on 3: 2=1.1 of 0.0, 3=0.1 of 0.0"]);
}

#[test]
fn silence_for_two_minutes_ends_an_executor_without_blame_and_replaces_it() {
    let mut story = Story::with_executors(with_heartbeats(), &[("1", "a", 1), ("2", "b", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    let quiet = if story.tell(Event::TaskStarted { task_id: TaskId(0), executor_id: executor("1") }).is_empty() {
        "1"
    } else {
        "2"
    };
    for at in (10_000..=180_000).step_by(10_000) {
        story.now = at;
        for id in ["1", "2"].into_iter().filter(|&id| id != quiet) {
            story.tell(beat(id, &[0]));
        }
        let told = story.tell(Event::DeadlineReached);
        if at < 180_000 {
            assert!(!told.iter().any(|it| it.starts_with("kill executor")), "{at}: {told:?}");
        } else {
            let killed =
                format!("kill executor {quiet} (replace: true): no heartbeat for 180000 ms (spark.network.timeout)");
            assert!(told.contains(&killed), "{told:?}");
        }
    }
    assert_eq!(story.tell(beat(quiet, &[])), [format!("ask {quiet} to register")]);
}

#[test]
fn a_task_that_two_heartbeats_do_not_name_runs_again() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    assert_eq!(story.tell(beat("1", &[])), [""; 0], "it may have been sent before the launch came");
    assert_eq!(story.tell(beat("1", &[0])), [""; 0]);
    assert_eq!(story.tell(beat("1", &[])), [""; 0]);
    assert_eq!(story.tell(beat("1", &[])), ["launch on 1: 1=0.1 of 0.0"]);
    assert_eq!(
        story.tell(beat("1", &[0, 1])),
        ["interrupt 0 on 1: the driver does not know of it"],
        "so it did run after all"
    );
}

#[test]
fn a_lost_request_to_kill_is_made_again() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    story.tell(Event::AllJobsCancelled);
    assert_eq!(story.tell(beat("1", &[0])), ["kill 0 on 1: Stage cancelled"]);
}

#[test]
fn a_decommissioned_executor_gets_nothing_new_and_what_it_moved_survives_it() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    let shuffle = shuffle(0, &source(0, 3), 1);
    story.tell(submission(0, JobKind::MapStage { shuffle }, &[]));
    story.prepared(0, 0);
    story.map(0, "1", "a");
    story.tell(Event::ExecutorDecommissioned { executor_id: executor("1"), host_too: false });
    assert_eq!(story.map(1, "1", "a"), [""; 0], "no launch follows");
    story.add_executor("2", "b", 1);
    for map_id in [0, 1, 2] {
        let location = block_manager("2", "b");
        story.tell(Event::MapOutputMoved { shuffle_id: ShuffleId(0), map_id: MapId(map_id), location });
    }
    let reason = ExecutorLossReason::Decommissioned;
    story.tell(Event::ExecutorLost { executor_id: executor("1"), reason, lost_outputs: LostOutputs::OfExecutor });
    let (_, statuses) = story.scheduler.map_statuses(ShuffleId(0)).unwrap();
    assert_eq!(statuses.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn the_first_task_waits_for_enough_resources_but_not_for_ever() {
    let options = |max_wait| SchedulerOptions {
        min_registered: Some(MinRegisteredOptions {
            ratio: 0.8,
            expected: ExpectedResources::Cores(10),
            max_wait: Duration::from_secs(max_wait),
        }),
        ..options()
    };
    let mut story = Story::with_executors(options(30), &[("1", "a", 4)]);
    story.submit(0, &source(0, 1));
    assert_eq!(story.prepared(0, 0), [""; 0]);
    assert_eq!(story.add_executor("2", "b", 4).len(), 1);
    let mut story = Story::with_executors(options(10), &[("1", "a", 4)]);
    story.submit(0, &source(0, 1));
    story.prepared(0, 0);
    assert_eq!(story.next_deadline(), (10_000, vec!["launch on 1: 0=0.0 of 0.0".to_owned()]));
}
