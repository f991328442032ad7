//! Panics of users' code in tasks: reported as task failures, with their place, instead of on the executor's stderr.

use std::{
    cell::{Cell, RefCell},
    panic,
    sync::Once,
};

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics on task threads silent and remembers where they happened. Other threads keep the hook that was there.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IN_TASK.get() {
                LOCATION.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}

/// Runs `work` as a task does; gives what it unwound with, and where a panic happened.
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, (Box<dyn std::any::Any + Send>, Option<String>)> {
    // One may be inside another: what comes after the inner one is still the task's.
    let outer = IN_TASK.replace(true);
    LOCATION.set(None);
    // The work's state is dropped with the task; what outlives it (metrics, memory) is safe to look at after a panic.
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(work));
    IN_TASK.set(outer);
    outcome.map_err(|caught| (caught, LOCATION.take()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_inner_catch_is_still_the_task_s() {
        install_hook();
        let (_, location) = catch(|| {
            let (_, inner) = catch(|| panic!("inner")).unwrap_err();
            assert!(inner.is_some());
            panic!("outer")
        })
        .map(|(): ()| ())
        .unwrap_err();
        assert!(location.is_some_and(|location| location.contains("panics.rs")));
        assert!(!IN_TASK.get());
    }
}
