//! Data sets of numbers: Spark's `DoubleRDDFunctions`.

use firesteel_executor::TaskFailure;

use crate::{
    call_site::Scope,
    data::{Data, Records},
    error::SparkError,
    rdd::Rdd,
    stat_counter::StatCounter,
};

/// A number that data sets can add up.
pub trait Number: Data + Copy {
    /// What a sum of such numbers is: the widest number of its kind.
    type Sum: Data + Copy + Default;

    /// The number as the widest of its kind.
    fn widened(self) -> Self::Sum;

    /// `None` if the sum does not fit.
    fn checked_sum(left: Self::Sum, right: Self::Sum) -> Option<Self::Sum>;

    /// The nearest floating-point number.
    fn as_f64(self) -> f64;
}

macro_rules! numbers {
    ($($number:ty => $sum:ty, $add:expr;)*) => {
        $(impl Number for $number {
            type Sum = $sum;

            #[inline]
            fn widened(self) -> $sum {
                self as $sum
            }

            #[inline]
            fn checked_sum(left: $sum, right: $sum) -> Option<$sum> {
                $add(left, right)
            }

            #[inline]
            fn as_f64(self) -> f64 {
                self as f64
            }
        })*
    };
}

fn add(left: f64, right: f64) -> Option<f64> {
    Some(left + right)
}

numbers! {
    f32 => f64, add;
    f64 => f64, add;
    i8 => i64, i64::checked_add;
    i16 => i64, i64::checked_add;
    i32 => i64, i64::checked_add;
    i64 => i64, i64::checked_add;
    isize => i64, i64::checked_add;
    u8 => u64, u64::checked_add;
    u16 => u64, u64::checked_add;
    u32 => u64, u64::checked_add;
    u64 => u64, u64::checked_add;
    usize => u64, u64::checked_add;
}

/// A sum of whole numbers is too large.
#[derive(Debug, thiserror::Error)]
#[error("the sum does not fit into 64 bits: map the numbers to f64 before they are added up")]
struct SumOverflow;

/// The bounds of so many buckets of equal width, from the least to the greatest number, which are finite and differ.
fn equal_buckets(min: f64, max: f64, buckets: u32) -> Vec<f64> {
    let count = f64::from(buckets);
    let bound = |bucket: u32| {
        let bucket = f64::from(bucket);
        // Spark's formula, and where that overflows the mean of both ends, by weight. It is one of them for all bounds, so
        // that rounding does not change their order.
        if ((max - min) * count).is_finite() {
            min + (max - min) * bucket / count
        } else {
            min * (1.0 - bucket / count) + max * (bucket / count)
        }
    };
    (0..buckets).map(bound).chain([max]).collect()
}

