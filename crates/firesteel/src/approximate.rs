//! Answers that need not be exact: sketches, and results of a job that may be late.
//!
//! A job with a time-out goes on when the time is up: what its finished tasks have given is an estimate with bounds, and the
//! exact answer can be waited for.

use std::{
    any::type_name,
    collections::HashMap,
    hash::Hash,
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use firesteel_executor::{TaskFailure, user_code_thread};
use firesteel_model::Partition;
use firesteel_sampling::DistinctCount;
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    call_site::{CallSite, Scope},
    context::SparkContext,
    data::{Data, Key, Records},
    error::SparkError,
    numeric::Number,
    rdd::Rdd,
    stat_counter::StatCounter,
};

/// A number within bounds: Spark's `BoundedDouble`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BoundedDouble {
    /// The estimate.
    pub mean: f64,
    /// How likely it is that the exact answer is within the bounds, from 0 to 1.
    pub confidence: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl BoundedDouble {
    fn exact(number: f64) -> Self {
        Self { mean: number, confidence: 1.0, low: number, high: number }
    }

    /// Of a number that nothing is known of but that it is not below `low`.
    fn unknown(low: f64) -> Self {
        Self { mean: 0.0, confidence: 0.0, low, high: f64::INFINITY }
    }

    /// Of a count of which `sum` was found in `part` of all tasks.
    fn count(sum: u64, part: f64, confidence: f64) -> Self {
        // What is to come is taken for a Poisson number: records arrive at the rate of the tasks so far.
        let sum = sum as f64;
        let rest = sum * (1.0 - part) / part;
        let (low, high) = poisson_bounds(rest, confidence);
        Self { mean: sum + rest, confidence, low: sum + low, high: sum + high }
    }
}

/// The result of a job that had so much time and no more: Spark's `PartialResult`.
///
/// ```
/// # let spark = firesteel::examples::context();
/// # use std::time::Duration;
/// let count = spark.range(0, 1000, 1, 4).count_approx(Duration::from_secs(60), 0.95)?;
/// if !count.is_initial_value_final() {
///     println!("about {}", count.initial_value().mean);
/// }
/// assert_eq!(count.final_value()?.mean, 1000.0);
/// # Ok::<(), firesteel::SparkError>(())
/// ```
pub struct PartialResult<R> {
    initial: R,
    is_initial_value_final: bool,
    job: Arc<dyn FinalValue<R>>,
}

trait FinalValue<R>: Send + Sync {
    fn wait(&self) -> Result<R, SparkError>;
}

impl<R: Clone> PartialResult<R> {
    /// What was known when the time was up, or the job had ended.
    pub fn initial_value(&self) -> &R {
        &self.initial
    }

    /// Had the job ended, so that the value is exact?
    pub fn is_initial_value_final(&self) -> bool {
        self.is_initial_value_final
    }

    /// Waits for the job, which goes on in any case, and gives the exact value.
    ///
    /// # Errors
    ///
    /// Those of the job.
    pub fn final_value(&self) -> Result<R, SparkError> {
        self.job.wait()
    }
}

/// Folds what tasks give into an estimate.
trait Evaluator: Send + 'static {
    type Output: Serialize + DeserializeOwned + 'static;
    type Value: Clone + Send;

    fn merge(&mut self, output: Self::Output);

    /// What follows from the outputs of `merged` of `total` tasks.
    fn value(&self, merged: u32, total: u32) -> Self::Value;
}

/// A job in a thread of its own.
struct Running<V: Evaluator> {
    state: Mutex<State<V>>,
    changed: Condvar,
    total: u32,
}

struct State<V> {
    evaluator: V,
    merged: u32,
    ended: Option<Result<(), SparkError>>,
}

impl<V: Evaluator> FinalValue<V::Value> for Running<V> {
    fn wait(&self) -> Result<V::Value, SparkError> {
        let mut state = self.state.lock();
        loop {
            if let Some(ended) = state.ended.clone() {
                return ended.map(|()| state.evaluator.value(self.total, self.total));
            }
            self.changed.wait(&mut state);
        }
    }
}

