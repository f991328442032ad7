//! Cancelling, tagging and watching jobs; barrier stages.

#[allow(dead_code, reason = "each test binary uses what it needs")]
mod harness;

use std::{sync::mpsc, thread};

use firesteel::{BarrierTaskContext, JobId, ListenerEvent, SparkContext, SparkError};
use harness::{wait_until, with_context};

/// Runs a job that ends only when it is cancelled, and calls `cancel` once it has started.
fn cancelled(sc: &SparkContext, prepare: impl FnOnce() + Send, cancel: impl FnOnce(JobId)) -> String {
    let (started, jobs) = mpsc::channel();
    let listener = move |event: &ListenerEvent| {
        if let ListenerEvent::JobStart { job_id, .. } = event {
            // The test may have gone on; the listener stays.
            let _ = started.send(*job_id);
        }
    };
    sc.add_spark_listener(listener).unwrap();
    let outcome = thread::scope(|scope| {
        let job = scope.spawn(|| {
            prepare();
            sc.range(0, i64::MAX, 1, 1).filter(|n| *n < 0).count()
        });
        cancel(jobs.recv().unwrap());
        job.join().unwrap()
    });
    match outcome {
        Err(SparkError::JobFailed { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn jobs_are_cancelled_by_number_stage_tag_and_group() {
    with_context(&[], |sc, _| {
        let message = cancelled(sc, || (), |job_id| sc.cancel_job(job_id, Some("because of the test")));
        assert!(message.contains("because of the test"), "{message}");

        let tagged = |job_id| {
            let known = || sc.status_tracker().job_ids_for_tag("night") == [job_id];
            wait_until("the job is known by its tag", known);
            sc.cancel_jobs_with_tag("day", None).unwrap();
            sc.cancel_jobs_with_tag("night", Some("it is morning")).unwrap();
        };
        let message = cancelled(sc, || sc.add_job_tag("night").unwrap(), tagged);
        assert!(message.contains("it is morning"), "{message}");

        let by_stage = |job_id| {
            let tracker = sc.status_tracker();
            wait_until("the job is known", || tracker.job_info(job_id).is_some());
            let job = tracker.job_info(job_id).unwrap();
            assert_eq!(job.status, "RUNNING");
            let stage = tracker.stage_info(job.stage_ids[0]).unwrap();
            assert_eq!((stage.num_tasks, stage.num_completed_tasks), (1, 0));
            sc.cancel_stage(job.stage_ids[0], Some("stage not wanted"));
        };
        let message = cancelled(sc, || (), by_stage);
        assert!(message.contains("stage not wanted"), "{message}");

        let group = || sc.set_job_group("doomed", "what must not run", false);
        let message = cancelled(sc, group, |_| sc.cancel_job_group_and_future_jobs("doomed"));
        assert!(message.contains("doomed"), "{message}");
        group();
        let message = sc.range(0, 1, 1, 1).count().unwrap_err().to_string();
        assert!(message.contains("doomed"), "{message}");
        sc.clear_job_group();
        assert_eq!(sc.range(0, 1, 1, 1).count().unwrap(), 1);
    });
}

#[test]
fn tags_are_a_set_of_the_thread() {
    with_context(&[], |sc, _| {
        sc.add_job_tag("a").unwrap();
        sc.add_job_tag("b").unwrap();
        sc.add_job_tag("a").unwrap();
        assert_eq!(sc.job_tags(), ["a", "b"]);
        let elsewhere = thread::scope(|scope| scope.spawn(|| sc.job_tags()).join().unwrap());
        assert!(elsewhere.is_empty());
        sc.remove_job_tag("a").unwrap();
        assert_eq!(sc.job_tags(), ["b"]);
        sc.clear_job_tags();
        assert!(sc.job_tags().is_empty());
        for bad in ["", "a,b"] {
            assert!(matches!(sc.add_job_tag(bad), Err(SparkError::InvalidArgument(_))));
            assert!(matches!(sc.cancel_jobs_with_tag(bad, None), Err(SparkError::InvalidArgument(_))));
        }
    });
}

#[test]
fn tasks_of_a_barrier_stage_meet_as_often_as_they_like() {
    with_context(&[], |sc, _| {
        let gathered = sc.parallelize(0..4, 2).barrier().map_partitions_with_index(|index, records| {
            let context = BarrierTaskContext::get();
            assert_eq!(context.task_infos().len(), 2);
            context.barrier();
            let first = context.all_gather(&format!("{index}:{}", records.sum::<i32>()));
            context.all_gather(&first.join(" "))
        });
        let all = "0:1 1:5";
        assert_eq!(gathered.collect().unwrap(), [all; 4]);
    });
}

#[test]
fn tasks_that_meet_at_different_barriers_fail() {
    with_context(&[], |sc, _| {
        let mixed = sc.parallelize(0..2, 2).barrier().map_partitions_with_index(|index, _| {
            let context = BarrierTaskContext::get();
            if index == 0 {
                context.barrier();
            } else {
                context.all_gather("x");
            }
            [index]
        });
        let error = mixed.collect().unwrap_err().to_string();
        assert!(error.contains("barrier"), "{error}");
    });
}
