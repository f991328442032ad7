//! What is left, and what is said, when something goes wrong.

mod fixture;

use std::{
    fs,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use firesteel_external_collections::{
    BuildSide, CombiningMapWriter, ExternalAppendOnlyMap, ExternalSorter, Grouping, InPlace, SegmentSink,
    ShuffleMapWriter, SpillCodec, SpillDamage, SpillError, WriteMapOutputError, join,
};
use fixture::{Grants, Task, input};
use serde::{Serialize, Serializer};

fn spilled_sorter(task: &Task) -> ExternalSorter<u64, fn(&u64, &u64) -> std::cmp::Ordering> {
    let mut sorter = ExternalSorter::new(&task.context, u64::cmp as fn(&u64, &u64) -> _);
    sorter.insert_all(input((0..400).rev())).unwrap();
    assert!(task.spills() > 2);
    sorter
}

#[test]
fn dropped_collections_leave_no_file() {
    let task = Task::new(Grants::Nothing);
    drop(spilled_sorter(&task));
    task.assert_clean();
    let mut sorted = spilled_sorter(&task).finish().unwrap();
    assert_eq!(sorted.next().unwrap().unwrap(), 0);
    assert!(!task.files().is_empty());
    drop(sorted);
    task.assert_clean();
}

#[test]
fn panicking_closures_leave_no_file() {
    let task = Task::new(Grants::Nothing);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let aggregator = InPlace {
            create_combiner: |value: u32| value,
            merge_value: |_: &mut u32, _: u32| panic!("the user's closure"),
            merge_combiners: |_: &mut u32, _: u32| panic!("the user's closure"),
        };
        let mut map = ExternalAppendOnlyMap::new(&task.context, aggregator);
        for value in 0..20u32 {
            map.insert(value % 10, value).unwrap();
        }
        assert!(!task.files().is_empty());
        map.finish().unwrap().count()
    }));
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "the user's closure");
    task.assert_clean();
}

#[test]
fn the_kill_flag_ends_every_operation() {
    let killed = |result: Result<(), SpillError>| assert!(matches!(result, Err(SpillError::Killed)), "{result:?}");

    // While merging.
    let task = Task::new(Grants::Nothing);
    let mut sorted = spilled_sorter(&task).finish().unwrap();
    task.killed.store(true, Relaxed);
    killed(sorted.try_for_each(|record| record.map(|_| ())));
    assert!(sorted.next().is_none(), "after an error the iterator ends");
    drop(sorted);
    task.assert_clean();

    // While inserting, with all the memory there is.
    let task = Task::new(Grants::Everything);
    task.killed.store(true, Relaxed);
    killed(ExternalSorter::new(&task.context, u64::cmp).insert_all(input(0..10_000)));
    killed(ExternalAppendOnlyMap::new(&task.context, Grouping).insert_all(input((0..10_000).map(|key| (key, key)))));
    let mut writer = ShuffleMapWriter::new(&task.context, 2);
    killed((0..100_000u64).try_for_each(|record| writer.insert(0, &record)));
    drop(writer);
    let rows = || input((0..10_000).map(|key| (key, key)));
    killed(join(&task.context, rows(), rows(), BuildSide::Left).map(|_| ()));
    task.assert_clean();

    // While rows of a join come out.
    let task = Task::new(Grants::Everything);
    let mut rows = join(&task.context, input([(1, 1); 10]), input([(1, 1); 10]), BuildSide::Left).unwrap();
    assert!(rows.by_ref().take(15).all(|row| row.is_ok()));
    task.killed.store(true, Relaxed);
    killed(rows.next().unwrap().map(|_| ()));
    assert!(rows.next().is_none());

    // Before sorting.
    let task = Task::new(Grants::Everything);
    let mut sorter = ExternalSorter::new(&task.context, u64::cmp);
    sorter.insert(1).unwrap();
    task.killed.store(true, Relaxed);
    killed(sorter.finish().map(|_| ()));
    task.assert_clean();
}

/// Changes the spill files of a map and returns how reading them fails.
fn damage(change: impl Fn(&fs::File)) -> SpillError {
    let task = Task::new(Grants::Nothing);
    let mut map = ExternalAppendOnlyMap::new(&task.context, Grouping);
    map.insert_all(input((0..6u64).map(|key| (key, key)))).unwrap();
    for path in task.files() {
        change(&fs::OpenOptions::new().write(true).read(true).open(path).unwrap());
    }
    let error = match map.finish() {
        Err(error) => error,
        Ok(combined) => combined.filter_map(Result::err).next().expect("the damage is found"),
    };
    task.assert_clean();
    error
}

#[test]
fn damaged_files_are_found_out() {
    let flip = |position: u64| {
        move |file: &fs::File| {
            let mut byte = [0];
            file.read_exact_at(&mut byte, position).unwrap();
            file.write_all_at(&[byte[0] ^ 1], position).unwrap();
        }
    };
    let damage_of = |error: SpillError| match error {
        SpillError::Corrupt { source, .. } => *source,
        other => panic!("{other:?} is not damage"),
    };
    assert!(
        matches!(damage_of(damage(flip(14))), SpillDamage::Checksum { offset: 0, .. }),
        "a flipped bit of a record"
    );
    assert!(matches!(damage_of(damage(flip(9))), SpillDamage::Checksum { offset: 0, .. }), "a flipped bit of the sum");
    assert!(matches!(damage_of(damage(flip(6))), SpillDamage::Length { offset: 0, .. }), "a flipped bit of the length");
    let cut = |file: &fs::File| file.set_len(13).unwrap();
    assert_eq!(damage_of(damage(cut)), SpillDamage::Truncated { offset: 0 });
}

