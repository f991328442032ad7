//! Text with the word frequencies of a natural language: Zipf's law over a hundred thousand words.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use crate::data::{SplitMix, once};

const VOCABULARY: usize = 100_000;
const WORDS_PER_LINE: usize = 12;

/// A directory of `files` text files with `bytes` bytes in all, give or take a line.
pub fn zipf_text(bytes: u64, files: u64) -> anyhow::Result<PathBuf> {
    once(&format!("text-zipf-1-{bytes}-{files}"), |directory| {
        let words = vocabulary();
        let frequencies = cumulative_frequencies();
        for file in 0..files {
            let mut random = SplitMix::new(file);
            let mut out = BufWriter::new(File::create(directory.join(format!("part-{file:05}")))?);
            let mut left = (bytes / files) as i64;
            while left > 0 {
                for position in 0..WORDS_PER_LINE {
                    let fraction = random.fraction();
                    let word = &words[frequencies.partition_point(|up_to| *up_to <= fraction).min(VOCABULARY - 1)];
                    out.write_all(word.as_bytes())?;
                    out.write_all(if position + 1 < WORDS_PER_LINE { b" " } else { b"\n" })?;
                    left -= word.len() as i64 + 1;
                }
            }
            out.flush()?;
        }
        Ok(())
    })
}

/// Words of lower-case letters; the more frequent ones tend to be shorter.
fn vocabulary() -> Vec<String> {
    let mut random = SplitMix::new(42);
    let mut word = |rank: usize| {
        let length = 1 + (rank + 2).ilog2() as u64 / 2 + random.next() % 5;
        (0..length).map(|_| char::from(b'a' + (random.next() % 26) as u8)).collect()
    };
    (0..VOCABULARY).map(&mut word).collect()
}

/// For each rank, the part of all words that has this rank or a better one.
fn cumulative_frequencies() -> Vec<f64> {
    let total: f64 = (1..=VOCABULARY).map(|rank| 1.0 / rank as f64).sum();
    let up_to = |sum: &mut f64, rank: usize| {
        *sum += 1.0 / rank as f64 / total;
        Some(*sum)
    };
    (1..=VOCABULARY).scan(0.0, up_to).collect()
}
