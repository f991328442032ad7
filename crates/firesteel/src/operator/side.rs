//! Pairs that reach an operator either from a parent in the same stage or through a shuffle.
//!
//! A data set that is partitioned already as an operation wants it is read partition by partition; any other is exchanged
//! first. Which of both is decided on the driver, side by side, and is all the same to the operator.

use std::sync::Arc;

use firesteel_closure::ConstructError;
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_external_collections::SpillError;
use firesteel_model::{Partition, ShuffleId};
use firesteel_scheduler::NarrowMapping;

use crate::{
    data::{Data, Records},
    lineage::{Parent, RddCore},
    node::{Node, Parents},
    partitioner::{Chosen, Partitioner},
    shuffle::{
        input::ReduceInput,
        write::{self, spill_failure},
    },
};

/// One input of an operator on pairs.
pub(crate) enum Side<K, V> {
    /// A parent in this stage.
    Narrow(Node<(K, V)>),
    /// The output of an earlier stage.
    Shuffle(ShuffleId),
}

/// A side as it travels: the shuffle, or nothing if it is the next of the parents.
pub(crate) type SideEnv = Option<ShuffleId>;

/// Prepares one side on the driver: what it depends on, and what the operator is told.
pub(crate) fn side_of<K: Data, V: Data, P: Partitioner<K>>(
    rdd: &Arc<RddCore>,
    chosen: &Chosen<P>,
) -> (Parent, SideEnv) {
    if chosen.partitions(rdd) {
        (Parent::Narrow(Arc::clone(rdd), NarrowMapping::OneToOne), None)
    } else {
        let shuffle = write::plain::<K, V, P>(rdd, chosen);
        let shuffle_id = shuffle.id();
        (Parent::Shuffle(shuffle), Some(shuffle_id))
    }
}

/// Hands out the sides of an operator, in order.
pub(crate) struct Sides<'a> {
    parents: Parents<'a>,
    next: usize,
}

impl<'a> Sides<'a> {
    pub(crate) fn of(parents: Parents<'a>) -> Self {
        Self { parents, next: 0 }
    }

    pub(crate) fn take<K: Data, V: Data>(&mut self, env: SideEnv) -> Result<Side<K, V>, ConstructError> {
        match env {
            Some(shuffle_id) => Ok(Side::Shuffle(shuffle_id)),
            None => {
                self.next += 1;
                self.parents.get(self.next - 1).map(Side::Narrow)
            }
        }
    }
}

/// What ends an operator's input or its collections.
#[derive(Debug)]
pub(crate) enum SideError {
    Input(TaskFailure),
    Spill(SpillError),
}

impl From<SpillError> for SideError {
    fn from(error: SpillError) -> Self {
        Self::Spill(error)
    }
}

impl SideError {
    /// Ends the task, by unwinding.
    #[cold]
    pub(crate) fn throw(self, context: &TaskContext) -> ! {
        match self {
            Self::Input(failure) => failure.throw(),
            Self::Spill(error) => spill_failure(error, context).throw(),
        }
    }
}

impl<K: Data, V: Data> Side<K, V> {
    /// The pairs of one partition.
    pub(crate) fn read(&self, partition: Partition, context: &Arc<TaskContext>) -> SideInput<K, V> {
        match self {
            Self::Narrow(node) => SideInput::Narrow(node.records(partition, context)),
            Self::Shuffle(shuffle_id) => SideInput::Shuffle(ReduceInput::open(*shuffle_id, partition, context)),
        }
    }
}

/// The pairs of one partition of a [`Side`].
pub(crate) enum SideInput<K, V> {
    Narrow(Records<(K, V)>),
    Shuffle(ReduceInput<(K, V)>),
}

impl<K: Data, V: Data> Iterator for SideInput<K, V> {
    type Item = Result<(K, V), SideError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Narrow(records) => records.next().map(Ok),
            Self::Shuffle(input) => input.next().map(|record| record.map_err(SideError::Input)),
        }
    }
}

/// The rows of a collection whose failures unwind.
pub(crate) fn thrown<T: 'static>(
    rows: impl Iterator<Item = Result<T, SideError>> + 'static,
    context: &Arc<TaskContext>,
) -> Records<T> {
    let context = Arc::clone(context);
    Box::new(rows.map(move |row| row.unwrap_or_else(|error| error.throw(&context))))
}
