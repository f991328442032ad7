//! Iterations over data that stay in memory: what Spark was made for.

use std::thread;

use firesteel::{HashPartitioner, SparkContext};

use crate::{
    data::SplitMix,
    measure::{Better, Measure, Side, SparkSide},
    parameters::{Parameters, Scale},
    rounds::{Rounds, Sample},
};

pub const MEASURE: Measure = Measure {
    name: "page-rank",
    unit: "s",
    better: Better::Lower,
    target: None,
    timed: "five iterations of PageRank over a cached graph of 500,000 pages with ten links each, in 8 partitions; the graph is \
            cached before; warm, in local[2]; limit: two threads over one array of links",
    rounds: 3,
    parameters,
    firesteel: Some(Side::Session(firesteel)),
    spark: Some(SparkSide::Session("firesteel.bench.PageRank")),
    limit: Some(Side::Session(limit)),
};

fn parameters(scale: Scale) -> anyhow::Result<Parameters> {
    let parameters = Parameters::local().with("pages", scale.of(500_000)).with("degree", 10).with("iterations", 5);
    Ok(parameters.with("partitions", 8).with("warm-up", 1))
}

/// The page that a link of `page` leads to.
fn target(page: i64, link: i64, degree: i64, pages: i64) -> i64 {
    (SplitMix::mix((page * degree + link + 1) as u64) >> 1) as i64 % pages
}

fn answer(count: u64, sum: f64) -> String {
    // Sums of fractions depend on the order, in digits that are not shown.
    format!("{count} pages, sum {sum:.2}")
}

fn firesteel(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let (pages, degree) = (parameters.number("pages")? as i64, parameters.number("degree")? as i64);
    let (iterations, partitions) = (parameters.number("iterations")?, parameters.partitions("partitions")?);
    let sc = SparkContext::new(&parameters.spark_conf())?;
    let by_page = HashPartitioner::new(partitions);
    let links = sc
        .range(0, pages, 1, partitions)
        .with((degree, pages))
        .map(|&(degree, pages), page| {
            (page, (0..degree).map(|link| target(page, link, degree, pages)).collect::<Vec<i64>>())
        })
        .partition_by(&by_page);
    links.cache()?;
    links.count()?;
    rounds.serve(|| {
        Sample::seconds(|| {
            let mut ranks = links.map_values(|_| 1.0f64);
            for _ in 0..iterations {
                let contributions = links.join_with(&ranks, &by_page).flat_map(|(_, (targets, rank))| {
                    let share = rank / targets.len() as f64;
                    targets.into_iter().map(move |target| (target, share))
                });
                let sums = contributions.reduce_by_key_with(|left, right| left + right, &by_page);
                ranks = sums.map_values(|sum| 0.15 + 0.85 * sum);
            }
            let (count, sum) =
                ranks.map(|(_, rank)| (1u64, rank)).reduce(|one, other| (one.0 + other.0, one.1 + other.1))?;
            Ok(answer(count, sum))
        })
    })?;
    sc.stop();
    Ok(())
}

fn limit(parameters: &Parameters, rounds: &Rounds) -> anyhow::Result<()> {
    let (pages, degree) = (parameters.number("pages")? as i64, parameters.number("degree")? as i64);
    let iterations = parameters.number("iterations")?;
    let links: Vec<i64> =
        (0..pages).flat_map(|page| (0..degree).map(move |link| target(page, link, degree, pages))).collect();
    rounds.serve(|| {
        Sample::seconds(|| {
            // None for a page that no page with a rank leads to, which drops out as it does out of a join.
            let mut ranks = vec![Some(1.0f64); pages as usize];
            for _ in 0..iterations {
                ranks = iterate(&ranks, &links, degree as usize);
            }
            Ok(answer(ranks.iter().flatten().count() as u64, ranks.iter().flatten().sum()))
        })
    })
}

/// Two threads hand out what a half of the pages each gives, and then add up a half of the pages each.
fn iterate(ranks: &[Option<f64>], links: &[i64], degree: usize) -> Vec<Option<f64>> {
    let half = ranks.len().div_ceil(2);
    thread::scope(|scope| {
        let giving: Vec<_> = ranks
            .chunks(half)
            .zip(links.chunks(half * degree))
            .map(|(givers, links)| {
                scope.spawn(move || {
                    let mut sums = vec![0.0; ranks.len()];
                    for (rank, targets) in givers.iter().zip(links.chunks(degree)) {
                        let Some(rank) = rank else { continue };
                        targets.iter().for_each(|target| sums[*target as usize] += rank / degree as f64);
                    }
                    sums
                })
            })
            .collect();
        let given: Vec<Vec<f64>> = giving.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let mut all = vec![None; ranks.len()];
        thread::scope(|scope| {
            for (begin, part) in (0..).step_by(half).zip(all.chunks_mut(half)) {
                let given = &given;
                scope.spawn(move || {
                    for (index, rank) in part.iter_mut().enumerate() {
                        let sum: f64 = given.iter().map(|sums| sums[begin + index]).sum();
                        *rank = (sum > 0.0).then_some(0.15 + 0.85 * sum);
                    }
                });
            }
        });
        all
    })
}
