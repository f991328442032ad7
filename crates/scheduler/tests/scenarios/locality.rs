//! Where tasks run (RT-10, RT-20…24, SC-07).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use firesteel_model::{ExecutorInfo, Partition, RddId, ResourceInformation, ResourceProfileId, TaskLocation};
use firesteel_scheduler::{
    Command, Dependency, Event, ExecutorRegistration, Moment, Now, TaskRequirements, TaskResourceAmount,
    TaskResourceRequest,
};

use crate::story::*;

#[test]
fn a_task_waits_three_seconds_for_its_host_and_then_goes_anywhere() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1), ("2", "b", 1)]);
    story.with_events = true;
    story.submit(0, &Rdd::new(0, 2, vec![]).prefers(&["a", "a"]).done());
    assert_eq!(story.prepared(0, 0), ["+task 0 NODE_LOCAL", "launch on 1: 0=0.0 of 0.0"]);
    assert_eq!(story.next_deadline(), (3000, vec!["+task 1 ANY".to_owned(), "launch on 2: 1=1.0 of 0.0".to_owned()]));
}

#[test]
fn without_a_wait_nothing_waits() {
    let mut options = options();
    options.locality.wait_node = Duration::ZERO;
    let mut story = Story::with_executors(options, &[("2", "b", 2)]);
    story.add_executor("1", "a", 1);
    story.submit(0, &Rdd::new(0, 3, vec![]).prefers(&["a", "a", "a"]).done());
    assert_eq!(story.prepared(0, 0).len(), 2);
    assert_eq!(story.scheduler.pending_tasks(), 0);
}

#[test]
fn a_host_without_executors_is_not_waited_for_until_one_comes() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.submit(0, &Rdd::new(0, 2, vec![]).prefers(&["z", "z"]).done());
    assert_eq!(story.prepared(0, 0), ["launch on 1: 0=0.0 of 0.0"]);
    assert_eq!(story.add_executor("2", "z", 1), ["launch on 2: 1=1.0 of 0.0"]);
}

#[test]
fn a_slot_freed_by_a_local_launch_does_not_reset_the_clock_of_a_refused_offer() {
    // RT-22: executor 2 was refused for delay, so launches on 1 alone do not let the set wait anew.
    let mut story = Story::with_executors(options(), &[("1", "a", 1), ("2", "b", 1)]);
    story.submit(0, &Rdd::new(0, 9, vec![]).prefers(&["a"; 9]).done());
    story.prepared(0, 0);
    for task_id in 0..3 {
        story.now += 900;
        assert_eq!(story.result(task_id, "1").len(), 2);
    }
    assert_eq!(story.next_deadline(), (3000, vec!["launch on 2: 4=4.0 of 0.0".to_owned()]));
    // The older rule starts the clock again at each launch.
    let mut legacy = options();
    legacy.locality.legacy_reset_on_task_launch = true;
    let mut story = Story::with_executors(legacy, &[("1", "a", 1), ("2", "b", 1)]);
    story.submit(0, &Rdd::new(0, 9, vec![]).prefers(&["a"; 9]).done());
    story.prepared(0, 0);
    for task_id in 0..3 {
        story.now += 900;
        story.result(task_id, "1");
    }
    assert_eq!(story.next_deadline().0, 2700 + 3000);
}

#[test]
fn an_executor_that_is_kept_out_after_failures_is_not_an_offer_refused_for_delay() {
    let options = firesteel_scheduler::SchedulerOptions { exclusion: Some(exclusion()), ..options() };
    let mut story = Story::with_executors(options, &[("1", "a", 1), ("2", "b", 1)]);
    story.submit(0, &Rdd::new(0, 9, vec![]).prefers(&["a"; 9]).done());
    story.prepared(0, 0);
    assert_eq!(story.next_deadline(), (3000, vec!["launch on 2: 1=1.0 of 0.0".to_owned()]));
    assert_eq!(story.fail(1, "2", exception()), ["launch on 2: 2=2.0 of 0.0"]);
    assert_eq!(story.fail(2, "2", exception()), [""; 0], "the stage leaves executor 2 alone");
    // A launch near the data starts the clock again, as nothing was refused for delay.
    story.now = 3900;
    assert_eq!(story.result(0, "1").len(), 2);
    assert_eq!(story.add_executor("3", "c", 1), [""; 0], "it waits for host a");
    let (at, launched) = story.next_deadline();
    assert!(at == 6900 && launched[0].starts_with("launch on 3"), "{at}: {launched:?}");
}

#[test]
fn cached_partitions_run_where_they_are_cached() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2), ("2", "b", 2)]);
    story.with_events = true;
    let cached = source(0, 2);
    let holder = |host: &str, id: &str| vec![TaskLocation::Executor { host: host.to_owned(), executor_id: id.into() }];
    story.cached.0.insert((RddId(0), Partition(0)), holder("b", "2"));
    story.cached.0.insert((RddId(0), Partition(1)), holder("a", "1"));
    story.submit(0, &Rdd::new(1, 2, vec![narrow(&cached)]).done());
    let mut launched = story.prepared(0, 0);
    launched.sort();
    assert_eq!(launched[..2], ["+task 0 PROCESS_LOCAL", "+task 1 PROCESS_LOCAL"]);
    assert!(launched[2].starts_with("launch on 1") && launched[2].contains("=1.0"), "{launched:?}");
    assert!(launched[3].starts_with("launch on 2") && launched[3].contains("=0.0"), "{launched:?}");
}

