//! Where things are made, in the words of the program.
//!
//! PySpark says where in the program an action was called, and nothing where data sets are made. Those Spark shows with the place in
//! its own sources that PySpark has called, and so do we: ours would tell the user nothing.

use std::cell::RefCell;

use firesteel::SparkContext;

thread_local! {
    /// What the program has said, or a member of a class.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What calls from the program are shown as that Spark has no other place for.
pub(crate) const NATIVE: &str = "NativeMethodAccessorImpl.java:0";

/// `setCallSite` of the program.
pub(crate) fn set(context: &SparkContext, call_site: Option<&str>) {
    context.set_call_site(call_site);
    SAID.set(call_site.map(str::to_owned));
}

/// The place that counts on this thread: what is said, or else this one.
pub(crate) fn or_default(place: &str) -> String {
    SAID.with_borrow(Clone::clone).unwrap_or_else(|| place.to_owned())
}

/// What `make` makes is shown with this place, unless the program has said another. The outermost counts.
pub(crate) fn by_default<R>(context: &SparkContext, place: &str, make: impl FnOnce() -> R) -> R {
    /// Also when something unwinds.
    struct Unset<'a>(&'a SparkContext);
    impl Drop for Unset<'_> {
        fn drop(&mut self) {
            set(self.0, None);
        }
    }
    if SAID.with_borrow(Option::is_some) {
        return make();
    }
    set(context, Some(place));
    let _unset = Unset(context);
    make()
}

/// As [`by_default`], for a member that Spark shows by its name only.
pub(crate) fn native<R>(context: &SparkContext, member: &str, make: impl FnOnce() -> R) -> R {
    by_default(context, &format!("{member} at {NATIVE}"), make)
}