/// Runs `function` on all partitions, at most until the time is up.
#[track_caller]
fn run_approximate<T: Data, V: Evaluator, F>(
    rdd: &Rdd<T>,
    scope: &'static str,
    time_out: Duration,
    evaluator: V,
    function: F,
) -> Result<PartialResult<V::Value>, SparkError>
where
    F: Fn(&(), Records<T>) -> V::Output + Copy + Send + Sync + 'static,
{
    let call_site = CallSite::at(scope, std::panic::Location::caller());
    // The new thread would not know that it works for a task.
    SparkContext::check_on_driver(&call_site.short)?;
    let deadline = Instant::now().checked_add(time_out);
    let total = rdd.num_partitions();
    let state = Mutex::new(State { evaluator, merged: 0, ended: None });
    let running = Arc::new(Running { state, changed: Condvar::new(), total });
    let (job, properties, rdd) = (Arc::clone(&running), rdd.context().inherit_local_properties(), rdd.clone());
    let thread = user_code_thread("approximate-action");
    let work = properties.wrap(move || {
        let partitions = (0..total).map(Partition).collect();
        // Outputs are decoded and merged here, by code of the user's: whoever waits must hear of its panic.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            rdd.with(()).run_on(&call_site, partitions, function, |_, output| {
                let mut state = job.state.lock();
                state.evaluator.merge(output);
                state.merged += 1;
            })
        }));
        let ended = ended.unwrap_or_else(|panic| {
            let message = TaskFailure::from_caught(panic, None).to_string();
            Err(SparkError::ResultDecoding { expected: type_name::<V::Output>(), message })
        });
        job.state.lock().ended = Some(ended);
        job.changed.notify_all();
    });
    thread.spawn(work).map_err(|error| SparkError::Io(format!("could not start a thread for {scope}: {error}")))?;
    let mut state = running.state.lock();
    while state.ended.is_none() {
        let Some(deadline) = deadline else {
            running.changed.wait(&mut state);
            continue;
        };
        if running.changed.wait_until(&mut state, deadline).timed_out() {
            break;
        }
    }
    if let Some(Err(error)) = &state.ended {
        return Err(error.clone());
    }
    let initial = state.evaluator.value(state.merged, total);
    let is_initial_value_final = state.ended.is_some();
    drop(state);
    Ok(PartialResult { initial, is_initial_value_final, job: running })
}

/// Between which whole numbers a Poisson number of this mean is with this probability, being below as often as above.
fn poisson_bounds(mean: f64, confidence: f64) -> (f64, f64) {
    /// Up to here every number of weight is looked at: some twenty standard deviations, which is the square root.
    const EXACT_MAX: f64 = 1e6;
    if confidence >= 1.0 {
        return (0.0, f64::INFINITY);
    }
    if mean > EXACT_MAX {
        // The normal distribution with the first term of Cornish and Fisher for the skewness.
        let deviations = normal_deviations(confidence);
        let bound = |at: f64| (mean + at * mean.sqrt() + (at * at - 1.0) / 6.0 - 0.5).ceil();
        return (bound(-deviations), bound(deviations));
    }
    // Weights beside that of the likeliest number, which need no factorials. What is below this changes no sum.
    const NOTHING: f64 = 1e-20;
    let likeliest = mean.floor();
    let down = iter::successors(Some((likeliest, 1.0)), |(n, weight)| Some((n - 1.0, weight * n / mean)));
    let up = iter::successors(Some((likeliest, 1.0)), |(n, weight)| Some((n + 1.0, weight * mean / (n + 1.0))));
    let mut weights: Vec<(f64, f64)> = down.take_while(|(_, weight)| *weight > NOTHING).collect();
    weights.reverse();
    weights.extend(up.skip(1).take_while(|(_, weight)| *weight > NOTHING));
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let bound = |probability: f64| {
        let mut sum = 0.0;
        let reached = weights.iter().find(|(_, weight)| {
            sum += weight;
            sum >= probability * total
        });
        reached.or(weights.last()).map_or(mean, |(number, _)| *number)
    };
    (bound((1.0 - confidence) / 2.0), bound((1.0 + confidence) / 2.0))
}

