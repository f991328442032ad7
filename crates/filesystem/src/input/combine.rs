//! Whole files packed into partitions, for `wholeTextFiles` and `binaryFiles`.

use serde::{Deserialize, Serialize};

use super::FileSplit;
use crate::FileStatus;

/// How files are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CombineOptions {
    /// A partition is closed when it holds this many bytes (`spark.files.maxPartitionBytes`).
    pub max_partition_bytes: u64,
    /// What opening a file costs, as bytes that could be read meanwhile (`spark.files.openCostInBytes`).
    pub open_cost_in_bytes: u64,
    /// Partitions are made smaller to have about this many: `minPartitions`, or what Spark has in its place.
    pub min_partitions: usize,
}

impl Default for CombineOptions {
    fn default() -> Self {
        Self { max_partition_bytes: 128 << 20, open_cost_in_bytes: 4 << 20, min_partitions: 1 }
    }
}

/// Whole files that one task reads.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CombinedSplit {
    /// The files, each from its first byte to its last.
    pub files: Vec<FileSplit>,
}

impl CombinedSplit {
    /// Bytes of all files together.
    pub fn length(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }
}

/// Packs files in their order, as Hadoop's `CombineFileInputFormat` does: a partition is closed by the file that fills it, so
/// no file is cut and one larger than the limit is alone or last.
///
/// Unlike Hadoop's, a file counts with its opening cost while packing too, so that a million empty files are not one partition.
pub fn combine_files(files: &[FileStatus], options: &CombineOptions) -> Vec<CombinedSplit> {
    let cost = |file: &FileStatus| file.length.saturating_add(options.open_cost_in_bytes);
    let total: u64 = files.iter().map(cost).fold(0, u64::saturating_add);
    let bytes_per_partition = total / options.min_partitions.max(1) as u64;
    let limit = options.max_partition_bytes.min(options.open_cost_in_bytes.max(bytes_per_partition)).max(1);
    let mut splits = Vec::new();
    let mut open = CombinedSplit::default();
    let mut filled = 0u64;
    for file in files {
        open.files.push(FileSplit::whole(file));
        filled = filled.saturating_add(cost(file));
        if filled >= limit {
            splits.push(std::mem::take(&mut open));
            filled = 0;
        }
    }
    if !open.files.is_empty() {
        splits.push(open);
    }
    splits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FilePath;

    fn check(lengths: &[u64], min_partitions: usize, counts: &[usize]) {
        let files: Vec<_> = lengths
            .iter()
            .enumerate()
            .map(|(index, length)| FileStatus {
                path: FilePath::parse(&format!("/{index}")).unwrap(),
                length: *length,
                is_directory: false,
                modification_time: 0,
                block_size: 1,
            })
            .collect();
        let options = CombineOptions { max_partition_bytes: 100, open_cost_in_bytes: 10, min_partitions };
        let splits = combine_files(&files, &options);
        assert_eq!(splits.iter().map(|split| split.files.len()).collect::<Vec<_>>(), counts);
        let packed: Vec<_> = splits.iter().flat_map(|split| &split.files).map(|file| file.length).collect();
        assert_eq!(packed, lengths);
    }

    #[test]
    fn files_fill_partitions_in_order() {
        check(&[], 2, &[]);
        check(&[10, 10, 10, 10], 1, &[4]);
        check(&[10, 10, 10, 10], 2, &[2, 2]);
        check(&[500, 10, 10], 1, &[1, 2]);
        check(&[0; 25], 1, &[10, 10, 5]);
    }
}
