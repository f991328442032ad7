//! What the users of a cluster were promised, with books of its own.

use std::collections::{BTreeMap, BTreeSet};

use firesteel_model::{ApplicationId, ByteCount, SubmissionId};
use firesteel_standalone::{DriverDescription, DriverState, Term, protocol::DriverStatus};

use super::{
    election::Mode,
    workers::{Process, What, WorkerHost},
    world::{CALM, FAULTS_END},
};

#[derive(Debug)]
pub(super) struct Oracle {
    mode: Mode,
    terms: BTreeSet<u64>,
    applications: BTreeMap<ApplicationId, Promise>,
    drivers: BTreeMap<SubmissionId, Driver>,
    names: u64,
    /// What runs, by worker.
    running: BTreeMap<usize, BTreeMap<What, Process>>,
    started: BTreeMap<What, u32>,
    /// Which worker runs it.
    places: BTreeMap<What, usize>,
    /// The latest leader that each worker has obeyed.
    obeyed: BTreeMap<(usize, u32), Term>,
    ordered: BTreeMap<(ApplicationId, u32), Term>,
}

#[derive(Debug, Default)]
struct Promise {
    killed: bool,
    registered: bool,
    started_ms: u64,
    next_executor: u32,
    live: BTreeSet<u32>,
    /// How it ended, and when.
    over: Option<(bool, u64)>,
    gave_up: Option<String>,
}

#[derive(Debug, Default)]
struct Driver {
    supervise: bool,
    calm: bool,
    /// A client was told that it is submitted.
    told: bool,
    /// The end that a client was told of, and when.
    told_end: Option<(DriverState, u64)>,
    kill_promised: bool,
    last_exit: Option<Option<i32>>,
}

