//! How long a peer that owes something may be silent.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How long a peer that owes something may be silent. A peer that owes nothing may be silent for ever.
#[derive(Debug)]
pub(crate) struct Patience {
    time_out: Duration,
    started: Instant,
    /// Since when something is owed and nothing was heard, in milliseconds after `started`, plus one; 0: nothing is owed.
    since: AtomicU64,
}

impl Patience {
    pub(crate) fn new(time_out: Duration) -> Self {
        Self { time_out, started: Instant::now(), since: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }

    /// Something is owed from now on, if it was not before.
    pub(crate) fn start(&self) {
        let _ = self.since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Nothing is owed.
    pub(crate) fn stop(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Something was heard.
    pub(crate) fn heard(&self) {
        let since = self.since.load(Ordering::Relaxed);
        if since != 0 {
            // A `stop` in between wins.
            let _ = self.since.compare_exchange(since, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// How long to wait before asking again; nothing if patience has run out.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        match self.since.load(Ordering::Relaxed) {
            0 => Some(self.time_out),
            since => {
                let silence = Duration::from_millis(self.now().saturating_sub(since));
                self.time_out.checked_sub(silence).filter(|left| !left.is_zero())
            }
        }
    }

    pub(crate) fn time_out(&self) -> Duration {
        self.time_out
    }
}
