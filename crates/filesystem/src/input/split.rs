//! Cutting files into the parts that tasks read: Hadoop's `FileInputFormat.getSplits`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    BlockLocation, Codec, FileError, FilePath, FileStatus, FileSystems, HadoopConf, HadoopPropertyError,
    LOCAL_BLOCK_SIZE, Scheme, sequence_file::SYNC_INTERVAL,
};

/// The last part of a file may be this much larger than the others, in tenths, rather than leave a tiny one.
const SLOP_TENTHS: u64 = 11;

/// How many hosts a split names; Hadoop's default replication.
const MAX_HOSTS: usize = 3;

/// A part of a file, read by one task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileSplit {
    /// The file.
    pub path: FilePath,
    /// The first byte.
    pub start: u64,
    /// Bytes, of the file as it is stored.
    pub length: u64,
    /// Hosts that hold most of it; empty if it is equally far from everywhere.
    pub hosts: Vec<String>,
}

impl FileSplit {
    /// A whole file.
    pub fn whole(file: &FileStatus) -> Self {
        Self { path: file.path.clone(), start: 0, length: file.length, hosts: Vec::new() }
    }

    /// The first byte behind it.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// How files are cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SplitOptions {
    /// No split is smaller unless its file is, in bytes (`mapreduce.input.fileinputformat.split.minsize`).
    pub min_size: u64,
    /// No split is larger, in bytes. Hadoop's new API reads it from `mapreduce.input.fileinputformat.split.maxsize`, its old one not,
    /// nor does [`Self::from_conf`].
    pub max_size: u64,
    /// What counts as the block size of local files, in bytes (`fs.local.block.size`).
    pub local_block_size: u64,
    /// Whether empty files get no split (`spark.hadoopRDD.ignoreEmptySplits`, which is true in Spark).
    pub ignore_empty: bool,
    /// Whether the files are sequence files, which can be cut whatever their names say, but not smaller than their sync markers
    /// are apart.
    pub sequence_files: bool,
}

impl Default for SplitOptions {
    fn default() -> Self {
        Self {
            min_size: 1,
            max_size: u64::MAX,
            local_block_size: LOCAL_BLOCK_SIZE,
            ignore_empty: true,
            sequence_files: false,
        }
    }
}

impl SplitOptions {
    /// From Hadoop's properties.
    pub fn from_conf(conf: &HadoopConf) -> Result<Self, HadoopPropertyError> {
        let default = Self::default();
        Ok(Self {
            min_size: conf.get_bytes("mapreduce.input.fileinputformat.split.minsize", default.min_size)?,
            max_size: default.max_size,
            local_block_size: conf.get_bytes("fs.local.block.size", default.local_block_size)?,
            ignore_empty: default.ignore_empty,
            sequence_files: default.sequence_files,
        })
    }
}

/// Cuts files so that there are about `min_splits` parts or more (Spark's `minPartitions`), none larger than a block. A file that
/// is compressed is one part, unless it is of a codec that [can be split](Codec::is_splittable).
pub fn file_splits(
    systems: &FileSystems,
    files: &[FileStatus],
    min_splits: usize,
    options: &SplitOptions,
) -> Result<Vec<FileSplit>, FileError> {
    let total: u64 = files.iter().map(|file| file.length).sum();
    let goal_size = total / min_splits.max(1) as u64;
    let min_size = if options.sequence_files { options.min_size.max(SYNC_INTERVAL) } else { options.min_size };
    let is_whole = |file: &FileStatus| {
        !options.sequence_files && Codec::of_path(&file.path).is_some_and(|codec| !codec.is_splittable())
    };
    let mut splits = Vec::new();
    for file in files {
        if file.length == 0 && options.ignore_empty {
            continue;
        }
        let locations = systems.get(&file.path)?.block_locations(file)?;
        let mut cut = |start, length| {
            let hosts = hosts_of(&locations, start, length);
            splits.push(FileSplit { path: file.path.clone(), start, length, hosts });
        };
        if file.length == 0 || is_whole(file) {
            cut(0, file.length);
            continue;
        }
        let is_local = file.path.scheme() == Scheme::File;
        let block_size = if is_local { options.local_block_size } else { file.block_size };
        let split_size = min_size.max(goal_size.min(block_size).min(options.max_size)).max(1);
        let mut left = file.length;
        while u128::from(left) * 10 > u128::from(split_size) * u128::from(SLOP_TENTHS) {
            cut(file.length - left, split_size);
            left -= split_size;
        }
        cut(file.length - left, left);
    }
    Ok(splits)
}

