//! What lies in local directories while an application runs.

use firesteel::{SparkContext, StorageLevel};
use firesteel_e2e::Gates;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[("files-at-rest", files_at_rest)];

/// No part of a name or a number. What a test looks for in files.
const WORD: &str = "swordfish";

/// Words go through a shuffle, into a cache on disk, and through a sort that spills; a broadcast value has the word, too. While all of
/// it is on disk, the sort's first task waits at `sorted`.
fn files_at_rest(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let words = spark.range(0, 40_000, 1, 4).map(|n| (format!("{WORD} {:05}", n * 7919 % 40_000), n));
    let cached = words.persist(StorageLevel::DISK_ONLY)?;
    println!("cached {}", cached.count()?);
    let counts = cached.map(|(word, _)| (word[..WORD.len() + 2].to_owned(), 1u64));
    let counts = counts.reduce_by_key_with(|left, right| left + right, 3);
    let mut counted = counts.collect()?;
    counted.sort();
    println!("counted {counted:?}");
    let value = spark.broadcast(vec![WORD.to_owned(); 100_000])?;
    let lengths =
        spark.range(0, 4, 1, 4).with(value).map(|value, _| value.value().iter().map(String::len).sum::<usize>());
    println!("broadcast {:?}", lengths.collect()?);
    let sorted =
        cached.sort_by_key_with(true, 2)?.with(gates.clone()).map_partitions_with_index(|gates, _, records| {
            let gates = gates.clone();
            let mut last = String::new();
            records.map(move |(word, _)| {
                gates.hold_first("sorted");
                let in_order = last <= word;
                last = word;
                in_order
            })
        });
    println!("sorted {:?}", sorted.count_by_value()?);
    Ok(())
}
