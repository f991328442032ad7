//! The hash table in which combiners grow, and the account of its memory.
//!
//! Both users of it, the reduce side's map and the map side's writer, decide themselves where a full table goes. A plain
//! hash table of pairs: the hash is not kept, since keys are hashed again only when the table doubles or spills.
//!
//! Each update of a table that is larger than the processor's own cache waits for memory, and nothing else can be done
//! meanwhile if the next record is only asked for then. So updates of a large table gather in a small batch, and each step of
//! a look-up is made for all of them before the next step begins: the processor then waits for several of them at once. The
//! steps are the place that the hash leads to, what the key there holds elsewhere, and only then the comparison.

use std::{
    hash::{BuildHasher, Hash},
    mem::needs_drop,
};

use firesteel_model::measure_heap;
use foldhash::fast::RandomState;
use hashbrown::hash_table::{Entry, HashTable};

use crate::{
    Aggregator, Record, SpillContext, SpillError, budget::MemoryBudget, size_tracker::SizeTracker,
    sort_prefix::first_byte,
};

/// The kill flag is looked at after this many updates at the latest.
const CHECK_DISTANCE: u64 = 4096;
/// So many updates make a batch: more than a processor has misses of its cache under way, for not every look-up misses.
const BATCH: usize = 32;
/// A table up to this size stays in the processor's own cache: updates need not be gathered.
const CACHED_BYTES: usize = 256 << 10;
/// Records that are larger, with what their keys hold, are not gathered: nobody has asked for the memory of a batch.
const BATCHED_RECORD_BYTES: usize = 512;

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
    /// Updates that are not yet in the table, for all of which it has room.
    batch: Vec<(u64, K, V)>,
    is_batching: bool,
    first_byte: Option<fn(&K) -> u8>,
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
            batch: Vec::new(),
            is_batching: false,
            first_byte: first_byte(),
        }
    }

    /// Makes room for one more key. If the result is false, memory for it was refused, and the caller empties the table.
    #[inline]
    pub(crate) fn make_room(&mut self) -> bool {
        !self.is_full() || self.grow()
    }

    /// Whether the next new key would make the table double.
    #[inline]
    fn is_full(&self) -> bool {
        self.table.len() + self.batch.len() == self.table.capacity()
    }

    /// Asks for the memory of a table of twice the size, which lives beside the old one for a moment.
    #[cold]
    fn grow(&mut self) -> bool {
        self.settle();
        if !self.is_full() {
            return true;
        }
        let during = 3 * self.table.allocation_size() as u64;
        if !self.budget.ensure(during + self.content_bytes()) {
            return false;
        }
        let hasher = &self.hasher;
        self.table.reserve(1, |(key, _)| hasher.hash_one(key));
        // What values hold is unknown until they are part of combiners, so those that hold something are never gathered.
        let record_bytes = size_of::<(u64, K, V)>() as u64 + self.created.mean_bytes();
        self.is_batching = !needs_drop::<V>()
            && record_bytes <= BATCHED_RECORD_BYTES as u64
            && self.table.allocation_size() > CACHED_BYTES;
        true
    }

    /// To be called after each update: looks from time to time at the kill flag and at what the entries have grown to. If the
    /// result is false, the caller empties the table.
    #[inline]
    pub(crate) fn check(&mut self) -> Result<bool, SpillError> {
        if self.until_check > 0 && !self.budget.is_recalled() { Ok(true) } else { self.check_now() }
    }

    #[cold]
    fn check_now(&mut self) -> Result<bool, SpillError> {
        self.context.check_killed()?;
        let used = self.used_bytes();
        let force_spill_records = self.context.options.force_spill_records;
        if !self.budget.ensure(used) || self.table.len() as u64 >= force_spill_records {
            self.until_check = 1;
            return Ok(false);
        }
        let headroom = (self.budget.limit_bytes() - used) / 2;
        // Entries without heap of their own use nothing but places in the table, for which `grow` asks.
        let update_bytes = self.created.mean_bytes() + self.merged.mean_bytes();
        let until_full = headroom.checked_div(update_bytes).unwrap_or(u64::MAX);
        let until_force = force_spill_records - self.table.len() as u64;
        self.until_check = until_full.clamp(1, CHECK_DISTANCE).min(until_force);
        Ok(true)
    }

    /// Adds a value of a key, now or with the batch.
    #[inline]
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let hash = self.hasher.hash_one(&key);
        if !self.is_batching {
            return self.update(hash, key, value);
        }
        self.batch.push((hash, key, value));
        if self.batch.len() == BATCH {
            self.settle();
        }
    }

    /// Brings the batch into the table. To be called before the owner looks at the table's entries.
    pub(crate) fn settle(&mut self) {
        if let Some(first_byte) = self.first_byte {
            self.touch(first_byte);
        }
        let mut places = [None; BATCH];
        for (place, (hash, key, _)) in places.iter_mut().zip(&self.batch) {
            *place = self.table.find_bucket_index(*hash, |(other, _)| other == key);
        }
        // Places stay what they are, since the table has room for everything in the batch.
        let mut batch = std::mem::take(&mut self.batch);
        for ((hash, key, value), place) in batch.drain(..).zip(places) {
            match place.and_then(|place| self.table.get_bucket_mut(place)) {
                Some((_, combiner)) => {
                    let aggregator = &self.aggregator;
                    merge(&mut self.merged, combiner, |combiner| aggregator.merge_value(combiner, value));
                    self.until_check = self.until_check.saturating_sub(1);
                }
                // New when it was looked up, which another one of the batch may have changed.
                None => self.update(hash, key, value),
            }
        }
        self.batch = batch;
    }

    /// Brings the entries that may be those of the batch's keys into the processor's cache, and then what their keys hold.
    fn touch(&self, first_byte: fn(&K) -> u8) {
        let mut candidates = [None; BATCH];
        for (candidate, (hash, ..)) in candidates.iter_mut().zip(&self.batch) {
            *candidate = self.table.find(*hash, |_| true);
        }
        let touched = candidates.into_iter().flatten().fold(0, |all, (key, _)| all ^ first_byte(key));
        std::hint::black_box(touched);
    }

    #[inline]
    fn update(&mut self, hash: u64, key: K, value: V) {
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
        self.until_check = self.until_check.saturating_sub(1);
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

    /// Takes the table, which must be settled, and leaves an empty one. The memory stays on the account until [`release`](Self::release).
    pub(crate) fn take(&mut self) -> HashTable<(K, C)> {
        self.created.clear();
        self.merged.clear();
        self.until_check = 1;
        self.is_batching = false;
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
        let before = measure_heap(combiner);
        merge(combiner);
        let after = measure_heap(combiner);
        merged.sample(after.bytes as f64 - before.bytes as f64, before.visits + after.visits);
    } else {
        merge(combiner);
    }
}
