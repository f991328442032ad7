//! How a worker leaves.

use super::*;
use crate::{ExecutorState, protocol::ExecutorUpdate};

fn states(commands: &[WorkerCommand]) -> Vec<ExecutorState> {
    let updates = said(commands).into_iter().filter_map(|(_, message)| match message {
        FromWorker::ExecutorChanged(ExecutorUpdate { state, .. }) => Some(*state),
        _ => None,
    });
    updates.collect()
}

#[test]
fn one_that_is_told_to_end_ends_all_that_it_has_started_first() {
    let mut bench = bench();
    bench.register(0, 1);
    let executor = bench.launch(0);
    bench.started(executor);
    let driver = bench.launch_driver(true);
    bench.started(driver);
    let commands = bench.tell(WorkerEvent::Stop);
    assert_eq!(said(&commands), [(0, &FromWorker::Decommissioning)]);
    let terminated = [WorkerCommand::Terminate { process: executor }, WorkerCommand::Terminate { process: driver }];
    assert_eq!(commands[1..], terminated);
    assert_eq!(bench.tell(WorkerEvent::Stop), []);
    let commands = bench.ended(executor, 143);
    assert_eq!((commands.len(), states(&commands)), (1, vec![ExecutorState::Killed]));
    assert_eq!(states(&bench.hears(0, ToWorker::LaunchExecutor(Box::new(launch(1, 1))))), [ExecutorState::Killed]);
    assert_eq!(bench.wait(), [WorkerCommand::Kill { process: driver }]);
    // A supervised driver is to go on elsewhere, so that it was killed here is not told.
    assert_eq!(bench.ended(driver, 137), [WorkerCommand::Exit { code: 0 }]);
    assert_eq!(bench.tell(WorkerEvent::Stop), []);
}

#[test]
fn one_with_nothing_ends_at_once() {
    assert_eq!(bench().tell(WorkerEvent::Stop), [WorkerCommand::Exit { code: 0 }]);
}

#[test]
fn a_driver_that_waits_to_be_started_again_is_not_waited_for() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch_driver(true);
    bench.started(process);
    bench.ended(process, 1);
    let commands = bench.tell(WorkerEvent::Stop);
    assert_eq!(commands.last(), Some(&WorkerCommand::Exit { code: 0 }));
}

#[test]
fn one_that_is_decommissioned_takes_nothing_more_and_leaves_when_the_last_end_is_known() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    bench.started(process);
    let commands = bench.hears(0, ToWorker::Decommission { term: Term(1) });
    assert_eq!(said(&commands), [(0, &FromWorker::Decommissioning)]);
    assert_eq!(bench.tell(WorkerEvent::Decommission), []);
    assert!(bench.worker.is_decommissioning());
    let refused = bench.hears(0, ToWorker::LaunchExecutor(Box::new(launch(1, 1))));
    assert_eq!((refused.len(), states(&refused)), (1, vec![ExecutorState::Decommissioned]));
    let refused = bench.hears(0, ToWorker::LaunchDriver(Box::new(driver(1, true))));
    assert!(matches!(said(&refused)[..], [(0, FromWorker::DriverChanged(_))]), "{refused:?}");
    bench.tell(WorkerEvent::Disconnected { master: 0 });
    let commands = bench.hears_any(0, FromMaster::MasterLeads(leader(2)));
    assert!(registration(&commands).1.decommissioning);
    bench.hears(0, ToWorker::Registered { leader: leader(2) });
    let commands = bench.ended(process, 0);
    assert_eq!((commands.len(), states(&commands)), (1, vec![ExecutorState::Decommissioned]));
    assert_eq!(bench.hears(0, taken(0)), [WorkerCommand::Exit { code: 0 }]);
}

#[test]
fn without_the_setting_nobody_is_decommissioned() {
    let mut bench = bench_with(WorkerOptions::default());
    bench.register(0, 1);
    assert_eq!(bench.tell(WorkerEvent::Decommission), []);
    assert!(!bench.worker.is_decommissioning() && bench.logged("spark.decommission.enabled"));
}

#[test]
fn a_worker_without_a_master_for_too_long_ends_its_executors_too() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    bench.started(process);
    bench.tell(WorkerEvent::Disconnected { master: 0 });
    let mut commands = Vec::new();
    while commands.is_empty() {
        commands = bench.wait();
    }
    assert_eq!(commands, [WorkerCommand::Terminate { process }]);
    assert_eq!(bench.ended(process, 143), [WorkerCommand::Exit { code: 1 }]);
}
