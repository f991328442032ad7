//! The median of durations that come one by one (RT-45).

use std::{cmp::Reverse, collections::BinaryHeap};

/// Two heaps that meet at the median: the lower half with its greatest on top, the upper half with its least.
#[derive(Debug, Default)]
pub(crate) struct Median {
    lower: BinaryHeap<u32>,
    upper: BinaryHeap<Reverse<u32>>,
}

impl Median {
    /// Durations beyond 49 days count as 49 days.
    pub(crate) fn insert(&mut self, duration_ms: u64) {
        let duration = u32::try_from(duration_ms).unwrap_or(u32::MAX);
        if self.lower.peek().is_none_or(|&greatest| duration <= greatest) {
            self.lower.push(duration);
        } else {
            self.upper.push(Reverse(duration));
        }
        if self.lower.len() > self.upper.len() + 1 {
            self.upper.extend(self.lower.pop().map(Reverse));
        } else if self.upper.len() > self.lower.len() {
            self.lower.extend(self.upper.pop().map(|Reverse(least)| least));
        }
    }

    /// The middle one, or the mean of the two in the middle; 0 of nothing.
    pub(crate) fn get(&self) -> f64 {
        let lower = f64::from(self.lower.peek().copied().unwrap_or(0));
        match self.upper.peek() {
            Some(&Reverse(upper)) if self.lower.len() == self.upper.len() => (lower + f64::from(upper)) / 2.0,
            _ => lower,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Median;

    proptest! {
        #[test]
        fn is_the_middle_of_the_sorted_values(mut values in proptest::collection::vec(0u32..100, 1..50)) {
            let mut median = Median::default();
            values.iter().for_each(|&value| median.insert(u64::from(value)));
            values.sort_unstable();
            let middle = values.len() / 2;
            let expected = if values.len() % 2 == 1 {
                f64::from(values[middle])
            } else {
                f64::from(values[middle - 1] + values[middle]) / 2.0
            };
            prop_assert_eq!(median.get(), expected);
        }
    }
}
