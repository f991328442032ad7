//! Reduce sides of shuffles: the first operator of a stage that reads one.

use std::{marker::PhantomData, sync::Arc};

use firesteel_closure::{Closure, ConstructError};
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_external_collections::{ByValue, ExternalAppendOnlyMap, Held};
use firesteel_model::{Partition, ShuffleId};

use crate::{
    combine_by_key::Combining,
    data::{Data, Key, Records},
    env::Env,
    node::{Operator, Parents},
    shuffle::{input::ReduceInput, write::spill_failure},
    spill::TaskSpill,
};

/// Records of one reduce partition in no particular order.
pub(crate) struct ShuffleRead<T> {
    shuffle_id: ShuffleId,
    records: PhantomData<fn() -> T>,
}

impl<T: Data> Operator for ShuffleRead<T> {
    type Env = ShuffleId;
    type Item = T;

    fn construct(shuffle_id: ShuffleId, _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { shuffle_id, records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let input = ReduceInput::<T>::open(self.shuffle_id, partition, context);
        Box::new(thrown(input))
    }
}

/// Combiners of one reduce partition, merged by key.
pub(crate) struct CombiningRead<K, V, C, E, F> {
    shuffle_id: ShuffleId,
    env: E,
    functions: Closure<F>,
    records: PhantomData<fn(V) -> (K, C)>,
}

impl<K: Key, V: Data, C: Data, E: Env, F: Combining<V, C, E>> Operator for CombiningRead<K, V, C, E, F> {
    type Env = (ShuffleId, E);
    type Item = (K, C);

    fn construct((shuffle_id, env): (ShuffleId, E), _parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { shuffle_id, env, functions: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(K, C)> {
        let spill = TaskSpill::of(context);
        let input = ReduceInput::<(K, C)>::open(self.shuffle_id, partition, context);
        let functions = self.functions.get();
        let [for_value, for_combiners] = [&self, &self].map(Arc::clone);
        // What is read are combiners already.
        let aggregator = ByValue {
            create_combiner: |combiner: C| combiner,
            merge_value: move |left, right| functions.merge_combiners(&for_value.env, left, right),
            merge_combiners: move |left, right| functions.merge_combiners(&for_combiners.env, left, right),
        };
        let mut map = ExternalAppendOnlyMap::<K, C, Held<C>, _>::new(spill.context(), aggregator);
        for record in input {
            let (key, combiner) = record.unwrap_or_else(|failure| failure.throw());
            map.insert(key, combiner).unwrap_or_else(|error| spill_failure(error, context).throw());
        }
        let combined = map.finish().unwrap_or_else(|error| spill_failure(error, context).throw());
        let context = Arc::clone(context);
        Box::new(combined.map(move |record| match record {
            Ok((key, combiner)) => (key, combiner.into_inner()),
            Err(error) => spill_failure(error, &context).throw(),
        }))
    }
}

/// Records whose failures unwind.
fn thrown<T>(input: impl Iterator<Item = Result<T, TaskFailure>>) -> impl Iterator<Item = T> {
    input.map(|record| record.unwrap_or_else(|failure| failure.throw()))
}
