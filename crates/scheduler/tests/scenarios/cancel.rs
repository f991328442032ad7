//! Cancelling (RT-38, RT-39, RT-80, SC-05).

use firesteel_model::{JobId, Partition, StageId, TaskId};
use firesteel_scheduler::{Event, JobKind, PoolOptions, SchedulingMode};

use crate::story::*;

fn job(job_id: u32, properties: &[(&str, &str)]) -> Event {
    let partitions = vec![Partition(0)];
    submission(job_id, JobKind::Result { rdd: source(job_id, 1), partitions }, properties)
}

#[test]
fn a_cancelled_job_kills_its_tasks_and_their_ends_are_awaited() {
    let mut story = Story::with_executors(options(), &[("1", "a", 2)]);
    story.tell(job(0, &[("spark.job.interruptOnCancel", "true")]));
    story.prepared(0, 0);
    story.tell(job(1, &[]));
    let cancel = Event::JobCancelled { job_id: JobId(0), reason: Some("by a click".to_owned()) };
    assert_eq!(
        story.tell(cancel.clone()),
        ["interrupt 0 on 1: Stage cancelled", "job 0 failed: Job 0 cancelled by a click"]
    );
    assert_eq!(story.tell(cancel), [""; 0], "it is over");
    story.tell(job(2, &[]));
    let without_reason = story.tell(Event::JobCancelled { job_id: JobId(2), reason: None });
    assert_eq!(without_reason.last().unwrap(), "job 2 failed: Job 2 cancelled");
    assert_eq!(story.prepared(1, 0), ["launch on 1: 1=0.0 of 1.0"]);
    assert_eq!(story.result(0, "1"), ["drop 0", "forget 0.0"], "it ended before the kill came");
    assert_eq!(story.scheduler.running_tasks(), 1);
}

#[test]
fn groups_tags_stages_and_all() {
    let mut story = Story::with_executors(options(), &[("1", "a", 9)]);
    story.tell(job(0, &[("spark.jobGroup.id", "g")]));
    story.tell(job(1, &[("spark.job.tags", "red, blue")]));
    story.tell(job(2, &[]));
    story.tell(job(3, &[]));
    let cancelled = |story: &mut Story, event| story.tell(event).pop().unwrap_or_default();
    let group =
        |cancel_future_jobs| Event::JobGroupCancelled { group: "g".to_owned(), cancel_future_jobs, reason: None };
    assert_eq!(cancelled(&mut story, group(false)), "job 0 failed: Job 0 cancelled part of cancelled job group g");
    let tag = |tag: &str| Event::JobTagCancelled { tag: tag.to_owned(), reason: None };
    assert_eq!(cancelled(&mut story, tag("re")), "");
    assert_eq!(cancelled(&mut story, tag("blue")), "job 1 failed: Job 1 cancelled part of cancelled job tag blue");
    let stage = Event::StageCancelled { stage_id: StageId(2), reason: None };
    assert_eq!(cancelled(&mut story, stage), "job 2 failed: Job 2 cancelled because Stage 2 was cancelled");
    let all = cancelled(&mut story, Event::AllJobsCancelled);
    assert_eq!(all, "job 3 failed: Job 3 cancelled as part of cancellation of all jobs");
    // Later jobs of the group run, unless that was asked for.
    assert_eq!(story.tell(job(4, &[("spark.jobGroup.id", "g")])), ["prepare 4.0: 1 of rdd4"]);
    story.tell(group(true));
    let refused = story.tell(job(5, &[("spark.jobGroup.id", "g")]));
    assert!(refused[0].starts_with("job 5 failed: Job 5 cancelled because its job group g"), "{refused:?}");
    // Only so many groups are remembered.
    for group in ["h", "i"] {
        story.tell(Event::JobGroupCancelled { group: group.to_owned(), cancel_future_jobs: true, reason: None });
    }
    assert_eq!(story.tell(job(6, &[("spark.jobGroup.id", "g")])), ["prepare 5.0: 1 of rdd6"]);
}

#[test]
fn a_killed_attempt_is_followed_by_another() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.tell(job(0, &[]));
    story.prepared(0, 0);
    let kill = Event::TaskAttemptKilled { task_id: TaskId(0), interrupt: false, reason: "by a click".to_owned() };
    assert_eq!(story.tell(kill.clone()), ["kill 0 on 1: by a click"]);
    assert_eq!(story.tell(kill), [""; 0]);
    let reason = firesteel_model::TaskEndReason::TaskKilled { reason: "by a click".to_owned() };
    assert_eq!(story.fail(0, "1", reason), ["launch on 1: 1=0.1 of 0.0"]);
}

#[test]
fn a_stopping_application_fails_its_jobs_and_takes_no_more() {
    let mut story = Story::with_executors(options(), &[("1", "a", 1)]);
    story.tell(job(0, &[]));
    let stopped = story.tell(Event::ApplicationStopping);
    assert_eq!(stopped.last().unwrap(), "job 0 failed: Job 0 cancelled because SparkContext was shut down");
    assert_eq!(story.tell(job(1, &[])), ["job 1 failed: Job 1 cancelled because SparkContext was shut down"]);
}

#[test]
fn fair_pools_share_slots_by_weight_inside_one_round() {
    let mut options = options();
    options.mode = SchedulingMode::Fair;
    let pool = |name: &str, weight| PoolOptions {
        name: name.to_owned(),
        mode: SchedulingMode::Fifo,
        weight: count(weight),
        min_share: 0,
    };
    options.pools = vec![pool("light", 1), pool("heavy", 2)];
    let mut story = Story::new(options);
    for (job_id, name) in [(0, "light"), (1, "heavy")] {
        let rdd = source(job_id, 100);
        let partitions = (0..100).map(Partition).collect();
        let properties = [("spark.scheduler.pool", name)];
        story.tell(submission(job_id, JobKind::Result { rdd, partitions }, &properties));
        story.prepared(job_id, 0);
    }
    let launched = story.add_executor("1", "a", 30).concat();
    assert_eq!((launched.matches("of 0.0").count(), launched.matches("of 1.0").count()), (10, 20));
    let unknown = story.tell(job(2, &[("spark.scheduler.pool", "new")]));
    assert_eq!(unknown, ["unknown pool new", "prepare 2.0: 1 of rdd2"]);
}

#[test]
fn in_fifo_order_the_first_job_takes_all_and_the_second_what_is_left() {
    let mut story = Story::new(options());
    for job_id in 0..2 {
        story.submit(job_id, &source(job_id, 3));
        story.prepared(job_id, 0);
    }
    let launched = story.add_executor("1", "a", 4);
    assert_eq!(launched, ["launch on 1: 0=0.0 of 0.0, 1=1.0 of 0.0, 2=2.0 of 0.0, 3=0.0 of 1.0"]);
}
