//! Resource profiles of tasks: what they take, and where (SC-08).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::{ExecutorInfo, ResourceInformation, ResourceProfileId};
use firesteel_scheduler::{
    Command, Dependency, Event, ExecutorRegistration, Moment, Now, RddInfo, SchedulerOptions, TaskLaunch,
    TaskRequirements, TaskResourceAmount, TaskResourceRequest,
};

use crate::story::*;

/// The cores and GPUs that a task got.
type Taken = (u32, Vec<String>);

/// The cores and GPUs that a profile asks for.
type Asked = (u32, f64);

const NARROW: ResourceProfileId = ResourceProfileId(1);
const WIDE: ResourceProfileId = ResourceProfileId(2);
const BOTH: ResourceProfileId = ResourceProfileId(3);

fn added(id: ResourceProfileId, cpus: u32, gpus: f64) -> Event {
    let gpus = (gpus > 0.0).then(|| TaskResourceRequest {
        name: "gpu".to_owned(),
        amount: TaskResourceAmount::from_number(gpus).unwrap(),
    });
    let task = TaskRequirements { cpus: count(cpus), resources: gpus.into_iter().collect() };
    Event::ResourceProfileAdded { id, task, tasks_only: true }
}

/// With one executor of so many cores and GPUs.
fn story(options: SchedulerOptions, cores: u32, gpus: &[&str]) -> Story {
    let mut story = Story::new(options);
    let gpus =
        ResourceInformation { name: "gpu".to_owned(), addresses: gpus.iter().map(|&gpu| gpu.to_owned()).collect() };
    let info = ExecutorInfo {
        host: "a".to_owned(),
        cores,
        log_urls: BTreeMap::new(),
        attributes: BTreeMap::new(),
        resources: vec![gpus],
        resource_profile_id: ResourceProfileId(0),
    };
    let registration = ExecutorRegistration { executor_id: "1".into(), info: Arc::new(info), rack: None };
    story.tell(Event::ExecutorAdded(registration));
    story
}

fn with_profile(mut rdd: Rdd, profile: ResourceProfileId) -> Arc<RddInfo> {
    rdd.0.resource_profile = profile;
    rdd.done()
}

fn of(profile: ResourceProfileId, id: u32, partitions: u32) -> Arc<RddInfo> {
    with_profile(Rdd::new(id, partitions, vec![]), profile)
}

/// The tasks that an event launches.
fn launches(story: &mut Story, event: Event) -> Vec<TaskLaunch> {
    let mut commands = vec![];
    let now = Now { moment: Moment(story.now), wall_clock_ms: story.now as i64 };
    story.scheduler.handle(now, event, &story.cached, &mut commands);
    story.scheduler.assert_invariants();
    let tasks = commands.into_iter().filter_map(|command| match command {
        Command::LaunchTasks { tasks, .. } => Some(tasks),
        _ => None,
    });
    tasks.flatten().collect()
}

/// The tasks of a new job that are launched at once, with their GPUs.
fn launched(story: &mut Story, job: u32, rdd: &Arc<RddInfo>) -> Vec<Taken> {
    story.submit(job, rdd);
    let launched = launches(story, Event::StageBinaryPrepared { stage: stage(job, 0) });
    let gpus = |task: &TaskLaunch| task.resources.iter().flat_map(|gpu| gpu.addresses.clone()).collect();
    launched.iter().map(|task| (task.cpus, gpus(task))).collect()
}

fn gpus(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|&address| address.to_owned()).collect()
}

#[test]
fn tasks_take_what_their_profile_says_of_executors_of_the_default_one() {
    // Profile, cores and GPUs of the executor; the tasks of five that run at once.
    let cases: [(Asked, u32, &[&str], Vec<Taken>); 5] = [
        ((2, 0.0), 5, &[], vec![(2, vec![]), (2, vec![])]),
        ((1, 1.0), 4, &["x", "y"], vec![(1, gpus(&["x"])), (1, gpus(&["y"]))]),
        ((3, 2.0), 6, &["x", "y", "z"], vec![(3, gpus(&["x", "y"]))]),
        ((2, 0.5), 6, &["x", "y"], vec![(2, gpus(&["x"])), (2, gpus(&["x"])), (2, gpus(&["y"]))]),
        ((1, 0.6), 4, &["x", "y"], vec![(1, gpus(&["x"])), (1, gpus(&["y"]))]),
    ];
    for ((cpus, amount), cores, addresses, expected) in cases {
        let mut story = story(options(), cores, addresses);
        story.tell(added(WIDE, cpus, amount));
        assert_eq!(launched(&mut story, 0, &of(WIDE, 0, 5)), expected, "{cpus} cpus and {amount} GPUs");
    }
}

#[test]
fn what_a_profile_does_not_ask_for_its_tasks_do_not_get() {
    let mut options = options();
    let amount = TaskResourceAmount::from_number(1.0).unwrap();
    options.task.resources = vec![TaskResourceRequest { name: "gpu".to_owned(), amount }];
    let mut story = story(options, 4, &["x"]);
    story.tell(added(NARROW, 1, 0.0));
    assert_eq!(launched(&mut story, 0, &of(ResourceProfileId(0), 0, 2)), [(1, gpus(&["x"]))]);
    assert_eq!(launched(&mut story, 1, &of(NARROW, 1, 5)), [(1, vec![]), (1, vec![]), (1, vec![])]);
}

