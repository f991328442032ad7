//! Resource profiles: what tasks of a stage take, and which executors run them (SC-08).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use firesteel_model::ResourceProfileId;

use crate::TaskRequirements;

const DEFAULT: ResourceProfileId = ResourceProfileId(0);

/// Every profile that came into use, and what several in one stage become.
#[derive(Debug)]
pub(crate) struct Profiles {
    added: BTreeMap<ResourceProfileId, Profile>,
    merged: BTreeMap<BTreeSet<ResourceProfileId>, ResourceProfileId>,
}

#[derive(Debug)]
struct Profile {
    requirements: Arc<TaskRequirements>,
    tasks_only: bool,
}

impl Profiles {
    /// With the default profile, whose executors are there from the start.
    pub(crate) fn new(default: TaskRequirements) -> Self {
        let default = Profile { requirements: Arc::new(default), tasks_only: false };
        Self { added: BTreeMap::from([(DEFAULT, default)]), merged: BTreeMap::new() }
    }

    /// A profile comes into use. It stays what it was if it is in use already: its stages have been told.
    pub(crate) fn add(&mut self, id: ResourceProfileId, task: TaskRequirements, tasks_only: bool) {
        self.added.entry(id).or_insert_with(|| Profile { requirements: Arc::new(task), tasks_only });
    }

    pub(crate) fn merge(&mut self, profiles: BTreeSet<ResourceProfileId>, into: ResourceProfileId) {
        self.merged.entry(profiles).or_insert(into);
    }

    pub(crate) fn requirements(&self, id: ResourceProfileId) -> &Arc<TaskRequirements> {
        &self.get(id).requirements
    }

    /// May tasks of one profile run on executors that were asked for by another? Those that are there do for what asks nothing of
    /// executors, also if they come and go with demand: others would be no different.
    pub(crate) fn can_be_scheduled(&self, task: ResourceProfileId, executor: ResourceProfileId) -> bool {
        task == executor || self.get(task).tasks_only
    }

    /// The profile of a stage whose data sets have these. The default one has no say where there is another.
    pub(crate) fn of_stage(&self, profiles: impl IntoIterator<Item = ResourceProfileId>) -> ResourceProfileId {
        let set: BTreeSet<_> = profiles.into_iter().filter(|&profile| profile != DEFAULT).collect();
        match (set.first(), set.len()) {
            (None, _) => DEFAULT,
            (Some(&only), 1) => only,
            _ => *self.merged.get(&set).expect("profiles that meet in a stage are merged before its job comes"),
        }
    }

    fn get(&self, id: ResourceProfileId) -> &Profile {
        self.added.get(&id).expect("a profile comes into use before the first job that names it")
    }
}
