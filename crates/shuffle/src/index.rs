//! Where each reducer's segment is in a data file.

use std::{fs::File, sync::Arc};

use firesteel_model::{MapId, ReduceId, ShuffleId};

use crate::{SegmentId, checksum};

/// Where each reducer's segment is in a data file, and its checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapOutputIndex {
    /// One more than there are reducers.
    offsets: Box<[u64]>,
    checksums: Option<Box<[u32]>>,
}

impl MapOutputIndex {
    pub(crate) fn new(offsets: Vec<u64>, checksums: Option<Vec<u32>>) -> Self {
        Self { offsets: offsets.into(), checksums: checksums.map(Into::into) }
    }

    /// How many reducers there are.
    pub fn reducers(&self) -> u32 {
        self.offsets.len() as u32 - 1
    }

    /// The sizes of the segments in bytes, in the order of the reducers: what a `MapStatus` is made from.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// The length of the data file in bytes.
    pub fn data_length(&self) -> u64 {
        self.offsets[self.offsets.len() - 1]
    }

    /// How much memory this takes.
    pub(crate) fn size(&self) -> u64 {
        (self.offsets.len() * 8 + self.checksums.as_ref().map_or(0, |checksums| checksums.len() * 4)) as u64
    }

    pub(crate) fn contains(&self, segment_id: &SegmentId) -> bool {
        segment_id.reduce_start < segment_id.reduce_end && segment_id.reduce_end.0 <= self.reducers()
    }

    /// Offset, length and checksum of the segments of neighbouring reducers, which must be there.
    pub(crate) fn range(&self, start: ReduceId, end: ReduceId) -> (u64, u64, Option<u32>) {
        let (start, end) = (start.0 as usize, end.0 as usize);
        let (offset, length) = (self.offsets[start], self.offsets[end] - self.offsets[start]);
        let checksum = self.checksums.as_ref().map(|checksums| {
            (start + 1..end).fold(checksums[start], |whole, reducer| {
                checksum::combine(whole, checksums[reducer], self.offsets[reducer + 1] - self.offsets[reducer])
            })
        });
        (offset, length, checksum)
    }

    /// What the index file holds.
    pub(crate) fn encode_offsets(&self) -> Vec<u8> {
        self.offsets.iter().flat_map(|offset| offset.to_be_bytes()).collect()
    }

    /// What the checksum file holds, if there is one.
    pub(crate) fn encode_checksums(&self) -> Option<Vec<u8>> {
        let checksums = self.checksums.as_ref()?;
        let head = format!("{}\n", checksum::ALGORITHM).into_bytes();
        Some(head.into_iter().chain(checksums.iter().flat_map(|checksum| checksum.to_be_bytes())).collect())
    }

    /// Reads an index file; says what is wrong with it.
    pub(crate) fn decode_offsets(bytes: &[u8]) -> Result<Vec<u64>, String> {
        let (offsets, rest) = bytes.as_chunks::<8>();
        if offsets.is_empty() || !rest.is_empty() {
            return Err(format!("an index has a multiple of 8 bytes and at least 8, not {}", bytes.len()));
        }
        let offsets: Vec<u64> = offsets.iter().map(|offset| u64::from_be_bytes(*offset)).collect();
        if offsets[0] != 0 || !offsets.is_sorted() {
            return Err("the offsets do not begin at 0 or do not ascend".to_owned());
        }
        Ok(offsets)
    }

    /// Reads a checksum file; says what is wrong with it. An algorithm that is not known here is none.
    pub(crate) fn decode_checksums(bytes: &[u8], reducers: usize) -> Result<Option<Vec<u32>>, String> {
        let newline = bytes.iter().position(|&byte| byte == b'\n').ok_or("it does not name its algorithm")?;
        if bytes[..newline] != *checksum::ALGORITHM.as_bytes() {
            return Ok(None);
        }
        let (checksums, rest) = bytes[newline + 1..].as_chunks::<4>();
        if checksums.len() != reducers || !rest.is_empty() {
            return Err(format!("it has not one checksum for each of {reducers} reducers"));
        }
        Ok(Some(checksums.iter().map(|checksum| u32::from_be_bytes(*checksum)).collect()))
    }
}

/// A segment that was found: a part of a file.
#[derive(Clone, Debug)]
pub struct StoredSegment {
    /// The open data file.
    pub file: Arc<File>,
    /// Where the segment starts.
    pub offset: u64,
    /// How long it is in bytes.
    pub length: u64,
    /// The CRC-32 that was computed when it was written, if one was.
    pub checksum: Option<u32>,
}

/// Which map output an index is of, for logs and caches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct MapOutputId {
    pub(crate) shuffle_id: ShuffleId,
    pub(crate) map_id: MapId,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn files_come_back(segments in prop::collection::vec((0u64..1 << 40, any::<u32>()), 0..40)) {
            let mut offsets = vec![0];
            offsets.extend(segments.iter().scan(0, |sum, (length, _)| { *sum += length; Some(*sum) }));
            let checksums: Vec<u32> = segments.iter().map(|(_, checksum)| *checksum).collect();
            let index = MapOutputIndex::new(offsets.clone(), Some(checksums.clone()));
            prop_assert_eq!(MapOutputIndex::decode_offsets(&index.encode_offsets()), Ok(offsets));
            let bytes = index.encode_checksums().unwrap();
            prop_assert_eq!(MapOutputIndex::decode_checksums(&bytes, segments.len()), Ok(Some(checksums)));
            prop_assert!(MapOutputIndex::decode_checksums(&bytes, segments.len() + 1).is_err());
        }

        #[test]
        fn garbage_is_an_error_or_in_order(bytes: Vec<u8>) {
            if let Ok(offsets) = MapOutputIndex::decode_offsets(&bytes) {
                prop_assert!(offsets.is_sorted());
            }
            let _ = MapOutputIndex::decode_checksums(&bytes, 3);
        }
    }

    #[test]
    fn checksums_of_another_algorithm_are_left_alone() {
        assert_eq!(MapOutputIndex::decode_checksums(b"adler32\n0123", 1), Ok(None));
    }
}
