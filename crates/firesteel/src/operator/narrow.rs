//! Operators that give one partition for one partition of one parent.

use std::{marker::PhantomData, sync::Arc};

use firesteel_closure::{Closure, ConstructError};
use firesteel_executor::TaskContext;
use firesteel_model::Partition;

use crate::{
    data::{Data, Records},
    env::Env,
    interruptible::Interruptible,
    node::{Node, Operator, Parents},
};

/// `map`.
pub(crate) struct Map<T, U, E, F> {
    parent: Node<T>,
    env: E,
    function: Closure<F>,
    records: PhantomData<fn() -> U>,
}

impl<T: Data, U: Data, E: Env, F> Operator for Map<T, U, E, F>
where
    F: Fn(&E, T) -> U + Copy + Send + Sync + 'static,
{
    type Env = E;
    type Item = U;

    fn construct(env: E, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parent: parents.get(0)?, env, function: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<U> {
        let function = self.function.get();
        Box::new(self.parent.records(partition, context).map(move |record| function(&self.env, record)))
    }
}

/// `filter`.
pub(crate) struct Filter<T, E, F> {
    parent: Node<T>,
    env: E,
    predicate: Closure<F>,
}

impl<T: Data, E: Env, F> Operator for Filter<T, E, F>
where
    F: Fn(&E, &T) -> bool + Copy + Send + Sync + 'static,
{
    type Env = E;
    type Item = T;

    fn construct(env: E, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parent: parents.get(0)?, env, predicate: Closure::by_type() })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let predicate = self.predicate.get();
        Box::new(self.parent.records(partition, context).filter(move |record| predicate(&self.env, record)))
    }
}

/// `flat_map`.
pub(crate) struct FlatMap<T, I, E, F> {
    parent: Node<T>,
    env: E,
    function: Closure<F>,
    records: PhantomData<fn() -> I>,
}

impl<T: Data, I, E: Env, F> Operator for FlatMap<T, I, E, F>
where
    I: IntoIterator<Item: Data> + 'static,
    F: Fn(&E, T) -> I + Copy + Send + Sync + 'static,
{
    type Env = E;
    type Item = I::Item;

    fn construct(env: E, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parent: parents.get(0)?, env, function: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<I::Item> {
        let function = self.function.get();
        let records = self.parent.records(partition, context).flat_map(move |record| function(&self.env, record));
        // One record may give records without end.
        Box::new(Interruptible::new(records, context))
    }
}

/// `map_partitions` and `map_partitions_with_index`.
pub(crate) struct MapPartitions<T, I, E, F> {
    parent: Node<T>,
    env: E,
    function: Closure<F>,
    records: PhantomData<fn() -> I>,
}

impl<T: Data, I, E: Env, F> Operator for MapPartitions<T, I, E, F>
where
    I: IntoIterator<Item: Data> + 'static,
    F: Fn(&E, u32, Records<T>) -> I + Copy + Send + Sync + 'static,
{
    type Env = E;
    type Item = I::Item;

    fn construct(env: E, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parent: parents.get(0)?, env, function: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<I::Item> {
        let records = self.parent.records(partition, context);
        let records = (self.function.get())(&self.env, partition.0, records).into_iter();
        // As above; and not all of them need come from the parent.
        Box::new(Interruptible::new(records, context))
    }
}

/// `map_values`, which keeps the partitioner.
pub(crate) struct MapValues<K, V, W, E, F> {
    parent: Node<(K, V)>,
    env: E,
    function: Closure<F>,
    records: PhantomData<fn() -> W>,
}

impl<K: Data, V: Data, W: Data, E: Env, F> Operator for MapValues<K, V, W, E, F>
where
    F: Fn(&E, V) -> W + Copy + Send + Sync + 'static,
{
    type Env = E;
    type Item = (K, W);

    fn construct(env: E, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parent: parents.get(0)?, env, function: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(K, W)> {
        let function = self.function.get();
        let records = self.parent.records(partition, context);
        Box::new(records.map(move |(key, value)| (key, function(&self.env, value))))
    }
}
