//! The resource profiles of one application: what executors can serve, what came into use, and which meet in one stage
//! (SC-08). Spark's `ResourceProfileManager`.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    num::NonZeroU32,
    sync::Arc,
};

use firesteel_model::{ListenerEvent, ResourceProfileId};
use firesteel_scheduler::{Dependency, Event, RddInfo, TaskRequirements, TaskResourceAmount, TaskResourceRequest};
use parking_lot::Mutex;

use crate::resource_profile::{
    CPUS, ResourceProfile, ResourceProfileError, TaskResourceRequest as Request, TaskResourceRequests,
};

/// What the configuration says of executors and tasks.
#[derive(Debug)]
pub(crate) struct ProfileLimits {
    /// `spark.executor.cores`, if it is set. Without it the cluster manager decides, and nothing is known ahead.
    pub(crate) cores: Option<u32>,
    /// The custom resources of an executor.
    pub(crate) resources: BTreeMap<String, u32>,
    /// `spark.task.cpus`
    pub(crate) task_cpus: NonZeroU32,
    /// `spark.scheduler.resource.profileMergeConflicts`
    pub(crate) merge_conflicts: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ResourceProfiles {
    /// None if the master takes no profiles.
    limits: Option<ProfileLimits>,
    in_use: Mutex<InUse>,
}

#[derive(Default, Debug)]
struct InUse {
    /// In the order in which they came.
    added: Vec<ResourceProfile>,
    /// Those that met in a stage, and were merged.
    merged: HashSet<BTreeSet<ResourceProfileId>>,
}

/// Who must know of a profile that comes into use.
pub(crate) trait Announce {
    fn to_scheduler(&self, event: Event);
    fn to_listeners(&self, event: ListenerEvent);
}

impl ResourceProfiles {
    pub(crate) fn new(limits: Option<ProfileLimits>) -> Self {
        Self { limits, in_use: Mutex::default() }
    }

    /// Takes a profile into use, unless it is already.
    pub(crate) fn add(&self, profile: &ResourceProfile, announce: &impl Announce) -> Result<(), ResourceProfileError> {
        let limits = self.limits.as_ref().ok_or(ResourceProfileError::Master)?;
        let task = limits.requirements(profile)?;
        let mut in_use = self.in_use.lock();
        if !in_use.added.contains(profile) {
            // Under the lock, so that whoever finds it in use submits jobs behind its announcement.
            in_use.add(profile, task, announce);
        }
        Ok(())
    }

    /// Before a job on `last`: merges the profiles that meet in its stages, or refuses it.
    pub(crate) fn prepare_job(
        &self,
        last: &Arc<RddInfo>,
        announce: &impl Announce,
    ) -> Result<(), ResourceProfileError> {
        let Some(limits) = &self.limits else { return Ok(()) };
        let mut in_use = self.in_use.lock();
        if in_use.added.len() < 2 {
            return Ok(());
        }
        for ids in profiles_of_stages(last) {
            if ids.len() < 2 || in_use.merged.contains(&ids) {
                continue;
            }
            if !limits.merge_conflicts {
                return Err(ResourceProfileError::Conflict);
            }
            let of_stage = in_use.added.iter().filter(|profile| ids.contains(&profile.profile_id()));
            let requests = merged(of_stage);
            let same = |profile: &&ResourceProfile| same_requests(profile.task_resources(), requests.requests());
            let into = match in_use.added.iter().find(same) {
                Some(known) => known.clone(),
                None => {
                    let profile = ResourceProfile::new(requests)?;
                    let task = limits.requirements(&profile)?;
                    in_use.add(&profile, task, announce);
                    profile
                }
            };
            announce.to_scheduler(Event::ResourceProfilesMerged { profiles: ids.clone(), into: into.profile_id() });
            in_use.merged.insert(ids);
        }
        Ok(())
    }
}

impl InUse {
    fn add(&mut self, profile: &ResourceProfile, task: TaskRequirements, announce: &impl Announce) {
        let id = profile.profile_id();
        announce.to_scheduler(Event::ResourceProfileAdded { id, task, tasks_only: true });
        let resources = profile.task_resources().iter().map(|it| (it.resource_name.clone(), it.amount));
        announce.to_listeners(ListenerEvent::ResourceProfileAdded {
            id,
            executor_resources: Vec::new(),
            task_resources: resources.collect(),
        });
        self.added.push(profile.clone());
    }
}

impl ProfileLimits {
    /// What a task of the profile takes. Refuses what no executor can ever give, in the order in which Spark looks.
    fn requirements(&self, profile: &ResourceProfile) -> Result<TaskRequirements, ResourceProfileError> {
        let requests = profile.task_resources();
        let cpus = requests.iter().find(|request| request.resource_name == CPUS).map(|request| request.amount);
        let cpus = match cpus {
            None => self.task_cpus,
            // The bounds were seen to when the profile was made.
            Some(amount) if amount.fract() == 0.0 => NonZeroU32::new(amount as u32).unwrap_or(NonZeroU32::MIN),
            Some(amount) => return Err(ResourceProfileError::FractionalCpus { amount }),
        };
        if let Some(cores) = self.cores.filter(|&cores| cores < cpus.get()) {
            return Err(ResourceProfileError::Cores { cores, cpus: cpus.get() });
        }
        let mut resources = Vec::new();
        let mut missing = Vec::new();
        for request in requests.iter().filter(|request| request.resource_name != CPUS) {
            let name = request.resource_name.clone();
            let amount = TaskResourceAmount::from_number(request.amount);
            match (self.resources.get(&name), amount) {
                (Some(&has), Ok(_)) if request.amount > f64::from(has) => {
                    return Err(ResourceProfileError::ExecutorResource { name, has, amount: request.amount });
                }
                (Some(_), Ok(amount)) => resources.push(TaskResourceRequest { name, amount }),
                // Of nothing, there is nothing that an executor could have; Spark says it so.
                (None, _) | (_, Err(_)) => missing.push(name),
            }
        }
        if !missing.is_empty() {
            return Err(ResourceProfileError::NoExecutorResource { names: missing });
        }
        Ok(TaskRequirements { cpus, resources })
    }
}

/// Of each resource, the most that one of them asks for.
fn merged<'a>(profiles: impl Iterator<Item = &'a ResourceProfile>) -> TaskResourceRequests {
    profiles.flat_map(ResourceProfile::task_resources).fold(TaskResourceRequests::new(), |merged, request| {
        let known = merged.requests().iter().find(|known| known.resource_name == request.resource_name);
        let most = known.map_or(request.amount, |known| known.amount.max(request.amount));
        merged.resource(&request.resource_name, most)
    })
}