/// Every block meets a full disk.
struct FullDisk;

impl SpillCodec for FullDisk {
    fn seal(&self, _: &[u8], _: &mut Vec<u8>) -> std::io::Result<()> {
        Err(std::io::Error::from_raw_os_error(28))
    }

    fn open(&self, _: &[u8], _: &mut Vec<u8>) -> std::io::Result<()> {
        unreachable!("nothing was written")
    }
}

#[test]
fn a_full_disk_is_named_with_its_file() {
    let task = Task::new(Grants::Nothing);
    let context = task.context.clone().with_codec(Arc::new(FullDisk));
    let error = ExternalSorter::new(&context, u64::cmp).insert_all(input(0..2)).unwrap_err();
    assert!(matches!(error, SpillError::DiskFull { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("spill-0") && message.contains("spark.local.dir"), "{message}");
    task.assert_clean();
}

/// Whoever overlooks an error is not given a part of the records for all.
#[test]
fn what_failed_to_spill_cannot_be_finished() {
    let task = Task::new(Grants::Nothing);
    let context = task.context.clone().with_codec(Arc::new(FullDisk));
    let refused = |finish: &mut dyn FnMut()| {
        let message = *catch_unwind(AssertUnwindSafe(finish)).unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("has lost records"), "{message}");
    };

    let mut sorter = Some(ExternalSorter::new(&context, u64::cmp));
    sorter.as_mut().unwrap().insert_all(input(0..2)).unwrap_err();
    refused(&mut || drop(sorter.take().unwrap().finish()));

    let mut map = Some(ExternalAppendOnlyMap::new(&context, Grouping));
    map.as_mut().unwrap().insert_all(input([(1, 1), (2, 2)])).unwrap_err();
    refused(&mut || drop(map.take().unwrap().finish()));

    let mut writer = Some(ShuffleMapWriter::new(&context, 1));
    writer.as_mut().unwrap().insert(0, &"record").unwrap_err();
    refused(&mut || drop(writer.take().unwrap().finish(&mut Nowhere)));

    let mut writer = Some(CombiningMapWriter::new(&context, 1, |_: &u8| 0, Grouping));
    writer.as_mut().unwrap().insert(1u8, 1u8).unwrap_err();
    refused(&mut || drop(writer.take().unwrap().finish(&mut Nowhere)));
    task.assert_clean();
}

/// A sink that is given nothing.
struct Nowhere;

impl SegmentSink for Nowhere {
    type Error = std::convert::Infallible;

    fn begin_partition(&mut self, _: u32, _: u64) -> Result<(), Self::Error> {
        panic!("no record was taken")
    }

    fn write(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        panic!("no record was taken")
    }
}

#[test]
fn a_missing_directory_is_reported() {
    let task = Task::new(Grants::Nothing);
    let memory = Arc::new(firesteel_external_collections::FixedMemory::new(0));
    let options = task.context.options().clone();
    let nowhere = || Ok("/nonexistent/spill".into());
    let context = firesteel_external_collections::SpillContext::new(memory, Arc::new(nowhere)).with_options(options);
    let error = ExternalSorter::new(&context, u64::cmp).insert_all(input(0..2)).unwrap_err();
    assert!(matches!(error, SpillError::Create(_)), "{error:?}");
}

#[test]
fn what_cannot_be_encoded_is_an_error() {
    struct Unencodable;
    impl Serialize for Unencodable {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    let task = Task::new(Grants::Everything);
    let mut writer = ShuffleMapWriter::new(&task.context, 1);
    let error = writer.insert(0, &Unencodable).unwrap_err();
    assert!(matches!(error, SpillError::Encode { type_name, .. } if type_name.ends_with("Unencodable")), "{error:?}");
    assert_eq!(writer.finish(&mut Nowhere).unwrap().records_written, 0);
}

#[test]
fn a_failing_input_passes_through() {
    #[derive(Debug)]
    enum TaskError {
        FetchFailed,
        Spill(SpillError),
    }
    impl From<SpillError> for TaskError {
        fn from(error: SpillError) -> Self {
            Self::Spill(error)
        }
    }
    let task = Task::new(Grants::Everything);
    let good = || (0..3u8).map(|key| Ok((key, key)));
    let failing = || good().chain([Err(TaskError::FetchFailed)]);
    assert!(matches!(join(&task.context, failing(), good(), BuildSide::Left).map(|_| ()), Err(TaskError::FetchFailed)));
    let mut rows = join(&task.context, failing(), good(), BuildSide::Right).unwrap();
    assert_eq!(rows.by_ref().take_while(Result::is_ok).count(), 3);
    assert!(rows.next().is_none());
    let killed = WriteMapOutputError::<TaskError>::from(SpillError::Killed);
    assert!(matches!(killed, WriteMapOutputError::Spill(SpillError::Killed)));
    assert!(matches!(TaskError::from(SpillError::Killed), TaskError::Spill(SpillError::Killed)));
}

/// Writes two bytes and reads one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Lying(u8);

impl Serialize for Lying {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0, self.0).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Lying {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(Self)
    }
}

#[test]
fn records_that_do_not_come_back_as_they_were_written_are_an_error() {
    let task = Task::new(Grants::Nothing);
    let mut sorter = ExternalSorter::new(&task.context, Lying::cmp as fn(&Lying, &Lying) -> _);
    sorter.insert_all(input((0..200).rev().map(Lying))).unwrap();
    assert!(task.spills() > 2);
    let error = sorter.finish().and_then(|mut sorted| sorted.try_for_each(|record| record.map(drop))).unwrap_err();
    assert!(matches!(error, SpillError::Misread { .. }), "{error}");
}
