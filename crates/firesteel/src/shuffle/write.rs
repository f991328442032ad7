//! Map sides of shuffles: the last work of a map stage.

use std::{any::type_name, marker::PhantomData, sync::Arc};

use firesteel_closure::{Closure, Construct, ConstructError, Constructed, Parts, Slot, slot_of};
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_external_collections::{
    ByValue, CombiningMapWriter, Held, ShuffleMapWriter, SpillError, WriteMapOutputError,
};
use firesteel_messages::TaskSuccess;
use firesteel_model::{Partition, ShuffleId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    action::{ConstructedWork, Work},
    combine_by_key::Combining,
    data::{Data, Key, Records, decode_environment},
    env::Env,
    lineage::{RddCore, ShuffleCore},
    node::{Node, Parents},
    partitioner::{Chosen, Partitioner, reduce, stable_hash},
    shuffle::output::MapOutput,
    spill::TaskSpill,
};

/// What every map side is told.
#[derive(Serialize, Deserialize)]
#[serde(bound = "P: Serialize + DeserializeOwned, E: Serialize + DeserializeOwned")]
struct WriteEnv<P, E> {
    shuffle_id: ShuffleId,
    reducers: u32,
    partitioner: P,
    env: E,
}

/// [`WriteEnv`] as the driver encodes it, without owning its parts; the fields are in the same order.
#[derive(Serialize)]
struct WriteEnvRef<'a, P, E> {
    shuffle_id: ShuffleId,
    reducers: u32,
    partitioner: &'a P,
    env: &'a E,
}

/// Writes records as they are, each to the reducer of its key.
struct PlainWrite<K, V, P> {
    parent: Node<(K, V)>,
    env: WriteEnv<P, ()>,
}

impl<K: Data, V: Data, P: Partitioner<K>> Construct for PlainWrite<K, V, P> {
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let (parent, env) = parent_and_env(type_name::<Self>(), parts)?;
        Ok(Arc::new(ConstructedWork(Arc::new(Self { parent, env }))))
    }
}

impl<K: Data, V: Data, P: Partitioner<K>> Work for PlainWrite<K, V, P> {
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let WriteEnv { shuffle_id, reducers, partitioner, .. } = &self.env;
        let records = self.parent.records(partition, context);
        write_records(records, *shuffle_id, *reducers, context, |(key, _)| {
            checked(partitioner.partition(key), *reducers)
        })
    }
}

/// Deals records out to the reducers in turn: `repartition`.
struct RoundRobinWrite<T> {
    parent: Node<T>,
    env: WriteEnv<(), ()>,
}

impl<T: Data> Construct for RoundRobinWrite<T> {
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let (parent, env) = parent_and_env(type_name::<Self>(), parts)?;
        Ok(Arc::new(ConstructedWork(Arc::new(Self { parent, env }))))
    }
}

impl<T: Data> Work for RoundRobinWrite<T> {
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let WriteEnv { shuffle_id, reducers, .. } = self.env;
        // Each partition begins elsewhere, so that small ones do not all fill the first reducers; always at the same place,
        // so that an attempt repeats the one before it.
        let mut next = reduce(stable_hash(&partition.0), reducers);
        write_records(self.parent.records(partition, context), shuffle_id, reducers, context, |_| {
            let target = next;
            next = if next + 1 == reducers { 0 } else { next + 1 };
            Ok(target)
        })
    }
}

/// Writes each record to the reducer that `target` names.
fn write_records<T: Data>(
    records: Records<T>,
    shuffle_id: ShuffleId,
    reducers: u32,
    context: &Arc<TaskContext>,
    mut target: impl FnMut(&T) -> Result<u32, TaskFailure>,
) -> Result<TaskSuccess, TaskFailure> {
    let spill = TaskSpill::of(context);
    let mut writer = ShuffleMapWriter::<T>::new(spill.context(), reducers);
    for record in records {
        writer.insert(target(&record)?, &record).map_err(|error| spill_failure(error, context))?;
    }
    let mut output = MapOutput::create(context, shuffle_id, reducers)?;
    let summary = writer.finish(&mut output).map_err(|error| write_failure(error, context))?;
    output.commit(context, summary.records_written)
}

/// Combines the values of a key before it writes them (RT-12).
struct CombiningWrite<K, V, C, P, E, F> {
    parent: Node<(K, V)>,
    env: WriteEnv<P, E>,
    functions: Closure<F>,
    combiner: PhantomData<fn() -> C>,
}

impl<K, V, C, P, E, F> Construct for CombiningWrite<K, V, C, P, E, F>
where
    K: Key,
    V: Data,
    C: Data,
    P: Partitioner<K>,
    E: Env,
    F: Combining<V, C, E>,
{
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let (parent, env) = parent_and_env(type_name::<Self>(), parts)?;
        let work = Self { parent, env, functions: Closure::by_type(), combiner: PhantomData };
        Ok(Arc::new(ConstructedWork(Arc::new(work))))
    }
}