/// The distance from a mean, in standard deviations, within which the true one is with this probability: by Student's
/// distribution where up to a hundred numbers are known, else by the normal one, as in Spark.
fn deviations(confidence: f64, numbers: u64) -> f64 {
    match numbers {
        _ if confidence >= 1.0 => f64::INFINITY,
        ..=100 => student_deviations(confidence, numbers.saturating_sub(1).max(1)),
        _ => normal_deviations(confidence),
    }
}

/// As [`normal_deviations`], of Student's distribution.
fn student_deviations(confidence: f64, degrees_of_freedom: u64) -> f64 {
    let mut high = 1.0;
    while student_probability_within(high, degrees_of_freedom) < confidence && high < 1e300 {
        high *= 2.0;
    }
    bisect(high, |at| student_probability_within(at, degrees_of_freedom) < confidence)
}

/// The probability that a number of Student's distribution is within this of 0: its finite sums for whole degrees of freedom
/// (Abramowitz and Stegun, 26.7.3 and 26.7.4).
fn student_probability_within(deviations: f64, degrees_of_freedom: u64) -> f64 {
    let angle = (deviations / (degrees_of_freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = degrees_of_freedom % 2 == 1;
    let (mut term, first) = if is_odd { (cosine, 3) } else { (1.0, 2) };
    let mut sum = if degrees_of_freedom == 1 { 0.0 } else { term };
    for n in (first..degrees_of_freedom - 1).step_by(2) {
        term *= cosine * cosine * (n - 1) as f64 / n as f64;
        sum += term;
    }
    if is_odd { (angle + sine * sum) * std::f64::consts::FRAC_2_PI } else { sine * sum }
}

/// The distance from the mean, in standard deviations, within which a normal number is with this probability.
fn normal_deviations(confidence: f64) -> f64 {
    bisect(40.0, |at| probability_within(at) < confidence)
}

/// Where between 0 and `high` the answer turns from yes to no: sixty halvings leave nothing that a double could show.
fn bisect(high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, high);
    for _ in 0..60 {
        let middle: f64 = (low + high) / 2.0;
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The probability that a normal number is within so many standard deviations of its mean: erf(x / √2), by its series for
/// small numbers and its continued fraction for large ones.
fn probability_within(deviations: f64) -> f64 {
    let x = deviations / std::f64::consts::SQRT_2;
    if x < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..60).rev().fold(0.0, |fraction, n| f64::from(n) / 2.0 / (x + fraction));
    1.0 - (-x * x).exp() / ((x + fraction) * std::f64::consts::PI.sqrt())
}

struct CountEvaluator {
    sum: u64,
    confidence: f64,
}

impl Evaluator for CountEvaluator {
    type Output = u64;
    type Value = BoundedDouble;

    fn merge(&mut self, output: u64) {
        self.sum += output;
    }

    fn value(&self, merged: u32, total: u32) -> BoundedDouble {
        if merged == total {
            return BoundedDouble::exact(self.sum as f64);
        }
        if merged == 0 || self.sum == 0 {
            return BoundedDouble::unknown(0.0);
        }
        BoundedDouble::count(self.sum, f64::from(merged) / f64::from(total), self.confidence)
    }
}

/// Counts by value. Nothing is said of values that were not seen yet, as in Spark.
struct GroupedCountEvaluator<K> {
    sums: HashMap<K, u64>,
    confidence: f64,
}

impl<K: Key> Evaluator for GroupedCountEvaluator<K> {
    type Output = HashMap<K, u64>;
    type Value = HashMap<K, BoundedDouble>;

    fn merge(&mut self, output: HashMap<K, u64>) {
        for (value, count) in output {
            *self.sums.entry(value).or_default() += count;
        }
    }

    fn value(&self, merged: u32, total: u32) -> HashMap<K, BoundedDouble> {
        let part = f64::from(merged) / f64::from(total);
        let bounded = |sum: u64| match merged == total {
            true => BoundedDouble::exact(sum as f64),
            false => BoundedDouble::count(sum, part, self.confidence),
        };
        self.sums.iter().map(|(value, sum)| (value.clone(), bounded(*sum))).collect()
    }
}

/// Numbers as a task gives them. The sum is carried beside the statistics: theirs is mean × count, whose last digit depends
/// on the order in which tasks end, even if the numbers are whole.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Summed {
    sum: f64,
    stats: StatCounter,
}

impl FromIterator<f64> for Summed {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut summed = Self::default();
        for number in numbers {
            summed.sum += number;
            summed.stats.add(number);
        }
        summed
    }
}

