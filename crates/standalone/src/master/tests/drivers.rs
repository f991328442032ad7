//! Drivers that were submitted (SA-33).

use super::*;
use crate::{
    DriverState,
    protocol::{DriverUpdate, RunningDriver},
};

fn ended(id: &SubmissionId, state: DriverState, exit_code: i32) -> FromWorker {
    FromWorker::DriverChanged(DriverUpdate {
        submission_id: id.clone(),
        state,
        exit_code: Some(exit_code),
        message: String::new(),
    })
}

fn state(bench: &mut Bench, id: &SubmissionId) -> Option<DriverState> {
    match bench.ask(ClientRequest::DriverStatus(id.clone())) {
        Some(ClientAnswer::Status(status)) => status.map(|status| status.state),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_driver_waits_for_room_runs_and_ends() {
    let mut bench = Bench::leading(MasterOptions::default());
    let id = bench.submit(driver(2, false));
    assert_eq!(id.as_str(), "driver-20261121123400-0000");
    assert_eq!(state(&mut bench, &id), Some(DriverState::Submitted));
    bench.worker("small", 1, 4);
    let worker = bench.worker("large", 2, 4);
    assert_eq!(bench.driver_launches(worker).len(), 1);
    assert_eq!(state(&mut bench, &id), Some(DriverState::Running));
    bench.worker_says(worker, ended(&id, DriverState::Failed, 3));
    assert_eq!(state(&mut bench, &id), Some(DriverState::Failed));
    assert_eq!(bench.master.completed_drivers().next().unwrap().exit_code, Some(3));
    assert_eq!(bench.master.workers().map(|worker| worker.used.cores).sum::<u32>(), 0);
    assert_eq!(state(&mut bench, &"driver-none".into()), None);
}

#[test]
fn the_driver_of_a_lost_worker_follows_elsewhere_if_it_is_supervised() {
    for supervise in [true, false] {
        let mut bench = Bench::leading(MasterOptions::default());
        let first = bench.worker("a", 2, 4);
        let id = bench.submit(driver(1, supervise));
        assert_eq!(bench.driver_launches(first).len(), 1);
        let second = bench.worker("b", 2, 4);
        bench.disconnect(first);
        bench.pass(Duration::from_secs(5));
        let launched = bench.driver_launches(second);
        assert_eq!(launched.len(), usize::from(supervise));
        let expected = if supervise { DriverState::Running } else { DriverState::Error };
        assert_eq!(state(&mut bench, &id), Some(expected));
        // The worker was only away. What it runs is not wanted any more.
        let again = bench.connect();
        let mut returned = worker_state("a", 2, 4);
        returned.drivers.push(RunningDriver {
            submission_id: id.clone(),
            description: driver(1, supervise),
            resources: Vec::new(),
        });
        bench.worker_says(again, FromWorker::Register(returned));
        let kill = ToWorker::KillDriver { term: Term(1), submission_id: id.clone() };
        assert!(bench.told_worker(again).contains(&kill));
        // Who knows the first id can still end what follows it.
        if let [launch] = &launched[..] {
            assert!(matches!(bench.ask(ClientRequest::KillDriver(id.clone())), Some(ClientAnswer::Killed(Ok(_)))));
            let kill = ToWorker::KillDriver { term: Term(1), submission_id: launch.submission_id.clone() };
            assert!(bench.told_worker(second).contains(&kill));
        }
    }
}

#[test]
fn a_driver_that_waits_is_killed_at_once_and_one_that_has_ended_is_not_killed() {
    let mut bench = Bench::leading(MasterOptions::default());
    let id = bench.submit(driver(2, true));
    assert!(matches!(bench.ask(ClientRequest::KillDriver(id.clone())), Some(ClientAnswer::Killed(Ok(_)))));
    assert_eq!(state(&mut bench, &id), Some(DriverState::Killed));
    let refused = bench.ask(ClientRequest::KillDriver(id));
    assert!(
        matches!(&refused, Some(ClientAnswer::Killed(Err(why))) if why.contains("already finished")),
        "{refused:?}"
    );
    let worker = bench.worker("a", 2, 4);
    assert_eq!(bench.driver_launches(worker), []);
    let left = bench.store.read().records;
    assert!(left.iter().all(|record| !matches!(record, super::super::Record::Driver { end: None, .. })), "{left:?}");
}

#[test]
fn drivers_go_before_executors() {
    let mut bench = Bench::leading(MasterOptions::default());
    let (_, _) = bench.application(application(None));
    bench.submit(driver(2, false));
    let worker = bench.worker("a", 3, 4);
    let told = bench.told_worker(worker);
    let launches: Vec<&ToWorker> =
        told.iter().filter(|told| matches!(told, ToWorker::LaunchDriver(_) | ToWorker::LaunchExecutor(_))).collect();
    assert!(matches!(launches[..], [ToWorker::LaunchDriver(_), ToWorker::LaunchExecutor(_)]), "{launches:?}");
}

#[test]
fn all_drivers_are_killed_and_what_has_ended_is_forgotten_when_somebody_wants_that() {
    let mut bench = Bench::leading(MasterOptions::default());
    let worker = bench.worker("a", 1, 4);
    let runs = bench.submit(driver(1, true));
    let waits = bench.submit(driver(1, true));
    match bench.ask(ClientRequest::KillAllDrivers) {
        Some(ClientAnswer::Killed(Ok(message))) => assert!(message.ends_with("there were 2"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(state(&mut bench, &waits), Some(DriverState::Killed));
    assert_eq!(state(&mut bench, &runs), Some(DriverState::Running), "until its worker says so");
    bench.worker_says(worker, ended(&runs, DriverState::Killed, 143));
    assert_eq!(bench.ask(ClientRequest::ClearCompleted), Some(ClientAnswer::Cleared(Ok(()))));
    assert_eq!([state(&mut bench, &runs), state(&mut bench, &waits)], [None, None]);
}
