//! What lies in local directories while an application runs.

use std::{env, fs, path::Path};

use firesteel::{SparkContext, StorageLevel};
use firesteel_e2e::Gates;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] =
    &[("files-at-rest", files_at_rest), ("key-that-is-told-nobody", key_that_is_told_nobody)];

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

/// The key of local files is in nothing that others can read of the application's processes, nor in what is written of it.
fn key_that_is_told_nobody(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let key = spark.io_encryption().ok_or_else(|| anyhow::anyhow!("local files are not encrypted"))?.expose();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    // As bytes, and as people and tools would write them.
    let forms = [key.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes(), format!("{key:?}").into_bytes()];
    let has_key = |text: &[u8]| forms.iter().any(|form| text.windows(form.len()).any(|window| window == form));
    anyhow::ensure!(has_key(&[b"before", key, b"behind"].concat()), "the key would not be found");

    let of_process = || ["cmdline", "environ"].map(|name| fs::read(format!("/proc/self/{name}")).unwrap_or_default());
    let executors = spark.range(0, 4, 1, 4).map_partitions(|_| {
        ["cmdline", "environ"].map(|name| fs::read(format!("/proc/self/{name}")).expect("a process can read these"))
    });
    let mut texts = executors.collect()?;
    anyhow::ensure!(texts.len() == 8 && texts.iter().all(|text| !text.is_empty()), "tasks have read something");
    texts.extend(of_process());
    texts.extend(spark.conf().get_all().map(|(key, value)| format!("{key}={value}").into_bytes()));
    let before = texts.len();
    let logs = env::var_os("SPARK_WORKER_DIR").ok_or_else(|| anyhow::anyhow!("no SPARK_WORKER_DIR"))?;
    for directory in [Path::new(&logs), Path::new(super::setting(spark, "logs")?)] {
        read_below(directory, &mut texts)?;
    }
    anyhow::ensure!(texts.len() > before, "there are logs");
    println!("found {}", texts.iter().any(|text| has_key(text)));
    Ok(())
}

fn read_below(directory: &Path, texts: &mut Vec<Vec<u8>>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { read_below(&path, texts)? } else { texts.push(fs::read(path)?) }
    }
    Ok(())
}
