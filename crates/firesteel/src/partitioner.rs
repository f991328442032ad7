//! Which partition a key belongs to.

use std::{
    any::{TypeId, type_name},
    hash::BuildHasher,
    marker::PhantomData,
    sync::Arc,
};

use bytes::Bytes;
use firesteel_closure::{Construct, ConstructError, Constructed, Parts, Slot, construct, slot_of};
use firesteel_conf::keys;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    context::SparkContext,
    data::{Data, Key, decode, decode_environment, encode},
    lineage::RddCore,
};

/// Assigns keys to partitions. It travels to executors, so it is made of what serde can write; two RDDs whose partitioners
/// are of one type and encode to the same bytes are partitioned alike, and a join of them needs no shuffle.
///
/// ```
/// # let spark = firesteel::examples::context();
/// use firesteel::Partitioner;
///
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Parity;
///
/// impl Partitioner<u32> for Parity {
///     fn partitions(&self) -> u32 {
///         2
///     }
///     fn partition(&self, key: &u32) -> u32 {
///         key % 2
///     }
/// }
///
/// let squares = spark.parallelize((0..4).map(|n| (n, n * n)), 1).partition_by(&Parity);
/// assert_eq!(squares.keys().glom().collect()?, [[0, 2], [1, 3]]);
/// # Ok::<(), firesteel::SparkError>(())
/// ```
pub trait Partitioner<K>: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// How many partitions there are; at least one, or whatever shuffles by it panics.
    fn partitions(&self) -> u32;

    /// The partition of a key, below [`Self::partitions`]; the same for the same key in every process.
    fn partition(&self, key: &K) -> u32;
}

/// Spreads keys by their hash: Spark's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HashPartitioner {
    partitions: u32,
}

impl HashPartitioner {
    /// Spreads over that many partitions; at least one.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::HashPartitioner;
    ///
    /// let by_key = HashPartitioner::new(3);
    /// let ages = spark.parallelize([(1, 30), (2, 40)], 2).partition_by(&by_key);
    /// let names = spark.parallelize([(1, 'a'), (2, 'b')], 2).partition_by(&by_key);
    /// // What is partitioned alike is joined without another exchange.
    /// assert!(ages.join(&names).dependencies().iter().all(|dependency| !dependency.is_shuffle()));
    /// assert_eq!(ages.join(&names).lookup(&2)?, [(40, 'b')]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn new(partitions: u32) -> Self {
        Self { partitions: partitions.max(1) }
    }
}

impl<K: Key> Partitioner<K> for HashPartitioner {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    #[inline]
    fn partition(&self, key: &K) -> u32 {
        reduce(stable_hash(key), self.partitions)
    }
}

/// The hash that decides partitions: fixed seed, the same in every process of the application.
#[inline]
pub(crate) fn stable_hash<K: std::hash::Hash>(key: &K) -> u64 {
    foldhash::quality::FixedState::with_seed(0x5061_7274_6974_696f).hash_one(key)
}

/// Maps a hash to `0..partitions` by its high bits: a multiplication where `%` would divide.
#[inline]
pub(crate) fn reduce(hash: u64, partitions: u32) -> u32 {
    ((u128::from(hash) * u128::from(partitions)) >> 64) as u32
}

/// Gives each partition one range of keys, so that the partitions, one after another, are sorted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(bound = "K: Serialize + DeserializeOwned")]
pub struct RangePartitioner<K> {
    /// The largest key of each partition but the last, ascending.
    bounds: Vec<K>,
    ascending: bool,
}

impl<K: Data + Ord> RangePartitioner<K> {
    /// One partition more than there are bounds; the bounds are sorted and repeated ones are dropped.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::RangePartitioner;
    ///
    /// let pairs = spark.parallelize([(25, 'c'), (5, 'a'), (10, 'b')], 1);
    /// let ranges = pairs.partition_by(&RangePartitioner::new(vec![10, 20], true));
    /// assert_eq!(ranges.values().glom().collect()?, [vec!['a', 'b'], vec![], vec!['c']]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn new(mut bounds: Vec<K>, ascending: bool) -> Self {
        bounds.sort();
        bounds.dedup();
        Self { bounds, ascending }
    }

    /// The partitions that may hold keys from `lower` to `upper`, both included.
    pub(crate) fn partitions_between(&self, lower: &K, upper: &K) -> std::ops::RangeInclusive<u32> {
        let (first, last) = (self.partition(lower), self.partition(upper));
        first.min(last)..=first.max(last)
    }
}

impl<K: Data + Ord> Partitioner<K> for RangePartitioner<K> {
    fn partitions(&self) -> u32 {
        self.bounds.len() as u32 + 1
    }

    fn partition(&self, key: &K) -> u32 {
        let index = self.bounds.partition_point(|bound| bound < key) as u32;
        if self.ascending { index } else { self.bounds.len() as u32 - index }
    }
}

/// Puts each key, which is a partition's number, into that partition.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct IndexPartitioner {
    pub(crate) partitions: u32,
}

