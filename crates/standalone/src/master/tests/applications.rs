//! Applications and their executors.

use super::*;
use crate::{ApplicationState, master::Record};

/// SA-21, SA-23, SA-31.
#[test]
fn an_application_gets_executors_and_gives_them_back() {
    let mut bench = Bench::leading(MasterOptions::default());
    let workers = [bench.worker("a", 4, 8), bench.worker("b", 4, 8)];
    let (driver, id) = bench.application(application(Some(6)));
    assert_eq!(id.as_str(), "app-20261121123400-0000");
    let launches = workers.map(|worker| bench.launches(worker));
    let cores = |launches: &[LaunchExecutor]| launches.iter().map(|launch| launch.cores).collect::<Vec<_>>();
    assert_eq!(launches.each_ref().map(|launches| cores(launches)), [vec![3], vec![3]]);
    assert_eq!(bench.master.application(&id).unwrap().state, ApplicationState::Running);

    // One ends, and another one follows; its number is new.
    bench.executor_ends(workers[0], &id, 0, 1);
    let again = bench.launches(workers[0]);
    // Its cores are dealt anew, as in Spark, and the other worker has one too.
    assert_eq!(again.iter().map(|launch| (launch.executor, launch.cores)).collect::<Vec<_>>(), [(2, 2)]);
    let told = bench.told_application(driver);
    assert!(told.iter().any(|told| matches!(told, ToApplication::ExecutorUpdated { executor: 0, .. })), "{told:?}");

    bench.application_says(driver, FromApplication::Unregister);
    for worker in workers {
        let told = bench.told_worker(worker);
        assert!(told.iter().any(|told| matches!(told, ToWorker::KillExecutor { .. })), "{told:?}");
        assert!(told.iter().any(|told| matches!(told, ToWorker::ApplicationFinished { .. })), "{told:?}");
    }
    assert_eq!(
        bench.master.completed_applications().map(|ended| ended.state).collect::<Vec<_>>(),
        [ApplicationState::Finished]
    );
    assert_eq!(bench.master.workers().map(|worker| worker.used.cores).sum::<u32>(), 0);
    let left = bench.store.read().records;
    assert!(left.iter().all(|record| !matches!(record, Record::Application { end: None, .. })), "{left:?}");
}

/// SA-24: first come, first served; what one cannot use another gets.
#[test]
fn a_later_application_gets_what_is_left() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 4, 4);
    let mut first = application(None);
    first.executor.cores = Some(3);
    let (_, first) = bench.application(first);
    let (second_driver, second) = bench.application(application(Some(4)));
    let launched: Vec<_> = bench.launches(worker).into_iter().map(|l| (l.application_id, l.cores)).collect();
    assert_eq!(launched, [(first.clone(), 3), (second.clone(), 1)]);
    bench.handle(MasterEvent::KillApplication { application_id: first });
    // It has an executor on this worker, and gets another one with the cores that are free.
    let launched: Vec<_> = bench.launches(worker).into_iter().map(|l| (l.application_id, l.cores)).collect();
    assert_eq!(launched, [(second, 3)]);
    let told = bench.told_application(second_driver);
    assert!(told.iter().any(|told| matches!(told, ToApplication::ExecutorAdded { executor: 1, .. })), "{told:?}");
}

/// SA-32.
#[test]
fn an_application_whose_executors_never_start_fails_and_one_whose_did_does_not() {
    for ready in [false, true] {
        let mut bench = Bench::leading(MasterOptions { max_executor_retries: Some(3), ..MasterOptions::default() });
        let worker = bench.worker("a", 1, 2);
        let (driver, id) = bench.application(application(None));
        for executor in 0..3 {
            if ready {
                bench.application_says(driver, FromApplication::ExecutorReady { executor });
            }
            bench.executor_ends(worker, &id, executor, 1);
        }
        let removed = bench.told_application(driver).into_iter().find_map(|told| match told {
            ToApplication::Removed { message } => Some(message),
            _ => None,
        });
        assert_eq!(removed.is_some(), !ready, "{removed:?}");
        if let Some(message) = removed {
            assert!(message.contains("3 executors in a row") && message.contains("exited with code 1"), "{message}");
        }
    }
}

/// Exit code 0 is no failure.
#[test]
fn executors_that_end_well_are_followed_by_others_without_end() {
    let mut bench = Bench::leading(MasterOptions { max_executor_retries: Some(3), ..MasterOptions::default() });
    let worker = bench.worker("a", 1, 2);
    let (_, id) = bench.application(application(None));
    for executor in 0..20 {
        bench.executor_ends(worker, &id, executor, 0);
    }
    assert_eq!(bench.launches(worker).len(), 21);
}

