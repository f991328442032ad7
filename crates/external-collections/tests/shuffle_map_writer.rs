//! Map output against a map of vectors.

mod fixture;

use std::collections::BTreeMap;

use firesteel_external_collections::{
    CombiningMapWriter, Grouping, SegmentSink, ShuffleMapWriter, WriteMapOutputError, decode,
};
use fixture::{Grants, Task, any_grants};
use proptest::prelude::*;
use serde::de::DeserializeOwned;

const PARTITIONS: u32 = 7;

/// Keeps segments, and holds the writer to its promises.
struct Segments<T> {
    begun: BTreeMap<u32, (u64, Vec<T>)>,
}

impl<T> Segments<T> {
    fn new() -> Self {
        Self { begun: BTreeMap::new() }
    }

    fn complete(self) -> BTreeMap<u32, Vec<T>> {
        let records = |(partition, (records, segment)): (u32, (u64, Vec<T>))| {
            assert!(records > 0 && records == segment.len() as u64, "the number of records is wrong");
            (partition, segment)
        };
        self.begun.into_iter().map(records).collect()
    }
}

impl<T: DeserializeOwned> SegmentSink for Segments<T> {
    type Error = std::convert::Infallible;

    fn begin_partition(&mut self, partition: u32, records: u64) -> Result<(), Self::Error> {
        assert!(self.begun.keys().all(|before| *before < partition), "partitions are out of order");
        self.begun.insert(partition, (records, Vec::new()));
        Ok(())
    }

    fn write(&mut self, mut encoded: &[u8]) -> Result<(), Self::Error> {
        assert!(!encoded.is_empty(), "a write of nothing");
        let mut last = self.begun.last_entry().expect("a partition was begun");
        let (_, records) = last.get_mut();
        while !encoded.is_empty() {
            records.push(decode(&mut encoded).expect("each write holds whole records"));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Safety: every record in its partition, in the order of insertion.
    #[test]
    fn writes_segments(records in prop::collection::vec((0..PARTITIONS, any::<i64>(), ".{0,12}"), 0..300), grants in any_grants()) {
        let task = Task::new(grants);
        let mut writer = ShuffleMapWriter::new(&task.context, PARTITIONS);
        let mut expected = BTreeMap::<u32, Vec<(i64, String)>>::new();
        for (partition, key, value) in records.iter().cloned() {
            let record = (key, value);
            writer.insert(partition, &record).unwrap();
            expected.entry(partition).or_default().push(record);
        }
        let mut segments = Segments::new();
        let summary = writer.finish(&mut segments).unwrap();
        prop_assert_eq!(summary.records_written, records.len() as u64);
        prop_assert_eq!(segments.complete(), expected);
        task.assert_clean();
    }

    /// Safety: all values of a key in its partition and in the order of arrival, perhaps in several parts.
    #[test]
    fn writes_combined_segments(records in prop::collection::vec((0u16..40, any::<u8>()), 0..300), grants in any_grants()) {
        let task = Task::new(grants);
        let partitioner = |key: &u16| u32::from(*key) % PARTITIONS;
        let mut writer = CombiningMapWriter::new(&task.context, PARTITIONS, partitioner, Grouping);
        let mut expected = BTreeMap::<u16, Vec<u8>>::new();
        for (key, value) in records {
            writer.insert(key, value).unwrap();
            expected.entry(key).or_default().push(value);
        }
        let mut segments = Segments::<(u16, Vec<u8>)>::new();
        let summary = writer.finish(&mut segments).unwrap();
        let mut found = BTreeMap::<u16, Vec<u8>>::new();
        let mut parts = 0;
        for (partition, records) in segments.complete() {
            for (key, values) in records {
                prop_assert_eq!(partitioner(&key), partition);
                found.entry(key).or_default().extend(values);
                parts += 1;
            }
        }
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(summary.records_written, parts);
        if grants == Grants::Everything {
            prop_assert_eq!(parts, expected.len() as u64, "in memory each key is written once");
        }
        task.assert_clean();
    }
}

#[test]
fn spills_to_one_file() {
    let task = Task::new(Grants::Nothing);
    let mut writer = ShuffleMapWriter::new(&task.context, PARTITIONS);
    for key in 0..1000u32 {
        writer.insert(key % PARTITIONS, &key).unwrap();
    }
    assert!(task.spills() > 10);
    assert_eq!(task.files().len(), 1);
    let mut segments = Segments::<u32>::new();
    writer.finish(&mut segments).unwrap();
    for (partition, records) in segments.complete() {
        assert_eq!(records, (0..1000).filter(|key| key % PARTITIONS == partition).collect::<Vec<_>>());
    }
    task.assert_clean();
}

#[test]
fn records_without_bytes_are_counted() {
    #[derive(Default)]
    struct Counting(Vec<u64>, Vec<u8>);
    impl SegmentSink for Counting {
        type Error = std::convert::Infallible;
        fn begin_partition(&mut self, _: u32, records: u64) -> Result<(), Self::Error> {
            self.0.push(records);
            Ok(())
        }
        fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
            self.1.extend_from_slice(bytes);
            Ok(())
        }
    }
    let task = Task::new(Grants::Nothing);
    let mut writer = ShuffleMapWriter::new(&task.context, 2);
    for partition in [0, 1, 1] {
        writer.insert(partition, &()).unwrap();
    }
    let mut counting = Counting::default();
    writer.finish(&mut counting).unwrap();
    let mut bytes = &counting.1[..];
    for _ in 0..3 {
        decode::<()>(&mut bytes).unwrap();
    }
    assert!(bytes.is_empty(), "each has a byte that stands for it");
    assert_eq!(counting.0, [1, 2]);
}

#[test]
fn a_failing_sink_ends_the_output() {
    #[derive(Debug, PartialEq)]
    struct Refused;
    struct Refusing;
    impl SegmentSink for Refusing {
        type Error = Refused;
        fn begin_partition(&mut self, partition: u32, _: u64) -> Result<(), Refused> {
            if partition == 1 { Err(Refused) } else { Ok(()) }
        }
        fn write(&mut self, _: &[u8]) -> Result<(), Refused> {
            Ok(())
        }
    }
    let task = Task::new(Grants::Nothing);
    let mut writer = ShuffleMapWriter::new(&task.context, 3);
    for partition in 0..3 {
        writer.insert(partition, &"record".to_owned()).unwrap();
    }
    assert!(matches!(writer.finish(&mut Refusing), Err(WriteMapOutputError::Sink(Refused))));
    task.assert_clean();
}
