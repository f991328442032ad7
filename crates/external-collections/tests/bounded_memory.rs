//! What the collections really allocate, beside what they were granted.
//!
//! One test in a binary of its own: the allocator counts for the whole process.

mod fixture;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use firesteel_external_collections::{
    BuildSide, CombiningMapWriter, ExternalAppendOnlyMap, ExternalSorter, Grouping, SegmentSink, ShuffleMapWriter,
    SpillError, SpillOptions, join,
};
use fixture::{Grants, Task, input};

struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let allocated = ALLOCATED.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(allocated, Relaxed);
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What each collection may use without asking; every request is refused.
const LIMIT_BYTES: usize = 4 << 20;
/// What each is given to hold: about ten times as much in memory.
const RECORDS: u64 = 400_000;

struct Nowhere;

impl SegmentSink for Nowhere {
    type Error = SpillError;
    fn begin_partition(&mut self, _: u32, _: u64) -> Result<(), SpillError> {
        Ok(())
    }
    fn write(&mut self, _: &[u8]) -> Result<(), SpillError> {
        Ok(())
    }
}

fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn records() -> impl Iterator<Item = Result<(u64, String), SpillError>> {
    input((0..RECORDS).map(|number| (spread(number), format!("{number:050}"))))
}

/// Runs an operation and says how much more it had allocated at its worst than before.
fn peak(operation: impl FnOnce(&Task)) -> usize {
    let options = SpillOptions {
        initial_memory_bytes: LIMIT_BYTES as u64,
        block_bytes: 16 << 10,
        max_open_runs: 8,
        ..SpillOptions::default()
    };
    let task = Task::with_options(Grants::Nothing, options);
    let before = ALLOCATED.load(Relaxed);
    PEAK.store(before, Relaxed);
    operation(&task);
    assert!(task.spills() >= 3, "only {} spills", task.spills());
    task.assert_clean();
    PEAK.load(Relaxed) - before
}

#[test]
fn no_collection_outgrows_its_grant() {
    let count = |records: &mut dyn Iterator<Item = Result<(), SpillError>>| {
        records.map(|record| record.expect("no record fails")).count() as u64
    };
    let peaks = [
        (
            "sort",
            peak(|task| {
                let mut sorter =
                    ExternalSorter::new(&task.context, |a: &(u64, String), b: &(u64, String)| a.0.cmp(&b.0));
                sorter.insert_all(records()).unwrap();
                assert_eq!(count(&mut sorter.finish().unwrap().map(|record| record.map(drop))), RECORDS);
            }),
        ),
        (
            "group by unique keys",
            peak(|task| {
                let mut map = ExternalAppendOnlyMap::new(&task.context, Grouping);
                map.insert_all(records()).unwrap();
                assert_eq!(count(&mut map.finish().unwrap().map(|group| group.map(drop))), RECORDS);
            }),
        ),
        (
            "group by a thousand keys",
            peak(|task| {
                let mut map = ExternalAppendOnlyMap::new(&task.context, Grouping);
                map.insert_all(records().map(|record| record.map(|(key, value)| (key % 1000, value)))).unwrap();
                assert_eq!(count(&mut map.finish().unwrap().map(|group| group.map(drop))), 1000);
            }),
        ),
        (
            "map output",
            peak(|task| {
                let mut writer = ShuffleMapWriter::new(&task.context, 20);
                for record in records() {
                    let record = record.unwrap();
                    writer.insert((record.0 % 20) as u32, &record).unwrap();
                }
                assert_eq!(writer.finish(&mut Nowhere).unwrap().records_written, RECORDS);
            }),
        ),
    ];
    for (name, peak) in peaks {
        // Blocks, estimates and the table that is read from while another one is written take their part.
        assert!(peak < LIMIT_BYTES * 3 / 2, "{name} allocated {peak} bytes when it was granted {LIMIT_BYTES}");
    }
    // A table is emptied into buffers that have, as every collection, something for which they need not ask.
    let peaks = [
        (
            "join",
            peak(|task| {
                let joined = join(&task.context, records(), records(), BuildSide::Left).unwrap();
                assert_eq!(count(&mut joined.map(|row| row.map(drop))), RECORDS);
            }),
        ),
        (
            "combined map output",
            peak(|task| {
                let partitioner = |key: &u64| (*key % 20) as u32;
                let mut writer = CombiningMapWriter::new(&task.context, 20, partitioner, Grouping);
                for record in records() {
                    let (key, value) = record.unwrap();
                    writer.insert(key, value).unwrap();
                }
                assert_eq!(writer.finish(&mut Nowhere).unwrap().records_written, RECORDS);
            }),
        ),
    ];
    for (name, peak) in peaks {
        assert!(peak < LIMIT_BYTES * 5 / 2, "{name} allocated {peak} bytes when it was granted {LIMIT_BYTES}");
    }
}