#[test]
fn a_driver_that_comes_back_keeps_its_application_and_one_that_does_not_loses_it() {
    for (returns, silent) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut bench = Bench::leading(MasterOptions::default());
        let worker = bench.worker("a", 2, 2);
        let (driver, id) = bench.application(application(None));
        bench.launches(worker);
        bench.handle(MasterEvent::Disconnected { peer: driver, silent });
        // Nothing is placed for whoever cannot hear of it.
        bench.executor_ends(worker, &id, 0, 1);
        assert_eq!(bench.launches(worker), []);
        bench.pass(Duration::from_secs(if silent { 30 } else { 1 }));
        if returns {
            let driver = bench.connect();
            bench.application_says(
                driver,
                FromApplication::Register { description: application(None), known: known(&id, 1) },
            );
            assert_eq!(bench.launches(worker).iter().map(|launch| launch.executor).collect::<Vec<_>>(), [1]);
            let told = bench.told_application(driver);
            let lost = |told: &ToApplication| matches!(told, ToApplication::ExecutorUpdated { executor: 0, .. });
            assert!(told.iter().any(lost), "what it has missed is said again: {told:?}");
        }
        bench.pass(Duration::from_secs(61));
        let state = bench.master.application(&id).unwrap().state;
        let expected = if returns { ApplicationState::Running } else { ApplicationState::Finished };
        assert!(state == expected || returns && state == ApplicationState::Waiting, "{returns} {silent} {state}");
    }
}

#[test]
fn fewer_executors_are_asked_for_and_ended() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 8, 8);
    let mut wanted = application(None);
    wanted.executor.cores = Some(2);
    wanted.executor_limit = Some(1);
    let (driver, id) = bench.application(wanted);
    assert_eq!(bench.launches(worker).len(), 1);
    bench.application_says(driver, FromApplication::RequestExecutors { total: 3 });
    assert_eq!(bench.launches(worker).len(), 2);
    bench.application_says(driver, FromApplication::RequestExecutors { total: 2 });
    bench.application_says(driver, FromApplication::KillExecutors { executors: vec![0, 77] });
    let killed: Vec<ToWorker> = bench.told_worker(worker);
    assert_eq!(killed, [ToWorker::KillExecutor { term: Term(1), application_id: id.clone(), executor: 0 }]);
    bench.executor_ends(worker, &id, 0, 143);
    assert_eq!(bench.launches(worker), []);
}

/// AS-01, SA-20.
#[test]
fn an_application_that_waits_is_told_why() {
    let waits = |bench: &mut Bench, driver| {
        bench.told_application(driver).into_iter().rev().find_map(|told| match told {
            ToApplication::Waits { reason } => Some(reason),
            _ => None,
        })
    };
    let mut bench = Bench::leading(MasterOptions::default());
    let mut large = application(None);
    large.executor.memory = ByteCount::gib(4);
    large.executor.cores = Some(16);
    let peer = bench.connect();
    bench.application_says(peer, FromApplication::Register { description: large, known: None });
    let reason = waits(&mut bench, peer).unwrap().unwrap();
    assert!(reason.contains("no worker"), "{reason}");
    bench.worker("a", 2, 2);
    let reason = waits(&mut bench, peer).unwrap().unwrap();
    assert!(reason.contains("requires more resource than any of Workers could have"), "{reason}");
    assert!(reason.contains("4.0 GiB of memory") && reason.contains("the largest worker has 2.0 GiB"), "{reason}");
    assert!(reason.contains("16 cores"), "{reason}");
    bench.worker("b", 16, 4);
    assert_eq!(waits(&mut bench, peer), Some(None));
    assert_eq!(bench.master.applications().next().unwrap().executors.len(), 1);
    // The next one waits for the first.
    let (second, _) = bench.application(application(Some(20)));
    let reason = bench.master.applications().last().unwrap().waits.clone().unwrap();
    assert!(reason.contains("and could use more"), "{reason}");
    bench.application_says(second, FromApplication::Unregister);
}

/// SA-59.
#[test]
fn only_so_many_applications_are_remembered() {
    let mut bench = Bench::leading(MasterOptions { retained_applications: 20, ..MasterOptions::default() });
    for _ in 0..50 {
        let (driver, _) = bench.application(application(None));
        bench.application_says(driver, FromApplication::Unregister);
        assert!(bench.master.completed_applications().count() <= 20);
    }
    let last = bench.master.completed_applications().last().unwrap();
    assert_eq!(last.id.as_str(), "app-20261121123400-0049");
}

#[test]
fn a_killed_application_is_not_taken_again() {
    let mut bench = Bench::leading(MasterOptions::default());
    let (driver, id) = bench.application(application(None));
    bench.handle(MasterEvent::KillApplication { application_id: id.clone() });
    let told = bench.told_application(driver);
    assert!(matches!(told.last(), Some(ToApplication::Removed { message }) if message.contains("KILLED")), "{told:?}");
    let driver = bench.connect();
    bench.application_says(driver, FromApplication::Register { description: application(None), known: known(&id, 0) });
    let told = bench.told_application(driver);
    assert!(matches!(&told[..], [ToApplication::Removed { .. }]), "{told:?}");
}
