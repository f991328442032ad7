//! Sorting the pairs of a partition by key.

use std::{cmp::Ordering, sync::Arc};

use firesteel_closure::ConstructError;
use firesteel_executor::TaskContext;
use firesteel_external_collections::{ExternalSorter, sort_prefix};
use firesteel_model::Partition;

use crate::{
    data::{Data, Records},
    node::{Operator, Parents},
    operator::side::{Side, SideEnv, SideError, SideInput, Sides, thrown},
    spill::TaskSpill,
};

/// Pairs of a partition, sorted by key; equal keys in the order in which they came.
pub(crate) struct SortByKey<K, V> {
    side: Side<K, V>,
    ascending: bool,
}

impl<K: Data + Ord, V: Data> Operator for SortByKey<K, V> {
    type Env = (SideEnv, bool);
    type Item = (K, V);

    fn construct((side, ascending): (SideEnv, bool), parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { side: Sides::of(parents).take(side)?, ascending })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(K, V)> {
        let pairs = self.side.read(partition, context);
        if self.ascending {
            sorted(pairs, context, |left, right| left.0.cmp(&right.0), |prefix| prefix)
        } else {
            sorted(pairs, context, |left, right| right.0.cmp(&left.0), |prefix| !prefix)
        }
    }
}

/// `direct` turns the order of prefixes into that of the sort.
fn sorted<K: Data, V: Data>(
    pairs: SideInput<K, V>,
    context: &Arc<TaskContext>,
    compare: impl Fn(&(K, V), &(K, V)) -> Ordering + 'static,
    direct: impl Fn(u64) -> u64 + 'static,
) -> Records<(K, V)> {
    let spill = TaskSpill::of(context);
    let mut sorter = ExternalSorter::new(spill.context(), compare);
    if let Some(prefix) = sort_prefix::<K>() {
        sorter = sorter.with_prefix(move |pair: &(K, V)| direct(prefix(&pair.0)));
    }
    sorter.insert_all(pairs).unwrap_or_else(|error: SideError| error.throw(context));
    let sorted = sorter.finish().unwrap_or_else(|error| SideError::from(error).throw(context));
    thrown(sorted.map(|pair| pair.map_err(SideError::from)), context)
}
