//! Workers.

use super::*;
use crate::{WorkerState as State, protocol::RunningExecutor};

/// SA-36, SA-35.
#[test]
fn a_silent_worker_is_dead_and_is_shown_for_a_while() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 2, 2);
    let (driver, id) = bench.application(application(None));
    for _ in 0..10 {
        bench.pass(Duration::from_secs(15));
        bench.worker_says(worker, FromWorker::Heartbeat);
    }
    assert_eq!(bench.master.workers().next().unwrap().state, State::Alive);
    bench.told_application(driver);
    bench.pass(Duration::from_secs(80));
    assert_eq!(bench.master.workers().next().unwrap().state, State::Dead);
    let told = bench.told_application(driver);
    let lost = |told: &ToApplication| matches!(told, ToApplication::ExecutorUpdated { worker_lost: true, .. });
    assert!(told.iter().any(lost), "{told:?}");
    assert!(bench.master.application(&id).unwrap().executors.is_empty());
    // It speaks again: it is to register anew, and its executor is not the application's any more.
    bench.worker_says(worker, FromWorker::Heartbeat);
    assert_eq!(bench.told_worker(worker).last(), Some(&ToWorker::Reregister));
    bench.pass(Duration::from_secs(60 * 17));
    assert_eq!(bench.master.workers().count(), 0);
}

#[test]
fn a_worker_whose_connection_was_cut_comes_back_with_its_executors() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 2, 2);
    let (driver, id) = bench.application(application(None));
    let launch = bench.launches(worker).remove(0);
    bench.told_application(driver);
    bench.disconnect(worker);
    bench.pass(Duration::from_secs(1));
    let again = bench.connect();
    let mut state = worker_state("a", 2, 2);
    state.executors.push(RunningExecutor {
        application_id: id.clone(),
        executor: launch.executor,
        state: ExecutorState::Running,
        cores: launch.cores,
        memory: launch.memory,
        resources: Vec::new(),
    });
    bench.worker_says(again, FromWorker::Register(state));
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.told_application(driver), []);
    assert_eq!(bench.master.application(&id).unwrap().executors.len(), 1);
}

/// The order to start an executor, or the news of its end, was lost with the connection.
#[test]
fn an_executor_that_the_worker_does_not_have_is_lost_and_replaced() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 2, 2);
    let (driver, _) = bench.application(application(None));
    bench.launches(worker);
    bench.told_application(driver);
    bench.disconnect(worker);
    let again = bench.worker("a", 2, 2);
    assert_eq!(bench.launches(again).iter().map(|launch| launch.executor).collect::<Vec<_>>(), [1]);
    let told = bench.told_application(driver);
    let lost = |told: &ToApplication| {
        matches!(told, ToApplication::ExecutorUpdated { executor: 0, state: ExecutorState::Lost, .. })
    };
    assert!(told.iter().any(lost), "{told:?}");
}

/// SA-39: what the master does not know any more is ended.
#[test]
fn an_executor_of_an_application_that_has_ended_is_killed_when_its_worker_returns() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 2, 2);
    let (driver, id) = bench.application(application(None));
    bench.disconnect(worker);
    bench.application_says(driver, FromApplication::Unregister);
    let again = bench.connect();
    let mut state = worker_state("a", 2, 2);
    state.executors.push(RunningExecutor {
        application_id: id.clone(),
        executor: 0,
        state: ExecutorState::Running,
        cores: 2,
        memory: ByteCount::gib(1),
        resources: Vec::new(),
    });
    bench.worker_says(again, FromWorker::Register(state));
    let kill = ToWorker::KillExecutor { term: Term(1), application_id: id, executor: 0 };
    assert!(bench.told_worker(again).contains(&kill));
}

/// SA-37: one worker at an address.
#[test]
fn a_second_worker_at_an_address_is_refused_while_the_first_is_there() {
    let mut bench = Bench::leading(MasterOptions::default());
    let first = bench.worker("a", 2, 2);
    let second = bench.connect();
    let mut state = worker_state("a", 2, 2);
    state.worker_id = "worker-a-later".into();
    bench.worker_says(second, FromWorker::Register(state.clone()));
    let told = bench.told_worker(second);
    assert!(
        matches!(&told[..], [ToWorker::RegistrationFailed { message }] if message.contains("Duplicate worker address")),
        "{told:?}"
    );
    // The first has died, and been started again.
    bench.disconnect(first);
    let third = bench.connect();
    bench.worker_says(third, FromWorker::Register(state));
    assert!(matches!(&bench.told_worker(third)[..], [ToWorker::Registered { .. }]));
    assert_eq!(bench.master.workers().filter(|worker| worker.state == State::Alive).count(), 1);
}

/// SA-40.
#[test]
fn a_worker_that_leaves_gets_nothing_more() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 4, 4);
    bench.handle(MasterEvent::DecommissionWorkers { hosts: vec!["a".to_owned(), "z".to_owned()] });
    assert_eq!(bench.told_worker(worker).last(), Some(&ToWorker::Decommission { term: Term(1) }));
    let (driver, _) = bench.application(application(None));
    assert_eq!(bench.launches(worker), []);
    let other = bench.worker("b", 4, 4);
    assert_eq!(bench.launches(other).len(), 1);
    bench.application_says(driver, FromApplication::Unregister);
}

/// SA-26.
#[test]
fn addresses_of_custom_resources_are_given_once() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.connect();
    let mut state = worker_state("a", 8, 8);
    state.description.resources = vec![firesteel_model::ResourceInformation {
        name: "gpu".to_owned(),
        addresses: ["0", "1", "2"].map(str::to_owned).to_vec(),
    }];
    bench.worker_says(worker, FromWorker::Register(state));
    let mut wanted = application(None);
    wanted.executor.cores = Some(1);
    wanted.executor.resources = vec![crate::ResourceRequirement { name: "gpu".to_owned(), amount: 1 }];
    let (_, id) = bench.application(wanted);
    let addresses = |bench: &mut Bench| -> Vec<String> {
        let launches = bench.launches(worker);
        launches.into_iter().flat_map(|launch| launch.resources).flat_map(|resource| resource.addresses).collect()
    };
    assert_eq!(addresses(&mut bench), ["0", "1", "2"]);
    bench.executor_ends(worker, &id, 1, 1);
    assert_eq!(addresses(&mut bench), ["1"]);
}
