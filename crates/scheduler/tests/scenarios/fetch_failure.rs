//! Map outputs that cannot be read, stage retry, rollback (RT-34…36, AS-21). Other engines lost these on the way: a typed
//! failure flattened to text, a resubmission that never came, a rollback that threw finished work away.

use std::sync::Arc;

use firesteel_model::{ShuffleId, TaskEndReason};
use firesteel_scheduler::{Dependency, Event, RddInfo};

use crate::story::*;

/// Two maps on executors 1 and 2, then two reducers running as tasks 2 and 3 of stage 1.0.
fn reducing(options: firesteel_scheduler::SchedulerOptions, shuffled: &Arc<RddInfo>) -> Story {
    let mut story = Story::with_executors(options, &[("1", "a", 1), ("2", "b", 1), ("3", "c", 2)]);
    story.submit(0, shuffled);
    story.prepared(0, 0);
    place_maps(&mut story);
    let launched = story.prepared(1, 0);
    assert!(launched.iter().all(|launch| launch.contains("of 1.0")), "{launched:?}");
    story
}

/// Whatever executors the two maps run on, their outputs are said to be on 1 and 2.
fn place_maps(story: &mut Story) {
    map_written_to(story, 0, "1", "a");
    map_written_to(story, 1, "2", "b");
}

/// A map task ends wherever it runs, with its output on the given executor.
fn map_written_to(story: &mut Story, task_id: u64, at: &str, host: &str) {
    for runs_on in ["1", "2", "3"] {
        let Event::TaskEnded(mut ended) = map(task_id, at, host) else { unreachable!() };
        ended.executor_id = executor(runs_on);
        story.tell(Event::TaskEnded(ended));
    }
}

fn shuffled() -> Arc<RddInfo> {
    Rdd::new(1, 2, vec![Dependency::Shuffle(shuffle(0, &source(0, 2), 2))]).done()
}

/// Ends a task wherever it runs: on other executors the message is wrong and dropped.
fn end_anywhere(story: &mut Story, task_id: u64, reason: Option<TaskEndReason>) -> Vec<String> {
    let mut commands = vec![];
    for at in ["1", "2", "3"] {
        let event = match &reason {
            Some(reason) => failure(task_id, at, reason.clone()),
            None => result(task_id, at),
        };
        let answer = story.tell(event);
        if answer != [format!("drop {task_id}")] {
            commands = answer;
            break;
        }
    }
    commands
}

#[test]
fn only_the_missing_map_runs_again_after_two_hundred_milliseconds() {
    let mut story = reducing(options(), &shuffled());
    story.with_events = true;
    story.now = 1000;
    assert_eq!(
        end_anywhere(&mut story, 2, Some(fetch_failed(0, 0, "1", "a"))),
        [
            "-task 2 FetchFailed(BlockManagerId(1, a, 1, None), shuffleId=0, mapIndex=0, mapId=0, reduceId=0, message=connection refused)",
            "-stage 1.0: connection refused",
            "-outputs of 0 at 3"
        ]
    );
    assert_eq!(
        story.next_deadline(),
        (1200, vec!["+stage 0.1 (map at 0)".to_owned(), "prepare 0.1: 1 of rdd0".to_owned()])
    );
    story.with_events = false;
    let launched = story.prepared(0, 1);
    assert!(launched[0].ends_with("4=0.0 of 0.1"), "{launched:?}");
    // The other reducer of the old attempt goes on, and its result counts.
    assert_eq!(end_anywhere(&mut story, 3, None), ["deliver 3 as 1 of job 0", "forget 1.0"]);
    let mapped: Vec<String> = ["1", "2", "3"].iter().flat_map(|at| story.map(4, at, "a")).collect();
    assert!(mapped.contains(&"prepare 1.1: 1 of rdd1".to_owned()), "{mapped:?}");
    let launched = story.prepared(1, 1);
    assert!(launched[0].ends_with("5=0.0 of 1.1"), "{launched:?}");
    assert_eq!(end_anywhere(&mut story, 5, None), ["deliver 5 as 0 of job 0", "forget 1.1", "job 0 succeeded"]);
}

