//! The driver's side of the master: Spark's `StandaloneAppClient` (SA-38).
//!
//! It registers with whichever master leads, and again whenever another one does or the connection was lost. Running tasks need
//! no master, so nothing ends because there is none; only an application that no master has ever taken gives up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use firesteel_model::{ApplicationId, ByteCount, ExecutorLossReason, Moment, WorkerId};

use crate::{
    ApplicationDescription, ExecutorState, Term,
    protocol::{ExecutorNumber, FromApplication, FromMaster, KnownApplication, Leader, ToApplication, ToMaster},
};

/// How often it is tried to register at first, and how long each time (SA-38).
const REGISTRATION_ATTEMPTS: u32 = 3;
const REGISTRATION_TIME_OUT: Duration = Duration::from_secs(20);
/// How long executors that are starting get to register when the application stops, to be told by the driver that they are not needed.
const START_TIME_OUT: Duration = Duration::from_secs(1);
/// How long executors get after that to end by themselves.
const STOP_TIME_OUT: Duration = Duration::from_secs(4);
/// How long their workers get to end those that did not.
const KILL_TIME_OUT: Duration = Duration::from_secs(12);

/// One thing that happened. Masters are numbered as they were listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApplicationEvent {
    /// There is a connection.
    Connected {
        /// To which master.
        master: usize,
    },
    /// A master has said something.
    Message {
        /// Which.
        master: usize,
        /// What.
        message: Box<FromMaster>,
    },
    /// A connection has ended.
    Disconnected {
        /// To which master.
        master: usize,
    },
    /// There is no connection.
    Unreachable {
        /// To which master.
        master: usize,
        /// Why.
        reason: String,
        /// It is of no use to try again.
        refused: bool,
    },
    /// An executor has registered with the driver.
    ExecutorReady {
        /// Which.
        executor: ExecutorNumber,
    },
    /// The driver wants an executor to end.
    KillExecutor {
        /// Which.
        executor: ExecutorNumber,
        /// Another one is to follow.
        replace: bool,
    },
    /// The driver wants so many executors in all.
    RequestExecutors {
        /// The sum.
        total: u32,
    },
    /// The application is about to end its executors: none is to follow.
    Stopping,
    /// The application has ended.
    Stop,
    /// The moment of [`ApplicationClient::next_deadline`] is there.
    DeadlineReached,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApplicationCommand {
    /// Say this to a master.
    Send {
        /// Which.
        master: usize,
        /// What.
        message: Box<ToMaster>,
    },
    /// The application is listed there.
    Registered(Leader),
    /// An executor will come.
    ExecutorAdded {
        /// Which.
        executor: ExecutorNumber,
        /// Where.
        worker_id: WorkerId,
        /// The name that its host is reached by.
        host: String,
        /// Where its output can be seen.
        log_url: String,
        /// How many cores it has.
        cores: u32,
        /// How much memory it has.
        memory: ByteCount,
    },
    /// An executor has ended. Comes once for each.
    ExecutorLost {
        /// Which.
        executor: ExecutorNumber,
        /// Why.
        reason: ExecutorLossReason,
        /// Its worker is gone, and what it had on disk.
        worker_lost: bool,
    },
    /// Why there are fewer executors than are wanted; none if that is over (AS-01).
    Waits(Option<String>),
    /// There will be no executors any more.
    GiveUp(String),
    /// The master knows how many executors are wanted.
    RequestTaken {
        /// The sum.
        total: u32,
    },
    /// For whoever reads the driver's log.
    Log(String),
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct ApplicationClient {
    masters: Vec<String>,
    description: ApplicationDescription,
    known: KnownApplication,
    state: State,
    /// Masters that there is a connection to.
    connected: BTreeSet<usize>,
    /// Why others cannot be reached, and whether that will stay so.
    unreachable: BTreeMap<usize, (String, bool)>,
    leader: Option<Leader>,
    live: BTreeSet<ExecutorNumber>,
    /// Those that have registered with the driver, and will hear from it.
    ready: BTreeSet<ExecutorNumber>,
    waits: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No master has taken it yet.
    Registering { attempt: u32, until: Moment },
    /// A master has it.
    Registered { master: usize },
    /// A master had it.
    Waiting,
    /// It has ended, and its executors are ending by themselves.
    Stopping { master: usize, until: Moment, killed: Killed },
    /// It has ended, or given up.
    Ended,
}

/// Which executors of an application that ends were not left to themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Killed {
    None,
    /// Those that the driver cannot tell to end.
    Starting,
    All,
}

