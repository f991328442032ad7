//! Where the bytes of stages come from.

use bytes::Bytes;
use firesteel_messages::TaskPayload;
use firesteel_model::{Partition, RddId, StorageLevel};
use firesteel_scheduler::{RddInfo, ShuffleDependency};

/// Encodes stages: implemented by whatever holds the application's lineage.
pub trait StageSource: Send + Sync {
    /// The map side of a shuffle. An error is final: its text follows `Task serialization failed: `.
    fn map_stage(&self, shuffle: &ShuffleDependency) -> Result<PreparedStage, String>;

    /// The result stage of a job, which was submitted with this encoded work.
    fn result_stage(&self, rdd: &RddInfo, work: &Bytes) -> Result<PreparedStage, String>;

    /// The storage level of a data set; [`StorageLevel::NONE`] if it is not persisted.
    fn storage_level(&self, rdd_id: RddId) -> StorageLevel;
}

/// A stage, encoded.
pub struct PreparedStage {
    /// What executors decode.
    pub binary: Bytes,
    /// What single tasks need beside it.
    pub payloads: Box<dyn Fn(Partition) -> Vec<TaskPayload> + Send>,
}
