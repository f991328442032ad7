//! Answers that need not be exact: sketches, and results of a job that may be late.
//!
//! A job with a time-out goes on when the time is up: what its finished tasks have given is an estimate with bounds, and the
//! exact answer can be waited for.

use std::{
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use firesteel_model::Partition;
use firesteel_sampling::DistinctCount;
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    call_site::{CallSite, Scope},
    context::SparkContext,
    data::{Data, Records},
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

    fn unknown() -> Self {
        Self { mean: f64::NAN, confidence: 0.0, low: f64::NEG_INFINITY, high: f64::INFINITY }
    }
}

/// The result of a job that had so much time and no more: Spark's `PartialResult`.
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
    let thread = std::thread::Builder::new().name("approximate-action".to_owned());
    let work = properties.wrap(move || {
        let partitions = (0..total).map(Partition).collect();
        let ended = rdd.with(()).run_on(&call_site, partitions, function, |_, output| {
            let mut state = job.state.lock();
            state.evaluator.merge(output);
            state.merged += 1;
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

/// The distance from the mean, in standard deviations, within which a normal number is with this probability.
fn normal_deviations(confidence: f64) -> f64 {
    // Bisection of the distribution function: fifty halvings of [0, 40] leave nothing that a double could show.
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let middle: f64 = (low + high) / 2.0;
        if probability_within(middle) < confidence {
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
            return BoundedDouble::unknown();
        }
        // What is to come is taken for a Poisson number: records arrive at the rate of the tasks so far.
        let part = f64::from(merged) / f64::from(total);
        let rest = self.sum as f64 * (1.0 - part) / part;
        let width = normal_deviations(self.confidence) * (rest / part).sqrt();
        let mean = self.sum as f64 + rest;
        let low = (mean - width).max(self.sum as f64);
        BoundedDouble { mean, confidence: self.confidence, low, high: mean + width }
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
        if merged == 0 || count < 2.0 {
            return BoundedDouble::unknown();
        }
        let deviations = normal_deviations(self.confidence);
        let mean = stats.mean();
        let mean_variance = stats.sample_variance() / count;
        if !self.sum {
            let width = deviations * mean_variance.sqrt();
            return BoundedDouble { mean, confidence: self.confidence, low: mean - width, high: mean + width };
        }
        // A product of two estimates, the mean and the number of records, whose variances add up as such.
        let part = f64::from(merged) / f64::from(total);
        let total_count = count / part;
        let count_variance = count * (1.0 - part) / (part * part);
        let variance =
            mean_variance * total_count * total_count + count_variance * mean * mean + mean_variance * count_variance;
        let sum = mean * total_count;
        let width = deviations * variance.sqrt();
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

    #[test]
    fn estimates_narrow_as_tasks_end() {
        let count = |merged, sum| CountEvaluator { sum, confidence: 0.95 }.value(merged, 10);
        assert!(count(0, 0).mean.is_nan());
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
