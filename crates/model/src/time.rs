//! Time as the cores see it: passed in, never read.

use std::{ops, time::Duration};

/// A moment on a monotonic clock: milliseconds since whoever passes it in began to count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl ops::Add<Duration> for Moment {
    type Output = Self;

    /// A wait too long to count in milliseconds ends at the last moment there is.
    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The present, on both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For waits and time-outs; never goes back.
    pub moment: Moment,
    /// For listener events: milliseconds since the Unix epoch.
    pub wall_clock_ms: i64,
}
