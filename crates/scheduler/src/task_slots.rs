//! How many tasks an executor can run at once, and what of it lies idle then (SC-07).
//!
//! The answer is known before any executor is: it follows from what was asked for. So a task that fits nowhere ends the
//! start of the application, where Spark does the same, and does not wait for ever; and what no task can use is said once.

use std::fmt;

use crate::TaskRequirements;

/// What each executor is asked to have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecutorSize {
    /// Its cores.
    pub cores: u32,
    /// How many addresses of each custom resource, by name.
    pub resources: Vec<(String, u32)>,
}

/// How many tasks fit into an executor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskSlots {
    /// As many as run at once: the least of what cores and resources allow.
    pub tasks: u32,
    /// What allows no more.
    pub limit: SlotLimit,
    /// What lies idle even then.
    pub wasted: Vec<Waste>,
}

/// What allows no more tasks on an executor; cores, where several would.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SlotLimit {
    /// Its cores.
    Cores,
    /// A custom resource.
    Resource(String),
}

/// What part of an executor no task can use. `Display` is a sentence that says what to change.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Waste {
    /// Cores, as a custom resource allows fewer tasks.
    #[error(
        "the {cores} cores of an executor are enough for {enough_for} tasks, but {limit} allows only {tasks} at once: the rest is wasted; adjust spark.executor.cores, spark.task.cpus, or the amounts of {limit}"
    )]
    Cores {
        /// What an executor has.
        cores: u32,
        /// How many tasks that is enough for.
        enough_for: u32,
        /// What allows fewer.
        limit: SlotLimit,
        /// How many it allows.
        tasks: u32,
    },
    /// Addresses of a custom resource, as something else allows fewer tasks.
    #[error(
        "the {addresses} addresses of resource {name} of an executor are enough for {enough_for} tasks, but {limit} allows only {tasks} at once: the rest is wasted; adjust spark.executor.resource.{name}.amount, spark.task.resource.{name}.amount, or what concerns {limit}"
    )]
    Resource {
        /// Which resource.
        name: String,
        /// What an executor has.
        addresses: u32,
        /// How many tasks that is enough for.
        enough_for: u32,
        /// What allows fewer.
        limit: SlotLimit,
        /// How many it allows.
        tasks: u32,
    },
    /// A custom resource that no task asks for.
    #[error(
        "spark.executor.resource.{name}.amount is {addresses}, but no task asks for any: set spark.task.resource.{name}.amount"
    )]
    NotAskedFor {
        /// Which resource.
        name: String,
        /// What an executor has.
        addresses: u32,
    },
}

/// No executor can run a task.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TaskSlotsError {
    /// Too few cores.
    #[error(
        "the number of cores per executor ({cores}) has to be at least the number of cpus per task ({cpus}, spark.task.cpus): no task would ever start"
    )]
    Cores {
        /// What an executor has.
        cores: u32,
        /// What a task takes.
        cpus: u32,
    },
    /// Executors are not asked to have the resource.
    #[error(
        "spark.task.resource.{name}.amount is set, but no executor has any {name}: set spark.executor.resource.{name}.amount"
    )]
    NoSuchResource {
        /// Which resource.
        name: String,
    },
    /// Executors are asked to have too little of the resource.
    #[error(
        "spark.executor.resource.{name}.amount is {addresses}, less than the {needed} that one task takes (spark.task.resource.{name}.amount)"
    )]
    Resource {
        /// Which resource.
        name: String,
        /// What an executor has.
        addresses: u32,
        /// What a task takes.
        needed: u32,
    },
}

impl fmt::Display for SlotLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cores => f.write_str("the number of cores"),
            Self::Resource(name) => write!(f, "resource {name}"),
        }
    }
}

