//! The joins of pair RDDs, as iterators.
//!
//! One side is built into a hash table and the other streams past it; see `hash_join` for what happens when the table does
//! not fit. Rows come in no particular order. Keys are compared with `Eq` and nothing else: whoever has SQL's nulls keeps
//! rows with a null key away.
//!
//! Inputs are iterators of results, so that a failed fetch passes through: `E` is the caller's error, into which a
//! [`SpillError`] can be put. After an error the iterator ends.

#![expect(clippy::type_complexity, reason = "the row that an operation gives is best read in its signature")]

use std::hash::Hash;

use crate::{
    Record, SpillContext, SpillError,
    hash_join::{HashJoin, JoinRules},
};

/// A pair, or why there is none: what inputs and outputs of joins are made of.
pub type PairResult<K, V, E> = Result<(K, V), E>;

/// Which side of a join is built into the hash table. The smaller one, if sizes are known: it decides memory and time; the
/// result is the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BuildSide {
    /// The left side is read first, and the right side streams.
    Left,
    /// The right side is read first, and the left side streams.
    #[default]
    Right,
}

/// What every join needs of a key.
pub trait JoinKey: Record + Hash + Eq + Clone {}

impl<K: Record + Hash + Eq + Clone> JoinKey for K {}

/// Spark's `join`: each pair of rows with equal keys.
pub fn join<K, V, W, E, L, R>(
    context: &SpillContext,
    left: L,
    right: R,
    build_side: BuildSide,
) -> Result<impl Iterator<Item = PairResult<K, (V, W), E>> + use<K, V, W, E, L, R>, E>
where
    L: IntoIterator<Item = PairResult<K, V, E>>,
    R: IntoIterator<Item = PairResult<K, W, E>>,
    K: JoinKey,
    V: Record + Clone,
    W: Record + Clone,
    E: From<SpillError>,
{
    let rows = outer_join(context, left, right, build_side, Keep { left: false, right: false })?;
    Ok(rows.map(|row| {
        let (key, left, right) = row?;
        Ok((key, (left.expect(MATCHED), right.expect(MATCHED))))
    }))
}

/// Spark's `leftOuterJoin`: as [`join`], and each left row that matches none.
pub fn left_outer_join<K, V, W, E, L, R>(
    context: &SpillContext,
    left: L,
    right: R,
    build_side: BuildSide,
) -> Result<impl Iterator<Item = PairResult<K, (V, Option<W>), E>> + use<K, V, W, E, L, R>, E>
where
    L: IntoIterator<Item = PairResult<K, V, E>>,
    R: IntoIterator<Item = PairResult<K, W, E>>,
    K: JoinKey,
    V: Record + Clone,
    W: Record + Clone,
    E: From<SpillError>,
{
    let rows = outer_join(context, left, right, build_side, Keep { left: true, right: false })?;
    Ok(rows.map(|row| {
        let (key, left, right) = row?;
        Ok((key, (left.expect(MATCHED), right)))
    }))
}

/// Spark's `rightOuterJoin`: as [`join`], and each right row that matches none.
pub fn right_outer_join<K, V, W, E, L, R>(
    context: &SpillContext,
    left: L,
    right: R,
    build_side: BuildSide,
) -> Result<impl Iterator<Item = PairResult<K, (Option<V>, W), E>> + use<K, V, W, E, L, R>, E>
where
    L: IntoIterator<Item = PairResult<K, V, E>>,
    R: IntoIterator<Item = PairResult<K, W, E>>,
    K: JoinKey,
    V: Record + Clone,
    W: Record + Clone,
    E: From<SpillError>,
{
    let rows = outer_join(context, left, right, build_side, Keep { left: false, right: true })?;
    Ok(rows.map(|row| {
        let (key, left, right) = row?;
        Ok((key, (left, right.expect(MATCHED))))
    }))
}

/// Spark's `fullOuterJoin`: as [`join`], and each row of either side that matches none.
pub fn full_outer_join<K, V, W, E, L, R>(
    context: &SpillContext,
    left: L,
    right: R,
    build_side: BuildSide,
) -> Result<impl Iterator<Item = PairResult<K, (Option<V>, Option<W>), E>> + use<K, V, W, E, L, R>, E>
where
    L: IntoIterator<Item = PairResult<K, V, E>>,
    R: IntoIterator<Item = PairResult<K, W, E>>,
    K: JoinKey,
    V: Record + Clone,
    W: Record + Clone,
    E: From<SpillError>,
{
    let rows = outer_join(context, left, right, build_side, Keep { left: true, right: true })?;
    Ok(rows.map(|row| row.map(|(key, left, right)| (key, (left, right)))))
}

/// Spark's `subtractByKey`: each left row whose key is not on the right. The keys of the right are held, or spilled.
pub fn subtract_by_key<K, V, W, E, L, R>(
    context: &SpillContext,
    left: L,
    right: R,
) -> Result<impl Iterator<Item = PairResult<K, V, E>> + use<K, V, W, E, L, R>, E>
where
    L: IntoIterator<Item = PairResult<K, V, E>>,
    R: IntoIterator<Item = PairResult<K, W, E>>,
    K: JoinKey,
    V: Record + Clone,
    E: From<SpillError>,
{
    let rules = JoinRules { matched: false, unmatched_build: false, unmatched_probe: true };
    let keys = right.into_iter().map(|row| row.map(|(key, _)| (key, ())));
    let rows = HashJoin::new(context, rules, keys, left.into_iter())?;
    Ok(rows.map(|row| {
        let (key, _, left) = row?;
        Ok((key, left.expect(MATCHED)))
    }))
}

/// A join gives `None` only for a side whose unmatched counterpart was asked for.
const MATCHED: &str = "the rules of this join give no row without this side";

/// Whose rows without a match are kept.
#[derive(Clone, Copy)]
struct Keep {
    left: bool,
    right: bool,
}

type OuterRow<K, V, W> = (K, Option<V>, Option<W>);

fn outer_join<K, V, W, E, L, R>(
    context: &SpillContext,
    left: L,
    right: R,
    build_side: BuildSide,
    keep: Keep,
) -> Result<impl Iterator<Item = Result<OuterRow<K, V, W>, E>> + use<K, V, W, E, L, R>, E>
where
    L: IntoIterator<Item = PairResult<K, V, E>>,
    R: IntoIterator<Item = PairResult<K, W, E>>,
    K: JoinKey,
    V: Record + Clone,
    W: Record + Clone,
    E: From<SpillError>,
{
    let (left, right) = (left.into_iter(), right.into_iter());
    Ok(match build_side {
        BuildSide::Left => {
            let rules = JoinRules { matched: true, unmatched_build: keep.left, unmatched_probe: keep.right };
            BuiltJoin::Left(HashJoin::new(context, rules, left, right)?)
        }
        BuildSide::Right => {
            let rules = JoinRules { matched: true, unmatched_build: keep.right, unmatched_probe: keep.left };
            BuiltJoin::Right(HashJoin::new(context, rules, right, left)?)
        }
    })
}

/// A join by which side it was built from.
enum BuiltJoin<L, R> {
    Left(L),
    Right(R),
}

impl<K, V, W, E, L, R> Iterator for BuiltJoin<L, R>
where
    L: Iterator<Item = Result<OuterRow<K, V, W>, E>>,
    R: Iterator<Item = Result<OuterRow<K, W, V>, E>>,
{
    type Item = Result<OuterRow<K, V, W>, E>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Left(rows) => rows.next(),
            Self::Right(rows) => rows.next().map(|row| row.map(|(key, right, left)| (key, left, right))),
        }
    }
}
