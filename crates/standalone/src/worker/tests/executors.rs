//! The life of executors.

use firesteel_model::ExecutorLossReason;

use super::*;
use crate::{ExecutorState, protocol::ExecutorUpdate};

/// The only thing said, which is about an executor.
fn update(commands: &[WorkerCommand]) -> &ExecutorUpdate {
    match said(commands)[..] {
        [(0, FromWorker::ExecutorChanged(update))] => update,
        _ => panic!("{commands:?}"),
    }
}

#[test]
fn it_is_launching_then_running_then_ended_and_its_end_is_told_once_it_is_known() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    assert_eq!((bench.worker.used().cores, bench.worker.used().memory), (1, ByteCount::gib(1)));
    assert_eq!(update(&bench.started(process)).state, ExecutorState::Running);
    let commands = bench.ended(process, 52);
    let update = update(&commands);
    assert_eq!(update.state, ExecutorState::Exited);
    let Some(ExecutorLossReason::Exited { exit_code: Some(52), caused_by_app: true, .. }) = update.reason else {
        panic!("{update:?}")
    };
    assert_eq!(bench.worker.used().cores, 0);
    bench.hears(0, taken(0));
    let commands = bench.wait_for(Duration::from_secs(3600));
    assert!(said(&commands).iter().all(|(_, message)| **message == FromWorker::Heartbeat), "{commands:?}");
}

#[test]
fn what_cannot_be_started_has_failed() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    let message = "no such file".to_owned();
    let commands = bench.tell(WorkerEvent::ProcessNotStarted { process, message });
    let update = update(&commands);
    assert_eq!(update.state, ExecutorState::Failed);
    let reason = update.reason.as_ref().unwrap().to_string();
    assert!(reason.contains("could not be started: no such file"), "{reason}");
}

#[test]
fn one_that_is_killed_is_asked_then_forced_and_its_end_is_no_failure() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    bench.started(process);
    assert_eq!(bench.hears(0, kill(1, 0)), [WorkerCommand::Terminate { process }]);
    assert_eq!(bench.hears(0, kill(1, 0)), [], "once is enough");
    let commands = bench.wait();
    assert_eq!(commands, [WorkerCommand::Kill { process }]);
    assert_eq!(bench.now, Moment(11_000));
    let end = ProcessEnd { signal: Some(9), caused_by_app: true, ..ProcessEnd::default() };
    let commands = bench.tell(WorkerEvent::ProcessEnded { process, end });
    assert_eq!(update(&commands).state, ExecutorState::Killed);
    assert!(!update(&commands).is_abnormal());
}

#[test]
fn one_that_is_killed_before_it_was_started_is_killed_and_has_not_failed() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    assert_eq!(bench.hears(0, kill(1, 0)), [WorkerCommand::Terminate { process }]);
    let commands = bench.tell(WorkerEvent::ProcessNotStarted { process, message: "not any more".to_owned() });
    assert_eq!(update(&commands).state, ExecutorState::Killed);
}

#[test]
fn an_order_that_comes_twice_starts_one_process_even_when_that_has_ended() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    let again = || ToWorker::LaunchExecutor(Box::new(launch(1, 0)));
    assert_eq!(bench.hears(0, again()), []);
    bench.started(process);
    assert_eq!(bench.started(process), [], "it runs already");
    bench.ended(process, 0);
    // A master that has lost its memory hears that the number brings it nothing.
    assert_eq!(update(&bench.hears(0, again())).state, ExecutorState::Killed);
    bench.hears(0, taken(0));
    assert_eq!(update(&bench.hears(0, again())).state, ExecutorState::Killed);
    assert!(bench.logged("executor a/0 was started before and is not again"));
    assert_eq!(bench.hears(0, kill(1, 5)), [], "unknown ones are nobody's");
}

#[test]
fn an_end_without_a_master_is_told_to_the_next_one_right_after_the_registration() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    bench.started(process);
    bench.tell(WorkerEvent::Disconnected { master: 0 });
    assert_eq!(bench.ended(process, 7), []);
    bench.tell(WorkerEvent::Connected { master: 0 });
    let commands = bench.hears_any(0, FromMaster::MasterLeads(leader(2)));
    assert_eq!(registration(&commands).1.executors.len(), 1, "so that it is not taken for lost");
    let commands = bench.hears(0, ToWorker::Registered { leader: leader(2) });
    assert_eq!(update(&commands).state, ExecutorState::Exited);
    bench.hears(0, taken(0));
    let commands = bench.hears(0, ToWorker::Reregister);
    assert_eq!(registration(&commands).1.executors, []);
}

