//! Data sets from files and into files.

use std::{fs, path::Path};

use firesteel::{Codec, SparkError};
use proptest::prelude::*;

use crate::common::{partitioned, sorted, spark};

/// An empty directory whose name does not begin with a dot, as input that is hidden is refused.
fn directory() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("files").tempdir().unwrap()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn what_is_saved_can_be_read(
        partitions in prop::collection::vec(prop::collection::vec("[a-zäß ]{0,12}", 0..20), 1..4),
        min_partitions in 1u32..6,
    ) {
        let directory = directory();
        let rdd = partitioned(&partitions);
        let all = partitions.concat();
        let plain = text(&directory.path().join("plain"));
        rdd.save_as_text_file(&plain).unwrap();
        prop_assert_eq!(&spark().text_file_with(&plain, min_partitions).unwrap().collect().unwrap(), &all);
        let files = fs::read_dir(directory.path().join("plain")).unwrap();
        let names = sorted(files.map(|file| file.unwrap().file_name().into_string().unwrap()).filter(|name| !name.ends_with(".crc")));
        let parts = (0..partitions.len()).map(|part| format!("part-{part:05}"));
        prop_assert_eq!(names, sorted(parts.chain(["_SUCCESS".to_owned()])));
        let compressed = text(&directory.path().join("compressed"));
        rdd.save_as_compressed_text_file(&compressed, Codec::Zstandard).unwrap();
        prop_assert_eq!(&spark().text_file(&compressed).unwrap().collect().unwrap(), &all);
        let objects = text(&directory.path().join("objects"));
        rdd.map(|line| (line.len(), line)).save_as_object_file(&objects).unwrap();
        prop_assert_eq!(&spark().object_file::<(usize, String)>(&objects).unwrap().values().collect().unwrap(), &all);
    }
}

#[test]
fn whole_and_binary_files_come_with_their_names() {
    let directory = directory();
    fs::write(directory.path().join("a.txt"), "one\ntwo").unwrap();
    fs::write(directory.path().join("b.txt"), "").unwrap();
    let whole = sorted(spark().whole_text_files(&text(directory.path())).unwrap().collect().unwrap());
    assert_eq!(whole.iter().map(|file| file.1.as_str()).collect::<Vec<_>>(), ["one\ntwo", ""]);
    assert!(whole[0].0.ends_with("/a.txt"), "{whole:?}");
    // A directory beside the files is left out, as in Spark; `text_file` refuses.
    fs::create_dir(directory.path().join("below")).unwrap();
    assert_eq!(spark().whole_text_files(&text(directory.path())).unwrap().count().unwrap(), 2);
    assert_eq!(spark().binary_files(&text(directory.path())).unwrap().count().unwrap(), 2);
    assert!(matches!(spark().text_file(&text(directory.path())), Err(SparkError::Io(_))));
    let binary = sorted(spark().binary_files(&text(&directory.path().join("a*"))).unwrap().values().collect().unwrap());
    assert_eq!(binary, [b"one\ntwo".as_slice()]);
}

#[test]
fn inputs_are_cut_into_at_least_so_many_partitions() {
    let directory = directory();
    for name in 0..8 {
        fs::write(directory.path().join(name.to_string()), name.to_string()).unwrap();
    }
    let path = text(directory.path());
    let names = |partitions: Vec<Vec<(String, String)>>| partitions.into_iter().map(|files| files.len()).collect();
    let whole = |wanted| -> Vec<usize> {
        names(spark().whole_text_files_with(&path, wanted).unwrap().glom().collect().unwrap())
    };
    assert_eq!((whole(1), whole(2), whole(8)), (vec![8], vec![4, 4], vec![1; 8]));
    // As in Spark, the default parallelism, which is 2 here, is the least for binary files.
    let binary = |wanted| spark().binary_files_with(&path, wanted).unwrap().num_partitions();
    assert_eq!((binary(1), binary(2), binary(8)), (2, 2, 8));
    let objects = text(&directory.path().join("objects"));
    spark().range(0, 50_000, 1, 1).save_as_object_file(&objects).unwrap();
    for wanted in [1, 2, 5] {
        let read = spark().object_file_with::<i64>(&objects, wanted).unwrap();
        assert_eq!((read.num_partitions(), read.sum().unwrap()), (wanted, 1_249_975_000));
    }
}

#[test]
fn binary_records_are_cut_by_their_length() {
    let directory = directory();
    let bytes: Vec<u8> = (0..3 * 1001u32).map(|n| n as u8).collect();
    fs::write(directory.path().join("records"), &bytes).unwrap();
    let records = spark().binary_records(&text(directory.path()), 3).unwrap();
    assert!(records.num_partitions() > 1);
    assert_eq!(records.collect().unwrap().concat(), bytes);
    fs::write(directory.path().join("cut"), [1, 2, 3, 4]).unwrap();
    let cut = spark().binary_records(&text(&directory.path().join("cut")), 3).unwrap();
    let error = cut.count().unwrap_err().to_string();
    assert!(
        error.contains("could not read") && error.contains("/cut: its 4 bytes are no multiple of the record length 3"),
        "{error}"
    );
    assert!(matches!(spark().binary_records("/", 0), Err(SparkError::InvalidArgument(_))));
    // As in Spark: its bytes are not those of the records.
    fs::write(directory.path().join("packed.gz"), [1, 2, 3]).unwrap();
    let error = spark().binary_records(&text(directory.path()), 3).err().unwrap().to_string();
    assert!(error.contains("packed.gz is compressed"), "{error}");
}

#[test]
fn output_is_there_as_a_whole_or_not_at_all() {
    let directory = directory();
    let path = text(&directory.path().join("out"));
    let broken = spark().parallelize([1, 0], 2).map(|n| 1 / n);
    assert!(broken.save_as_text_file(&path).is_err());
    assert!(!Path::new(&path).join("_SUCCESS").exists());
    assert!(!Path::new(&path).join("part-00000").exists());
    let path = text(&directory.path().join("again"));
    let numbers = spark().parallelize([1, 2], 2);
    numbers.save_as_text_file(&path).unwrap();
    let error = numbers.save_as_text_file(&path).unwrap_err();
    assert!(matches!(&error, SparkError::OutputExists(message) if message.contains("already exists")), "{error}");
}

#[test]
fn input_that_is_not_there_is_an_error_at_once() {
    let error = spark().text_file("/no/such/file").unwrap_err().to_string();
    assert!(error.contains("input path does not exist"), "{error}");
    let directory = directory();
    let path = text(&directory.path().join("numbers"));
    spark().parallelize([1i32], 1).save_as_object_file(&path).unwrap();
    let error = spark().object_file::<String>(&path).unwrap().count().unwrap_err().to_string();
    assert!(error.contains("holds records of type postcard i32, not postcard alloc::string::String"), "{error}");
}
