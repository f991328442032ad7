//! Files that belong to the application. They are in the directory that `spark.e2e.directory` names.

use std::{collections::BTreeSet, fs, path::PathBuf, process};

use firesteel::{SparkContext, SparkFiles};
use firesteel_e2e::Gates;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("configured-files", configured_files),
    ("files-added-between-jobs", files_added_between_jobs),
    ("files-of-one-name", files_of_one_name),
    ("file-deleted", file_deleted),
    ("evil-archive", evil_archive),
];

/// The content of one of the application's files, or why it cannot be read, without paths.
fn content(name: &str) -> String {
    fs::read_to_string(SparkFiles::get(name)).unwrap_or_else(|error| format!("{:?}", error.kind()))
}

/// What two tasks see that run at once, each on an executor of its own where executors have one core; and how many processes
/// they were in.
fn seen_by_tasks(spark: &SparkContext, name: &str) -> anyhow::Result<(String, usize)> {
    // Every executor has registered when this job has run (the test says so), and the next one need not wait for its slots.
    spark.range(0, 1, 1, 1).count()?;
    let both = spark.range(0, 2, 1, 2).with(name.to_owned()).map(|name, _| name.clone());
    let seen = both
        .barrier()
        .map_partitions(|names| names.map(|name| (content(&name), process::id())).collect::<Vec<(String, u32)>>());
    let seen = seen.collect()?;
    let contents: BTreeSet<&str> = seen.iter().map(|(content, _)| content.as_str()).collect();
    let processes: BTreeSet<u32> = seen.iter().map(|(_, process)| *process).collect();
    Ok((contents.into_iter().collect::<Vec<_>>().join("|"), processes.len()))
}

fn directory(spark: &SparkContext) -> PathBuf {
    spark.conf().get_raw("spark.e2e.directory").unwrap_or_default().into()
}

fn path(spark: &SparkContext, path: &str) -> String {
    directory(spark).join(path).display().to_string()
}

/// What tasks and the driver see of `spark.files`, `spark.archives` and `spark.jars`.
fn configured_files(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    for name in ["a.txt", "renamed", "env/d/a.txt", "library.jar"] {
        let (seen, processes) = seen_by_tasks(spark, name)?;
        println!("{name}: {seen} in {processes}, driver {}", content(name));
    }
    let relative = spark.range(0, 1, 1, 1).map(|_| fs::read_to_string("a.txt").is_ok());
    println!("in the working directory {:?}", relative.collect()?);
    gates.hold_first("driver");
    let (seen, _) = seen_by_tasks(spark, "a.txt")?;
    println!("then {seen}");
    println!("{} files, {} archives", spark.list_files().len(), spark.list_archives().len());
    Ok(())
}

/// A file and an archive that are there from the second job on.
fn files_added_between_jobs(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let before = (seen_by_tasks(spark, "a.txt")?.0, seen_by_tasks(spark, "env/d/a.txt")?.0);
    spark.add_file(&path(spark, "a.txt"))?;
    spark.add_archive(&format!("{}#env", path(spark, "env.tar.gz")))?;
    spark.add_file_recursive(&path(spark, "tables"))?;
    let after = (seen_by_tasks(spark, "a.txt")?.0, seen_by_tasks(spark, "env/d/a.txt")?.0);
    println!("before {before:?} after {after:?}");
    println!("directory {}", seen_by_tasks(spark, "tables/x/y.txt")?.0);
    Ok(())
}

/// Another content under the same name, after a job has seen the first one.
fn files_of_one_name(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    spark.add_file(&path(spark, "a.txt"))?;
    println!("first {}", seen_by_tasks(spark, "a.txt")?.0);
    match spark.add_file(&path(spark, "other/a.txt")) {
        Ok(()) => println!("taken"),
        Err(error) => println!("refused: {error}"),
    }
    println!("then {}", seen_by_tasks(spark, "a.txt")?.0);
    Ok(())
}

/// A file that is deleted before an executor has it, and then there again.
fn file_deleted(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let file = path(spark, "a.txt");
    spark.add_file(&file)?;
    fs::remove_file(&file)?;
    match spark.range(0, 2, 1, 2).map(|_| content("a.txt")).collect() {
        Ok(seen) => println!("seen {seen:?}"),
        Err(error) => println!("failed: {}", error.to_string().replace('\n', " ")),
    }
    fs::write(&file, "first")?;
    println!("then {}", seen_by_tasks(spark, "a.txt")?.0);
    Ok(())
}

/// An archive that would write outside of its directory, then a job.
fn evil_archive(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    match spark.add_archive(&path(spark, "evil.tar")) {
        Ok(()) => println!("taken"),
        Err(error) => println!("refused: {error}"),
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}
