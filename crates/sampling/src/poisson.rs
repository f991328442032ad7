//! Sampling with replacement: how often an element is chosen follows a Poisson distribution.
//!
//! Below a mean of 0.4 gaps between chosen elements are drawn, as for samples without replacement: an element is chosen at
//! all with probability 1 − e⁻ᵐ, and then at least once.

use crate::SampleRandom;

/// Spark's `RandomSampler.defaultMaxGapSamplingFraction`.
const MAX_GAP_MEAN: f64 = 0.4;
/// e⁻ᵐ is summed up for means up to here; larger ones are made of several draws, since a sum of Poisson numbers is one.
const MAX_DRAW_MEAN: f64 = 16.0;
/// Means above are drawn from a normal distribution, from which a Poisson distribution of such a mean is less than a
/// thousandth away. Sums would take as long as there are elements to be given, and for means above 2^57 for ever.
const MAX_SUM_MEAN: f64 = 1_048_576.0;

/// Spark's `sample(withReplacement = true)`: the elements of one partition, each as often as it was chosen, in their order.
#[derive(Clone, Debug)]
pub struct PoissonSample<I: Iterator> {
    elements: I,
    mean: f64,
    random: SampleRandom,
    /// The element at hand, and how often it is still to come.
    repeated: Option<(I::Item, u64)>,
}

impl<I: Iterator> PoissonSample<I>
where
    I::Item: Clone,
{
    /// Chooses each element `mean` times on average: Spark's `fraction`, which may exceed 1 here.
    ///
    /// # Panics
    ///
    /// If the mean is negative or not finite.
    pub fn new(elements: I, mean: f64, seed: u64) -> Self {
        assert!(mean >= 0.0 && mean.is_finite(), "the fraction of a sample must be at least 0, and is {mean}");
        Self { elements, mean, random: SampleRandom::new(seed), repeated: None }
    }

    fn next_chosen(&mut self) -> Option<(I::Item, u64)> {
        if self.mean <= 0.0 {
            return None;
        }
        if self.mean <= MAX_GAP_MEAN {
            // The chance to be left out is e⁻ᵐ, so the gap is a logarithm to that base.
            let gap = self.random.next_positive_f64().ln() / -self.mean;
            let element = self.elements.nth(gap as usize)?;
            return Some((element, poisson_at_least_one(&mut self.random, self.mean)));
        }
        loop {
            let element = self.elements.next()?;
            let times = poisson(&mut self.random, self.mean);
            if times > 0 {
                return Some((element, times));
            }
        }
    }
}

impl<I: Iterator> Iterator for PoissonSample<I>
where
    I::Item: Clone,
{
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let (element, times) = match self.repeated.take() {
            Some(repeated) => repeated,
            None => self.next_chosen()?,
        };
        if times > 1 {
            self.repeated = Some((element.clone(), times - 1));
        }
        Some(element)
    }
}

/// A Poisson number of this mean, which is 0 or more: how often something is chosen that is chosen so often on average.
pub fn poisson(random: &mut SampleRandom, mut mean: f64) -> u64 {
    if mean > MAX_SUM_MEAN {
        return (mean + mean.sqrt() * normal(random)).round() as u64;
    }
    let mut sum = 0;
    while mean > MAX_DRAW_MEAN {
        sum += invert(random.next_f64(), MAX_DRAW_MEAN);
        mean -= MAX_DRAW_MEAN;
    }
    sum + invert(random.next_f64(), mean)
}

/// A number of the standard normal distribution, by the method of Box and Muller.
fn normal(random: &mut SampleRandom) -> f64 {
    let radius = (-2.0 * random.next_positive_f64().ln()).sqrt();
    radius * (std::f64::consts::TAU * random.next_f64()).cos()
}

/// A Poisson number of this mean, given that it is not 0.
fn poisson_at_least_one(random: &mut SampleRandom, mean: f64) -> u64 {
    let zero = (-mean).exp();
    invert(zero + random.next_f64() * (1.0 - zero), mean).max(1)
}

/// The number at which the distribution's cumulated probability passes `point`.
fn invert(point: f64, mean: f64) -> u64 {
    let mut probability = (-mean).exp();
    let mut cumulated = probability;
    let mut number = 0u64;
    // The sum may stop just short of 1; by then a term no longer changes it.
    while cumulated <= point && probability > f64::EPSILON * f64::EPSILON {
        number += 1;
        probability *= mean / number as f64;
        cumulated += probability;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each number of times occurred, up to 9.
    fn histogram(mean: f64, elements: u32) -> [f64; 10] {
        let mut times = vec![0usize; elements as usize];
        PoissonSample::new(0..elements, mean, 17).for_each(|element| times[element as usize] += 1);
        let mut histogram = [0.0; 10];
        for times in times {
            histogram[times.min(9)] += 1.0;
        }
        histogram
    }

    #[test]
    fn numbers_of_times_follow_the_distribution() {
        for mean in [0.01f64, 0.3, 0.5, 1.0, 2.5] {
            let mut expected = 200_000.0 * (-mean).exp();
            for (times, found) in (0..9).zip(histogram(mean, 200_000)) {
                assert!(
                    (found - expected).abs() <= 5.0 * expected.sqrt() + 5.0,
                    "{times} times at {mean}: {found} for {expected}"
                );
                expected *= mean / f64::from(times + 1);
            }
        }
    }

    #[test]
    fn large_means_are_met() {
        let count = PoissonSample::new(0..10_000, 100.0, 3).count() as f64;
        assert!((count - 1e6).abs() < 5.0 * 1e3, "{count}");
    }

    #[test]
    fn numbers_of_a_huge_mean_have_its_mean_and_variance() {
        let mut random = SampleRandom::new(11);
        for mean in [2e6, 1e12] {
            let numbers: Vec<f64> = (0..40_000).map(|_| poisson(&mut random, mean) as f64 - mean).collect();
            let average = numbers.iter().sum::<f64>() / 40_000.0;
            let variance = numbers.iter().map(|number| number * number).sum::<f64>() / 40_000.0;
            assert!(average.abs() < 5.0 * (mean / 40_000.0).sqrt(), "{average} away from {mean}");
            assert!((variance / mean - 1.0).abs() < 5.0 * (2.0f64 / 40_000.0).sqrt(), "{variance} for {mean}");
        }
        assert_eq!(poisson(&mut random, f64::MAX), u64::MAX);
        assert_eq!(PoissonSample::new(0..3, 1e20, 1).take(3).collect::<Vec<_>>(), [0, 0, 0]);
    }

    #[test]
    fn elements_keep_their_order_and_the_seed_decides() {
        let sample: Vec<u32> = PoissonSample::new(0..1000, 1.5, 5).collect();
        assert!(sample.is_sorted());
        assert_eq!(PoissonSample::new(0..1000, 1.5, 5).collect::<Vec<_>>(), sample);
        assert_ne!(PoissonSample::new(0..1000, 1.5, 6).collect::<Vec<_>>(), sample);
        assert_eq!(PoissonSample::new(0..1000, 0.0, 5).count(), 0);
    }
}
