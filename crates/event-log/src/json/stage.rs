//! Stages and their RDDs: `Stage Info`, `RDD Info`.

use firesteel_model::{RddStorageInfo, StageSnapshot};

use super::{
    accumulable::{MetricAccumulables, accumulables},
    executor::storage_level,
    task::Accumulables,
    writer::Object,
};

pub(crate) fn stage_info(object: &mut Object<'_>, stage: &StageSnapshot, with: &Accumulables<'_>) {
    object.field("Stage ID", stage.id.stage_id);
    object.field("Stage Attempt ID", stage.id.attempt);
    object.field("Stage Name", &stage.name);
    object.field("Number of Tasks", stage.tasks);
    object.array("RDD Info", |array| {
        stage.rdds.iter().for_each(|rdd| array.object(|object| rdd_info(object, rdd)));
    });
    object.array("Parent IDs", |array| stage.parents.iter().for_each(|parent| array.element(parent)));
    object.field("Details", &stage.details);
    object.optional("Submission Time", stage.submission_time_ms);
    object.optional("Completion Time", stage.completion_time_ms);
    object.optional("Failure Reason", stage.failure_reason.as_ref());
    object.array("Accumulables", |array| {
        if let Accumulables::All(metrics) = with {
            let metrics: Option<&MetricAccumulables<'_>> = metrics.as_ref();
            accumulables(array, stage.accumulables.values(), metrics);
        }
    });
    object.field("Resource Profile Id", stage.resource_profile_id);
    object.field("Shuffle Push Enabled", false);
    object.field("Shuffle Push Mergers Count", 0);
}

fn rdd_info(object: &mut Object<'_>, rdd: &RddStorageInfo) {
    object.field("RDD ID", rdd.id);
    object.field("Name", &rdd.name);
    // A JSON text in a JSON text, as Spark has it. Each RDD is a box of its own in the picture of the stage.
    if let Some(scope) = &rdd.scope {
        let mut json = Vec::new();
        super::writer::object(&mut json, |object| {
            object.field("id", rdd.id.to_string());
            object.field("name", scope);
        });
        object.json_text("Scope", &json);
    }
    object.field("Callsite", &rdd.call_site);
    object.array("Parent IDs", |array| rdd.parents.iter().for_each(|parent| array.element(parent)));
    object.object("Storage Level", |object| storage_level(object, &rdd.storage_level));
    object.field("Barrier", rdd.barrier);
    // Firesteel does not track it; the history server only shows it in the picture of a stage.
    object.field("DeterministicLevel", "DETERMINATE");
    object.field("Number of Partitions", rdd.partitions);
    object.field("Number of Cached Partitions", rdd.cached_partitions);
    object.field("Memory Size", rdd.memory_size);
    object.field("Disk Size", rdd.disk_size);
}
