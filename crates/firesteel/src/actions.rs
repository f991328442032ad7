//! Actions: what makes jobs.

use std::{any::type_name, marker::PhantomData, panic::Location, sync::Arc};

use firesteel_closure::Closure;
use firesteel_executor::{TaskContext, TaskFailure};
use firesteel_model::Partition;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    action::{Action, work_of},
    call_site::{CallSite, Scope},
    data::{Data, Records},
    env::Env,
    error::SparkError,
    rdd::Rdd,
    stage_binary::WorkSpec,
    with::With,
};

/// A closure over the records of a partition, with an environment: what most actions are.
struct OnRecords<T, R, E, F> {
    env: E,
    function: Closure<F>,
    types: PhantomData<fn(T) -> R>,
}

impl<T: Data, R, E: Env, F> Action for OnRecords<T, R, E, F>
where
    R: Serialize + DeserializeOwned + 'static,
    F: Fn(&E, Records<T>) -> R + Copy + Send + Sync + 'static,
{
    type Env = E;
    type Item = T;
    type Output = R;

    fn new(env: E) -> Self {
        Self { env, function: Closure::by_type(), types: PhantomData }
    }

    fn run(&self, records: Records<T>, _context: &Arc<TaskContext>) -> Result<R, TaskFailure> {
        Ok((self.function.get())(&self.env, records))
    }
}

/// A closure on the records of a partition as it travels.
pub(crate) fn records_work<T: Data, R, E: Env, F>(with: &With<T, E>, function: F) -> Result<WorkSpec, SparkError>
where
    R: Serialize + DeserializeOwned + 'static,
    F: Fn(&E, Records<T>) -> R + Copy + Send + Sync + 'static,
{
    Closure::of(function);
    work_of::<OnRecords<T, R, E, F>>(&with.env)
}

impl<T: Data, E: Env> With<T, E> {
    /// Runs `function` on each of these partitions and hands each output to `on_output` with its index in `partitions`, as
    /// they come.
    pub(crate) fn run_on<R, F>(
        &self,
        call_site: &CallSite,
        partitions: Vec<Partition>,
        function: F,
        mut on_output: impl FnMut(u32, R),
    ) -> Result<(), SparkError>
    where
        R: Serialize + DeserializeOwned + 'static,
        F: Fn(&E, Records<T>) -> R + Copy + Send + Sync + 'static,
    {
        Closure::of(function);
        let context = self.rdd.context();
        let mut broken = None;
        context.run_job::<OnRecords<T, R, E, F>>(
            self.rdd.core(),
            call_site,
            partitions,
            &self.env,
            |index, bytes| match crate::data::decode::<R>(&bytes) {
                Ok(output) => on_output(index, output),
                Err(error) => broken = Some(error.to_string()),
            },
        )?;
        match broken {
            None => Ok(()),
            Some(message) => Err(SparkError::ResultDecoding { expected: type_name::<R>(), message }),
        }
    }

    /// Runs `function` on these partitions and gives the outputs in their order.
    pub(crate) fn run_on_partitions<R, F>(
        &self,
        partitions: impl IntoIterator<Item = u32>,
        function: F,
    ) -> Result<Vec<R>, SparkError>
    where
        R: Serialize + DeserializeOwned + 'static,
        F: Fn(&E, Records<T>) -> R + Copy + Send + Sync + 'static,
    {
        let partitions: Vec<Partition> = partitions.into_iter().map(Partition).collect();
        let mut outputs: Vec<Option<R>> = partitions.iter().map(|_| None).collect();
        let call_site = CallSite::at("runJob", Location::caller());
        self.run_on(&call_site, partitions, function, |index, output| outputs[index as usize] = Some(output))?;
        Ok(outputs.into_iter().map(|output| output.expect("a job that succeeded has every output")).collect())
    }

