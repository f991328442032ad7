//! What a finished map task reports about its output (RT-62).

use serde::{Deserialize, Serialize};

use crate::{BlockManagerId, MapId, ReduceId};

/// Where one map task's output is, and about how large each reducer's segment is.
///
/// Sizes are kept as one byte each on a logarithmic scale of base 1.1, which is at most 10 % off and never turns a
/// non-empty segment into an empty one: Spark's `MapStatus.compressSize`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MapStatus {
    /// The block manager that serves the output.
    pub location: BlockManagerId,
    /// The task attempt that wrote it.
    pub map_id: MapId,
    sizes: Box<[u8]>,
}

const LOG_BASE: f64 = 1.1;

impl MapStatus {
    /// Takes the exact sizes, in bytes, in the order of the reducers.
    pub fn new(location: BlockManagerId, map_id: MapId, sizes: impl IntoIterator<Item = u64>) -> Self {
        Self { location, map_id, sizes: sizes.into_iter().map(compress_size).collect() }
    }

    /// How many reducers the output is divided for.
    pub fn reducers(&self) -> u32 {
        self.sizes.len() as u32
    }

    /// The estimated size of a reducer's segment in bytes; 0 exactly if the segment is empty or there is no such reducer.
    pub fn size(&self, reduce_id: ReduceId) -> u64 {
        self.sizes.get(reduce_id.0 as usize).map_or(0, |&compressed| decompress_size(compressed))
    }

    /// The estimated size of the whole output in bytes.
    pub fn total_size(&self) -> u64 {
        self.sizes.iter().map(|&compressed| decompress_size(compressed)).sum()
    }
}

fn compress_size(bytes: u64) -> u8 {
    match bytes {
        0 => 0,
        1 => 1,
        _ => ((bytes as f64).ln() / LOG_BASE.ln()).ceil().min(255.0) as u8,
    }
}

fn decompress_size(compressed: u8) -> u64 {
    match compressed {
        0 => 0,
        _ => LOG_BASE.powi(i32::from(compressed)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sizes_are_at_most_a_tenth_off(bytes in 1u64..30_000_000_000) {
            let estimate = decompress_size(compress_size(bytes)) as f64;
            prop_assert!(estimate >= 1.0);
            prop_assert!((estimate - bytes as f64).abs() <= bytes as f64 * 0.1 + 1.0);
        }
    }

    #[test]
    fn empty_stays_empty() {
        assert_eq!(decompress_size(compress_size(0)), 0);
    }
}
