//! A join of two large tables: both sides are exchanged.

use std::{hash::BuildHasher, thread};

use firesteel::SparkContext;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{
    data::SplitMix,
    measure::{Better, Measure, Side, SparkSide, Target},
    parameters::{Parameters, Scale},
    rounds::{Rounds, Sample},
};

pub const MEASURE: Measure = Measure {
    name: "join",
    unit: "s",
    better: Better::Lower,
    target: Some(Target::TimesSpark(10.0)),
    timed: "making two data sets of 10 million pairs of 64-bit numbers, where each key is once in both, join into 8 partitions, \
            and adding up the values; warm, in local[2]; limit: two threads, hash tables of 64 parts",
    rounds: 3,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.Join")),
    limit: Some(Side::Session(limit)),
};

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    Ok(Parameters::local().with("rows", scale.of(10_000_000)).with("partitions", 8).with("warm-up", 1))
}

fn left_row(number: i64) -> (i64, i64) {
    (SplitMix::mix(number as u64) as i64, number)
}

fn right_row(rows: i64, number: i64) -> (i64, i64) {
    (SplitMix::mix((rows - 1 - number) as u64) as i64, number)
}

fn value(left: i64, right: i64) -> i64 {
    left.wrapping_mul(2).wrapping_add(right)
}

fn answer((count, sum): (u64, i64)) -> String {
    format!("{count} rows, sum {sum}")
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let (rows, partitions) = (parameters.number("rows")? as i64, parameters.partitions("partitions")?);
    let sc = SparkContext::new(&parameters.spark_conf())?;
    rounds.serve(|| {
        Sample::seconds(|| {
            let left = sc.range(0, rows, 1, partitions).map(left_row);
            let right = sc.range(0, rows, 1, partitions).with(rows).map(|rows, number| right_row(*rows, number));
            let joined = left.join_with(&right, partitions).map(|(_, (left, right))| (1, value(left, right)));
            Ok(answer(joined.reduce(|one, other| (one.0 + other.0, one.1.wrapping_add(other.1)))?))
        })
    })?;
    sc.stop();
    Ok(())
}

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let rows = parameters.number("rows")? as i64;
    rounds.serve(|| Sample::seconds(|| Ok(answer(join(rows)))))
}

const PARTS: usize = 64;
type Rows = Vec<(i64, i64)>;

/// Two threads cut the halves of both sides into parts by hash, then take turns at joining parts.
fn join(rows: i64) -> (u64, i64) {
    let halves = [0..rows / 2, rows / 2..rows];
    let cut: Vec<(Vec<Rows>, Vec<Rows>)> = thread::scope(|scope| {
        let cutting = halves.map(|half| {
            scope.spawn(move || (cut(half.clone().map(left_row)), cut(half.map(|number| right_row(rows, number)))))
        });
        cutting.into_iter().map(|thread| thread.join().expect("cutting does not panic")).collect()
    });
    let cut = &cut;
    let add = |one: (u64, i64), other: (u64, i64)| (one.0 + other.0, one.1.wrapping_add(other.1));
    thread::scope(|scope| {
        let joining = [0, 1].map(|first| {
            scope.spawn(move || (first..PARTS).step_by(2).map(|part| join_part(part, cut)).fold((0, 0), add))
        });
        joining.into_iter().map(|thread| thread.join().expect("joining does not panic")).fold((0, 0), add)
    })
}

fn cut(rows: impl Iterator<Item = (i64, i64)>) -> Vec<Rows> {
    let hasher = FixedState::default();
    let mut parts = vec![Rows::new(); PARTS];
    for row in rows {
        parts[hasher.hash_one(row.0) as usize % PARTS].push(row);
    }
    parts
}

fn join_part(part: usize, cut: &[(Vec<Rows>, Vec<Rows>)]) -> (u64, i64) {
    let size = cut.iter().map(|(left, _)| left[part].len()).sum();
    let mut table: HashMap<i64, i64> = HashMap::with_capacity(size);
    table.extend(cut.iter().flat_map(|(left, _)| &left[part]).copied());
    let mut joined = (0, 0i64);
    for (key, right) in cut.iter().flat_map(|(_, right)| &right[part]) {
        if let Some(left) = table.get(key) {
            joined = (joined.0 + 1, joined.1.wrapping_add(value(*left, *right)));
        }
    }
    joined
}