#[test]
fn reducers_go_where_most_of_their_input_is() {
    let mut options = options();
    options.reducer_locality.enabled = true;
    let mut story = Story::with_executors(options, &[("1", "a", 1)]);
    story.submit(0, &Rdd::new(1, 2, vec![Dependency::Shuffle(shuffle(0, &source(0, 1), 2))]).done());
    story.prepared(0, 0);
    story.map(0, "1", "a");
    story.add_executor("2", "b", 4);
    assert_eq!(story.prepared(1, 0), ["launch on 1: 1=0.0 of 1.0"], "the other waits for host a");
}

#[test]
fn racks_come_between_hosts_and_anywhere() {
    let mut story = Story::new(options());
    let add = |story: &mut Story, id: &str, host: &str, rack: &str| {
        let mut registration = ExecutorRegistration::plain(id.into(), host, 1);
        registration.rack = Some(rack.to_owned());
        story.tell(Event::ExecutorAdded(registration));
    };
    add(&mut story, "1", "a", "r1");
    add(&mut story, "2", "b", "r1");
    add(&mut story, "3", "c", "r2");
    story.with_events = true;
    story.submit(0, &Rdd::new(0, 3, vec![]).prefers(&["a", "a", "a"]).done());
    assert_eq!(story.prepared(0, 0), ["+task 0 NODE_LOCAL", "launch on 1: 0=0.0 of 0.0"]);
    assert_eq!(
        story.next_deadline(),
        (3000, vec!["+task 1 RACK_LOCAL".to_owned(), "launch on 2: 1=1.0 of 0.0".to_owned()])
    );
    assert_eq!(story.next_deadline(), (6000, vec!["+task 2 ANY".to_owned(), "launch on 3: 2=2.0 of 0.0".to_owned()]));
}

#[test]
fn offers_are_shuffled_and_spread_evenly() {
    let mut first = BTreeMap::new();
    for seed in 0..400 {
        let mut story = Story::new(options());
        story.scheduler = firesteel_scheduler::Scheduler::new(options(), seed).unwrap();
        for id in ["1", "2", "3", "4"] {
            story.add_executor(id, "a", 4);
        }
        story.submit(0, &source(0, 4));
        let launched = story.prepared(0, 0);
        assert_eq!(launched.len(), 4, "one task for each executor: {launched:?}");
        let at = launched.iter().find(|it| it.contains("0=0.0")).unwrap().clone();
        *first.entry(at).or_insert(0) += 1;
    }
    assert!(first.values().all(|&times| (60..140).contains(&times)), "{first:?}");
}

/// The addresses that tasks get, in the order of the launches.
fn addresses(amount: f64, gpus: &[&str], cores: u32) -> Vec<Vec<String>> {
    let mut options = options();
    let amount = TaskResourceAmount::from_number(amount).unwrap();
    let request = TaskResourceRequest { name: "gpu".to_owned(), amount };
    options.task = TaskRequirements { cpus: count(1), resources: vec![request] };
    let mut story = Story::new(options);
    let gpus = gpus.iter().map(|&gpu| gpu.to_owned()).collect();
    let info = ExecutorInfo {
        host: "a".to_owned(),
        cores,
        log_urls: BTreeMap::new(),
        attributes: BTreeMap::new(),
        resources: vec![ResourceInformation { name: "gpu".to_owned(), addresses: gpus }],
        resource_profile_id: ResourceProfileId(0),
    };
    story.tell(Event::ExecutorAdded(ExecutorRegistration {
        executor_id: "1".into(),
        info: Arc::new(info),
        rack: None,
    }));
    story.submit(0, &source(0, 20));
    let mut commands = vec![];
    let event = Event::StageBinaryPrepared { stage: stage(0, 0) };
    let now = Now { moment: Moment(0), wall_clock_ms: 0 };
    story.scheduler.handle(now, event, &story.cached, &mut commands);
    story.scheduler.assert_invariants();
    let tasks = commands.into_iter().find_map(|command| match command {
        Command::LaunchTasks { tasks, .. } => Some(tasks),
        _ => None,
    });
    tasks.into_iter().flatten().map(|task| task.resources[0].addresses.clone()).collect()
}

#[test]
fn tasks_share_or_own_the_addresses_of_resources() {
    assert_eq!(addresses(0.5, &["0", "1"], 8), [["0"], ["0"], ["1"], ["1"]]);
    assert_eq!(addresses(2.0, &["0", "1", "2", "3", "4"], 8), [["0", "1"], ["2", "3"]]);
    assert_eq!(addresses(1.0, &["0", "1", "2"], 2), [["0"], ["1"]], "cores are the limit");
}
