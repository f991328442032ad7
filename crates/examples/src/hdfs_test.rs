//! `HdfsTest <file>`: reads a file, keeps it, and goes over it ten times.

use std::{error::Error, hint::black_box, time::Instant};

use crate::{arguments::at_least, context};

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let file = &at_least(&arguments, 1, "HdfsTest <file>")?[0];
    let sc = context("HdfsTest")?;
    let lines = sc.text_file(file)?;
    let lengths = lines.map(|line| line.chars().count() as u64);
    lengths.cache()?;
    for iteration in 1..=10 {
        let start = Instant::now();
        lengths.foreach(|length| {
            black_box(length + 2);
        })?;
        say!("Iteration {iteration} took {} ms", start.elapsed().as_millis());
    }
    let first: String = lines.take(1)?.concat().chars().take(10).collect();
    say!("File contents: {first}");
    say!("Returned length(s) of: {}", lengths.fold(0, |sum, length| sum + length)?);
    Ok(())
}
