//! The external sorter against `Vec::sort_by`.

mod fixture;

use std::cmp::Reverse;

use firesteel_external_collections::{ExternalSorter, SpillOptions, sort_prefix};
use fixture::{Grants, Task, any_grants, input, output};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Safety: every record once, in order, equals in the order of insertion, whatever memory was granted.
    #[test]
    fn sorts_stably(records in prop::collection::vec((0u8..20, any::<u32>(), ".{0,12}"), 0..300), grants in any_grants()) {
        let task = Task::new(grants);
        let mut sorter = ExternalSorter::new(&task.context, |a: &(u8, u32, String), b: &(u8, u32, String)| a.0.cmp(&b.0));
        sorter.insert_all(input(records.clone())).unwrap();
        let found = output(sorter.finish().unwrap());
        let mut expected = records;
        expected.sort_by_key(|record| record.0);
        prop_assert_eq!(found, expected);
        task.assert_clean();
    }

    /// The same with prefixes, most of which are equal, in both directions.
    #[test]
    fn sorts_stably_by_prefixes(
        records in prop::collection::vec(("prefixes?[ab]{0,3}", any::<u32>()), 0..300),
        is_descending: bool,
        grants in any_grants(),
    ) {
        type Row = (String, u32);
        let compare = move |left: &Row, right: &Row| {
            let order = left.0.cmp(&right.0);
            if is_descending { order.reverse() } else { order }
        };
        let prefix = sort_prefix::<String>().unwrap();
        let task = Task::new(grants);
        let sorter = ExternalSorter::new(&task.context, compare);
        let mut sorter = sorter.with_prefix(move |row: &Row| if is_descending { !prefix(&row.0) } else { prefix(&row.0) });
        sorter.insert_all(input(records.clone())).unwrap();
        let found = output(sorter.finish().unwrap());
        let mut expected = records;
        expected.sort_by(compare);
        prop_assert_eq!(found, expected);
        task.assert_clean();
    }
}

#[test]
fn sorts_descending_through_the_order() {
    let task = Task::new(Grants::Nothing);
    let mut sorter = ExternalSorter::new(&task.context, |a: &i32, b: &i32| Reverse(a).cmp(&Reverse(b)));
    sorter.insert_all(input([3, 1, 2])).unwrap();
    assert_eq!(output(sorter.finish().unwrap()), [3, 2, 1]);
}

#[test]
fn merges_in_passes_when_there_are_more_runs_than_may_be_open() {
    let task = Task::new(Grants::Nothing);
    let mut sorter = ExternalSorter::new(&task.context, u64::cmp);
    sorter.insert_all(input((0..100).map(|i| i * 37 % 100))).unwrap();
    assert!(task.spills() > 30, "{} runs", task.spills());
    assert_eq!(task.open_files(), 0, "a run that waits has no descriptor");
    let sorted = sorter.finish().unwrap();
    assert!(task.open_files() <= 3, "{} files are open", task.open_files());
    assert!(task.files().len() <= 3, "{} runs are left for the last merge", task.files().len());
    assert_eq!(output(sorted), (0..100).collect::<Vec<_>>());
    task.assert_clean();
}

#[test]
fn merges_two_by_two_if_no_more_may_be_open() {
    let options =
        SpillOptions { initial_memory_bytes: 0, block_bytes: 32, max_open_runs: 2, ..SpillOptions::default() };
    let task = Task::with_options(Grants::Nothing, options);
    let mut sorter = ExternalSorter::new(&task.context, |a: &(u8, u32), b: &(u8, u32)| a.0.cmp(&b.0));
    let records: Vec<(u8, u32)> = (0..60).map(|index| ((index * 7 % 5) as u8, index)).collect();
    sorter.insert_all(input(records.clone())).unwrap();
    let mut expected = records;
    expected.sort_by_key(|record| record.0);
    assert_eq!(output(sorter.finish().unwrap()), expected, "stable through every pass");
    task.assert_clean();
}

#[test]
fn does_not_spill_when_memory_is_granted() {
    let task = Task::new(Grants::Everything);
    let mut sorter = ExternalSorter::new(&task.context, u64::cmp);
    sorter.insert_all(input((0..10_000).rev())).unwrap();
    let sorted = sorter.finish().unwrap();
    assert_eq!(sorted.size_hint(), (10_000, Some(10_000)));
    assert_eq!(output(sorted), (0..10_000).collect::<Vec<_>>());
    assert_eq!((task.spills(), task.context.metrics().disk_bytes_spilled()), (0, 0));
    assert!(task.context.metrics().peak_execution_memory_bytes() >= 80_000);
    task.assert_clean();
}

#[test]
fn counts_what_it_spilled() {
    let options = SpillOptions { force_spill_records: 1000, ..SpillOptions::default() };
    let task = Task::with_options(Grants::Everything, options);
    let mut sorter = ExternalSorter::new(&task.context, u64::cmp);
    sorter.insert_all(input((0..2_500u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)))).unwrap();
    let metrics = task.context.metrics();
    assert_eq!(metrics.spills(), 2);
    assert!(metrics.memory_bytes_spilled() >= 2_000 * 8);
    assert!(metrics.disk_bytes_spilled() >= 2_000 * 8, "random numbers take their 8 bytes at least");
    drop(sorter);
    task.assert_clean();
}

#[test]
fn keeps_records_that_have_no_bytes() {
    let task = Task::new(Grants::Nothing);
    let mut sorter = ExternalSorter::new(&task.context, |_: &(), _: &()| std::cmp::Ordering::Equal);
    for _ in 0..10 {
        sorter.insert(()).unwrap();
    }
    assert_eq!(output(sorter.finish().unwrap()).len(), 10);
}

#[test]
fn strings_beyond_the_limit_spill_although_the_vector_is_small() {
    let options = SpillOptions { initial_memory_bytes: 1 << 20, ..SpillOptions::default() };
    let task = Task::with_options(Grants::Nothing, options);
    let mut sorter = ExternalSorter::new(&task.context, String::cmp);
    sorter.insert_all(input((10..110).map(|i: u32| i.to_string().repeat(50_000)))).unwrap();
    assert!((8..=25).contains(&task.spills()), "10 MB in 1 MiB were spilled {} times", task.spills());
    assert_eq!(output(sorter.finish().unwrap()).len(), 100);
}
