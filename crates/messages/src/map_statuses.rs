//! The map outputs of a shuffle as they travel: encoded once for all executors that ask (RT-62).

use std::sync::Arc;

use bytes::Bytes;
use firesteel_model::{BroadcastInfo, MapStatus};
use serde::{Deserialize, Serialize};

/// The map outputs of a shuffle, encoded. Cheap to clone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum EncodedMapStatuses {
    /// In the answer itself.
    Here(Bytes),
    /// Too large for an answer: in a broadcast value, which executors pass on among themselves.
    Broadcast(BroadcastInfo),
}

/// Map outputs have no such encoding.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("map outputs could not be encoded or decoded")]
pub struct MapStatusesCodecError(#[source] postcard::Error);

/// Encodes the outputs of one shuffle by map partition; none where one is missing.
pub fn encode_map_statuses(statuses: &[Option<Arc<MapStatus>>]) -> Result<Bytes, MapStatusesCodecError> {
    postcard::to_stdvec(statuses).map(Bytes::from).map_err(MapStatusesCodecError)
}

/// Reads back what [`encode_map_statuses`] made.
pub fn decode_map_statuses(bytes: &[u8]) -> Result<Vec<Option<MapStatus>>, MapStatusesCodecError> {
    postcard::from_bytes(bytes).map_err(MapStatusesCodecError)
}

#[cfg(test)]
mod tests {
    use firesteel_model::{BlockManagerId, ByteCount, MapId, MapStatusOptions};

    use super::*;

    #[test]
    fn statuses_of_either_kind_come_back_as_they_were() {
        let location = BlockManagerId { executor_id: "1".into(), host: "host".to_owned(), port: 7337 };
        let options =
            MapStatusOptions { min_partitions_to_highly_compress: 3, accurate_block_threshold: ByteCount(1000) };
        let status =
            |sizes: &[u64]| MapStatus::with_options(location.clone(), MapId(9), sizes.iter().copied(), &options);
        let statuses = [Some(status(&[1, 0, 7])), None, Some(status(&[1, 0, 5000, 7]))];
        let shared: Vec<Option<Arc<MapStatus>>> = statuses.iter().cloned().map(|one| one.map(Arc::new)).collect();
        assert_eq!(decode_map_statuses(&encode_map_statuses(&shared).unwrap()).unwrap(), statuses);
    }
}
