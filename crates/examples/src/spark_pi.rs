//! `SparkPi [slices]`: throws points at a square and counts those in the circle.

use std::error::Error;

use rand::RngExt;

use crate::{arguments::number, context};

/// Points that each slice throws.
const POINTS: i64 = 100_000;

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let slices: u32 = number(&arguments, 0, "slices", 2)?;
    let sc = context("Spark Pi")?;
    let points = POINTS * i64::from(slices.max(1));
    let inside = sc
        .range(1, points, 1, slices)
        .map(|_| {
            let mut random = rand::rng();
            let (x, y) = (random.random::<f64>() * 2.0 - 1.0, random.random::<f64>() * 2.0 - 1.0);
            u64::from(x * x + y * y <= 1.0)
        })
        .reduce(|left, right| left + right)?;
    say!("Pi is roughly {}", 4.0 * inside as f64 / (points - 1) as f64);
    Ok(())
}
