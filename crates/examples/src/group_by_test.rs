//! `GroupByTest [mappers] [pairs] [value size] [reducers]`: makes pairs with random keys, and groups them.

use std::error::Error;

use rand::RngExt;

use crate::{arguments::number, context};

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let mappers: u32 = number(&arguments, 0, "the number of mappers", 2)?;
    let pairs: usize = number(&arguments, 1, "the number of pairs", 1000)?;
    let value_size: usize = number(&arguments, 2, "the size of values", 1000)?;
    let reducers: u32 = number(&arguments, 3, "the number of reducers", mappers)?;

    let sc = context("GroupBy Test")?;
    let all = sc.range(0, i64::from(mappers), 1, mappers).with((pairs, value_size)).flat_map(|sizes, _| {
        let (pairs, value_size) = *sizes;
        (0..pairs).map(move |_| {
            let mut random = rand::rng();
            let mut value = vec![0u8; value_size];
            random.fill(&mut value[..]);
            (random.random_range(0..i32::MAX), value)
        })
    });
    // Everything is there before the time of grouping counts, as in Spark's.
    all.cache()?;
    all.count()?;
    say!("{}", all.group_by_key_with(reducers).count()?);
    Ok(())
}
