//! The executors that are there: their slots, hosts, racks and custom resources (RT-09, SC-07).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use firesteel_model::{ExecutorId, ExecutorInfo, ResourceInformation, TaskId, TaskLocation};

use crate::{AddressPart, ExecutorRegistration, Moment, TaskRequirements, TaskResourceAmount, interner::Interner};

/// An executor's number; the same id always has the same one.
pub(crate) type ExecutorKey = u32;
/// A host's number.
pub(crate) type HostKey = u32;

/// Where a task would like to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Preference {
    pub(crate) executor: Option<ExecutorKey>,
    pub(crate) host: HostKey,
}

/// The addresses of one custom resource, and how much of each is free, in the units of [`AddressPart`].
#[derive(Clone, Debug)]
struct ResourceSlots {
    name: String,
    free: BTreeMap<String, u64>,
}

impl ResourceSlots {
    /// How many tasks could use it at once, busy or not.
    fn capacity(&self, amount: TaskResourceAmount) -> u32 {
        amount.tasks(self.free.len() as u32)
    }

    fn has_room(&self, amount: TaskResourceAmount) -> bool {
        self.free.values().filter(|&&free| free >= amount.units()).count() >= amount.addresses() as usize
    }

    fn acquire(&mut self, amount: TaskResourceAmount) -> ResourceInformation {
        let room = self.free.iter_mut().filter(|(_, free)| **free >= amount.units()).take(amount.addresses() as usize);
        let addresses = room.map(|(address, free)| {
            *free -= amount.units();
            address.clone()
        });
        ResourceInformation { name: self.name.clone(), addresses: addresses.collect() }
    }

