//! Checkpoints (RT-57).

mod harness;

use std::fs;

use firesteel::{Accumulator, Rdd, SparkContext, SparkError, StorageLevel};
use harness::{files_named, wait_until, with_context};

/// Numbers that are read from a file by each task, and how many were.
fn from_file(sc: &SparkContext, path: &str) -> (Rdd<i64>, Accumulator<i64>) {
    let read = sc.long_accumulator("read");
    let numbers = sc.parallelize([path.to_owned(), path.to_owned()], 2).with(read.clone()).flat_map(|read, path| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let numbers: Vec<i64> = text.lines().map(|line| line.parse().unwrap()).collect();
        read.add(numbers.len() as i64);
        numbers
    });
    (numbers, read)
}

fn input(directory: &std::path::Path) -> String {
    let path = directory.join("numbers.txt");
    fs::write(&path, "1\n2\n3\n").unwrap();
    path.to_str().unwrap().to_owned()
}

fn checkpoints(directory: &std::path::Path) -> String {
    directory.join("checkpoints").to_str().unwrap().to_owned()
}

#[test]
fn a_checkpoint_outlives_what_it_was_computed_from() {
    for compress in ["false", "true"] {
        with_context(&[("spark.checkpoint.compress", compress)], |sc, directory| {
            let path = input(directory);
            sc.set_checkpoint_dir(&checkpoints(directory)).unwrap();
            let (numbers, read) = from_file(sc, &path);
            let child = numbers.map(|number| number * 10);
            let grandchild =
                child.map(|number| (number % 20, number)).reduce_by_key_with(|left, right| left + right, 2);
            numbers.checkpoint().unwrap();
            assert!(!numbers.is_checkpointed() && numbers.get_checkpoint_file().is_none());
            assert_eq!(numbers.count().unwrap(), 6);
            assert_eq!(read.value(), 12, "the action and the checkpoint's own job");
            assert!(numbers.is_checkpointed());
            let file = numbers.get_checkpoint_file().unwrap();
            assert!(file.contains(&format!("rdd-{}", numbers.id())), "{file}");
            assert_eq!(files_named(&directory.join("checkpoints"), "part-").len(), 2);

            fs::remove_file(&path).unwrap();
            assert_eq!(numbers.collect().unwrap(), [1, 2, 3, 1, 2, 3]);
            assert_eq!(child.collect().unwrap(), [10, 20, 30, 10, 20, 30], "a child that was made before");
            let mut sums = grandchild.collect().unwrap();
            sums.sort_unstable();
            assert_eq!(sums, [(0, 40), (10, 80)], "behind a shuffle");
            assert_eq!(numbers.map(|number| number + 1).reduce(|left, right| left + right).unwrap(), 18);
            assert_eq!(read.value(), 12);
        });
    }
}

#[test]
fn an_ancestor_is_checkpointed_by_its_descendants_action() {
    with_context(&[], |sc, directory| {
        let path = input(directory);
        sc.set_checkpoint_dir(&checkpoints(directory)).unwrap();
        let (numbers, read) = from_file(sc, &path);
        numbers.cache().unwrap();
        numbers.checkpoint().unwrap();
        let pairs = numbers.map(|number| (number, 1u32)).reduce_by_key_with(|left, right| left + right, 3);
        assert_eq!(pairs.count().unwrap(), 3);
        assert!(numbers.is_checkpointed() && !pairs.is_checkpointed());
        assert_eq!(read.value(), 6, "what is cached is not computed again");
        numbers.unpersist(true);
        fs::remove_file(&path).unwrap();
        assert_eq!(numbers.count().unwrap(), 6);
    });
}

/// Spark's asynchronous actions submit jobs without looking at marks afterwards.
#[test]
fn an_action_in_the_background_brings_no_checkpoint_about() {
    with_context(&[], |sc, directory| {
        sc.set_checkpoint_dir(&checkpoints(directory)).unwrap();
        let numbers = sc.range(0, 10, 1, 2).map(|number| number + 1);
        numbers.checkpoint().unwrap();
        assert_eq!(numbers.count_async().get().unwrap(), 10);
        assert_eq!(numbers.collect_async().get().unwrap().len(), 10);
        assert_eq!(numbers.take_async(3).unwrap().get().unwrap(), [1, 2, 3]);
        numbers.foreach_async(|_| ()).get().unwrap();
        assert!(!numbers.is_checkpointed());
        assert_eq!(numbers.count().unwrap(), 10);
        assert!(numbers.is_checkpointed());
    });
}

#[test]
fn a_lineage_of_checkpoints_stays_short() {
    with_context(&[], |sc, directory| {
        sc.set_checkpoint_dir(&checkpoints(directory)).unwrap();
        let mut numbers = sc.range(0, 10, 1, 2);
        for _ in 0..5 {
            numbers = numbers.map(|number| number + 1);
            numbers.checkpoint().unwrap();
            numbers.count().unwrap();
        }
        assert_eq!(numbers.collect().unwrap(), (5..15).collect::<Vec<_>>());
        assert_eq!(files_named(&directory.join("checkpoints"), "part-").len(), 10);
    });
}