/// The hosts that hold most of a range, most first.
fn hosts_of(locations: &[BlockLocation], start: u64, length: u64) -> Vec<String> {
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for block in locations {
        let overlap = (block.offset + block.length).min(start + length).saturating_sub(block.offset.max(start));
        if overlap > 0 {
            for host in &block.hosts {
                *bytes.entry(host).or_default() += overlap;
            }
        }
    }
    let mut hosts: Vec<_> = bytes.into_iter().collect();
    hosts.sort_by(|(a, a_bytes), (b, b_bytes)| b_bytes.cmp(a_bytes).then(a.cmp(b)));
    hosts.into_iter().take(MAX_HOSTS).map(|(host, _)| host.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(name: &str, length: u64) -> FileStatus {
        let path = FilePath::parse(name).unwrap();
        FileStatus { path, length, is_directory: false, modification_time: 0, block_size: 32 << 20 }
    }

    fn check(files: &[FileStatus], min_splits: usize, lengths: &[u64]) {
        let splits = file_splits(&FileSystems::default(), files, min_splits, &SplitOptions::default()).unwrap();
        assert_eq!(splits.iter().map(|split| split.length).collect::<Vec<_>>(), lengths);
    }

    #[test]
    fn as_hadoop_cuts() {
        const MIB: u64 = 1 << 20;
        check(&[file("/a", 100)], 2, &[50, 50]);
        check(&[file("/a", 101)], 2, &[50, 51]);
        check(&[file("/a", 100 * MIB)], 1, &[32 * MIB, 32 * MIB, 32 * MIB, 4 * MIB]);
        check(&[file("/a", 35 * MIB)], 1, &[35 * MIB]);
        check(&[file("/a", 36 * MIB)], 1, &[32 * MIB, 4 * MIB]);
        check(&[file("/a.gz", 100 * MIB)], 4, &[100 * MIB]);
        check(&[file("/a.bz2", 100 * MIB)], 4, &[25 * MIB; 4]);
        check(&[file("/a", 0), file("/b", 10)], 2, &[5, 5]);
        check(&[file("/a", 10), file("/b", 1)], 2, &[5, 5, 1]);
        check(&[], 2, &[]);
    }

    #[test]
    fn hosts_by_bytes() {
        let block = |offset, hosts: &[&str]| BlockLocation {
            offset,
            length: 100,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        let blocks = [block(0, &["a", "b"]), block(100, &["b", "c"]), block(200, &["d"])];
        assert_eq!(hosts_of(&blocks, 50, 120), ["b", "c", "a"]);
        assert_eq!(hosts_of(&blocks, 200, 50), ["d"]);
        assert!(hosts_of(&[], 0, 10).is_empty());
    }

    proptest! {
        /// Safety: every byte of every file is in exactly one split.
        #[test]
        fn every_byte_once(lengths in prop::collection::vec(0u64..1_000_000, 0..5), min_splits in 0usize..20, min_size in 1u64..5000) {
            let files: Vec<_> = lengths.iter().enumerate().map(|(index, length)| file(&format!("/{index}"), *length)).collect();
            let options = SplitOptions { min_size, local_block_size: 40_000, ignore_empty: false, ..SplitOptions::default() };
            let splits = file_splits(&FileSystems::default(), &files, min_splits, &options).unwrap();
            let mut next = splits.iter().peekable();
            for file in &files {
                let mut position = 0;
                while let Some(split) = next.next_if(|split| split.path == file.path) {
                    prop_assert_eq!(split.start, position);
                    position = split.end();
                }
                prop_assert_eq!(position, file.length);
            }
            prop_assert!(next.next().is_none());
        }
    }

    #[test]
    fn a_split_travels_small() {
        let split = FileSplit {
            path: FilePath::parse("/data/part-00000").unwrap(),
            start: 1 << 25,
            length: 1 << 25,
            hosts: vec![],
        };
        let bytes = postcard::to_stdvec(&split).unwrap();
        assert!(bytes.len() < 40, "{}", bytes.len());
        assert_eq!(postcard::from_bytes::<FileSplit>(&bytes).unwrap(), split);
    }
}
