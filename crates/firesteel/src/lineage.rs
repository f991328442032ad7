//! The lineage as the driver holds it: which operation, on which parents, with which environment. Untyped; [`Rdd`](crate::Rdd)
//! adds the type.

mod registry;

use std::{
    panic::Location,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use firesteel_closure::{Slot, slot_of};
use firesteel_model::{RddId, ResourceProfileId, ShuffleId, StorageLevel, TaskLocation};
use firesteel_scheduler::{Dependency, Determinism, NarrowMapping, RddInfo, ShuffleDependency};
use parking_lot::Mutex;

pub(crate) use self::registry::{LineageRegistry, Unreachable};
use crate::{
    broadcast::{HeldBroadcast, encode_holding},
    call_site::CallSite,
    checkpoint::{Checkpoint, Cut},
    error::SparkError,
    node::{NodeOf, Operator},
    partitioner::PartitionerId,
    resource_profile::ResourceProfile,
    stage_binary::WorkSpec,
    stage_lineage::with_dependencies,
};

/// One RDD on the driver.
pub(crate) struct RddCore {
    pub(crate) info: Arc<RddInfo>,
    pub(crate) partitioner: Option<PartitionerId>,
    pub(crate) operation: Operation,
    pub(crate) payloads: Payloads,
    /// Does any source that this RDD reaches without a shuffle carry payloads?
    pub(crate) carries_payloads: bool,
    /// Is something in the lineage of another context than this is? Ids then mean two things, so no job may run.
    of_two_contexts: bool,
    state: Mutex<RddState>,
    registry: Arc<LineageRegistry>,
}

/// What an RDD is computed from: narrow parents, and the shuffles it reads.
pub(crate) type Ancestors = (Vec<Arc<RddCore>>, Vec<Arc<ShuffleCore>>);

/// What can change after an RDD was made.
struct RddState {
    storage_level: StorageLevel,
    /// Was it ever? Tasks under way may store blocks after it was unpersisted.
    was_persisted: bool,
    name: Option<String>,
    parents: Vec<Arc<RddCore>>,
    shuffles: Vec<Arc<ShuffleCore>>,
    checkpoint: Checkpoint,
    resource_profile: Option<ResourceProfile>,
    /// The RDD as the scheduler is to see it, if it has a resource profile of its own.
    with_profile: Option<Arc<RddInfo>>,
}

/// Which operator, with what environment. An environment that cannot be encoded is reported by the first action.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) slot: Slot,
    pub(crate) environment: Result<Bytes, String>,
    /// The broadcast values that the environment refers to: they are wanted as long as the operation is.
    _broadcasts: Vec<HeldBroadcast>,
}

/// What single partitions of a source carry.
#[derive(Clone)]
pub(crate) enum Payloads {
    /// Nothing.
    None,
    /// One each.
    Each(Arc<[Bytes]>),
}

/// How an RDD depends on a parent.
pub(crate) enum Parent {
    /// Partition by partition; the operator gets the parent's node.
    Narrow(Arc<RddCore>, NarrowMapping),
    /// Through a shuffle; the operator reads it by the id in its environment.
    Shuffle(Arc<ShuffleCore>),
}

impl Parent {
    /// The dependency as the scheduler knows it.
    fn dependency(&self) -> Dependency {
        match self {
            Self::Narrow(parent, mapping) => {
                Dependency::Narrow { parent: parent.latest_info(), mapping: mapping.clone() }
            }
            Self::Shuffle(shuffle) => Dependency::Shuffle(Arc::clone(&shuffle.info)),
        }
    }
}

/// One exchange on the driver. When the last RDD that reads it is dropped, its files go too (RT-58).
pub(crate) struct ShuffleCore {
    pub(crate) info: Arc<ShuffleDependency>,
    pub(crate) parent: Arc<RddCore>,
    writer: Operation,
    registry: Arc<LineageRegistry>,
}

/// How an RDD is made, beside its operator.
pub(crate) struct NewRdd {
    /// The operation's name, as Spark names the RDD's scope (`map`).
    pub(crate) scope: &'static str,
    /// Spark's class of such an RDD, by which lineages and listeners name it.
    pub(crate) kind: &'static str,
    pub(crate) partitions: u32,
    pub(crate) parents: Vec<Parent>,
    pub(crate) partitioner: Option<PartitionerId>,
    pub(crate) determinism: Determinism,
    pub(crate) barrier: bool,
    pub(crate) preferred_locations: Option<Arc<[Vec<TaskLocation>]>>,
    pub(crate) payloads: Payloads,
}

