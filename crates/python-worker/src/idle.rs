//! What is idle, and for how long: decisions only, with time passed in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// As in Spark, which has no key for it.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(60);

/// Things that wait to be used again.
#[derive(Debug)]
pub(crate) struct Idle<T> {
    /// With the time since which they are idle, the oldest first.
    waiting: VecDeque<(Instant, T)>,
    most: usize,
}

impl<T> Idle<T> {
    /// Of more than `most` the oldest go.
    pub(crate) fn new(most: Option<u32>) -> Self {
        Self { waiting: VecDeque::new(), most: most.map_or(usize::MAX, |most| most as usize) }
    }

    /// One more. Gives what has to go for it.
    pub(crate) fn put(&mut self, now: Instant, thing: T) -> Option<T> {
        self.waiting.push_back((now, thing));
        if self.waiting.len() > self.most { self.waiting.pop_front().map(|(_, thing)| thing) } else { None }
    }

    /// The one that was used last: its memory is warm.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.waiting.pop_back().map(|(_, thing)| thing)
    }

    /// Those that were idle for too long.
    pub(crate) fn evict(&mut self, now: Instant) -> Vec<T> {
        let fresh = self.waiting.partition_point(|(since, _)| now.saturating_duration_since(*since) >= IDLE_TIME);
        self.waiting.drain(..fresh).map(|(_, thing)| thing).collect()
    }

    /// When there may be something to evict, at the earliest.
    pub(crate) fn next_eviction(&self, now: Instant) -> Instant {
        self.waiting.front().map_or(now, |(since, _)| *since) + IDLE_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_used_is_used_next() {
        let now = Instant::now();
        let mut idle = Idle::new(None);
        assert_eq!([idle.put(now, 'a'), idle.put(now, 'b')], [None, None]);
        assert_eq!([idle.take(), idle.take(), idle.take()], [Some('b'), Some('a'), None]);
    }

    #[test]
    fn of_too_many_the_oldest_goes() {
        let now = Instant::now();
        let mut idle = Idle::new(Some(1));
        assert_eq!([idle.put(now, 'a'), idle.put(now, 'b'), idle.put(now, 'c')], [None, Some('a'), Some('b')]);
        assert_eq!(idle.take(), Some('c'));
    }

    #[test]
    fn what_is_not_used_for_a_minute_goes() {
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        let mut idle = Idle::new(None);
        assert_eq!(idle.next_eviction(begin), begin + IDLE_TIME);
        idle.put(begin, 'a');
        idle.put(begin + second, 'b');
        assert_eq!(idle.next_eviction(begin + 5 * second), begin + IDLE_TIME);
        assert_eq!(idle.evict(begin + IDLE_TIME - second), []);
        assert_eq!(idle.evict(begin + IDLE_TIME), ['a']);
        assert_eq!(idle.next_eviction(begin + IDLE_TIME), begin + second + IDLE_TIME);
        assert_eq!(idle.take(), Some('b'));
    }
}
