//! The lineage of one stage at one moment, and lineages as the scheduler is to see them now.
//!
//! A checkpoint cuts a lineage while stages of it may be about to start. A stage's binary and what its tasks carry beside
//! it must fit together, so both are made from one look at the lineage.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use firesteel_messages::TaskPayload;
use firesteel_model::{Partition, RddId};
use firesteel_scheduler::{Dependency, RddInfo, ShuffleDependency};

use crate::{
    checkpoint::Cut,
    error::SparkError,
    lineage::{Payloads, RddCore},
    node::NodeHeader,
    stage_binary::{NodeSpec, StageBinary, WorkSpec},
};

/// What tasks of one stage compute, parents before children, the stage's own RDD last.
pub(crate) struct StageLineage(Vec<StageNode>);

struct StageNode {
    rdd: Arc<RddCore>,
    /// Where it is read from, if its lineage was cut; it has no parents then.
    cut: Option<Arc<Cut>>,
    /// Indices of earlier nodes.
    parents: Vec<usize>,
}

/// A step of a walk that needs no recursion, as lineages of iterative programs are thousands of RDDs deep.
enum Step {
    Enter(Arc<RddCore>),
    Leave(Arc<RddCore>, Vec<Arc<RddCore>>, Option<Arc<Cut>>),
}

impl StageLineage {
    /// Looks at what a task of this RDD computes.
    pub(crate) fn of(rdd: &Arc<RddCore>) -> Self {
        let mut nodes = Vec::new();
        let mut indices = HashMap::new();
        let mut steps = vec![Step::Enter(Arc::clone(rdd))];
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter(rdd) if !indices.contains_key(&rdd.id()) => {
                    let (parents, cut) = rdd.sources();
                    let enter: Vec<Step> = parents.iter().map(|parent| Step::Enter(Arc::clone(parent))).collect();
                    steps.push(Step::Leave(rdd, parents, cut));
                    steps.extend(enter);
                }
                // Reached along several ways, it was entered more than once before it was done.
                Step::Leave(rdd, parents, cut) if !indices.contains_key(&rdd.id()) => {
                    indices.insert(rdd.id(), nodes.len());
                    let parents = parents.iter().map(|parent| indices[&parent.id()]).collect();
                    nodes.push(StageNode { rdd, cut, parents });
                }
                Step::Enter(_) | Step::Leave(..) => {}
            }
        }
        Self(nodes)
    }

    /// The bytes that executors construct the stage from.
    pub(crate) fn binary(&self, work: &WorkSpec) -> Result<Vec<u8>, SparkError> {
        let nodes = self.0.iter().map(|StageNode { rdd, cut, parents }| {
            let operation = cut.as_ref().map_or(&rdd.operation, |cut| &cut.operation);
            let environment = operation.environment.clone().map_err(|message| SparkError::NotSerializable {
                what: format!("the environment of {}", rdd.info.call_site_short),
                message,
            })?;
            Ok(NodeSpec {
                slot: operation.slot,
                header: NodeHeader { rdd_id: rdd.id(), storage_level: rdd.storage_level() },
                environment,
                parents: parents.iter().map(|&parent| parent as u32).collect(),
            })
        });
        let nodes = nodes.collect::<Result<_, SparkError>>()?;
        let encoded = StageBinary { nodes, work: work.clone() }.encode();
        encoded
            .map_err(|error| SparkError::NotSerializable { what: "the stage".to_owned(), message: error.to_string() })
    }

    /// What a task that computes `partition` of the stage's RDD needs beside the stage binary.
    pub(crate) fn payloads(&self, partition: Partition) -> Vec<TaskPayload> {
        let mut payloads = Vec::new();
        let mut stack = vec![(self.0.len() - 1, partition)];
        // Diamonds upon diamonds have more ways through them than a program can count.
        let mut visited = HashSet::new();
        while let Some((index, partition)) = stack.pop() {
            if !visited.insert((index, partition)) {
                continue;
            }
            let StageNode { rdd, cut, parents } = &self.0[index];
            if cut.is_some() {
                continue;
            }
            if let Payloads::Each(each) = &rdd.payloads {
                let bytes = each[partition.0 as usize].clone();
                payloads.push(TaskPayload { rdd_id: rdd.id(), partition, bytes });
            }
            let mut parents = parents.iter();
            for dependency in &rdd.info.dependencies {
                if let Dependency::Narrow { mapping, .. } = dependency {
                    let parent = *parents.next().expect("every narrow dependency has its parent");
                    let parent_rdd = &self.0[parent].rdd;
                    if parent_rdd.carries_payloads {
                        mapping.for_each_parent(partition, parent_rdd.info.partitions, |of| stack.push((parent, of)));
                    }
                }
            }
        }
        payloads.sort_by_key(|payload| (payload.rdd_id, payload.partition));
        payloads
    }
}

