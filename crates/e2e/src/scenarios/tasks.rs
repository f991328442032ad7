//! Tasks that fail, loop, or hoard; accumulators under all that; jobs side by side.

use std::{hint::black_box, iter, process, thread};

use firesteel::{Rdd, SparkConf, SparkContext, SparkError};
use firesteel_e2e::Gates;
use firesteel_executor::TaskContext;

use super::Scenario;

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("panic", panic),
    ("fail-three-times", fail_three_times),
    ("accumulate", accumulate),
    ("two-jobs", two_jobs),
    ("loop-over-records", loop_over_records),
    ("loop-without-end", loop_without_end),
    ("loop-in-one-slot", loop_in_one_slot),
    ("loop-and-wait", loop_and_wait),
    ("allocate-without-end", allocate_without_end),
    ("jobs-until-enough", jobs_until_enough),
    ("on-any-master", on_any_master),
    ("application-panics", application_panics),
    ("application-exits", application_exits),
    ("application-fails", application_fails),
    ("overflow-the-stack", overflow_the_stack),
    ("context-in-a-task", context_in_a_task),
];

/// A task panics at every attempt, with a text that is not ASCII; each attempt is announced.
fn panic(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    spark.range(0, 10, 1, 2).with(gates.clone()).foreach(|gates, n| {
        if n == 7 {
            gates.announce(&format!("attempt-{}", attempt()));
            panic!("Schlüssel „{n}“ passt nicht: 鍵が合わない 🔑");
        }
    })?;
    Ok(())
}

fn attempt() -> u32 {
    TaskContext::get().expect("a task runs").attempt_number().0
}

