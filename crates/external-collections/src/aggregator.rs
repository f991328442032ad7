//! How values of one key become one combiner.
//!
//! Combiners are merged *in place*: taking one out of its slot in the hash table and putting it back costs two to three
//! times the whole update when the table is in cache (measured with 8-byte counters). Callers whose user function takes
//! and returns a combiner by value use [`ByValue`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Spark's `Aggregator`: how values of type `V` become combiners of type `C`. Called in the thread of the task; a panic
/// passes through, and leaves no spill file behind.
pub trait Aggregator<V, C> {
    /// The combiner of a key's first value.
    fn create_combiner(&self, value: V) -> C;
    /// Adds a further value.
    fn merge_value(&self, combiner: &mut C, value: V);
    /// Adds `other`, which was made from values that arrived after those in `combiner`.
    fn merge_combiners(&self, combiner: &mut C, other: C);
}

/// An [`Aggregator`] of three closures that change the combiner in place.
#[derive(Clone, Copy, Debug)]
pub struct InPlace<Create, MergeValue, MergeCombiners> {
    /// Makes a combiner of the first value.
    pub create_combiner: Create,
    /// Adds a value.
    pub merge_value: MergeValue,
    /// Adds a combiner.
    pub merge_combiners: MergeCombiners,
}

impl<V, C, Create, MergeValue, MergeCombiners> Aggregator<V, C> for InPlace<Create, MergeValue, MergeCombiners>
where
    Create: Fn(V) -> C,
    MergeValue: Fn(&mut C, V),
    MergeCombiners: Fn(&mut C, C),
{
    #[inline]
    fn create_combiner(&self, value: V) -> C {
        (self.create_combiner)(value)
    }

    #[inline]
    fn merge_value(&self, combiner: &mut C, value: V) {
        (self.merge_value)(combiner, value);
    }

    #[inline]
    fn merge_combiners(&self, combiner: &mut C, other: C) {
        (self.merge_combiners)(combiner, other);
    }
}

/// An [`Aggregator`] of three closures that take and return the combiner, as Spark's `combineByKey` and `reduceByKey` have
/// them. The collection holds each combiner in a [`Held`], which encodes like the combiner itself.
#[derive(Clone, Copy, Debug)]
pub struct ByValue<Create, MergeValue, MergeCombiners> {
    /// Makes a combiner of the first value.
    pub create_combiner: Create,
    /// Adds a value.
    pub merge_value: MergeValue,
    /// Adds a combiner.
    pub merge_combiners: MergeCombiners,
}

impl<V, C, Create, MergeValue, MergeCombiners> Aggregator<V, Held<C>> for ByValue<Create, MergeValue, MergeCombiners>
where
    Create: Fn(V) -> C,
    MergeValue: Fn(C, V) -> C,
    MergeCombiners: Fn(C, C) -> C,
{
    #[inline]
    fn create_combiner(&self, value: V) -> Held<C> {
        Held::new((self.create_combiner)(value))
    }

    #[inline]
    fn merge_value(&self, combiner: &mut Held<C>, value: V) {
        combiner.update(|held| (self.merge_value)(held, value));
    }

    #[inline]
    fn merge_combiners(&self, combiner: &mut Held<C>, other: Held<C>) {
        combiner.update(|held| (self.merge_combiners)(held, other.into_inner()));
    }
}

/// A combiner that can be taken out while a closure turns it into the next one. Encodes exactly as `C` does, so that a
/// reader of shuffle blocks need not know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held<C>(Option<C>);

impl<C> Held<C> {
    /// Holds this combiner.
    pub fn new(combiner: C) -> Self {
        Self(Some(combiner))
    }

    /// The combiner.
    ///
    /// # Panics
    ///
    /// If a closure panicked in the middle of [`update`](Self::update).
    pub fn into_inner(self) -> C {
        self.0.expect(HELD)
    }

    /// Replaces the combiner by what the closure makes of it.
    #[inline]
    pub fn update(&mut self, update: impl FnOnce(C) -> C) {
        let held = self.0.take().expect(HELD);
        self.0 = Some(update(held));
    }
}

/// A combiner is away only while its closure runs; if that panics, the task and its collections end.
const HELD: &str = "the closure that last updated this combiner returned";

impl<C: Serialize> Serialize for Held<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().expect(HELD).serialize(serializer)
    }
}

impl<'de, C: Deserialize<'de>> Deserialize<'de> for Held<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        C::deserialize(deserializer).map(Self::new)
    }
}

/// The [`Aggregator`] of `groupByKey`: every value of a key in one vector, in the order of arrival.
///
/// The result type needs one key's values in memory at once; only its caller can avoid that, by using a join or an
/// aggregation instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Grouping;

impl<V> Aggregator<V, Vec<V>> for Grouping {
    #[inline]
    fn create_combiner(&self, value: V) -> Vec<V> {
        vec![value]
    }

    #[inline]
    fn merge_value(&self, combiner: &mut Vec<V>, value: V) {
        combiner.push(value);
    }

    fn merge_combiners(&self, combiner: &mut Vec<V>, other: Vec<V>) {
        combiner.extend(other);
    }
}