struct MeanEvaluator {
    numbers: Summed,
    confidence: f64,
    /// Estimate the sum, not the mean.
    sum: bool,
}

impl MeanEvaluator {
    /// What the sum and the mean are once all tasks have ended.
    fn exact(&self) -> f64 {
        match self.numbers.stats.count() {
            _ if self.sum => self.numbers.sum,
            0 => self.numbers.stats.mean(),
            count => self.numbers.sum / count as f64,
        }
    }
}

impl Evaluator for MeanEvaluator {
    type Output = Summed;
    type Value = BoundedDouble;

    fn merge(&mut self, output: Summed) {
        self.numbers.sum += output.sum;
        self.numbers.stats.merge(&output.stats);
    }

    fn value(&self, merged: u32, total: u32) -> BoundedDouble {
        if merged == total {
            return BoundedDouble::exact(self.exact());
        }
        let stats = &self.numbers.stats;
        let count = stats.count() as f64;
        if count == 0.0 {
            return BoundedDouble::unknown(f64::NEG_INFINITY);
        }
        if count == 1.0 {
            let mean = if self.sum { stats.mean() * f64::from(total) / f64::from(merged) } else { stats.mean() };
            return BoundedDouble { mean, confidence: self.confidence, low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        let deviations = deviations(self.confidence, stats.count());
        // What does not vary is known, even with endlessly many deviations.
        let width = |variance: f64| if variance == 0.0 { 0.0 } else { deviations * variance.sqrt() };
        let mean = stats.mean();
        let mean_variance = stats.sample_variance() / count;
        if !self.sum {
            let width = width(mean_variance);
            return BoundedDouble { mean, confidence: self.confidence, low: mean - width, high: mean + width };
        }
        // What is to come is a product of two estimates, the mean and the number of records, whose variances add up as such.
        let part = f64::from(merged) / f64::from(total);
        let rest_count = count * (1.0 - part) / part;
        let count_variance = count * (1.0 - part) / (part * part);
        let variance =
            mean_variance * rest_count * rest_count + count_variance * mean * mean + mean_variance * count_variance;
        let sum = self.numbers.sum + mean * rest_count;
        let width = width(variance);
        BoundedDouble { mean: sum, confidence: self.confidence, low: sum - width, high: sum + width }
    }
}

fn check_confidence(confidence: f64) -> Result<(), SparkError> {
    if (0.0..=1.0).contains(&confidence) {
        Ok(())
    } else {
        Err(SparkError::InvalidArgument(format!("confidence {confidence} must be in [0, 1]")))
    }
}

impl<T: Data> Rdd<T> {
    /// How many records there are, as far as that is known when the time is up: an estimate from the tasks that have ended.
    /// The job goes on. An action.
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the confidence is not within \[0, 1\]; those of the job if it fails in time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let spark = firesteel::examples::context();
    /// let count = spark.range(0, 1000, 1, 4).count_approx(Duration::from_secs(60), 0.95)?;
    /// assert_eq!(count.final_value()?.mean, 1000.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_approx(
        &self,
        time_out: Duration,
        confidence: f64,
    ) -> Result<PartialResult<BoundedDouble>, SparkError> {
        check_confidence(confidence)?;
        let evaluator = CountEvaluator { sum: 0, confidence };
        run_approximate(self, "countApprox", time_out, evaluator, |(), records| records.count() as u64)
    }
}

impl<T: Key> Rdd<T> {
    /// How often each record occurs, as far as that is known when the time is up; of records that no task has met so far,
    /// nothing is said. The distinct ones must fit into the driver's memory. No shuffle. See [`Rdd::count_approx`].
    ///
    /// # Errors
    ///
    /// As [`Rdd::count_approx`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let spark = firesteel::examples::context();
    /// let letters = spark.parallelize(['a', 'b', 'a'], 2);
    /// let counts = letters.count_by_value_approx(Duration::from_secs(60), 0.95)?.final_value()?;
    /// assert_eq!((counts[&'a'].mean, counts[&'b'].mean), (2.0, 1.0));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_by_value_approx(
        &self,
        time_out: Duration,
        confidence: f64,
    ) -> Result<PartialResult<HashMap<T, BoundedDouble>>, SparkError> {
        check_confidence(confidence)?;
        let evaluator = GroupedCountEvaluator { sums: HashMap::new(), confidence };
        run_approximate(self, "countByValueApprox", time_out, evaluator, |(), records| {
            records.fold(HashMap::new(), |mut counts, record| {
                *counts.entry(record).or_default() += 1;
                counts
            })
        })
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// How often each key occurs, as far as that is known when the time is up. See [`Rdd::count_by_value_approx`].
    ///
    /// # Errors
    ///
    /// As [`Rdd::count_approx`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let spark = firesteel::examples::context();
    /// let pairs = spark.parallelize([(1, 3), (2, 5), (1, 4)], 2);
    /// let counts = pairs.count_by_key_approx(Duration::from_secs(60), 0.95)?.final_value()?;
    /// assert_eq!((counts[&1].mean, counts[&2].mean), (2.0, 1.0));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_by_key_approx(
        &self,
        time_out: Duration,
        confidence: f64,
    ) -> Result<PartialResult<HashMap<K, BoundedDouble>>, SparkError> {
        let _scope = Scope::enter("countByKeyApprox");
        self.keys().count_by_value_approx(time_out, confidence)
    }
}

