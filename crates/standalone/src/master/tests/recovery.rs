//! A new leader (SA-50…59).

use super::*;
use crate::{ApplicationState, DriverState, RecoveryState, protocol::RunningExecutor};

/// What a leader has left: a worker with an executor of an application, and one driver that waits.
fn predecessor() -> (Bench, ApplicationId, SubmissionId) {
    let mut bench = Bench::leading(MasterOptions::default());
    bench.worker("a", 2, 4);
    let (_, id) = bench.application(application(None));
    let waiting = bench.submit(driver(64, false));
    (bench, id, waiting)
}

fn reported(id: &ApplicationId) -> WorkerState {
    let mut state = worker_state("a", 2, 4);
    state.executors.push(RunningExecutor {
        application_id: id.clone(),
        executor: 0,
        state: ExecutorState::Running,
        cores: 2,
        memory: ByteCount::gib(1),
        resources: Vec::new(),
    });
    state
}

#[test]
fn a_standby_does_nothing_but_say_so() {
    let mut bench = Bench::standby(MasterOptions::default());
    let worker = bench.worker("a", 2, 2);
    assert!(bench.said.contains(&(worker, FromMaster::MasterInStandby)));
    let refused = bench.ask(ClientRequest::SubmitDriver(Box::new(driver(1, false))));
    assert!(matches!(&refused, Some(ClientAnswer::Submitted(Err(why))) if why.contains("STANDBY")), "{refused:?}");
    assert_eq!(bench.ask(ClientRequest::NewApplication), None);
    assert_eq!(bench.master.workers().count(), 0);
    // It leads at once, as nothing was left, and tells all that are connected.
    bench.elect(4);
    assert_eq!(bench.master.state(), RecoveryState::Alive);
    let leads = |(peer, message): &(PeerId, FromMaster)| {
        *peer == worker && matches!(message, FromMaster::MasterLeads(leader) if leader.term == Term(4))
    };
    assert!(bench.said.iter().any(leads));
}

#[test]
fn a_new_leader_waits_for_all_that_were_there_and_starts_nothing_twice() {
    let (old, id, waiting) = predecessor();
    let mut bench = Bench::standby(MasterOptions::default());
    bench.store = old.store.clone();
    bench.elect(2);
    assert_eq!(bench.master.state(), RecoveryState::Recovering);
    let worker = bench.connect();
    bench.worker_says(worker, FromWorker::Register(reported(&id)));
    assert_eq!(bench.master.state(), RecoveryState::Recovering, "the application has not answered");
    assert_eq!(bench.launches(worker), []);
    let driver = bench.connect();
    bench.application_says(driver, FromApplication::Register { description: application(None), known: known(&id, 1) });
    assert_eq!(bench.master.state(), RecoveryState::Alive);
    assert_eq!(bench.launches(worker), [], "it has what it wants");
    let known = bench.master.application(&id).unwrap();
    assert_eq!((known.state, known.executors.len()), (ApplicationState::Running, 1));
    // The driver that waits still does.
    assert_eq!(bench.master.driver(&waiting).unwrap().state, DriverState::Submitted);
    let large = bench.worker("large", 64, 64);
    assert_eq!(bench.driver_launches(large).len(), 1);
}

/// SA-53: each branch.
#[test]
fn who_does_not_answer_a_new_leader_is_gone_after_a_while() {
    let mut old = Bench::leading(MasterOptions::default());
    old.worker("a", 2, 4);
    let (_, id) = old.application(application(None));
    let supervised = old.submit(driver(1, true));
    let other = old.submit(driver(1, false));
    let mut bench = Bench::standby(MasterOptions::default());
    bench.store = old.store.clone();
    // Both run already, on the worker that is gone.
    assert_eq!(
        old.master.drivers().filter(|driver| driver.state == DriverState::Running).count(),
        0,
        "no core is free"
    );
    old.handle(MasterEvent::KillApplication { application_id: id.clone() });
    bench.store = old.store.clone();
    bench.elect(2);
    bench.pass(Duration::from_secs(30));
    assert_eq!(bench.master.state(), RecoveryState::Recovering);
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.master.state(), RecoveryState::Alive);
    assert_eq!(bench.master.driver(&other).unwrap().state, DriverState::Error);
    let relaunched = bench.master.driver(&supervised).unwrap();
    assert_eq!(relaunched.state, DriverState::Relaunching);
    let next = relaunched.relaunched_as.clone().unwrap();
    assert_eq!(bench.master.driver(&next).unwrap().state, DriverState::Submitted);
    let worker = bench.worker("b", 2, 4);
    assert_eq!(bench.driver_launches(worker).len(), 1);
}

#[test]
fn a_silent_application_is_finished_by_the_new_leader() {
    let (old, id, _) = predecessor();
    let mut bench = Bench::standby(MasterOptions::default());
    bench.store = old.store.clone();
    bench.elect(2);
    let worker = bench.connect();
    bench.worker_says(worker, FromWorker::Register(reported(&id)));
    bench.pass(Duration::from_secs(61));
    assert_eq!(bench.master.application(&id).unwrap().state, ApplicationState::Finished);
    let kill = ToWorker::KillExecutor { term: Term(2), application_id: id, executor: 0 };
    assert!(bench.told_worker(worker).contains(&kill));
}

/// AS-12: a master that has kept nothing hears it from those who know.
#[test]
fn a_master_without_memory_learns_from_workers_and_drivers() {
    for driver_returns in [true, false] {
        let mut bench = Bench::leading(MasterOptions::default());
        let id: ApplicationId = "app-20261121000000-0007".into();
        let worker = bench.connect();
        bench.worker_says(worker, FromWorker::Register(reported(&id)));
        assert_eq!(bench.master.application(&id).unwrap().executors.len(), 1);
        if driver_returns {
            let driver = bench.connect();
            let description = application(Some(2));
            bench.application_says(driver, FromApplication::Register { description, known: known(&id, 1) });
            bench.pass(Duration::from_secs(59));
            bench.worker_says(worker, FromWorker::Heartbeat);
            bench.pass(Duration::from_secs(59));
            assert_eq!(bench.master.application(&id).unwrap().state, ApplicationState::Running);
            assert!(bench.launches(worker).is_empty());
        } else {
            bench.pass(Duration::from_secs(45));
            bench.worker_says(worker, FromWorker::Heartbeat);
            bench.pass(Duration::from_secs(30));
            assert_eq!(bench.master.application(&id).unwrap().state, ApplicationState::Finished);
            let kill = ToWorker::KillExecutor { term: Term(1), application_id: id, executor: 0 };
            assert!(bench.told_worker(worker).contains(&kill));
        }
    }
}

/// SA-54.
#[test]
fn a_deposed_master_ends_and_gives_no_orders() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 2, 2);
    bench.handle(MasterEvent::Deposed);
    assert!(bench.exited);
    bench.said.clear();
    let driver = bench.connect();
    bench.application_says(driver, FromApplication::Register { description: application(None), known: None });
    assert_eq!(bench.launches(worker), []);
    assert!(bench.said.contains(&(driver, FromMaster::MasterInStandby)));
}
