//! How long a user waits for the smallest application.

use std::{env, f64::consts::PI, path::PathBuf, process::Command, thread};

use anyhow::{Context, ensure};

use crate::{
    data::SplitMix,
    measure::{Better, Measure, Side, SparkSide, Target},
    parameters::{Parameters, Scale},
    spark::{NO_RESOURCE, Spark},
};

pub const MEASURE: Measure = Measure {
    name: "spark-pi",
    unit: "s",
    better: Better::Lower,
    target: Some(Target::TimesSpark(10.0)),
    timed: "spark-submit --master local[2] SparkPi 2 (native; Spark: Scala), from launch to exit with everything between; \
            limit: a process with two threads that computes the same",
    rounds: 5,
    parameters,
    firesteel: Some(Side::Command(firesteel, is_pi)),
    spark: Some(SparkSide::Command(spark, is_pi)),
    limit: Some(Side::Program(limit, is_pi)),
};

fn parameters(_scale: Scale) -> anyhow::Result<Parameters> {
    Ok(Parameters::on("local[2]").with("slices", 2))
}

fn firesteel(parameters: &Parameters) -> anyhow::Result<Command> {
    let home = PathBuf::from(env::var_os("SPARK_HOME").context("SPARK_HOME is not set; bench/compare sets it")?);
    let mut command = Command::new(home.join("bin/spark-submit"));
    command.args(["--class", "org.apache.spark.examples.SparkPi", "--master", parameters.text("spark.master")?]);
    command.arg(env::current_exe()?.with_file_name("firesteel-examples")).arg(parameters.text("slices")?);
    Ok(command)
}

fn spark(spark: &Spark, parameters: &Parameters) -> anyhow::Result<Command> {
    let mut command = spark.submit("firesteel.bench.SparkPi", parameters);
    command.arg(NO_RESOURCE).arg(parameters.text("slices")?);
    Ok(command)
}

/// Looks at what such a program has printed. What it estimates differs from run to run, by 0.004 in the mean.
pub fn is_pi(printed: &str) -> anyhow::Result<()> {
    let estimates = printed.lines().filter_map(|line| line.strip_prefix("Pi is roughly "));
    let mut estimates = estimates.filter_map(|number| number.trim().parse::<f64>().ok());
    ensure!(
        estimates.any(|number| (number - PI).abs() < 0.05),
        "it has printed no estimate of pi, but: {}",
        printed.trim()
    );
    Ok(())
}

fn limit(parameters: &Parameters) -> anyhow::Result<()> {
    const POINTS: u64 = 100_000;
    let slices = parameters.number("slices")?;
    let threads: Vec<_> = (0..slices).map(|slice| thread::spawn(move || points_in_circle(slice, POINTS))).collect();
    let inside: u64 = threads.into_iter().map(|thread| thread.join().expect("counting does not panic")).sum();
    println!("Pi is roughly {}", 4.0 * inside as f64 / (slices * POINTS) as f64);
    Ok(())
}

fn points_in_circle(seed: u64, points: u64) -> u64 {
    let mut random = SplitMix::new(seed);
    let mut inside = 0;
    for _ in 0..points {
        let (x, y) = (random.fraction() * 2.0 - 1.0, random.fraction() * 2.0 - 1.0);
        inside += u64::from(x * x + y * y <= 1.0);
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::is_pi;

    #[test]
    fn a_program_that_prints_something_else_has_failed() {
        is_pi("a line before\nPi is roughly 3.139\n").unwrap();
        for printed in ["", "Pi is roughly 4.0\n", "Pi is roughly unknown\n", "3.14159"] {
            assert!(is_pi(printed).is_err(), "{printed}");
        }
    }
}
