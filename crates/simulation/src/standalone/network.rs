//! Connections between masters and whoever connects to them: each delivers in order or breaks, and what was on it may be lost.

use std::collections::VecDeque;

use firesteel_standalone::{
    master::{MasterEvent, PeerId},
    protocol::{FromMaster, ToMaster},
};

use super::world::{Item, Node, Party, World};

/// Numbers a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct LinkId(pub(super) u64);

/// Which way on a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Direction {
    /// To the master.
    Up,
    /// To whoever has connected.
    Down,
}

/// One way of a connection.
#[derive(Debug)]
pub(super) struct Way<T> {
    messages: VecDeque<T>,
    last_arrival: u64,
    /// What arrives later is lost.
    open_until: u64,
    /// Its reader has seen the end.
    ended: bool,
    end_is_due: bool,
}

impl<T> Way<T> {
    fn new() -> Self {
        Self { messages: VecDeque::new(), last_arrival: 0, open_until: u64::MAX, ended: false, end_is_due: false }
    }
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) party: Party,
    pub(super) master: usize,
    party_incarnation: u32,
    master_incarnation: u32,
    pub(super) peer: PeerId,
    up: Way<ToMaster>,
    down: Way<FromMaster>,
    /// The other side did not close it: it was silent.
    silent: bool,
}

/// How long nothing is heard before a connection is given up.
const IDLE_TIME_OUT: u64 = 20_000;
const LONGEST_PAUSE: u64 = 5000;

impl World {
    pub(super) fn node_is_cut(&self, from: Node, to: Node) -> Option<u64> {
        self.cuts.get(&(from, to)).filter(|until| **until > self.now).copied()
    }

    /// Tries once; a connection is there at once or not at all.
    pub(super) fn connect(&mut self, party: Party, incarnation: u32, master: usize, pause: u64) {
        if self.incarnation(party) != Some(incarnation) || self.link_of(party, master).is_some() {
            return;
        }
        let (here, there) = (Node::Party(party), Node::Master(master));
        let cut = self.node_is_cut(here, there).is_some() || self.node_is_cut(there, here).is_some();
        let host = &mut self.masters[master];
        if cut || host.core.is_none() || self.pauses.get(&there).is_some_and(|until| *until > self.now) {
            self.unreachable(party, master);
            let delay = pause + self.chance.between(0, pause);
            let pause = (pause * 2).min(LONGEST_PAUSE);
            if !matches!(party, Party::Client(_)) {
                self.after(delay, Item::Connect { party, incarnation, master, pause });
            }
            return;
        }
        let peer = PeerId(host.next_peer);
        host.next_peer += 1;
        let master_incarnation = host.incarnation;
        let id = LinkId(self.next_link);
        self.next_link += 1;
        self.note(|| format!("{party:?} is connected to master {master} as {peer:?}"));
        let link = Link {
            party,
            master,
            party_incarnation: incarnation,
            master_incarnation,
            peer,
            up: Way::new(),
            down: Way::new(),
            silent: false,
        };
        self.links.insert(id, link);
        self.master_hears(master, MasterEvent::Connected { peer });
        self.connected(party, master);
    }

    /// The connection that a party has, as far as it knows.
    pub(super) fn link_of(&self, party: Party, master: usize) -> Option<LinkId> {
        self.links
            .iter()
            .find(|(_, link)| link.party == party && link.master == master && !link.down.ended)
            .map(|(id, _)| *id)
    }

    pub(super) fn link_of_peer(&self, master: usize, peer: PeerId) -> Option<LinkId> {
        let incarnation = self.masters[master].incarnation;
        self.links
            .iter()
            .find(|(_, link)| {
                link.master == master && link.peer == peer && link.master_incarnation == incarnation && !link.up.ended
            })
            .map(|(id, _)| *id)
    }

    pub(super) fn send_up(&mut self, party: Party, master: usize, message: ToMaster) {
        let Some(id) = self.link_of(party, master) else { return };
        let (delay, twice) = self.travel();
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.up.last_arrival = link.up.last_arrival.max(now + delay);
        let delay = link.up.last_arrival - now;
        for _ in 0..twice {
            link.up.messages.push_back(message.clone());
        }
        for _ in 0..twice {
            self.after(delay, Item::Deliver(id, Direction::Up));
        }
    }

    pub(super) fn send_down(&mut self, master: usize, peer: PeerId, message: FromMaster) {
        let Some(id) = self.link_of_peer(master, peer) else { return };
        let (delay, twice) = self.travel();
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.down.last_arrival = link.down.last_arrival.max(now + delay);
        let delay = link.down.last_arrival - now;
        for _ in 0..twice {
            link.down.messages.push_back(message.clone());
        }
        for _ in 0..twice {
            self.after(delay, Item::Deliver(id, Direction::Down));
        }
    }

    /// How long a message takes, and how often it comes.
    fn travel(&mut self) -> (u64, usize) {
        let delay = if self.trouble(20) { self.chance.between(1, 6000) } else { self.chance.between(1, 10) };
        let twice = if self.trouble(10) { 2 } else { 1 };
        (delay, twice)
    }

