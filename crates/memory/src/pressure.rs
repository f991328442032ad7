//! What follows when the process holds more than its pools know of.
//!
//! The pools count what they have granted, and records by estimates. Closures allocate beside them, and an estimate can be too
//! small. Both show only in what the kernel counts for the whole process. That number says nothing about who holds how much, so
//! there are two answers to it:
//!
//! ```text
//!  0            given                   half way                   limit
//!  |--------------|------------------------|-------------------------|
//!    pools whole    pools shrink to nothing   pools are empty          the process ends
//!                   ^    ^    ^    ^    ^    ^    ^    ^    ^ recalls, while it grows
//! ```
//!
//! - *Unaccounted* memory takes its part of both pools, so that nobody is granted what is not there. That is enough where sizes
//!   are right.
//! - A *recall* asks all who gather records to put them on disk now, whatever they were granted. That is what helps where sizes
//!   are wrong, as then the pools look empty. There is one for each sixteenth of the way by which the process has grown, so that
//!   what lies on disk in small pieces is bounded by what was really held; a process that stays as large as it is has no more.

use firesteel_model::ByteCount;

/// A process grows by this part of what lies between its limits from one recall to the next. With the least overhead, 384 MiB,
/// that is 24 MiB: eight recalls before the pools are empty, and as many before the end.
const RECALLS: u64 = 16;

/// How much a process may hold, as the kernel counts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResidentLimits {
    /// What it was given for its pools and its own needs: `spark.executor.memory`, and `spark.memory.offHeap.size` if that is
    /// enabled. Up to here the pools may be used whole.
    pub given: ByteCount,
    /// That and the overhead: a process that holds more ends.
    pub limit: ByteCount,
}

impl ResidentLimits {
    /// How much of a pool is taken by what the pools do not know: nothing up to what was given, all from half way to the limit.
    pub(crate) fn unaccounted(&self, capacity: u64, resident: ByteCount) -> u64 {
        let beyond = resident.bytes().saturating_sub(self.given.bytes());
        let half_way = self.between() / 2;
        if beyond >= half_way {
            return if beyond > 0 { capacity } else { 0 };
        }
        // Less than the capacity, since `beyond` is less than what it is divided by.
        (u128::from(capacity) * u128::from(beyond) / u128::from(half_way)) as u64
    }

    fn between(&self) -> u64 {
        self.limit.bytes().saturating_sub(self.given.bytes())
    }
}

/// What an observation has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pressure {
    /// The process holds more than it was given.
    pub is_pressed: bool,
    /// The pools have become larger or smaller: whoever waits asks again.
    pub is_changed: bool,
    /// Whoever gathers records puts them on disk now.
    pub is_recall: bool,
}

/// Decides when memory is recalled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recalls {
    /// What the process held at the last recall, or at its least since then.
    mark: u64,
}

impl Recalls {
    /// Is it time for a recall?
    pub(crate) fn observe(&mut self, limits: &ResidentLimits, resident: ByteCount) -> bool {
        let held = resident.bytes().max(limits.given.bytes());
        self.mark = self.mark.clamp(limits.given.bytes(), held);
        let is_recall = held - self.mark >= (limits.between() / RECALLS).max(1);
        if is_recall {
            self.mark = held;
        }
        is_recall
    }
}
