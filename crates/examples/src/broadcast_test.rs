//! `BroadcastTest [slices] [numbers]`: broadcasts a list of numbers three times, and has tasks look at its length.

use std::{error::Error, time::Instant};

use crate::{arguments::number, context};

/// How many tasks' answers are looked at.
const TASKS: i64 = 10;

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let slices: u32 = number(&arguments, 0, "slices", 2)?;
    let numbers: i32 = number(&arguments, 1, "the number of numbers", 1_000_000)?;
    let sc = context("Broadcast Test")?;
    for iteration in 0..3 {
        say!("Iteration {iteration}");
        say!("===========");
        let start = Instant::now();
        let list = sc.broadcast((0..numbers).collect::<Vec<i32>>())?;
        let seen = sc.range(0, TASKS, 1, slices).with(list).map(|list, _| list.value().len());
        seen.collect()?.iter().for_each(|length| say!("{length}"));
        say!("Iteration {iteration} took {} milliseconds", start.elapsed().as_millis());
    }
    Ok(())
}
