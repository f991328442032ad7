//! Cancelling, tagging and watching jobs; barrier stages.

#[allow(dead_code, reason = "each test binary uses what it needs")]
mod harness;

use std::{
    fs,
    sync::{Arc, Mutex, mpsc},
    thread,
};

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
fn the_end_of_the_application_is_the_last_that_listeners_hear_and_ends_the_threads_of_tasks() {
    with_context(&[], |sc, _| {
        let heard = Arc::<Mutex<Vec<ListenerEvent>>>::default();
        let listener = {
            let heard = Arc::clone(&heard);
            move |event: &ListenerEvent| heard.lock().unwrap().push(event.clone())
        };
        sc.add_spark_listener(listener).unwrap();
        let message = cancelled(sc, || (), |_| sc.stop());
        assert!(message.contains("SparkContext was shut down"), "{message}");
        let heard = heard.lock().unwrap();
        assert!(heard.iter().any(|event| matches!(event, ListenerEvent::JobEnd { .. })), "{heard:?}");
        assert!(matches!(heard.last(), Some(ListenerEvent::ApplicationEnd { .. })), "{heard:?}");
        let task_threads = || {
            let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
            // One that ends just now has no name any more.
            threads
                .filter(|it| fs::read_to_string(it.path().join("comm")).is_ok_and(|name| name == "executor-task\n"))
                .count()
        };
        wait_until("the threads of tasks to end", || task_threads() == 0);
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

#[test]
fn jobs_in_the_background_have_every_property_of_the_thread_that_started_them() {
    with_context(&[], |sc, _| {
        let (started, jobs) = mpsc::channel();
        let listener = move |event: &ListenerEvent| {
            if let ListenerEvent::JobStart { properties, .. } = event {
                // The test may have gone on; the listener stays.
                let _ =
                    started.send((properties.get("my.own").cloned(), properties.get("spark.job.description").cloned()));
            }
        };
        sc.add_spark_listener(listener).unwrap();
        sc.set_local_property("my.own", Some("value"));
        sc.set_job_description("in the background");
        sc.range(0, 3, 1, 1).foreach_async(|_| ()).get().unwrap();
        let [own, description] = ["value", "in the background"].map(|text| Some(text.to_owned()));
        assert_eq!(jobs.recv().unwrap(), (own, description));
        sc.set_local_property("my.own", None);
        sc.set_local_property("spark.job.description", None);
    });
}

#[test]
fn an_rdd_of_a_stopped_context_is_refused_wherever_it_is_combined() {
    let mut kept = None;
    with_context(&[], |sc, _| kept = Some(sc.parallelize(vec![(1, 1), (2, 2)], 2)));
    let old = kept.unwrap();
    with_context(&[], |sc, _| {
        let new = sc.parallelize(vec![(1, 10), (3, 30)], 2);
        let refused = |outcome: Result<usize, SparkError>| match outcome {
            Err(error @ SparkError::OfTwoContexts { .. }) => assert!(error.to_string().contains("stopped"), "{error}"),
            other => panic!("{other:?}"),
        };
        refused(sc.union(&[new.clone(), old.clone()]).collect().map(|rows| rows.len()));
        refused(new.join(&old).collect().map(|rows| rows.len()));
        refused(new.union(&old).reduce_by_key(|left, right| left + right).collect().map(|rows| rows.len()));
        refused(new.cartesian(&old).map(|pair| pair).count().map(|count| count as usize));
        assert_eq!(new.count().unwrap(), 2, "what is the context's own goes on");
    });
}

#[test]
fn every_action_says_that_the_context_was_stopped() {
    let mut kept = None;
    with_context(&[], |sc, _| {
        sc.stop();
        kept = Some(sc.range(0, 10, 1, 2));
    });
    let numbers = kept.unwrap();
    let outcomes = [
        numbers.count().map(drop),
        numbers.count_async().get().map(drop),
        numbers.collect_async().get().map(drop),
        numbers.foreach_async(|_| ()).get(),
        numbers.take_async(1).unwrap().get().map(drop),
        numbers.count_approx(std::time::Duration::from_secs(600), 0.9).map(drop),
    ];
    for outcome in outcomes {
        match outcome {
            Err(SparkError::ContextStopped { stopped_at, .. }) => assert!(stopped_at.contains("job_control.rs")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_default_parallelism_is_the_key_or_the_cores() {
    with_context(&[], |sc, _| assert_eq!((sc.default_parallelism(), sc.default_min_partitions()), (2, 2)));
    with_context(&[("spark.default.parallelism", "7")], |sc, _| {
        assert_eq!((sc.default_parallelism(), sc.default_min_partitions()), (7, 2));
        assert_eq!(sc.parallelize(vec![(1, 1)], 3).reduce_by_key(|left, right| left + right).num_partitions(), 7);
    });
    with_context(&[("spark.default.parallelism", "1")], |sc, _| assert_eq!(sc.default_min_partitions(), 1));
    with_context(&[("spark.master", "local[2]"), ("spark.excludeOnFailure.enabled", "true")], |sc, _| {
        assert_eq!(sc.range(0, 10, 1, 2).count().unwrap(), 10, "exclusion does nothing in local mode");
    });
}