    /// As [`Rdd::run_job`].
    #[track_caller]
    pub fn run_job<R, F>(&self, function: F) -> Result<Vec<R>, SparkError>
    where
        R: Serialize + DeserializeOwned + 'static,
        F: Fn(&E, Records<T>) -> R + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("runJob");
        self.run_on_partitions(0..self.rdd.num_partitions(), function)
    }

    /// As [`Rdd::run_job_on`].
    #[track_caller]
    pub fn run_job_on<R, F>(&self, partitions: impl IntoIterator<Item = u32>, function: F) -> Result<Vec<R>, SparkError>
    where
        R: Serialize + DeserializeOwned + 'static,
        F: Fn(&E, Records<T>) -> R + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("runJob");
        let (partitions, known): (Vec<u32>, u32) = (partitions.into_iter().collect(), self.rdd.num_partitions());
        if let Some(unknown) = partitions.iter().find(|index| **index >= known) {
            let message = format!("there is no partition {unknown}; the data set has {known}");
            return Err(SparkError::InvalidArgument(message));
        }
        self.run_on_partitions(partitions, function)
    }

    /// As [`Rdd::reduce`].
    #[track_caller]
    pub fn reduce<F>(&self, function: F) -> Result<T, SparkError>
    where
        F: Fn(&E, T, T) -> T + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("reduce");
        let parts = self.run_job(move |env, records| records.reduce(|left, right| function(env, left, right)))?;
        let reduced = parts.into_iter().flatten().reduce(|left, right| function(&self.env, left, right));
        reduced.ok_or(SparkError::EmptyCollection { operation: "reduce" })
    }

    /// As [`Rdd::fold`].
    #[track_caller]
    pub fn fold<F>(self, zero: T, function: F) -> Result<T, SparkError>
    where
        F: Fn(&E, T, T) -> T + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("fold");
        self.aggregate(zero, function, function)
    }

    /// As [`Rdd::aggregate`].
    #[track_caller]
    pub fn aggregate<U, SeqOp, CombOp>(self, zero: U, seq_op: SeqOp, comb_op: CombOp) -> Result<U, SparkError>
    where
        U: Data,
        SeqOp: Fn(&E, U, T) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(&E, U, U) -> U + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("aggregate");
        let with_zero = self.rdd.with((self.env, zero));
        let parts = with_zero.run_job(move |(env, zero), records| {
            records.fold(zero.clone(), |result, record| seq_op(env, result, record))
        })?;
        let (env, zero) = with_zero.env;
        Ok(parts.into_iter().fold(zero, |left, right| comb_op(&env, left, right)))
    }

    /// As [`Rdd::foreach`].
    #[track_caller]
    pub fn foreach<F>(&self, function: F) -> Result<(), SparkError>
    where
        F: Fn(&E, T) + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("foreach");
        self.run_job(move |env, records| records.for_each(|record| function(env, record))).map(drop)
    }

    /// As [`Rdd::foreach_partition`].
    #[track_caller]
    pub fn foreach_partition<F>(&self, function: F) -> Result<(), SparkError>
    where
        F: Fn(&E, Records<T>) + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("foreachPartition");
        self.run_job(function).map(drop)
    }
}

impl<T: Data> Rdd<T> {
    /// Runs `function` on the records of every partition and gives the outputs in the order of the partitions: Spark's
    /// `runJob`, the action that the others are made of.
    ///
    /// # Errors
    ///
    /// As of every action: [`SparkError::JobFailed`] if a task failed too often or the job was cancelled,
    /// [`SparkError::NotSerializable`] if something cannot travel, [`SparkError::ContextStopped`] after the context's end.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let sizes = spark.parallelize(0..5, 2).run_job(|records| records.count())?;
    /// assert_eq!(sizes, [2, 3]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn run_job<R, F>(&self, function: F) -> Result<Vec<R>, SparkError>
    where
        R: Serialize + DeserializeOwned + 'static,
        F: Fn(Records<T>) -> R + Copy + Send + Sync + 'static,
    {
        self.with(()).run_job(move |(), records| function(records))
    }

    /// As [`Rdd::run_job`], on some partitions, in the order in which they are named.
    ///
    /// # Errors
    ///
    /// As of [`Rdd::run_job`]; [`SparkError::InvalidArgument`] if there is no such partition.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.parallelize(0..6, 3);
    /// assert_eq!(numbers.run_job_on([2, 0], |records| records.sum::<i32>())?, [9, 1]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn run_job_on<R, F>(&self, partitions: impl IntoIterator<Item = u32>, function: F) -> Result<Vec<R>, SparkError>
    where
        R: Serialize + DeserializeOwned + 'static,
        F: Fn(Records<T>) -> R + Copy + Send + Sync + 'static,
    {
        self.with(()).run_job_on(partitions, move |(), records| function(records))
    }

    /// Every record, in the order of the partitions. All of them must fit into the driver's memory; a result larger than
    /// `spark.driver.maxResultSize` fails the job before that (RT-33).
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(0..5, 2).collect()?, [0, 1, 2, 3, 4]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn collect(&self) -> Result<Vec<T>, SparkError> {
        let _scope = Scope::enter("collect");
        Ok(self.collect_partitions()?.into_iter().flatten().collect())
    }

