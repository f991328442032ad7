//! Actions that want a few records only.

use std::cmp::Ordering;

use firesteel_conf::keys;
use firesteel_sampling::TopK;

use crate::{call_site::Scope, data::Data, env::Env, error::SparkError, rdd::Rdd, with::With};

impl<T: Data, E: Env> With<T, E> {
    /// As [`Rdd::take_ordered_by`].
    #[track_caller]
    pub fn take_ordered_by<F>(self, count: usize, compare: F) -> Result<Vec<T>, SparkError>
    where
        F: Fn(&E, &T, &T) -> Ordering + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("takeOrdered");
        if count == 0 {
            return Ok(Vec::new());
        }
        let with_count = self.rdd.with((self.env, count as u64));
        let parts = with_count.run_job(move |(env, count), records| {
            let mut first = TopK::new(*count as usize, |left: &T, right: &T| compare(env, left, right));
            records.for_each(|record| first.add(record));
            first.into_sorted()
        })?;
        let env = &with_count.env.0;
        let mut first = TopK::new(count, |left: &T, right: &T| compare(env, left, right));
        parts.into_iter().flatten().for_each(|record| first.add(record));
        Ok(first.into_sorted())
    }

    /// As [`Rdd::max_by`].
    #[track_caller]
    pub fn max_by<F>(&self, compare: F) -> Result<T, SparkError>
    where
        F: Fn(&E, &T, &T) -> Ordering + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("max");
        self.reduce(move |env, left, right| if compare(env, &left, &right).is_lt() { right } else { left })
    }

    /// As [`Rdd::min_by`].
    #[track_caller]
    pub fn min_by<F>(&self, compare: F) -> Result<T, SparkError>
    where
        F: Fn(&E, &T, &T) -> Ordering + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("min");
        self.reduce(move |env, left, right| if compare(env, &left, &right).is_gt() { right } else { left })
    }
}

impl<T: Data> Rdd<T> {
    /// The first so many records, in the order of the partitions. An action: a job reads the first partition, and if that is
    /// not enough, further ones read more partitions each, as many as the records found so far let expect, and at most
    /// `spark.rdd.limit.scaleUpFactor` times as many as before (RT-06). The result must fit into the driver's memory.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(0..100, 10).take(12)?, (0..12).collect::<Vec<_>>());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn take(&self, count: usize) -> Result<Vec<T>, SparkError> {
        let _scope = Scope::enter("take");
        let mut progress = TakeProgress::new(self, count)?;
        while let Some((partitions, left)) = progress.next_partitions() {
            let parts = self
                .with(left as u64)
                .run_on_partitions(partitions, |left, records| records.take(*left as usize).collect::<Vec<T>>())?;
            progress.add(parts);
        }
        Ok(progress.into_taken())
    }

    /// The first record. See [`Rdd::take`].
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is none.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(5..8, 2).first()?, 5);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn first(&self) -> Result<T, SparkError> {
        let _scope = Scope::enter("first");
        self.take(1)?.pop().ok_or(SparkError::EmptyCollection { operation: "first" })
    }

    /// The least so many records by this order, ascending; of equal ones those that come first. An action; the result must
    /// fit into memory, a partition need not.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let words = spark.parallelize(["steel", "tin", "flint"].map(String::from), 2);
    /// assert_eq!(words.take_ordered_by(2, |left, right| left.len().cmp(&right.len()))?, ["tin", "steel"]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn take_ordered_by<F>(&self, count: usize, compare: F) -> Result<Vec<T>, SparkError>
    where
        F: Fn(&T, &T) -> Ordering + Copy + Send + Sync + 'static,
    {
        self.with(()).take_ordered_by(count, move |(), left, right| compare(left, right))
    }

    /// The greatest record by this order; of equal ones the first. An action.
    ///
    /// Floating-point numbers have no `max` of their own, as Rust has no order of all of them that would be taken for granted.
    /// [`f64::total_cmp`] is the order of Spark's `max` and `min`: what is not a number is greater than every number, and
    /// -0 is less than 0. (What is not a number and has a negative sign, as 0.0 / 0.0 has on x86-64, is less than every number
    /// by it; Java makes no such difference.) [`StatCounter::max`](crate::StatCounter::max) is not a number if any record
    /// is not, as in Spark.
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is none.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize([5.0, f64::NAN, 1.0], 2);
    /// assert!(numbers.max_by(f64::total_cmp)?.is_nan());
    /// assert_eq!(numbers.filter(|number| !number.is_nan()).max_by(f64::total_cmp)?, 5.0);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn max_by<F>(&self, compare: F) -> Result<T, SparkError>
    where
        F: Fn(&T, &T) -> Ordering + Copy + Send + Sync + 'static,
    {
        self.with(()).max_by(move |(), left, right| compare(left, right))
    }

    /// The least record by this order; of equal ones the first. An action. For floating-point numbers see [`Rdd::max_by`].
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is none.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let words = spark.parallelize(["steel", "tin", "oak"].map(String::from), 2);
    /// assert_eq!(words.min_by(|left, right| left.len().cmp(&right.len()))?, "tin");
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn min_by<F>(&self, compare: F) -> Result<T, SparkError>
    where
        F: Fn(&T, &T) -> Ordering + Copy + Send + Sync + 'static,
    {
        self.with(()).min_by(move |(), left, right| compare(left, right))
    }
}

