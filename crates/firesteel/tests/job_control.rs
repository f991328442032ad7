//! Cancelling, tagging and watching jobs; barrier stages.

#[allow(dead_code, reason = "each test binary uses what it needs")]
mod harness;

use std::{
    fs, panic,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use firesteel::{BarrierTaskContext, JobId, ListenerEvent, SparkContext, SparkError, StorageLevel};
use firesteel_model::TaskEndReason;
use harness::{files_named, wait_until, with_context};

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
        let message = cancelled(sc, group, |_| sc.cancel_job_group("doomed", Some("another was faster")));
        assert!(message.ends_with("cancelled another was faster"), "{message}");
        let message = cancelled(sc, group, |_| sc.cancel_job_group_and_future_jobs("doomed", Some("all are late")));
        assert!(message.ends_with("cancelled all are late"), "{message}");
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
fn all_jobs_are_cancelled_and_only_those_that_run_are_active() {
    with_context(&[], |sc, _| {
        let tracker = sc.status_tracker();
        let all = |job_id| {
            wait_until("the job is active", || tracker.active_job_ids() == [job_id]);
            sc.cancel_all_jobs();
        };
        let message = cancelled(sc, || (), all);
        assert!(message.contains("as part of cancellation of all jobs"), "{message}");
        wait_until("no job is active", || tracker.active_job_ids().is_empty());
        assert_eq!(sc.range(0, 3, 1, 1).count().unwrap(), 3, "later jobs run");
    });
}

#[test]
fn executors_are_known_with_their_tasks_and_storage() {
    with_context(&[], |sc, _| {
        let tracker = sc.status_tracker();
        // It is known first, and its memory with its block manager.
        let is_known =
            || tracker.executor_infos().first().is_some_and(|it| it.total_on_heap_storage_memory.bytes() > 0);
        wait_until("the executor and its memory are known", is_known);
        let info = tracker.executor_infos().remove(0);
        assert_eq!((info.host.as_str(), info.cache_size.bytes()), ("localhost", 0));
        assert_eq!(info.total_off_heap_storage_memory.bytes(), 0);
        let running = |_| {
            wait_until("a task runs", || tracker.executor_infos()[0].num_running_tasks == 1);
            sc.cancel_all_jobs();
        };
        cancelled(sc, || (), running);
        wait_until("no task runs", || tracker.executor_infos()[0].num_running_tasks == 0);
        let numbers = sc.range(0, 1000, 1, 2);
        numbers.cache().unwrap().count().unwrap();
        let stored = || sc.rdd_storage_info()[0].memory_size;
        wait_until("what is stored is known", || tracker.executor_infos()[0].cache_size == stored());
        assert!(stored().bytes() > 0);
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
        assert_eq!(jobs.recv().unwrap(), (own.clone(), description.clone()));
        sc.range(0, 3, 1, 1).count_approx(std::time::Duration::from_secs(600), 0.9).unwrap().final_value().unwrap();
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

/// RT-80: it would wait for itself, so nothing is stopped at all.
#[test]
fn a_listener_cannot_stop_the_context_and_nothing_is_stopped_if_it_tries() {
    with_context(&[], |sc, directory| {
        let (tell, told) = mpsc::channel();
        let own = sc.clone();
        let listener = move |event: &ListenerEvent| {
            if let ListenerEvent::JobEnd { .. } = event {
                let refused = panic::catch_unwind(panic::AssertUnwindSafe(|| own.stop())).unwrap_err();
                // The test may have failed.
                let _ = tell.send(*refused.downcast::<String>().expect("it says why"));
            }
        };
        sc.add_spark_listener(listener).unwrap();
        assert_eq!(sc.range(0, 10, 1, 2).count().unwrap(), 10);
        let refused = told.recv().unwrap();
        assert!(refused.starts_with("Cannot stop SparkContext within listener bus thread"), "{refused}");
        assert_eq!(sc.range(0, 20, 1, 2).count().unwrap(), 20, "the context goes on");
        assert_eq!(std::fs::read_dir(directory.join("scratch")).unwrap().count(), 1, "and has its directory");
        sc.stop();
        assert!(matches!(sc.range(0, 10, 1, 2).count(), Err(SparkError::ContextStopped { .. })));
    });
}

/// RT-82.
#[test]
fn listeners_are_told_the_exit_code_that_the_context_is_stopped_with() {
    let told_by = |stop: fn(&SparkContext)| {
        let (tell, told) = mpsc::channel();
        with_context(&[], |sc, _| {
            let listener = move |event: &ListenerEvent| {
                if let ListenerEvent::ApplicationEnd { exit_code, .. } = event {
                    // As above.
                    let _ = tell.send(*exit_code);
                }
            };
            sc.add_spark_listener(listener).unwrap();
            stop(sc);
        });
        told.recv().unwrap()
    };
    assert_eq!(told_by(|sc| sc.stop_with_code(7)), Some(7));
    assert_eq!(told_by(SparkContext::stop), Some(0), "as in Spark");
}

/// RT-13.
#[test]
fn a_second_context_is_refused_and_told_where_the_first_was_made() {
    with_context(&[], |sc, _| {
        let refused = SparkContext::new(sc.conf()).err().unwrap();
        match &refused {
            SparkError::ContextExists { created_at } => assert!(created_at.contains("harness/mod.rs:"), "{created_at}"),
            other => panic!("{other}"),
        }
        assert_eq!(sc.range(0, 10, 1, 2).count().unwrap(), 10, "the first goes on");
    });
}

/// A record whose `Serialize` fails.
#[derive(Clone, PartialEq, Eq, Hash, serde::Deserialize)]
struct Unencodable(i64);

impl serde::Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it has no encoding"))
    }
}

/// RT-32: they would be the same records.
#[test]
fn a_task_whose_records_cannot_be_encoded_is_not_tried_again() {
    with_context(&[("spark.master", "local[2,4]")], |sc, directory| {
        let failures = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&failures);
        let listener = move |event: &ListenerEvent| {
            if let ListenerEvent::TaskEnd { reason: TaskEndReason::ExceptionFailure { .. }, .. } = event {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        };
        sc.add_spark_listener(listener).unwrap();
        let records = sc.range(0, 1, 1, 1).map(Unencodable);
        let output = directory.join("output").to_str().unwrap().to_owned();
        let cached = sc.range(0, 1, 1, 1).map(Unencodable);
        cached.persist(StorageLevel::DISK_ONLY).unwrap();
        let checkpointed = sc.range(0, 1, 1, 1).map(Unencodable);
        sc.set_checkpoint_dir(directory.join("checkpoints").to_str().unwrap()).unwrap();
        checkpointed.checkpoint().unwrap();
        let outcomes = [
            records.save_as_object_file(&output),
            records.repartition(2).count().map(drop),
            records.map(|record| (record, 1)).reduce_by_key_with(|left, right| left + right, 2).count().map(drop),
            records.map(|record| (1, record)).group_by_key().count().map(drop),
            cached.count().map(drop),
            checkpointed.count().map(drop),
            records.collect().map(drop),
        ];
        for (job, outcome) in (1..).zip(outcomes) {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("it has no encoding"), "{error}");
            wait_until("the failure to be told", || failures.load(Ordering::Relaxed) >= job);
        }
        sc.stop();
        assert_eq!(failures.load(Ordering::Relaxed), 7, "one attempt each");
    });
}

/// How many tasks each job had that ended while `run` ran, by job.
fn tasks_of_jobs(run: fn(&SparkContext)) -> Vec<usize> {
    let jobs = Arc::new(Mutex::new(Vec::new()));
    with_context(&[], |sc, _| {
        let seen = Arc::clone(&jobs);
        let listener = move |event: &ListenerEvent| match event {
            ListenerEvent::JobStart { .. } => seen.lock().unwrap().push(0),
            ListenerEvent::TaskEnd { .. } => *seen.lock().unwrap().last_mut().expect("a job has started") += 1,
            _ => {}
        };
        sc.add_spark_listener(listener).unwrap();
        run(sc);
        // Then every event has been told.
        sc.stop();
    });
    let jobs = jobs.lock().unwrap();
    jobs.clone()
}

/// RT-06.
#[test]
fn transformations_run_nothing_and_each_action_is_a_job() {
    fn transformed(sc: &SparkContext) -> firesteel::Rdd<(i64, i64)> {
        let numbers = sc.range(0, 100, 1, 4).map(|n| n + 1).filter(|n| n % 2 == 0).flat_map(|n| [n, n]);
        let sums = numbers.distinct().map(|n| (n % 3, n)).reduce_by_key_with(|left, right| left + right, 2);
        sums.union(&sums).repartition(3)
    }
    assert_eq!(tasks_of_jobs(|sc| drop(transformed(sc))), [0; 0]);
    let twice = tasks_of_jobs(|sc| {
        let transformed = transformed(sc);
        assert_eq!(transformed.count().unwrap(), 6);
        assert_eq!(transformed.count().unwrap(), 6);
    });
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert_eq!(twice[1], 3, "the second finds what the first has shuffled: {twice:?}");
}

/// RT-06: 1 partition, then four times as many as were read before.
#[test]
fn take_reads_four_times_as_many_partitions_in_each_further_job() {
    let tasks = tasks_of_jobs(|sc| {
        let late = sc.range(0, 200, 1, 100).filter(|n| *n >= 150);
        assert_eq!(late.take(3).unwrap(), [150, 151, 152]);
    });
    assert_eq!(tasks, [1, 4, 20, 75]);
    let tasks = tasks_of_jobs(|sc| assert_eq!(sc.range(0, 200, 1, 100).take(1).unwrap(), [0]));
    assert_eq!(tasks, [1]);
}

/// RT-59.
#[test]
fn settings_of_compression_change_what_is_on_disk() {
    let size_of = |prefix: &str, directory: &std::path::Path| -> u64 {
        files_named(directory, prefix).iter().map(|file| file.metadata().unwrap().len()).sum()
    };
    let sizes = |settings: &[(&str, &str)]| {
        let mut sizes = (0, 0);
        with_context(settings, |sc, directory| {
            let texts = sc.range(0, 4000, 1, 2).map(|n| (n, "the same text ".repeat(20)));
            let shuffled = texts.partition_by(2);
            shuffled.persist(StorageLevel::DISK_ONLY).unwrap();
            assert_eq!(shuffled.count().unwrap(), 4000);
            sizes = (size_of("shuffle_", directory), size_of("rdd_", directory));
        });
        sizes
    };
    let plain = 4000 * 280;
    let (shuffle, rdd) = sizes(&[]);
    assert!(shuffle < plain / 4 && rdd > plain, "shuffles are compressed, cached blocks are not: {shuffle} {rdd}");
    let (shuffle, rdd) = sizes(&[("spark.shuffle.compress", "false"), ("spark.rdd.compress", "true")]);
    assert!(shuffle > plain && rdd < plain / 4, "{shuffle} {rdd}");
    let codecs = ["lz4", "snappy", "zstd"].map(|codec| {
        let (shuffle, rdd) = sizes(&[("spark.io.compression.codec", codec), ("spark.rdd.compress", "true")]);
        assert!(shuffle < plain / 4 && rdd < plain / 4, "{codec}: {shuffle} {rdd}");
        (shuffle, rdd)
    });
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        assert!(codecs[one].0 != codecs[other].0 && codecs[one].1 != codecs[other].1, "{codecs:?}");
    }
}
