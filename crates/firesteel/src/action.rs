//! What result tasks do with the records of their partition.

use std::{any::type_name, sync::Arc};

use bytes::Bytes;
use firesteel_closure::{Construct, ConstructError, Constructed, Parts, slot_of};
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_external_collections::EncodeError;
use firesteel_messages::{TaskResult, TaskSuccess};
use firesteel_model::Partition;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    broadcast::encode_holding,
    data::{Data, Records, decode_environment, encode},
    env::Env,
    error::SparkError,
    node::{Node, Parents},
    stage_binary::WorkSpec,
};

/// What a stage does with the records of its last RDD: an action's part on the executor, or a shuffle's map side.
pub(crate) trait Work: Send + Sync {
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure>;
}

/// What a constructor of work gives.
pub(crate) struct ConstructedWork(pub(crate) Arc<dyn Work>);

/// An action's part on the executor: from the records of one partition to one value for the driver.
pub(crate) trait Action: Sized + Send + Sync + 'static {
    /// What travels beside the type.
    type Env: Env;
    /// The records it takes.
    type Item: Data;
    /// What each partition gives.
    type Output: Serialize + DeserializeOwned + 'static;

    fn new(env: Self::Env) -> Self;

    fn run(&self, records: Records<Self::Item>, context: &Arc<TaskContext>) -> Result<Self::Output, TaskFailure>;
}

/// What a task computed cannot travel to the driver.
#[derive(Debug, thiserror::Error)]
#[error("could not encode a task's result of type {type_name}")]
struct EncodeResultError {
    type_name: &'static str,
    source: EncodeError,
}

struct ActionWork<A: Action> {
    parent: Node<A::Item>,
    action: A,
}

impl<A: Action> Work for ActionWork<A> {
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let output = self.action.run(self.parent.records(partition, context), context)?;
        let encoded = encode(&output).map_err(|source| {
            TaskFailure::from_final_error(&EncodeResultError { type_name: type_name::<A::Output>(), source })
        })?;
        Ok(TaskSuccess::Result(TaskResult::Direct(Bytes::from(encoded))))
    }
}

struct ConstructAction<A>(A);

impl<A: Action> Construct for ConstructAction<A> {
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let env = decode_environment(type_name::<A>(), parts)?;
        let parent = Parents::of(type_name::<A>(), parts).get(0)?;
        Ok(Arc::new(ConstructedWork(Arc::new(ActionWork { parent, action: A::new(env) }))))
    }
}

/// The action as it travels.
pub(crate) fn work_of<A: Action>(env: &A::Env) -> Result<WorkSpec, SparkError> {
    // Broadcast values need not be held: the caller has the environment until the job ends.
    let (environment, _) = encode_holding(env);
    let environment = environment
        .map_err(|message| SparkError::NotSerializable { what: "the environment of an action".to_owned(), message })?;
    Ok(WorkSpec { slot: slot_of::<ConstructAction<A>>(), environment: Bytes::from(environment) })
}