impl NewRdd {
    /// One partition for each of one parent's.
    pub(crate) fn one_to_one(scope: &'static str, parent: &Arc<RddCore>) -> Self {
        Self {
            scope,
            kind: "MapPartitionsRDD",
            partitions: parent.info.partitions,
            parents: vec![Parent::Narrow(Arc::clone(parent), NarrowMapping::OneToOne)],
            partitioner: None,
            determinism: parent.info.determinism,
            barrier: parent.info.barrier,
            preferred_locations: None,
            payloads: Payloads::None,
        }
    }

    /// From several parents, or from one in another way than partition by partition. The worst of the parents decides
    /// about determinism.
    pub(crate) fn derived(scope: &'static str, kind: &'static str, partitions: u32, parents: Vec<Parent>) -> Self {
        let determinism = Determinism::from_dependencies(&parents.iter().map(Parent::dependency).collect::<Vec<_>>());
        let barrier = parents.iter().any(|parent| matches!(parent, Parent::Narrow(parent, _) if parent.info.barrier));
        Self {
            scope,
            kind,
            partitions,
            parents,
            partitioner: None,
            determinism,
            barrier,
            preferred_locations: None,
            payloads: Payloads::None,
        }
    }

    /// What reads one shuffle. Segments arrive in any order: the rows are the same, their order is not (RT-36).
    pub(crate) fn shuffled(scope: &'static str, shuffle: Arc<ShuffleCore>, partitioner: Option<PartitionerId>) -> Self {
        let partitions = shuffle.info.reducers;
        let new = Self::derived(scope, "ShuffledRDD", partitions, vec![Parent::Shuffle(shuffle)]);
        new.partitioned(partitioner).unordered()
    }

    pub(crate) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn partitioned(mut self, partitioner: Option<PartitionerId>) -> Self {
        self.partitioner = partitioner;
        self
    }

    /// Its rows come in any order, as they do out of a hash table.
    pub(crate) fn unordered(mut self) -> Self {
        self.determinism = self.determinism.max(Determinism::Unordered);
        self
    }

    /// What a row becomes depends on the order of its partition: if that may change, so may the rows (RT-36).
    pub(crate) fn order_sensitive(mut self) -> Self {
        if self.determinism == Determinism::Unordered {
            self.determinism = Determinism::Indeterminate;
        }
        self
    }

    /// No parent.
    pub(crate) fn source(scope: &'static str, partitions: u32) -> Self {
        Self {
            scope,
            kind: "ParallelCollectionRDD",
            partitions,
            parents: Vec::new(),
            partitioner: None,
            determinism: Determinism::Determinate,
            barrier: false,
            preferred_locations: None,
            payloads: Payloads::None,
        }
    }
}

impl RddCore {
    /// Makes an RDD of operator `O`. The environment may depend on the RDD's own id, as it does for sources.
    pub(crate) fn new<O: Operator>(
        registry: &Arc<LineageRegistry>,
        location: &Location<'_>,
        new: NewRdd,
        environment: impl FnOnce(RddId) -> O::Env,
    ) -> Arc<Self> {
        let id = registry.next_rdd_id();
        let operation = Operation::new(slot_of::<NodeOf<O>>(), &environment(id));
        let mut parents = Vec::new();
        let mut shuffles = Vec::new();
        let mut dependencies = Vec::new();
        let stranger = |rdd: &RddCore| rdd.of_two_contexts || !Arc::ptr_eq(&rdd.registry, registry);
        let of_two_contexts = new.parents.iter().any(|parent| match parent {
            Parent::Narrow(parent, _) => stranger(parent),
            Parent::Shuffle(shuffle) => stranger(&shuffle.parent),
        });
        for parent in new.parents {
            dependencies.push(parent.dependency());
            match parent {
                Parent::Narrow(parent, _) => parents.push(parent),
                Parent::Shuffle(shuffle) => shuffles.push(shuffle),
            }
        }
        let carries_payloads =
            matches!(new.payloads, Payloads::Each(_)) || parents.iter().any(|parent| parent.carries_payloads);
        let call_site = CallSite::at(new.scope, location);
        let info = Arc::new(RddInfo {
            id,
            name: new.kind.to_owned(),
            scope: Some(call_site.operation.to_owned()),
            call_site_short: call_site.short,
            call_site_long: call_site.long,
            partitions: new.partitions,
            dependencies,
            determinism: new.determinism,
            barrier: new.barrier,
            preferred_locations: new.preferred_locations,
            resource_profile: ResourceProfileId(0),
        });
        let core = Arc::new(Self {
            info,
            partitioner: new.partitioner,
            operation,
            payloads: new.payloads,
            carries_payloads,
            of_two_contexts,
            state: Mutex::new(RddState {
                storage_level: StorageLevel::NONE,
                was_persisted: false,
                name: None,
                parents,
                shuffles,
                checkpoint: Checkpoint::None,
                resource_profile: None,
                with_profile: None,
            }),
            registry: Arc::clone(registry),
        });
        registry.add_rdd(&core);
        core
    }

