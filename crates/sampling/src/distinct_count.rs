//! How many distinct elements there are, about, in a few kilobytes: `countApproxDistinct`.
//!
//! HyperLogLog with 64-bit hashes: of each element's hash, some bits choose a register, and the register keeps the longest
//! run of zeros that the other bits began with. In place of HyperLogLog++'s tables of measured corrections, the number is
//! estimated by Ertl's method ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which is without
//! bias from the first element on and needs neither tables nor a case for small numbers.

use std::{
    f64::consts::LN_2,
    hash::{BuildHasher, Hash},
};

use foldhash::quality::FixedState;
use serde::{Deserialize, Serialize};

/// The seed of the hash: any number, the same in all processes of an application, since their sketches are merged.
const HASH_SEED: u64 = 0x00f1_7e57_ee1d_15c7;
const PRECISION_MIN: u32 = 4;
const PRECISION_MAX: u32 = 24;

/// A sketch of a set. Sketches of partitions are merged into that of all.
///
/// Elements are hashed by a hash that is the same in every process of one build, and not meant to outlive it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DistinctCount {
    precision: u32,
    registers: Vec<u8>,
}

/// Sketches of unlike precision cannot be merged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("distinct counts of {} and {} bits cannot be merged: make both with the same accuracy", precisions.0, precisions.1)]
pub struct MergeDistinctCountError {
    /// Bits of precision of the one and the other.
    pub precisions: (u32, u32),
}

impl DistinctCount {
    /// An empty sketch with this relative standard deviation, Spark's `relativeSD`. Its size is about (1.05 / deviation)²
    /// bytes, rounded up to a power of two: 512 for 0.05.
    ///
    /// # Panics
    ///
    /// If the deviation is not positive, or below 0.00026, for which 16 MiB would not be enough.
    pub fn new(relative_standard_deviation: f64) -> Self {
        let deviation = relative_standard_deviation;
        assert!(deviation > 0.0, "the relative standard deviation must be positive, and is {deviation}");
        // Spark's formula; 1.054 is a little more than the method's own 1.04, and rounding up does the rest.
        let bits = (2.0 * (1.054 / deviation).log2()).ceil().max(f64::from(PRECISION_MIN));
        assert!(bits <= f64::from(PRECISION_MAX), "a relative standard deviation of {deviation} is too small");
        let precision = bits as u32;
        Self { precision, registers: vec![0; 1 << precision] }
    }

    /// Adds an element.
    #[inline]
    pub fn add<T: Hash + ?Sized>(&mut self, element: &T) {
        self.add_hash(FixedState::with_seed(HASH_SEED).hash_one(element));
    }

    #[inline]
    fn add_hash(&mut self, hash: u64) {
        let register = (hash >> (u64::BITS - self.precision)) as usize;
        // A one behind the last bit ends the run of zeros there at the latest.
        let zeros = ((hash << self.precision) | (1 << (self.precision - 1))).leading_zeros() as u8;
        let register = &mut self.registers[register];
        *register = (*register).max(zeros + 1);
    }

    /// Adds all elements of another sketch.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeDistinctCountError> {
        if self.precision != other.precision {
            return Err(MergeDistinctCountError { precisions: (self.precision, other.precision) });
        }
        for (register, other) in self.registers.iter_mut().zip(&other.registers) {
            *register = (*register).max(*other);
        }
        Ok(())
    }

    /// About how many distinct elements were added.
    pub fn estimate(&self) -> u64 {
        let longest = (u64::BITS - self.precision) as usize;
        let mut counts = vec![0.0; longest + 2];
        for register in &self.registers {
            counts[usize::from(*register).min(longest + 1)] += 1.0;
        }
        let registers = self.registers.len() as f64;
        let mut sum = registers * tau(1.0 - counts[longest + 1] / registers);
        for count in counts[1..=longest].iter().rev() {
            sum = 0.5 * (sum + count);
        }
        sum += registers * sigma(counts[0] / registers);
        (registers * registers / (2.0 * LN_2 * sum)).round() as u64
    }
}

/// Ertl's σ: what registers that are still zero contribute.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * y;
        y += y;
        if sum == before {
            return sum;
        }
    }
}

/// Ertl's τ: what registers contribute that cannot grow further.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        y *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * y;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_about(estimate: u64, truth: u64, deviation: f64) {
        let error = (estimate as f64 - truth as f64).abs() / truth as f64;
        assert!(error < 4.0 * deviation, "{estimate} for {truth}");
    }

    #[test]
    fn estimates_stay_within_four_deviations_at_every_size() {
        for deviation in [0.2, 0.05, 0.01] {
            let mut sketch = DistinctCount::new(deviation);
            let mut next = 1;
            for element in 1..=2_000_000u64 {
                sketch.add(&element);
                if element == next {
                    if element >= 20 {
                        assert_about(sketch.estimate(), element, deviation);
                    }
                    next = next * 3 / 2 + 1;
                }
            }
        }
    }

    #[test]
    fn nothing_is_none_and_repetitions_count_once() {
        let mut sketch = DistinctCount::new(0.05);
        assert_eq!(sketch.estimate(), 0);
        for _ in 0..1000 {
            sketch.add("word");
        }
        assert_eq!(sketch.estimate(), 1);
    }

    #[test]
    fn a_merged_sketch_is_the_sketch_of_all() {
        let mut all = DistinctCount::new(0.05);
        let mut parts = [DistinctCount::new(0.05), DistinctCount::new(0.05)];
        for element in 0..10_000u32 {
            all.add(&element);
            parts[usize::from(element % 3 == 0)].add(&element);
        }
        let [mut left, right] = parts;
        left.merge(&postcard::from_bytes(&postcard::to_stdvec(&right).unwrap()).unwrap()).unwrap();
        assert_eq!(left, all);
        let other = DistinctCount::new(0.01);
        assert_eq!(left.merge(&other), Err(MergeDistinctCountError { precisions: (9, 14) }));
    }

    #[test]
    fn full_registers_do_not_break_the_estimate() {
        let mut sketch = DistinctCount::new(0.2);
        sketch.add_hash(0);
        assert_eq!(sketch.registers[0], 60, "all of the 59 other bits were zeros");
        assert!(sketch.estimate() >= 1);
    }
}
