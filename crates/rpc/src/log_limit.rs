//! Log lines that strangers can bring about are few, however often they try.
//!
//! Whoever reaches a listening port can open connections and fail. Each of those deserves a line, and thousands would bury
//! what else the log says and fill the disk. So the first is told at once, and those that follow are counted; the next
//! line after [`LogLimit::INTERVAL`] says how many there were.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Decides which occurrences of one kind are told. It has no clock.
#[derive(Debug, Default)]
pub struct LogLimit {
    told: Option<Instant>,
    untold: u64,
}

impl LogLimit {
    /// At most one line in so long a time.
    pub const INTERVAL: Duration = Duration::from_secs(10);

    /// It has happened at `now`. If that is to be told: how many since the last line were not.
    pub fn happened(&mut self, now: Instant) -> Option<u64> {
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < Self::INTERVAL) {
            self.untold += 1;
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// The connections that one listening socket has refused.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<LogLimit>);

impl Refusals {
    /// Says that a connection was refused, unless that was said just now.
    pub fn refused(&self, peer: &dyn Display, error: &dyn Display) {
        let happened = self.0.lock().happened(Instant::now());
        if let Some(untold) = happened {
            tracing::warn!(%peer, %error, untold, "connection refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_the_others_are_counted() {
        let start = Instant::now();
        let mut limit = LogLimit::default();
        let mut happened = |millis: u64| limit.happened(start + Duration::from_millis(millis));
        assert_eq!(happened(0), Some(0));
        assert!((1..5000).all(|millis| happened(millis).is_none()));
        assert_eq!(happened(9_999), None);
        assert_eq!(happened(10_000), Some(5000));
        assert_eq!(happened(10_001), None, "the interval begins anew");
        assert_eq!(happened(60_000), Some(1));
        assert_eq!(happened(120_000), Some(0));
    }
}