impl<K, V, C, P, E, F> Work for CombiningWrite<K, V, C, P, E, F>
where
    K: Key,
    V: Data,
    C: Data,
    P: Partitioner<K>,
    E: Env,
    F: Combining<V, C, E>,
{
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let spill = TaskSpill::of(context);
        let WriteEnv { shuffle_id, reducers, partitioner, env } = &self.env;
        let functions = self.functions.get();
        let aggregator = ByValue {
            create_combiner: move |value| functions.create_combiner(env, value),
            merge_value: move |combiner, value| functions.merge_value(env, combiner, value),
            merge_combiners: move |left, right| functions.merge_combiners(env, left, right),
        };
        let target = |key: &K| {
            checked(partitioner.partition(key), *reducers).unwrap_or_else(|failure: TaskFailure| failure.throw())
        };
        let mut writer = CombiningMapWriter::<K, V, Held<C>, _, _>::new(spill.context(), *reducers, target, aggregator);
        for (key, value) in self.parent.records(partition, context) {
            writer.insert(key, value).map_err(|error| spill_failure(error, context))?;
        }
        let mut output = MapOutput::create(context, *shuffle_id, *reducers)?;
        let summary = writer.finish(&mut output).map_err(|error| write_failure(error, context))?;
        output.commit(context, summary.records_written)
    }
}

/// An exchange of records as they are.
pub(crate) fn plain<K: Data, V: Data, P: Partitioner<K>>(
    parent: &Arc<RddCore>,
    chosen: &Chosen<P>,
) -> Arc<ShuffleCore> {
    exchange::<K, P, ()>(parent, chosen, &(), slot_of::<PlainWrite<K, V, P>>())
}

/// An exchange that deals records out in turn.
pub(crate) fn round_robin<T: Data>(parent: &Arc<RddCore>, reducers: u32) -> Arc<ShuffleCore> {
    let slot = slot_of::<RoundRobinWrite<T>>();
    ShuffleCore::new(parent, reducers, None, slot, |shuffle_id| WriteEnv {
        shuffle_id,
        reducers,
        partitioner: (),
        env: (),
    })
}

/// An exchange that combines before it writes.
pub(crate) fn combining<K: Key, V: Data, C: Data, P: Partitioner<K>, E: Env, F: Combining<V, C, E>>(
    parent: &Arc<RddCore>,
    chosen: &Chosen<P>,
    env: &E,
    functions: F,
) -> Arc<ShuffleCore> {
    Closure::of(functions);
    exchange::<K, P, E>(parent, chosen, env, slot_of::<CombiningWrite<K, V, C, P, E, F>>())
}

fn exchange<K, P: Partitioner<K>, E: Env>(
    parent: &Arc<RddCore>,
    chosen: &Chosen<P>,
    env: &E,
    slot: Slot,
) -> Arc<ShuffleCore> {
    let reducers = chosen.partitioner.partitions();
    assert!(
        reducers > 0,
        "{} has no partitions, and would lose every record; a partitioner has at least one",
        type_name::<P>()
    );
    ShuffleCore::new(parent, reducers, chosen.id.as_ref(), slot, |shuffle_id| WriteEnvRef {
        shuffle_id,
        reducers,
        partitioner: &chosen.partitioner,
        env,
    })
}

/// What every map side is constructed from.
fn parent_and_env<T: Data, P, E>(
    constructor: &'static str,
    parts: Parts<'_>,
) -> Result<(Node<T>, WriteEnv<P, E>), ConstructError>
where
    WriteEnv<P, E>: DeserializeOwned,
{
    let parent = Parents::of(constructor, parts).get(0)?;
    let env = decode_environment(constructor, parts)?;
    Ok((parent, env))
}

/// A partitioner of the user's may be wrong.
#[inline]
fn checked(partition: u32, reducers: u32) -> Result<u32, TaskFailure> {
    if partition < reducers {
        Ok(partition)
    } else {
        #[derive(Debug, thiserror::Error)]
        #[error("the partitioner gave partition {partition}, but it has said that there are {reducers}")]
        struct PartitionOutOfRange {
            partition: u32,
            reducers: u32,
        }
        Err(TaskFailure::from_final_error(&PartitionOutOfRange { partition, reducers }))
    }
}

/// What a spilling collection met, as the task's end.
pub(crate) fn spill_failure(error: SpillError, context: &TaskContext) -> TaskFailure {
    if matches!(error, SpillError::Killed) {
        context.end_if_killed();
    }
    match error {
        // The record is the same at the next attempt (RT-32), and so is how it is read: the file has passed its checksum.
        SpillError::Encode { .. } | SpillError::Decode { .. } | SpillError::Misread { .. } => {
            TaskFailure::from_final_error(&error)
        }
        error => TaskFailure::from_error(&error),
    }
}

fn write_failure(error: WriteMapOutputError<TaskFailure>, context: &TaskContext) -> TaskFailure {
    match error {
        WriteMapOutputError::Spill(error) => spill_failure(error, context),
        WriteMapOutputError::Sink(failure) => failure,
    }
}
