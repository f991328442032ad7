//! Reductions whose last steps run on executors too: for large results of many partitions, which one driver would take long to
//! put together.

use crate::{
    call_site::Scope,
    data::{Data, Records},
    env::Env,
    error::SparkError,
    partitioner::IndexPartitioner,
    rdd::Rdd,
    with::With,
};

impl<T: Data, E: Env + Clone> With<T, E> {
    /// As [`Rdd::tree_reduce`].
    #[track_caller]
    pub fn tree_reduce<F>(self, function: F, depth: u32) -> Result<T, SparkError>
    where
        F: Fn(&E, T, T) -> T + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("treeReduce");
        let join = move |env: &E, left: Option<T>, right: Option<T>| match (left, right) {
            (Some(left), Some(right)) => Some(function(env, left, right)),
            (left, right) => left.or(right),
        };
        let reduced = self.tree_aggregate(
            None,
            move |env, result: Option<T>, record| join(env, result, Some(record)),
            move |env, left, right| join(env, left, right),
            depth,
        )?;
        reduced.ok_or(SparkError::EmptyCollection { operation: "treeReduce" })
    }

    /// As [`Rdd::tree_aggregate`].
    #[track_caller]
    pub fn tree_aggregate<U, SeqOp, CombOp>(
        self,
        zero: U,
        seq_op: SeqOp,
        comb_op: CombOp,
        depth: u32,
    ) -> Result<U, SparkError>
    where
        U: Data,
        SeqOp: Fn(&E, U, T) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(&E, U, U) -> U + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("treeAggregate");
        if depth == 0 {
            return Err(SparkError::InvalidArgument("the depth of a tree must be at least 1".to_owned()));
        }
        let Self { rdd, env } = self;
        let mut partitions = rdd.num_partitions();
        let parts = rdd.with((env.clone(), zero.clone()));
        let mut results: Rdd<U> = parts.map_partitions(move |(env, zero), records: Records<T>| {
            [records.fold(zero.clone(), |result, record| seq_op(env, result, record))]
        });
        // So many results are put together at a time that `depth` times make one.
        let scale = f64::from(partitions).powf(1.0 / f64::from(depth)).ceil().max(2.0) as u32;
        // Another level is worth a shuffle only if it leaves the driver with less than the level itself takes.
        while partitions > scale + partitions.div_ceil(scale) {
            partitions /= scale;
            let numbered = results.with(partitions).map_partitions_with_index(|partitions, index, results| {
                let group = index % *partitions;
                results.map(move |result| (group, result))
            });
            let partitioner = IndexPartitioner { partitions };
            // As in Spark the zero value goes in at each level.
            let grouped = numbered.with(env.clone()).fold_by_key_with(zero.clone(), comb_op, &partitioner);
            results = grouped.values();
        }
        results.with(env).fold(zero, comb_op)
    }
}

impl<T: Data> Rdd<T> {
    /// As [`Rdd::reduce`]; with many partitions their results are first put together on executors, in a tree of about this
    /// depth (Spark's default is 2). An action; each level above the last is a shuffle of one result for each partition.
    ///
    /// # Errors
    ///
    /// [`SparkError::EmptyCollection`] if there is no record.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.range(0, 100, 1, 20).tree_reduce(|left, right| left + right, 2)?, 4950);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn tree_reduce<F>(&self, function: F, depth: u32) -> Result<T, SparkError>
    where
        F: Fn(T, T) -> T + Copy + Send + Sync + 'static,
    {
        self.with(()).tree_reduce(move |(), left, right| function(left, right), depth)
    }

    /// As [`Rdd::aggregate`], in a tree: see [`Rdd::tree_reduce`].
    ///
    /// # Errors
    ///
    /// [`SparkError::InvalidArgument`] if the depth is 0.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 100, 1, 20);
    /// assert_eq!(numbers.tree_aggregate(0, |count, _| count + 1, |left, right| left + right, 3)?, 100);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn tree_aggregate<U, SeqOp, CombOp>(
        &self,
        zero: U,
        seq_op: SeqOp,
        comb_op: CombOp,
        depth: u32,
    ) -> Result<U, SparkError>
    where
        U: Data,
        SeqOp: Fn(U, T) -> U + Copy + Send + Sync + 'static,
        CombOp: Fn(U, U) -> U + Copy + Send + Sync + 'static,
    {
        self.with(()).tree_aggregate(
            zero,
            move |(), result, record| seq_op(result, record),
            move |(), left, right| comb_op(left, right),
            depth,
        )
    }
}
