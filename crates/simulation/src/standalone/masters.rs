//! Masters as processes: they perform commands in order, and stop where a record cannot be kept.

use std::collections::VecDeque;
use std::time::Duration;

use firesteel_standalone::{
    Term,
    master::{Master, MasterCommand, MasterEvent, MasterOptions, PeerId, Stored},
    protocol::{FromMaster, ToWorker},
};

use super::{
    election::Mode,
    world::{Item, Node, World},
};

#[derive(Debug)]
pub(super) struct MasterHost {
    index: usize,
    pub(super) core: Option<Master>,
    pub(super) incarnation: u32,
    started: u64,
    pub(super) next_peer: u64,
    pub(super) had_session: bool,
    /// The term that it thinks it has.
    term: u64,
    /// What it still has to do, while the service cannot be reached.
    pub(super) stalled: Option<VecDeque<MasterCommand>>,
}

impl MasterHost {
    pub(super) fn new(index: usize) -> Self {
        Self { index, core: None, incarnation: 0, started: 0, next_peer: 0, had_session: false, term: 0, stalled: None }
    }
}

impl World {
    pub(super) fn start_master(&mut self, index: usize) {
        if self.masters[index].core.is_some() {
            return;
        }
        let options = MasterOptions {
            url: format!("spark://m{index}:7077"),
            alone: self.election.mode != Mode::Elected,
            worker_timeout: Duration::from_secs(60),
            recovery_timeout: Duration::from_secs(self.chance.between(20, 60)),
            max_executor_retries: Some(6),
            ..MasterOptions::default()
        };
        let seed = self.chance.next();
        let now = self.now;
        let host = &mut self.masters[index];
        *host = MasterHost { incarnation: host.incarnation + 1, started: now, ..MasterHost::new(host.index) };
        host.core = Some(Master::new(options, seed));
        self.note(|| format!("master {index} starts"));
    }

    /// The process is gone, as if by a signal.
    pub(super) fn master_gone(&mut self, index: usize, restart_after: u64) {
        self.note(|| format!("master {index} is gone"));
        self.masters[index].core = None;
        self.masters[index].stalled = None;
        self.process_gone(Node::Master(index));
        self.after(restart_after, Item::StartMaster(index));
    }

    pub(super) fn elected(&mut self, index: usize, incarnation: u32, term: u64) {
        let leads = self.election.leader() == Some((index, incarnation));
        if self.masters[index].core.is_none() || self.masters[index].incarnation != incarnation || !leads {
            return;
        }
        let stored = if self.election.mode == Mode::None { Stored::default() } else { self.election.store.read() };
        self.masters[index].term = term;
        self.elections += 1;
        self.oracle.elected(term);
        self.master_hears(index, MasterEvent::Elected { term: Term(term), stored });
    }

    pub(super) fn leadership_lost(&mut self, index: usize, incarnation: u32) {
        if self.masters[index].core.is_none() || self.masters[index].incarnation != incarnation {
            return;
        }
        // A standby whose session is gone is of no use either.
        self.master_hears(index, MasterEvent::Deposed);
        if self.masters[index].core.is_some() {
            self.master_gone(index, 1000);
        }
    }

    pub(super) fn master_deadline(&mut self, index: usize, incarnation: u32) {
        if self.masters[index].incarnation != incarnation {
            return;
        }
        if self.masters[index].stalled.is_some() {
            return self.after(200, Item::MasterDeadline(index, incarnation));
        }
        let now = self.clocks(Node::Master(index), self.masters[index].started).moment;
        let due = |core: &Master| core.next_deadline().is_some_and(|at| at <= now);
        if self.masters[index].core.as_ref().is_some_and(due) {
            self.master_hears(index, MasterEvent::DeadlineReached);
            let again = self.masters[index].core.as_ref().is_some_and(due);
            assert!(!again, "a deadline does not go away when it is met");
        }
    }

    pub(super) fn master_hears(&mut self, index: usize, event: MasterEvent) {
        self.note(|| format!("master {index} -> {event:?}"));
        self.events += 1;
        let now = self.clocks(Node::Master(index), self.masters[index].started);
        let Some(core) = &mut self.masters[index].core else { return };
        let commands = core.handle_all(now, [event]);
        core.assert_invariants();
        self.perform(index, commands.into());
        self.await_master_deadline(index);
    }

    fn await_master_deadline(&mut self, index: usize) {
        let host = &self.masters[index];
        let Some(at) = host.core.as_ref().and_then(Master::next_deadline) else { return };
        let (incarnation, delay) = (host.incarnation, (at.0 + host.started).saturating_sub(self.now));
        self.after(delay, Item::MasterDeadline(index, incarnation));
    }

    /// In order. Who cannot reach the service waits, and does nothing else until then.
    fn perform(&mut self, index: usize, mut commands: VecDeque<MasterCommand>) {
        if let Some(stalled) = &mut self.masters[index].stalled {
            stalled.append(&mut commands);
            return;
        }
        let incarnation = self.masters[index].incarnation;
        while let Some(command) = commands.pop_front() {
            if self.masters[index].incarnation != incarnation || self.masters[index].core.is_none() {
                return;
            }
            self.note(|| format!("master {index} <- {command:?}"));
            match command {
                MasterCommand::Send { peer, message } => self.master_says(index, peer, *message),
                MasterCommand::Store(_) | MasterCommand::Erase(_) | MasterCommand::Confirm => {
                    if self.election.mode == Mode::Elected && !self.reaches_election(index) {
                        commands.push_front(command);
                        self.masters[index].stalled = Some(commands);
                        return;
                    }
                    let term = self.masters[index].term;
                    if !self.election.write(term, command) {
                        self.fenced += 1;
                        self.note(|| format!("master {index} may not write any more"));
                        let delay = self.chance.between(500, 5000);
                        return self.master_gone(index, delay);
                    }
                    if self.trouble(1) {
                        let delay = self.chance.between(1000, 40_000);
                        return self.master_gone(index, delay);
                    }
                }
                MasterCommand::Log { .. } => {}
                MasterCommand::Exit => {
                    let delay = self.chance.between(500, 5000);
                    return self.master_gone(index, delay);
                }
            }
        }
    }

    /// A master whose write waited may reach the service again.
    pub(super) fn go_on(&mut self, index: usize) {
        if self.masters[index].stalled.is_some() && self.reaches_election(index) {
            let commands = self.masters[index].stalled.take().unwrap_or_default();
            self.perform(index, commands);
        }
    }

    fn master_says(&mut self, index: usize, peer: PeerId, message: FromMaster) {
        if let FromMaster::Worker(ToWorker::LaunchExecutor(launch)) = &message {
            self.oracle.executor_ordered(&launch.application_id, launch.executor, launch.term);
        }
        self.send_down(index, peer, message);
    }
}
