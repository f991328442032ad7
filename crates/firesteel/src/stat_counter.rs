//! Count, mean and variance of numbers in one pass.

use serde::{Deserialize, Serialize};

/// Spark's `StatCounter`: numerically stable running statistics, which can be merged (Welford's method, and Chan's).
///
/// ```
/// use firesteel::StatCounter;
///
/// let mut stats = StatCounter::new();
/// stats.add(1.0);
/// stats.merge(&[2.0, 3.0].into_iter().collect());
/// assert_eq!((stats.count(), stats.sum(), stats.mean()), (3, 6.0, 2.0));
/// assert_eq!((stats.min(), stats.max()), (1.0, 3.0));
/// assert_eq!((stats.variance(), stats.stdev()), (2.0 / 3.0, (2.0_f64 / 3.0).sqrt()));
/// assert_eq!((stats.sample_variance(), stats.sample_stdev()), (1.0, 1.0));
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct StatCounter {
    count: u64,
    mean: f64,
    /// Sum of the squares of the distances to the mean.
    squares: f64,
    max: f64,
    min: f64,
}

impl Default for StatCounter {
    fn default() -> Self {
        Self { count: 0, mean: 0.0, squares: 0.0, max: f64::NEG_INFINITY, min: f64::INFINITY }
    }
}

impl StatCounter {
    /// Of no numbers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number.
    pub fn add(&mut self, number: f64) {
        let distance = number - self.mean;
        self.count += 1;
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean);
        self.max = greater(self.max, number);
        self.min = lesser(self.min, number);
    }

    /// Adds the numbers of another.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (count, others) = (self.count as f64, other.count as f64);
        let distance = other.mean - self.mean;
        let total = count + others;
        // Whichever adds the smaller correction loses the fewer digits.
        if others * 10.0 < count {
            self.mean += distance * others / total;
        } else if count * 10.0 < others {
            self.mean = other.mean - distance * count / total;
        } else {
            self.mean = (self.mean * count + other.mean * others) / total;
        }
        self.squares += other.squares + distance * distance * count * others / total;
        self.count += other.count;
        self.max = greater(self.max, other.max);
        self.min = lesser(self.min, other.min);
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 if there are none, as in Spark.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.mean * self.count as f64
    }

    /// The greatest; negative infinity if there are none. Not a number if one of them is not, as in Spark.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The least; infinity if there are none. Not a number if one of them is not, as in Spark.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The population's variance; not a number if there are none.
    pub fn variance(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.squares / self.count as f64 }
    }

    /// The variance of what these are a sample of; not a number if there are fewer than two.
    pub fn sample_variance(&self) -> f64 {
        if self.count <= 1 { f64::NAN } else { self.squares / (self.count - 1) as f64 }
    }

    /// The population's standard deviation.
    pub fn stdev(&self) -> f64 {
        self.variance().sqrt()
    }

    /// The standard deviation of what these are a sample of.
    pub fn sample_stdev(&self) -> f64 {
        self.sample_variance().sqrt()
    }
}

/// Spark's `math.max`: `f64::max` would pass over what is not a number, and may give either zero.
fn greater(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        f64::NAN
    } else if left == right {
        if left.is_sign_negative() { right } else { left }
    } else {
        left.max(right)
    }
}

/// Spark's `math.min`.
fn lesser(left: f64, right: f64) -> f64 {
    -greater(-left, -right)
}

impl FromIterator<f64> for StatCounter {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut stats = Self::new();
        numbers.into_iter().for_each(|number| stats.add(number));
        stats
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merging_is_adding_all(left in prop::collection::vec(-1e3..1e3, 0..50), right in prop::collection::vec(-1e3..1e3, 0..50)) {
            let mut merged: StatCounter = left.iter().copied().collect();
            merged.merge(&right.iter().copied().collect());
            let all: Vec<f64> = left.into_iter().chain(right).collect();
            prop_assert_eq!(merged.count(), all.len() as u64);
            if all.is_empty() {
                prop_assert!(merged.variance().is_nan());
                return Ok(());
            }
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / all.len() as f64;
            prop_assert!((merged.mean() - mean).abs() < 1e-6);
            prop_assert!((merged.variance() - variance).abs() < 1e-3);
            prop_assert_eq!(merged.max(), all.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            prop_assert_eq!(merged.min(), all.iter().copied().fold(f64::INFINITY, f64::min));
        }
    }

    #[test]
    fn extremes_are_those_of_math_max_and_min() {
        let stats = |numbers: &[f64]| numbers.iter().copied().collect::<StatCounter>();
        // (numbers, least, greatest), compared by their bits: the zeros differ.
        let cases: &[(&[f64], f64, f64)] = &[
            (&[1.0, f64::NAN, 3.0], f64::NAN, f64::NAN),
            (&[f64::NAN, 1.0], f64::NAN, f64::NAN),
            (&[1.0, f64::NAN], f64::NAN, f64::NAN),
            (&[-0.0, 0.0], -0.0, 0.0),
            (&[0.0, -0.0], -0.0, 0.0),
            (&[f64::NEG_INFINITY, f64::INFINITY], f64::NEG_INFINITY, f64::INFINITY),
            (&[2.0, 5.0, -1.0], -1.0, 5.0),
        ];
        let bits = |number: f64| if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() };
        for (numbers, least, greatest) in cases {
            let at_once = stats(numbers);
            for split in 0..=numbers.len() {
                let mut merged = stats(&numbers[..split]);
                merged.merge(&stats(&numbers[split..]));
                for found in [at_once, merged] {
                    assert_eq!(bits(found.min()), bits(*least), "least of {numbers:?}, split at {split}");
                    assert_eq!(bits(found.max()), bits(*greatest), "greatest of {numbers:?}, split at {split}");
                }
            }
        }
    }
}
