//! What a thread of the program sets for the jobs that it starts (SC-05, RT-39).
//!
//! Spark's threads inherit these from the thread that makes them. Threads here do not: a program hands them on where it
//! wants that, with [`SparkContext::inherit_local_properties`].

use std::{cell::RefCell, collections::BTreeMap};

use crate::context::SparkContext;

thread_local! {
    static LOCAL_PROPERTIES: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// A copy of what this thread has set.
pub(crate) fn of_this_thread() -> BTreeMap<String, String> {
    LOCAL_PROPERTIES.with_borrow(Clone::clone)
}

/// The local properties of one thread, to be taken over by another: job group, tags, description, scheduler pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InheritedLocalProperties(BTreeMap<String, String>);

impl SparkContext {
    /// Sets or, with `None`, removes a property for the jobs that this thread starts.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.set_local_property("spark.scheduler.pool", Some("interactive"));
    /// assert_eq!(spark.local_property("spark.scheduler.pool").as_deref(), Some("interactive"));
    /// let elsewhere = std::thread::scope(|scope| scope.spawn(|| spark.local_property("spark.scheduler.pool")).join());
    /// assert_eq!(elsewhere.unwrap(), None);
    /// ```
    pub fn set_local_property(&self, key: &str, value: Option<&str>) {
        LOCAL_PROPERTIES.with_borrow_mut(|properties| match value {
            Some(value) => {
                properties.insert(key.to_owned(), value.to_owned());
            }
            None => {
                properties.remove(key);
            }
        });
    }

    /// A property of this thread: see [`SparkContext::set_local_property`].
    pub fn local_property(&self, key: &str) -> Option<String> {
        LOCAL_PROPERTIES.with_borrow(|properties| properties.get(key).cloned())
    }

    /// The properties of this thread, for another thread that works on its behalf.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.set_job_description("nightly");
    /// let inherited = spark.inherit_local_properties();
    /// let thread = std::thread::spawn({
    ///     let spark = spark.clone();
    ///     inherited.wrap(move || spark.local_property("spark.job.description"))
    /// });
    /// assert_eq!(thread.join().unwrap().as_deref(), Some("nightly"));
    /// ```
    pub fn inherit_local_properties(&self) -> InheritedLocalProperties {
        InheritedLocalProperties(of_this_thread())
    }
}

impl InheritedLocalProperties {
    /// Runs `work` with these as the thread's properties; afterwards, also if `work` panics, the thread has its own again.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.set_job_description("nightly");
    /// let inherited = spark.inherit_local_properties();
    /// spark.set_job_description("by day");
    /// let description = inherited.run(|| spark.local_property("spark.job.description"));
    /// assert_eq!(description.as_deref(), Some("nightly"));
    /// assert_eq!(spark.local_property("spark.job.description").as_deref(), Some("by day"));
    /// ```
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        struct PutBack(BTreeMap<String, String>);
        impl Drop for PutBack {
            fn drop(&mut self) {
                LOCAL_PROPERTIES.set(std::mem::take(&mut self.0));
            }
        }
        let _put_back = PutBack(LOCAL_PROPERTIES.replace(self.0.clone()));
        work()
    }

    /// Makes these the properties of this thread, in place of its own.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// spark.set_job_description("nightly");
    /// let inherited = spark.inherit_local_properties();
    /// let elsewhere = std::thread::scope(|scope| {
    ///     let thread = scope.spawn(|| {
    ///         inherited.take_over();
    ///         spark.local_property("spark.job.description")
    ///     });
    ///     thread.join()
    /// });
    /// assert_eq!(elsewhere.unwrap().as_deref(), Some("nightly"));
    /// ```
    pub fn take_over(&self) {
        LOCAL_PROPERTIES.set(self.0.clone());
    }

    /// `work`, to be run in another thread with these properties: see [`SparkContext::inherit_local_properties`].
    pub fn wrap<R>(self, work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        move || self.run(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_its_own_properties_back_even_after_a_panic() {
        let own = BTreeMap::from([("a".to_owned(), "own".to_owned())]);
        LOCAL_PROPERTIES.set(own.clone());
        let inherited = InheritedLocalProperties(BTreeMap::from([("a".to_owned(), "inherited".to_owned())]));
        assert_eq!(inherited.run(of_this_thread), inherited.0);
        assert_eq!(of_this_thread(), own);
        let caught = std::panic::catch_unwind(|| inherited.run(|| std::panic::resume_unwind(Box::new(()))));
        assert!(caught.is_err());
        assert_eq!(of_this_thread(), own);
    }
}
