//! What is ordered starts when there is room for it.
//!
//! A master counts as free what an application had that has ended, and may give it to the next one while the old process still
//! takes its time to end; after a take-over it may not even know of that process. The worker is who knows what runs. So nobody's
//! cores, memory or addresses are used by two at once, whoever was mistaken.

use firesteel_model::{ByteCount, ResourceInformation};

use super::{Owner, ProcessId, Turn, Worker, WorkerCommand, records, records::DriverPhase};
use crate::{
    Usage,
    protocol::{LaunchDriver, LaunchExecutor},
};

/// Something that was ordered and is not started yet.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) process: ProcessId,
    owner: Owner,
    launch: Launch,
}

#[derive(Clone, Debug)]
pub(super) enum Launch {
    Executor(Box<LaunchExecutor>),
    Driver(Box<LaunchDriver>),
}

impl Launch {
    fn demand(&self) -> (u32, ByteCount, &[ResourceInformation]) {
        match self {
            Self::Executor(launch) => (launch.cores, launch.memory, &launch.resources),
            Self::Driver(launch) => (launch.description.cores, launch.description.memory, &launch.resources),
        }
    }
}

impl Worker {
    /// Starts it, now or when there is room.
    pub(super) fn start_in_room(&mut self, process: ProcessId, owner: Owner, launch: Launch, turn: &mut Turn) {
        let waiting = Waiting { process, owner, launch };
        if self.has_room(&waiting.launch) {
            return self.start(waiting, turn);
        }
        turn.info("what it takes is still in use; it starts when that has ended".to_owned());
        self.waiting.push_back(waiting);
    }

    /// Something has ended, and others may have its room. Those that do not fit yet do not keep back those that do.
    pub(super) fn start_waiting(&mut self, turn: &mut Turn) {
        let mut index = 0;
        while let Some(waiting) = self.waiting.get(index) {
            if !self.has_room(&waiting.launch) {
                index += 1;
                continue;
            }
            if let Some(waiting) = self.waiting.remove(index) {
                self.start(waiting, turn);
            }
        }
    }

    /// It is not started any more; false if it was.
    pub(super) fn withdraw(&mut self, process: ProcessId) -> bool {
        let waits = self.waiting.iter().position(|waiting| waiting.process == process);
        waits.is_some_and(|index| self.waiting.remove(index).is_some())
    }

    fn start(&mut self, waiting: Waiting, turn: &mut Turn) {
        let Waiting { process, owner, launch } = waiting;
        self.processes.insert(process, owner);
        turn.commands.push(match launch {
            Launch::Executor(launch) => WorkerCommand::StartExecutor { process, launch },
            Launch::Driver(launch) => WorkerCommand::StartDriver { process, launch },
        });
    }

    fn has_room(&self, launch: &Launch) -> bool {
        let (cores, memory, resources) = launch.demand();
        let used = self.running();
        let free = |resource: &ResourceInformation| {
            let used: &[String] = used.resources.get(&resource.name).map_or(&[], Vec::as_slice);
            !resource.addresses.iter().any(|address| used.contains(address))
        };
        used.cores.saturating_add(cores) <= self.description.cores
            && used.memory.bytes().saturating_add(memory.bytes()) <= self.description.memory.bytes()
            && resources.iter().all(free)
    }

    /// What is taken by those that run, and by drivers that are about to be started again.
    fn running(&self) -> Usage {
        let of_processes = self.processes.values().filter_map(|owner| match owner {
            Owner::Executor(application_id, number) => {
                let executor = self.executors.get(&(application_id.clone(), *number))?;
                Some((executor.cores, executor.memory, executor.resources.as_slice()))
            }
            Owner::Driver(id) => {
                let driver = self.drivers.get(id)?;
                Some((driver.description.cores, driver.description.memory, driver.resources.as_slice()))
            }
        });
        let again = self.drivers.values().filter(|driver| matches!(driver.phase, DriverPhase::Waits { .. }));
        let again = again.map(|d| (d.description.cores, d.description.memory, d.resources.as_slice()));
        records::sum(of_processes.chain(again))
    }
}
