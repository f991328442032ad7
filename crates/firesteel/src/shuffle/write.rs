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
    data::{Data, Key, decode},
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

/// Writes records as they are.
struct PlainWrite<K, V, P> {
    parent: Node<(K, V)>,
    env: WriteEnv<P, ()>,
}

impl<K: Data, V: Data, P: Partitioner<K>> Construct for PlainWrite<K, V, P> {
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let parent = Parents::of(type_name::<Self>(), parts).get(0)?;
        let env = decode_env::<WriteEnv<P, ()>>(type_name::<Self>(), parts)?;
        Ok(Arc::new(ConstructedWork(Arc::new(Self { parent, env }))))
    }
}

impl<K: Data, V: Data, P: Partitioner<K>> Work for PlainWrite<K, V, P> {
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let spill = TaskSpill::of(context);
        let mut writer = ShuffleMapWriter::<(K, V)>::new(spill.context(), self.env.reducers);
        for record in self.parent.records(partition, context) {
            let target = checked(self.env.partitioner.partition(&record.0), self.env.reducers)?;
            writer.insert(target, &record).map_err(|error| spill_failure(error, context))?;
        }
        let mut output = MapOutput::create(context, self.env.shuffle_id, self.env.reducers)?;
        let summary = writer.finish(&mut output).map_err(|error| write_failure(error, context))?;
        output.commit(context, summary.records_written)
    }
}

/// Combines the values of a key before it writes them (RT-12).
struct CombiningWrite<K, V, C, P, E, Create, MergeValue, MergeCombiners> {
    parent: Node<(K, V)>,
    env: WriteEnv<P, E>,
    create: Closure<Create>,
    merge_value: Closure<MergeValue>,
    merge_combiners: Closure<MergeCombiners>,
    combiner: PhantomData<fn() -> C>,
}

impl<K, V, C, P, E, Create, MergeValue, MergeCombiners> Construct
    for CombiningWrite<K, V, C, P, E, Create, MergeValue, MergeCombiners>
where
    K: Key,
    V: Data,
    C: Data,
    P: Partitioner<K>,
    E: Env,
    Create: Fn(&E, V) -> C + Copy + Send + Sync + 'static,
    MergeValue: Fn(&E, C, V) -> C + Copy + Send + Sync + 'static,
    MergeCombiners: Fn(&E, C, C) -> C + Copy + Send + Sync + 'static,
{
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let parent = Parents::of(type_name::<Self>(), parts).get(0)?;
        let env = decode_env::<WriteEnv<P, E>>(type_name::<Self>(), parts)?;
        Ok(Arc::new(ConstructedWork(Arc::new(Self {
            parent,
            env,
            create: Closure::by_type(),
            merge_value: Closure::by_type(),
            merge_combiners: Closure::by_type(),
            combiner: PhantomData,
        }))))
    }
}

impl<K, V, C, P, E, Create, MergeValue, MergeCombiners> Work
    for CombiningWrite<K, V, C, P, E, Create, MergeValue, MergeCombiners>
where
    K: Key,
    V: Data,
    C: Data,
    P: Partitioner<K>,
    E: Env,
    Create: Fn(&E, V) -> C + Copy + Send + Sync + 'static,
    MergeValue: Fn(&E, C, V) -> C + Copy + Send + Sync + 'static,
    MergeCombiners: Fn(&E, C, C) -> C + Copy + Send + Sync + 'static,
{
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let spill = TaskSpill::of(context);
        let WriteEnv { shuffle_id, reducers, partitioner, env } = &self.env;
        let (create, merge_value, merge_combiners) =
            (self.create.get(), self.merge_value.get(), self.merge_combiners.get());
        let aggregator = ByValue {
            create_combiner: move |value| create(env, value),
            merge_value: move |combiner, value| merge_value(env, combiner, value),
            merge_combiners: move |left, right| merge_combiners(env, left, right),
        };
        let target = |key: &K| partitioner.partition(key);
        let mut writer = CombiningMapWriter::<K, V, Held<C>, _, _>::new(spill.context(), *reducers, target, aggregator);
        for (key, value) in self.parent.records(partition, context) {
            writer.insert(key, value).map_err(|error| spill_failure(error, context))?;
        }
        let mut output = MapOutput::create(context, *shuffle_id, *reducers)?;
        let summary = writer.finish(&mut output).map_err(|error| write_failure(error, context))?;
        output.commit(context, summary.records_written)
    }
}