impl ApplicationClient {
    /// A client that has not said anything yet. `masters` are their URLs, for messages; the id is one that a master has given.
    pub fn new(
        now: Moment,
        masters: Vec<String>,
        application_id: ApplicationId,
        submitted_ms: i64,
        description: ApplicationDescription,
    ) -> Self {
        Self {
            masters,
            known: KnownApplication {
                application_id,
                next_executor: 0,
                submitted_ms,
                executors: Vec::new(),
                requested: description.executor_limit,
                term: Term::default(),
            },
            description,
            state: State::Registering { attempt: 1, until: now + REGISTRATION_TIME_OUT },
            connected: BTreeSet::new(),
            unreachable: BTreeMap::new(),
            leader: None,
            live: BTreeSet::new(),
            ready: BTreeSet::new(),
            waits: None,
        }
    }

    /// Takes note of an event.
    pub fn handle(&mut self, now: Moment, event: ApplicationEvent) -> Vec<ApplicationCommand> {
        let mut commands = Vec::new();
        if self.state == State::Ended {
            return commands;
        }
        match event {
            ApplicationEvent::Connected { master } => {
                self.connected.insert(master);
                self.unreachable.remove(&master);
                commands.push(self.register(master));
            }
            ApplicationEvent::Message { master, message } => self.hear(master, *message, &mut commands),
            ApplicationEvent::Disconnected { master } => self.disconnected(master, &mut commands),
            ApplicationEvent::Unreachable { master, reason, refused } => {
                self.unreachable.insert(master, (reason, refused));
                let all_refuse = (0..self.masters.len())
                    .all(|master| self.unreachable.get(&master).is_some_and(|(_, refused)| *refused));
                if all_refuse && matches!(self.state, State::Registering { .. }) {
                    self.give_up("No master takes this application", &mut commands);
                }
            }
            ApplicationEvent::ExecutorReady { executor } => {
                self.ready.insert(executor);
                commands.extend(self.tell(FromApplication::ExecutorReady { executor }));
            }
            ApplicationEvent::KillExecutor { executor, replace } => {
                if !replace && self.live.contains(&executor) {
                    // Those that are left are all that is wanted.
                    let left = u32::try_from(self.live.len() - 1).unwrap_or(u32::MAX);
                    let total = self.known.requested.map_or(left, |requested| requested.min(left));
                    self.known.requested = Some(total);
                    commands.extend(self.tell(FromApplication::RequestExecutors { total }));
                }
                commands.extend(self.tell(FromApplication::KillExecutors { executors: vec![executor] }));
            }
            ApplicationEvent::RequestExecutors { total } => {
                self.known.requested = Some(total);
                commands.extend(self.tell(FromApplication::RequestExecutors { total }));
            }
            ApplicationEvent::Stopping => {
                self.known.requested = Some(0);
                commands.extend(self.tell(FromApplication::RequestExecutors { total: 0 }));
            }
            ApplicationEvent::Stop => {
                self.state = match self.state {
                    State::Registered { master } => {
                        State::Stopping { master, until: now + START_TIME_OUT, killed: Killed::None }
                    }
                    _ => State::Ended,
                };
            }
            ApplicationEvent::DeadlineReached => self.registration_late(now, &mut commands),
        }
        self.end_if_stopped(now, &mut commands);
        commands
    }

    /// When it must be told [`ApplicationEvent::DeadlineReached`]; none while nothing is waited for.
    pub fn next_deadline(&self) -> Option<Moment> {
        match self.state {
            State::Registering { until, .. } | State::Stopping { until, .. } => Some(until),
            State::Registered { .. } | State::Waiting | State::Ended => None,
        }
    }

    /// Does nothing follow any more?
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn kill(&self, executors: Vec<ExecutorNumber>) -> Option<ApplicationCommand> {
        if executors.is_empty() { None } else { self.tell(FromApplication::KillExecutors { executors }) }
    }