impl Partitioner<u32> for IndexPartitioner {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    #[inline]
    fn partition(&self, key: &u32) -> u32 {
        *key
    }
}

/// How the result of an exchange is to be partitioned: a number of partitions, over which keys are spread by their hash, or
/// a reference to a [`Partitioner`]. The last argument of every operation whose name ends in `_with`.
pub trait Partitioning<K> {
    /// What it comes to.
    type Partitioner: Partitioner<K>;

    /// The partitioner.
    fn into_partitioner(self) -> Self::Partitioner;
}

impl<K: Key> Partitioning<K> for u32 {
    type Partitioner = HashPartitioner;

    fn into_partitioner(self) -> HashPartitioner {
        HashPartitioner::new(self)
    }
}

impl<K, P: Partitioner<K>> Partitioning<K> for &P {
    type Partitioner = P;

    fn into_partitioner(self) -> P {
        self.clone()
    }
}

/// What two partitioners must share for their RDDs to be partitioned alike, and what it takes to use one whose type is
/// forgotten.
#[derive(Clone, Debug)]
pub(crate) struct PartitionerId {
    pub(crate) partitions: u32,
    /// Two types may have one name, so it is not the name.
    kind: TypeId,
    encoded: Bytes,
    slot: Slot,
}

impl PartialEq for PartitionerId {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.partitions == other.partitions && self.encoded == other.encoded
    }
}

impl PartitionerId {
    /// `None` if the partitioner cannot be encoded; then it equals no other, and using it fails at the first action.
    pub(crate) fn of<K: 'static, P: Partitioner<K>>(partitioner: &P) -> Option<Self> {
        let encoded = encode(partitioner).ok()?.into();
        let slot = slot_of::<ConstructPartitioner<K, P>>();
        Some(Self { partitions: partitioner.partitions(), kind: kind_of::<K, P>(), encoded, slot })
    }

    /// The partitioner, if it is of this type.
    pub(crate) fn downcast<K: 'static, P: Partitioner<K>>(&self) -> Option<P> {
        if self.kind == kind_of::<K, P>() { decode(&self.encoded).ok() } else { None }
    }
}

fn kind_of<K: 'static, P: 'static>() -> TypeId {
    TypeId::of::<(P, PhantomData<K>)>()
}

/// The way from a key to its partition.
struct PartitionFunction<K>(Arc<dyn Fn(&K) -> u32 + Send + Sync>);

struct ConstructPartitioner<K, P>(PhantomData<fn(K) -> P>);

impl<K: 'static, P: Partitioner<K>> Construct for ConstructPartitioner<K, P> {
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let partitioner: P = decode_environment(type_name::<Self>(), parts)?;
        Ok(Arc::new(PartitionFunction::<K>(Arc::new(move |key| partitioner.partition(key)))))
    }
}

/// A partitioner that an upstream data set has, of a type that is not known here.
pub(crate) struct UpstreamPartitioner<K> {
    spec: UpstreamSpec,
    function: Arc<dyn Fn(&K) -> u32 + Send + Sync>,
}

#[derive(Clone, Serialize, Deserialize)]
struct UpstreamSpec {
    slot: Slot,
    encoded: Bytes,
    partitions: u32,
}

impl<K: 'static> UpstreamPartitioner<K> {
    fn new(spec: UpstreamSpec) -> Result<Self, String> {
        let parts = Parts { environment: &spec.encoded, parents: &[] };
        let constructed = construct(spec.slot, parts).map_err(|error| error.to_string())?;
        match constructed.downcast_ref::<PartitionFunction<K>>() {
            Some(PartitionFunction(function)) => Ok(Self { function: Arc::clone(function), spec }),
            None => Err(format!("function slot {} is no partitioner of {}", spec.slot, type_name::<K>())),
        }
    }
}

impl<K> Clone for UpstreamPartitioner<K> {
    fn clone(&self) -> Self {
        Self { spec: self.spec.clone(), function: Arc::clone(&self.function) }
    }
}

impl<K> Serialize for UpstreamPartitioner<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.spec.serialize(serializer)
    }
}

impl<'de, K: 'static> Deserialize<'de> for UpstreamPartitioner<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(UpstreamSpec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What [`default_partitioner`] chose.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "K: 'static")]
pub(crate) enum DefaultPartitioner<K> {
    Hash(HashPartitioner),
    Upstream(UpstreamPartitioner<K>),
}

impl<K: Key> Partitioner<K> for DefaultPartitioner<K> {
    fn partitions(&self) -> u32 {
        match self {
            Self::Hash(hash) => Partitioner::<K>::partitions(hash),
            Self::Upstream(upstream) => upstream.spec.partitions,
        }
    }

    #[inline]
    fn partition(&self, key: &K) -> u32 {
        match self {
            Self::Hash(hash) => hash.partition(key),
            Self::Upstream(upstream) => (upstream.function)(key),
        }
    }
}

