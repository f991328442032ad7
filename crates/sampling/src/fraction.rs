//! Which fraction to sample so that a sample of a given size comes out, for `takeSample`.

/// The fraction that gives at least `sample_size` of `total` elements in 9,999 of 10,000 samples: Spark's
/// `SamplingUtils.computeFractionForSampleSize`, with its bounds.
///
/// With replacement the fraction is the mean of a Poisson sample and may exceed 1.
///
/// # Panics
///
/// If `total` is zero.
pub fn fraction_for_sample_size(sample_size: u64, total: u64, with_replacement: bool) -> f64 {
    assert!(total > 0, "there is nothing to sample");
    let (size, total) = (sample_size as f64, total as f64);
    if with_replacement {
        // So many standard deviations as a Poisson number of this mean needs for that certainty.
        let deviations = match size {
            size if size < 6.0 => 12.0,
            size if size < 16.0 => 9.0,
            _ => 6.0,
        };
        return (size + deviations * size.sqrt()).max(1e-10) / total;
    }
    // Chernoff's bound for a binomial number to fall below what is wanted with probability 10⁻⁴.
    let fraction = size / total;
    let gamma = -(1e-4f64).ln() / total;
    (fraction + gamma + (gamma * gamma + 2.0 * gamma * fraction).sqrt()).clamp(1e-10, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BernoulliSample, PoissonSample};

    #[test]
    fn samples_are_large_enough() {
        for size in [1u64, 5, 10, 100, 1000] {
            let without = fraction_for_sample_size(size, 10_000, false);
            let with = fraction_for_sample_size(size, 10_000, true);
            for seed in 0..50 {
                assert!(BernoulliSample::new(0..10_000, without, seed).count() as u64 >= size);
                assert!(PoissonSample::new(0..10_000, with, seed).count() as u64 >= size);
            }
        }
    }

    #[test]
    fn fractions_stay_sensible() {
        assert_eq!(fraction_for_sample_size(100, 100, false), 1.0);
        assert!(fraction_for_sample_size(1000, 1_000_000, false) < 0.0012);
        assert!(fraction_for_sample_size(200, 100, true) > 2.0);
    }
}
