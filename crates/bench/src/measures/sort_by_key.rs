//! A sort of small things: everything is exchanged, and comparing costs little.

use std::thread;

use firesteel::SparkContext;

use crate::{
    data::SplitMix,
    measure::{Better, Measure, Side, SparkSide, Target},
    parameters::{Parameters, Scale},
    rounds::{Rounds, Sample},
    sorted,
};

pub const MEASURE: Measure = Measure {
    name: "sort-by-key",
    unit: "s",
    better: Better::Lower,
    target: Some(Target::TimesSpark(5.0)),
    timed: "making 10 million pairs of 64-bit numbers with scattered keys, sortByKey into 8 partitions, and seeing that they \
            are in order; warm, in local[2]; limit: two threads that split the pairs by sign and sort a half each",
    rounds: 3,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.SortByKey")),
    limit: Some(Side::Session(limit)),
};

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    Ok(Parameters::local().with("pairs", scale.of(10_000_000)).with("partitions", 8).with("warm-up", 1))
}

fn pair(number: i64) -> (i64, i64) {
    (SplitMix::mix(number as u64) as i64, number)
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let (pairs, partitions) = (parameters.number("pairs")? as i64, parameters.partitions("partitions")?);
    let sc = SparkContext::new(&parameters.spark_conf())?;
    rounds.serve(|| {
        Sample::seconds(|| {
            let sorted = sc.range(0, pairs, 1, partitions).map(pair).sort_by_key_with(true, partitions)?;
            sorted::check(&sorted, i64::wrapping_add)
        })
    })?;
    sc.stop();
    Ok(())
}

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let pairs = parameters.number("pairs")? as i64;
    rounds.serve(|| Sample::seconds(|| sorted::check_slices(&sort(pairs), i64::wrapping_add)))
}

/// Two threads make pairs of either sign, then each sorts what both made of one.
fn sort(pairs: i64) -> [Vec<(i64, i64)>; 2] {
    let by_sign = |range: std::ops::Range<i64>| -> [Vec<(i64, i64)>; 2] {
        let room = (range.end - range.start) as usize * 11 / 20;
        let mut by_sign = [Vec::with_capacity(room), Vec::with_capacity(room)];
        for pair in range.map(pair) {
            by_sign[usize::from(pair.0 >= 0)].push(pair);
        }
        by_sign
    };
    let sorted = |mut one: Vec<(i64, i64)>, other: Vec<(i64, i64)>| {
        one.extend(other);
        one.sort_unstable_by_key(|(key, _)| *key);
        one
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| by_sign(pairs / 2..pairs));
        let [negative, positive] = by_sign(0..pairs / 2);
        let [other_negative, other_positive] = other.join().expect("making pairs does not panic");
        let positive = scope.spawn(move || sorted(positive, other_positive));
        [sorted(negative, other_negative), positive.join().expect("sorting does not panic")]
    })
}