#[test]
fn without_a_directory_there_is_no_checkpoint() {
    with_context(&[], |sc, directory| {
        let error = sc.range(0, 3, 1, 1).checkpoint().unwrap_err();
        assert!(matches!(error, SparkError::NoCheckpointDirectory));
        assert!(error.to_string().contains("set_checkpoint_dir"), "{error}");
        assert_eq!(sc.checkpoint_dir(), None);
        let taken = directory.join("taken");
        fs::write(&taken, "").unwrap();
        let error = sc.set_checkpoint_dir(taken.to_str().unwrap()).unwrap_err();
        assert!(matches!(&error, SparkError::Io(message) if message.contains("taken")), "{error}");
        let error = sc.set_checkpoint_dir("/proc/firesteel").unwrap_err().to_string();
        assert!(error.contains("could not make directory") && error.contains("/proc/firesteel/"), "{error}");
        assert!(!error.contains("does not exist"), "{error}");
    });
}

#[test]
fn damage_and_loss_name_the_file() {
    with_context(&[], |sc, directory| {
        sc.set_checkpoint_dir(&checkpoints(directory)).unwrap();
        let numbers = sc.range(0, 1000, 1, 2).map(|number| number);
        numbers.checkpoint().unwrap();
        numbers.count().unwrap();
        let files = files_named(&directory.join("checkpoints"), "part-");
        let whole = fs::read(&files[1]).unwrap();

        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&files[1], &damaged).unwrap();
        let error = numbers.count().unwrap_err().to_string();
        for part in [&format!("the checkpoint of RDD {}, partition 1", numbers.id()), "part-00001", "checksum"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        fs::write(&files[1], &whole[..whole.len() - 10]).unwrap();
        let error = numbers.count().unwrap_err().to_string();
        assert!(
            error.contains("part-00001") && error.contains("cut off") || error.contains("end of the file"),
            "{error}"
        );
        fs::remove_file(&files[1]).unwrap();
        let error = numbers.count().unwrap_err().to_string();
        assert!(error.contains("part-00001") && error.contains("does not exist"), "{error}");
        fs::write(&files[1], &whole).unwrap();
        assert_eq!(numbers.count().unwrap(), 1000);
    });
}

#[test]
fn a_checkpoint_that_fails_is_tried_again() {
    with_context(&[], |sc, directory| {
        sc.set_checkpoint_dir(&checkpoints(directory)).unwrap();
        let numbers = sc.range(0, 10, 1, 2).map(|number| number);
        numbers.checkpoint().unwrap();
        let own = std::path::PathBuf::from(sc.checkpoint_dir().unwrap().strip_prefix("file:").unwrap());
        fs::remove_dir_all(&own).unwrap();
        fs::write(&own, "in the way").unwrap();
        assert!(numbers.count().is_err());
        assert!(!numbers.is_checkpointed());
        fs::remove_file(&own).unwrap();
        assert_eq!(numbers.count().unwrap(), 10);
        assert!(numbers.is_checkpointed());
    });
}

#[test]
fn files_go_with_the_rdd_if_wanted() {
    for clean in [false, true] {
        let value = clean.to_string();
        with_context(&[("spark.cleaner.referenceTracking.cleanCheckpoints", value.as_str())], |sc, directory| {
            sc.set_checkpoint_dir(&checkpoints(directory)).unwrap();
            let numbers = sc.range(0, 10, 1, 2).map(|number| number);
            numbers.checkpoint().unwrap();
            assert_eq!(numbers.count().unwrap(), 10);
            let files = || files_named(&directory.join("checkpoints"), "part-").len();
            assert_eq!(files(), 2);
            drop(numbers);
            if clean {
                wait_until("the files are gone", || files() == 0);
            } else {
                sc.range(0, 1, 1, 1).count().unwrap();
                assert_eq!(files(), 2);
            }
        });
    }
}

#[test]
fn a_local_checkpoint_is_what_is_stored() {
    with_context(&[], |sc, directory| {
        let path = input(directory);
        let (numbers, read) = from_file(sc, &path);
        assert_eq!(numbers.local_checkpoint().storage_level(), StorageLevel::MEMORY_AND_DISK);
        let child = numbers.map(|number| number * 2);
        assert_eq!(child.count().unwrap(), 6);
        assert!(numbers.is_checkpointed() && numbers.get_checkpoint_file().is_none());
        assert_eq!(read.value(), 6, "nothing is computed twice");
        fs::remove_file(&path).unwrap();
        assert_eq!(child.collect().unwrap(), [2, 4, 6, 2, 4, 6]);
        assert_eq!(sc.rdd_storage_info()[0].cached_partitions, 2);

        numbers.unpersist(true);
        let error = child.count().unwrap_err().to_string();
        let expected = format!("Checkpoint block rdd_{}_", numbers.id());
        assert!(error.contains(&expected) && error.contains("not found"), "{error}");
    });
}

#[test]
fn a_local_checkpoint_may_use_disk_whatever_the_level_was() {
    with_context(&[], |sc, _| {
        let numbers = sc.range(0, 10, 1, 2).map(|number| number);
        numbers.persist(StorageLevel::MEMORY_ONLY_SER).unwrap();
        numbers.local_checkpoint();
        assert_eq!(numbers.storage_level(), StorageLevel::MEMORY_AND_DISK_SER);
        assert_eq!(numbers.count().unwrap(), 10);
        assert!(numbers.is_checkpointed());
    });
}
