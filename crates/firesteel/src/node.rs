//! The lineage as an executor holds it: constructed operators, each knowing its parents.

use std::{any::type_name, sync::Arc};

use firesteel_closure::{Construct, ConstructError, Constructed, Parts};
use firesteel_executor::TaskContext;
use firesteel_model::{Partition, RddId, StorageLevel};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    cache,
    data::{Data, Records, decode},
};

/// One operation of the lineage. The driver encodes its environment; every process constructs it once per stage, and all
/// tasks of the stage share it.
pub(crate) trait Operator: Sized + Send + Sync + 'static {
    /// What travels beside the type.
    type Env: Serialize + DeserializeOwned;
    /// The records that it gives.
    type Item: Data;

    /// Builds the operator. Parents come in the order in which the driver named them.
    fn construct(env: Self::Env, parents: Parents<'_>) -> Result<Self, ConstructError>;

    /// Starts to compute a partition. What goes wrong later unwinds as a
    /// [`TaskFailure`](firesteel_executor::TaskFailure).
    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<Self::Item>;
}

/// [`Operator`] without its own type.
trait Compute<T>: Send + Sync {
    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<T>;
}

impl<O: Operator> Compute<O::Item> for O {
    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<O::Item> {
        Operator::compute(self, partition, context)
    }
}

/// What the driver says of a node beside its operator.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct NodeHeader {
    pub(crate) rdd_id: RddId,
    pub(crate) storage_level: StorageLevel,
}

/// One RDD of the stage, ready to be computed or read from the cache.
pub(crate) struct Node<T> {
    header: NodeHeader,
    compute: Arc<dyn Compute<T>>,
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        Self { header: self.header, compute: Arc::clone(&self.compute) }
    }
}

impl<T: Data> Node<T> {
    /// The records of a partition: from the cache if the RDD is persisted and the block is there, else computed (and then
    /// cached if it is persisted).
    pub(crate) fn records(&self, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        if self.header.storage_level.is_valid() {
            cache::get_or_compute(self.header.rdd_id, partition, self.header.storage_level, context, || {
                self.compute_records(partition, context)
            })
        } else {
            self.compute_records(partition, context)
        }
    }

    fn compute_records(&self, partition: Partition, context: &Arc<TaskContext>) -> Records<T> {
        Arc::clone(&self.compute).compute(partition, context)
    }
}

/// The constructor of a node with this operator.
pub(crate) struct NodeOf<O>(O);

impl<O: Operator> Construct for NodeOf<O> {
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let decoded = postcard::take_from_bytes::<NodeHeader>(parts.environment)
            .and_then(|(header, rest)| Ok((header, decode::<O::Env>(rest)?)));
        let (header, env) = decoded.map_err(|error| ConstructError::Environment {
            constructor: type_name::<O>(),
            message: error.to_string(),
        })?;
        let parents = Parents { constructor: type_name::<O>(), parents: parts.parents };
        let compute = Arc::new(O::construct(env, parents)?);
        Ok(Arc::new(Node::<O::Item> { header, compute }))
    }
}

/// The parents that a constructor was given.
#[derive(Clone, Copy)]
pub(crate) struct Parents<'a> {
    constructor: &'static str,
    parents: &'a [Constructed],
}

impl<'a> Parents<'a> {
    /// For constructors of other things than nodes: shuffle writers and actions.
    pub(crate) fn of(constructor: &'static str, parts: Parts<'a>) -> Self {
        Self { constructor, parents: parts.parents }
    }

    /// How many there are.
    pub(crate) fn len(self) -> usize {
        self.parents.len()
    }

    /// The parent at `index`, which must give records of type `T`.
    pub(crate) fn get<T: Data>(self, index: usize) -> Result<Node<T>, ConstructError> {
        let node = self.parents.get(index).and_then(|parent| parent.downcast_ref::<Node<T>>());
        node.cloned().ok_or(ConstructError::Parent {
            constructor: self.constructor,
            index,
            expected: type_name::<Node<T>>(),
        })
    }

    /// Every parent, all of which must give records of type `T`.
    pub(crate) fn all<T: Data>(self) -> Result<Vec<Node<T>>, ConstructError> {
        (0..self.len()).map(|index| self.get(index)).collect()
    }
}
