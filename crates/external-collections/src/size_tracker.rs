//! A running estimate of the heap bytes of many records, from measuring a few of them.
//!
//! The idea is that of Spark's `SizeTracker`: measure ever more rarely as the collection grows by a factor of 1.1, and
//! extrapolate in between. Two things differ. Records are measured as they arrive, not the collection as a whole, so that a
//! key which takes most values is seen as often as it grows. And the distance between two measurements has a limit that
//! follows what a measurement costs, so that a change in the data late in a large partition is not missed.

use std::mem::needs_drop;

use serde::Serialize;

use firesteel_model::{HeapMeasurement, measure_heap};

/// Each of the first records is measured.
const FIRST_SAMPLES: u64 = 16;
/// Measurements are at most so many records apart, unless they are costly …
const SAMPLE_DISTANCE: u64 = 64;
/// … and then so many records per value visited, which keeps measuring below a tenth of the work.
const RECORDS_PER_VISIT: u64 = 8;
/// The last so many measurements make the mean, more or less: few, so that a change is followed within some 200 records.
const MEAN_SAMPLES: f64 = 4.0;

/// Estimates the heap bytes that records (or changes of records) add up to.
#[derive(Clone, Debug)]
pub(crate) struct SizeTracker {
    events: u64,
    next_sample: u64,
    samples: u64,
    mean_bytes: f64,
    /// Estimate of everything up to `settled_events`.
    settled_bytes: f64,
    settled_events: u64,
}

impl SizeTracker {
    /// For records of this type. Types that need no drop hold no heap, and are never measured.
    pub(crate) fn new<T>() -> Self {
        Self {
            events: 0,
            next_sample: if needs_drop::<T>() { 1 } else { u64::MAX },
            samples: 0,
            mean_bytes: 0.0,
            settled_bytes: 0.0,
            settled_events: 0,
        }
    }

    /// Counts a record, which is measured if its turn has come. Says whether it was.
    #[inline]
    pub(crate) fn add<T: Serialize>(&mut self, record: &T) -> bool {
        let is_due = self.count();
        if is_due {
            let HeapMeasurement { bytes, visits } = measure_heap(record);
            self.sample(bytes as f64, visits);
        }
        is_due
    }

    /// Counts an event. If the result is true, the caller must call [`sample`](Self::sample) for it.
    #[inline]
    pub(crate) fn count(&mut self) -> bool {
        self.events += 1;
        self.events >= self.next_sample
    }

    /// Takes the measurement of the event that was last counted.
    #[cold]
    pub(crate) fn sample(&mut self, bytes: f64, visits: u64) {
        self.samples += 1;
        let weight = (1.0 / self.samples as f64).max(1.0 / MEAN_SAMPLES);
        self.mean_bytes += (bytes - self.mean_bytes) * weight;
        // The measured event itself counts as it is; those before it, which nobody saw, count as the mean.
        let unseen = (self.events - self.settled_events - 1) as f64;
        self.settled_bytes += bytes + unseen * self.mean_bytes;
        self.settled_events = self.events;
        let distance = if self.events < FIRST_SAMPLES {
            1
        } else {
            (self.events / 10).clamp(1, SAMPLE_DISTANCE.max(visits * RECORDS_PER_VISIT))
        };
        self.next_sample = self.events + distance;
    }

    /// The estimated bytes of everything counted so far.
    pub(crate) fn bytes(&self) -> u64 {
        let unsettled = (self.events - self.settled_events) as f64;
        (self.settled_bytes + unsettled * self.mean_bytes).max(0.0) as u64
    }

    /// What one more event is expected to add.
    pub(crate) fn mean_bytes(&self) -> u64 {
        self.mean_bytes.max(0.0) as u64
    }

    /// Starts again from nothing, but remembers what records look like.
    pub(crate) fn clear(&mut self) {
        let next_sample = if self.next_sample == u64::MAX { u64::MAX } else { 1 };
        *self = Self { events: 0, settled_events: 0, settled_bytes: 0.0, next_sample, ..self.clone() };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allocated(string: &str) -> u64 {
        string.len() as u64 + 16
    }

    proptest! {
        /// Records that come in no particular order are estimated within a factor of two, however they vary.
        #[test]
        fn strings_are_within_a_factor_of_two(lengths in prop::collection::vec(1usize..2000, 200..1500)) {
            let mut tracker = SizeTracker::new::<String>();
            let mut truth = 0;
            for length in lengths {
                let string = "x".repeat(length);
                tracker.add(&string);
                truth += allocated(&string);
            }
            prop_assert!(tracker.bytes() * 2 >= truth && tracker.bytes() <= truth * 2, "{} for {truth}", tracker.bytes());
        }
    }

    #[test]
    fn a_change_late_in_the_partition_is_noticed() {
        let mut tracker = SizeTracker::new::<String>();
        for _ in 0..100_000 {
            tracker.add(&"short".to_owned());
        }
        let before = tracker.bytes();
        let long = "long".repeat(1000);
        for _ in 0..2_000 {
            tracker.add(&long);
        }
        let added = tracker.bytes() - before;
        let truth = 2_000 * allocated(&long);
        assert!(added * 3 > truth * 2 && added * 2 < truth * 3, "{added} for {truth}");
    }

    #[test]
    fn plain_data_is_never_measured() {
        let mut tracker = SizeTracker::new::<(u64, [f64; 4])>();
        assert!((0..1000).all(|_| !tracker.count()));
        assert_eq!(tracker.bytes(), 0);
    }
}