    pub(crate) fn id(&self) -> RddId {
        self.info.id
    }

    /// Refuses an RDD of which some part belongs to a context that was stopped before its own was made.
    pub(crate) fn check_one_context(&self) -> Result<(), SparkError> {
        if self.of_two_contexts { Err(SparkError::OfTwoContexts { rdd_id: self.id() }) } else { Ok(()) }
    }

    pub(crate) fn registry(&self) -> &Arc<LineageRegistry> {
        &self.registry
    }

    pub(crate) fn storage_level(&self) -> StorageLevel {
        self.state.lock().storage_level
    }

    /// Sets the level, which must not be [`StorageLevel::NONE`]; a level that is set stays.
    pub(crate) fn persist(&self, level: StorageLevel) -> Result<(), SparkError> {
        let mut state = self.state.lock();
        let current = state.storage_level;
        if current.is_valid() && current != level {
            return Err(SparkError::StorageLevelChange { rdd_id: self.id(), current, wanted: level });
        }
        state.storage_level = level;
        state.was_persisted = true;
        Ok(())
    }

    /// Takes the level away. False if there was none.
    pub(crate) fn unpersist(&self) -> bool {
        std::mem::replace(&mut self.state.lock().storage_level, StorageLevel::NONE).is_valid()
    }

    pub(crate) fn name(&self) -> Option<String> {
        self.state.lock().name.clone()
    }

    pub(crate) fn set_name(&self, name: Option<&str>) {
        self.state.lock().name = name.map(str::to_owned);
    }

    /// The parents that a task of this RDD computes too, in the order in which the operator wants them; and where the RDD
    /// is read from instead, if its lineage was cut.
    pub(crate) fn sources(&self) -> (Vec<Arc<RddCore>>, Option<Arc<Cut>>) {
        let state = self.state.lock();
        let cut = if let Checkpoint::Done(cut) = &state.checkpoint { Some(Arc::clone(cut)) } else { None };
        (state.parents.clone(), cut)
    }

    /// As [`RddCore::sources`], with the parents behind shuffles.
    pub(crate) fn lineage(&self) -> (Ancestors, Option<Arc<Cut>>) {
        let state = self.state.lock();
        let cut = if let Checkpoint::Done(cut) = &state.checkpoint { Some(Arc::clone(cut)) } else { None };
        ((state.parents.clone(), state.shuffles.clone()), cut)
    }

    /// The RDD as it was made, or as its own lineage was cut or it was given a resource profile. The same may have become of
    /// ancestors beside that: jobs look at all.
    pub(crate) fn latest_info(&self) -> Arc<RddInfo> {
        let state = self.state.lock();
        Arc::clone(state.with_profile.as_ref().unwrap_or_else(|| state.without_profile(&self.info)))
    }

    pub(crate) fn resource_profile(&self) -> Option<ResourceProfile> {
        self.state.lock().resource_profile.clone()
    }

    /// From the next job on, stages that compute it have this profile.
    pub(crate) fn set_resource_profile(&self, profile: ResourceProfile) {
        let mut state = self.state.lock();
        state.resource_profile = Some(profile);
        state.describe_profile(&self.info);
        drop(state);
        self.registry.lineage_changed();
    }

    /// How things stand with its checkpoint, to look at and to change.
    pub(crate) fn with_checkpoint<R>(&self, use_checkpoint: impl FnOnce(&mut Checkpoint) -> R) -> R {
        use_checkpoint(&mut self.state.lock().checkpoint)
    }

    /// From now on the RDD is read from `cut`, and what it was computed from is let go of when no job is under way that may
    /// have been submitted before.
    pub(crate) fn cut_lineage(&self, cut: Cut) {
        let mut state = self.state.lock();
        state.checkpoint = Checkpoint::Done(Arc::new(cut));
        state.describe_profile(&self.info);
        let ancestors = (std::mem::take(&mut state.parents), std::mem::take(&mut state.shuffles));
        drop(state);
        self.registry.let_go(ancestors);
    }

