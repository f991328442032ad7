//! The hash table in which combiners grow, and the account of its memory.
//!
//! Both users of it, the reduce side's map and the map side's writer, decide themselves where a full table goes. A plain
//! hash table of pairs: the hash is not kept, since keys are hashed again only when the table doubles or spills.

use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
};

use foldhash::fast::RandomState;
use hashbrown::hash_table::{Entry, HashTable};

use crate::{
    Aggregator, Record, SpillContext, SpillError, budget::MemoryBudget, heap_size::measure, size_tracker::SizeTracker,
};

/// The kill flag is looked at after this many updates at the latest.
const CHECK_DISTANCE: u64 = 4096;

pub(crate) struct CombiningTable<K, V, C, A> {
    context: SpillContext,
    pub(crate) aggregator: A,
    /// Seeded afresh for each collection, so that no input can be made to collide.
    pub(crate) hasher: RandomState,
    table: HashTable<(K, C)>,
    budget: MemoryBudget,
    /// Heap of keys and combiners when they were created.
    created: SizeTracker,
    /// What merging added to them.
    merged: SizeTracker,
    until_check: u64,
    /// What per entry the owner needs at the moment when it empties the table.
    emptying_bytes_per_entry: u64,
    values: PhantomData<fn(V)>,
}

impl<K: Record + Hash + Eq, V, C: Record, A: Aggregator<V, C>> CombiningTable<K, V, C, A> {
    pub(crate) fn new(context: &SpillContext, aggregator: A, emptying_bytes_per_entry: usize) -> Self {
        Self {
            context: context.clone(),
            aggregator,
            hasher: RandomState::default(),
            table: HashTable::new(),
            budget: MemoryBudget::new(context),
            created: SizeTracker::new::<(K, C)>(),
            merged: SizeTracker::new::<C>(),
            until_check: 1,
            emptying_bytes_per_entry: emptying_bytes_per_entry as u64,
            values: PhantomData,
        }
    }

    /// Whether the next new key would make the table double.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.table.len() == self.table.capacity()
    }

    /// Asks for the memory of a table of twice the size, which lives beside the old one for a moment. If it is refused, the
    /// caller empties the table.
    #[cold]
    pub(crate) fn grow(&mut self) -> bool {
        let during = 3 * self.table.allocation_size() as u64;
        if !self.budget.ensure(during + self.content_bytes()) {
            return false;
        }
        let hasher = &self.hasher;
        self.table.reserve(1, |(key, _)| hasher.hash_one(key));
        true
    }

    /// Whether [`check`](Self::check) is due after an update.
    #[inline]
    pub(crate) fn is_check_due(&self) -> bool {
        self.until_check == 0
    }

    /// Looks at the kill flag and at what the entries have grown to. If the result is false, the caller empties the table.
    #[cold]
    pub(crate) fn check(&mut self) -> Result<bool, SpillError> {
        self.context.check_killed()?;
        let used = self.used_bytes();
        let force_spill_records = self.context.options.force_spill_records;
        if !self.budget.ensure(used) || self.table.len() as u64 >= force_spill_records {
            self.until_check = 1;
            return Ok(false);
        }
        let headroom = (self.budget.limit_bytes() - used) / 2;
        let update_bytes = (self.created.mean_bytes() + self.merged.mean_bytes()).max(1);
        let until_force = force_spill_records - self.table.len() as u64;
        self.until_check = (headroom / update_bytes).clamp(1, CHECK_DISTANCE).min(until_force);
        Ok(true)
    }

    #[inline]
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let hash = self.hasher.hash_one(&key);
        let Self { aggregator, hasher, table, created, merged, .. } = self;
        match table.entry(hash, |(other, _)| *other == key, |(key, _)| hasher.hash_one(key)) {
            Entry::Occupied(mut entry) => {
                merge(merged, &mut entry.get_mut().1, |combiner| aggregator.merge_value(combiner, value));
            }
            Entry::Vacant(slot) => {
                let entry = (key, aggregator.create_combiner(value));
                created.add(&entry);
                slot.insert(entry);
            }
        }
        self.until_check -= 1;
    }

    #[inline]
    pub(crate) fn insert_borrowed<Q>(&mut self, key: &Q, value: V)
    where
        Q: Hash + Eq + ?Sized,
        K: Borrow<Q> + for<'q> From<&'q Q>,
    {
        let hash = self.hasher.hash_one(key);
        let Self { aggregator, hasher, table, created, merged, .. } = self;
        match table.entry(hash, |(other, _)| other.borrow() == key, |(key, _)| hasher.hash_one(key)) {
            Entry::Occupied(mut entry) => {
                merge(merged, &mut entry.get_mut().1, |combiner| aggregator.merge_value(combiner, value));
            }
            Entry::Vacant(slot) => {
                let entry = (K::from(key), aggregator.create_combiner(value));
                created.add(&entry);
                slot.insert(entry);
            }
        }
        self.until_check -= 1;
    }

    #[inline]
    pub(crate) fn insert_combiner(&mut self, key: K, combiner: C) {
        let hash = self.hasher.hash_one(&key);
        let Self { aggregator, hasher, table, created, merged, .. } = self;
        match table.entry(hash, |(other, _)| *other == key, |(key, _)| hasher.hash_one(key)) {
            Entry::Occupied(mut entry) => {
                merge(merged, &mut entry.get_mut().1, |held| aggregator.merge_combiners(held, combiner));
            }
            Entry::Vacant(slot) => {
                let entry = (key, combiner);
                created.add(&entry);
                slot.insert(entry);
            }
        }
        self.until_check -= 1;
    }

    /// The entries, in no order.
    pub(crate) fn entries(&self) -> &HashTable<(K, C)> {
        &self.table
    }

    /// Whether so many more bytes may be used beside the table.
    pub(crate) fn ensure_beside(&mut self, bytes: u64) -> bool {
        let used = self.used_bytes();
        self.budget.ensure(used + bytes)
    }

    /// Estimated bytes of the table with all that it holds.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.table.allocation_size() as u64 + self.content_bytes()
    }

    fn content_bytes(&self) -> u64 {
        self.created.bytes() + self.merged.bytes() + self.table.len() as u64 * self.emptying_bytes_per_entry
    }

    /// Takes the table and leaves an empty one. The memory stays on the account until [`release`](Self::release).
    pub(crate) fn take(&mut self) -> HashTable<(K, C)> {
        self.created.clear();
        self.merged.clear();
        self.until_check = 1;
        std::mem::take(&mut self.table)
    }

    /// Gives back the memory of a table that was taken and is gone.
    pub(crate) fn release(&mut self) {
        self.budget.release();
    }

    /// Everything that outlives the collecting of records.
    pub(crate) fn into_parts(self) -> (HashTable<(K, C)>, A, RandomState, MemoryBudget) {
        (self.table, self.aggregator, self.hasher, self.budget)
    }
}

/// Merges into a combiner, measuring from time to time by how much it grew.
#[inline]
fn merge<C: Record>(merged: &mut SizeTracker, combiner: &mut C, merge: impl FnOnce(&mut C)) {
    if merged.count() {
        let before = measure(combiner);
        merge(combiner);
        let after = measure(combiner);
        merged.sample(after.bytes as f64 - before.bytes as f64, before.visits + after.visits);
    } else {
        merge(combiner);
    }
}
