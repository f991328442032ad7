//! Who leads, and what leaders keep: ZooKeeper or a majority of masters, as the masters see it.

use firesteel_standalone::master::{MasterCommand, StoredMap};

use super::world::{Item, Node, World};

/// `spark.deploy.recoveryMode`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// One master, and nothing outlives it.
    None,
    /// One master, whose records outlive it.
    FileSystem,
    /// Several, of which one is elected.
    Elected,
}

/// The service.
#[derive(Debug)]
pub(super) struct Election {
    pub(super) mode: Mode,
    /// Who leads by its books, and for which term records may be written.
    leader: Option<(usize, u32)>,
    pub(super) term: u64,
    sessions: Vec<Session>,
    pub(super) store: StoredMap,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    master: usize,
    incarnation: u32,
    heard_at: u64,
}

/// A session ends after so much silence.
const SESSION_TIME_OUT: u64 = 6000;
const TICK: u64 = 500;

impl Election {
    pub(super) fn new(mode: Mode) -> Self {
        Self { mode, leader: None, term: 0, sessions: Vec::new(), store: StoredMap::default() }
    }

    /// The leader by its books.
    pub(super) fn leader(&self) -> Option<(usize, u32)> {
        self.leader
    }

    /// Keeps or forgets records for the leader of a term; false if it is not the leader any more.
    pub(super) fn write(&mut self, term: u64, command: MasterCommand) -> bool {
        if self.mode == Mode::None {
            return true;
        }
        if term != self.term {
            return false;
        }
        match command {
            MasterCommand::Store(record) => self.store.store(*record),
            MasterCommand::Erase(key) => self.store.erase(&key),
            MasterCommand::Confirm => {}
            other => panic!("{other:?} is no write"),
        }
        true
    }

    /// The next term, after all others; close to the clock, so that a change of the mode goes on from it.
    fn next_term(&mut self, wall_clock_ms: i64) -> u64 {
        let clock = wall_clock_ms.unsigned_abs();
        self.term = if self.mode == Mode::None { clock } else { clock.max(self.term + 1) };
        self.term
    }
}

impl World {
    /// Can a master speak with the service now?
    pub(super) fn reaches_election(&self, master: usize) -> bool {
        let (here, there) = (Node::Master(master), Node::Election);
        self.node_is_cut(here, there).is_none() && self.node_is_cut(there, here).is_none()
    }

    pub(super) fn election_tick(&mut self) {
        self.after(TICK, Item::ElectionTick);
        for index in 0..self.masters.len() {
            if self.masters[index].core.is_some() && self.paused(Node::Master(index)).is_none() {
                self.keep_session(index);
                self.go_on(index);
            }
        }
        if self.election.mode != Mode::Elected {
            return;
        }
        let now = self.now;
        let expired: Vec<Session> = self
            .election
            .sessions
            .iter()
            .filter(|session| now - session.heard_at > SESSION_TIME_OUT)
            .copied()
            .collect();
        for session in expired {
            self.note(|| format!("the session of master {} has expired", session.master));
            self.election
                .sessions
                .retain(|other| (other.master, other.incarnation) != (session.master, session.incarnation));
            if self.election.leader == Some((session.master, session.incarnation)) {
                self.election.leader = None;
            }
            // It learns of it sooner or later; until then it may think that it leads.
            let delay = self.chance.between(0, 20_000);
            self.after(delay, Item::LeadershipLost(session.master, session.incarnation));
        }
        if self.election.leader.is_none() && !self.election.sessions.is_empty() {
            let chosen = self.chance.between(0, self.election.sessions.len() as u64 - 1) as usize;
            let Session { master, incarnation, .. } = self.election.sessions[chosen];
            self.election.leader = Some((master, incarnation));
            let wall_clock_ms = self.clocks(Node::Master(master), self.now).wall_clock_ms;
            let term = self.election.next_term(wall_clock_ms);
            let delay = self.chance.between(10, 500);
            self.after(delay, Item::Elected(master, incarnation, term));
        }
    }

    fn keep_session(&mut self, index: usize) {
        let incarnation = self.masters[index].incarnation;
        let now = self.now;
        match self.election.mode {
            Mode::None | Mode::FileSystem => {
                if self.election.leader != Some((index, incarnation)) {
                    self.election.leader = Some((index, incarnation));
                    let wall_clock_ms = self.clocks(Node::Master(index), now).wall_clock_ms;
                    let term = self.election.next_term(wall_clock_ms);
                    self.after(10, Item::Elected(index, incarnation, term));
                }
            }
            Mode::Elected => {
                if !self.reaches_election(index) {
                    return;
                }
                let of_it = |session: &&mut Session| (session.master, session.incarnation) == (index, incarnation);
                match self.election.sessions.iter_mut().find(of_it) {
                    Some(session) => session.heard_at = now,
                    // A process has one session in its life.
                    None if !self.masters[index].had_session => {
                        self.masters[index].had_session = true;
                        self.election.sessions.push(Session { master: index, incarnation, heard_at: now });
                    }
                    None => {}
                }
            }
        }
    }
}