    /// What has not ended in time is ended by its worker.
    fn end_if_stopped(&mut self, now: Moment, commands: &mut Vec<ApplicationCommand>) {
        let State::Stopping { master, until, killed } = self.state else { return };
        let waits = !self.live.is_empty() && now < until;
        if waits {
            return;
        }
        let next = match killed {
            _ if self.live.is_empty() => None,
            Killed::None => {
                let starting = self.live.difference(&self.ready).copied().collect();
                Some((starting, Killed::Starting, STOP_TIME_OUT))
            }
            Killed::Starting => Some((self.live.iter().copied().collect(), Killed::All, KILL_TIME_OUT)),
            Killed::All => None,
        };
        if let Some((executors, killed, time)) = next {
            commands.extend(self.kill(executors));
            self.state = State::Stopping { master, until: now + time, killed };
        } else {
            let message = Box::new(ToMaster::Application(FromApplication::Unregister));
            commands.push(ApplicationCommand::Send { master, message });
            self.state = State::Ended;
        }
    }

    /// Whose word counts now.
    fn master(&self) -> Option<usize> {
        match self.state {
            State::Registered { master } | State::Stopping { master, .. } => Some(master),
            State::Registering { .. } | State::Waiting | State::Ended => None,
        }
    }

    fn register(&self, master: usize) -> ApplicationCommand {
        let known = KnownApplication { executors: self.live.iter().copied().collect(), ..self.known.clone() };
        let message = FromApplication::Register { description: self.description.clone(), known: Some(Box::new(known)) };
        ApplicationCommand::Send { master, message: Box::new(ToMaster::Application(message)) }
    }

    /// To the master that has it; nothing is lost without one, as the next registration says the same.
    fn tell(&self, message: FromApplication) -> Option<ApplicationCommand> {
        let master = self.master()?;
        Some(ApplicationCommand::Send { master, message: Box::new(ToMaster::Application(message)) })
    }

    fn hear(&mut self, master: usize, message: FromMaster, commands: &mut Vec<ApplicationCommand>) {
        match message {
            FromMaster::MasterLeads(leader) => {
                // Of an older term, it is a deposed one, unless it is alone and its clock was set back: then it has to be told.
                let newer = self.leader.as_ref().is_none_or(|known| known.term <= leader.term);
                if (newer || self.state == State::Waiting)
                    && self.master() != Some(master)
                    && !matches!(self.state, State::Stopping { .. })
                {
                    commands.push(self.register(master));
                }
            }
            FromMaster::Application(message) => self.told(master, message, commands),
            FromMaster::MasterInStandby | FromMaster::Worker(_) | FromMaster::Client(_) | FromMaster::Artifacts(_) => {}
        }
    }

    fn told(&mut self, master: usize, message: ToApplication, commands: &mut Vec<ApplicationCommand>) {
        if let ToApplication::Registered { leader, submitted_ms, .. } = message {
            // A master that was deposed and does not know it is not listened to.
            if self.leader.as_ref().is_some_and(|known| known.term > leader.term)
                || matches!(self.state, State::Stopping { .. })
            {
                return;
            }
            self.state = State::Registered { master };
            self.known.submitted_ms = submitted_ms;
            self.known.term = leader.term;
            self.leader = Some(leader.clone());
            commands.push(ApplicationCommand::Registered(leader));
            self.set_waits(None, commands);
            return;
        }
        if self.master() != Some(master) {
            if let ToApplication::Removed { message } = message {
                self.give_up(&format!("Master removed our application: {message}"), commands);
            }
            return;
        }
        match message {
            ToApplication::Registered { .. } => {}
            ToApplication::ExecutorAdded { executor, worker_id, host, log_url, cores, memory } => {
                // One that was heard of is there already, or has ended.
                if executor >= self.known.next_executor {
                    self.known.next_executor = executor + 1;
                    self.live.insert(executor);
                    commands.push(ApplicationCommand::ExecutorAdded {
                        executor,
                        worker_id,
                        host,
                        log_url,
                        cores,
                        memory,
                    });
                }
            }
            ToApplication::ExecutorUpdated { executor, state, reason, worker_lost } => {
                self.ready.retain(|ready| !state.is_final() || *ready != executor);
                if state.is_final() && self.live.remove(&executor) {
                    let reason = reason.unwrap_or_else(|| unexplained(state));
                    commands.push(ApplicationCommand::ExecutorLost { executor, reason, worker_lost });
                }
            }
            ToApplication::RequestTaken { total } => commands.push(ApplicationCommand::RequestTaken { total }),
            ToApplication::Waits { reason } => self.set_waits(reason, commands),
            ToApplication::Removed { message } => {
                self.give_up(&format!("Master removed our application: {message}"), commands);
            }
        }
    }

