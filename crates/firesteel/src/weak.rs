//! Handles that keep nothing: whoever lists data sets must not be why they stay.

use std::{
    marker::PhantomData,
    sync::{Arc, Weak},
};

use crate::{context::SparkContext, data::Data, lineage::RddCore, rdd::Rdd};

/// A data set that may be gone. Made by [`Rdd::downgrade`].
pub struct WeakRdd<T> {
    context: SparkContext,
    core: Weak<RddCore>,
    records: PhantomData<fn() -> T>,
}

impl<T: Data> Rdd<T> {
    /// A handle that does not keep the data set, nor what is stored of it.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// let numbers = spark.range(0, 10, 1, 2);
    /// let weak = numbers.downgrade();
    /// assert_eq!(weak.upgrade().map(|rdd| rdd.id()), Some(numbers.id()));
    /// drop(numbers);
    /// assert!(weak.upgrade().is_none());
    /// ```
    pub fn downgrade(&self) -> WeakRdd<T> {
        WeakRdd { context: self.context().clone(), core: Arc::downgrade(self.core()), records: PhantomData }
    }
}

impl<T: Data> WeakRdd<T> {
    /// The data set, if there is still a handle of it or of one that is computed from it: see [`Rdd::downgrade`].
    pub fn upgrade(&self) -> Option<Rdd<T>> {
        Some(Rdd::of_core(&self.context, self.core.upgrade()?))
    }
}
