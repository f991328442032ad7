//! Joins against nested loops.

mod fixture;

use std::hash::Hash;

use firesteel_external_collections::{
    BuildSide, SpillOptions, full_outer_join, join, left_outer_join, right_outer_join, subtract_by_key,
};
use fixture::{Colliding, Grants, Task, any_grants, input, output, sorted};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

type Rows<K, V> = Vec<(K, V)>;
type OuterRows<K> = Rows<K, (Option<u16>, Option<String>)>;

/// The full outer join by nested loops, of which every other join is a part.
fn nested_loops<K: Eq + Clone>(left: &Rows<K, u16>, right: &Rows<K, String>) -> OuterRows<K> {
    let mut rows = Vec::new();
    for (key, value) in left {
        let before = rows.len();
        for (_, other) in right.iter().filter(|(other, _)| other == key) {
            rows.push((key.clone(), (Some(*value), Some(other.clone()))));
        }
        if rows.len() == before {
            rows.push((key.clone(), (Some(*value), None)));
        }
    }
    for (key, value) in right.iter().filter(|(key, _)| left.iter().all(|(other, _)| other != key)) {
        rows.push((key.clone(), (None, Some(value.clone()))));
    }
    rows
}

fn check<K>(left: Rows<K, u16>, right: Rows<K, String>, grants: Grants, build: BuildSide)
where
    K: Ord + Hash + Clone + std::fmt::Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let task = Task::new(grants);
    let context = &task.context;
    let inputs = || (input(left.clone()), input(right.clone()));
    let all = sorted(nested_loops(&left, &right));
    let kept = |keep: fn(&(Option<u16>, Option<String>)) -> bool| {
        all.iter().filter(|(_, row)| keep(row)).cloned().collect::<Vec<_>>()
    };

    let (l, r) = inputs();
    let found = output(full_outer_join(context, l, r, build).unwrap());
    assert_eq!(sorted(found), all, "full");

    let (l, r) = inputs();
    let found = output(join(context, l, r, build).unwrap());
    let found = found.into_iter().map(|(key, (left, right))| (key, (Some(left), Some(right))));
    assert_eq!(sorted(found), kept(|row| row.0.is_some() && row.1.is_some()), "inner");

    let (l, r) = inputs();
    let found = output(left_outer_join(context, l, r, build).unwrap());
    let found = found.into_iter().map(|(key, (left, right))| (key, (Some(left), right)));
    assert_eq!(sorted(found), kept(|row| row.0.is_some()), "left");

    let (l, r) = inputs();
    let found = output(right_outer_join(context, l, r, build).unwrap());
    let found = found.into_iter().map(|(key, (left, right))| (key, (left, Some(right))));
    assert_eq!(sorted(found), kept(|row| row.1.is_some()), "right");

    let (l, r) = inputs();
    let found = output(subtract_by_key(context, l, r).unwrap());
    let found = found.into_iter().map(|(key, left)| (key, (Some(left), None)));
    assert_eq!(sorted(found), kept(|row| row.1.is_none()), "subtract");
    task.assert_clean();
}