impl<T: Data + Ord> Rdd<T> {
    /// The least so many records, ascending. An action; see [`Rdd::take_ordered_by`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([5, 3, 9, 1], 2).take_ordered(2)?, [1, 3]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn take_ordered(&self, count: usize) -> Result<Vec<T>, SparkError> {
        self.take_ordered_by(count, T::cmp)
    }

    /// The greatest so many records, descending. An action.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([5, 3, 9, 1], 2).top(2)?, [9, 5]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn top(&self, count: usize) -> Result<Vec<T>, SparkError> {
        let _scope = Scope::enter("top");
        self.take_ordered_by(count, |left, right| right.cmp(left))
    }

    /// The greatest record; of equal ones the first. An action. For an order of one's own, see [`Rdd::max_by`].
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is none.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([5, 9, 1], 2).max()?, 9);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn max(&self) -> Result<T, SparkError> {
        self.max_by(T::cmp)
    }

    /// The least record; of equal ones the first. An action. For an order of one's own, see [`Rdd::min_by`].
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is none.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize([5, 9, 1], 2).min()?, 1);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn min(&self) -> Result<T, SparkError> {
        self.min_by(T::cmp)
    }
}

/// Which partitions `take` reads, job by job (RT-06).
pub(crate) struct TakeProgress<T> {
    count: usize,
    scale_up: u64,
    initial: u64,
    total: u64,
    scanned: u64,
    taken: Vec<T>,
}

impl<T: Data> TakeProgress<T> {
    pub(crate) fn new(rdd: &Rdd<T>, count: usize) -> Result<Self, SparkError> {
        let conf = rdd.context().conf();
        Ok(Self {
            count,
            scale_up: u64::from(conf.get(&keys::RDD_LIMIT_SCALE_UP_FACTOR)?.max(2)),
            initial: u64::from(conf.get(&keys::RDD_LIMIT_INITIAL_NUM_PARTITIONS)?.max(1)),
            total: u64::from(rdd.num_partitions()),
            scanned: 0,
            taken: Vec::new(),
        })
    }

    /// The partitions of the next job, and how many records are still wanted; none at the end.
    pub(crate) fn next_partitions(&mut self) -> Option<(std::ops::Range<u32>, usize)> {
        let left = self.count - self.taken.len();
        if left == 0 || self.scanned >= self.total {
            return None;
        }
        let wanted = match (self.scanned, self.taken.len()) {
            (0, _) => self.initial,
            (scanned, 0) => scanned.saturating_mul(self.scale_up),
            (scanned, found) => {
                // Half as many again as the partitions so far let expect.
                let expected = (1.5 * left as f64 * scanned as f64 / found as f64).ceil() as u64;
                expected.clamp(1, scanned.saturating_mul(self.scale_up))
            }
        };
        let from = self.scanned;
        self.scanned = from.saturating_add(wanted).min(self.total);
        Some((from as u32..self.scanned as u32, left))
    }

    /// What the job gave.
    pub(crate) fn add(&mut self, parts: Vec<Vec<T>>) {
        let left = self.count - self.taken.len();
        self.taken.extend(parts.into_iter().flatten().take(left));
    }

    pub(crate) fn into_taken(self) -> Vec<T> {
        self.taken
    }
}
