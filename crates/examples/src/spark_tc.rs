//! `SparkTC [slices]`: the transitive closure of a random graph, by joining until no edge is added.

use std::{collections::BTreeSet, error::Error};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{arguments::number, context};

const EDGES: usize = 200;
const VERTICES: u32 = 100;

pub fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let slices: u32 = number(&arguments, 0, "slices", 2)?;
    let sc = context("SparkTC")?;
    let mut paths = sc.parallelize(random_graph(), slices);
    paths.cache()?;
    // An edge is keyed by where it leads to, so that a path that starts there can be put behind it.
    let edges = paths.map(|(from, to)| (to, from));
    let mut count = paths.count()?;
    loop {
        let longer = paths.join(&edges).map(|(_, (to, from))| (from, to));
        paths = paths.union(&longer).distinct_with(slices);
        paths.cache()?;
        let before = count;
        count = paths.count()?;
        if count == before {
            say!("TC has {count} edges.");
            return Ok(());
        }
    }
}

/// Different edges, none from a vertex to itself; always the same ones.
fn random_graph() -> BTreeSet<(u32, u32)> {
    let mut random = SmallRng::seed_from_u64(42);
    let mut edges = BTreeSet::new();
    while edges.len() < EDGES {
        let edge = (random.random_range(0..VERTICES), random.random_range(0..VERTICES));
        if edge.0 != edge.1 {
            edges.insert(edge);
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graph_has_its_edges() {
        let graph = random_graph();
        assert_eq!(graph.len(), EDGES);
        assert!(graph.iter().all(|(from, to)| from != to));
    }
}