    fn set_waits(&mut self, reason: Option<String>, commands: &mut Vec<ApplicationCommand>) {
        if self.waits != reason {
            self.waits.clone_from(&reason);
            commands.push(ApplicationCommand::Waits(reason));
        }
    }

    fn disconnected(&mut self, master: usize, commands: &mut Vec<ApplicationCommand>) {
        self.connected.remove(&master);
        if let State::Stopping { master: stopping, .. } = self.state
            && stopping == master
        {
            // Nobody is left to tell. Executors have been told by the driver.
            self.state = State::Ended;
        }
        if self.state != (State::Registered { master }) {
            return;
        }
        self.state = State::Waiting;
        let url = &self.masters[master];
        commands.push(ApplicationCommand::Log(format!(
            "Connection to {url} failed; waiting for master to reconnect... Running tasks go on"
        )));
        let reason = format!("the connection to the master {url} is lost, and no other master has answered yet");
        self.set_waits(Some(reason), commands);
    }

    fn registration_late(&mut self, now: Moment, commands: &mut Vec<ApplicationCommand>) {
        let State::Registering { attempt, until } = self.state else { return };
        if now < until {
            return;
        }
        if attempt >= REGISTRATION_ATTEMPTS {
            return self.give_up("All masters are unresponsive! Giving up", commands);
        }
        self.state = State::Registering { attempt: attempt + 1, until: now + REGISTRATION_TIME_OUT };
        for &master in &self.connected {
            commands.push(self.register(master));
        }
        let reason = format!(
            "no master has taken the application within {} s ({})",
            REGISTRATION_TIME_OUT.as_secs() * u64::from(attempt),
            self.what_masters_say()
        );
        self.set_waits(Some(reason), commands);
    }

    fn give_up(&mut self, why: &str, commands: &mut Vec<ApplicationCommand>) {
        let reason = match self.what_masters_say() {
            said if said.is_empty() => why.to_owned(),
            said => format!("{why} ({said})"),
        };
        self.state = State::Ended;
        commands.push(ApplicationCommand::GiveUp(reason));
    }

    fn what_masters_say(&self) -> String {
        let say = |(index, url): (usize, &String)| match self.unreachable.get(&index) {
            Some((reason, _)) => Some(format!("{url}: {reason}")),
            None if self.state == (State::Registered { master: index }) => None,
            None if self.connected.contains(&index) => Some(format!("{url}: connected, but it does not lead")),
            None => Some(format!("{url}: not connected yet")),
        };
        if matches!(self.state, State::Registered { .. }) {
            return String::new();
        }
        self.masters.iter().enumerate().filter_map(say).collect::<Vec<_>>().join("; ")
    }
}