fn same_requests(left: &[Request], right: &[Request]) -> bool {
    left.len() == right.len() && left.iter().all(|request| right.contains(request))
}

/// The profiles of each stage that a job on `last` may have, without the default one.
fn profiles_of_stages(last: &Arc<RddInfo>) -> Vec<BTreeSet<ResourceProfileId>> {
    let mut stages = Vec::new();
    let mut ends = vec![last];
    let mut seen_ends = HashSet::from([last.id]);
    while let Some(end) = ends.pop() {
        let mut profiles = BTreeSet::new();
        let mut in_stage = vec![end];
        let mut seen = HashSet::from([end.id]);
        while let Some(rdd) = in_stage.pop() {
            profiles.insert(rdd.resource_profile);
            for dependency in &rdd.dependencies {
                let parent = dependency.parent();
                match dependency {
                    Dependency::Narrow { .. } if seen.insert(parent.id) => in_stage.push(parent),
                    Dependency::Shuffle(_) if seen_ends.insert(parent.id) => ends.push(parent),
                    Dependency::Narrow { .. } | Dependency::Shuffle(_) => {}
                }
            }
        }
        profiles.remove(&ResourceProfileId(0));
        stages.push(profiles);
    }
    stages
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use firesteel_model::RddId;
    use firesteel_scheduler::{Determinism, NarrowMapping};

    use super::*;

    /// What was announced.
    #[derive(Default)]
    struct Said(RefCell<Vec<String>>);

    impl Announce for Said {
        fn to_scheduler(&self, event: Event) {
            let said = match event {
                Event::ResourceProfileAdded { id, task, tasks_only: true } => format!("{id} takes {} cpus", task.cpus),
                Event::ResourceProfilesMerged { profiles, into } => {
                    let ids: Vec<u32> = profiles.iter().map(|id| id.0).collect();
                    format!("{ids:?} become {into}")
                }
                other => panic!("{other:?}"),
            };
            self.0.borrow_mut().push(said);
        }

        fn to_listeners(&self, event: ListenerEvent) {
            let ListenerEvent::ResourceProfileAdded { id, executor_resources, task_resources } = event else {
                panic!("{event:?}")
            };
            assert_eq!(executor_resources, []);
            self.0.borrow_mut().push(format!("{id}: {task_resources:?}"));
        }
    }

    impl Said {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.borrow_mut())
        }
    }

    fn profiles(merge_conflicts: bool) -> ResourceProfiles {
        ResourceProfiles::new(Some(ProfileLimits {
            cores: Some(4),
            resources: BTreeMap::from([("gpu".to_owned(), 2)]),
            task_cpus: NonZeroU32::MIN,
            merge_conflicts,
        }))
    }

    fn profile(amounts: &[(&str, f64)]) -> ResourceProfile {
        let requests = amounts.iter().fold(TaskResourceRequests::new(), |all, &(name, most)| all.resource(name, most));
        ResourceProfile::new(requests).unwrap()
    }

    fn rdd(id: u32, profile: u32, dependencies: Vec<Dependency>) -> Arc<RddInfo> {
        Arc::new(RddInfo {
            id: RddId(id),
            name: "rdd".to_owned(),
            scope: None,
            call_site_short: String::new(),
            call_site_long: String::new(),
            partitions: 1,
            dependencies,
            determinism: Determinism::Determinate,
            barrier: false,
            preferred_locations: None,
            resource_profile: ResourceProfileId(profile),
        })
    }

    fn narrow(parent: &Arc<RddInfo>) -> Dependency {
        Dependency::Narrow { parent: Arc::clone(parent), mapping: NarrowMapping::OneToOne }
    }

    fn shuffle(parent: &Arc<RddInfo>) -> Dependency {
        Dependency::Shuffle(Arc::new(firesteel_scheduler::ShuffleDependency {
            shuffle_id: firesteel_model::ShuffleId(parent.id.0),
            parent: Arc::clone(parent),
            reducers: 1,
            sorted_and_aggregated: false,
            parent_is_partitioned_alike: false,
        }))
    }

    #[test]
    fn what_no_executor_can_serve_is_refused() {
        let refused = |amounts: &[(&str, f64)]| {
            let said = Said::default();
            let error = profiles(false).add(&profile(amounts), &said).unwrap_err().to_string();
            assert_eq!(said.take(), [""; 0]);
            error
        };
        let cases: [(&[(&str, f64)], &str); 6] = [
            (&[("cpus", 5.0)], "The number of cores per executor (=4) has to be >= the number of cpus per task = 5."),
            (&[("cpus", 1.5)], "tasks that take 1.5 cpus are not built into Firesteel"),
            (
                &[("gpu", 3.0)],
                "The executor resource: gpu, amount: 2 needs to be >= the task resource request amount of 3.0",
            ),
            (&[("fpga", 1.0), ("npu", 1.0)], "the following task configs: fpga,npu"),
            (&[("gpu", 0.0)], "the following task configs: gpu"),
            (&[("gpu", -1.0)], "the following task configs: gpu"),
        ];
        for (amounts, expected) in cases {
            let error = refused(amounts);
            assert!(error.contains(expected), "{amounts:?}: {error}");
        }
        let none = ResourceProfiles::new(None).add(&profile(&[("cpus", 1.0)]), &Said::default());
        assert_eq!(none, Err(ResourceProfileError::Master));
    }

    #[test]
    fn a_profile_comes_into_use_once() {
        let (all, said) = (profiles(false), Said::default());
        let wide = profile(&[("cpus", 2.0), ("gpu", 0.5)]);
        all.add(&wide, &said).unwrap();
        let id = wide.id();
        assert_eq!(said.take(), [format!("{id} takes 2 cpus"), format!("{id}: [(\"cpus\", 2.0), (\"gpu\", 0.5)]")]);
        all.add(&wide, &said).unwrap();
        assert_eq!(said.take(), [""; 0]);
    }

    #[test]
    fn profiles_meet_in_a_stage_and_not_across_a_shuffle() {
        let (all, said) = (profiles(false), Said::default());
        let (one, two) = (profile(&[("cpus", 1.0)]), profile(&[("cpus", 2.0)]));
        all.add(&one, &said).unwrap();
        all.add(&two, &said).unwrap();
        let first = rdd(0, one.id(), vec![]);
        let plain = rdd(1, 0, vec![narrow(&first)]);
        let behind = rdd(2, two.id(), vec![shuffle(&plain)]);
        assert_eq!(all.prepare_job(&behind, &said), Ok(()));
        let together = rdd(3, two.id(), vec![narrow(&plain)]);
        let result = rdd(4, 0, vec![shuffle(&together)]);
        for last in [together, result] {
            assert_eq!(all.prepare_job(&last, &said), Err(ResourceProfileError::Conflict));
        }
    }

    #[test]
    fn merged_profiles_ask_for_the_most_of_each_and_are_made_once() {
        let (all, said) = (profiles(true), Said::default());
        let (wide, gpu) = (profile(&[("cpus", 2.0), ("gpu", 0.5)]), profile(&[("cpus", 1.0), ("gpu", 1.0)]));
        all.add(&wide, &said).unwrap();
        all.add(&gpu, &said).unwrap();
        said.take();
        let first = rdd(0, gpu.id(), vec![]);
        let both = rdd(1, wide.id(), vec![narrow(&first)]);
        all.prepare_job(&both, &said).unwrap();
        let into = all.in_use.lock().added.last().unwrap().clone();
        let become_one = format!("[{}, {}] become {}", wide.id(), gpu.id(), into.id());
        let id = into.id();
        let added = [format!("{id} takes 2 cpus"), format!("{id}: [(\"cpus\", 2.0), (\"gpu\", 1.0)]")];
        assert_eq!(said.take(), [added.as_slice(), &[become_one]].concat());
        all.prepare_job(&both, &said).unwrap();
        assert_eq!(said.take(), [""; 0], "it is known");
        let again = profile(&[("gpu", 0.25)]);
        all.add(&again, &said).unwrap();
        said.take();
        all.prepare_job(&rdd(2, again.id(), vec![narrow(&both)]), &said).unwrap();
        let become_it = format!("[{}, {}, {}] become {id}", wide.id(), gpu.id(), again.id());
        assert_eq!(said.take(), [become_it], "there is such a one");
    }
}
