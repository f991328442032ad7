//! Cogroup: for each key, the values of both sides.
//!
//! The result type holds all values of one key, so one key's values must fit into memory; different keys spill. For a
//! product of both sides, a join needs less.

#![expect(clippy::type_complexity, reason = "the row that an operation gives is best read in its signature")]

use std::hash::Hash;

use crate::{Aggregator, ExternalAppendOnlyMap, PairResult, Record, SpillContext, SpillError};

/// Spark's `cogroup`: each key of either side with its values on the left and on the right, in the order of arrival. Both
/// sides are read now; the groups come in no particular order.
pub fn cogroup<K, V, W, E, L, R>(
    context: &SpillContext,
    left: L,
    right: R,
) -> Result<impl Iterator<Item = PairResult<K, (Vec<V>, Vec<W>), E>> + use<K, V, W, E, L, R>, E>
where
    L: IntoIterator<Item = PairResult<K, V, E>>,
    R: IntoIterator<Item = PairResult<K, W, E>>,
    K: Record + Hash + Eq,
    V: Record,
    W: Record,
    E: From<SpillError>,
{
    let mut groups = ExternalAppendOnlyMap::new(context, CoGrouping);
    groups.insert_all(left.into_iter().map(|row| row.map(|(key, value)| (key, Side::Left(value)))))?;
    groups.insert_all(right.into_iter().map(|row| row.map(|(key, value)| (key, Side::Right(value)))))?;
    Ok(groups.finish()?.map(|group| group.map_err(E::from)))
}

enum Side<V, W> {
    Left(V),
    Right(W),
}

struct CoGrouping;

impl<V, W> Aggregator<Side<V, W>, (Vec<V>, Vec<W>)> for CoGrouping {
    #[inline]
    fn create_combiner(&self, value: Side<V, W>) -> (Vec<V>, Vec<W>) {
        match value {
            Side::Left(value) => (vec![value], Vec::new()),
            Side::Right(value) => (Vec::new(), vec![value]),
        }
    }

    #[inline]
    fn merge_value(&self, (left, right): &mut (Vec<V>, Vec<W>), value: Side<V, W>) {
        match value {
            Side::Left(value) => left.push(value),
            Side::Right(value) => right.push(value),
        }
    }

    fn merge_combiners(&self, (left, right): &mut (Vec<V>, Vec<W>), other: (Vec<V>, Vec<W>)) {
        left.extend(other.0);
        right.extend(other.1);
    }
}
