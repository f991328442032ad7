//! The build side of a hash join: every key once, with all its rows.
//!
//! The first row of a key stands in the hash table itself, so that a probe of a unique key touches one place in memory.
//! Further rows stand in a vector, chained by index in the order of arrival; a key with a million rows costs as little per row
//! as a million keys.
//!
//! The table is 64 tables, chosen by hash, so that rows which were dealt out likewise (see `join_stage`) work on one small
//! table at a time, and so that growing copies a small table instead of all.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::hash_table::{Entry, HashTable};

use crate::{Record, SpillContext, SpillError, budget::MemoryBudget, size_tracker::SizeTracker};

/// How many tables there are, as a power of two.
const TABLE_BITS: u32 = 6;
/// How many tables there are.
pub(crate) const TABLES: usize = 1 << TABLE_BITS;
/// The end of a chain; also the number of rows beyond the first ones that a table may hold.
pub(crate) const END: u32 = u32::MAX >> 1;
/// Set in [`BuildKey::first`] when a probe has found the key.
const MATCHED: u32 = !END;
/// The kill flag is looked at after this many rows at the latest.
const CHECK_DISTANCE: u64 = 4096;

pub(crate) struct JoinTable<K, B> {
    context: SpillContext,
    /// The same for every table of a join, since partitions are made of the hash too.
    hasher: RandomState,
    budget: MemoryBudget,
    tables: Vec<Table<K, B>>,
    /// What the tables occupy without the heap of their rows.
    allocated_bytes: u64,
    rows: u64,
    heap: SizeTracker,
    until_check: u64,
}

struct Table<K, B> {
    keys: HashTable<BuildKey<K, B>>,
    more: Vec<(B, u32)>,
}

impl<K, B> Default for Table<K, B> {
    fn default() -> Self {
        Self { keys: HashTable::new(), more: Vec::new() }
    }
}

impl<K, B> Table<K, B> {
    #[inline]
    fn is_full(&self) -> bool {
        self.keys.len() == self.keys.capacity() || self.more.len() == self.more.capacity()
    }

    fn allocated_bytes(&self) -> u64 {
        (self.keys.allocation_size() + self.more.capacity() * size_of::<(B, u32)>()) as u64
    }
}

pub(crate) struct BuildKey<K, B> {
    pub(crate) key: K,
    pub(crate) row: B,
    first: u32,
    last: u32,
}

impl<K, B> BuildKey<K, B> {
    /// Where the chain of further rows starts.
    #[inline]
    pub(crate) fn first(&self) -> u32 {
        self.first & END
    }

    pub(crate) fn is_matched(&self) -> bool {
        self.first & MATCHED != 0
    }
}

/// Which of the tables a hash belongs to.
///
/// Their buckets go by the lowest bits of the hash and their tags by the highest, so the number comes from a product of all
/// bits, and there from other places than the partition of a spilled join, which all its rows share.
#[inline]
pub(crate) fn table_of(hash: u64) -> usize {
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % TABLES
}

impl<K: Record + Hash + Eq, B: Record> JoinTable<K, B> {
    pub(crate) fn new(context: &SpillContext) -> Self {
        let mut table = Self {
            context: context.clone(),
            hasher: RandomState::default(),
            budget: MemoryBudget::new(context),
            tables: Vec::new(),
            allocated_bytes: 0,
            rows: 0,
            heap: SizeTracker::new::<(K, B)>(),
            until_check: 1,
        };
        table.tables.resize_with(TABLES, Table::default);
        table
    }

    #[inline]
    pub(crate) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Makes room for one more row of this hash. If the result is false, memory for it was refused.
    #[inline]
    pub(crate) fn make_room(&mut self, hash: u64) -> Result<bool, SpillError> {
        if self.tables[table_of(hash)].is_full() && !self.grow(table_of(hash)) {
            return Ok(false);
        }
        if self.until_check == 0 || self.is_recalled() { self.check(0) } else { Ok(true) }
    }

    #[cold]
    fn grow(&mut self, number: usize) -> bool {
        let others = self.allocated_bytes - self.tables[number].allocated_bytes() + self.heap.bytes();
        let table = &mut self.tables[number];
        let (keys, more) =
            (table.keys.allocation_size() as u64, (table.more.capacity() * size_of::<(B, u32)>()) as u64);
        if table.keys.len() == table.keys.capacity() {
            // The old table lives beside the new one for a moment.
            if !self.budget.ensure(others + 3 * keys + more) {
                return false;
            }
            let hasher = &self.hasher;
            table.keys.reserve(1, |entry| hasher.hash_one(&entry.key));
        }
        if table.more.len() == table.more.capacity() {
            let keys = table.keys.allocation_size() as u64;
            let wanted = (2 * table.more.capacity()).max(4);
            let bytes = more + (wanted * size_of::<(B, u32)>()) as u64;
            if table.more.len() >= END as usize || !self.budget.ensure(others + keys + bytes) {
                return false;
            }
            table.more.reserve_exact(wanted - table.more.len());
        }
        self.allocated_bytes = others - self.heap.bytes() + table.allocated_bytes();
        true
    }

