//! Combining the values of each key of a partition.

use std::{marker::PhantomData, sync::Arc};

use firesteel_closure::{Closure, ConstructError};
use firesteel_executor::TaskContext;
use firesteel_external_collections::{Aggregator, ByValue, ExternalAppendOnlyMap, Grouping, Held};
use firesteel_model::Partition;

use crate::{
    combine_by_key::Combining,
    data::{Data, Key, Records},
    env::Env,
    node::{Operator, Parents},
    operator::side::{Side, SideEnv, SideError, Sides, thrown},
    spill::TaskSpill,
};

/// Values combined by key, without a map side that has combined them: in a partition that holds all values of its keys
/// already, or behind an exchange that would not have made them fewer.
pub(crate) struct Combine<K, V, C, E, F> {
    side: Side<K, V>,
    env: E,
    functions: Closure<F>,
    records: PhantomData<fn(V) -> (K, C)>,
}

impl<K: Key, V: Data, C: Data, E: Env, F: Combining<V, C, E>> Operator for Combine<K, V, C, E, F> {
    type Env = (SideEnv, E);
    type Item = (K, C);

    fn construct((side, env): (SideEnv, E), parents: Parents<'_>) -> Result<Self, ConstructError> {
        let side = Sides::of(parents).take(side)?;
        Ok(Self { side, env, functions: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(K, C)> {
        let functions = self.functions.get();
        let [for_create, for_value, for_combiners] = [&self, &self, &self].map(Arc::clone);
        let aggregator = ByValue {
            create_combiner: move |value| functions.create_combiner(&for_create.env, value),
            merge_value: move |combiner, value| functions.merge_value(&for_value.env, combiner, value),
            merge_combiners: move |left, right| functions.merge_combiners(&for_combiners.env, left, right),
        };
        let combined = combine::<K, V, Held<C>>(self.side.read(partition, context), aggregator, context);
        Box::new(combined.map(|(key, combiner)| (key, combiner.into_inner())))
    }
}

/// `group_by_key`.
pub(crate) struct GroupByKey<K, V> {
    side: Side<K, V>,
}

impl<K: Key, V: Data> Operator for GroupByKey<K, V> {
    type Env = SideEnv;
    type Item = (K, Vec<V>);

    fn construct(side: SideEnv, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { side: Sides::of(parents).take(side)? })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(K, Vec<V>)> {
        combine::<K, V, Vec<V>>(self.side.read(partition, context), Grouping, context)
    }
}

/// Reads all pairs now; gives each key with its combiner, in no particular order.
pub(crate) fn combine<K: Key, V: 'static, C: Data>(
    pairs: impl Iterator<Item = Result<(K, V), SideError>>,
    aggregator: impl Aggregator<V, C> + 'static,
    context: &Arc<TaskContext>,
) -> Records<(K, C)> {
    let spill = TaskSpill::of(context);
    let mut map = ExternalAppendOnlyMap::new(spill.context(), aggregator);
    map.insert_all(pairs).unwrap_or_else(|error: SideError| error.throw(context));
    let combined = map.finish().unwrap_or_else(|error| SideError::from(error).throw(context));
    thrown(combined.map(|entry| entry.map_err(SideError::from)), context)
}
