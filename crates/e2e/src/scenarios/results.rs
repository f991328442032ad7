//! What is large: results and closures.

use firesteel::SparkContext;
use firesteel_e2e::Gates;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("large-results", large_results),
    ("collect-two-gigabytes", collect_two_gigabytes),
    ("closure-of-130-mib", |spark, _| closure_of(spark, 130)),
    ("closure-of-100-mib", |spark, _| closure_of(spark, 100)),
];

/// Three results of 3 MiB each, then a small job.
fn large_results(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let large = spark.range(0, 3, 1, 3).map(|n| vec![n as u8; 3 << 20]);
    match large.collect() {
        Ok(results) => {
            let right = results.iter().enumerate().all(|(index, bytes)| bytes.iter().all(|&byte| byte == index as u8));
            println!("results {} right {right}", results.iter().map(Vec::len).sum::<usize>());
        }
        Err(error) => println!("failed: {error}"),
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// 32 parts of 64 MiB.
fn collect_two_gigabytes(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let parts = spark.range(0, 32, 1, 32).map(|n| "0123456789abcdef".repeat(4 << 20) + &n.to_string());
    match parts.collect() {
        Ok(texts) => {
            let in_order = texts.iter().enumerate().all(|(index, text)| text.ends_with(&format!("f{index}")));
            println!("collected {} in order {in_order}", texts.iter().map(String::len).sum::<usize>());
        }
        Err(error) => println!("failed: {error}"),
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// A closure that brings along so many MiB.
fn closure_of(spark: &SparkContext, mib: usize) -> anyhow::Result<()> {
    let text = "x".repeat(mib << 20);
    let lengths = spark.range(0, 2, 1, 2).with(text).map(|text, n| text.len() as i64 + n);
    match lengths.collect() {
        Ok(lengths) => println!("lengths {lengths:?}"),
        Err(error) => println!("failed: {error}"),
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}
