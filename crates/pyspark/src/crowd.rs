//! Programs with very many threads, each of which has a connection and so a thread here: what they cost this process while they live,
//! and that it is given back when they have gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use firesteel_python_worker::huge_pages;
use parking_lot::Mutex;
use tracing::warn;

use crate::allocator;

/// So many connections are no crowd: with huge pages they take 60 MB, which is less than what those save a program with much data.
const NO_CROWD: usize = 32;
/// A crowd has gone when nobody has come or gone for so long: long enough that the last threads have ended.
const QUIET: Duration = Duration::from_secs(1);

/// Is told how many connections there are.
#[derive(Default)]
pub(crate) struct Crowd {
    live: AtomicUsize,
    changes: AtomicU64,
    /// Waits for the end of a crowd, as long as there is one.
    attendant: Mutex<Option<Thread>>,
}

impl Crowd {
    /// There are so many.
    pub(crate) fn is_now(self: &Arc<Self>, live: usize) {
        self.live.store(live, Ordering::Release);
        self.changes.fetch_add(1, Ordering::Release);
        let mut attendant = self.attendant.lock();
        if let Some(attendant) = &*attendant {
            return attendant.unpark();
        }
        if live <= NO_CROWD {
            return;
        }
        huge_pages::refuse(true);
        let crowd = Arc::clone(self);
        match thread::Builder::new().name("py4j-crowd".to_owned()).spawn(move || crowd.attend()) {
            Ok(started) => *attendant = Some(started.thread().clone()),
            // The next connection tries again; without one, the memory stays.
            Err(error) => warn!(%error, "could not start the thread that gives memory back"),
        }
    }

    fn attend(&self) {
        loop {
            if self.live.load(Ordering::Acquire) > NO_CROWD {
                thread::park();
                continue;
            }
            let changes = self.changes.load(Ordering::Acquire);
            thread::park_timeout(QUIET);
            let mut attendant = self.attendant.lock();
            if self.changes.load(Ordering::Acquire) == changes {
                *attendant = None;
                // Before the next crowd can come.
                huge_pages::refuse(false);
                drop(attendant);
                return allocator::give_back();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_crowd_is_attended_until_it_has_gone() {
        let crowd = Arc::new(Crowd::default());
        let is_attended = || crowd.attendant.lock().is_some();
        crowd.is_now(NO_CROWD);
        assert!(!is_attended());
        for live in [NO_CROWD + 1, NO_CROWD, NO_CROWD + 1] {
            crowd.is_now(live);
            assert!(is_attended(), "{live}");
        }
        crowd.is_now(0);
        let deadline = Instant::now() + Duration::from_secs(60);
        while is_attended() {
            assert!(Instant::now() < deadline, "nobody has seen that they have gone");
            thread::yield_now();
        }
    }
}