impl<T: Number> Rdd<T> {
    /// The sum of all records; 0 if there are none. An action. Whole numbers are added up exactly, in 64 bits.
    ///
    /// # Errors
    ///
    /// If the sum of whole numbers does not fit into 64 bits.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([200u8, 100], 2).sum()?, 300);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Result<T::Sum, SparkError> {
        let _scope = Scope::enter("sum");
        let sums = self.run_job(|mut records| {
            let sum = records.try_fold(T::Sum::default(), |sum, number| T::checked_sum(sum, number.widened()));
            sum.unwrap_or_else(|| TaskFailure::from_final_error(&SumOverflow).throw())
        })?;
        let sum = sums.into_iter().try_fold(T::Sum::default(), T::checked_sum);
        sum.ok_or_else(|| SparkError::InvalidArgument(SumOverflow.to_string()))
    }

    /// The mean; 0 if there are no records. An action. Fails as [`Rdd::stats`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([1, 2, 6], 2).mean()?, 3.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn mean(&self) -> Result<f64, SparkError> {
        let _scope = Scope::enter("mean");
        Ok(self.stats()?.mean())
    }

    /// Count, mean, variance, least and greatest, in one pass. An action.
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is no partition, as in Spark.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let stats = spark.parallelize([1.0, 2.0, 6.0], 2).stats()?;
    /// assert_eq!((stats.count(), stats.min(), stats.max()), (3, 1.0, 6.0));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn stats(&self) -> Result<StatCounter, SparkError> {
        let _scope = Scope::enter("stats");
        let parts = self.run_job(|records| records.map(Number::as_f64).collect::<StatCounter>())?;
        let merged = parts.into_iter().reduce(|mut stats, part| {
            stats.merge(&part);
            stats
        });
        merged.ok_or(SparkError::EmptyCollection { operation: "stats" })
    }

    /// The population's variance. See [`StatCounter::variance`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([1, 3], 2).variance()?, 1.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn variance(&self) -> Result<f64, SparkError> {
        let _scope = Scope::enter("variance");
        Ok(self.stats()?.variance())
    }

    /// The population's standard deviation. See [`StatCounter::stdev`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([1, 3], 2).stdev()?, 1.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn stdev(&self) -> Result<f64, SparkError> {
        let _scope = Scope::enter("stdev");
        Ok(self.stats()?.stdev())
    }

    /// The variance of what the records are a sample of. See [`StatCounter::sample_variance`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([1, 3], 2).sample_variance()?, 2.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sample_variance(&self) -> Result<f64, SparkError> {
        let _scope = Scope::enter("sampleVariance");
        Ok(self.stats()?.sample_variance())
    }

    /// The standard deviation of what the records are a sample of. See [`StatCounter::sample_stdev`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([1, 3], 2).sample_stdev()?, 2f64.sqrt());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sample_stdev(&self) -> Result<f64, SparkError> {
        let _scope = Scope::enter("sampleStdev");
        Ok(self.stats()?.sample_stdev())
    }

    /// The records counted in so many buckets of equal width from the least to the greatest: the bounds, one more than
    /// buckets, and the counts. One bucket if all records are equal. Two jobs.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if there are no records or one is infinite or not a number, or no bucket is asked for.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let (bounds, counts) = spark.parallelize([1.0, 2.0, 4.0, 5.0], 2).histogram(2)?;
    /// assert_eq!((bounds, counts), (vec![1.0, 3.0, 5.0], vec![2, 2]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn histogram(&self, buckets: u32) -> Result<(Vec<f64>, Vec<u64>), SparkError> {
        let _scope = Scope::enter("histogram");
        if buckets == 0 {
            return Err(SparkError::InvalidArgument("a histogram needs at least one bucket".to_owned()));
        }
        let ranges = self.run_job(|records| {
            // `f64::min` would pass over what is not a number.
            records.map(Number::as_f64).fold((f64::INFINITY, f64::NEG_INFINITY, false), |(min, max, nan), number| {
                (min.min(number), max.max(number), nan || number.is_nan())
            })
        })?;
        let (min, max, nan) = ranges.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY, false), |left, right| {
            (left.0.min(right.0), left.1.max(right.1), left.2 || right.2)
        });
        if nan || min.is_infinite() || max.is_infinite() {
            return Err(SparkError::InvalidArgument(
                "a histogram of an empty data set, or one with an infinite record or one that is not a number"
                    .to_owned(),
            ));
        }
        let bounds = if min == max { vec![min, max] } else { equal_buckets(min, max, buckets) };
        let counts = self.histogram_within(&bounds)?;
        Ok((bounds, counts))
    }

    /// The records counted in buckets between these bounds, which must ascend. A bucket holds what is at least its lower bound
    /// and below its upper one; the last one also holds its upper bound. What is in no bucket is not counted. An action.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if there are fewer than two bounds, or they do not ascend.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([1, 5, 9, 10, 50], 2);
    /// assert_eq!(numbers.histogram_within(&[1.0, 5.0, 10.0])?, [1, 3]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn histogram_within(&self, bounds: &[f64]) -> Result<Vec<u64>, SparkError> {
        let _scope = Scope::enter("histogram");
        // The bounds of the one bucket of equal records are equal.
        let ascend = bounds.windows(2).all(|pair| pair[0] < pair[1]) || (bounds.len() == 2 && bounds[0] == bounds[1]);
        if bounds.len() < 2 || !ascend {
            return Err(SparkError::InvalidArgument(format!(
                "the bounds of buckets must be two or more, and ascend: {bounds:?}"
            )));
        }
        let parts = self.with(bounds.to_vec()).run_job(|bounds, records: Records<T>| {
            let mut counts = vec![0u64; bounds.len() - 1];
            for number in records.map(Number::as_f64) {
                let above = bounds.partition_point(|bound| *bound <= number);
                if above > 0 && above < bounds.len() {
                    counts[above - 1] += 1;
                } else if number == bounds[bounds.len() - 1] {
                    counts[bounds.len() - 2] += 1;
                }
            }
            counts
        })?;
        let mut counts = vec![0; bounds.len() - 1];
        for part in parts {
            counts.iter_mut().zip(part).for_each(|(count, more)| *count += more);
        }
        Ok(counts)
    }
}
