//! Data sets: `JavaRDD`, `JavaPairRDD`, `RDD` and `PythonRDD`, which are one to us.

use std::sync::Arc;

use bytes::Bytes;
use firesteel::{Rdd, SparkError};
use firesteel_model::StorageLevel;
use firesteel_py4j::{Class, Failure, Object, Throwable, Value, constructor, method};

use super::{
    JavaCall, JavaResult,
    context::done,
    python::{BytesToString, new_pairwise_rdd},
    resources,
    scala::ScalaOption,
    storage_level::StorageLevelHandle,
    system::CodecClass,
};
use crate::{
    application::Application,
    call_site::{by_default, native},
    driver::Driver,
    error::{ILLEGAL_ARGUMENT, thrown, thrown_by_save},
    rdd::{Elements, PythonPartitioner, join_elements, values},
};

pub(crate) const JAVA_RDD: &str = "org.apache.spark.api.java.JavaRDD";
pub(crate) const JAVA_PAIR_RDD: &str = "org.apache.spark.api.java.JavaPairRDD";
pub(crate) const RDD: &str = "org.apache.spark.rdd.RDD";
pub(crate) const PYTHON_RDD: &str = "org.apache.spark.api.python.PythonRDD";
pub(crate) const PAIRWISE_RDD: &str = "org.apache.spark.api.python.PairwiseRDD";
/// What `JavaRDD` has for object files.
const JAVA_HADOOP: &str = "org.apache.spark.api.java.JavaRDD$Hadoop";
const COMMON: &str = "org.apache.spark.api.java.JavaRDDLike";

/// A data set, as one of the classes.
pub(crate) struct RddHandle {
    pub(crate) application: Arc<Application>,
    class: &'static str,
    pub(crate) elements: Elements,
}

/// A partition, of which only the number is known.
struct PartitionHandle(i32);

impl RddHandle {
    pub(crate) fn value(application: &Arc<Application>, class: &'static str, elements: Elements) -> Value {
        Value::object(Self { application: Arc::clone(application), class, elements })
    }

    /// The same data set as another class.
    fn as_class(&self, class: &'static str) -> Value {
        Self::value(&self.application, class, self.elements.clone())
    }

    /// Its frames, or elements of several.
    pub(crate) fn rdd(&self) -> Result<&Rdd<Bytes>, Failure> {
        let rdd = self.elements.rdd()?;
        rdd.ok_or_else(|| Failure::NotCalled("a data set of keys and values can only be partitioned".to_owned()))
    }
}

impl Object for RddHandle {
    fn class(&self) -> &'static str {
        self.class
    }

    fn to_java_string(&self) -> String {
        // Of pairs, Java shows the handle and not the data set.
        match self.class {
            JAVA_PAIR_RDD => format!("{JAVA_PAIR_RDD}@{:x}", self.elements.id()),
            _ => self.elements.show(),
        }
    }
}