/// The lineage of an RDD as it is now. Where an ancestor's was cut, or it was given a resource profile, its descendants are
/// described anew; the numbers stay. A lineage without a change is given as it was made.
pub(crate) fn current_info(rdd: &Arc<RddCore>) -> Arc<RddInfo> {
    /// As [`Step`], with parents behind shuffles.
    enum Step {
        Enter(Arc<RddCore>),
        Leave(Arc<RddCore>),
    }
    if rdd.registry().is_unchanged() {
        return Arc::clone(&rdd.info);
    }
    let mut infos: HashMap<RddId, Arc<RddInfo>> = HashMap::new();
    let mut steps = vec![Step::Enter(Arc::clone(rdd))];
    while let Some(step) = steps.pop() {
        match step {
            Step::Enter(rdd) if !infos.contains_key(&rdd.id()) => {
                let ((parents, shuffles), cut) = rdd.lineage();
                if cut.is_some() {
                    infos.insert(rdd.id(), rdd.latest_info());
                    continue;
                }
                let behind = shuffles.iter().map(|shuffle| &shuffle.parent);
                let enter: Vec<Step> = parents.iter().chain(behind).map(|rdd| Step::Enter(Arc::clone(rdd))).collect();
                steps.push(Step::Leave(rdd));
                steps.extend(enter);
            }
            Step::Leave(rdd) if !infos.contains_key(&rdd.id()) => {
                let info = described_anew(&rdd.latest_info(), &infos);
                infos.insert(rdd.id(), info);
            }
            Step::Enter(_) | Step::Leave(_) => {}
        }
    }
    Arc::clone(&infos[&rdd.id()])
}

/// The same RDD on what its parents are now.
fn described_anew(made: &Arc<RddInfo>, infos: &HashMap<RddId, Arc<RddInfo>>) -> Arc<RddInfo> {
    let unchanged = |dependency: &Dependency| {
        let parent = dependency.parent();
        infos.get(&parent.id).is_some_and(|info| Arc::ptr_eq(info, parent))
    };
    if made.dependencies.iter().all(unchanged) {
        return Arc::clone(made);
    }
    let dependencies = made.dependencies.iter().map(|dependency| match dependency {
        Dependency::Narrow { parent, mapping } => {
            Dependency::Narrow { parent: Arc::clone(&infos[&parent.id]), mapping: mapping.clone() }
        }
        Dependency::Shuffle(shuffle) => Dependency::Shuffle(Arc::new(ShuffleDependency {
            shuffle_id: shuffle.shuffle_id,
            parent: Arc::clone(&infos[&shuffle.parent.id]),
            reducers: shuffle.reducers,
            sorted_and_aggregated: shuffle.sorted_and_aggregated,
            parent_is_partitioned_alike: shuffle.parent_is_partitioned_alike,
        })),
    });
    Arc::new(with_dependencies(made, dependencies.collect()))
}

/// A copy that is computed from something else.
pub(crate) fn with_dependencies(made: &RddInfo, dependencies: Vec<Dependency>) -> RddInfo {
    RddInfo {
        id: made.id,
        name: made.name.clone(),
        scope: made.scope.clone(),
        call_site_short: made.call_site_short.clone(),
        call_site_long: made.call_site_long.clone(),
        partitions: made.partitions,
        dependencies,
        determinism: made.determinism,
        barrier: made.barrier,
        preferred_locations: made.preferred_locations.clone(),
        resource_profile: made.resource_profile,
    }
}