impl<T: Number> Rdd<T> {
    /// The sum, as far as it is known when the time is up. See [`Rdd::count_approx`].
    ///
    /// # Errors
    ///
    /// As [`Rdd::count_approx`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let spark = firesteel::examples::context();
    /// let sum = spark.range(0, 5, 1, 4).sum_approx(Duration::from_secs(60), 0.95)?;
    /// assert_eq!(sum.final_value()?.mean, 10.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn sum_approx(&self, time_out: Duration, confidence: f64) -> Result<PartialResult<BoundedDouble>, SparkError> {
        check_confidence(confidence)?;
        let evaluator = MeanEvaluator { numbers: Summed::default(), confidence, sum: true };
        run_approximate(self, "sumApprox", time_out, evaluator, |(), records| records.map(Number::as_f64).collect())
    }

    /// The mean, as far as it is known when the time is up. See [`Rdd::count_approx`].
    ///
    /// # Errors
    ///
    /// As [`Rdd::count_approx`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let spark = firesteel::examples::context();
    /// let mean = spark.range(0, 5, 1, 4).mean_approx(Duration::from_secs(60), 0.95)?;
    /// assert_eq!(mean.final_value()?.mean, 2.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn mean_approx(&self, time_out: Duration, confidence: f64) -> Result<PartialResult<BoundedDouble>, SparkError> {
        check_confidence(confidence)?;
        let evaluator = MeanEvaluator { numbers: Summed::default(), confidence, sum: false };
        run_approximate(self, "meanApprox", time_out, evaluator, |(), records| records.map(Number::as_f64).collect())
    }
}