/// A task in a process of its own makes a context, and gives the error that it gets.
fn context_in_a_task(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let errors =
        spark.range(0, 1, 1, 1).flat_map(|_| SparkContext::new(&SparkConf::new()).err().map(|it| it.to_string()));
    for error in errors.collect()? {
        println!("{}", error.split("): ").next().unwrap_or_default());
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// One task fails three times and gives the number of its attempt the fourth time.
fn fail_three_times(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let attempts = spark.range(0, 2, 1, 2).map(|n| {
        let attempt = attempt();
        assert!(n == 0 || attempt >= 3, "attempt {attempt} fails");
        attempt
    });
    println!("attempts {:?}", attempts.collect()?);
    Ok(())
}

/// An action adds to accumulators while tasks fail half way and one executor waits at `accumulate`.
fn accumulate(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let records = spark.long_accumulator("records");
    let sum = spark.double_accumulator("sum");
    let keys = spark.collection_accumulator::<i64>("keys");
    let env = (gates.clone(), records.clone(), sum.clone(), keys.clone());
    spark.range(0, 1000, 1, 4).with(env).foreach(|(gates, records, sum, keys), n| {
        records.add(1);
        sum.add(n as f64);
        if n % 100 == 0 {
            keys.add(n);
        }
        assert!(n % 250 != 200 || attempt() > 0, "every first attempt fails near its end");
        if n == 999 {
            gates.hold_first("accumulate");
        }
    })?;
    let mut keys = keys.value();
    keys.sort_unstable();
    println!("records {} sum {} keys {keys:?}", records.value(), sum.value());
    Ok(())
}

/// Two threads run jobs, each of which ends only while the other one runs.
fn two_jobs(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    let job = |mine: &'static str, other: &'static str| {
        let (spark, gates) = (spark.clone(), gates.clone());
        thread::spawn(move || {
            let env = (gates, mine.to_owned(), other.to_owned());
            let met = spark.range(0, 10, 1, 1).with(env).map_partitions(|(gates, mine, other), records| {
                gates.announce(mine);
                firesteel_e2e::wait_until("the other job's task", || gates.arrived(other));
                records
            });
            met.count()
        })
    };
    let (left, right) = (job("left", "right"), job("right", "left"));
    let left = left.join().expect("the thread does not panic")?;
    let right = right.join().expect("the thread does not panic")?;
    println!("counts {left} {right}");
    Ok(())
}

/// A job over records without end is cancelled by its group; another one follows in the same slots.
fn loop_over_records(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    cancelled(spark, gates, 2, |parts| {
        let endless = parts.flat_map(|(gates, index)| {
            gates.announce(&format!("looping-{index}"));
            iter::repeat(1_u64)
        });
        endless.count()
    });
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

fn loop_for_ever(parts: &Rdd<(Gates, u32)>) -> Result<u64, SparkError> {
    let endless = parts.map(|(gates, index)| {
        gates.announce(&format!("looping-{index}"));
        let mut turns = 0_u64;
        while black_box(true) {
            turns = black_box(turns.wrapping_add(1));
        }
        turns
    });
    endless.count()
}

/// As [`loop_over_records`], but the tasks look at nothing, and the application ends in spite of them.
fn loop_without_end(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    cancelled(spark, gates, 2, loop_for_ever);
    Ok(())
}

/// One of two slots is taken by a task that looks at nothing. What follows runs in the other one.
fn loop_in_one_slot(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    cancelled(spark, gates, 1, loop_for_ever);
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// As [`loop_in_one_slot`], but before the next job the driver waits at `driver`.
fn loop_and_wait(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    cancelled(spark, gates, 1, loop_for_ever);
    gates.hold_first("driver");
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// Runs a job of so many tasks in a group and cancels it when all of them are at work.
fn cancelled(
    spark: &SparkContext,
    gates: &Gates,
    tasks: u32,
    job: impl FnOnce(&Rdd<(Gates, u32)>) -> Result<u64, SparkError> + Send + 'static,
) {
    let running = {
        let (spark, gates) = (spark.clone(), gates.clone());
        thread::spawn(move || {
            spark.set_job_group("endless", "a job without end", true);
            job(&spark.parallelize((0..tasks).map(|index| (gates.clone(), index)), tasks))
        })
    };
    for index in 0..tasks {
        firesteel_e2e::wait_until("every task at work", || gates.arrived(&format!("looping-{index}")));
    }
    spark.cancel_job_group("endless", None);
    match running.join().expect("the thread does not panic") {
        Ok(count) => println!("a job without end ended with {count}"),
        Err(error) => println!("cancelled: {error}"),
    }
}

/// A task allocates until somebody stops it; then a job shows that the rest works.
fn allocate_without_end(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    let hoard = spark.range(0, 2, 1, 2).map(|n| {
        let mut hoard = Vec::new();
        if n == 1 {
            loop {
                hoard.push(vec![1_u8; 1 << 20]);
            }
        }
        hoard.len()
    });
    match hoard.collect() {
        Ok(sizes) => println!("an endless hoard ended with {sizes:?}"),
        Err(error) => println!("failed: {error}"),
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// One job after the other until somebody has seen enough.
fn jobs_until_enough(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    while !gates.is_open("enough") {
        spark.range(0, 4_000_000, 1, 2).map(black_box).count()?;
    }
    println!("done");
    Ok(())
}

/// Says where it runs, with how many partitions where nothing says otherwise (RT-16), and runs two stages.
fn on_any_master(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    println!("master {} parallelism {}", spark.master(), spark.default_parallelism());
    let keys = spark.range(0, 100, 1, 4).map(|n| (n % 7, n)).reduce_by_key_with(|left, right| left + right, 3);
    println!("keys {}", keys.count()?);
    Ok(())
}

/// The program leaves while a job runs, and not by the end of its main.
fn application_exits(spark: &SparkContext, gates: &Gates) -> anyhow::Result<()> {
    println!("count {}", spark.range(0, 100, 1, 2).count()?);
    let _job = spark
        .range(0, i64::MAX, 1, 2)
        .with(gates.clone())
        .filter(|gates, n| {
            if *n == 0 {
                gates.announce("running");
            }
            false
        })
        .count_async();
    firesteel_e2e::wait_until("a task to run", || gates.arrived("running"));
    process::exit(7);
}

/// The application returns an error before its first job.
fn application_fails(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    println!("lines {}", spark.text_file("/nowhere/input")?.count()?);
    Ok(())
}

fn depth(left: u64) -> u64 {
    if left == 0 { 0 } else { black_box(depth(black_box(left) - 1)) + 1 }
}

/// A closure recurses deeper than any stack allows; then a job shows whether the rest works.
fn overflow_the_stack(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    match spark.range(0, 1, 1, 1).map(|_| depth(u64::MAX)).collect() {
        Ok(depths) => println!("recursed as deep as {depths:?}"),
        Err(error) => println!("failed: {}", error.to_string().replace('\n', " ")),
    }
    println!("then {}", spark.range(0, 100, 1, 4).count()?);
    Ok(())
}

/// The application itself panics, in the middle of its work.
fn application_panics(spark: &SparkContext, _gates: &Gates) -> anyhow::Result<()> {
    println!("count {}", spark.range(0, 100, 1, 4).count()?);
    panic!("the application is broken");
}
