//! Anything in any order: what is always so stays so.

use proptest::prelude::*;

use super::*;
use crate::{DriverState, protocol::DriverUpdate};

#[derive(Clone, Debug)]
enum Step {
    Worker(u8),
    Application { cores: Option<u32>, each: Option<u32>, gib: u64 },
    Driver { cores: u32, supervise: bool },
    Disconnect { peer: u8, silent: bool },
    ExecutorEnds { pick: u8, exit_code: i32 },
    DriverEnds { pick: u8, exit_code: i32 },
    Ready(u8),
    Request { pick: u8, total: u32 },
    KillExecutor(u8),
    Unregister(u8),
    KillApplication(u8),
    KillDriver(u8),
    Decommission(u8),
    Pass(u16),
    Heartbeats,
    TakeOver,
}

fn step() -> impl Strategy<Value = Step> {
    let small = proptest::option::of(1_u32..9);
    prop_oneof![
        4 => (0_u8..5).prop_map(Step::Worker),
        4 => (small.clone(), proptest::option::of(1_u32..4), 1_u64..5)
            .prop_map(|(cores, each, gib)| Step::Application { cores, each, gib }),
        3 => (1_u32..4, any::<bool>()).prop_map(|(cores, supervise)| Step::Driver { cores, supervise }),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(peer, silent)| Step::Disconnect { peer, silent }),
        5 => (any::<u8>(), 0..3_i32).prop_map(|(pick, exit_code)| Step::ExecutorEnds { pick, exit_code }),
        3 => (any::<u8>(), 0..2_i32).prop_map(|(pick, exit_code)| Step::DriverEnds { pick, exit_code }),
        2 => any::<u8>().prop_map(Step::Ready),
        2 => (any::<u8>(), 0_u32..5).prop_map(|(pick, total)| Step::Request { pick, total }),
        2 => any::<u8>().prop_map(Step::KillExecutor),
        2 => any::<u8>().prop_map(Step::Unregister),
        1 => any::<u8>().prop_map(Step::KillApplication),
        1 => any::<u8>().prop_map(Step::KillDriver),
        1 => (0_u8..5).prop_map(Step::Decommission),
        4 => any::<u16>().prop_map(Step::Pass),
        4 => Just(Step::Heartbeats),
        1 => Just(Step::TakeOver),
    ]
}

fn pick<T: Clone>(all: impl IntoIterator<Item = T>, index: u8) -> Option<T> {
    let all: Vec<T> = all.into_iter().collect();
    (!all.is_empty()).then(|| all[usize::from(index) % all.len()].clone())
}

/// The peers that the master knows as workers and applications.
fn peers(bench: &Bench, workers: bool) -> Vec<PeerId> {
    let is = |peer: &super::super::Peer| match peer {
        super::super::Peer::Worker(_) => workers,
        super::super::Peer::Application(_) => !workers,
        super::super::Peer::Unknown => false,
    };
    bench.master.peers.iter().filter(|(_, peer)| is(peer)).map(|(id, _)| *id).collect()
}

