//! What goes wrong.

use firesteel_standalone::master::MasterEvent;

use super::{
    election::Mode,
    network::LinkId,
    world::{FAULTS_END, Item, Node, Party, World},
};

impl World {
    pub(super) fn fault(&mut self) {
        if self.now >= FAULTS_END {
            return;
        }
        let pause = self.chance.between(500, 20_000 / self.faults);
        self.after(pause, Item::Fault);
        let masters = self.masters.len() as u64;
        let master = self.chance.between(0, masters - 1) as usize;
        let party = self.any_party();
        match self.chance.between(0, 99) {
            0..=9 => {
                if self.masters[master].core.is_some() {
                    let delay = self.chance.between(500, 40_000);
                    self.master_gone(master, delay);
                }
            }
            10..=17 => {
                let worker = self.chance.between(0, self.workers.len() as u64 - 1) as usize;
                if self.workers[worker].core.is_some() {
                    let delay = self.chance.between(500, 90_000);
                    self.worker_gone(worker, delay);
                }
            }
            18..=20 => {
                if let Party::Application(index) = party
                    && self.applications[index].id.is_some()
                    && !self.applications[index].over
                {
                    self.application_gone(index, false);
                }
            }
            21..=44 => {
                let links: Vec<LinkId> = self.links.keys().copied().collect();
                if !links.is_empty() {
                    let chosen = self.chance.between(0, links.len() as u64 - 1) as usize;
                    let silent = self.chance.per_mille(300);
                    self.break_link(links[chosen], silent);
                }
            }
            45..=69 => {
                let (one, other) = if self.chance.per_mille(400) && self.election.mode == Mode::Elected {
                    (Node::Master(master), Node::Election)
                } else {
                    (Node::Master(master), Node::Party(party))
                };
                let duration = self.duration();
                match self.chance.between(0, 2) {
                    0 => self.cut(one, other, duration),
                    1 => self.cut(other, one, duration),
                    _ => {
                        self.cut(one, other, duration);
                        self.cut(other, one, duration);
                    }
                }
            }
            // A master that is cut off from everybody but a worker or two.
            70..=76 => {
                let duration = self.duration();
                let party_count = self.workers.len();
                for worker in 0..party_count {
                    if self.chance.per_mille(600) {
                        let node = Node::Party(Party::Worker(worker));
                        self.cut(Node::Master(master), node, duration);
                        self.cut(node, Node::Master(master), duration);
                    }
                }
                self.cut(Node::Master(master), Node::Election, duration);
            }
            77..=86 => {
                let node = if self.chance.per_mille(500) { Node::Master(master) } else { self.any_worker() };
                let duration = self.duration();
                self.pause(node, duration);
            }
            87..=93 => {
                let node = if self.chance.per_mille(700) { Node::Master(master) } else { self.any_worker() };
                let most = if self.chance.per_mille(500) { 20_000 } else { 3_600_000 };
                let off = self.chance.between(0, 2 * most) as i64 - most as i64;
                self.note(|| format!("the clock of {node:?} is off by {off} ms"));
                self.skews.insert(node, off);
            }
            _ => self.operator_acts(master),
        }
    }

    /// From a hiccup to more than anybody waits.
    fn duration(&mut self) -> u64 {
        match self.chance.between(0, 3) {
            0 => self.chance.between(100, 3000),
            1 => self.chance.between(3000, 20_000),
            2 => self.chance.between(20_000, 60_000),
            _ => self.chance.between(60_000, 120_000),
        }
        .min(FAULTS_END.saturating_sub(self.now))
    }

    fn any_worker(&mut self) -> Node {
        Node::Party(Party::Worker(self.chance.between(0, self.workers.len() as u64 - 1) as usize))
    }

    fn any_party(&mut self) -> Party {
        let (workers, applications) = (self.workers.len() as u64, self.applications.len() as u64);
        let chosen = self.chance.between(0, workers + applications - 1);
        if chosen < workers { Party::Worker(chosen as usize) } else { Party::Application((chosen - workers) as usize) }
    }

    /// The process does nothing for so long; who waits for it too long gives its connections up.
    fn pause(&mut self, node: Node, duration: u64) {
        self.note(|| format!("{node:?} does nothing for {duration} ms"));
        self.pauses.insert(node, self.now + duration);
        if duration < 20_000 {
            return;
        }
        let of_it: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| Node::Master(link.master) == node || Node::Party(link.party) == node)
            .map(|(id, _)| *id)
            .collect();
        for id in of_it {
            self.fall_silent(id);
        }
    }

    fn operator_acts(&mut self, master: usize) {
        let Some(core) = self.masters[master].core.as_ref().filter(|core| core.is_alive()) else { return };
        if self.masters[master].stalled.is_some() || self.paused(Node::Master(master)).is_some() {
            return;
        }
        let Some(application_id) = core.applications().next().map(|known| known.id.clone()) else { return };
        self.oracle.killed_by_operator(&application_id);
        self.master_hears(master, MasterEvent::KillApplication { application_id });
    }

    pub(super) fn faults_end(&mut self) {
        self.note(|| "nothing goes wrong any more".to_owned());
        self.cuts.clear();
        self.pauses.clear();
        self.skews.retain(|node, _| matches!(node, Node::Master(_)));
        for index in 0..self.masters.len() {
            self.after(0, Item::StartMaster(index));
        }
        for index in 0..self.workers.len() {
            self.after(0, Item::StartWorker(index));
        }
    }
}