    /// Whether memory was recalled since the last check.
    #[inline]
    pub(crate) fn is_recalled(&self) -> bool {
        self.budget.is_recalled()
    }

    /// Looks at the kill flag and at what rows, here and on their way, have grown to. If the result is false, memory for
    /// them was refused.
    #[cold]
    pub(crate) fn check(&mut self, beside_bytes: u64) -> Result<bool, SpillError> {
        self.context.check_killed()?;
        let used = self.used_bytes() + beside_bytes;
        let force_spill_records = self.context.options.force_spill_records;
        if !self.budget.ensure(used) || self.rows >= force_spill_records {
            self.until_check = 1;
            return Ok(false);
        }
        let headroom = (self.budget.limit_bytes() - used) / 2;
        // Rows without heap of their own use nothing but places in the table, for which `grow` asks.
        let until_full = headroom.checked_div(self.heap.mean_bytes()).unwrap_or(u64::MAX);
        self.until_check = until_full.clamp(1, CHECK_DISTANCE).min(force_spill_records - self.rows);
        Ok(true)
    }

    #[inline]
    pub(crate) fn check_killed(&self) -> Result<(), SpillError> {
        self.context.check_killed()
    }

    /// Whether so many bytes may be used beside the table.
    pub(crate) fn ensure_beside(&mut self, bytes: u64) -> bool {
        let used = self.used_bytes();
        self.budget.ensure(used + bytes)
    }

    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, key: K, row: B) {
        let record = (key, row);
        self.heap.add(&record);
        let (key, row) = record;
        let hasher = &self.hasher;
        let Table { keys, more } = &mut self.tables[table_of(hash)];
        match keys.entry(hash, |entry| entry.key == key, |entry| hasher.hash_one(&entry.key)) {
            Entry::Vacant(slot) => {
                slot.insert(BuildKey { key, row, first: END, last: END });
            }
            Entry::Occupied(mut slot) => {
                let entry = slot.get_mut();
                let index = more.len() as u32;
                match more.get_mut(entry.last as usize) {
                    Some((_, next)) => *next = index,
                    None => entry.first = index,
                }
                entry.last = index;
                more.push((row, END));
            }
        }
        self.rows += 1;
        self.until_check = self.until_check.saturating_sub(1);
    }

    /// The key's place in the table of this hash, which stays the same until a row is inserted.
    #[inline]
    pub(crate) fn place(&self, hash: u64, key: &K) -> Option<usize> {
        self.tables[table_of(hash)].keys.find_bucket_index(hash, |entry| entry.key == *key)
    }

    /// The entry at a place in the table of this hash.
    #[inline]
    pub(crate) fn at(&self, hash: u64, place: usize) -> Option<&BuildKey<K, B>> {
        self.tables[table_of(hash)].keys.get_bucket(place)
    }

    /// The entry at a place in the table of this hash, marked as matched.
    #[inline]
    pub(crate) fn mark(&mut self, hash: u64, place: usize) -> Option<&BuildKey<K, B>> {
        let entry = self.tables[table_of(hash)].keys.get_bucket_mut(place)?;
        entry.first |= MATCHED;
        Some(entry)
    }

    /// A further row of a key in this table, and where the next one is.
    #[inline]
    pub(crate) fn more(&self, table: usize, index: u32) -> Option<&(B, u32)> {
        self.tables[table].more.get(index as usize)
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.allocated_bytes + self.heap.bytes()
    }

    /// Takes one table's entries; their chains stay.
    pub(crate) fn take_keys(&mut self, table: usize) -> HashTable<BuildKey<K, B>> {
        std::mem::take(&mut self.tables[table].keys)
    }

    /// Empties the table and gives its memory back.
    pub(crate) fn clear(&mut self) {
        self.tables.iter_mut().for_each(|table| *table = Table::default());
        self.allocated_bytes = 0;
        self.rows = 0;
        self.heap.clear();
        self.until_check = 1;
        self.budget.release();
    }
}
