//! Storage levels (RT-50).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where and how a persisted RDD keeps its blocks: Spark's five fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct StorageLevel {
    /// Blocks that memory has no room for go to disk instead of being dropped.
    pub use_disk: bool,
    /// Blocks may be kept in memory.
    pub use_memory: bool,
    /// Memory blocks count against the off-heap pool.
    pub use_off_heap: bool,
    /// Memory blocks are kept as values; otherwise as serialized bytes.
    pub deserialized: bool,
    /// On how many executors each block is kept; 1 to 40.
    pub replication: u8,
}

const fn level(
    use_disk: bool,
    use_memory: bool,
    use_off_heap: bool,
    deserialized: bool,
    replication: u8,
) -> StorageLevel {
    StorageLevel { use_disk, use_memory, use_off_heap, deserialized, replication }
}

impl StorageLevel {
    /// Not persisted.
    pub const NONE: Self = level(false, false, false, false, 1);
    /// Serialized, on disk only.
    pub const DISK_ONLY: Self = level(true, false, false, false, 1);
    /// [`Self::DISK_ONLY`] on two executors.
    pub const DISK_ONLY_2: Self = level(true, false, false, false, 2);
    /// [`Self::DISK_ONLY`] on three executors.
    pub const DISK_ONLY_3: Self = level(true, false, false, false, 3);
    /// Values in memory; what does not fit is recomputed. `cache()` means this.
    pub const MEMORY_ONLY: Self = level(false, true, false, true, 1);
    /// [`Self::MEMORY_ONLY`] on two executors.
    pub const MEMORY_ONLY_2: Self = level(false, true, false, true, 2);
    /// Serialized bytes in memory; what does not fit is recomputed.
    pub const MEMORY_ONLY_SER: Self = level(false, true, false, false, 1);
    /// [`Self::MEMORY_ONLY_SER`] on two executors.
    pub const MEMORY_ONLY_SER_2: Self = level(false, true, false, false, 2);
    /// Values in memory; what does not fit goes to disk.
    pub const MEMORY_AND_DISK: Self = level(true, true, false, true, 1);
    /// [`Self::MEMORY_AND_DISK`] on two executors.
    pub const MEMORY_AND_DISK_2: Self = level(true, true, false, true, 2);
    /// Serialized bytes in memory; what does not fit goes to disk.
    pub const MEMORY_AND_DISK_SER: Self = level(true, true, false, false, 1);
    /// [`Self::MEMORY_AND_DISK_SER`] on two executors.
    pub const MEMORY_AND_DISK_SER_2: Self = level(true, true, false, false, 2);
    /// Serialized bytes in the off-heap pool; what does not fit goes to disk.
    pub const OFF_HEAP: Self = level(true, true, true, false, 1);

    /// Every level that has a name, with its name.
    pub const NAMED: [(&'static str, Self); 13] = [
        ("NONE", Self::NONE),
        ("DISK_ONLY", Self::DISK_ONLY),
        ("DISK_ONLY_2", Self::DISK_ONLY_2),
        ("DISK_ONLY_3", Self::DISK_ONLY_3),
        ("MEMORY_ONLY", Self::MEMORY_ONLY),
        ("MEMORY_ONLY_2", Self::MEMORY_ONLY_2),
        ("MEMORY_ONLY_SER", Self::MEMORY_ONLY_SER),
        ("MEMORY_ONLY_SER_2", Self::MEMORY_ONLY_SER_2),
        ("MEMORY_AND_DISK", Self::MEMORY_AND_DISK),
        ("MEMORY_AND_DISK_2", Self::MEMORY_AND_DISK_2),
        ("MEMORY_AND_DISK_SER", Self::MEMORY_AND_DISK_SER),
        ("MEMORY_AND_DISK_SER_2", Self::MEMORY_AND_DISK_SER_2),
        ("OFF_HEAP", Self::OFF_HEAP),
    ];

    /// Does this level keep anything at all?
    pub fn is_valid(&self) -> bool {
        (self.use_memory || self.use_disk) && self.replication > 0
    }
}

impl fmt::Display for StorageLevel {
    /// Spark's description, as the Storage page has it (`Memory Deserialized 1x Replicated`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.use_disk {
            f.write_str("Disk ")?;
        }
        if self.use_memory {
            f.write_str(if self.use_off_heap { "Memory (off heap) " } else { "Memory " })?;
        }
        f.write_str(if self.deserialized { "Deserialized " } else { "Serialized " })?;
        write!(f, "{}x Replicated", self.replication)
    }
}

/// The text names no storage level.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is not a storage level; the levels are NONE, DISK_ONLY, MEMORY_ONLY, MEMORY_ONLY_SER, MEMORY_AND_DISK, MEMORY_AND_DISK_SER (each but NONE also with _2), DISK_ONLY_3 and OFF_HEAP"
)]
pub struct ParseStorageLevelError(String);

impl FromStr for StorageLevel {
    type Err = ParseStorageLevelError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name);
        found.map(|(_, level)| *level).ok_or_else(|| ParseStorageLevelError(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::StorageLevel;

    #[test]
    fn names_parse_back() {
        for (name, level) in StorageLevel::NAMED {
            assert_eq!(name.parse(), Ok(level));
        }
        assert!("memory_only".parse::<StorageLevel>().is_err());
    }

    #[test]
    fn describes_itself_as_spark_does() {
        assert_eq!(StorageLevel::MEMORY_ONLY.to_string(), "Memory Deserialized 1x Replicated");
        assert_eq!(StorageLevel::MEMORY_AND_DISK_SER_2.to_string(), "Disk Memory Serialized 2x Replicated");
        assert_eq!(StorageLevel::OFF_HEAP.to_string(), "Disk Memory (off heap) Serialized 1x Replicated");
    }
}
