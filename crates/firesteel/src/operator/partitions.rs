//! Operators that arrange whole partitions of their parents: union, coalesce, cartesian product, zip.

use std::{marker::PhantomData, sync::Arc};

use firesteel_closure::{Closure, ConstructError};
use firesteel_executor::TaskContext;
use firesteel_model::Partition;

use crate::{
    data::{Data, Records},
    env::Env,
    node::{Node, Operator, Parents},
};

/// `union`: the parents' partitions one after another.
pub(crate) struct Union<T> {
    parents: Vec<Node<T>>,
    /// Where each parent's partitions begin.
    starts: Vec<u32>,
}

impl<T: Data> Operator for Union<T> {
    type Env = Vec<u32>;
    type Item = T;

    fn construct(starts: Vec<u32>, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parents: parents.all()?, starts })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let parent = self.starts.partition_point(|&start| start <= partition.0) - 1;
        self.parents[parent].records(Partition(partition.0 - self.starts[parent]), context)
    }
}

/// `union` of data sets that are partitioned alike: each partition is the parents' partitions of its number.
pub(crate) struct AlignedUnion<T>(Vec<Node<T>>);

impl<T: Data> Operator for AlignedUnion<T> {
    type Env = ();
    type Item = T;

    fn construct((): (), parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self(parents.all()?))
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let context = Arc::clone(context);
        let mut parents = 0..self.0.len();
        let parts = std::iter::from_fn(move || Some(self.0[parents.next()?].records(partition, &context)));
        Box::new(parts.flatten())
    }
}

/// `coalesce` without a shuffle: each partition is several of the parent's, in order.
pub(crate) struct Coalesce<T> {
    parent: Node<T>,
    groups: Vec<Vec<u32>>,
}

impl<T: Data> Operator for Coalesce<T> {
    type Env = Vec<Vec<u32>>;
    type Item = T;

    fn construct(groups: Vec<Vec<u32>>, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parent: parents.get(0)?, groups })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        let context = Arc::clone(context);
        let group = self.groups[partition.0 as usize].clone();
        Box::new(group.into_iter().flat_map(move |parent| self.parent.records(Partition(parent), &context)))
    }
}

/// `cartesian`: partition `p` pairs the left partition `p / n` with the right partition `p % n`, of which there are `n`.
pub(crate) struct Cartesian<T, U> {
    left: Node<T>,
    right: Node<U>,
    right_partitions: u32,
}

impl<T: Data, U: Data> Operator for Cartesian<T, U> {
    type Env = u32;
    type Item = (T, U);

    fn construct(right_partitions: u32, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { left: parents.get(0)?, right: parents.get(1)?, right_partitions })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<(T, U)> {
        let (left, right) = (partition.0 / self.right_partitions, partition.0 % self.right_partitions);
        let context = Arc::clone(context);
        // The right side is computed anew for each left record, as in Spark: neither side is held in memory.
        Box::new(self.left.records(Partition(left), &Arc::clone(&context)).flat_map(move |left_record| {
            let rights = self.right.records(Partition(right), &context);
            rights.map(move |right_record| (left_record.clone(), right_record))
        }))
    }
}

/// The data sets, by the types of their records, whose partitions `zip_partitions` brings together.
pub(crate) trait Zipped: 'static {
    /// What computes them.
    type Nodes: Send + Sync + 'static;
    /// The records of one partition of each.
    type Records;

    fn nodes(parents: Parents<'_>) -> Result<Self::Nodes, ConstructError>;

    fn records(nodes: &Self::Nodes, partition: Partition, context: &Arc<TaskContext>) -> Self::Records;
}

macro_rules! zipped {
    ($($letter:ident = $index:tt),*) => {
        impl<$($letter: Data),*> Zipped for ($($letter,)*) {
            type Nodes = ($(Node<$letter>,)*);
            type Records = ($(Records<$letter>,)*);

            fn nodes(parents: Parents<'_>) -> Result<Self::Nodes, ConstructError> {
                Ok(($(parents.get::<$letter>($index)?,)*))
            }

            fn records(nodes: &Self::Nodes, partition: Partition, context: &Arc<TaskContext>) -> Self::Records {
                ($(nodes.$index.records(partition, context),)*)
            }
        }
    };
}

zipped!(A = 0, B = 1);
zipped!(A = 0, B = 1, C = 2);
zipped!(A = 0, B = 1, C = 2, D = 3);

/// `zip_partitions`: a function of one partition of each parent.
pub(crate) struct ZipPartitions<Z: Zipped, I, E, F> {
    nodes: Z::Nodes,
    env: E,
    function: Closure<F>,
    records: PhantomData<fn() -> I>,
}

impl<Z: Zipped, I, E: Env, F> Operator for ZipPartitions<Z, I, E, F>
where
    I: IntoIterator<Item: Data> + 'static,
    F: Fn(&E, Z::Records) -> I + Copy + Send + Sync + 'static,
{
    type Env = E;
    type Item = I::Item;

    fn construct(env: E, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { nodes: Z::nodes(parents)?, env, function: Closure::by_type(), records: PhantomData })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<I::Item> {
        let records = Z::records(&self.nodes, partition, context);
        Box::new((self.function.get())(&self.env, records).into_iter())
    }
}
