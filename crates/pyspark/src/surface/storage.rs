//! What is kept where: persisted data sets, and the memory of executors.

use firesteel::{RddStorageInfo, SparkExecutorInfo};
use firesteel_py4j::{Class, Failure, JavaArray, JavaMap, Object, Value, method};

use super::{
    JavaCall, JavaResult,
    context::application,
    rdd::{RDD, RddHandle},
    scala::{ScalaMap, Tuple2},
    status::bytes,
    storage_level::StorageLevelHandle,
};
use crate::driver::Driver;

const RDD_INFO: &str = "org.apache.spark.storage.RDDInfo";

/// One persisted data set.
struct RddInfoHandle(RddStorageInfo);

impl Object for RddInfoHandle {
    fn class(&self) -> &'static str {
        RDD_INFO
    }

    fn to_java_string(&self) -> String {
        let RddStorageInfo { rdd_id, storage_level, cached_partitions, partitions, memory_size, disk_size, .. } =
            &self.0;
        format!(
            "RDD \"{}\" ({}) StorageLevel: {storage_level}; CachedPartitions: {cached_partitions}; TotalPartitions: {partitions}; \
             MemorySize: {memory_size}; DiskSize: {disk_size}",
            self.name(),
            rdd_id.0,
        )
    }
}

impl RddInfoHandle {
    /// Spark names a data set without a name by its kind, which is not known of one that only its number is known of.
    fn name(&self) -> String {
        self.0.name.clone().unwrap_or_else(|| format!("RDD {}", self.0.rdd_id.0))
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[Class {
    name: RDD_INFO,
    extends: &[],
    members: &[
        method("id", 0, |call| Ok(Value::Int(info(call)?.rdd_id.0 as i32))),
        method("name", 0, |call| Ok(Value::text(call.this::<RddInfoHandle>()?.name()))),
        method("numPartitions", 0, |call| Ok(Value::Int(info(call)?.partitions as i32))),
        method("numCachedPartitions", 0, |call| Ok(Value::Int(info(call)?.cached_partitions as i32))),
        method("storageLevel", 0, |call| Ok(Value::object(StorageLevelHandle(info(call)?.storage_level)))),
        method("memSize", 0, |call| bytes(info(call)?.memory_size)),
        method("diskSize", 0, |call| bytes(info(call)?.disk_size)),
        method("isCached", 0, |call| Ok(Value::Bool(is_cached(info(call)?)))),
    ],
}];

fn info<'a>(call: &JavaCall<'a>) -> Result<&'a RddStorageInfo, Failure> {
    Ok(&call.this::<RddInfoHandle>()?.0)
}

fn is_cached(info: &RddStorageInfo) -> bool {
    info.memory_size.bytes() + info.disk_size.bytes() > 0 && info.cached_partitions > 0
}

/// `SparkContext.getRDDStorageInfo`: those of which something is kept.
pub(super) fn rdd_storage_info(call: &JavaCall<'_>) -> JavaResult {
    let infos = application(call)?.context().rdd_storage_info().into_iter().filter(is_cached);
    Ok(Value::object(JavaArray::new(infos.map(|info| Value::object(RddInfoHandle(info))))))
}

/// `SparkContext.getExecutorMemoryStatus`: the most memory for blocks and what is left of it, by the address of each process that
/// stores, the driver's own among them.
pub(super) fn executor_memory_status(call: &JavaCall<'_>) -> JavaResult {
    let infos = application(call)?.context().status_tracker().executor_infos();
    let entries = infos.into_iter().map(
        |SparkExecutorInfo {
             host,
             port,
             cache_size,
             total_on_heap_storage_memory: on_heap,
             total_off_heap_storage_memory: off_heap,
             ..
         }| {
            let most = on_heap + off_heap;
            let long = |count: u64| Value::Long(i64::try_from(count).unwrap_or(i64::MAX));
            let left = most.bytes().saturating_sub(cache_size.bytes());
            (Value::text(format!("{host}:{port}")), Value::object(Tuple2(long(most.bytes()), long(left))))
        },
    );
    Ok(Value::object(ScalaMap(entries.collect())))
}

fn persistent(call: &JavaCall<'_>, class: Option<&'static str>) -> Result<Vec<(Value, Value)>, Failure> {
    let application = application(call)?;
    let persistent = application.persistent_rdds().into_iter().map(|(own, elements)| {
        let id = Value::Int(elements.id() as i32);
        (id, RddHandle::value(application, class.unwrap_or(own), elements))
    });
    Ok(persistent.collect())
}

/// `JavaSparkContext.getPersistentRDDs`
pub(super) fn persistent_rdds(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(JavaMap::new(persistent(call, None)?)))
}

/// `SparkContext.getPersistentRDDs`
pub(super) fn persistent_rdds_of_scala(call: &JavaCall<'_>) -> JavaResult {
    Ok(Value::object(ScalaMap(persistent(call, Some(RDD))?)))
}
