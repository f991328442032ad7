//! Sampling without replacement: each element with the same probability, independent of the others.
//!
//! Below a fraction of 0.4 the generator is asked for the length of the gap to the next chosen element, as Spark does,
//! rather than once for each element: a sample of a thousandth costs a thousandth of the random numbers, and elements in a
//! gap are skipped by the iterator's own `nth`.

use crate::SampleRandom;

/// Spark's `RandomSampler.defaultMaxGapSamplingFraction`.
const MAX_GAP_FRACTION: f64 = 0.4;

/// Spark's `sample(withReplacement = false)`: the elements of one partition that were chosen, in their order.
#[derive(Clone, Debug)]
pub struct BernoulliSample<I> {
    elements: I,
    fraction: f64,
    random: SampleRandom,
}

impl<I: Iterator> BernoulliSample<I> {
    /// Chooses about `fraction` of the elements.
    ///
    /// # Panics
    ///
    /// If the fraction is not within [0, 1].
    pub fn new(elements: I, fraction: f64, seed: u64) -> Self {
        assert!((0.0..=1.0).contains(&fraction), "the fraction of a sample must be within 0 and 1, and is {fraction}");
        Self { elements, fraction, random: SampleRandom::new(seed) }
    }
}

impl<I: Iterator> Iterator for BernoulliSample<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.fraction <= 0.0 {
            return None;
        }
        if self.fraction <= MAX_GAP_FRACTION {
            // The number of failures before a success, by inverting the geometric distribution.
            let gap = self.random.next_positive_f64().ln() / (-self.fraction).ln_1p();
            return self.elements.nth(gap as usize);
        }
        let Self { elements, fraction, random } = self;
        elements.find(|_| random.next_f64() < *fraction)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.elements.size_hint().1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A part of the elements in their order, the same for the same seed.
        #[test]
        fn is_a_subsequence(count in 0usize..500, fraction in 0.0..=1.0, seed: u64) {
            let sample: Vec<usize> = BernoulliSample::new(0..count, fraction, seed).collect();
            prop_assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(sample.iter().all(|element| *element < count));
            prop_assert_eq!(BernoulliSample::new(0..count, fraction, seed).collect::<Vec<_>>(), sample);
        }
    }

    #[test]
    fn chooses_about_the_fraction_evenly() {
        for fraction in [0.001, 0.1, 0.4, 0.41, 0.9] {
            let sample: Vec<u32> = BernoulliSample::new(0..1_000_000, fraction, 11).collect();
            let expected = 1e6 * fraction;
            let deviation = (sample.len() as f64 - expected).abs();
            // Five standard deviations, for the one seed there is.
            assert!(deviation < 5.0 * (expected * (1.0 - fraction)).sqrt(), "{} of {expected}", sample.len());
            let first_half = sample.iter().filter(|element| **element < 500_000).count() as f64;
            assert!((first_half - expected / 2.0).abs() < 5.0 * expected.sqrt(), "{first_half} in the first half");
        }
    }

    #[test]
    fn none_and_all_are_exact() {
        assert_eq!(BernoulliSample::new(0..100, 0.0, 1).count(), 0);
        assert_eq!(BernoulliSample::new(0..100, 1.0, 1).count(), 100);
    }
}
