//! `WordCount <path>...`: counts the words of files, directories and patterns.

use std::{error::Error, io::Write};

use crate::{arguments::at_least, context};

/// How many of the most frequent words are shown.
const SHOWN: usize = 20;

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let paths = at_least(&arguments, 1, "WordCount <file, directory or pattern>...")?.join(",");
    let sc = context("WordCount")?;
    let counts = sc
        .text_file(&paths)?
        .flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .map(|word| (word, 1u64))
        .reduce_by_key(|left, right| left + right);
    counts.cache()?;
    let (different, total) =
        counts.map(|(_, count)| (1u64, count)).fold((0, 0), |one, other| (one.0 + other.0, one.1 + other.1))?;
    // The most frequent first, equally frequent ones by the alphabet.
    let frequent =
        counts.take_ordered_by(SHOWN, |left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)))?;

    let mut out = std::io::stdout().lock();
    for (word, count) in frequent {
        writeln!(out, "{word}: {count}")?;
    }
    writeln!(out, "{total} words, {different} of them different")?;
    Ok(())
}
