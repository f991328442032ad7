//! The random numbers of samples.
//!
//! An own small generator, xoshiro256++ seeded through SplitMix64 (both in the public domain, by Blackman and Vigna), so that
//! a seed means the same sample in every version: generators of general libraries reserve the right to change.

/// Random numbers that are the same for the same seed, everywhere and always.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SampleRandom {
    state: [u64; 4],
}

impl SampleRandom {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        let mut seed = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut seed)) }
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number of [0, 1), a multiple of 2⁻⁵³.
    #[inline]
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number of (0, 1], of which a logarithm can be taken.
    #[inline]
    pub fn next_positive_f64(&mut self) -> f64 {
        1.0 - self.next_f64()
    }

    /// A number below `bound`, each equally likely but for one part in 2⁶⁴ / `bound`.
    ///
    /// # Panics
    ///
    /// If the bound is zero.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number is below zero");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// The seed of one partition's sample, made from the seed of the whole. Neighbouring partitions and neighbouring seeds get
/// unrelated ones.
pub fn partition_seed(seed: u64, partition: u32) -> u64 {
    let mut state = seed ^ u64::from(partition).wrapping_add(1).wrapping_mul(0xd1b5_4a32_d192_ed03);
    split_mix(&mut state)
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published values of SplitMix64 for seed 0.
    #[test]
    fn split_mix_is_the_published_one() {
        let mut state = 0;
        assert_eq!(split_mix(&mut state), 0xe220_a839_7b1d_cdaf);
        assert_eq!(split_mix(&mut state), 0x6e78_9e6a_a1b9_65f4);
    }

    /// The first values of the reference implementation for the state 1, 2, 3, 4.
    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SampleRandom { state: [1, 2, 3, 4] };
        let expected = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn numbers_stay_within_their_bounds_and_reach_them() {
        let mut random = SampleRandom::new(7);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[random.below(5) as usize] += 1;
            assert!((0.0..1.0).contains(&random.next_f64()));
            assert!(random.next_positive_f64() > 0.0);
        }
        assert!(seen.iter().all(|count| (150..250).contains(count)), "{seen:?}");
    }

    #[test]
    fn partitions_get_seeds_of_their_own() {
        let seeds: std::collections::BTreeSet<u64> =
            (0..100).flat_map(|seed| (0..100).map(move |partition| partition_seed(seed, partition))).collect();
        assert_eq!(seeds.len(), 10_000);
    }
}
