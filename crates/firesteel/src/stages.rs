//! Encodes the stages that the scheduler asks for, from the live lineage.

use std::sync::Arc;

use bytes::Bytes;
use firesteel_driver::{PreparedStage, StageSource};
use firesteel_model::{RddId, StorageLevel};
use firesteel_scheduler::{RddInfo, ShuffleDependency};

use crate::{
    data::decode,
    lineage::{LineageRegistry, RddCore},
    stage_binary::WorkSpec,
    stage_lineage::StageLineage,
};

/// The lineage of one context as the driver's event loop asks for it.
pub(crate) struct Stages(pub(crate) Arc<LineageRegistry>);

impl StageSource for Stages {
    fn map_stage(&self, shuffle: &ShuffleDependency) -> Result<PreparedStage, String> {
        let id = shuffle.shuffle_id;
        let core = self.0.shuffle(id).ok_or_else(|| format!("shuffle {id} is no longer referred to by the program"))?;
        prepare(&core.parent, &core.work().map_err(|error| error.to_string())?)
    }

    fn result_stage(&self, rdd: &RddInfo, work: &Bytes) -> Result<PreparedStage, String> {
        let core =
            self.0.rdd(rdd.id).ok_or_else(|| format!("RDD {} is no longer referred to by the program", rdd.id))?;
        let work: WorkSpec = decode(work).map_err(|error| error.to_string())?;
        prepare(&core, &work)
    }

    fn storage_level(&self, rdd_id: RddId) -> StorageLevel {
        self.0.rdd(rdd_id).map_or(StorageLevel::NONE, |core| core.storage_level())
    }
}

fn prepare(rdd: &Arc<RddCore>, work: &WorkSpec) -> Result<PreparedStage, String> {
    let lineage = StageLineage::of(rdd);
    let binary = lineage.binary(work).map_err(|error| error.to_string())?;
    Ok(PreparedStage { binary: binary.into(), payloads: Box::new(move |partition| lineage.payloads(partition)) })
}
