//! Both sides of a join on disk by partition, and how far their join has come.

use std::hash::Hash;

use crate::{
    Record, SpillError,
    join_table::JoinTable,
    partition_buffers::{PartitionedRecords, SpilledPart},
    spill_file::RecordReader,
};

/// 64 partitions of a side that is 64 times as large as memory fit into memory; for more, chunks cost one more read each.
const PARTITION_BITS: u32 = 6;
/// The number of partitions.
pub(crate) const PARTITIONS: u32 = 1 << PARTITION_BITS;

/// The partition that a hash belongs to: see `join_table::table_of`, which looks at other bits.
pub(crate) fn partition_of(hash: u64) -> u32 {
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PARTITION_BITS)) as u32
}

pub(crate) struct SpilledJoin {
    build: PartitionedRecords,
    probe: PartitionedRecords,
    partition: u32,
    /// What of the partition's build side was not yet in a table.
    build_rows: PartitionReader,
    probe_rows: PartitionReader,
    probe_index: u64,
    /// The table holds the last rows of the partition's build side.
    is_last_chunk: bool,
    /// Which probe rows an earlier chunk has matched.
    matched_probes: Vec<u64>,
}

impl SpilledJoin {
    /// At the start of the first partition.
    pub(crate) fn new(build: PartitionedRecords, probe: PartitionedRecords) -> Self {
        Self {
            build_rows: PartitionReader::new(&build, 0),
            probe_rows: PartitionReader::new(&probe, 0),
            build,
            probe,
            partition: 0,
            probe_index: 0,
            is_last_chunk: false,
            matched_probes: Vec::new(),
        }
    }

    /// Fills the table from the partition's build side. At least one row goes in, granted or not.
    pub(crate) fn load_chunk<K, B>(&mut self, table: &mut JoinTable<K, B>) -> Result<(), SpillError>
    where
        K: Record + Hash + Eq,
        B: Record,
    {
        self.is_last_chunk = false;
        let mut has_room = true;
        while has_room {
            let Some((key, row)) = self.build_rows.next::<(K, B)>()? else {
                self.is_last_chunk = true;
                break;
            };
            let hash = table.hash(&key);
            // The row is read already; if there is no room for it, it is the last one of this chunk.
            has_room = table.make_room(hash)?;
            table.insert(hash, key, row);
        }
        Ok(())
    }

    /// Goes back to the start of the probe side for the next chunk, or on to the next partition, if there is one.
    pub(crate) fn advance(&mut self) -> bool {
        if self.is_last_chunk {
            self.partition += 1;
            if self.partition == PARTITIONS {
                return false;
            }
            self.build_rows = PartitionReader::new(&self.build, self.partition);
            self.matched_probes = Vec::new();
        }
        self.probe_rows = PartitionReader::new(&self.probe, self.partition);
        self.probe_index = 0;
        true
    }

    pub(crate) fn next_probe<T: Record>(&mut self) -> Result<Option<T>, SpillError> {
        let row = self.probe_rows.next()?;
        self.probe_index += 1;
        Ok(row)
    }

    /// Where the bit of the probe row at hand is.
    fn matched_bit(&self) -> (usize, u64) {
        let index = self.probe_index - 1;
        ((index / 64) as usize, 1 << (index % 64))
    }

    /// Notes that the probe row at hand has a match.
    pub(crate) fn mark_matched(&mut self) {
        let (word, bit) = self.matched_bit();
        if self.matched_probes.is_empty() {
            self.matched_probes.resize(self.probe.records(self.partition).div_ceil(64) as usize, 0);
        }
        self.matched_probes[word] |= bit;
    }

    /// Whether the probe row at hand, which this chunk does not match, was matched by none and is by none to come.
    pub(crate) fn is_finally_unmatched(&self) -> bool {
        let (word, bit) = self.matched_bit();
        self.is_last_chunk && self.matched_probes.get(word).is_none_or(|matched| matched & bit == 0)
    }
}

/// Reads a partition's records from all its places in the spill file.
struct PartitionReader {
    /// The next one last.
    parts: Vec<RecordReader>,
}

impl PartitionReader {
    fn new(records: &PartitionedRecords, partition: u32) -> Self {
        Self { parts: records.spilled(partition).rev().map(SpilledPart::into_records).collect() }
    }

    fn next<T: Record>(&mut self) -> Result<Option<T>, SpillError> {
        while let Some(part) = self.parts.last_mut() {
            match part.next()? {
                Some(record) => return Ok(Some(record)),
                None => self.parts.pop(),
            };
        }
        Ok(None)
    }
}
