//! What a data set says of itself: how it is partitioned, what it depends on, its whole lineage as text.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use firesteel_model::{RddId, ShuffleId};
use firesteel_scheduler::{Dependency as Edge, RddInfo};

use crate::{data::Data, lineage::RddCore, partitioner::PartitionerId, rdd::Rdd, stage_lineage::current_info};

/// How a data set is partitioned: [`Rdd::partitioner`]. Two that are equal partition alike.
#[derive(Clone, PartialEq, Debug)]
pub struct PartitionerInfo(PartitionerId);

impl PartitionerInfo {
    /// How many partitions there are.
    pub fn partitions(&self) -> u32 {
        self.0.partitions
    }
}

/// How a data set depends on another: [`Rdd::dependencies`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dependency {
    /// Partition by partition, in the same stage.
    Narrow {
        /// The parent.
        parent: RddId,
    },
    /// Through an exchange.
    Shuffle {
        /// The parent.
        parent: RddId,
        /// The exchange.
        shuffle_id: ShuffleId,
    },
}

impl Dependency {
    /// The data set depended on.
    pub fn parent(&self) -> RddId {
        match self {
            Self::Narrow { parent } | Self::Shuffle { parent, .. } => *parent,
        }
    }

    /// Is there an exchange between both?
    pub fn is_shuffle(&self) -> bool {
        matches!(self, Self::Shuffle { .. })
    }
}

impl<T: Data> Rdd<T> {
    /// How its records are assigned to partitions, if that is known.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 'a')], 2);
    /// assert!(pairs.partitioner().is_none());
    /// let by_key = pairs.partition_by(3).partitioner();
    /// assert_eq!(by_key, pairs.group_by_key_with(3).partitioner());
    /// assert_eq!(by_key.map(|partitioner| partitioner.partitions()), Some(3));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn partitioner(&self) -> Option<PartitionerInfo> {
        self.core().partitioner.clone().map(PartitionerInfo)
    }

    /// What it is computed from, one entry for each parent.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([1, 2], 2);
    /// assert!(!numbers.map(|n| n + 1).dependencies()[0].is_shuffle());
    /// assert!(numbers.repartition(3).dependencies()[0].is_shuffle());
    /// assert_eq!(numbers.filter(|n| *n > 1).dependencies()[0].parent(), numbers.id());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn dependencies(&self) -> Vec<Dependency> {
        let info = current_info(self.core());
        let edges = info.dependencies.iter();
        edges
            .map(|edge| match edge {
                Edge::Narrow { parent, .. } => Dependency::Narrow { parent: parent.id },
                Edge::Shuffle(shuffle) => {
                    Dependency::Shuffle { parent: shuffle.parent.id, shuffle_id: shuffle.shuffle_id }
                }
            })
            .collect()
    }

    /// Its lineage as a tree, one line for each data set, as Spark's `toDebugString` draws it: the number in parentheses is the
    /// number of partitions of what follows, and `+-` marks an exchange.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let counts = spark.parallelize([(1, 1)], 2).reduce_by_key(|left, right| left + right);
    /// let tree = counts.to_debug_string();
    /// assert!(tree.starts_with("(2) ShuffledRDD[1] at reduceByKey"));
    /// assert!(tree.contains("\n +-(2) ParallelCollectionRDD[0] at parallelize"));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn to_debug_string(&self) -> String {
        debug_string(self.core())
    }
}

/// As Spark shows it: its name if it has one, its class, its number, and where it was made.
///
/// ```
/// # let spark = firesteel::examples::context();
/// let digits = spark.range(0, 10, 1, 4);
/// digits.set_name("digits");
/// assert!(digits.to_string().starts_with(&format!("digits ParallelCollectionRDD[{}] at range at ", digits.id())));
/// ```
impl<T> fmt::Display for Rdd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.core().name(), &self.core().info, f)
    }
}

/// One line to come, and what stands before it.
struct Line<'a> {
    rdd: &'a Arc<RddInfo>,
    prefix: String,
    shuffled: bool,
    last: bool,
}

fn debug_string(core: &Arc<RddCore>) -> String {
    let mut text = String::new();
    let info = current_info(core);
    let root = format!("({})", info.partitions);
    let _ = write!(text, "{root} {}", describe(core, &info));
    let mut lines = Vec::new();
    push_parents(&mut lines, &info, &bar(&root));
    // With a list of its own in place of recursion: lineages of iterative programs are thousands deep.
    while let Some(Line { rdd, prefix, shuffled, last }) = lines.pop() {
        let described = describe(core, rdd);
        if shuffled {
            let partitions = format!("({})", rdd.partitions);
            let parents_bar = prefix.trim_end().strip_suffix('|').unwrap_or(&prefix);
            let _ = write!(text, "\n{parents_bar}+-{partitions} {described}");
            let beside = if last { "  " } else { "| " };
            push_parents(&mut lines, rdd, &format!("{parents_bar}{beside}{}", bar(&partitions)));
        } else {
            let _ = write!(text, "\n{prefix}{described}");
            push_parents(&mut lines, rdd, &prefix);
        }
    }
    text
}

/// A bar below the middle of `partitions`.
fn bar(partitions: &str) -> String {
    let left = (partitions.len() - 1) / 2;
    format!("{}|{}", " ".repeat(left), " ".repeat(partitions.len() - left))
}

/// Adds the parents in such an order that the first one is taken next.
fn push_parents<'a>(lines: &mut Vec<Line<'a>>, rdd: &'a RddInfo, prefix: &str) {
    let mut last = true;
    for dependency in rdd.dependencies.iter().rev() {
        let shuffled = matches!(dependency, Edge::Shuffle(_));
        lines.push(Line { rdd: dependency.parent(), prefix: prefix.to_owned(), shuffled, last });
        last = false;
    }
}

fn describe(any: &RddCore, rdd: &RddInfo) -> String {
    let core = any.registry().rdd(rdd.id);
    let mut text = String::new();
    let _ = show(core.as_ref().and_then(|core| core.name()), rdd, &mut text);
    let level = core.map(|core| core.storage_level()).filter(firesteel_model::StorageLevel::is_valid);
    let level = level.map(|level| level.to_string()).unwrap_or_default();
    let _ = write!(text, " [{level}]");
    text
}

fn show(name: Option<String>, rdd: &RddInfo, output: &mut impl Write) -> fmt::Result {
    if let Some(name) = name {
        write!(output, "{name} ")?;
    }
    write!(output, "{}[{}] at {}", rdd.name, rdd.id, rdd.call_site_short)
}