impl Object for PartitionHandle {
    fn class(&self) -> &'static str {
        "org.apache.spark.Partition"
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[
    Class {
        name: COMMON,
        extends: &[],
        members: &[
            method("id", 0, |call| Ok(Value::Int(this(call)?.elements.id() as i32))),
            method("partitions", 0, partitions),
            method("getNumPartitions", 0, |call| Ok(Value::Int(this(call)?.elements.num_partitions()? as i32))),
            method("name", 0, |call| Ok(Value::optional_text(this(call)?.elements.name()))),
            method("setName", 1, set_name),
            method("persist", 1, persist),
            method("unpersist", 0, |call| unpersist(call, false)),
            method("unpersist", 1, |call| unpersist(call, call.bool(0)?)),
            method("getStorageLevel", 0, get_storage_level),
            method("toDebugString", 0, |call| Ok(Value::text(this(call)?.rdd()?.to_debug_string()))),
            method("withResources", 1, resources::with_resources),
            method("getResourceProfile", 0, resources::get_resource_profile),
            method("rdd", 0, |call| Ok(this(call)?.as_class(RDD))),
        ],
    },
    Class {
        name: JAVA_RDD,
        extends: &[COMMON, JAVA_HADOOP],
        members: &[
            method("union", 1, union),
            method("coalesce", 2, coalesce),
            method("zip", 1, zip),
            method("cartesian", 1, cartesian),
            method("map", 1, map),
            method("saveAsTextFile", 1, save_as_text_file),
            method("saveAsTextFile", 2, save_as_compressed_text_file),
        ],
    },
    Class { name: JAVA_HADOOP, extends: &[], members: super::hadoop::JAVA_RDD_MEMBERS },
    Class {
        name: JAVA_PAIR_RDD,
        extends: &[COMMON],
        members: &[
            method("partitionBy", 1, partition_by),
            method("union", 1, union),
            method("coalesce", 2, coalesce),
            method("zip", 1, zip),
            method("cartesian", 1, cartesian),
        ],
    },
    Class {
        name: RDD,
        extends: &[COMMON],
        members: &[
            method("isBarrier", 0, is_barrier),
            method("checkpoint", 0, |call| done(this(call)?.rdd()?.checkpoint())),
            method("localCheckpoint", 0, |call| {
                this(call)?.rdd()?.local_checkpoint();
                Ok(call.this_value())
            }),
            method("cleanShuffleDependencies", 1, |call| {
                done(this(call)?.rdd()?.clean_shuffle_dependencies(call.bool(0)?))
            }),
            method("isLocallyCheckpointed", 0, |call| Ok(Value::Bool(this(call)?.rdd()?.is_locally_checkpointed()))),
            method("isCheckpointed", 0, |call| Ok(Value::Bool(this(call)?.rdd()?.is_checkpointed()))),
            method("getCheckpointFile", 0, |call| {
                let file = this(call)?.rdd()?.get_checkpoint_file();
                Ok(Value::object(ScalaOption(file.map(Value::text))))
            }),
            method("asJavaRDD", 0, |call| Ok(this(call)?.as_class(JAVA_RDD))),
        ],
    },
    Class {
        name: PAIRWISE_RDD,
        extends: &[RDD],
        members: &[
            constructor(1, new_pairwise_rdd),
            method("asJavaPairRDD", 0, |call| Ok(this(call)?.as_class(JAVA_PAIR_RDD))),
        ],
    },
    Class {
        name: "org.apache.spark.Partition",
        extends: &[],
        members: &[method("index", 0, |call| Ok(Value::Int(call.this::<PartitionHandle>()?.0)))],
    },
];

fn this<'a>(call: &JavaCall<'a>) -> Result<&'a RddHandle, Failure> {
    call.this()
}

fn partitions(call: &JavaCall<'_>) -> JavaResult {
    let partitions = 0..this(call)?.elements.num_partitions()? as i32;
    Ok(Value::list(partitions.map(|index| Value::object(PartitionHandle(index)))))
}

fn set_name(call: &JavaCall<'_>) -> JavaResult {
    this(call)?.elements.set_name(call.optional_text(0)?);
    Ok(call.this_value())
}

fn persist(call: &JavaCall<'_>) -> JavaResult {
    let level = call.object::<StorageLevelHandle>(0)?.0;
    let this = this(call)?;
    if level != StorageLevel::NONE {
        this.rdd()?.persist(level).map_err(thrown)?;
        this.application.persisted(this.class, &this.elements);
    }
    Ok(call.this_value())
}

fn unpersist(call: &JavaCall<'_>, blocking: bool) -> JavaResult {
    this(call)?.rdd()?.unpersist(blocking);
    Ok(call.this_value())
}

fn get_storage_level(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(StorageLevelHandle(this(call)?.rdd()?.storage_level())))
}

fn union(call: &JavaCall<'_>) -> JavaResult {
    let this = this(call)?;
    union_of(&this.application, &[this, call.object::<RddHandle>(0)?])
}

/// The union of data sets with elements of one kind, as the class that the first has.
pub(super) fn union_of(application: &Arc<Application>, handles: &[&RddHandle]) -> JavaResult {
    let Some(first) = handles.first() else {
        return Err(Failure::NotCalled("a union must be of at least one data set".to_owned()));
    };
    if handles.iter().any(|handle| handle.elements.are_several() != first.elements.are_several()) {
        return Err(Failure::NotCalled("a union must be of data sets whose elements are of one kind".to_owned()));
    }
    let rdds = handles.iter().map(|handle| handle.rdd().cloned()).collect::<Result<Vec<_>, _>>()?;
    let context = application.context();
    let union = native(context, "union", || context.union(&rdds));
    Ok(RddHandle::value(application, first.class, first.elements.like(union)))
}

/// What is looked at only when it is needed is a source, and no source is.
fn is_barrier(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::Bool(match &this(call)?.elements {
        Elements::Frames(rdd) | Elements::Text(rdd) | Elements::Several(rdd) => rdd.is_barrier(),
        Elements::Keyed(rdd) => rdd.is_barrier(),
        Elements::Later(_) => false,
    }))
}