    /// The level of a local checkpoint, which may replace another one.
    pub(crate) fn replace_storage_level(&self, level: StorageLevel) {
        let mut state = self.state.lock();
        state.storage_level = level;
        state.was_persisted = true;
    }
}

impl Drop for RddCore {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        self.registry.remove_rdd(self.info.id, state.was_persisted);
        if matches!(state.checkpoint, Checkpoint::Marked(_)) {
            self.registry.marked.fetch_sub(1, Ordering::Relaxed);
        }
        // Dropping a long lineage link by link would recurse as deep as it is long.
        let mut pending = state.take_ancestors();
        while let Some(parent) = pending.pop() {
            if let Some(mut parent) = Arc::into_inner(parent) {
                pending.append(&mut parent.state.get_mut().take_ancestors());
            }
        }
    }
}

impl RddState {
    fn without_profile<'a>(&'a self, made: &'a Arc<RddInfo>) -> &'a Arc<RddInfo> {
        match &self.checkpoint {
            Checkpoint::Done(cut) => &cut.info,
            Checkpoint::None | Checkpoint::Marked(_) | Checkpoint::InProgress { .. } => made,
        }
    }

    fn describe_profile(&mut self, made: &Arc<RddInfo>) {
        let described = self.resource_profile.as_ref().map(|profile| {
            let info = self.without_profile(made);
            let mut described = with_dependencies(info, info.dependencies.clone());
            described.resource_profile = profile.profile_id();
            Arc::new(described)
        });
        self.with_profile = described;
    }

    fn take_ancestors(&mut self) -> Vec<Arc<RddCore>> {
        let mut ancestors = std::mem::take(&mut self.parents);
        ancestors.extend(std::mem::take(&mut self.shuffles).into_iter().filter_map(take_parent));
        ancestors
    }
}

fn take_parent(shuffle: Arc<ShuffleCore>) -> Option<Arc<RddCore>> {
    Arc::into_inner(shuffle).map(|shuffle| Arc::clone(&shuffle.parent))
}

impl ShuffleCore {
    /// Makes an exchange whose map side is the work `slot` with this environment, which may depend on the shuffle's id.
    /// `partitioner` is what it partitions by, if that has an identity.
    pub(crate) fn new<Env: serde::Serialize>(
        parent: &Arc<RddCore>,
        reducers: u32,
        partitioner: Option<&PartitionerId>,
        slot: Slot,
        environment: impl FnOnce(ShuffleId) -> Env,
    ) -> Arc<Self> {
        let registry = parent.registry();
        let id = registry.next_shuffle_id();
        let info = Arc::new(ShuffleDependency {
            shuffle_id: id,
            parent: parent.latest_info(),
            reducers,
            // Nothing both aggregates by key and sorts by it: aggregated records come out of a hash table.
            sorted_and_aggregated: false,
            parent_is_partitioned_alike: partitioner.is_some() && parent.partitioner.as_ref() == partitioner,
        });
        let writer = Operation::new(slot, &environment(id));
        let core = Arc::new(Self { info, parent: Arc::clone(parent), writer, registry: Arc::clone(registry) });
        registry.add_shuffle(&core);
        core
    }

    pub(crate) fn id(&self) -> ShuffleId {
        self.info.shuffle_id
    }

    /// What is exchanged.
    pub(crate) fn parent(&self) -> &Arc<RddCore> {
        &self.parent
    }

    /// The map side's work.
    pub(crate) fn work(&self) -> Result<WorkSpec, SparkError> {
        self.writer.work("the shuffle writer")
    }
}

impl Drop for ShuffleCore {
    fn drop(&mut self) {
        self.registry.remove_shuffle(self.id());
    }
}

impl Operation {
    pub(crate) fn new<Env: serde::Serialize>(slot: Slot, environment: &Env) -> Self {
        let (environment, broadcasts) = encode_holding(environment);
        Self { slot, environment: environment.map(Bytes::from), _broadcasts: broadcasts }
    }

    fn work(&self, what: &str) -> Result<WorkSpec, SparkError> {
        match &self.environment {
            Ok(environment) => Ok(WorkSpec { slot: self.slot, environment: environment.clone() }),
            Err(message) => Err(SparkError::NotSerializable {
                what: format!("the environment of {what}"),
                message: message.clone(),
            }),
        }
    }
}
