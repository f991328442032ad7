//! Input and output in a store that every process reaches by itself. `spark.e2e.root` is the directory's URL.

use firesteel::{Codec, Rdd, SparkContext, SparkFiles};
use firesteel_e2e::Gates;
use firesteel_executor::TaskContext;

use super::{Scenario, setting};

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("count-words-in-store", count_words_in_store),
    ("fail-while-saving", fail_while_saving),
    ("files-by-pattern", files_by_pattern),
    ("save-without-end", save_without_end),
];

fn sorted(lines: &Rdd<String>) -> anyhow::Result<Vec<String>> {
    let mut lines = lines.collect()?;
    lines.sort_unstable();
    Ok(lines)
}

/// Counts the words of `in/*.txt`, saves the counts in `counts`, reads them, and tries to save them there again.
fn count_words_in_store(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let root = setting(spark, "root")?;
    let lines = spark.text_file(&format!("{root}/in/*.txt"))?;
    println!("{} lines", lines.count()?);
    let words = lines.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let counts = words.map(|word| (word, 1u64)).reduce_by_key_with(|left, right| left + right, 2);
    let counts = counts.map(|(word, count)| format!("{word} {count}"));
    let output = format!("{root}/counts");
    counts.save_as_compressed_text_file(&output, Codec::Gzip)?;
    let read = sorted(&spark.text_file(&output)?)?;
    println!("{read:?}");
    println!("as computed: {}", read == sorted(&counts)?);
    match counts.save_as_compressed_text_file(&output, Codec::Gzip) {
        Ok(()) => println!("saved over what was there"),
        Err(error) => println!("refused: {error}"),
    }
    println!("{} lines are left", spark.text_file(&output)?.count()?);
    Ok(())
}

/// What of the store's files a pattern in `spark.files` has brought to tasks; and a pattern where one path is taken.
fn files_by_pattern(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let root = setting(spark, "root")?;
    let names = spark.list_files().into_iter().map(|url| url.rsplit('/').next().unwrap_or_default().to_owned());
    println!("{}", names.collect::<Vec<_>>().join(" "));
    let read = |name| std::fs::read_to_string(SparkFiles::get(name)).unwrap_or_else(|error| error.to_string());
    let content = spark.parallelize(["a.txt", "b.txt"].map(str::to_owned), 2);
    println!("{:?}", content.map(|name| std::fs::read_to_string(SparkFiles::get(&name)).ok()).collect()?);
    println!("driver {}", read("a.txt").trim_end());
    match spark.add_file(&format!("{root}/in/*.log")) {
        Ok(()) => println!("added"),
        Err(error) => println!("refused: {error}"),
    }
    Ok(())
}

/// Saves two partitions in `failed`. The second one fails at `fail`, after megabytes.
fn fail_while_saving(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let output = format!("{}/failed", setting(spark, "root")?);
    // Every executor has registered when this job has run, so that both partitions are written at once.
    spark.range(0, 1, 1, 1).count()?;
    let lines = spark.range(0, 200_000, 1, 2).map(|n| format!("{n:0100}")).with(gates.clone());
    let failing = lines.map_partitions_with_index(|gates, index, lines| {
        let gates = gates.clone();
        lines.enumerate().map(move |(number, line)| {
            if index == 1 && number == 90_000 {
                gates.hold_first("fail");
                panic!("attempt {} fails as planned", TaskContext::get().expect("a task runs").attempt_number().0);
            }
            line
        })
    });
    match failing.save_as_text_file(&output) {
        Ok(()) => println!("saved in spite of a partition that failed"),
        Err(error) => println!("failed: {}", error.to_string().replace('\n', " ")),
    }
    match spark.text_file(&output) {
        Ok(_) => println!("the output is there"),
        Err(error) => println!("then: {error}"),
    }
    Ok(())
}

/// Both tasks write until they are killed.
fn save_without_end(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let output = format!("{}/endless", setting(spark, "root")?);
    let lines = spark.range(0, 2, 1, 2).with(gates.clone()).map_partitions_with_index(|gates, index, _| {
        let gates = gates.clone();
        (0_u64..).inspect(move |number| {
            if *number == 100_000 {
                gates.announce(&format!("saving-{index}"));
            }
        })
    });
    lines.save_as_text_file(&output)?;
    Ok(())
}
