//! Executors, block managers and blocks.

use firesteel_model::{BlockManagerId, BlockUpdatedInfo, ExecutorInfo, ExecutorMetrics, StorageLevel};

use super::writer::Object;

pub(crate) fn block_manager_id(object: &mut Object<'_>, id: &BlockManagerId) {
    object.field("Executor ID", &id.executor_id);
    object.field("Host", &id.host);
    // In local mode nobody asks for blocks and there is no port, but Spark's reader takes none below 1.
    object.field("Port", id.port.max(1));
}

pub(crate) fn storage_level(object: &mut Object<'_>, level: &StorageLevel) {
    object.field("Use Disk", level.use_disk);
    object.field("Use Memory", level.use_memory);
    object.field("Use Off Heap", level.use_off_heap);
    object.field("Deserialized", level.deserialized);
    object.field("Replication", level.replication);
}

pub(crate) fn block_updated_info(object: &mut Object<'_>, block: &BlockUpdatedInfo) {
    object.object("Block Manager ID", |object| block_manager_id(object, &block.block_manager_id));
    object.field("Block ID", block.block_id.to_string());
    object.object("Storage Level", |object| storage_level(object, &block.storage_level));
    object.field("Memory Size", block.memory_size);
    object.field("Disk Size", block.disk_size);
}

pub(crate) fn executor_info(object: &mut Object<'_>, info: &ExecutorInfo, registration_time_ms: i64) {
    object.field("Host", &info.host);
    object.field("Total Cores", info.cores);
    object.texts("Log Urls", info.log_urls.iter().map(|(name, url)| (name.as_str(), url.as_str())));
    object.texts("Attributes", info.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    object.object("Resources", |object| {
        for resource in &info.resources {
            object.data_object(&resource.name, |object| {
                object.field("name", &resource.name);
                object.array("addresses", |array| {
                    resource.addresses.iter().for_each(|address| array.element(address));
                });
            });
        }
    });
    object.field("Resource Profile Id", info.resource_profile_id);
    object.field("Registration Time", registration_time_ms);
}

/// All names that Spark has for them. What only a JVM or another process could tell is 0; ours is neither JVM nor Python.
pub(crate) fn executor_metrics(object: &mut Object<'_>, metrics: &ExecutorMetrics) {
    for (name, value) in [
        ("JVMHeapMemory", 0),
        ("JVMOffHeapMemory", 0),
        ("OnHeapExecutionMemory", metrics.on_heap_execution),
        ("OffHeapExecutionMemory", metrics.off_heap_execution),
        ("OnHeapStorageMemory", metrics.on_heap_storage),
        ("OffHeapStorageMemory", metrics.off_heap_storage),
        ("OnHeapUnifiedMemory", metrics.on_heap_unified),
        ("OffHeapUnifiedMemory", metrics.off_heap_unified),
        ("DirectPoolMemory", 0),
        ("MappedPoolMemory", 0),
        ("ProcessTreeJVMVMemory", 0),
        ("ProcessTreeJVMRSSMemory", 0),
        ("ProcessTreePythonVMemory", 0),
        ("ProcessTreePythonRSSMemory", 0),
        ("ProcessTreeOtherVMemory", metrics.virtual_memory),
        ("ProcessTreeOtherRSSMemory", metrics.resident_memory),
        ("MinorGCCount", 0),
        ("MinorGCTime", 0),
        ("MajorGCCount", 0),
        ("MajorGCTime", 0),
        ("TotalGCTime", 0),
        ("ConcurrentGCCount", 0),
        ("ConcurrentGCTime", 0),
    ] {
        object.field(name, value);
    }
}