    pub(super) fn deliver(&mut self, id: LinkId, direction: Direction) {
        let Some(link) = self.links.get(&id) else { return };
        let (party, master) = (link.party, link.master);
        let (here, there) = match direction {
            Direction::Up => (Node::Party(party), Node::Master(master)),
            Direction::Down => (Node::Master(master), Node::Party(party)),
        };
        if let Some(until) = self.node_is_cut(here, there) {
            return self.after(until - self.now, Item::Deliver(id, direction));
        }
        if direction == Direction::Up && self.masters[master].stalled.is_some() && self.master_is(id) {
            return self.after(200, Item::Deliver(id, direction));
        }
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        match direction {
            Direction::Up => {
                let message = link.up.messages.pop_front();
                let (peer, heard) = (link.peer, link.up.open_until >= now && !link.up.ended);
                if let Some(message) = message.filter(|_| heard)
                    && self.master_is(id)
                {
                    self.master_hears(master, MasterEvent::Received { peer, message: Box::new(message) });
                }
            }
            Direction::Down => {
                let message = link.down.messages.pop_front();
                let heard = link.down.open_until >= now && !link.down.ended;
                let incarnation = link.party_incarnation;
                if let Some(message) = message.filter(|_| heard)
                    && self.incarnation(party) == Some(incarnation)
                {
                    self.party_hears(party, master, message);
                }
            }
        }
    }

    /// Is the master still the process that has this connection?
    fn master_is(&self, id: LinkId) -> bool {
        let link = &self.links[&id];
        let host = &self.masters[link.master];
        host.core.is_some() && host.incarnation == link.master_incarnation
    }

    /// The connection breaks; each side may still hear what is under way for a while, and learns of it by itself.
    pub(super) fn break_link(&mut self, id: LinkId, silent: bool) {
        let (up, down) = (self.chance.between(0, 300), self.chance.between(0, 300));
        let Some(link) = self.links.get_mut(&id) else { return };
        link.silent |= silent;
        let now = self.now;
        link.up.open_until = link.up.open_until.min(now + up);
        link.down.open_until = link.down.open_until.min(now + down);
        let due = [(Direction::Up, up, &mut link.up.end_is_due), (Direction::Down, down, &mut link.down.end_is_due)];
        let due: Vec<(Direction, u64)> = due
            .into_iter()
            .filter(|(.., due)| !**due)
            .map(|(direction, after, due)| {
                *due = true;
                (direction, after)
            })
            .collect();
        for (direction, delay) in due {
            self.after(delay + 1, Item::LinkEnds(id, direction));
        }
    }

    /// One side of a connection sees its end.
    pub(super) fn link_ends(&mut self, id: LinkId, direction: Direction) {
        let Some(link) = self.links.get(&id) else { return };
        let (party, master, peer, silent) = (link.party, link.master, link.peer, link.silent);
        if direction == Direction::Up && self.masters[master].stalled.is_some() && self.master_is(id) {
            return self.after(200, Item::LinkEnds(id, direction));
        }
        let incarnation = link.party_incarnation;
        let is_master = self.master_is(id);
        let link = self.links.get_mut(&id).expect("it was there");
        let seen = match direction {
            Direction::Up => std::mem::replace(&mut link.up.ended, true),
            Direction::Down => std::mem::replace(&mut link.down.ended, true),
        };
        let both = link.up.ended && link.down.ended;
        if both {
            self.links.remove(&id);
        }
        if seen {
            return;
        }
        match direction {
            Direction::Up if is_master => self.master_hears(master, MasterEvent::Disconnected { peer, silent }),
            Direction::Down if self.incarnation(party) == Some(incarnation) => {
                self.disconnected(party, master);
                let pause = 100;
                let delay = self.chance.between(50, 150);
                if !matches!(party, Party::Client(_)) {
                    self.after(delay, Item::Connect { party, incarnation, master, pause });
                }
            }
            Direction::Up | Direction::Down => {}
        }
    }

    /// All connections of a process that is gone: the other side learns of it.
    pub(super) fn process_gone(&mut self, node: Node) {
        let of_it: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| match node {
                Node::Master(master) => link.master == master,
                Node::Party(party) => link.party == party,
                Node::Election => false,
            })
            .map(|(id, _)| *id)
            .collect();
        for id in of_it {
            self.break_link(id, false);
        }
    }

    /// Nothing gets from one to the other for so long. Connections on which that is noticed are given up.
    pub(super) fn cut(&mut self, from: Node, to: Node, duration: u64) {
        let until = self.now + duration;
        self.note(|| format!("nothing gets from {from:?} to {to:?} for {duration} ms"));
        self.cuts.insert((from, to), until);
        if duration < IDLE_TIME_OUT {
            return;
        }
        let (party, master) = match (from, to) {
            (Node::Party(party), Node::Master(master)) | (Node::Master(master), Node::Party(party)) => (party, master),
            _ => return,
        };
        let of_them: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| link.party == party && link.master == master)
            .map(|(id, _)| *id)
            .collect();
        for id in of_them {
            self.fall_silent(id);
        }
    }

    /// Both sides notice after a while; what was not delivered by then is lost.
    pub(super) fn fall_silent(&mut self, id: LinkId) {
        let (up, down) = (self.chance.between(0, 5000), self.chance.between(0, 5000));
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.silent = true;
        link.up.open_until = link.up.open_until.min(now + IDLE_TIME_OUT + up);
        link.down.open_until = link.down.open_until.min(now + IDLE_TIME_OUT + down);
        link.up.end_is_due = true;
        link.down.end_is_due = true;
        self.after(IDLE_TIME_OUT + up + 1, Item::LinkEnds(id, Direction::Up));
        self.after(IDLE_TIME_OUT + down + 1, Item::LinkEnds(id, Direction::Down));
    }
}
