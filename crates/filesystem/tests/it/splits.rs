//! How sequence files are cut, and splits that are not to be larger than something.

use firesteel_filesystem::{FilePath, FileStatus, FileSystems, SplitOptions, file_splits};

fn lengths(name: &str, length: u64, min_splits: usize, options: &SplitOptions) -> Vec<u64> {
    let path = FilePath::parse(name).unwrap();
    let file = FileStatus { path, length, is_directory: false, modification_time: 0, block_size: 32 << 20 };
    let splits = file_splits(&FileSystems::default(), &[file], min_splits, options).unwrap();
    splits.iter().map(|split| split.length).collect()
}

#[test]
fn sequence_files_are_cut_whatever_their_names_and_not_too_small() {
    let options = SplitOptions { sequence_files: true, ..SplitOptions::default() };
    for name in ["/part-00000", "/part-00000.gz"] {
        assert_eq!(lengths(name, 300_000, 10, &options), [102_400, 102_400, 95_200]);
        assert_eq!(lengths(name, 100_000, 10, &options), [100_000]);
    }
    let options = SplitOptions { min_size: 200_000, ..options };
    assert_eq!(lengths("/part-00000", 300_000, 10, &options), [200_000, 100_000]);
}

#[test]
fn no_split_is_larger_than_it_may_be() {
    let options = SplitOptions { max_size: 40, ..SplitOptions::default() };
    assert_eq!(lengths("/a", 100, 1, &options), [40, 40, 20]);
    assert_eq!(lengths("/a", 100, 4, &options), [25, 25, 25, 25]);
}
