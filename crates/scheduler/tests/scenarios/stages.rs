//! Jobs become stages become tasks (RT-06…08, RT-12).

use std::sync::Arc;

use firesteel_model::{Partition, RddId, TaskId, TaskLocation};
use firesteel_scheduler::{Dependency, Event, JobKind, NarrowMapping};

use crate::story::*;

#[test]
fn a_narrow_job_is_one_stage_and_every_step_is_told() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.with_events = true;
    let mapped = Rdd::new(1, 2, vec![narrow(&source(0, 2))]).done();
    assert_eq!(
        story.submit(0, &mapped),
        ["+job 0 of stages [0]", "+stage 0.0 (collect at story)", "prepare 0.0: 2 of rdd1"]
    );
    assert_eq!(
        story.prepared(0, 0),
        ["+task 0 PROCESS_LOCAL", "+task 1 PROCESS_LOCAL", "launch on 1: 0=0.0 of 0.0, 1=1.0 of 0.0"]
    );
    assert_eq!(story.tell(Event::TaskStarted { task_id: TaskId(0), executor_id: executor("1") }), [""; 0]);
    assert_eq!(story.result(1, "1"), ["deliver 1 as 1 of job 0", "-task 1 Success"]);
    assert_eq!(
        story.result(0, "1"),
        ["deliver 0 as 0 of job 0", "-task 0 Success", "-stage 0.0", "forget 0.0", "-job 0", "job 0 succeeded"]
    );
    assert_eq!(story.scheduler.next_deadline(), None);
}

#[test]
fn a_shuffle_cuts_and_a_second_action_skips_the_map_stage() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.with_events = true;
    let shuffled = Rdd::new(1, 1, vec![Dependency::Shuffle(shuffle(0, &source(0, 2), 1))]).done();
    assert_eq!(
        story.submit(0, &shuffled),
        ["+job 0 of stages [0, 1]", "+stage 0.0 (map at 0)", "prepare 0.0: 2 of rdd0"]
    );
    story.prepared(0, 0);
    assert_eq!(story.map(0, "1", "a"), ["-task 0 Success", "-outputs of 0 at 0"]);
    assert_eq!(
        story.map(1, "1", "a"),
        [
            "-task 1 Success",
            "-stage 0.0",
            "+stage 1.0 (collect at story)",
            "prepare 1.0: 1 of rdd1",
            "forget 0.0",
            "-outputs of 0 at 1"
        ]
    );
    story.prepared(1, 0);
    story.result(2, "1");
    assert_eq!(
        story.submit(1, &shuffled),
        ["+job 1 of stages [2, 3]", "+stage 3.0 (collect at story)", "prepare 3.0: 1 of rdd1"]
    );
}

#[test]
fn two_jobs_share_a_map_stage_and_it_runs_once() {
    let mut story = Story::with_executors(options(), &[("1", "a", 4)]);
    let cut = shuffle(0, &source(0, 1), 1);
    let left = Rdd::new(1, 1, vec![Dependency::Shuffle(cut.clone())]).done();
    let right = Rdd::new(2, 1, vec![Dependency::Shuffle(cut)]).done();
    assert_eq!(story.submit(0, &left), ["prepare 0.0: 1 of rdd0"]);
    assert_eq!(story.submit(1, &right), [""; 0]);
    story.prepared(0, 0);
    assert_eq!(story.map(0, "1", "a"), ["prepare 1.0: 1 of rdd1", "prepare 2.0: 1 of rdd2", "forget 0.0"]);
}

#[test]
fn a_subset_of_partitions_is_delivered_by_its_place_in_the_list() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    let rdd = source(0, 9);
    let partitions = vec![Partition(7), Partition(3)];
    assert_eq!(story.tell(submission(0, JobKind::Result { rdd, partitions }, &[])), ["prepare 0.0: 2 of rdd0"]);
    assert_eq!(story.prepared(0, 0), ["launch on 1: 0=7.0 of 0.0, 1=3.0 of 0.0"]);
    assert_eq!(story.result(1, "1"), ["deliver 1 as 1 of job 0"]);
}

#[test]
fn a_job_without_partitions_succeeds_at_once() {
    let mut story = Story::new(options());
    story.with_events = true;
    assert_eq!(story.submit(0, &source(0, 0)), ["+job 0 of stages []", "-job 0", "job 0 succeeded"]);
}

#[test]
fn a_map_stage_job_gives_sizes_and_the_second_one_runs_nothing() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    let shuffle = shuffle(0, &source(0, 2), 2);
    let job = |id| submission(id, JobKind::MapStage { shuffle: shuffle.clone() }, &[]);
    assert_eq!(story.tell(job(0)), ["prepare 0.0: 2 of rdd0"]);
    story.prepared(0, 0);
    story.map(0, "1", "a");
    let done = story.map(1, "1", "a");
    assert_eq!(done.len(), 2, "{done:?}");
    assert!(done[0] == "forget 0.0" && done[1].starts_with("job 0 succeeded: ["), "{done:?}");
    assert_eq!(story.tell(job(1)), [done[1].replace("job 0", "job 1")]);
}

#[test]
fn what_is_cached_whole_needs_no_parents() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    let shuffled = Rdd::new(1, 2, vec![Dependency::Shuffle(shuffle(0, &source(0, 2), 2))]).done();
    let last = Rdd::new(2, 2, vec![narrow(&shuffled)]).done();
    for partition in 0..2 {
        let holder = TaskLocation::Executor { host: "a".to_owned(), executor_id: executor("1") };
        story.cached.0.insert((RddId(1), Partition(partition)), vec![holder]);
    }
    assert_eq!(story.submit(0, &last), ["prepare 1.0: 2 of rdd2"]);
}

#[test]
fn a_binary_that_cannot_be_made_fails_the_job() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.submit(0, &source(0, 2));
    let failed = Event::StageBinaryFailed { stage: stage(0, 0), message: "a socket is not serializable".to_owned() };
    assert_eq!(
        story.tell(failed.clone()),
        [
            "forget 0.0",
            "job 0 failed: Job aborted due to stage failure: Task serialization failed: a socket is not serializable"
        ]
    );
    assert_eq!(story.tell(failed), [""; 0]);
}

#[test]
fn a_lineage_of_fifty_thousand_steps_is_no_deeper_than_one() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    let mut last = source(0, 1);
    for id in 1..50_000 {
        let cut = id % 100 == 0;
        let dependency = if cut { Dependency::Shuffle(shuffle(id, &last, 1)) } else { narrow(&last) };
        last = Rdd::new(id, 1, vec![dependency]).done();
    }
    assert_eq!(story.submit(0, &last), ["prepare 0.0: 1 of rdd99"]);
    let union = NarrowMapping::Range { in_start: 0, out_start: 0, length: 1 };
    let other = Rdd::new(60_000, 1, vec![Dependency::Narrow { parent: last, mapping: union }]).done();
    assert_eq!(story.submit(1, &other), [""; 0]);
    assert_eq!(Arc::strong_count(&other), 2);
}