#[test]
fn every_output_of_the_failed_executor_is_dropped_and_one_failure_is_enough() {
    let mut story = reducing(options(), &shuffled());
    end_anywhere(&mut story, 2, Some(fetch_failed(0, 1, "2", "b")));
    // A second failure of the same attempt names the same executor: nothing more is dropped.
    end_anywhere(&mut story, 3, Some(fetch_failed(0, 1, "2", "b")));
    let (_, statuses) = story.scheduler.map_statuses(ShuffleId(0)).unwrap();
    assert_eq!(statuses.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    assert_eq!(story.next_deadline().1, ["prepare 0.1: 1 of rdd0"]);
    assert_eq!(story.scheduler.next_deadline(), None);
}

/// The reduce stage fails to fetch four times in a row; what its job's failure says. `between` is called while nothing runs.
fn fail_four_times(story: &mut Story, mut between: impl FnMut(&mut Story, u32)) -> String {
    let mut task_id = 2;
    for attempt in 0..3 {
        end_anywhere(story, task_id, Some(fetch_failed(0, 0, "1", "a")));
        end_anywhere(story, task_id + 1, Some(TaskEndReason::TaskKilled { reason: String::new() }));
        between(story, attempt);
        story.next_deadline();
        let launched = story.prepared(0, attempt + 1);
        task_id = launched[0].split(": ").nth(1).unwrap().split('=').next().unwrap().parse().unwrap();
        map_written_to(story, task_id, "1", "a");
        story.prepared(1, attempt + 1);
        task_id += 1;
    }
    end_anywhere(story, task_id, Some(fetch_failed(0, 0, "1", "a"))).pop().unwrap()
}

const FAILED_FOUR_TIMES: &str = "job 0 failed: Job aborted due to stage failure: ResultStage 1 (collect at story) has failed the maximum allowable number of times: 4. Most recent failure reason:\nconnection refused";

#[test]
fn the_fourth_failed_attempt_in_a_row_fails_the_job() {
    let mut story = reducing(options(), &shuffled());
    assert_eq!(fail_four_times(&mut story, |_, _| ()), FAILED_FOUR_TIMES);
}

/// AS-02: that an output is gone is what a task sees; why it is gone is what the job's failure has to say.
#[test]
fn a_stage_that_fails_for_what_was_lost_with_executors_names_why_they_were_lost() {
    let mut story = Story::with_executors(options(), &[("0", "z", 1), ("1", "a", 1), ("2", "b", 1), ("3", "c", 2)]);
    // Before the stages were made: it is not to blame.
    story.lose_executor("0");
    story.submit(0, &shuffled());
    story.prepared(0, 0);
    place_maps(&mut story);
    story.prepared(1, 0);
    let failed = fail_four_times(&mut story, |story, attempt| {
        if attempt > 0 {
            let id = format!("1{attempt}");
            story.add_executor(&id, "d", 1);
            story.lose_executor(&id);
        }
    });
    let reason = "exited with code 137 (128+9: killed from outside; most often the kernel, for lack of memory)";
    let lost = format!("\nExecutors that were lost meanwhile:\nexecutor 11: {reason}\nexecutor 12: {reason}");
    assert_eq!(failed, format!("{FAILED_FOUR_TIMES}{lost}"));
}

#[test]
fn a_failure_of_an_earlier_attempt_is_late() {
    let mut story = reducing(options(), &shuffled());
    end_anywhere(&mut story, 2, Some(fetch_failed(0, 0, "1", "a")));
    story.next_deadline();
    story.prepared(0, 1);
    ["1", "2", "3"].iter().for_each(|at| _ = story.map(4, at, "c"));
    story.prepared(1, 1);
    // Task 3 belongs to 1.0; what it could not read was dealt with.
    assert_eq!(end_anywhere(&mut story, 3, Some(fetch_failed(0, 1, "2", "b"))), ["forget 1.0"]);
    assert!(story.scheduler.map_statuses(ShuffleId(0)).unwrap().1.iter().all(Option::is_some));
}

#[test]
fn with_a_shuffle_service_the_whole_host_is_dropped_if_asked() {
    let mut options = options();
    options.external_shuffle_service = true;
    options.stage.unregister_output_on_host = true;
    let mut story = reducing(options, &shuffled());
    end_anywhere(&mut story, 2, Some(fetch_failed(0, 1, "9", "b")));
    let (_, statuses) = story.scheduler.map_statuses(ShuffleId(0)).unwrap();
    assert_eq!(statuses.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn indeterminate_maps_all_run_again_and_a_delivered_result_fails_the_job() {
    let random = || {
        let maps = Rdd::new(0, 2, vec![]).indeterminate().done();
        Rdd::new(1, 2, vec![Dependency::Shuffle(shuffle(0, &maps, 2))]).done()
    };
    // Nothing was delivered: both maps run again, and the old reducer's late result is void.
    let mut story = reducing(options(), &random());
    let killed = end_anywhere(&mut story, 2, Some(fetch_failed(0, 0, "1", "a")));
    assert!(killed.iter().any(|command| command.ends_with(": its input is computed anew")), "{killed:?}");
    let late = end_anywhere(&mut story, 3, None);
    assert_eq!(late, ["drop 3", "forget 1.0"]);
    assert_eq!(story.next_deadline().1, ["prepare 0.1: 2 of rdd0"]);

    // One result was delivered: it cannot be called back.
    let mut story = reducing(options(), &random());
    assert_eq!(end_anywhere(&mut story, 3, None), ["deliver 3 as 1 of job 0"]);
    let failed = end_anywhere(&mut story, 2, Some(fetch_failed(0, 0, "1", "a")));
    assert!(failed.iter().any(|it| it.contains("indeterminate output was failed and retried")), "{failed:?}");
    assert_eq!(story.scheduler.active_jobs(), 0);
}

#[test]
fn a_job_that_reads_an_indeterminate_shuffle_anew_rolls_back_whoever_reads_the_old() {
    // Job 0 has one result from the old rows when their executor is lost. Job 1 wants the shuffle whole, which makes new
    // rows: job 0 cannot go on.
    let maps = Rdd::new(0, 2, vec![]).indeterminate().done();
    let cut = shuffle(0, &maps, 2);
    let mut story = reducing(options(), &Rdd::new(1, 2, vec![Dependency::Shuffle(cut.clone())]).done());
    end_anywhere(&mut story, 3, None);
    story.lose_executor("1");
    let commands = story.submit(1, &Rdd::new(2, 1, vec![Dependency::Shuffle(cut)]).done());
    let aborted = commands.iter().any(|it| it.starts_with("job 0 failed") && it.contains("indeterminate"));
    assert!(aborted && commands.contains(&"prepare 0.1: 2 of rdd0".to_owned()), "{commands:?}");
}

#[test]
fn a_map_output_without_any_location_reruns_what_is_missing() {
    // The executor is lost before the reducer asks: there is no address, but the failure stays typed.
    let mut story = reducing(options(), &shuffled());
    story.lose_executor("1");
    let mut reason = fetch_failed(0, 0, "1", "a");
    if let TaskEndReason::FetchFailed { block_manager_id, .. } = &mut reason {
        *block_manager_id = None;
    }
    // Reducers that ran on executor 1 run again elsewhere; the first that runs fails.
    for task_id in 2..6 {
        end_anywhere(&mut story, task_id, Some(reason.clone()));
    }
    assert_eq!(story.next_deadline().1, ["prepare 0.1: 1 of rdd0"]);
}

#[test]
fn a_map_task_that_began_before_its_executor_failed_is_not_believed() {
    // RT-62: the executor's disk may have gone between; a later attempt on it is believed.
    let mut story = Story::with_executors(options(), &[("1", "a", 4)]);
    story.submit(0, &shuffled());
    story.prepared(0, 0);
    story.map(0, "1", "a");
    story.map(1, "1", "a");
    story.prepared(1, 0);
    let kind = firesteel_scheduler::JobKind::MapStage { shuffle: shuffle(5, &source(5, 1), 2) };
    story.tell(submission(1, kind, &[]));
    assert_eq!(story.prepared(2, 0), ["launch on 1: 4=0.0 of 2.0"]);
    story.fail(2, "1", fetch_failed(0, 0, "1", "a"));
    assert_eq!(story.map(4, "1", "a"), ["forget 2.0", "prepare 2.1: 1 of rdd5"]);
    assert_eq!(story.prepared(2, 1), ["launch on 1: 5=0.0 of 2.1"]);
    assert!(story.map(5, "1", "a").iter().any(|it| it.starts_with("job 1 succeeded")));
}