fn take(bench: &mut Bench, step: Step, term: &mut u64) {
    match step {
        Step::Worker(name) => {
            bench.worker(&format!("w{name}"), 4, 8);
        }
        Step::Application { cores, each, gib } => {
            let mut description = application(cores);
            description.executor.cores = each;
            description.executor.memory = ByteCount::gib(gib);
            let peer = bench.connect();
            bench.application_says(peer, FromApplication::Register { description, known: None });
        }
        Step::Driver { cores, supervise } => {
            bench.ask(ClientRequest::SubmitDriver(Box::new(driver(cores, supervise))));
        }
        Step::Disconnect { peer, silent } => {
            if let Some(peer) = pick(peers(bench, true).into_iter().chain(peers(bench, false)), peer) {
                bench.handle(MasterEvent::Disconnected { peer, silent });
            }
        }
        Step::ExecutorEnds { pick: index, exit_code } => {
            let all = bench.master.workers().flat_map(|worker| {
                worker.executors.iter().filter_map(|(id, number)| Some((worker.peer?, id.clone(), *number)))
            });
            if let Some((peer, id, number)) = pick(all.collect::<Vec<_>>(), index) {
                bench.executor_ends(peer, &id, number, exit_code);
            }
        }
        Step::DriverEnds { pick: index, exit_code } => {
            let all = bench
                .master
                .workers()
                .flat_map(|worker| worker.drivers.iter().filter_map(|id| Some((worker.peer?, id.clone()))));
            if let Some((peer, submission_id)) = pick(all.collect::<Vec<_>>(), index) {
                let state = if exit_code == 0 { DriverState::Finished } else { DriverState::Failed };
                let update = DriverUpdate { submission_id, state, exit_code: Some(exit_code), message: String::new() };
                bench.worker_says(peer, FromWorker::DriverChanged(update));
            }
        }
        Step::Ready(index) => {
            if let Some(peer) = pick(peers(bench, false), index) {
                bench.application_says(peer, FromApplication::ExecutorReady { executor: u32::from(index % 4) });
            }
        }
        Step::Request { pick: index, total } => {
            if let Some(peer) = pick(peers(bench, false), index) {
                bench.application_says(peer, FromApplication::RequestExecutors { total });
            }
        }
        Step::KillExecutor(index) => {
            if let Some(peer) = pick(peers(bench, false), index) {
                let executors = vec![u32::from(index % 4)];
                bench.application_says(peer, FromApplication::KillExecutors { executors });
            }
        }
        Step::Unregister(index) => {
            if let Some(peer) = pick(peers(bench, false), index) {
                bench.application_says(peer, FromApplication::Unregister);
            }
        }
        Step::KillApplication(index) => {
            let all: Vec<_> = bench.master.applications().map(|known| known.id.clone()).collect();
            if let Some(application_id) = pick(all, index) {
                bench.handle(MasterEvent::KillApplication { application_id });
            }
        }
        Step::KillDriver(index) => {
            let all: Vec<_> = bench.master.drivers().map(|known| known.id.clone()).collect();
            if let Some(submission_id) = pick(all, index) {
                bench.handle(MasterEvent::KillDriver { submission_id });
            }
        }
        Step::Decommission(name) => {
            bench.handle(MasterEvent::DecommissionWorkers { hosts: vec![format!("w{name}")] });
        }
        Step::Pass(millis) => bench.pass(Duration::from_millis(u64::from(millis))),
        Step::Heartbeats => {
            for peer in peers(bench, true) {
                bench.worker_says(peer, FromWorker::Heartbeat);
            }
        }
        Step::TakeOver => {
            // Connections go to the new one; all start anew.
            let mut next = Bench::standby(MasterOptions::default());
            next.store = bench.store.clone();
            next.now = bench.now;
            *term += 1;
            next.elect(*term);
            *bench = next;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// No core is given twice, nothing is listed where it is not, and in the end all that has ended is free.
    #[test]
    fn no_core_is_given_twice_whatever_happens(steps in proptest::collection::vec(step(), 1..80)) {
        let mut bench = Bench::leading(MasterOptions { max_executor_retries: Some(4), ..MasterOptions::default() });
        let mut term = 1;
        for step in steps {
            take(&mut bench, step, &mut term);
            for worker in bench.master.workers() {
                prop_assert!(worker.used.cores <= worker.description.cores, "{worker:?}");
                prop_assert!(worker.used.memory <= worker.description.memory, "{worker:?}");
            }
            for known in bench.master.applications() {
                let most = known.description.max_cores.unwrap_or(u32::MAX);
                prop_assert!(known.cores_granted() <= most, "{known:?}");
            }
        }
        for peer in peers(&bench, false) {
            bench.application_says(peer, FromApplication::Unregister);
        }
        bench.pass(Duration::from_secs(200));
        prop_assert_eq!(bench.master.applications().count(), 0, "each application has ended");
    }
}
