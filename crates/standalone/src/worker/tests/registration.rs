//! Which master it belongs to.

use super::*;

/// Lets time pass until it has ended; when it tried to register, and when it ended, in milliseconds.
fn tries_until_exit(bench: &mut Bench) -> Vec<u64> {
    let mut moments = Vec::new();
    loop {
        let commands = bench.wait();
        moments.push(bench.now.0);
        if commands.iter().any(|command| *command == WorkerCommand::Exit { code: 1 }) {
            return moments;
        }
    }
}

#[test]
fn six_tries_then_ten_slower_ones_then_the_end() {
    let mut bench = bench();
    let moments = tries_until_exit(&mut bench);
    assert_eq!(moments.len(), 17, "16 tries, and the end");
    for (index, pair) in moments.windows(2).enumerate() {
        let mean = if index < 5 { 10_000 } else { 60_000 };
        let wait = pair[1] - pair[0];
        assert!((mean / 2..mean * 3 / 2).contains(&wait), "{index}: {wait}");
    }
    assert!(bench.logged("All masters are unresponsive! Giving up."));
    assert_eq!(bench.worker.next_deadline(), None);
}

#[test]
fn a_try_asks_every_master_that_there_is_a_connection_to() {
    let mut bench = bench();
    assert_eq!(bench.wait(), []);
    bench.tell(WorkerEvent::Connected { master: 0 });
    bench.tell(WorkerEvent::Connected { master: 1 });
    let commands = bench.wait();
    let said = said(&commands);
    assert_eq!(said.iter().map(|(master, _)| *master).collect::<Vec<_>>(), [0, 1]);
    assert!(said.iter().all(|(_, message)| matches!(message, FromWorker::Register(_))), "{said:?}");
    bench.hears_any(0, FromMaster::MasterInStandby);
    bench.hears(1, ToWorker::Registered { leader: leader(3) });
    assert_eq!(bench.worker.leader(), Some(&leader(3)));
}

#[test]
fn a_heartbeat_comes_four_times_in_the_patience_of_the_master() {
    let mut bench = bench();
    bench.register(0, 1);
    let begun = bench.now;
    for beat in 1..=4 {
        let commands = bench.wait();
        assert_eq!(said(&commands), [(0, &FromWorker::Heartbeat)]);
        assert_eq!(bench.now.since(begun), Duration::from_secs(15 * beat));
    }
}

#[test]
fn one_that_is_refused_ends() {
    let mut bench = bench();
    bench.tell(WorkerEvent::Connected { master: 0 });
    bench.hears_any(0, FromMaster::MasterLeads(leader(1)));
    let message = "Duplicate worker ID".to_owned();
    let commands = bench.hears(0, ToWorker::RegistrationFailed { message });
    assert_eq!(commands, [WorkerCommand::Exit { code: 1 }]);
    assert!(bench.logged("Duplicate worker ID"));
}

#[test]
fn another_master_than_the_leader_refuses_nobody() {
    let mut bench = bench();
    bench.register(0, 1);
    assert_eq!(bench.hears(1, ToWorker::RegistrationFailed { message: "late".to_owned() }), []);
    assert!(bench.worker.leader().is_some());
}

#[test]
fn where_every_master_has_another_secret_there_is_nothing_to_wait_for() {
    let mut bench = bench();
    let refused = |master| WorkerEvent::Refused { master, reason: "another secret".to_owned() };
    assert_eq!(bench.tell(refused(0)), []);
    assert_eq!(bench.tell(refused(0)), []);
    assert_eq!(bench.tell(refused(1)), [WorkerCommand::Exit { code: 1 }]);
}

#[test]
fn executors_run_on_without_a_master_and_are_listed_when_there_is_one() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(4);
    bench.started(process);
    assert_eq!(bench.tell(WorkerEvent::Disconnected { master: 0 }), []);
    assert_eq!(bench.worker.leader(), None);
    bench.tell(WorkerEvent::Connected { master: 1 });
    let commands = bench.hears_any(1, FromMaster::MasterLeads(leader(2)));
    let (master, state) = registration(&commands);
    assert_eq!((master, state.executors.len(), state.executors[0].executor), (1, 1, 4));
    assert_eq!(state.executors[0].state, crate::ExecutorState::Running);
}

#[test]
fn the_tries_are_counted_anew_after_each_master() {
    let mut bench = bench();
    bench.wait();
    bench.wait();
    bench.register(0, 1);
    bench.tell(WorkerEvent::Disconnected { master: 0 });
    // The loss counts as the first.
    assert_eq!(tries_until_exit(&mut bench).len(), 16);
}

#[test]
fn a_deposed_master_gives_no_orders() {
    let mut bench = bench();
    bench.register(0, 1);
    let process = bench.launch(0);
    bench.started(process);
    bench.tell(WorkerEvent::Connected { master: 1 });
    bench.hears_any(1, FromMaster::MasterLeads(leader(2)));
    bench.hears(1, ToWorker::Registered { leader: leader(2) });
    assert_eq!(bench.hears(0, ToWorker::LaunchExecutor(Box::new(launch(1, 1)))), []);
    assert_eq!(bench.hears(0, kill(1, 0)), []);
    assert_eq!(bench.hears(0, ToWorker::Decommission { term: Term(1) }), []);
    assert_eq!(bench.hears(0, ToWorker::Registered { leader: leader(1) }), []);
    assert_eq!(bench.hears_any(0, FromMaster::MasterLeads(leader(1))), []);
    assert!(bench.logged("a master of term 1 orders to start an executor; it is ignored, as term 2 was heard of"));
    assert_eq!(bench.worker.leader(), Some(&leader(2)));
    assert_eq!(bench.hears(1, kill(2, 0)), [WorkerCommand::Terminate { process }]);
}

#[test]
fn a_leader_that_leads_no_more_or_has_forgotten_is_left_or_told_again() {
    let mut bench = bench();
    bench.register(0, 1);
    let commands = bench.hears(0, ToWorker::Reregister);
    assert_eq!(registration(&commands).0, 0);
    bench.hears(0, ToWorker::Registered { leader: leader(1) });
    assert_eq!(bench.hears(1, ToWorker::Reregister), [], "that one does not lead");
    bench.hears_any(0, FromMaster::MasterInStandby);
    assert_eq!(bench.worker.leader(), None);
}
