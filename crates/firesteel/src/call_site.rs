//! Where in the user's program something was made, and by which operation.

use std::{cell::Cell, panic::Location};

/// Where in the user's program an operation was called, as Spark shows it.
pub(crate) struct CallSite {
    pub(crate) operation: &'static str,
    pub(crate) short: String,
    pub(crate) long: String,
}

thread_local! {
    /// The operation of the user's that others are made for.
    static OUTERMOST: Cell<Option<(&'static str, &'static Location<'static>)>> = const { Cell::new(None) };
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
        match OUTERMOST.get() {
            Some((outermost, location)) => Self::describe(outermost, location),
            None => Self::describe(operation, location),
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
