//! Collections that are asked to give their memory back, whatever they were granted.

mod fixture;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use firesteel_external_collections::{
    BuildSide, CombiningMapWriter, ExternalAppendOnlyMap, ExternalSorter, Grouping, SegmentSink, ShuffleMapWriter,
    SpillContext, SpillError, SpillOptions, join,
};
use fixture::{Grants, Task, input, output};

/// Records of this type show nothing of how much they hold.
type Hidden = (u64, Vec<()>);

/// A task that has all the memory it asks for, whose memory is recalled.
fn recalled() -> (Task, SpillContext, Arc<AtomicU64>) {
    let task = Task::with_options(Grants::Everything, SpillOptions { block_bytes: 64, ..SpillOptions::default() });
    let recalls = Arc::<AtomicU64>::default();
    let context = task.context.clone().with_recalls(Arc::clone(&recalls));
    (task, context, recalls)
}

/// How many records there are in all, and from one recall to the next.
const RECORDS: u64 = 10_000;
const DISTANCE: usize = 2000;

/// The records, of which the last but some of each [`DISTANCE`] recall memory.
fn recalling<'a, T: 'a>(
    records: impl Iterator<Item = T> + 'a,
    recalls: &'a AtomicU64,
) -> impl Iterator<Item = Result<T, SpillError>> + 'a {
    input(records.enumerate().map(|(index, record)| {
        if index % DISTANCE == DISTANCE - 100 {
            recalls.fetch_add(1, Relaxed);
        }
        record
    }))
}

fn records() -> impl Iterator<Item = Hidden> {
    (0..RECORDS).map(|number| (RECORDS - 1 - number, vec![(); number as usize]))
}

#[test]
fn a_sort_spills_at_each_recall_and_not_without() {
    let (task, context, recalls) = recalled();
    let mut sorter = ExternalSorter::new(&context, |a: &Hidden, b: &Hidden| a.0.cmp(&b.0));
    sorter.insert_all(recalling(records(), &recalls)).unwrap();
    assert_eq!(task.spills(), 5, "one for each recall");
    let sorted = output(sorter.finish().unwrap());
    assert_eq!(sorted, records().collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>());
    task.assert_clean();

    let (task, context, recalls) = recalled();
    recalls.store(7, Relaxed);
    let mut sorter = ExternalSorter::new(&context, |a: &Hidden, b: &Hidden| a.0.cmp(&b.0));
    sorter.insert_all(input(records())).unwrap();
    assert_eq!(output(sorter.finish().unwrap()).len(), RECORDS as usize);
    assert_eq!(task.spills(), 0, "what was recalled before it began does not concern it");
}

/// A thousand of each of ten keys.
fn pairs() -> impl Iterator<Item = (u64, [u64; 4])> {
    (0..RECORDS).map(|number| (number % 10, [number; 4]))
}

#[test]
fn a_group_spills_at_each_recall_and_every_value_is_there_once() {
    let (task, context, recalls) = recalled();
    let mut map = ExternalAppendOnlyMap::new(&context, Grouping);
    map.insert_all(recalling(pairs(), &recalls)).unwrap();
    assert_eq!(task.spills(), 5);
    let mut groups = output(map.finish().unwrap());
    groups.iter_mut().for_each(|(_, values)| values.sort_unstable());
    groups.sort_unstable();
    let of_key = |key| pairs().filter(|pair| pair.0 == key).map(|pair| pair.1).collect::<Vec<_>>();
    assert_eq!(groups, (0..10).map(|key| (key, of_key(key))).collect::<Vec<_>>());
    task.assert_clean();
}

#[test]
fn a_join_goes_to_disk_when_memory_is_recalled() {
    let (task, context, recalls) = recalled();
    let rows = |factor| (0..RECORDS).map(move |number| (number, number * factor));
    let mut joined = output(join(&context, recalling(rows(2), &recalls), input(rows(3)), BuildSide::Left).unwrap());
    assert!(task.spills() > 0);
    joined.sort_unstable();
    assert_eq!(joined, (0..RECORDS).map(|number| (number, (number * 2, number * 3))).collect::<Vec<_>>());
    task.assert_clean();
}

struct Count(u64);

impl SegmentSink for Count {
    type Error = SpillError;
    fn begin_partition(&mut self, _: u32, records: u64) -> Result<(), SpillError> {
        self.0 += records;
        Ok(())
    }
    fn write(&mut self, _: &[u8]) -> Result<(), SpillError> {
        Ok(())
    }
}

#[test]
fn what_a_map_task_writes_goes_to_disk_when_memory_is_recalled() {
    let (task, context, recalls) = recalled();
    let mut writer = ShuffleMapWriter::new(&context, 4);
    for record in recalling(records(), &recalls) {
        let record = record.unwrap();
        writer.insert((record.0 % 4) as u32, &record).unwrap();
    }
    let mut count = Count(0);
    writer.finish(&mut count).unwrap();
    assert_eq!(count.0, RECORDS);
    // Encoded they are so few bytes that not every recall is worth a file.
    assert!((2..=5).contains(&task.spills()), "{} spills", task.spills());
    task.assert_clean();

    let (task, context, recalls) = recalled();
    let mut writer = CombiningMapWriter::new(&context, 4, |key: &u64| (*key % 4) as u32, Grouping);
    for record in recalling(pairs(), &recalls) {
        let (key, value) = record.unwrap();
        writer.insert(key, value).unwrap();
    }
    let mut count = Count(0);
    writer.finish(&mut count).unwrap();
    assert_eq!(count.0, 60, "ten keys, six times");
    task.assert_clean();
}

/// Memory is recalled without end, as where a closure takes more and less in turn.
#[test]
fn recalls_without_end_make_no_small_file_of_each_record() {
    let (task, context, recalls) = recalled();
    let mut sorter = ExternalSorter::new(&context, |a: &Hidden, b: &Hidden| a.0.cmp(&b.0));
    for number in 0..20_000 {
        recalls.fetch_add(1, Relaxed);
        sorter.insert((number, Vec::new())).unwrap();
    }
    // A record takes some 50 bytes, so all of them 1 MB: the sum of 4 KiB for each spill before.
    let spills = task.spills();
    assert!((5..=40).contains(&spills), "{spills} spills");
    assert_eq!(output(sorter.finish().unwrap()).len(), 20_000);
    task.assert_clean();
}