/// Deals records out to the reducers in turn: `repartition`.
struct RoundRobinWrite<T> {
    parent: Node<T>,
    env: WriteEnv<(), ()>,
}

impl<T: Data> Construct for RoundRobinWrite<T> {
    fn construct(parts: Parts<'_>) -> Result<Constructed, ConstructError> {
        let parent = Parents::of(type_name::<Self>(), parts).get(0)?;
        let env = decode_env::<WriteEnv<(), ()>>(type_name::<Self>(), parts)?;
        Ok(Arc::new(ConstructedWork(Arc::new(Self { parent, env }))))
    }
}

impl<T: Data> Work for RoundRobinWrite<T> {
    fn run(&self, partition: Partition, context: &Arc<TaskContext>) -> Result<TaskSuccess, TaskFailure> {
        let WriteEnv { shuffle_id, reducers, .. } = self.env;
        let spill = TaskSpill::of(context);
        let mut writer = ShuffleMapWriter::<T>::new(spill.context(), reducers);
        // Each partition begins elsewhere, so that small ones do not all fill the first reducers; always at the same place,
        // so that an attempt repeats the one before it.
        let mut target = reduce(stable_hash(&partition.0), reducers);
        for record in self.parent.records(partition, context) {
            writer.insert(target, &record).map_err(|error| spill_failure(error, context))?;
            target = if target + 1 == reducers { 0 } else { target + 1 };
        }
        let mut output = MapOutput::create(context, shuffle_id, reducers)?;
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

/// An exchange that combines before it writes. The closures must capture nothing.
pub(crate) fn combining<K, V, C, P, E, Create, MergeValue, MergeCombiners>(
    parent: &Arc<RddCore>,
    chosen: &Chosen<P>,
    env: &E,
    (create, merge_value, merge_combiners): (Create, MergeValue, MergeCombiners),
) -> Arc<ShuffleCore>
where
    K: Key,
    V: Data,
    C: Data,
    P: Partitioner<K>,
    E: Env,
    Create: Fn(&E, V) -> C + Copy + Send + Sync + 'static,
    MergeValue: Fn(&E, C, V) -> C + Copy + Send + Sync + 'static,
    MergeCombiners: Fn(&E, C, C) -> C + Copy + Send + Sync + 'static,
{
    Closure::of(create);
    Closure::of(merge_value);
    Closure::of(merge_combiners);
    let slot = slot_of::<CombiningWrite<K, V, C, P, E, Create, MergeValue, MergeCombiners>>();
    exchange::<K, P, E>(parent, chosen, env, slot)
}

fn exchange<K, P: Partitioner<K>, E: Env>(
    parent: &Arc<RddCore>,
    chosen: &Chosen<P>,
    env: &E,
    slot: Slot,
) -> Arc<ShuffleCore> {
    let reducers = chosen.partitioner.partitions();
    ShuffleCore::new(parent, reducers, chosen.id.as_ref(), slot, |shuffle_id| WriteEnvRef {
        shuffle_id,
        reducers,
        partitioner: &chosen.partitioner,
        env,
    })
}

fn decode_env<T: DeserializeOwned>(constructor: &'static str, parts: Parts<'_>) -> Result<T, ConstructError> {
    decode(parts.environment).map_err(|error| ConstructError::Environment { constructor, message: error.to_string() })
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
    TaskFailure::from_error(&error)
}

fn write_failure(error: WriteMapOutputError<TaskFailure>, context: &TaskContext) -> TaskFailure {
    match error {
        WriteMapOutputError::Spill(error) => spill_failure(error, context),
        WriteMapOutputError::Sink(failure) => failure,
    }
}