fn any_build_side() -> impl Strategy<Value = BuildSide> {
    prop_oneof![Just(BuildSide::Left), Just(BuildSide::Right)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Safety: no row lost, none twice, whatever memory was granted and whichever side is built.
    #[test]
    fn joins_as_nested_loops_do(
        left in prop::collection::vec((0u16..40, any::<u16>()), 0..80),
        right in prop::collection::vec((0u16..40, ".{0,4}"), 0..80),
        grants in any_grants(),
        build in any_build_side(),
    ) {
        check(left, right, grants, build);
    }

    /// The same when most keys share their hash with others, so that one partition has more than memory.
    #[test]
    fn joins_colliding_keys(
        left in prop::collection::vec((0u16..20, any::<u16>()), 0..60),
        right in prop::collection::vec((0u16..20, ".{0,4}"), 0..60),
        grants in any_grants(),
        build in any_build_side(),
    ) {
        let left = left.into_iter().map(|(key, row)| (Colliding(key), row)).collect();
        let right = right.into_iter().map(|(key, row)| (Colliding(key), row)).collect();
        check(left, right, grants, build);
    }
}

/// A task may be handed from one thread to another between records.
#[test]
fn a_join_can_be_sent_to_another_thread() {
    let task = Task::new(Grants::Nothing);
    let rows = || input((0..10u8).map(|key| (key, key)));
    let joined = join(&task.context, rows(), rows(), BuildSide::Left).unwrap();
    assert_eq!(std::thread::spawn(move || output(joined).len()).join().unwrap(), 10);
    task.assert_clean();
}

/// Enough rows that buckets of the stage fill up on both sides and tables grow, all in memory.
#[test]
fn joins_by_way_of_the_stage() {
    let task = Task::new(Grants::Everything);
    let left = (0..1_200_000u64).map(|index| (index % 600_000, index));
    let right = (300_000..900_000u64).map(|index| (index, index));
    let rows = join(&task.context, input(left), input(right), BuildSide::Left).unwrap();
    let (mut count, mut sum) = (0u64, 0u64);
    for row in rows {
        let (key, (left, right)) = row.unwrap();
        assert!(left % 600_000 == key && right == key);
        count += 1;
        sum += left;
    }
    assert_eq!((count, sum), (600_000, (300_000..600_000).map(|key| 2 * key + 600_000).sum()));
    assert_eq!(task.spills(), 0);
    task.assert_clean();
}

/// The build side is several times the memory: partitions, each of which fits.
#[test]
fn joins_partition_by_partition() {
    let options = SpillOptions { initial_memory_bytes: 1 << 20, ..SpillOptions::default() };
    let task = Task::with_options(Grants::Nothing, options);
    let rows = |offset: u64| (offset..offset + 200_000).map(|index| (index, index * 3));
    let joined = full_outer_join(&task.context, input(rows(0)), input(rows(100_000)), BuildSide::Right).unwrap();
    assert!(task.spills() > 2);
    let mut counts = [0; 3];
    for row in joined {
        match row.unwrap() {
            (key, (Some(left), Some(right))) if left == right && left == key * 3 => counts[0] += 1,
            (key, (Some(left), None)) if key < 100_000 && left == key * 3 => counts[1] += 1,
            (key, (None, Some(right))) if key >= 200_000 && right == key * 3 => counts[2] += 1,
            other => panic!("{other:?} is no row of this join"),
        }
    }
    assert_eq!(counts, [100_000; 3]);
    task.assert_clean();
}

/// One key has more rows on both sides than memory holds on either.
#[test]
fn joins_one_huge_key_in_chunks() {
    let options = SpillOptions { initial_memory_bytes: 16 << 10, ..SpillOptions::default() };
    let task = Task::with_options(Grants::Nothing, options);
    let rows = || (0..1_500u64).map(|index| ("the only key".to_owned(), index));
    let joined = join(&task.context, input(rows()), input(rows()), BuildSide::Left).unwrap();
    let mut seen = vec![false; 1_500 * 1_500];
    for row in joined {
        let (_, (left, right)) = row.unwrap();
        let place = (left * 1_500 + right) as usize;
        assert!(!std::mem::replace(&mut seen[place], true), "({left}, {right}) came twice");
    }
    assert!(seen.into_iter().all(|seen| seen), "a row is missing");
    task.assert_clean();
}

/// A build side too large for a processor's cache: probe rows are staged, and looked up some at a time.
#[test]
fn probe_rows_of_a_large_table_are_staged() {
    const ROWS: u64 = 100_000;
    let task = Task::with_options(Grants::Everything, SpillOptions::default());
    let key = |row: u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The last tenth of either side has no partner; each tenth key of the left side is there twice.
    let left: Vec<(u64, u64)> = (0..ROWS).chain((0..ROWS).step_by(10)).map(|row| (key(row), row)).collect();
    let right: Vec<(u64, u64)> = (ROWS / 10..ROWS + ROWS / 10).map(|row| (key(row), row)).collect();
    let expected = left.iter().map(|&(key, row)| (key, (Some(row), (row >= ROWS / 10).then_some(row))));
    let unmatched = (ROWS..ROWS + ROWS / 10).map(|row| (key(row), (None, Some(row))));
    let expected = sorted(expected.chain(unmatched));
    for build in [BuildSide::Left, BuildSide::Right] {
        let found = full_outer_join(&task.context, input(left.clone()), input(right.clone()), build).unwrap();
        assert!(sorted(output(found)) == expected, "full, {build:?}");
        let found = join(&task.context, input(left.clone()), input(right.clone()), build).unwrap();
        let found = output(found).into_iter().map(|(key, (left, right))| (key, (Some(left), Some(right))));
        let inner = expected.iter().filter(|(_, row)| row.0.is_some() && row.1.is_some()).copied();
        assert!(sorted(found).into_iter().eq(inner), "inner, {build:?}");
    }
    assert_eq!(task.spills(), 0);
    task.assert_clean();
}