impl Oracle {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            terms: BTreeSet::new(),
            applications: BTreeMap::new(),
            drivers: BTreeMap::new(),
            names: 0,
            running: BTreeMap::new(),
            started: BTreeMap::new(),
            places: BTreeMap::new(),
            obeyed: BTreeMap::new(),
            ordered: BTreeMap::new(),
        }
    }

    /// Does anything outlive a master?
    fn remembers(&self) -> bool {
        self.mode != Mode::None
    }

    pub(super) fn elected(&mut self, term: u64) {
        let new = self.terms.insert(term);
        assert!(new || !self.remembers(), "two leaders have term {term}");
    }

    pub(super) fn application_id_given(&mut self, id: &ApplicationId) {
        let new = self.applications.insert(id.clone(), Promise::default()).is_none();
        assert!(new || !self.remembers(), "{id} is given to two applications");
    }

    pub(super) fn application_started(&mut self, id: &ApplicationId, index: usize) {
        self.applications.get_mut(id).expect("it has its id").started_ms = index as u64;
    }

    pub(super) fn application_registered(&mut self, id: &ApplicationId, _: Term) {
        self.applications.get_mut(id).expect("it has its id").registered = true;
    }

    pub(super) fn killed_by_operator(&mut self, id: &ApplicationId) {
        if let Some(promise) = self.applications.get_mut(id) {
            promise.killed = true;
        }
    }

    pub(super) fn executor_ordered(&mut self, id: &ApplicationId, executor: u32, term: Term) {
        if let Some(earlier) = self.ordered.insert((id.clone(), executor), term)
            && self.remembers()
        {
            panic!("executor {id}/{executor} is ordered in term {term}, and was in term {earlier}");
        }
    }

    pub(super) fn executor_added(&mut self, id: &ApplicationId, executor: u32) {
        let promise = self.applications.get_mut(id).expect("it has its id");
        assert!(executor >= promise.next_executor, "{id} is told of executor {executor} twice");
        promise.next_executor = executor + 1;
        promise.live.insert(executor);
    }

    pub(super) fn executor_lost(&mut self, id: &ApplicationId, executor: u32) {
        let promise = self.applications.get_mut(id).expect("it has its id");
        assert!(promise.live.remove(&executor), "{id} loses executor {executor}, which it does not have");
    }

    pub(super) fn gave_up(&mut self, id: &ApplicationId, reason: &str) {
        let promise = self.applications.get_mut(id).expect("it has its id");
        promise.gave_up = Some(reason.to_owned());
    }

    pub(super) fn application_over(&mut self, id: &ApplicationId, well: bool, now: u64) {
        let promise = self.applications.get_mut(id).expect("it has its id");
        promise.over.get_or_insert((well, now));
    }

    pub(super) fn next_driver_name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    pub(super) fn submitted(&mut self, id: &SubmissionId, description: &DriverDescription, calm: bool) {
        let remembers = self.remembers();
        let driver = self.drivers.entry(id.clone()).or_default();
        assert!(!driver.told || !remembers, "{id} is given to two drivers");
        driver.told = true;
        driver.supervise = description.supervise;
        driver.calm = calm;
    }

    /// Answers overtake one another; what was asked for after an answer had come is told no less.
    pub(super) fn status_told(&mut self, id: &SubmissionId, status: Option<DriverStatus>, asked_at: u64, now: u64) {
        let remembers = self.remembers();
        let driver = self.drivers.get_mut(id).expect("only those that were submitted are asked for");
        let Some(status) = status else {
            assert!(!remembers, "{id} was submitted, and is unknown");
            return;
        };
        // What follows it has a state of its own.
        if status.message.contains("relaunched as") {
            return;
        }
        if let Some((told, at)) = driver.told_end
            && remembers
            && asked_at > at
        {
            assert_eq!(status.state, told, "{id} had ended");
        }
        if status.state.is_final() && driver.told_end.is_none() {
            driver.told_end = Some((status.state, now));
        }
    }

    pub(super) fn kill_promised(&mut self, id: &SubmissionId) {
        self.drivers.get_mut(id).expect("only those that were submitted are killed").kill_promised = true;
    }

    /// How a driver ends by itself: some fail a few times.
    pub(super) fn exit_code_of(&self, id: &SubmissionId) -> i32 {
        let killed = self.drivers.get(id).is_some_and(|driver| driver.kill_promised && driver.supervise);
        if killed && self.remembers() {
            // It is started again until somebody ends it.
            return 1;
        }
        let starts = self.started.get(&What::Driver(id.clone())).copied().unwrap_or_default();
        let fails = id.as_str().bytes().map(u32::from).sum::<u32>() % 3;
        i32::from(starts <= fails)
    }

    pub(super) fn obeyed(&mut self, worker: usize, incarnation: u32, term: Term) {
        let latest = self.obeyed.entry((worker, incarnation)).or_default();
        assert!(term >= *latest, "worker {worker} obeys term {term} after {latest}");
        *latest = term;
    }

    pub(super) fn process_started(&mut self, worker: usize, host: &WorkerHost, process: &Process) {
        let what = &process.what;
        let starts = self.started.entry(what.clone()).or_default();
        *starts += 1;
        let starts = *starts;
        let remembers = self.remembers();
        match what {
            What::Executor(..) => assert!(starts == 1 || !remembers, "{what:?} is started twice"),
            What::Driver(id) => {
                let driver = self.drivers.entry(id.clone()).or_default();
                let once = starts == 1 || driver.supervise || !driver.told;
                assert!(once || !remembers, "{what:?} is started twice");
                assert!(!self.places.contains_key(what) || !remembers, "{what:?} runs twice");
            }
        }
        self.places.insert(what.clone(), worker);
        let running = self.running.entry(worker).or_default();
        running.insert(what.clone(), process.clone());
        let cores: u32 = running.values().map(|process| process.cores).sum();
        let memory = running.values().fold(ByteCount::ZERO, |sum, process| sum + process.memory);
        assert!(cores <= host.cores, "worker {worker} has {} cores and runs {running:?}", host.cores);
        assert!(memory <= host.memory, "worker {worker} has {} and runs {running:?}", host.memory);
        let mut addresses = BTreeSet::new();
        for resource in running.values().flat_map(|process| &process.resources) {
            for address in &resource.addresses {
                assert!(
                    addresses.insert(address.clone()),
                    "{} {address} of worker {worker} is given twice",
                    resource.name
                );
            }
        }
    }

    /// With its exit code if it ended by itself.
    pub(super) fn process_ended(&mut self, worker: usize, process: &Process, exit_code: Option<i32>) {
        self.running.get_mut(&worker).and_then(|running| running.remove(&process.what)).expect("it was started");
        self.places.remove(&process.what);
        if let What::Driver(id) = &process.what {
            self.drivers.entry(id.clone()).or_default().last_exit = Some(exit_code);
        }
    }

    pub(super) fn drivers(&self) -> Vec<SubmissionId> {
        self.drivers.iter().filter(|(_, driver)| driver.told).map(|(id, _)| id.clone()).collect()
    }

    /// What the leader says of a driver, and of what has followed it last.
    pub(super) fn known_at_the_end(
        &self,
        id: &SubmissionId,
        known: Option<(DriverState, Option<i32>)>,
        latest: Option<DriverState>,
    ) {
        if !self.remembers() {
            return;
        }
        let driver = &self.drivers[id];
        let (state, exit_code) = known.unwrap_or_else(|| panic!("{id} was submitted, and nobody knows it"));
        let ended = state.is_final() || state == DriverState::Relaunching;
        assert!(ended, "{id} is {state}, and nothing runs");
        if let Some((told, _)) = driver.told_end {
            assert_eq!(state, told, "{id}, as a client was told");
        }
        let starts = self.started.get(&What::Driver(id.clone())).copied().unwrap_or_default();
        if driver.kill_promised {
            assert!(latest.is_some_and(DriverState::is_final), "the end of {id} was promised, and it is {latest:?}");
        }
        if driver.calm && !driver.kill_promised {
            assert!(starts > 0, "{id} was never started, and is {state}");
            let expected = match driver.last_exit {
                Some(Some(0)) => DriverState::Finished,
                Some(Some(_)) => DriverState::Failed,
                _ => panic!("{id} ended as {:?} with nothing wrong", driver.last_exit),
            };
            assert_eq!((state, exit_code), (expected, driver.last_exit.flatten()), "{id}");
        }
        if state == DriverState::Finished {
            assert_eq!(driver.last_exit, Some(Some(0)), "{id} is FINISHED");
        }
    }

    /// Nothing happens any more.
    pub(super) fn end(&self, now: u64) {
        assert!(self.running.values().all(BTreeMap::is_empty), "at {now} there still runs {:?}", self.running);
        for (id, promise) in &self.applications {
            let Some((well, at)) = promise.over else { continue };
            if well || promise.killed {
                continue;
            }
            if at > CALM {
                panic!("{id} failed at {at}, when nothing went wrong: {:?}", promise.gave_up);
            }
            if let Some(reason) = promise.gave_up.as_ref().filter(|_| at > FAULTS_END + 60_000) {
                let honest = reason.contains("executors in a row") || !self.remembers();
                assert!(honest, "{id} gave up at {at}: {reason}");
            }
        }
    }

    pub(super) fn tally(&self) -> (u32, u32) {
        let ends = |well| {
            let ended = |promise: &&Promise| promise.over.is_some_and(|(ended_well, _)| ended_well == well);
            self.applications.values().filter(ended).count() as u32
        };
        (ends(true), ends(false))
    }

    pub(super) fn submitted_drivers(&self) -> u32 {
        self.drivers.values().filter(|driver| driver.told).count() as u32
    }
}
