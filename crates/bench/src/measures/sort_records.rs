//! A sort of records of 100 bytes with keys of ten, in memory and beyond it: the sort benchmark's records as lines of text.

use std::{fs, path::PathBuf, thread};

use firesteel::SparkContext;

use crate::{
    data::{files_in, records},
    measure::{Better, Measure, Side, SparkSide},
    parameters::{Parameters, Scale},
    rounds::{Rounds, Sample},
    sorted,
};

pub const IN_MEMORY: Measure = Measure {
    name: "sort-records",
    unit: "s",
    better: Better::Lower,
    target: None,
    timed: "reading 1 GB of lines of 100 bytes from 16 files in the page cache, sortByKey by the first ten characters into 16 \
            partitions, and seeing that they are in order; warm, in local[2] with 4 GB of memory; limit: two threads that sort \
            slices of what they have read",
    rounds: 3,
    parameters: in_memory,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.SortRecords")),
    limit: Some(Side::Session(limit)),
};

pub const BEYOND_MEMORY: Measure = Measure {
    name: "sort-records-spilling",
    timed: "as sort-records, with 3 GB of lines and 1 GB of memory, so that data spills to disk; limit: as there, in memory, as \
            its process may use all of the machine's",
    rounds: 1,
    parameters: beyond_memory,
    ..IN_MEMORY
};

fn in_memory(scale: Scale) -> anyhow::Result<Parameters> {
    let parameters = Parameters::local().with("records", records(scale.of(10_000_000), 16)?.display());
    Ok(parameters.with("partitions", 16).with("warm-up", 1))
}

fn beyond_memory(scale: Scale) -> anyhow::Result<Parameters> {
    let parameters = Parameters::local().with("records", records(scale.of(30_000_000), 16)?.display());
    Ok(parameters.with("partitions", 16).with("spark.driver.memory", "1g"))
}

const KEY_BYTES: usize = 10;
const LINE_BYTES: usize = 100;

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let records = parameters.text("records")?;
    let partitions = parameters.partitions("partitions")?;
    let sc = SparkContext::new(&parameters.spark_conf())?;
    rounds.serve(|| {
        Sample::seconds(|| {
            let records = sc.text_file(records)?.map(|line| (line[..KEY_BYTES].to_owned(), line));
            let sorted = records.sort_by_key_with(true, partitions)?;
            sorted::check(&sorted, |sum, line| sum + line.len() as i64)
        })
    })?;
    sc.stop();
    Ok(())
}

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let files = files_in(parameters.text("records")?)?;
    rounds.serve(|| Sample::seconds(|| sort(&files)))
}

type Record<'a> = ([u8; KEY_BYTES], &'a [u8]);

/// Two threads read half of the files each and split the records at the middle of all keys; then each sorts one half.
fn sort(files: &[PathBuf]) -> anyhow::Result<String> {
    let texts: Vec<Vec<Vec<u8>>> = thread::scope(|scope| {
        let halves = files.chunks(files.len().div_ceil(2));
        let reading: Vec<_> = halves
            .map(|files| scope.spawn(move || files.iter().map(fs::read).collect::<Result<Vec<_>, _>>()))
            .collect();
        reading.into_iter().map(|thread| thread.join().expect("reading does not panic")).collect::<Result<_, _>>()
    })?;
    let halves = thread::scope(|scope| {
        let splitting: Vec<_> = texts.iter().map(|texts| scope.spawn(move || split(texts))).collect();
        let mut parts = [Vec::new(), Vec::new()];
        for thread in splitting {
            let [low, high] = thread.join().expect("splitting does not panic");
            parts[0].extend(low);
            parts[1].extend(high);
        }
        let sorting = parts.map(|mut part: Vec<Record<'_>>| {
            scope.spawn(move || {
                part.sort_unstable();
                part
            })
        });
        sorting.map(|thread| thread.join().expect("sorting does not panic"))
    });
    sorted::check_slices(&halves, |sum, line: &[u8]| sum + line.len() as i64)
}

fn split(texts: &[Vec<u8>]) -> [Vec<Record<'_>>; 2] {
    let mut halves = [Vec::new(), Vec::new()];
    for line in texts.iter().flat_map(|text| text.chunks_exact(LINE_BYTES)) {
        let key: [u8; KEY_BYTES] = std::array::from_fn(|index| line[index]);
        halves[usize::from(key[0] >= records::MIDDLE)].push((key, &line[..LINE_BYTES - 1]));
    }
    halves
}