    /// The records of each partition, in the order of the partitions: as [`Rdd::collect`], keeping them apart.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(0..3, 2).collect_partitions()?, [vec![0], vec![1, 2]]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn collect_partitions(&self) -> Result<Vec<Vec<T>>, SparkError> {
        let _scope = Scope::enter("collectPartitions");
        self.run_job(|records| records.collect::<Vec<T>>())
    }

    /// How many records there are.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.range(0, 1000, 2, 4).count()?, 500);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count(&self) -> Result<u64, SparkError> {
        let _scope = Scope::enter("count");
        Ok(self.run_job(|records| records.count() as u64)?.into_iter().sum())
    }

    /// Is there no record? Looks at as few partitions as it takes to find one.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert!(!spark.parallelize([1], 4).is_empty()?);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn is_empty(&self) -> Result<bool, SparkError> {
        let _scope = Scope::enter("isEmpty");
        Ok(self.take(1)?.is_empty())
    }

    /// One record out of all, combined two by two. `function` must be commutative and associative.
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is no record.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(1..=4, 2).reduce(|left, right| left * right)?, 24);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn reduce<F>(&self, function: F) -> Result<T, SparkError>
    where
        F: Fn(T, T) -> T + Copy + Send + Sync + 'static,
    {
        self.with(()).reduce(move |(), left, right| function(left, right))
    }

    /// All records combined, starting with `zero` in each partition and once more on the driver: it must be neutral.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(1..=4, 2).fold(0, |left, right| left + right)?, 10);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn fold<F>(&self, zero: T, function: F) -> Result<T, SparkError>
    where
        F: Fn(T, T) -> T + Copy + Send + Sync + 'static,
    {
        self.with(()).fold(zero, move |(), left, right| function(left, right))
    }

    /// One result of all records: `seq_op` adds a record to a partition's result, which starts with `zero`; `comb_op` adds
    /// the partitions' results, on the driver, starting with `zero` again.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let words = spark.parallelize(["flint", "tin"].map(String::from), 2);
    /// assert_eq!(words.aggregate(0, |sum, word| sum + word.len(), |left, right| left + right)?, 8);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn aggregate<U, SeqOp, CombOp>(&self, zero: U, seq_op: SeqOp, comb_op: CombOp) -> Result<U, SparkError>
    where
        U: Data,
        SeqOp: Fn(U, T) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(U, U) -> U + Copy + Send + Sync + 'static,
    {
        self.with(()).aggregate(
            zero,
            move |(), result, record| seq_op(result, record),
            move |(), left, right| comb_op(left, right),
        )
    }

    /// Calls `function` for each record, on the executors.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.parallelize(1..=4, 2).foreach(|n| assert!(n < 5))?;
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn foreach<F>(&self, function: F) -> Result<(), SparkError>
    where
        F: Fn(T) + Copy + Send + Sync + 'static,
    {
        self.with(()).foreach(move |(), record| function(record))
    }

    /// Calls `function` once for each partition, on the executors.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.parallelize(1..=4, 2).foreach_partition(|records| assert_eq!(records.count(), 2))?;
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition<F>(&self, function: F) -> Result<(), SparkError>
    where
        F: Fn(Records<T>) + Copy + Send + Sync + 'static,
    {
        self.with(()).foreach_partition(move |(), records| function(records))
    }

    /// The records one partition at a time, each by a job of its own when the iterator comes to it: needs memory for one
    /// partition only. Persist a data set that is dear to compute, or each job computes what it needs of it anew. After an
    /// error the iterator ends.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let records = spark.parallelize(0..5, 2).to_local_iterator().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(records, [0, 1, 2, 3, 4]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn to_local_iterator(&self) -> LocalIterator<T> {
        let call_site = CallSite::at("toLocalIterator", Location::caller());
        LocalIterator { rdd: self.clone(), call_site, next: 0, records: Vec::new().into_iter() }
    }
}

/// The records of a data set on the driver, made by [`Rdd::to_local_iterator`].
pub struct LocalIterator<T> {
    rdd: Rdd<T>,
    call_site: CallSite,
    /// The next partition.
    next: u32,
    records: std::vec::IntoIter<T>,
}

impl<T: Data> Iterator for LocalIterator<T> {
    type Item = Result<T, SparkError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.records.next() {
                return Some(Ok(record));
            }
            if self.next >= self.rdd.num_partitions() {
                return None;
            }
            let mut records = Vec::new();
            let partition = vec![Partition(self.next)];
            let collect = |(): &(), records: Records<T>| records.collect::<Vec<T>>();
            self.next += 1;
            if let Err(error) = self.rdd.with(()).run_on(&self.call_site, partition, collect, |_, all| records = all) {
                self.next = u32::MAX;
                return Some(Err(error));
            }
            self.records = records.into_iter();
        }
    }
}