#[test]
fn parts_of_one_address_count_and_not_how_many_tasks_have_one() {
    let mut story = story(options(), 16, &["x"]);
    story.tell(added(NARROW, 1, 0.25));
    story.tell(added(WIDE, 1, 0.5));
    story.tell(added(BOTH, 1, 1.0));
    assert_eq!(launched(&mut story, 0, &of(WIDE, 0, 1)), [(1, gpus(&["x"]))]);
    assert_eq!(launched(&mut story, 1, &of(NARROW, 1, 4)).len(), 2, "two quarters are left");
    assert_eq!(launched(&mut story, 2, &of(BOTH, 2, 1)), [], "somebody uses it");
    // The half comes free: the quarters that wait get it, and then the next half.
    let next: Vec<_> = launches(&mut story, result(0, "1")).iter().map(|task| task.stage).collect();
    assert_eq!(next, [stage(1, 0), stage(1, 0)]);
    for task_id in 1..4 {
        assert_eq!(story.result(task_id, "1").iter().filter(|words| words.starts_with("launch")).count(), 0);
    }
    assert_eq!(launches(&mut story, result(4, "1")).iter().map(|task| task.stage).collect::<Vec<_>>(), [stage(2, 0)]);
    assert_eq!(launched(&mut story, 3, &of(NARROW, 3, 1)), [], "all of it is taken");
}

#[test]
fn slots_that_came_free_of_wide_tasks_are_for_narrow_ones() {
    let mut story = story(options(), 4, &[]);
    story.tell(added(WIDE, 3, 0.0));
    assert_eq!(launched(&mut story, 0, &of(WIDE, 0, 2)).len(), 1);
    assert_eq!(launched(&mut story, 1, &of(ResourceProfileId(0), 1, 5)).len(), 1, "one core was left");
    let next: Vec<_> = launches(&mut story, result(0, "1")).iter().map(|task| (task.stage, task.cpus)).collect();
    assert_eq!(next, [(stage(0, 0), 3)], "the earlier job's comes first");
}

#[test]
fn only_data_sets_of_its_own_stage_give_it_their_profile() {
    let mut story = story(options(), 4, &[]);
    story.tell(added(WIDE, 2, 0.0));
    let wide = of(WIDE, 0, 4);
    let plain = Rdd::new(1, 4, vec![narrow(&wide)]).done();
    let reduced = Rdd::new(2, 4, vec![Dependency::Shuffle(shuffle(0, &plain, 4))]).done();
    story.submit(0, &reduced);
    let maps = launches(&mut story, Event::StageBinaryPrepared { stage: stage(0, 0) });
    assert_eq!(maps.iter().map(|task| task.cpus).collect::<Vec<_>>(), [2, 2]);
    for task_id in 0..4 {
        story.map(task_id, "1", "a");
    }
    let reduces = launches(&mut story, Event::StageBinaryPrepared { stage: stage(1, 0) });
    assert_eq!(reduces.iter().map(|task| task.cpus).collect::<Vec<_>>(), [1, 1, 1, 1]);
}

#[test]
fn profiles_that_meet_in_a_stage_become_what_they_were_merged_into() {
    let mut story = story(options(), 4, &["x", "y"]);
    story.tell(added(NARROW, 1, 2.0));
    story.tell(added(WIDE, 4, 0.0));
    story.tell(added(BOTH, 4, 2.0));
    story.tell(Event::ResourceProfilesMerged { profiles: BTreeSet::from([NARROW, WIDE]), into: BOTH });
    let first = of(NARROW, 0, 2);
    let second = with_profile(Rdd::new(1, 2, vec![narrow(&first)]), WIDE);
    assert_eq!(launched(&mut story, 0, &second), [(4, gpus(&["x", "y"]))]);
}

#[test]
fn what_asks_for_other_executors_waits_for_them() {
    let mut story = story(options(), 4, &[]);
    let Event::ResourceProfileAdded { id, task, .. } = added(WIDE, 2, 0.0) else { unreachable!() };
    story.tell(Event::ResourceProfileAdded { id, task, tasks_only: false });
    assert_eq!(launched(&mut story, 0, &of(WIDE, 0, 2)), []);
    let waits = story.wait_until(15_000);
    assert_eq!(waits, ["0.0 waits with 2 for 15 s: none of the 1 executors has resource profile 2"]);
}

#[test]
fn a_profile_that_no_executor_can_serve_is_named() {
    let cases = [
        (added(WIDE, 5, 0.0), "a task takes 5 cores (resource profile 2), but the largest executor has 4"),
        (added(WIDE, 1, 3.0), "a task takes 3 of resource gpu (resource profile 2), but no executor has more than 2"),
    ];
    for (event, expected) in cases {
        let mut story = story(options(), 4, &["x", "y"]);
        story.tell(event);
        assert_eq!(launched(&mut story, 0, &of(WIDE, 0, 2)), []);
        assert_eq!(story.wait_until(15_000), [format!("0.0 waits with 2 for 15 s: {expected}")]);
    }
}

#[test]
fn slots_for_a_barrier_stage_are_those_of_its_own_profile() {
    let mut story = story(options(), 4, &[]);
    story.tell(added(WIDE, 2, 0.0));
    let wide = with_profile(Rdd::new(0, 3, vec![]).barrier(), WIDE);
    let after = Rdd::new(1, 4, vec![Dependency::Shuffle(shuffle(0, &wide, 4))]).done();
    // Four tasks of the stage behind it could run at once.
    assert_eq!(story.submit(0, &after), ["job 0 needs 3 slots of 2, 40 looks left, each 15 s"]);
    story.add_executor("2", "b", 2);
    assert_eq!(story.scheduler.active_jobs(), 1);
    assert_eq!(launches(&mut story, Event::StageBinaryPrepared { stage: stage(0, 0) }).len(), 3);
}
