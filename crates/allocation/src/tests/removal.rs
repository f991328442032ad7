//! Which executors are given back (SC-25…28, SC-35…37).

use std::time::Duration;

use firesteel_model::{ListenerEvent, Moment, RddId, ShuffleId, StorageLevel};

use super::{executor, options, snapshot, story};
use crate::AllocationOptions;

#[test]
fn executors_without_tasks_for_long_are_given_back_and_the_others_stay() {
    let mut story = story(options());
    story.executors(0..3, 1);
    let stage = snapshot(0, 1, None);
    story.stage(&stage);
    let task = story.launch(0, 0, 1);
    assert_eq!(story.manager.next_deadline(story.now), Some(Moment(60_000)));
    assert_eq!(story.seconds(59).removed(), [""; 0]);
    assert_eq!(story.seconds(1).removed(), ["0", "2"]);
    story.seconds(100).succeeds(task);
    story.stage_ends(&stage);
    assert_eq!(story.seconds(59).removed(), [""; 0], "its time begins with the end of the task");
    assert_eq!(story.seconds(1).removed(), ["1"]);
}

#[test]
fn no_more_are_given_back_than_the_least_number_allows() {
    let mut story = story(AllocationOptions { min_executors: 2, initial_executors: 2, ..options() });
    story.executors(0..3, 1);
    assert_eq!(story.seconds(60).removed(), ["0"]);
    assert_eq!(story.seconds(600).removed(), [""; 0]);
}

#[test]
fn what_is_asked_for_is_not_given_back() {
    let mut story = story(AllocationOptions { initial_executors: 3, ..options() });
    story.executors(0..3, 1);
    story.stage(&snapshot(0, 3, None));
    assert_eq!(story.seconds(600).removed(), [""; 0], "three tasks wait for them");
}

#[test]
fn an_executor_that_is_busy_after_all_stays_and_its_time_begins_anew() {
    let mut story = story(options());
    story.executors([0], 1);
    story.seconds(60);
    assert_eq!(story.manager.decide(story.now).remove, [executor(0)]);
    story.manager.kept(story.now, &executor(0));
    assert_eq!(story.seconds(59).removed(), [""; 0]);
    assert_eq!(story.seconds(1).removed(), ["0"]);
}

#[test]
fn cached_blocks_keep_their_executor() {
    let mut story = story(options());
    story.executors(0..2, 1);
    story.caches(0, 7, StorageLevel::MEMORY_ONLY);
    assert_eq!(story.seconds(3600).removed(), ["1"]);
    story.hear(ListenerEvent::UnpersistRdd { rdd_id: RddId(7) });
    assert_eq!(story.removed(), ["0"]);
}

#[test]
fn evicted_blocks_keep_nobody_and_cached_ones_as_long_as_is_wanted() {
    let wait = Duration::from_secs(120);
    let mut story = story(AllocationOptions { cached_executor_idle_timeout: Some(wait), ..options() });
    story.executors(0..2, 1);
    story.caches(0, 7, StorageLevel::MEMORY_ONLY);
    story.caches(1, 7, StorageLevel::MEMORY_ONLY);
    story.caches(1, 7, StorageLevel::NONE);
    assert_eq!(story.seconds(60).removed(), ["1"]);
    assert_eq!(story.seconds(60).removed(), ["0"]);
}

#[test]
fn blocks_on_disk_that_a_service_serves_keep_nobody() {
    for (served, removed) in [(true, 1), (false, 0)] {
        let mut story = story(AllocationOptions { disk_blocks_outlive_executors: served, ..options() });
        story.executors([0], 1);
        story.caches(0, 7, StorageLevel::DISK_ONLY);
        assert_eq!(story.seconds(60).removed().len(), removed);
    }
}

#[test]
fn map_outputs_keep_their_executor_until_the_shuffle_is_removed() {
    let mut story = story(options());
    story.executors(0..2, 1);
    let map = snapshot(0, 1, Some(5));
    story.job(0, std::slice::from_ref(&map));
    story.stage(&map);
    let task = story.launch(0, 0, 0);
    story.writes(task);
    story.stage_ends(&map);
    assert_eq!(story.seconds(3600).removed(), ["1"]);
    story.job_ends(0);
    assert_eq!(story.seconds(3600).removed(), [""; 0]);
    story.manager.shuffle_removed(ShuffleId(5));
    assert_eq!(story.removed(), ["0"]);
}

#[test]
fn map_outputs_that_no_job_needs_keep_it_as_long_as_is_wanted() {
    let wait = Some(Duration::from_secs(90));
    let mut story = story(AllocationOptions { shuffle_tracking_timeout: wait, ..options() });
    story.executors([0], 1);
    let map = snapshot(0, 1, Some(5));
    for job in [0, 1] {
        story.job(job, std::slice::from_ref(&map));
    }
    story.stage(&map);
    let task = story.launch(0, 0, 0);
    story.writes(task);
    story.stage_ends(&map);
    story.seconds(100).job_ends(0);
    assert_eq!(story.seconds(1000).removed(), [""; 0], "the second job needs them");
    story.job_ends(1);
    assert_eq!(story.seconds(89).removed(), [""; 0]);
    story.job(2, &[map]);
    assert_eq!(story.seconds(10).removed(), [""; 0], "a third one needs them");
    story.job_ends(2);
    assert_eq!(story.seconds(90).removed(), ["0"]);
}

#[test]
fn with_a_shuffle_service_map_outputs_keep_nobody() {
    let mut story = story(AllocationOptions { shuffle_tracking: false, ..options() });
    story.executors([0], 1);
    let map = snapshot(0, 1, Some(5));
    story.job(0, std::slice::from_ref(&map));
    story.stage(&map);
    let task = story.launch(0, 0, 0);
    story.writes(task);
    assert_eq!(story.seconds(60).removed(), ["0"]);
}
