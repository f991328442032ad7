//! The life of drivers.

use super::*;
use crate::{DriverState, protocol::DriverUpdate};

fn update(commands: &[WorkerCommand]) -> &DriverUpdate {
    match said(commands)[..] {
        [(0, FromWorker::DriverChanged(update))] => update,
        _ => panic!("{commands:?}"),
    }
}

fn kill_driver() -> ToWorker {
    ToWorker::KillDriver { term: Term(1), submission_id: submission() }
}

/// Lets time pass until it is started again.
fn restarted(bench: &mut Bench) -> (ProcessId, Duration) {
    let since = bench.now;
    loop {
        let commands = bench.wait();
        let started = commands.iter().find_map(|command| match command {
            WorkerCommand::StartDriver { process, .. } => Some(*process),
            _ => None,
        });
        if let Some(process) = started {
            return (process, bench.now.since(since));
        }
    }
}

#[test]
fn the_exit_code_tells_how_it_has_ended() {
    for (exit_code, state) in [(0, DriverState::Finished), (3, DriverState::Failed)] {
        let mut bench = bench();
        bench.register(0, 1);
        let process = bench.launch_driver(false);
        assert_eq!(bench.started(process), []);
        let commands = bench.ended(process, exit_code);
        assert_eq!((update(&commands).state, update(&commands).exit_code), (state, Some(exit_code)));
        assert_eq!(bench.hears(0, ToWorker::DriverUpdateTaken { submission_id: submission() }), []);
        assert!(bench.worker.reports.is_empty());
        let commands = bench.hears(0, ToWorker::LaunchDriver(Box::new(driver(1, false))));
        assert_eq!(update(&commands).state, state, "not twice");
    }
}

#[test]
fn one_that_cannot_be_started_is_an_error_even_if_it_is_supervised() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch_driver(true);
    let message = "could not fetch app.jar".to_owned();
    let commands = bench.tell(WorkerEvent::ProcessNotStarted { process, message: message.clone() });
    assert_eq!((update(&commands).state, &update(&commands).message), (DriverState::Error, &message));
}

#[test]
fn a_supervised_one_is_started_again_after_waits_that_double_until_it_runs_well() {
    let mut bench = bench();
    bench.register(0, 1);
    let mut process = bench.launch_driver(true);
    for seconds in [1, 2, 4, 8, 16] {
        bench.started(process);
        let commands = bench.ended(process, 1);
        assert_eq!((update(&commands).state, update(&commands).exit_code), (DriverState::Relaunching, Some(1)));
        let (next, waited) = restarted(&mut bench);
        assert_eq!(waited, Duration::from_secs(seconds));
        assert_ne!(next, process);
        process = next;
    }
    assert_eq!(update(&bench.started(process)).state, DriverState::Running);
    bench.now = bench.now + Duration::from_millis(5001);
    bench.ended(process, 1);
    let (process, waited) = restarted(&mut bench);
    assert_eq!(waited, Duration::from_secs(1));
    bench.started(process);
    assert_eq!(update(&bench.ended(process, 0)).state, DriverState::Finished);
}

#[test]
fn a_supervised_one_that_is_killed_is_not_started_again() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch_driver(true);
    bench.started(process);
    assert_eq!(bench.hears(0, kill_driver()), [WorkerCommand::Terminate { process }]);
    assert_eq!(bench.wait(), [WorkerCommand::Kill { process }]);
    assert_eq!(bench.now, Moment(11_000));
    assert_eq!(update(&bench.ended(process, 143)).state, DriverState::Killed);
    // Whoever asks again is told again.
    assert_eq!(update(&bench.hears(0, kill_driver())).state, DriverState::Killed);
}

#[test]
fn one_that_waits_or_is_unknown_is_killed_at_once() {
    let mut bench = bench();
    bench.register(0, 1);
    assert_eq!(update(&bench.hears(0, kill_driver())).state, DriverState::Killed);
    let process = bench.launch_driver(true);
    bench.started(process);
    bench.ended(process, 1);
    assert_eq!(update(&bench.hears(0, kill_driver())).state, DriverState::Killed);
    assert!(!bench.wait_for(Duration::from_secs(60)).iter().any(|c| matches!(c, WorkerCommand::StartDriver { .. })));
}

#[test]
fn an_end_that_no_master_has_taken_is_told_to_the_next_so_that_no_driver_runs_twice() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch_driver(true);
    bench.started(process);
    bench.ended(process, 0);
    bench.tell(WorkerEvent::Disconnected { master: 0 });
    bench.tell(WorkerEvent::Connected { master: 0 });
    let commands = bench.hears_any(0, FromMaster::MasterLeads(leader(2)));
    assert_eq!(registration(&commands).1.drivers.len(), 1);
    let commands = bench.hears(0, ToWorker::Registered { leader: leader(2) });
    assert_eq!(update(&commands).state, DriverState::Finished);
}
