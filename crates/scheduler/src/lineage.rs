//! What the scheduler knows of a data set: how it hangs together with others, never what it computes.
//!
//! The API builds these as an `Arc` graph, children pointing to parents. Stages are cut at [`Dependency::Shuffle`] (RT-07);
//! everything narrow is pipelined inside one stage. The graph may be tens of thousands of data sets deep (iterative
//! programs), so nothing here or in the scheduler recurses over it, the destructor included.

use std::{fmt, mem, sync::Arc};

use firesteel_model::{Partition, RddId, ResourceProfileId, ShuffleId, TaskLocation};

/// One data set of the lineage.
///
/// The API may wrap it; the scheduler compares data sets by [`RddInfo::id`] alone.
pub struct RddInfo {
    /// Its number, unique in the application.
    pub id: RddId,
    /// The user's name for it, or its kind.
    pub name: String,
    /// The kind of operation (`map`), for the DAG picture.
    pub scope: Option<String>,
    /// The short call site, which names the stage that ends with this data set.
    pub call_site_short: String,
    /// The long call site.
    pub call_site_long: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// What it is computed from.
    pub dependencies: Vec<Dependency>,
    /// Whether computing a partition again gives the same rows, everything it is computed from included; see
    /// [`Determinism::from_dependencies`].
    pub determinism: Determinism,
    /// Its stage must run as a barrier stage (RT-48): set on the data set itself and on its narrow descendants.
    pub barrier: bool,
    /// Where its input splits are, by partition (RT-10); none if it has no preferences of its own. Must have
    /// [`RddInfo::partitions`] entries.
    pub preferred_locations: Option<Arc<[Vec<TaskLocation>]>>,
    /// What its tasks ask for; profile 0 is the default one.
    pub resource_profile: ResourceProfileId,
}

/// How a data set depends on another.
#[derive(Clone)]
pub enum Dependency {
    /// Each partition reads a few partitions of the parent, inside the same task.
    Narrow {
        /// The parent.
        parent: Arc<RddInfo>,
        /// Which partitions it reads.
        mapping: NarrowMapping,
    },
    /// Each partition reads something of every partition of the parent, through files.
    Shuffle(Arc<ShuffleDependency>),
}

impl Dependency {
    /// The data set depended on.
    pub fn parent(&self) -> &Arc<RddInfo> {
        match self {
            Self::Narrow { parent, .. } => parent,
            Self::Shuffle(shuffle) => &shuffle.parent,
        }
    }
}

/// Which partitions of the parent a partition reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NarrowMapping {
    /// Partition `p` reads partition `p` (`map`, `filter`, `zip`).
    OneToOne,
    /// Partition `p` reads `p - out_start + in_start` where `out_start <= p < out_start + length`, else nothing (`union`).
    Range {
        /// The first partition of the parent.
        in_start: u32,
        /// The first partition of the child.
        out_start: u32,
        /// How many partitions are mapped.
        length: u32,
    },
    /// Partition `p` reads the partitions at index `p` (`coalesce`, pruning).
    Many(Arc<[Vec<u32>]>),
    /// Partition `p` reads `p / divisor` (the left side of `cartesian`; divisor: partitions of the right side).
    Quotient {
        /// What the partition is divided by; not zero.
        divisor: u32,
    },
    /// Partition `p` reads `p % divisor` (the right side of `cartesian`).
    Remainder {
        /// What the partition is divided by; not zero.
        divisor: u32,
    },
    /// Every partition reads the whole parent (a broadcast-like narrow dependency).
    All,
}

impl NarrowMapping {
    /// Calls `visit` with each partition of a parent (which has `parent_partitions` of them) that `partition` reads.
    pub fn for_each_parent(&self, partition: Partition, parent_partitions: u32, mut visit: impl FnMut(Partition)) {
        let Partition(index) = partition;
        match self {
            Self::OneToOne => visit(partition),
            Self::Range { in_start, out_start, length } => {
                if index >= *out_start && index - out_start < *length {
                    visit(Partition(index - out_start + in_start));
                }
            }
            Self::Many(table) => {
                let parents = table.get(index as usize).map(Vec::as_slice).unwrap_or_default();
                parents.iter().for_each(|&parent| visit(Partition(parent)));
            }
            Self::Quotient { divisor } => visit(Partition(index / divisor)),
            Self::Remainder { divisor } => visit(Partition(index % divisor)),
            Self::All => (0..parent_partitions).for_each(|parent| visit(Partition(parent))),
        }
    }
}

/// An exchange between two stages.
pub struct ShuffleDependency {
    /// Its number, unique in the application; map outputs are registered under it.
    pub shuffle_id: ShuffleId,
    /// The data set whose partitions are written, one map task each.
    pub parent: Arc<RddInfo>,
    /// How many segments each map task writes.
    pub reducers: u32,
    /// The reader aggregates by key and sorts by key, so that the order in which segments arrive cannot show.
    pub sorted_and_aggregated: bool,
    /// The parent is partitioned already as this exchange would: nothing is really exchanged.
    pub parent_is_partitioned_alike: bool,
}

/// Whether computing a partition again gives the same rows: Spark's `DeterministicLevel`, in ascending order of trouble.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Determinism {
    /// The same rows in the same order.
    Determinate,
    /// The same rows in any order.
    Unordered,
    /// Perhaps other rows: what has read the old ones must be rolled back when they are computed again (RT-36).
    Indeterminate,
}