impl<T: Data + Hash> Rdd<T> {
    /// About how many distinct records there are, by a sketch of (1.05 / deviation)² bytes for each partition: the result is
    /// off by this relative standard deviation. An action; no shuffle.
    ///
    /// # Panics
    ///
    /// If the standard deviation is not positive, or below 0.00026.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let count = spark.range(0, 10_000, 1, 4).map(|n| n % 1000).count_approx_distinct(0.02)?;
    /// assert!((900..1100).contains(&count));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_approx_distinct(&self, relative_standard_deviation: f64) -> Result<u64, SparkError> {
        let _scope = Scope::enter("countApproxDistinct");
        let sketch = self.aggregate(
            DistinctCount::new(relative_standard_deviation),
            |mut sketch, record| {
                sketch.add(&record);
                sketch
            },
            |mut left, right| {
                left.merge(&right).expect("all sketches are clones of one");
                left
            },
        )?;
        Ok(sketch.estimate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_the_tables() {
        for (confidence, deviations) in [(0.5, 0.674_49), (0.9, 1.644_85), (0.95, 1.959_96), (0.999, 3.290_53)] {
            assert!((normal_deviations(confidence) - deviations).abs() < 1e-4, "{confidence}");
        }
        assert!((probability_within(4.3) - 0.999_982_92).abs() < 1e-7);
    }

    /// What `CountEvaluator` of Spark 4.3 says.
    #[test]
    fn counts_are_bounded_as_in_spark() {
        for (confidence, merged, total, sum, low, high) in [
            (0.95, 2, 10, 200, 945.0, 1056.0),
            (0.95, 9, 10, 900, 981.0, 1020.0),
            (0.95, 1, 10, 1, 5.0, 16.0),
            (0.95, 9, 10, 5, 5.0, 7.0),
            (0.95, 5, 10, 20_000, 39_723.0, 40_278.0),
            (0.95, 1, 1000, 1_000_000, 999_938_052.0, 1_000_061_949.0),
            (0.5, 1, 1000, 1_000_000, 999_978_681.0, 1_000_021_318.0),
            (0.5, 2, 10, 10_000, 49_865.0, 50_135.0),
            (0.999, 1, 10, 1, 2.0, 21.0),
            (0.999, 2, 10, 10_000, 49_344.0, 50_660.0),
            (0.0, 2, 10, 200, 1000.0, 1000.0),
            (0.0, 9, 10, 5, 5.0, 5.0),
            (1.0, 2, 10, 200, 200.0, f64::INFINITY),
        ] {
            let count = CountEvaluator { sum, confidence }.value(merged, total);
            assert_eq!((count.low, count.high), (low, high), "{confidence} {merged} {total} {sum}");
        }
    }

    /// What `MeanEvaluator` and `SumEvaluator` of Spark 4.3 say when half of the tasks have given the numbers from 0 on.
    #[test]
    fn means_and_sums_are_bounded_as_in_spark() {
        for (numbers, mean_low, sum_low) in [
            (2, -5.853_102_368_087_373, -20.007_792_174_426_96),
            (5, 0.036_756_838_649_249_834, -1.053_437_408_601_620_7),
            (50, 20.357_154_517_345_254, 1_914.249_352_367_147_8),
            (200, 91.478_501_683_187_45, 35_579.564_446_672_055),
        ] {
            let low = |sum, confidence| {
                let numbers = (0..numbers).map(f64::from).collect();
                MeanEvaluator { numbers, confidence, sum }.value(5, 10).low
            };
            assert!((low(false, 0.95) - mean_low).abs() < 1e-9, "{numbers}: {}", low(false, 0.95));
            assert!((low(true, 0.95) - sum_low).abs() < 1e-8, "{numbers}: {}", low(true, 0.95));
            assert_eq!(low(true, 1.0), f64::NEG_INFINITY);
        }
        let same = MeanEvaluator { numbers: [3.0; 4].into_iter().collect(), confidence: 1.0, sum: false }.value(5, 10);
        assert_eq!((same.low, same.high), (3.0, 3.0));
    }

    #[test]
    fn estimates_narrow_as_tasks_end() {
        let count = |merged, sum| CountEvaluator { sum, confidence: 0.95 }.value(merged, 10);
        let (early, late) = (count(2, 200), count(9, 900));
        assert_eq!((early.mean.round(), late.mean.round()), (1000.0, 1000.0));
        assert!(early.high - early.low > late.high - late.low);
        assert!(early.low >= 200.0);
        assert_eq!(count(10, 1000), BoundedDouble::exact(1000.0));
        let numbers = (0..100).map(f64::from).collect();
        let evaluator = MeanEvaluator { numbers, confidence: 0.95, sum: true };
        let sum = evaluator.value(5, 10);
        assert!(sum.low < sum.mean && sum.mean < sum.high);
        assert!((sum.mean - 9900.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_known_is_what_spark_says_then() {
        let unknown = |low| BoundedDouble { mean: 0.0, confidence: 0.0, low, high: f64::INFINITY };
        for merged in [0, 1] {
            assert_eq!(CountEvaluator { sum: 0, confidence: 0.95 }.value(merged, 10), unknown(0.0));
            for sum in [true, false] {
                let none = MeanEvaluator { numbers: Summed::default(), confidence: 0.95, sum };
                assert_eq!(none.value(merged, 10), unknown(f64::NEG_INFINITY));
            }
        }
        for (sum, mean) in [(true, 50.0), (false, 5.0)] {
            let one = MeanEvaluator { numbers: [5.0].into_iter().collect(), confidence: 0.95, sum }.value(1, 10);
            assert_eq!(one, BoundedDouble { mean, confidence: 0.95, low: f64::NEG_INFINITY, high: f64::INFINITY });
        }
    }

    #[test]
    fn counts_by_value_are_estimated_one_by_one() {
        let mut evaluator = GroupedCountEvaluator { sums: HashMap::new(), confidence: 0.95 };
        assert!(evaluator.value(0, 10).is_empty());
        evaluator.merge([('a', 100), ('b', 7)].into());
        evaluator.merge([('a', 100)].into());
        let early = evaluator.value(2, 10);
        assert_eq!(early[&'a'], CountEvaluator { sum: 200, confidence: 0.95 }.value(2, 10));
        assert_eq!(early[&'b'], CountEvaluator { sum: 7, confidence: 0.95 }.value(2, 10));
        assert_eq!(early.len(), 2);
        assert_eq!(
            evaluator.value(10, 10),
            [('a', 200.0), ('b', 7.0)].map(|(k, n)| (k, BoundedDouble::exact(n))).into()
        );
    }

    #[test]
    fn sums_of_whole_numbers_are_exact_in_whatever_order_tasks_end() {
        let parts: Vec<Summed> = (0..8).map(|n| (n * 125..(n + 1) * 125).map(f64::from).collect()).collect();
        let mut orders: Vec<Vec<usize>> = (0..8).map(|first| (0..8).map(|n| (first + n * 3) % 8).collect()).collect();
        orders.push((0..8).rev().collect());
        for order in orders {
            let mut evaluator = MeanEvaluator { numbers: Summed::default(), confidence: 0.95, sum: true };
            for part in &order {
                evaluator.merge(parts[*part]);
            }
            assert_eq!(evaluator.value(8, 8), BoundedDouble::exact(499_500.0), "{order:?}");
            let mean = MeanEvaluator { sum: false, ..evaluator }.value(8, 8);
            assert_eq!(mean, BoundedDouble::exact(499.5), "{order:?}");
        }
    }
}