#[test]
fn a_master_that_does_not_answer_is_told_five_times_and_then_left() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    bench.started(process);
    let mut told = said(&bench.ended(process, 7)).len();
    let mut exit = None;
    while exit.is_none() {
        for command in bench.wait() {
            match command {
                WorkerCommand::Send { message, .. } => {
                    told += usize::from(matches!(*message, FromWorker::ExecutorChanged(_)));
                }
                command => exit = Some(command),
            }
        }
    }
    assert_eq!(told, 5);
    assert_eq!(exit, Some(WorkerCommand::Exit { code: 1 }));
    assert_eq!(bench.now.since(Moment(1000)), Duration::from_secs(600));
}

#[test]
fn the_directories_of_an_application_go_when_it_and_its_last_executor_have_ended() {
    let mut bench = bench();
    bench.register(0, 1);
    assert_eq!(bench.hears(0, finished(1)), [], "nothing of it was here");
    let processes = [bench.launch(0), bench.launch(1)];
    let removal = WorkerCommand::RemoveApplication { application_id: app() };
    bench.ended(processes[0], 0);
    assert_eq!(bench.hears(0, finished(1)), []);
    let commands = bench.ended(processes[1], 0);
    assert_eq!(commands[1..], *std::slice::from_ref(&removal));
    // The other way round.
    let process = bench.launch(2);
    assert_eq!(bench.ended(process, 0).len(), 1);
    assert_eq!(bench.hears(0, finished(1)), [removal]);
    assert_eq!(bench.hears(0, finished(1)), []);
}

#[test]
fn executors_that_have_ended_are_remembered_up_to_a_number_and_never_forgotten_before_they_are_known() {
    let mut bench = bench_with(WorkerOptions { retained_executors: 10, ..WorkerOptions::default() });
    bench.register(0, 1);
    for number in 0..12 {
        let process = bench.launch(number);
        bench.ended(process, 0);
    }
    assert_eq!(bench.worker.executors().count(), 12, "nobody has said that it knows");
    (0..12).for_each(|number| drop(bench.hears(0, taken(number))));
    assert_eq!(bench.worker.executors().count(), 10);
    // What is forgotten is still not started twice.
    let commands = bench.hears(0, ToWorker::LaunchExecutor(Box::new(launch(1, 0))));
    assert_eq!(update(&commands).state, ExecutorState::Killed);
    bench.launch(12);
}

#[test]
fn work_directories_are_looked_through_if_that_is_wanted() {
    let cleanup = CleanupOptions::default();
    let (interval, data_ttl) = (cleanup.interval, cleanup.data_ttl);
    let mut bench = bench_with(WorkerOptions { cleanup: Some(cleanup), ..WorkerOptions::default() });
    bench.wait();
    bench.register(0, 1);
    let process = bench.launch(0);
    bench.started(process);
    bench.hears(0, ToWorker::LaunchDriver(Box::new(driver(1, false))));
    let commands = bench.wait_for(interval);
    let clean_ups: Vec<_> =
        commands.iter().filter(|command| matches!(command, WorkerCommand::CleanUp { .. })).collect();
    let (running, running_drivers) = (vec![app()], vec![submission()]);
    assert_eq!(clean_ups, [&WorkerCommand::CleanUp { data_ttl, running, running_drivers }]);
}

#[test]
fn an_application_whose_end_was_never_told_loses_its_directories_when_many_others_are_idle_too() {
    let mut bench = bench();
    bench.register(0, 1);
    for number in 0..=100 {
        let mut launch = launch(1, 0);
        launch.application_id = ApplicationId::new(format!("app-{number}"));
        let commands = bench.hears(0, ToWorker::LaunchExecutor(Box::new(launch)));
        let [WorkerCommand::StartExecutor { process, .. }] = commands[..] else { panic!("{commands:?}") };
        let commands = bench.ended(process, 0);
        let removed = commands.contains(&WorkerCommand::RemoveApplication { application_id: "app-0".into() });
        assert_eq!((removed, commands.len()), (number == 100, if number == 100 { 2 } else { 1 }));
    }
}