    fn release(&mut self, amount: TaskResourceAmount, addresses: &[String]) {
        for address in addresses {
            let free = self.free.get_mut(address).expect("granted addresses are the executor's");
            *free += amount.units();
            assert!(*free <= AddressPart::WHOLE, "more of {} {address} was given back than it has", self.name);
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Executor {
    pub(crate) id: ExecutorId,
    pub(crate) host: HostKey,
    pub(crate) rack: Option<u32>,
    pub(crate) info: Arc<ExecutorInfo>,
    pub(crate) free_cores: u32,
    resources: Vec<ResourceSlots>,
    /// Every task that was launched here and whose end is not known.
    pub(crate) tasks: BTreeSet<TaskId>,
    /// Those of them that were launched ahead and have not started, the oldest first. They hold no core.
    pub(crate) ahead: VecDeque<TaskId>,
    /// It gave tasks back, and none of its tasks has ended since.
    pub(crate) returned_ahead: bool,
    pub(crate) last_heartbeat: Moment,
    pub(crate) decommissioned: Option<Moment>,
    pub(crate) host_decommissioned: bool,
}

impl Executor {
    /// Is there room for one more task?
    pub(crate) fn has_room(&self, task: &TaskRequirements) -> bool {
        self.free_cores >= task.cpus.get()
            && task.resources.iter().all(|request| {
                self.resources.iter().any(|slots| slots.name == request.name && slots.has_room(request.amount))
            })
    }

    /// How many tasks it could run at once, busy or not.
    pub(crate) fn capacity(&self, task: &TaskRequirements) -> u32 {
        let by_resources = task.resources.iter().map(|request| {
            let slots = self.resources.iter().find(|slots| slots.name == request.name);
            slots.map_or(0, |slots| slots.capacity(request.amount))
        });
        by_resources.fold(self.info.cores / task.cpus, u32::min)
    }

    pub(crate) fn acquire(&mut self, task: &TaskRequirements) -> Vec<ResourceInformation> {
        assert!(self.has_room(task), "executor {} has no room for a task", self.id);
        self.free_cores -= task.cpus.get();
        let grants = task.resources.iter().filter_map(|request| {
            let slots = self.resources.iter_mut().find(|slots| slots.name == request.name);
            slots.map(|slots| slots.acquire(request.amount))
        });
        grants.collect()
    }

    /// Gives back what [`Self::acquire`] has granted for the same requirements.
    pub(crate) fn release(&mut self, task: &TaskRequirements, granted: &[ResourceInformation]) {
        self.free_cores += task.cpus.get();
        assert!(self.free_cores <= self.info.cores, "executor {} was given back more cores than it has", self.id);
        for grant in granted {
            let slots = self.resources.iter_mut().find(|slots| slots.name == grant.name);
            let slots = slots.expect("granted addresses are of a resource that the executor has");
            let request = task.resources.iter().find(|request| request.name == grant.name);
            slots.release(request.expect("only what was requested is granted").amount, &grant.addresses);
        }
    }

    /// How much of an address is free, in the units of [`AddressPart`].
    pub(crate) fn free_units(&self, name: &str, address: &str) -> u64 {
        let slots = self.resources.iter().find(|slots| slots.name == name);
        slots.and_then(|slots| slots.free.get(address)).copied().unwrap_or(0)
    }

    /// The number of addresses of a resource.
    pub(crate) fn addresses(&self, name: &str) -> u32 {
        self.resources.iter().find(|slots| slots.name == name).map_or(0, |slots| slots.free.len() as u32)
    }
}

#[derive(Debug)]
pub(crate) struct Executors {
    ids: Interner<ExecutorId>,
    hosts: Interner<String>,
    racks: Interner<String>,
    host_racks: BTreeMap<HostKey, u32>,
    present: BTreeMap<ExecutorKey, Executor>,
    by_host: BTreeMap<HostKey, BTreeSet<ExecutorKey>>,
    cores: u32,
}

impl Executors {
    pub(crate) fn new() -> Self {
        Self {
            ids: Interner::new(),
            hosts: Interner::new(),
            racks: Interner::new(),
            host_racks: BTreeMap::new(),
            present: BTreeMap::new(),
            by_host: BTreeMap::new(),
            cores: 0,
        }
    }

    pub(crate) fn add(&mut self, registration: &ExecutorRegistration, now: Moment) -> ExecutorKey {
        let key = self.ids.intern(&registration.executor_id);
        let host = self.hosts.intern(registration.info.host.as_str());
        let rack = registration.rack.as_deref().map(|rack| self.racks.intern(rack));
        if let Some(rack) = rack {
            self.host_racks.insert(host, rack);
        }
        let resources = registration.info.resources.iter().map(|resource| ResourceSlots {
            name: resource.name.clone(),
            free: resource.addresses.iter().map(|address| (address.clone(), AddressPart::WHOLE)).collect(),
        });
        let executor = Executor {
            id: registration.executor_id.clone(),
            host,
            rack,
            info: registration.info.clone(),
            free_cores: registration.info.cores,
            resources: resources.collect(),
            tasks: BTreeSet::new(),
            ahead: VecDeque::new(),
            returned_ahead: false,
            last_heartbeat: now,
            decommissioned: None,
            host_decommissioned: false,
        };
        self.cores += registration.info.cores;
        self.by_host.entry(host).or_default().insert(key);
        assert!(self.present.insert(key, executor).is_none(), "an executor id is registered twice");
        key
    }

    pub(crate) fn remove(&mut self, key: ExecutorKey) -> Option<Executor> {
        let executor = self.present.remove(&key)?;
        self.cores -= executor.info.cores;
        let on_host = self.by_host.get_mut(&executor.host).expect("a present executor is listed by its host");
        on_host.remove(&key);
        if on_host.is_empty() {
            self.by_host.remove(&executor.host);
        }
        Some(executor)
    }

    pub(crate) fn key(&self, id: &ExecutorId) -> Option<ExecutorKey> {
        self.ids.find(id).filter(|key| self.present.contains_key(key))
    }

    pub(crate) fn get(&self, key: ExecutorKey) -> Option<&Executor> {
        self.present.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: ExecutorKey) -> Option<&mut Executor> {
        self.present.get_mut(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ExecutorKey, &Executor)> {
        self.present.iter().map(|(&key, executor)| (key, executor))
    }

    pub(crate) fn len(&self) -> u32 {
        self.present.len() as u32
    }

    pub(crate) fn cores(&self) -> u32 {
        self.cores
    }

    pub(crate) fn on_host(&self, host: HostKey) -> impl Iterator<Item = ExecutorKey> {
        self.by_host.get(&host).into_iter().flatten().copied()
    }

    pub(crate) fn is_host_alive(&self, host: HostKey) -> bool {
        self.by_host.contains_key(&host)
    }

    pub(crate) fn is_rack_alive(&self, rack: u32) -> bool {
        self.by_host.keys().any(|host| self.host_racks.get(host) == Some(&rack))
    }

    pub(crate) fn rack_of(&self, host: HostKey) -> Option<u32> {
        self.host_racks.get(&host).copied()
    }

    pub(crate) fn id_of(&self, key: ExecutorKey) -> &ExecutorId {
        self.ids.name(key)
    }

    pub(crate) fn host_name(&self, host: HostKey) -> &str {
        self.hosts.name(host)
    }

    pub(crate) fn host_key(&mut self, host: &str) -> HostKey {
        self.hosts.intern(host)
    }

    pub(crate) fn executor_key(&mut self, id: &ExecutorId) -> ExecutorKey {
        self.ids.intern(id)
    }

    pub(crate) fn preference(&mut self, location: &TaskLocation) -> Preference {
        let host = self.hosts.intern(location.host());
        match location {
            TaskLocation::Executor { executor_id, .. } => {
                Preference { executor: Some(self.ids.intern(executor_id)), host }
            }
            TaskLocation::Host(_) => Preference { executor: None, host },
        }
    }
}
