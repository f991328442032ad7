//! What a finished map task reports about its output (RT-62).

use serde::{Deserialize, Serialize};

use crate::{BlockManagerId, ByteCount, MapId, ReduceId};

/// Where one map task's output is, and about how large each reducer's segment is.
///
/// Few sizes are kept as one byte each on a logarithmic scale of base 1.1, which is at most 10 % off and never turns a
/// non-empty segment into an empty one: Spark's `MapStatus.compressSize`. Of many, only the empty and the large ones are
/// kept, and what the others have on average: Spark's `HighlyCompressedMapStatus`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MapStatus {
    /// The block manager that serves the output.
    pub location: BlockManagerId,
    /// The task attempt that wrote it.
    pub map_id: MapId,
    sizes: Sizes,
}

/// When sizes are no longer kept one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapStatusOptions {
    /// `spark.shuffle.minNumPartitionsToHighlyCompress`, 2000: for more reducers than this, an average is kept.
    pub min_partitions_to_highly_compress: u32,
    /// `spark.shuffle.accurateBlockThreshold`, 100 MiB: segments from this size on are kept exactly beside the average.
    pub accurate_block_threshold: ByteCount,
}

impl Default for MapStatusOptions {
    fn default() -> Self {
        Self { min_partitions_to_highly_compress: 2000, accurate_block_threshold: ByteCount::mib(100) }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Sizes {
    /// One byte each.
    Compressed(Box<[u8]>),
    HighlyCompressed {
        reducers: u32,
        /// One bit for each reducer, set where nothing is to be fetched; no bits at all if there is no such reducer.
        empty: Box<[u8]>,
        /// Of the segments that are neither empty nor large.
        average: u64,
        /// How many those are.
        averaged: u32,
        /// By reducer, ascending, in bytes.
        large: Box<[(u32, u64)]>,
    },
}

const LOG_BASE: f64 = 1.1;

impl MapStatus {
    /// Takes the exact sizes, in bytes, in the order of the reducers, and keeps about each of them.
    pub fn new(location: BlockManagerId, map_id: MapId, sizes: impl IntoIterator<Item = u64>) -> Self {
        Self { location, map_id, sizes: Sizes::Compressed(sizes.into_iter().map(compress_size).collect()) }
    }

    /// Takes the exact sizes, in bytes, in the order of the reducers, and keeps of them what the options say.
    pub fn with_options(
        location: BlockManagerId,
        map_id: MapId,
        sizes: impl IntoIterator<Item = u64>,
        options: &MapStatusOptions,
    ) -> Self {
        let sizes: Vec<u64> = sizes.into_iter().collect();
        if sizes.len() > options.min_partitions_to_highly_compress as usize {
            Self { location, map_id, sizes: Sizes::highly_compressed(&sizes, options.accurate_block_threshold) }
        } else {
            Self::new(location, map_id, sizes)
        }
    }

    /// How many reducers the output is divided for.
    pub fn reducers(&self) -> u32 {
        match &self.sizes {
            Sizes::Compressed(sizes) => sizes.len() as u32,
            Sizes::HighlyCompressed { reducers, .. } => *reducers,
        }
    }

    /// The estimated size of a reducer's segment in bytes; 0 exactly if the segment is empty or there is no such reducer.
    pub fn size(&self, reduce_id: ReduceId) -> u64 {
        match &self.sizes {
            Sizes::Compressed(sizes) => {
                sizes.get(reduce_id.0 as usize).map_or(0, |&compressed| decompress_size(compressed))
            }
            Sizes::HighlyCompressed { reducers, empty, .. }
                if reduce_id.0 >= *reducers || is_set(empty, reduce_id.0) =>
            {
                0
            }
            Sizes::HighlyCompressed { average, large, .. } => {
                large.binary_search_by_key(&reduce_id.0, |&(reducer, _)| reducer).map_or(*average, |at| large[at].1)
            }
        }
    }

    /// The estimated size of the whole output in bytes.
    pub fn total_size(&self) -> u64 {
        match &self.sizes {
            Sizes::Compressed(sizes) => sizes.iter().map(|&compressed| decompress_size(compressed)).sum(),
            Sizes::HighlyCompressed { average, averaged, large, .. } => {
                average * u64::from(*averaged) + large.iter().map(|(_, bytes)| bytes).sum::<u64>()
            }
        }
    }

    /// About how many bytes the status takes, here and on its way.
    pub fn weight(&self) -> u64 {
        let sizes = match &self.sizes {
            Sizes::Compressed(sizes) => sizes.len(),
            Sizes::HighlyCompressed { empty, large, .. } => empty.len() + size_of_val(&large[..]),
        };
        (sizes + size_of::<Self>() + self.location.host.len()) as u64
    }
}

impl Sizes {
    fn highly_compressed(sizes: &[u64], accurate_block_threshold: ByteCount) -> Self {
        let mut empty = vec![0u8; sizes.len().div_ceil(8)];
        let mut large = Vec::new();
        let (mut averaged, mut total) = (0, 0);
        for (reducer, &bytes) in sizes.iter().enumerate() {
            if bytes == 0 {
                empty[reducer / 8] |= 1 << (reducer % 8);
            } else if bytes < accurate_block_threshold.bytes() {
                averaged += 1;
                total += bytes;
            } else {
                large.push((reducer as u32, bytes));
            }
        }
        if empty.iter().all(|&bits| bits == 0) {
            empty.clear();
        }
        Self::HighlyCompressed {
            reducers: sizes.len() as u32,
            empty: empty.into(),
            average: total / u64::from(averaged).max(1),
            averaged,
            large: large.into(),
        }
    }
}

fn is_set(bits: &[u8], index: u32) -> bool {
    bits.get(index as usize / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
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

    fn status(sizes: impl IntoIterator<Item = u64>, options: MapStatusOptions) -> MapStatus {
        let location = BlockManagerId { executor_id: "1".into(), host: "host".to_owned(), port: 7337 };
        MapStatus::with_options(location, MapId(7), sizes, &options)
    }

    const ANY: MapStatusOptions =
        MapStatusOptions { min_partitions_to_highly_compress: 1, accurate_block_threshold: ByteCount(1000) };

    proptest! {
        /// Nothing that is empty is fetched, and nothing that is not is forgotten.
        #[test]
        fn of_many_sizes_the_empty_and_the_large_ones_are_exact(sizes in proptest::collection::vec(
            prop_oneof![Just(0u64), 1u64..1000, 1000u64..1 << 40], 2..100))
        {
            let status = status(sizes.iter().copied(), ANY);
            let small: Vec<u64> = sizes.iter().copied().filter(|bytes| (1..1000).contains(bytes)).collect();
            let average = small.iter().sum::<u64>() / (small.len() as u64).max(1);
            for (reducer, &bytes) in sizes.iter().enumerate() {
                let expected = if (1..1000).contains(&bytes) { average } else { bytes };
                prop_assert_eq!(status.size(ReduceId(reducer as u32)), expected);
            }
            prop_assert_eq!(status.size(ReduceId(sizes.len() as u32)), 0);
            prop_assert_eq!(status.reducers(), sizes.len() as u32);
            let total: u64 = sizes.iter().sum();
            prop_assert!(status.total_size() <= total && total - status.total_size() < sizes.len() as u64);
        }
    }

    #[test]
    fn only_more_reducers_than_the_option_says_get_an_average() {
        let options = MapStatusOptions { min_partitions_to_highly_compress: 3, ..MapStatusOptions::default() };
        let sizes = |status: &MapStatus| (0..status.reducers()).map(|at| status.size(ReduceId(at))).collect::<Vec<_>>();
        assert!(sizes(&status([1, 100, 1], options))[1] > 90);
        assert_eq!(sizes(&status([1, 100, 1, 0], options)), [34, 34, 34, 0]);
    }

    #[test]
    fn many_reducers_take_little_room() {
        let options = MapStatusOptions::default();
        let full = status([1000].into_iter().cycle().take(100_000), options);
        assert!(full.weight() < 200, "{}", full.weight());
        let sparse = status([1000, 0].into_iter().cycle().take(100_000), options);
        assert!(sparse.weight() < 100_000 / 8 + 200, "{}", sparse.weight());
    }

    #[test]
    fn empty_stays_empty() {
        assert_eq!(decompress_size(compress_size(0)), 0);
    }
}
