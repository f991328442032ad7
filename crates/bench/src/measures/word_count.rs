//! The program that everyone writes first: many small strings, combined by key.

use std::{
    fs,
    hash::BuildHasher,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use firesteel::SparkContext;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::{
    data::{files_in, zipf_text},
    measure::{Better, Measure, Side, SparkSide, Target},
    parameters::{Parameters, Scale},
    rounds::{Rounds, Sample},
};

pub const MEASURE: Measure = Measure {
    name: "word-count",
    unit: "s",
    better: Better::Lower,
    target: Some(Target::TimesSpark(4.0)),
    timed: "counting the words of 200 MB of generated text (words by Zipf's law over a vocabulary of 100,000) from 8 files in \
            the page cache: read, split at blanks, reduceByKey into 8 partitions, count; warm, in local[2]; limit: two \
            threads with hash tables of slices",
    rounds: 3,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.WordCount")),
    limit: Some(Side::Session(limit)),
};

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    let text = zipf_text(scale.of(200_000_000), 8)?;
    Ok(Parameters::local().with("text", text.display()).with("reducers", 8).with("warm-up", 2))
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let text = parameters.text("text")?;
    let reducers = parameters.partitions("reducers")?;
    let sc = SparkContext::new(&parameters.spark_conf())?;
    rounds.serve(|| {
        Sample::seconds(|| {
            let words = sc.text_file(text)?.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
            let counts = words.map(|word| (word, 1u64)).reduce_by_key_with(|left, right| left + right, reducers);
            let (distinct, total, highest) = counts
                .map(|(_, count)| (1u64, count, count))
                .reduce(|left, right| (left.0 + right.0, left.1 + right.1, left.2.max(right.2)))?;
            Ok(answer(distinct, total, highest))
        })
    })?;
    sc.stop();
    Ok(())
}

fn answer(distinct: u64, total: u64, highest: u64) -> String {
    format!("{distinct} distinct of {total}, at most {highest}")
}

const THREADS: usize = 2;

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let files = files_in(parameters.text("text")?)?;
    rounds.serve(|| {
        Sample::seconds(|| {
            let texts: Vec<Vec<u8>> = read_all(&files)?;
            let (distinct, total, highest) = count(&texts);
            Ok(answer(distinct, total, highest))
        })
    })
}

fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    let halves = files.chunks(files.len().div_ceil(THREADS));
    thread::scope(|scope| {
        let readers: Vec<_> =
            halves.map(|half| scope.spawn(move || half.iter().map(fs::read).collect::<Result<Vec<_>, _>>())).collect();
        let mut texts = Vec::new();
        for reader in readers {
            texts.extend(reader.join().expect("reading does not panic")?);
        }
        Ok(texts)
    })
}

/// Words with their counts; the hash of a word is computed once.
type Counts<'a> = HashTable<(&'a [u8], u64)>;

fn hash(word: &[u8]) -> u64 {
    FixedState::default().hash_one(word)
}

fn add<'a>(counts: &mut Counts<'a>, hash_of_word: u64, word: &'a [u8], count: u64) {
    let entry = counts.entry(hash_of_word, |(other, _)| *other == word, |(other, _)| hash(other));
    entry.or_insert((word, 0)).into_mut().1 += count;
}

/// Each thread counts texts into one table for each half of the hashes; then each thread adds up the tables of one half.
fn count(texts: &[Vec<u8>]) -> (u64, u64, u64) {
    let next = AtomicUsize::new(0);
    let tables: Vec<[Counts<'_>; THREADS]> = thread::scope(|scope| {
        let count_texts = || {
            let mut tables = [Counts::new(), Counts::new()];
            while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
                count_words(text, &mut tables);
            }
            tables
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count_texts)).collect();
        threads.into_iter().map(|thread| thread.join().expect("counting does not panic")).collect()
    });
    let add_up = |half: usize| {
        let mut all = Counts::new();
        for (word, count) in tables.iter().flat_map(|tables| &tables[half]) {
            add(&mut all, hash(word), word, *count);
        }
        let counts = all.iter().map(|(_, count)| *count);
        (all.len() as u64, counts.clone().sum::<u64>(), counts.max().unwrap_or(0))
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|half| {
                scope.spawn({
                    let add_up = &add_up;
                    move || add_up(half)
                })
            })
            .collect();
        let halves = threads.into_iter().map(|thread| thread.join().expect("adding up does not panic"));
        halves.fold((0, 0, 0), |left, right| (left.0 + right.0, left.1 + right.1, left.2.max(right.2)))
    })
}

fn count_words<'a>(text: &'a [u8], tables: &mut [Counts<'a>; THREADS]) {
    let mut start = 0;
    for end in memchr::memchr2_iter(b' ', b'\n', text) {
        let word = &text[start..end];
        start = end + 1;
        let hash = hash(word);
        // The lowest bit chooses the table; a table finds its places by other ones, too.
        add(&mut tables[(hash & 1) as usize], hash, word, 1);
    }
}
