//! Combining by key against a `BTreeMap`.

mod fixture;

use std::collections::BTreeMap;

use firesteel_external_collections::{ByValue, ExternalAppendOnlyMap, Grouping, InPlace, SpillOptions, cogroup};
use fixture::{Colliding, Grants, Task, any_grants, input, output};
use proptest::prelude::*;

fn expected_groups<K: Ord + Clone, V: Clone>(records: &[(K, V)]) -> BTreeMap<K, Vec<V>> {
    let mut groups = BTreeMap::<K, Vec<V>>::new();
    for (key, value) in records {
        groups.entry(key.clone()).or_default().push(value.clone());
    }
    groups
}

/// Each key once.
fn unique<K: Ord, C>(entries: Vec<(K, C)>) -> BTreeMap<K, C> {
    let count = entries.len();
    let map: BTreeMap<K, C> = entries.into_iter().collect();
    assert_eq!(map.len(), count, "a key came twice");
    map
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Safety: every key once, with all of its values in the order of arrival.
    #[test]
    fn groups_by_key(records in prop::collection::vec((".{0,2}", any::<u16>()), 0..300), grants in any_grants()) {
        let task = Task::new(grants);
        let mut map = ExternalAppendOnlyMap::new(&task.context, Grouping);
        map.insert_all(input(records.clone())).unwrap();
        prop_assert_eq!(unique(output(map.finish().unwrap())), expected_groups(&records));
        task.assert_clean();
    }

    /// The same when most keys share their hash with others.
    #[test]
    fn groups_colliding_keys(records in prop::collection::vec((0u16..50, any::<u16>()), 0..300), grants in any_grants()) {
        let records: Vec<_> = records.into_iter().map(|(key, value)| (Colliding(key), value)).collect();
        let task = Task::new(grants);
        let mut map = ExternalAppendOnlyMap::new(&task.context, Grouping);
        map.insert_all(input(records.clone())).unwrap();
        prop_assert_eq!(unique(output(map.finish().unwrap())), expected_groups(&records));
        task.assert_clean();
    }

    /// Cogroup: both sides' values of every key of either side.
    #[test]
    fn cogroups(
        left in prop::collection::vec((0u8..20, any::<u16>()), 0..100),
        right in prop::collection::vec((0u8..20, ".{0,3}"), 0..100),
        grants in any_grants(),
    ) {
        let task = Task::new(grants);
        let found = unique(output(cogroup(&task.context, input(left.clone()), input(right.clone())).unwrap()));
        let (left, right) = (expected_groups(&left), expected_groups(&right));
        let mut expected = BTreeMap::new();
        for key in left.keys().chain(right.keys()) {
            let group = (left.get(key).cloned().unwrap_or_default(), right.get(key).cloned().unwrap_or_default());
            expected.insert(*key, group);
        }
        prop_assert_eq!(found, expected);
        task.assert_clean();
    }
}

#[test]
fn words_are_counted() {
    let task = Task::new(Grants::Nothing);
    let mut counts = ExternalAppendOnlyMap::<String, u64, u64, _>::new(
        &task.context,
        InPlace {
            create_combiner: |count| count,
            merge_value: |sum: &mut u64, count| *sum += count,
            merge_combiners: |sum: &mut u64, other| *sum += other,
        },
    );
    for word in "to be or not to be".split(' ') {
        counts.insert(word.to_owned(), 1).unwrap();
    }
    let counts = unique(output(counts.finish().unwrap()));
    let expected = [("be", 2), ("not", 1), ("or", 1), ("to", 2)];
    assert_eq!(counts.iter().map(|(word, count)| (word.as_str(), *count)).collect::<Vec<_>>(), expected);
}

#[test]
fn combiners_by_value_encode_as_themselves() {
    let task = Task::new(Grants::Nothing);
    let join = |a: String, b: String| format!("{a}{b}");
    let aggregator = ByValue { create_combiner: |text: String| text, merge_value: join, merge_combiners: join };
    let mut map = ExternalAppendOnlyMap::new(&task.context, aggregator);
    for index in 0..20u8 {
        map.insert(index % 3, index.to_string()).unwrap();
    }
    assert!(task.spills() > 1);
    let joined = unique(output(map.finish().unwrap()));
    assert_eq!(joined[&0].clone().into_inner(), "0369121518");
    let held = joined[&1].clone();
    assert_eq!(postcard::to_stdvec(&held).unwrap(), postcard::to_stdvec(&held.clone().into_inner()).unwrap());
}

/// One key that takes most of the values must be seen growing although the table does not.
#[test]
fn one_growing_key_spills() {
    let options = firesteel_external_collections::SpillOptions {
        initial_memory_bytes: 1 << 20,
        ..firesteel_external_collections::SpillOptions::default()
    };
    let task = Task::with_options(Grants::Nothing, options);
    let mut map = ExternalAppendOnlyMap::new(&task.context, Grouping);
    for index in 0..1_000_000u64 {
        map.insert(if index % 100 == 0 { index } else { 0 }, index).unwrap();
    }
    assert!((7..=40).contains(&task.spills()), "about 9 MB in 1 MiB were spilled {} times", task.spills());
    let groups = unique(output(map.finish().unwrap()));
    assert_eq!(groups[&0].len(), 990_001);
    assert!(groups[&0].is_sorted(), "values keep the order of arrival");
    task.assert_clean();
}

/// Updates of a table that is larger than a processor's cache are gathered, of which nothing must show: keys that are new
/// come twice in a row, and tables double and spill in between.
#[test]
fn large_tables_keep_the_order_of_arrival() {
    for grants in [Grants::Everything, Grants::Random(3)] {
        let options = SpillOptions { initial_memory_bytes: 2 << 20, ..SpillOptions::default() };
        let task = Task::with_options(grants, options);
        let key = |index: u64| (index / 2 * 7919 % 30_011).to_string();
        let records: Vec<(String, u64)> = (0..200_000).map(|index| (key(index), index)).collect();
        let mut map = ExternalAppendOnlyMap::new(&task.context, Grouping);
        for (key, value) in records.clone() {
            map.insert(key, value).unwrap();
        }
        assert_eq!(unique(output(map.finish().unwrap())), expected_groups(&records));
        assert_eq!(task.spills() > 0, grants != Grants::Everything, "{} spills", task.spills());
        task.assert_clean();
    }
}
