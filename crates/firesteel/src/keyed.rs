//! Data sets of pairs out of data sets of anything, and counts by value.

use std::collections::HashMap;

use crate::{
    call_site::Scope,
    data::{Data, Key},
    env::Env,
    error::SparkError,
    partitioner::Partitioning,
    rdd::Rdd,
    with::With,
};

impl<T: Data, E: Env> With<T, E> {
    /// As [`Rdd::key_by`].
    #[track_caller]
    pub fn key_by<K: Data, F>(self, key: F) -> Rdd<(K, T)>
    where
        F: Fn(&E, &T) -> K + Copy + Send + Sync + 'static,
    {
        self.map_as("keyBy", None, move |env, record| (key(env, &record), record))
    }

    /// As [`Rdd::group_by`].
    #[track_caller]
    pub fn group_by<K: Key, F>(self, key: F) -> Rdd<(K, Vec<T>)>
    where
        F: Fn(&E, &T) -> K + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("groupBy");
        self.key_by(key).group_by_key()
    }

    /// As [`Rdd::group_by_with`].
    #[track_caller]
    pub fn group_by_with<K: Key, F>(self, key: F, partitioning: impl Partitioning<K>) -> Rdd<(K, Vec<T>)>
    where
        F: Fn(&E, &T) -> K + Copy + Send + Sync + 'static,
    {
        let _scope = Scope::enter("groupBy");
        self.key_by(key).group_by_key_with(partitioning)
    }
}

impl<T: Data> Rdd<T> {
    /// Each record with a key that is made of it. Lazy; no shuffle.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let words = spark.parallelize(["tin", "steel"].map(String::from), 2);
    /// assert_eq!(words.key_by(|word| word.len()).keys().collect()?, [3, 5]);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn key_by<K: Data, F>(&self, key: F) -> Rdd<(K, T)>
    where
        F: Fn(&T) -> K + Copy + Send + Sync + 'static,
    {
        self.with(()).key_by(move |(), record| key(record))
    }

    /// The records of each key in one vector; those of one key must fit into memory. Lazy; shuffles every record. See
    /// [`Rdd::group_by_key`].
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let parity = spark.parallelize(1..=5, 2).group_by(|n| n % 2);
    /// assert_eq!(parity.map_values(|numbers| numbers.len()).collect_as_map()?, [(0, 2), (1, 3)].into());
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn group_by<K: Key, F>(&self, key: F) -> Rdd<(K, Vec<T>)>
    where
        F: Fn(&T) -> K + Copy + Send + Sync + 'static,
    {
        self.with(()).group_by(move |(), record| key(record))
    }

    /// As [`Rdd::group_by`], partitioned as asked.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let parity = spark.parallelize(1..=5, 2).group_by_with(|n| n % 2, 7);
    /// assert_eq!((parity.num_partitions(), parity.lookup(&0)?), (7, vec![vec![2, 4]]));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn group_by_with<K: Key, F>(&self, key: F, partitioning: impl Partitioning<K>) -> Rdd<(K, Vec<T>)>
    where
        F: Fn(&T) -> K + Copy + Send + Sync + 'static,
    {
        self.with(()).group_by_with(move |(), record| key(record), partitioning)
    }
}

impl<T: Key> Rdd<T> {
    /// How often each record occurs, in a map on the driver, which must hold all distinct ones. An action; shuffles one number
    /// for each distinct record and partition.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// assert_eq!(spark.parallelize(['a', 'b', 'a'], 2).count_by_value()?[&'a'], 2);
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    #[track_caller]
    pub fn count_by_value(&self) -> Result<HashMap<T, u64>, SparkError> {
        let _scope = Scope::enter("countByValue");
        self.map(|record| (record, 1)).reduce_by_key(|left, right| left + right).collect_as_map()
    }
}
