//! Removing shuffle files before nothing refers to them any more.

use std::{collections::HashSet, sync::Arc};

use firesteel_conf::keys;
use firesteel_driver::Removal;

use crate::{data::Data, error::SparkError, lineage::RddCore, persist, rdd::Rdd};

impl<T: Data> Rdd<T> {
    /// Removes the files of the shuffles that this data set is computed from, up to data sets that are persisted. An action that
    /// needs them runs their map stages again. With `blocking`, returns when every executor has done so. Does nothing if
    /// `spark.cleaner.referenceTracking` is `false`, as in Spark.
    ///
    /// # Errors
    ///
    /// [`SparkError::Configuration`] if that key is neither `true` nor `false`.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let computed = spark.long_accumulator("computed");
    /// let pairs = spark.range(0, 6, 1, 2).with(computed.clone()).map(|computed, n| {
    ///     computed.add(1);
    ///     (n % 3, n)
    /// });
    /// let sums = pairs.reduce_by_key(|left, right| left + right);
    /// assert_eq!((sums.count()?, sums.count()?, computed.value()), (3, 3, 6));
    /// sums.clean_shuffle_dependencies(true)?;
    /// assert_eq!((sums.count()?, computed.value()), (3, 12));
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn clean_shuffle_dependencies(&self, blocking: bool) -> Result<(), SparkError> {
        let context = self.context();
        if !context.conf().get(&keys::CLEANER_REFERENCE_TRACKING)? {
            return Ok(());
        }
        let mut left: Vec<Arc<RddCore>> = vec![Arc::clone(self.core())];
        let mut seen = HashSet::new();
        while let Some(rdd) = left.pop() {
            let (parents, shuffles) = rdd.lineage().0;
            for shuffle in &shuffles {
                persist::remove(context.driver(), Removal::Shuffle(shuffle.id()), blocking);
            }
            let behind = shuffles.iter().map(|shuffle| Arc::clone(shuffle.parent()));
            let unseen = parents.into_iter().chain(behind).filter(|parent| !parent.storage_level().is_valid());
            left.extend(unseen.filter(|parent| seen.insert(parent.id())).collect::<Vec<_>>());
        }
        Ok(())
    }
}
