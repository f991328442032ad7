//! Where in the user's program something was made, and by which operation.

use std::{
    cell::{Cell, RefCell},
    panic::Location,
};

use crate::context::SparkContext;

/// Where in the user's program an operation was called, as Spark shows it.
pub(crate) struct CallSite {
    pub(crate) operation: &'static str,
    pub(crate) short: String,
    pub(crate) long: String,
}

thread_local! {
    /// The operation of the user's that others are made for.
    static OUTERMOST: Cell<Option<(&'static str, &'static Location<'static>)>> = const { Cell::new(None) };
    /// What the thread says instead.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

impl SparkContext {
    /// Names the place in the program that this thread's jobs and data sets are shown to come from, where the call in this
    /// language is not what the user wrote: for programs that run others. `None` ends that.
    ///
    /// ```
    /// # let spark = firesteel::examples::context();
    /// use firesteel::ListenerEvent;
    ///
    /// let (send, names) = std::sync::mpsc::channel();
    /// spark.add_spark_listener(move |event| {
    ///     if let ListenerEvent::StageSubmitted { stage, .. } = event {
    ///         let _ = send.send(stage.name.clone());
    ///     }
    /// })?;
    /// spark.set_call_site(Some("count at words.py:7"));
    /// spark.range(0, 10, 1, 2).count()?;
    /// spark.set_call_site(None);
    /// assert_eq!(names.recv().unwrap(), "count at words.py:7");
    /// # Ok::<(), firesteel::SparkError>(())
    /// ```
    pub fn set_call_site(&self, call_site: Option<&str>) {
        SAID.set(call_site.map(str::to_owned));
    }
}

/// What this thread says where it is ([`SparkContext::set_call_site`]).
pub(crate) fn said() -> Option<String> {
    SAID.with_borrow(Clone::clone)
}

/// While it lives, everything that its thread makes carries the name and the place of one operation: of the outermost, if
/// several are nested. An operation that is made of others starts with it, so that the user sees what the user called.
pub(crate) struct Scope {
    outermost: bool,
}

impl Scope {
    #[track_caller]
    pub(crate) fn enter(operation: &'static str) -> Self {
        let outermost = OUTERMOST.get().is_none();
        if outermost {
            OUTERMOST.set(Some((operation, Location::caller())));
        }
        Self { outermost }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.outermost {
            OUTERMOST.set(None);
        }
    }
}

impl CallSite {
    /// The call of `operation` at `location`, or the outermost one in whose [`Scope`] that is.
    pub(crate) fn at(operation: &'static str, location: &Location<'_>) -> Self {
        let described = match OUTERMOST.get() {
            Some((outermost, location)) => Self::describe(outermost, location),
            None => Self::describe(operation, location),
        };
        match said() {
            Some(said) => Self { short: said.clone(), long: said, ..described },
            None => described,
        }
    }

    fn describe(operation: &'static str, location: &Location<'_>) -> Self {
        let file = location.file().rsplit('/').next().unwrap_or_default();
        Self {
            operation,
            short: format!("{operation} at {file}:{}", location.line()),
            long: format!("{operation} at {}:{}:{}", location.file(), location.line(), location.column()),
        }
    }
}
