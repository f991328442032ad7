//! `StorageLevel`.

use firesteel::StorageLevel;
use firesteel_py4j::{Class, Object, Value, constructor, method};

use super::{JavaCall, JavaResult};
use crate::driver::Driver;

/// How a data set is kept.
pub(crate) struct StorageLevelHandle(pub(crate) StorageLevel);

impl Object for StorageLevelHandle {
    fn class(&self) -> &'static str {
        CLASSES[0].name
    }

    fn to_java_string(&self) -> String {
        self.0.to_string()
    }
}

pub(crate) const CLASSES: &[Class<Driver>] = &[Class {
    name: "org.apache.spark.storage.StorageLevel",
    extends: &[],
    members: &[
        constructor(5, new),
        method("useDisk", 0, |call| Ok(Value::Bool(level(call)?.use_disk))),
        method("useMemory", 0, |call| Ok(Value::Bool(level(call)?.use_memory))),
        method("useOffHeap", 0, |call| Ok(Value::Bool(level(call)?.use_off_heap))),
        method("deserialized", 0, |call| Ok(Value::Bool(level(call)?.deserialized))),
        method("replication", 0, |call| Ok(Value::Int(i32::from(level(call)?.replication)))),
        method("description", 0, |call| Ok(Value::text(level(call)?.to_string()))),
    ],
}];

fn level(call: &JavaCall<'_>) -> Result<StorageLevel, firesteel_py4j::Failure> {
    Ok(call.this::<StorageLevelHandle>()?.0)
}

fn new(call: &JavaCall<'_>) -> JavaResult {
    let replication = u8::try_from(call.long(4)?).map_err(|_| call.wrong(4, "a number of copies below 40"))?;
    Ok(Value::object(StorageLevelHandle(StorageLevel {
        use_disk: call.bool(0)?,
        use_memory: call.bool(1)?,
        use_off_heap: call.bool(2)?,
        deserialized: call.bool(3)?,
        replication,
    })))
}