impl Determinism {
    /// What follows from the dependencies alone; an operation that cares for the order of its input (round-robin
    /// repartition, `zipWithIndex`, sampling without a fixed order) turns `Unordered` into `Indeterminate` itself.
    pub fn from_dependencies(dependencies: &[Dependency]) -> Self {
        let levels = dependencies.iter().map(|dependency| match dependency {
            Dependency::Narrow { parent, .. } => parent.determinism,
            Dependency::Shuffle(shuffle) if shuffle.parent_is_partitioned_alike => shuffle.parent.determinism,
            Dependency::Shuffle(shuffle) => match shuffle.parent.determinism {
                Self::Indeterminate => Self::Indeterminate,
                Self::Determinate | Self::Unordered if shuffle.sorted_and_aggregated => Self::Determinate,
                Self::Determinate | Self::Unordered => Self::Unordered,
            },
        });
        levels.max().unwrap_or(Self::Determinate)
    }
}

impl fmt::Debug for RddInfo {
    /// The data set and its parents' numbers: the whole lineage would fill pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parents: Vec<_> = self.dependencies.iter().map(|dependency| dependency.parent().id.0).collect();
        f.debug_struct("RddInfo")
            .field("id", &self.id.0)
            .field("name", &self.name)
            .field("partitions", &self.partitions)
            .field("parents", &parents)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ShuffleDependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShuffleDependency")
            .field("shuffle_id", &self.shuffle_id.0)
            .field("parent", &self.parent.id.0)
            .field("reducers", &self.reducers)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Narrow { parent, mapping } => write!(f, "Narrow({}, {mapping:?})", parent.id),
            Self::Shuffle(shuffle) => shuffle.fmt(f),
        }
    }
}

impl Drop for RddInfo {
    /// Unlinks the ancestors one by one: the compiler's own way would recurse and overflow the stack on a deep lineage.
    fn drop(&mut self) {
        let mut orphans = mem::take(&mut self.dependencies);
        while let Some(dependency) = orphans.pop() {
            let parent = match dependency {
                Dependency::Narrow { parent, .. } => Some(parent),
                Dependency::Shuffle(shuffle) => Arc::into_inner(shuffle).map(|shuffle| shuffle.parent),
            };
            if let Some(mut parent) = parent.and_then(Arc::into_inner) {
                orphans.append(&mut parent.dependencies);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdd(id: u32, dependencies: Vec<Dependency>, determinism: Determinism) -> Arc<RddInfo> {
        Arc::new(RddInfo {
            id: RddId(id),
            name: "rdd".to_owned(),
            scope: None,
            call_site_short: String::new(),
            call_site_long: String::new(),
            partitions: 6,
            dependencies,
            determinism,
            barrier: false,
            preferred_locations: None,
            resource_profile: ResourceProfileId(0),
        })
    }

    #[test]
    fn a_lineage_of_a_million_is_dropped_without_recursion() {
        let mut last = rdd(0, vec![], Determinism::Determinate);
        for id in 1..1_000_000 {
            let narrow = Dependency::Narrow { parent: last, mapping: NarrowMapping::OneToOne };
            last = rdd(id, vec![narrow], Determinism::Determinate);
        }
        drop(last);
    }

    #[test]
    fn mappings_name_the_partitions_that_are_read() {
        let read = |mapping: &NarrowMapping, partition| {
            let mut parents = vec![];
            mapping.for_each_parent(Partition(partition), 3, |parent| parents.push(parent.0));
            parents
        };
        assert_eq!(read(&NarrowMapping::OneToOne, 2), [2]);
        let range = NarrowMapping::Range { in_start: 1, out_start: 4, length: 2 };
        assert_eq!(
            (3..7).map(|partition| read(&range, partition)).collect::<Vec<_>>(),
            [vec![], vec![1], vec![2], vec![]]
        );
        let many = NarrowMapping::Many(vec![vec![0, 2], vec![1]].into());
        assert_eq!(read(&many, 0), [0, 2]);
        assert_eq!(read(&many, 5), [] as [u32; 0]);
        assert_eq!(read(&NarrowMapping::Quotient { divisor: 4 }, 6), [1]);
        assert_eq!(read(&NarrowMapping::Remainder { divisor: 4 }, 6), [2]);
        assert_eq!(read(&NarrowMapping::All, 0), [0, 1, 2]);
    }

    #[test]
    fn determinism_follows_from_the_worst_dependency() {
        let shuffle = |parent: &Arc<RddInfo>, sorted_and_aggregated, parent_is_partitioned_alike| {
            Dependency::Shuffle(Arc::new(ShuffleDependency {
                shuffle_id: ShuffleId(0),
                parent: parent.clone(),
                reducers: 2,
                sorted_and_aggregated,
                parent_is_partitioned_alike,
            }))
        };
        let narrow = |parent: &Arc<RddInfo>| Dependency::Narrow { parent: parent.clone(), mapping: NarrowMapping::All };
        let steady = rdd(0, vec![], Determinism::Determinate);
        let random = rdd(1, vec![], Determinism::Indeterminate);
        let cases = [
            (vec![], Determinism::Determinate),
            (vec![narrow(&steady)], Determinism::Determinate),
            (vec![narrow(&steady), narrow(&random)], Determinism::Indeterminate),
            (vec![shuffle(&steady, false, false)], Determinism::Unordered),
            (vec![shuffle(&steady, true, false)], Determinism::Determinate),
            (vec![shuffle(&steady, false, true)], Determinism::Determinate),
            (vec![shuffle(&random, true, false)], Determinism::Indeterminate),
        ];
        for (dependencies, expected) in cases {
            assert_eq!(Determinism::from_dependencies(&dependencies), expected, "{dependencies:?}");
        }
    }
}
