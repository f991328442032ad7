//! Sees that pairs are in order, on every side in the same way.

use firesteel::{Data, Rdd};

/// What a sorted partition says of itself.
struct Part<K> {
    first: K,
    last: K,
    count: u64,
    sum: i64,
}

impl<K: Ord + Clone> Part<K> {
    /// None if there are no pairs.
    fn of<V>(pairs: impl IntoIterator<Item = (K, V)>, add: impl Fn(i64, V) -> i64) -> Option<Self> {
        let mut pairs = pairs.into_iter();
        let (first, value) = pairs.next()?;
        let mut part = Self { last: first.clone(), first, count: 1, sum: add(0, value) };
        for (key, value) in pairs {
            assert!(part.last <= key, "a partition is not in order");
            part.last = key;
            part.count += 1;
            part.sum = add(part.sum, value);
        }
        Some(part)
    }
}

/// The answer of a sort, whose partitions are looked at where they are.
pub fn check<K: Data + Ord, V: Data, F>(sorted: &Rdd<(K, V)>, add: F) -> anyhow::Result<String>
where
    F: Fn(i64, V) -> i64 + Copy + Send + Sync + 'static,
{
    let parts = sorted.map_partitions(move |pairs| {
        Part::of(pairs, add).map(|part| ((part.first, part.last), (part.count, part.sum)))
    });
    let parts = parts.collect()?.into_iter();
    answer(parts.map(|((first, last), (count, sum))| Part { first, last, count, sum }).collect())
}

/// The answer of a sort whose partitions are in this process.
pub fn check_slices<K: Ord + Clone, V: Clone>(
    sorted: &[Vec<(K, V)>],
    add: impl Fn(i64, V) -> i64 + Copy,
) -> anyhow::Result<String> {
    answer(sorted.iter().filter_map(|pairs| Part::of(pairs.iter().cloned(), add)).collect())
}

fn answer<K: Ord>(parts: Vec<Part<K>>) -> anyhow::Result<String> {
    let in_order = parts.windows(2).all(|pair| pair[0].last <= pair[1].first);
    anyhow::ensure!(in_order, "the partitions are not in order");
    let count: u64 = parts.iter().map(|part| part.count).sum();
    let sum = parts.iter().fold(0i64, |sum, part| sum.wrapping_add(part.sum));
    Ok(format!("{count} in order, sum {sum}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_seen_within_and_between_partitions() {
        let add = |sum: i64, value: i64| sum + value;
        let good = [vec![(1, 10), (2, 20)], vec![], vec![(2, 5)]];
        assert_eq!(check_slices(&good, add).unwrap(), "3 in order, sum 35");
        assert!(check_slices(&[vec![(3, 0)], vec![(2, 0)]], add).is_err());
        assert!(std::panic::catch_unwind(|| check_slices(&[vec![(3, 0), (2, 0)]], add)).is_err());
    }
}