fn coalesce(call: &JavaCall<'_>) -> JavaResult {
    let (this, partitions, shuffle) = (this(call)?, call.long(0)?, call.bool(1)?);
    let partitions = u32::try_from(partitions).ok().filter(|partitions| *partitions > 0).ok_or_else(|| {
        let message = format!("requirement failed: Number of partitions ({partitions}) must be positive.");
        Throwable::new(ILLEGAL_ARGUMENT, message)
    })?;
    let rdd = this.rdd()?;
    let rdd = native(this.application.context(), "coalesce", || {
        if shuffle { rdd.repartition(partitions) } else { rdd.coalesce(partitions) }
    });
    Ok(RddHandle::value(&this.application, this.class, this.elements.like(rdd)))
}

/// PySpark calls it with one function only.
fn map(call: &JavaCall<'_>) -> JavaResult {
    call.object::<BytesToString>(0)?;
    let this = this(call)?;
    Ok(RddHandle::value(&this.application, JAVA_RDD, Elements::Text(this.rdd()?.clone())))
}

fn lines(call: &JavaCall<'_>) -> Result<Rdd<String>, Failure> {
    match &this(call)?.elements {
        Elements::Text(rdd) => Ok(rdd.map(|line| String::from_utf8_lossy(&line).into_owned())),
        _ => Err(Failure::NotCalled("only text can be saved as a text file".to_owned())),
    }
}

fn save_as_text_file(call: &JavaCall<'_>) -> JavaResult {
    let (lines, path) = (lines(call)?, call.text(0)?);
    written(&this(call)?.application, || lines.save_as_text_file(path))
}

fn save_as_compressed_text_file(call: &JavaCall<'_>) -> JavaResult {
    let (lines, path, codec) = (lines(call)?, call.text(0)?, call.object::<CodecClass>(1)?.0);
    written(&this(call)?.application, || lines.save_as_compressed_text_file(path, codec))
}

/// Runs a job that writes files, which is shown with the place in Spark's own sources that writes all of them.
pub(super) fn written(application: &Application, job: impl FnOnce() -> Result<(), SparkError>) -> JavaResult {
    let saved = by_default(application.context(), "runJob at SparkHadoopWriter.scala:85", || application.run(job));
    saved.map_err(thrown_by_save)?;
    Ok(Value::Void)
}

/// The elements at the same places, side by side.
fn zip(call: &JavaCall<'_>) -> JavaResult {
    let (left, right) = (this(call)?, call.object::<RddHandle>(0)?);
    let (rdd, other) = (left.rdd()?, right.rdd()?);
    native(left.application.context(), "zip", || pairs_of(left, right, rdd.zip(other).map_err(thrown)?))
}

fn cartesian(call: &JavaCall<'_>) -> JavaResult {
    let (left, right) = (this(call)?, call.object::<RddHandle>(0)?);
    let (rdd, other) = (left.rdd()?, right.rdd()?);
    native(left.application.context(), "cartesian", || pairs_of(left, right, rdd.cartesian(other)))
}

fn pairs_of(left: &RddHandle, right: &RddHandle, pairs: Rdd<(Bytes, Bytes)>) -> JavaResult {
    let joined = pairs.with((left.elements.are_several(), right.elements.are_several())).map(join_elements);
    Ok(RddHandle::value(&left.application, JAVA_PAIR_RDD, Elements::Several(joined)))
}

fn partition_by(call: &JavaCall<'_>) -> JavaResult {
    let (this, partitioner) = (this(call)?, call.object::<PythonPartitioner>(0)?);
    let Elements::Keyed(pairs) = &this.elements else {
        return Err(Failure::NotCalled("only a data set of keys and values can be partitioned".to_owned()));
    };
    let context = this.application.context();
    let partitioned = native(context, "partitionBy", || match partitioner.partitions {
        // As many as a data set without partitions has, and nothing is in them, as in Spark.
        0 => context.empty_rdd(),
        _ => pairs.partition_by(partitioner),
    });
    Ok(RddHandle::value(&this.application, JAVA_PAIR_RDD, Elements::Keyed(partitioned)))
}

/// `PythonRDD.valueOfPair`
pub(super) fn value_of_pair(call: &JavaCall<'_>) -> JavaResult {
    let handle = call.object::<RddHandle>(0)?;
    let Elements::Keyed(pairs) = &handle.elements else { return Err(call.wrong(0, "a data set of keys and values")) };
    let frames = by_default(handle.application.context(), "mapPartitions at PythonRDD.scala:197", || {
        pairs.with(()).map_partitions_preserving_partitioning(values::<Bytes>)
    });
    Ok(RddHandle::value(&handle.application, JAVA_RDD, Elements::Frames(frames)))
}
