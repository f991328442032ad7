//! Sorting more records than memory holds.
//!
//! Records gather in a vector; when memory is refused, the vector is sorted and written as a run. At the end the runs and
//! what is still in memory are merged. Without a run this is a vector and its sort, and costs what they cost.
//!
//! The sort is stable in the order of insertion, which is the order that Spark keeps within a task.
//!
//! The kill flag is looked at before and after the vector is sorted, not in between: sorting it in pieces to look more often
//! made strings up to twice as slow.

use std::{cmp::Ordering, rc::Rc};

use crate::{
    Record, SpillContext, SpillError,
    budget::MemoryBudget,
    error::INCOMPLETE,
    run::{Merge, Run, RunSource, reduce_runs},
    size_tracker::SizeTracker,
    sorted_records::{self, ORDER_BYTES, Prefix, SortedRecords},
};

/// The kill flag is looked at after this many records at the latest.
const CHECK_DISTANCE: u64 = 4096;

/// Sorts records by an ordering function, spilling sorted runs.
pub struct ExternalSorter<T: Record, F> {
    context: SpillContext,
    compare: F,
    prefix: Option<Prefix<T>>,
    budget: MemoryBudget,
    records: Vec<T>,
    heap: SizeTracker,
    until_check: u64,
    runs: Vec<Run<T>>,
    /// A spill has begun and not ended.
    is_incomplete: bool,
}

impl<T: Record, F: Fn(&T, &T) -> Ordering> ExternalSorter<T, F> {
    /// An empty sorter. `compare` must be a total order; for descending order reverse it.
    pub fn new(context: &SpillContext, compare: F) -> Self {
        Self {
            context: context.clone(),
            compare,
            prefix: None,
            budget: MemoryBudget::new(context),
            records: Vec::new(),
            heap: SizeTracker::new::<T>(),
            until_check: 1,
            runs: Vec::new(),
            is_incomplete: false,
        }
    }

    /// Compares records by a number first: see [`sort_prefix`](crate::sort_prefix). Records with different prefixes must be in
    /// the order of their prefixes by the sorter's own order.
    pub fn with_prefix(mut self, prefix: impl Fn(&T) -> u64 + 'static) -> Self {
        self.prefix = Some(Rc::new(prefix));
        self
    }

    /// Takes a record, spilling those before it if memory is refused.
    #[inline]
    pub fn insert(&mut self, record: T) -> Result<(), SpillError> {
        if self.records.len() == self.records.capacity() {
            self.grow()?;
        }
        self.heap.add(&record);
        self.records.push(record);
        self.until_check -= 1;
        if self.until_check == 0 || self.budget.is_recalled() { self.check() } else { Ok(()) }
    }

    /// Takes records until one is an error.
    pub fn insert_all<E: From<SpillError>>(
        &mut self,
        records: impl IntoIterator<Item = Result<T, E>>,
    ) -> Result<(), E> {
        for record in records {
            self.insert(record?)?;
        }
        Ok(())
    }

    /// The records in order. Those in memory are sorted now; those in runs are merged as they are asked for.
    ///
    /// # Panics
    ///
    /// If an earlier call failed to spill.
    pub fn finish(mut self) -> Result<Sorted<T, F>, SpillError> {
        assert!(!self.is_incomplete, "{INCOMPLETE}");
        let records = self.sort()?;
        let Self { context, compare, budget, runs, .. } = self;
        if runs.is_empty() {
            return Ok(Sorted { state: State::Memory(records), _budget: budget });
        }
        let runs = reduce_runs(&context, runs, |runs| {
            let sources = runs.into_iter().map(|run| run.into_source(&context)).collect::<Result<_, _>>()?;
            let mut merge = Merge::new(sources, &compare)?;
            Run::write(&context, |writer| {
                while let Some(record) = merge.pop()? {
                    writer.write(&record)?;
                }
                Ok(())
            })
        })?;
        let mut sources = runs.into_iter().map(|run| run.into_source(&context)).collect::<Result<Vec<_>, _>>()?;
        sources.push(RunSource::Memory(records));
        Ok(Sorted { state: State::Merge(Merge::new(sources, compare)?), _budget: budget })
    }

    /// Takes the records out, in order.
    fn sort(&mut self) -> Result<SortedRecords<T>, SpillError> {
        self.context.check_killed()?;
        let records = std::mem::take(&mut self.records);
        let sorted = sorted_records::sort(records, &self.compare, self.prefix.as_ref());
        self.context.check_killed()?;
        Ok(sorted)
    }

    /// Bytes for so many records in the vector: their places, what the sort needs beside them, and their heap.
    fn used_bytes(&self, capacity: usize) -> u64 {
        let places = (capacity * size_of::<T>()) as u64;
        let for_sorting = if self.prefix.is_some() { (capacity * ORDER_BYTES) as u64 } else { places / 2 };
        places + for_sorting + self.heap.bytes()
    }

    /// Makes the vector larger, by as much as is granted, or empties it.
    #[cold]
    fn grow(&mut self) -> Result<(), SpillError> {
        let capacity = self.records.capacity();
        for wanted in [capacity * 2, capacity + capacity / 2, capacity + capacity / 8] {
            let wanted = wanted.max(capacity + 16);
            if self.budget.ensure(self.used_bytes(wanted)) {
                self.records.reserve_exact(wanted - self.records.len());
                return Ok(());
            }
        }
        self.spill()
    }

    #[cold]
    fn check(&mut self) -> Result<(), SpillError> {
        self.context.check_killed()?;
        let used = self.used_bytes(self.records.capacity());
        if !self.budget.ensure(used) || self.records.len() as u64 >= self.context.options.force_spill_records {
            return self.spill();
        }
        // Half of the way to the limit if records go on like this, so that a burst of larger ones is seen in time.
        let headroom = (self.budget.limit_bytes() - used) / 2;
        let until_force = self.context.options.force_spill_records - self.records.len() as u64;
        // Records without heap of their own use nothing but their places, for which `grow` asks.
        let until_full = headroom.checked_div(self.heap.mean_bytes()).unwrap_or(u64::MAX);
        self.until_check = until_full.clamp(1, CHECK_DISTANCE).min(until_force);
        Ok(())
    }

    fn spill(&mut self) -> Result<(), SpillError> {
        self.until_check = 1;
        if self.records.is_empty() {
            self.budget.release();
            return Ok(());
        }
        self.is_incomplete = true;
        self.context.metrics.count_spill(self.used_bytes(self.records.len()));
        let mut records = self.sort()?;
        self.runs.push(Run::write(&self.context, |writer| records.try_for_each(|record| writer.write(&record)))?);
        drop(records);
        self.heap.clear();
        self.budget.release();
        self.is_incomplete = false;
        Ok(())
    }
}

/// Records in order.
///
/// After an error the iterator ends. Dropping it removes the spill files.
pub struct Sorted<T: Record, F> {
    state: State<T, F>,
    _budget: MemoryBudget,
}

enum State<T: Record, F> {
    Memory(SortedRecords<T>),
    Merge(Merge<RunSource<T>, F>),
    Failed,
}

impl<T: Record, F: Fn(&T, &T) -> Ordering> Iterator for Sorted<T, F> {
    type Item = Result<T, SpillError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.state {
            State::Memory(records) => records.next().map(Ok),
            State::Merge(merge) => {
                let next = merge.pop().transpose();
                if let Some(Err(_)) = next {
                    self.state = State::Failed;
                }
                next
            }
            State::Failed => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.state {
            State::Memory(records) => records.size_hint(),
            State::Merge(_) => (0, None),
            State::Failed => (0, Some(0)),
        }
    }
}
