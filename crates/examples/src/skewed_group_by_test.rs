//! `SimpleSkewedGroupByTest [mappers] [pairs] [value size] [reducers] [ratio]`: groups pairs of which one reducer gets `ratio`
//! times as many as each of the others.

use std::error::Error;

use firesteel::{Partitioner, SparkContext};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{arguments::number, context};

/// What decides about keys.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Skew {
    pairs: usize,
    value_size: usize,
    reducers: i32,
    ratio: f64,
}

impl Skew {
    /// A key that belongs to the first reducer `ratio` times as often as to each of the others.
    fn key(&self, random: &mut impl RngExt) -> i32 {
        let offset = random.random_range(0..1000) * self.reducers;
        let to_first = self.ratio / (f64::from(self.reducers) + self.ratio - 1.0);
        if self.reducers == 1 || random.random::<f64>() < to_first {
            offset
        } else {
            offset + random.random_range(1..self.reducers)
        }
    }
}

/// By the remainder, as Spark partitions whole numbers: so the first reducer gets what is meant for it.
#[derive(Clone, Serialize, Deserialize)]
struct ByRemainder {
    reducers: u32,
}

impl Partitioner<i32> for ByRemainder {
    fn partitions(&self) -> u32 {
        self.reducers
    }

    fn partition(&self, key: &i32) -> u32 {
        key.unsigned_abs() % self.reducers
    }
}

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let mappers: u32 = number(&arguments, 0, "the number of mappers", 2)?;
    let pairs: usize = number(&arguments, 1, "the number of pairs", 1000)?;
    let value_size: usize = number(&arguments, 2, "the size of values", 1000)?;
    let reducers: u32 = number(&arguments, 3, "the number of reducers", mappers)?;
    let ratio: f64 = number(&arguments, 4, "the ratio", 5.0)?;
    if reducers == 0 {
        return Err("the number of reducers must be above 0".into());
    }
    let skew = Skew { pairs, value_size, reducers: i32::try_from(reducers)?, ratio };
    say!("RESULT: {}", count_groups(&context("SimpleSkewedGroupByTest")?, mappers, skew)?);
    Ok(())
}

fn count_groups(sc: &SparkContext, mappers: u32, skew: Skew) -> Result<u64, Box<dyn Error>> {
    let all = sc.range(0, i64::from(mappers), 1, mappers).with(skew).flat_map(|skew, _| {
        let skew = *skew;
        (0..skew.pairs).map(move |_| {
            let mut random = rand::rng();
            let key = skew.key(&mut random);
            let mut value = vec![0u8; skew.value_size];
            random.fill(&mut value[..]);
            (key, value)
        })
    });
    all.cache()?;
    all.count()?;
    Ok(all.group_by_key_with(&ByRemainder { reducers: skew.reducers.unsigned_abs() }).count()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reducer_gets_its_ratio() {
        let skew = Skew { pairs: 0, value_size: 0, reducers: 4, ratio: 5.0 };
        let partitioner = ByRemainder { reducers: 4 };
        let mut random = rand::rng();
        let mut counts = [0u32; 4];
        for _ in 0..80_000 {
            counts[partitioner.partition(&skew.key(&mut random)) as usize] += 1;
        }
        // 5 parts of 8, that is 50,000; a deviation of 3,000 is more than twenty standard deviations.
        assert!(counts[0].abs_diff(50_000) < 3_000, "{counts:?}");
        assert!(counts[1..].iter().all(|count| count.abs_diff(10_000) < 3_000), "{counts:?}");
    }
}
