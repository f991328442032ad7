//! How long a user waits for the smallest application.

use std::{env, path::PathBuf, process::Command, thread};

use anyhow::Context;

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
    firesteel: Some(Side::Command(firesteel)),
    spark: Some(SparkSide::Command(spark)),
    limit: Some(Side::Program(limit)),
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

fn spark(spark: &Spark, parameters: &Parameters) -> Command {
    let mut command = spark.submit("firesteel.bench.SparkPi", parameters);
    command.arg(NO_RESOURCE).args(parameters.text("slices"));
    command
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
