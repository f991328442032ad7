//! A sample of fixed size from a stream of unknown length, in one pass.
//!
//! Vitter's algorithm R asks for a random number per element. This is Li's algorithm L, which draws how many elements to
//! skip until the next one replaces another: k (1 + ln(n / k)) numbers in all. Every set of k elements is as likely.

use crate::SampleRandom;

/// A sample that takes elements one by one.
struct Reservoir<T> {
    size: usize,
    sample: Vec<T>,
    seen: u64,
    random: SampleRandom,
    /// The largest of k uniform numbers, had each element of the sample one, and each that was refused a larger one.
    threshold: f64,
    /// The number of the next element to be taken.
    next: u64,
}

impl<T> Reservoir<T> {
    /// An empty sample of at most `size` elements.
    fn new(size: usize, seed: u64) -> Self {
        Self { size, sample: Vec::new(), seen: 0, random: SampleRandom::new(seed), threshold: 1.0, next: 0 }
    }

    /// Takes an element or refuses it.
    #[inline]
    fn add(&mut self, element: T) {
        if self.seen == self.next {
            self.take(element);
        }
        self.seen += 1;
    }

    fn take(&mut self, element: T) {
        if self.size == 0 {
            self.next = u64::MAX;
            return;
        }
        if self.sample.len() < self.size {
            self.sample.push(element);
        } else {
            let place = self.random.below(self.size as u64) as usize;
            self.sample[place] = element;
        }
        if self.sample.len() < self.size {
            self.next += 1;
            return;
        }
        self.threshold *= (self.random.next_positive_f64().ln() / self.size as f64).exp();
        let skipped = (self.random.next_positive_f64().ln() / (-self.threshold).ln_1p()).floor();
        // `as` ends at the largest number, which stands for never.
        self.next = self.next.saturating_add(1).saturating_add(skipped as u64);
    }
}

/// Spark's `SamplingUtils.reservoirSampleAndCount`: a sample of at most `size` elements, and how many there were. The
/// sample is in no particular order; in the elements' own if it is all of them.
pub fn reservoir_sample<T>(elements: impl IntoIterator<Item = T>, size: usize, seed: u64) -> (Vec<T>, u64) {
    let mut reservoir = Reservoir::new(size, seed);
    elements.into_iter().for_each(|element| reservoir.add(element));
    (reservoir.sample, reservoir.seen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_part_of_the_right_size(count in 0u64..400, size in 0usize..50, seed: u64) {
            let (mut sample, seen) = reservoir_sample(0..count, size, seed);
            prop_assert_eq!(seen, count);
            prop_assert_eq!(sample.len(), size.min(count as usize));
            prop_assert_eq!(&reservoir_sample(0..count, size, seed).0, &sample, "the seed decides");
            sample.sort_unstable();
            sample.dedup();
            prop_assert_eq!(sample.len(), size.min(count as usize), "no element twice");
            prop_assert!(sample.iter().all(|element| *element < count));
        }
    }

    #[test]
    fn every_element_is_as_likely() {
        let mut chosen = [0u32; 100];
        for seed in 0..20_000 {
            for element in reservoir_sample(0..100usize, 10, seed).0 {
                chosen[element] += 1;
            }
        }
        // 2,000 expected, with a standard deviation of 42.
        assert!(chosen.iter().all(|count| (1_790..2_210).contains(count)), "{chosen:?}");
    }
}
