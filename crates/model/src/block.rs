//! Names of stored blocks, in Spark's own spelling (RT-51).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{BroadcastId, ExecutorId, MapId, Partition, RddId, ReduceId, ShuffleId, TaskId};

/// What a stored block is. `Display` and `FromStr` are Spark's block names, which file names, logs and the REST API use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum BlockId {
    /// `rdd_R_P`: a cached partition.
    Rdd(RddId, Partition),
    /// `shuffle_S_M_R`: what map task M wrote for reducer R.
    Shuffle(ShuffleId, MapId, ReduceId),
    /// `shuffle_S_M_0.data`: the data file of a map task.
    ShuffleData(ShuffleId, MapId),
    /// `shuffle_S_M_0.index`: where each reducer's segment starts in the data file.
    ShuffleIndex(ShuffleId, MapId),
    /// `shuffle_S_M_0.checksum`: one checksum for each segment.
    ShuffleChecksum(ShuffleId, MapId),
    /// `broadcast_B`: a whole broadcast value.
    Broadcast(BroadcastId),
    /// `broadcast_B_pieceI`: one piece of it.
    BroadcastPiece(BroadcastId, u32),
    /// `taskresult_T`: a task's result that is too large to send inline (RT-33).
    TaskResult(TaskId),
    /// `temp_local_N`: a spill file of one task.
    TempLocal(u64),
    /// `temp_shuffle_N`: a spill file of one map task.
    TempShuffle(u64),
}

impl BlockId {
    /// Is this a cached partition?
    pub fn is_rdd(&self) -> bool {
        matches!(self, Self::Rdd(..))
    }

    /// Is this a broadcast value or a piece of one?
    pub fn is_broadcast(&self) -> bool {
        matches!(self, Self::Broadcast(_) | Self::BroadcastPiece(..))
    }

    /// The RDD of a cached partition.
    pub fn rdd_id(&self) -> Option<RddId> {
        match *self {
            Self::Rdd(rdd_id, _) => Some(rdd_id),
            _ => None,
        }
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rdd(rdd_id, partition) => write!(f, "rdd_{rdd_id}_{partition}"),
            Self::Shuffle(shuffle_id, map_id, reduce_id) => write!(f, "shuffle_{shuffle_id}_{map_id}_{reduce_id}"),
            Self::ShuffleData(shuffle_id, map_id) => write!(f, "shuffle_{shuffle_id}_{map_id}_0.data"),
            Self::ShuffleIndex(shuffle_id, map_id) => write!(f, "shuffle_{shuffle_id}_{map_id}_0.index"),
            Self::ShuffleChecksum(shuffle_id, map_id) => write!(f, "shuffle_{shuffle_id}_{map_id}_0.checksum"),
            Self::Broadcast(broadcast_id) => write!(f, "broadcast_{broadcast_id}"),
            Self::BroadcastPiece(broadcast_id, piece) => write!(f, "broadcast_{broadcast_id}_piece{piece}"),
            Self::TaskResult(task_id) => write!(f, "taskresult_{task_id}"),
            Self::TempLocal(number) => write!(f, "temp_local_{number}"),
            Self::TempShuffle(number) => write!(f, "temp_shuffle_{number}"),
        }
    }
}

/// The text names no block.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not the name of a block")]
pub struct ParseBlockIdError(String);

impl FromStr for BlockId {
    type Err = ParseBlockIdError;

    fn from_str(name: &str) -> Result<Self, ParseBlockIdError> {
        parse(name).ok_or_else(|| ParseBlockIdError(name.to_owned()))
    }
}

fn parse(name: &str) -> Option<BlockId> {
    /// Digits only: `+1` and ` 1` are names of no block, though `parse` would take the first.
    fn number<T: FromStr>(text: &str) -> Option<T> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    }
    let (kind, rest) = name.split_once('_')?;
    match kind {
        "rdd" => {
            let (rdd_id, partition) = rest.split_once('_')?;
            Some(BlockId::Rdd(RddId(number(rdd_id)?), Partition(number(partition)?)))
        }
        "shuffle" => {
            let (shuffle_id, rest) = rest.split_once('_')?;
            let (map_id, last) = rest.split_once('_')?;
            let (shuffle_id, map_id) = (ShuffleId(number(shuffle_id)?), MapId(number(map_id)?));
            Some(match last {
                "0.data" => BlockId::ShuffleData(shuffle_id, map_id),
                "0.index" => BlockId::ShuffleIndex(shuffle_id, map_id),
                "0.checksum" => BlockId::ShuffleChecksum(shuffle_id, map_id),
                reduce_id => BlockId::Shuffle(shuffle_id, map_id, ReduceId(number(reduce_id)?)),
            })
        }
        "broadcast" => Some(match rest.split_once("_piece") {
            Some((broadcast_id, piece)) => BlockId::BroadcastPiece(BroadcastId(number(broadcast_id)?), number(piece)?),
            None => BlockId::Broadcast(BroadcastId(number(rest)?)),
        }),
        "taskresult" => Some(BlockId::TaskResult(TaskId(number(rest)?))),
        "temp" => {
            if let Some(rest) = rest.strip_prefix("local_") {
                Some(BlockId::TempLocal(number(rest)?))
            } else {
                Some(BlockId::TempShuffle(number(rest.strip_prefix("shuffle_")?)?))
            }
        }
        _ => None,
    }
}

/// Where a block manager is reached.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct BlockManagerId {
    /// The executor it belongs to.
    pub executor_id: ExecutorId,
    /// The host name or address that peers connect to.
    pub host: String,
    /// The port that serves blocks; 0 where no process but this one can ask (local mode).
    pub port: u16,
}

impl fmt::Display for BlockManagerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockManagerId({}, {}, {}, None)", self.executor_id, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sparks_and_parse_back() {
        let cases = [
            (BlockId::Rdd(RddId(1), Partition(2)), "rdd_1_2"),
            (BlockId::Shuffle(ShuffleId(1), MapId(2), ReduceId(3)), "shuffle_1_2_3"),
            (BlockId::ShuffleData(ShuffleId(1), MapId(2)), "shuffle_1_2_0.data"),
            (BlockId::ShuffleIndex(ShuffleId(1), MapId(2)), "shuffle_1_2_0.index"),
            (BlockId::ShuffleChecksum(ShuffleId(1), MapId(2)), "shuffle_1_2_0.checksum"),
            (BlockId::Broadcast(BroadcastId(7)), "broadcast_7"),
            (BlockId::BroadcastPiece(BroadcastId(7), 0), "broadcast_7_piece0"),
            (BlockId::TaskResult(TaskId(9)), "taskresult_9"),
            (BlockId::TempLocal(4), "temp_local_4"),
            (BlockId::TempShuffle(5), "temp_shuffle_5"),
        ];
        for (block_id, name) in cases {
            assert_eq!(block_id.to_string(), name);
            assert_eq!(name.parse(), Ok(block_id));
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "rdd", "rdd_", "rdd_1", "rdd_1_x", "rdd_+1_2", "shuffle_1_2", "../rdd_1_2", "broadcast_1_2"] {
            assert!(name.parse::<BlockId>().is_err(), "{name}");
        }
    }
}