/// How many of these tasks fit into an executor of this size.
pub fn task_slots(executor: &ExecutorSize, task: &TaskRequirements) -> Result<TaskSlots, TaskSlotsError> {
    let cpus = task.cpus.get();
    let by_cores = executor.cores / cpus;
    if by_cores == 0 {
        return Err(TaskSlotsError::Cores { cores: executor.cores, cpus });
    }
    let (mut tasks, mut limit) = (by_cores, SlotLimit::Cores);
    let mut by_resource = Vec::new();
    for request in &task.resources {
        let name = &request.name;
        let known = executor.resources.iter().find(|(known, _)| known == name);
        let &(_, addresses) = known.ok_or_else(|| TaskSlotsError::NoSuchResource { name: name.clone() })?;
        let enough_for = request.amount.tasks(addresses);
        if enough_for == 0 {
            let needed = request.amount.addresses();
            return Err(TaskSlotsError::Resource { name: name.clone(), addresses, needed });
        }
        if enough_for < tasks {
            (tasks, limit) = (enough_for, SlotLimit::Resource(name.clone()));
        }
        by_resource.push((name, addresses, enough_for));
    }
    let mut wasted = Vec::new();
    if by_cores > tasks {
        wasted.push(Waste::Cores { cores: executor.cores, enough_for: by_cores, limit: limit.clone(), tasks });
    }
    for (name, addresses, enough_for) in by_resource.into_iter().filter(|&(_, _, enough_for)| enough_for > tasks) {
        wasted.push(Waste::Resource { name: name.clone(), addresses, enough_for, limit: limit.clone(), tasks });
    }
    let unused = executor.resources.iter().filter(|(name, _)| task.resources.iter().all(|it| it.name != *name));
    wasted.extend(unused.map(|(name, addresses)| Waste::NotAskedFor { name: name.clone(), addresses: *addresses }));
    Ok(TaskSlots { tasks, limit, wasted })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{TaskResourceAmount, TaskResourceRequest};

    fn slots(cores: u32, has: &[(&str, u32)], cpus: u32, takes: &[(&str, f64)]) -> Result<TaskSlots, TaskSlotsError> {
        let resources = has.iter().map(|&(name, addresses)| (name.to_owned(), addresses)).collect();
        let takes = takes.iter().map(|&(name, amount)| TaskResourceRequest {
            name: name.to_owned(),
            amount: TaskResourceAmount::from_number(amount).unwrap(),
        });
        let task = TaskRequirements { cpus: NonZeroU32::new(cpus).unwrap(), resources: takes.collect() };
        task_slots(&ExecutorSize { cores, resources }, &task)
    }

    fn gpu_limits() -> SlotLimit {
        SlotLimit::Resource("gpu".to_owned())
    }

    #[test]
    fn the_least_counts() {
        let check = |cores, has: &[_], cpus, takes: &[_], tasks, limit| {
            let found = slots(cores, has, cpus, takes).unwrap();
            assert_eq!((found.tasks, found.limit), (tasks, limit), "{cores} cores, {has:?} for {cpus} cpus, {takes:?}");
        };
        check(4, &[], 1, &[], 4, SlotLimit::Cores);
        check(5, &[], 2, &[], 2, SlotLimit::Cores);
        check(4, &[("gpu", 2)], 1, &[("gpu", 0.5)], 4, SlotLimit::Cores);
        check(4, &[("gpu", 2)], 1, &[("gpu", 1.0)], 2, gpu_limits());
        check(4, &[("gpu", 2)], 1, &[("gpu", 0.1)], 4, SlotLimit::Cores);
        check(8, &[("gpu", 2)], 1, &[("gpu", 0.3)], 6, gpu_limits());
        check(8, &[("gpu", 7), ("fpga", 9)], 1, &[("gpu", 2.0), ("fpga", 3.0)], 3, gpu_limits());
        let fpga_limits = SlotLimit::Resource("fpga".to_owned());
        check(8, &[("gpu", 8), ("fpga", 5)], 1, &[("gpu", 2.0), ("fpga", 3.0)], 1, fpga_limits);
    }

    #[test]
    fn what_lies_idle_is_said() {
        let none = slots(4, &[("gpu", 2)], 1, &[("gpu", 0.5)]).unwrap().wasted;
        assert_eq!(none, []);
        // Cores that are no multiple of what a task takes limit themselves.
        assert_eq!(slots(5, &[], 2, &[]).unwrap().wasted, []);
        let cores = slots(4, &[("gpu", 1)], 1, &[("gpu", 0.5)]).unwrap().wasted;
        assert_eq!(cores, [Waste::Cores { cores: 4, enough_for: 4, limit: gpu_limits(), tasks: 2 }]);
        assert!(cores[0].to_string().contains("resource gpu allows only 2 at once"), "{}", cores[0]);
        let gpus = slots(2, &[("gpu", 2)], 1, &[("gpu", 0.25)]).unwrap().wasted;
        let name = || "gpu".to_owned();
        let expected = Waste::Resource { name: name(), addresses: 2, enough_for: 8, limit: SlotLimit::Cores, tasks: 2 };
        assert_eq!(gpus, [expected]);
        let unused = slots(2, &[("gpu", 3)], 1, &[]).unwrap().wasted;
        assert_eq!(unused, [Waste::NotAskedFor { name: name(), addresses: 3 }]);
    }

    #[test]
    fn a_task_that_fits_nowhere_is_refused() {
        assert_eq!(slots(1, &[], 2, &[]), Err(TaskSlotsError::Cores { cores: 1, cpus: 2 }));
        let missing = TaskSlotsError::NoSuchResource { name: "gpu".to_owned() };
        assert_eq!(slots(4, &[("fpga", 1)], 1, &[("gpu", 0.5)]), Err(missing));
        let few = TaskSlotsError::Resource { name: "gpu".to_owned(), addresses: 1, needed: 2 };
        assert_eq!(slots(4, &[("gpu", 1)], 1, &[("gpu", 2.0)]), Err(few));
    }
}