/// An end of which the master says no more than the state.
fn unexplained(state: ExecutorState) -> ExecutorLossReason {
    match state {
        ExecutorState::Decommissioned => ExecutorLossReason::Decommissioned,
        _ => ExecutorLossReason::Exited {
            exit_code: None,
            signal: None,
            caused_by_app: false,
            detail: format!("its worker says that it is {state}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExecutorDemand, LaunchData};

    fn description() -> ApplicationDescription {
        ApplicationDescription {
            name: "a".to_owned(),
            user: "u".to_owned(),
            max_cores: None,
            executor: ExecutorDemand { cores: None, memory: ByteCount::gib(1), resources: Vec::new() },
            executor_limit: None,
            web_ui_url: String::new(),
            queue: String::new(),
            launch: LaunchData::default(),
        }
    }

    fn client(masters: usize) -> ApplicationClient {
        let urls = (0..masters).map(|index| format!("spark://m{index}:7077")).collect();
        ApplicationClient::new(Moment(0), urls, "app-1".into(), 5, description())
    }

    fn leader(term: u64) -> Leader {
        Leader { term: Term(term), url: format!("spark://t{term}"), web_ui_url: String::new() }
    }

    fn registered(term: u64) -> FromMaster {
        FromMaster::Application(ToApplication::Registered {
            application_id: "app-1".into(),
            submitted_ms: 5,
            leader: leader(term),
        })
    }

    fn said(client: &mut ApplicationClient, master: usize, message: FromMaster) -> Vec<ApplicationCommand> {
        client.handle(Moment(1), ApplicationEvent::Message { master, message: Box::new(message) })
    }

    fn registers_with(commands: &[ApplicationCommand]) -> Vec<(usize, ExecutorNumber)> {
        let register = |command: &ApplicationCommand| match command {
            ApplicationCommand::Send { master, message } => match &**message {
                ToMaster::Application(FromApplication::Register { known: Some(known), .. }) => {
                    Some((*master, known.next_executor))
                }
                _ => None,
            },
            _ => None,
        };
        commands.iter().filter_map(register).collect()
    }

    fn added(executor: ExecutorNumber) -> FromMaster {
        FromMaster::Application(ToApplication::ExecutorAdded {
            executor,
            worker_id: "w".into(),
            host: "h".to_owned(),
            log_url: String::new(),
            cores: 1,
            memory: ByteCount::gib(1),
        })
    }

    #[test]
    fn it_registers_with_each_master_and_stays_with_the_one_that_answers() {
        let mut client = client(2);
        for master in 0..2 {
            let commands = client.handle(Moment(0), ApplicationEvent::Connected { master });
            assert_eq!(registers_with(&commands), [(master, 0)]);
        }
        assert_eq!(said(&mut client, 0, FromMaster::MasterInStandby), []);
        assert_eq!(said(&mut client, 1, registered(3)), [ApplicationCommand::Registered(leader(3))]);
        assert_eq!(client.next_deadline(), None);
        assert_eq!(said(&mut client, 1, added(0)).len(), 1);
        assert_eq!(said(&mut client, 1, added(0)), [], "said twice");
        assert_eq!(said(&mut client, 0, added(1)), [], "another master has nothing to say");

        // The leader dies: nothing ends, and the next one hears what was there.
        let commands = client.handle(Moment(2), ApplicationEvent::Disconnected { master: 1 });
        assert!(matches!(&commands[..], [ApplicationCommand::Log(_), ApplicationCommand::Waits(Some(_))]));
        let commands = said(&mut client, 0, FromMaster::MasterLeads(leader(4)));
        assert_eq!(registers_with(&commands), [(0, 1)]);
        let commands = said(&mut client, 0, registered(4));
        assert_eq!(commands, [ApplicationCommand::Registered(leader(4)), ApplicationCommand::Waits(None)]);
        // The old one comes back and believes to lead.
        assert_eq!(registers_with(&said(&mut client, 1, FromMaster::MasterLeads(leader(3)))), []);
        assert_eq!(said(&mut client, 1, registered(3)), []);
    }

    #[test]
    fn an_executor_is_lost_once() {
        let mut client = client(1);
        client.handle(Moment(0), ApplicationEvent::Connected { master: 0 });
        said(&mut client, 0, registered(1));
        said(&mut client, 0, added(0));
        let lost = FromMaster::Application(ToApplication::ExecutorUpdated {
            executor: 0,
            state: ExecutorState::Lost,
            reason: None,
            worker_lost: true,
        });
        assert!(matches!(said(&mut client, 0, lost.clone())[..], [ApplicationCommand::ExecutorLost { .. }]));
        assert_eq!(said(&mut client, 0, lost), []);
    }

    #[test]
    fn an_executor_that_is_not_to_be_replaced_is_wanted_no_more() {
        let mut client = client(1);
        client.handle(Moment(0), ApplicationEvent::Connected { master: 0 });
        said(&mut client, 0, registered(1));
        said(&mut client, 0, added(0));
        said(&mut client, 0, added(1));
        let told = |commands: Vec<ApplicationCommand>| -> Vec<FromApplication> {
            let of = |command| match command {
                ApplicationCommand::Send { message, .. } => match *message {
                    ToMaster::Application(message) => Some(message),
                    _ => None,
                },
                _ => None,
            };
            commands.into_iter().filter_map(of).collect()
        };
        let kill = |executor| FromApplication::KillExecutors { executors: vec![executor] };
        let replaced = client.handle(Moment(1), ApplicationEvent::KillExecutor { executor: 0, replace: true });
        assert_eq!(told(replaced), [kill(0)]);
        let not_replaced = client.handle(Moment(1), ApplicationEvent::KillExecutor { executor: 1, replace: false });
        assert_eq!(told(not_replaced), [FromApplication::RequestExecutors { total: 1 }, kill(1)]);
        let stopping = client.handle(Moment(2), ApplicationEvent::Stopping);
        assert_eq!(told(stopping), [FromApplication::RequestExecutors { total: 0 }]);
    }

    #[test]
    fn the_end_waits_for_executors_and_not_for_ever() {
        let unregister = |commands: &[ApplicationCommand]| {
            let farewell = ToMaster::Application(FromApplication::Unregister);
            commands.contains(&ApplicationCommand::Send { master: 0, message: Box::new(farewell) })
        };
        for in_time in [true, false] {
            let mut client = client(1);
            client.handle(Moment(0), ApplicationEvent::Connected { master: 0 });
            said(&mut client, 0, registered(1));
            said(&mut client, 0, added(0));
            client.handle(Moment(1), ApplicationEvent::ExecutorReady { executor: 0 });
            assert_eq!(client.handle(Moment(1), ApplicationEvent::Stop), []);
            let commands = if in_time {
                let ended = ToApplication::ExecutorUpdated {
                    executor: 0,
                    state: ExecutorState::Exited,
                    reason: None,
                    worker_lost: false,
                };
                said(&mut client, 0, FromMaster::Application(ended))
            } else {
                // It is ready, and not one of those that are starting.
                let first = client.handle(client.next_deadline().unwrap(), ApplicationEvent::DeadlineReached);
                assert_eq!(first, []);
                let killed = client.handle(client.next_deadline().unwrap(), ApplicationEvent::DeadlineReached);
                let kill = ToMaster::Application(FromApplication::KillExecutors { executors: vec![0] });
                assert_eq!(killed, [ApplicationCommand::Send { master: 0, message: Box::new(kill) }]);
                client.handle(client.next_deadline().unwrap(), ApplicationEvent::DeadlineReached)
            };
            assert!(unregister(&commands) && client.has_ended(), "{in_time}: {commands:?}");
        }
    }

    #[test]
    fn an_application_that_no_master_takes_gives_up_and_says_what_each_has_said() {
        let mut client = client(2);
        client.handle(Moment(0), ApplicationEvent::Connected { master: 0 });
        let unreachable =
            ApplicationEvent::Unreachable { master: 1, reason: "nobody listens".to_owned(), refused: false };
        client.handle(Moment(0), unreachable);
        let mut commands = Vec::new();
        for _ in 0..3 {
            let deadline = client.next_deadline().unwrap();
            commands = client.handle(deadline, ApplicationEvent::DeadlineReached);
        }
        let [ApplicationCommand::GiveUp(reason)] = &commands[..] else { panic!("{commands:?}") };
        assert!(reason.starts_with("All masters are unresponsive! Giving up"), "{reason}");
        assert!(reason.contains("m0:7077: connected, but it does not lead; "), "{reason}");
        assert!(reason.contains("m1:7077: nobody listens"), "{reason}");
        assert_eq!((client.next_deadline(), client.handle(Moment(99), ApplicationEvent::Stop)), (None, vec![]));
    }

    #[test]
    fn a_wrong_secret_is_told_at_once() {
        let mut client = client(1);
        let refused = ApplicationEvent::Unreachable { master: 0, reason: "another secret".to_owned(), refused: true };
        let commands = client.handle(Moment(0), refused);
        assert!(matches!(&commands[..], [ApplicationCommand::GiveUp(reason)] if reason.contains("another secret")));
    }
}
