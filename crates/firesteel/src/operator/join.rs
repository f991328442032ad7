//! Joins of two data sets of pairs, by the streaming and spilling joins of `firesteel-external-collections`.

use std::{marker::PhantomData, sync::Arc};

use firesteel_closure::ConstructError;
use firesteel_executor::TaskContext;
use firesteel_external_collections::{
    BuildSide, SpillContext, full_outer_join, join, left_outer_join, right_outer_join, subtract_by_key,
};
use firesteel_model::Partition;

use crate::{
    data::{Data, Key, Records},
    node::{Operator, Parents},
    operator::side::{Side, SideEnv, SideError, SideInput, Sides, thrown},
    spill::TaskSpill,
};

/// Rows of a join, as they come.
pub(crate) type JoinRows<K, R> = Box<dyn Iterator<Item = Result<(K, R), SideError>>>;

/// Which join it is.
pub(crate) trait JoinKind<K, V, W>: Send + Sync + 'static {
    /// What a row has beside its key.
    type Row: Data;
    /// Spark's class of the RDD that the join is made by.
    const KIND: &'static str;

    /// Joins one partition of both sides.
    fn rows(
        spill: &SpillContext,
        left: SideInput<K, V>,
        right: SideInput<K, W>,
    ) -> Result<JoinRows<K, Self::Row>, SideError>;
}

macro_rules! join_kinds {
    ($($(#[$doc:meta])* $kind:ident => $row:ty, $join:ident;)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $kind;

            impl<K: Key, V: Data, W: Data> JoinKind<K, V, W> for $kind {
                type Row = $row;
                const KIND: &'static str = "CoGroupedRDD";

                fn rows(
                    spill: &SpillContext,
                    left: SideInput<K, V>,
                    right: SideInput<K, W>,
                ) -> Result<JoinRows<K, $row>, SideError> {
                    Ok(Box::new($join(spill, left, right, BuildSide::default())?))
                }
            }
        )*
    };
}

join_kinds! {
    /// `join`.
    Inner => (V, W), join;
    /// `left_outer_join`.
    LeftOuter => (V, Option<W>), left_outer_join;
    /// `right_outer_join`.
    RightOuter => (Option<V>, W), right_outer_join;
    /// `full_outer_join`.
    FullOuter => (Option<V>, Option<W>), full_outer_join;
}

/// `subtract_by_key`.
pub(crate) struct Subtract;

impl<K: Key, V: Data, W: Data> JoinKind<K, V, W> for Subtract {
    type Row = V;
    const KIND: &'static str = "SubtractedRDD";

    fn rows(spill: &SpillContext, left: SideInput<K, V>, right: SideInput<K, W>) -> Result<JoinRows<K, V>, SideError> {
        Ok(Box::new(subtract_by_key(spill, left, right)?))
    }
}

/// A join of two sides.
pub(crate) struct Join<K, V, W, Kind> {
    left: Side<K, V>,
    right: Side<K, W>,
    kind: PhantomData<Kind>,
}

impl<K: Key, V: Data, W: Data, Kind: JoinKind<K, V, W>> Operator for Join<K, V, W, Kind> {
    type Env = (SideEnv, SideEnv);
    type Item = (K, Kind::Row);

    fn construct((left, right): (SideEnv, SideEnv), parents: Parents<'_>) -> Result<Self, ConstructError> {
        let mut sides = Sides::of(parents);
        Ok(Self { left: sides.take(left)?, right: sides.take(right)?, kind: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(K, Kind::Row)> {
        let spill = TaskSpill::of(context);
        let (left, right) = (self.left.read(partition, context), self.right.read(partition, context));
        let rows = Kind::rows(spill.context(), left, right).unwrap_or_else(|error| error.throw(context));
        thrown(rows, context)
    }
}
