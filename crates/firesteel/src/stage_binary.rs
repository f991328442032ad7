//! The work of a stage as bytes: a lineage cut at shuffles, and what is done with its last records.

use std::{any::type_name, sync::Arc};

use bytes::Bytes;

use firesteel_closure::{ConstructError, Constructed, Parts, Slot, construct};
use firesteel_external_collections::EncodeError;
use serde::{Deserialize, Serialize};

use crate::{
    data::{decode, encode},
    node::NodeHeader,
};

/// One RDD as it travels.
#[derive(Serialize, Deserialize)]
pub(crate) struct NodeSpec {
    pub(crate) slot: Slot,
    pub(crate) header: NodeHeader,
    pub(crate) environment: Bytes,
    /// Indices of earlier nodes.
    pub(crate) parents: Vec<u32>,
}

/// What a stage does: nodes in an order in which parents come first, and what is done with the last one.
#[derive(Serialize, Deserialize)]
pub(crate) struct StageBinary {
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) work: WorkSpec,
}

/// The shuffle writer or the action: constructed with the last node as its only parent.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WorkSpec {
    pub(crate) slot: Slot,
    pub(crate) environment: Bytes,
}

/// The bytes are no stage binary, or one of another build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeStageError {
    #[error("the stage binary cannot be decoded: {0}")]
    Malformed(String),
    #[error("a node of the stage binary names parent {parent}, which does not come before it")]
    ParentOrder { parent: u32 },
    #[error(transparent)]
    Construct(#[from] ConstructError),
}

impl StageBinary {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        encode(self)
    }

    /// Constructs every node and then the work.
    pub(crate) fn construct(bytes: &[u8]) -> Result<Constructed, DecodeStageError> {
        let binary: Self =
            decode(bytes).map_err(|error| DecodeStageError::Malformed(format!("{}: {error}", type_name::<Self>())))?;
        let mut constructed: Vec<Constructed> = Vec::with_capacity(binary.nodes.len());
        for node in &binary.nodes {
            let mut environment =
                encode(&node.header).map_err(|error| DecodeStageError::Malformed(error.to_string()))?;
            environment.extend_from_slice(&node.environment);
            let mut parents = Vec::with_capacity(node.parents.len());
            for &parent in &node.parents {
                parents.push(Arc::clone(
                    constructed.get(parent as usize).ok_or(DecodeStageError::ParentOrder { parent })?,
                ));
            }
            constructed.push(construct(node.slot, Parts { environment: &environment, parents: &parents })?);
        }
        let last = constructed.pop().map_or_else(Vec::new, |last| vec![last]);
        Ok(construct(binary.work.slot, Parts { environment: &binary.work.environment, parents: &last })?)
    }
}