/// A partitioner and its identity, which differ in type if the partitioner was taken from an upstream data set.
pub(crate) struct Chosen<P> {
    pub(crate) partitioner: P,
    pub(crate) id: Option<PartitionerId>,
}

impl<P> Chosen<P> {
    /// What the caller asked for.
    pub(crate) fn given<K: 'static>(partitioning: impl Partitioning<K, Partitioner = P>) -> Self
    where
        P: Partitioner<K>,
    {
        let partitioner = partitioning.into_partitioner();
        let id = PartitionerId::of::<K, P>(&partitioner);
        Self { partitioner, id }
    }

    /// Is this data set partitioned so already?
    pub(crate) fn partitions(&self, rdd: &RddCore) -> bool {
        self.id.is_some() && rdd.partitioner == self.id
    }
}

impl<K: Key> Chosen<DefaultPartitioner<K>> {
    /// Over that many partitions, by hash.
    pub(crate) fn hash(partitions: u32) -> Self {
        let hash = HashPartitioner::new(partitions);
        Self { id: PartitionerId::of::<K, _>(&hash), partitioner: DefaultPartitioner::Hash(hash) }
    }

    pub(crate) fn upstream(id: &PartitionerId) -> Option<Self> {
        let partitioner = match id.downcast::<K, HashPartitioner>() {
            Some(hash) => DefaultPartitioner::Hash(hash),
            None => DefaultPartitioner::Upstream(
                UpstreamPartitioner::new(UpstreamSpec {
                    slot: id.slot,
                    encoded: id.encoded.clone(),
                    partitions: id.partitions,
                })
                .ok()?,
            ),
        };
        Some(Self { partitioner, id: Some(id.clone()) })
    }
}

/// Spark's `Partitioner.defaultPartitioner`: the partitioner of the upstream data set that has the most partitions among those
/// with one, if it has more than a tenth of the partitions of the largest data set, or at least as many as there would be
/// otherwise; else by hash over `spark.default.parallelism` partitions if that is set, or as many as the largest upstream data
/// set has (RT-16).
pub(crate) fn default_partitioner<K: Key>(
    context: &SparkContext,
    upstream: &[&RddCore],
) -> Chosen<DefaultPartitioner<K>> {
    let largest = upstream.iter().map(|rdd| rdd.info.partitions).max().unwrap_or(0);
    // A value that cannot be read has failed the context's start.
    let configured = context.conf().get(&keys::DEFAULT_PARALLELISM).ok().flatten();
    let partitions = configured.unwrap_or(largest);
    let with_partitioner = upstream.iter().filter_map(|rdd| rdd.partitioner.as_ref()).filter(|id| id.partitions > 0);
    // Of several with as many partitions, the first, as in Spark.
    let existing = with_partitioner.reduce(|best, id| if id.partitions > best.partitions { id } else { best });
    existing
        .filter(|id| {
            let eligible = f64::from(largest).log10() - f64::from(id.partitions).log10() < 1.0;
            eligible || partitions <= id.partitions
        })
        .and_then(Chosen::upstream)
        .unwrap_or_else(|| Chosen::hash(partitions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_partitions_are_even_and_in_range() {
        let partitioner = HashPartitioner::new(7);
        let mut counts = [0u32; 7];
        for key in 0..70_000u64 {
            counts[partitioner.partition(&key) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_000..11_000).contains(&count)), "{counts:?}");
    }

    #[test]
    fn ranges_follow_the_order() {
        let ascending = RangePartitioner::new(vec![20, 10, 10], true);
        assert_eq!(Partitioner::<i32>::partitions(&ascending), 3);
        assert_eq!([5, 10, 11, 20, 21].map(|key| ascending.partition(&key)), [0, 0, 1, 1, 2]);
        let descending = RangePartitioner::new(vec![10, 20], false);
        assert_eq!([5, 10, 11, 20, 21].map(|key| descending.partition(&key)), [2, 2, 1, 1, 0]);
    }

    #[test]
    fn partitioners_are_compared_by_type_and_content() {
        let hash = |partitions| PartitionerId::of::<u32, _>(&HashPartitioner::new(partitions));
        assert_eq!(hash(3), hash(3));
        assert_ne!(hash(3), hash(4));
        assert_ne!(hash(3), PartitionerId::of::<u64, _>(&HashPartitioner::new(3)));
    }

    #[test]
    fn partitioners_whose_types_share_a_name_are_two() {
        macro_rules! shifted_by {
            ($shift:literal) => {{
                #[derive(Clone, Serialize, Deserialize)]
                struct Shifted;
                impl Partitioner<u32> for Shifted {
                    fn partitions(&self) -> u32 {
                        4
                    }
                    fn partition(&self, key: &u32) -> u32 {
                        (key + $shift) % 4
                    }
                }
                (type_name::<Shifted>(), PartitionerId::of::<u32, _>(&Shifted))
            }};
        }
        let (first_name, first) = shifted_by!(0);
        let (second_name, second) = shifted_by!(1);
        assert_eq!(first_name, second_name, "else the test shows nothing");
        assert_ne!(first, second);
    }
}
