//! `SparkPageRank <file> [iterations]`: ranks pages by the links between them. Each line of the file is a page and one that
//! it links to. The naive way, for showing how iterations over cached data look.

use std::{error::Error, io::Write};

use crate::{
    arguments::{at_least, number},
    context,
};

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let file = &at_least(&arguments, 1, "SparkPageRank <file> <iterations>")?[0];
    let iterations: u32 = number(&arguments, 1, "the number of iterations", 10)?;
    let sc = context("SparkPageRank")?;
    let links =
        sc.text_file(file)?.filter(|line| !line.trim().is_empty()).map(|line| link(&line)).distinct().group_by_key();
    links.cache()?;
    let mut ranks = links.map_values(|_| 1.0f64);
    for _ in 0..iterations {
        let contributions = links.join(&ranks).flat_map(|(_, (targets, rank))| {
            let share = rank / targets.len() as f64;
            targets.into_iter().map(move |target| (target, share))
        });
        ranks = contributions.reduce_by_key(|left, right| left + right).map_values(|sum| 0.15 + 0.85 * sum);
    }
    let mut out = std::io::stdout().lock();
    for (page, rank) in ranks.collect()? {
        writeln!(out, "{page} has rank:  {rank} .")?;
    }
    Ok(())
}

/// Panics, and thereby fails the job, if the line is not two words.
fn link(line: &str) -> (String, String) {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some(from), Some(to)) => (from.to_owned(), to.to_owned()),
        _ => panic!("a line must be a page and one that it links to, not {line:?}"),
    }
}
