//! Combining by key when the keys, or their combiners, do not fit into memory.
//!
//! Records are combined in a hash table. When memory is refused, the table's entries are written as a run in the order of
//! their hashes, and the table starts empty. At the end the runs and the last table are merged by hash: all entries of one
//! hash stand beside each other, and those with equal keys are combined. Nothing needs an order of keys, only `Hash` and `Eq`.
//!
//! One key's combiner must fit into memory, since that is what the caller is given. All keys that share a hash are held at
//! once; with 64 bits of a seeded hash that is one key, unless the key's own `Hash` is poor.

use std::{
    cmp::Ordering,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
};

use foldhash::fast::RandomState;
use hashbrown::hash_table;

use crate::{
    Aggregator, Record, SpillContext, SpillError,
    budget::MemoryBudget,
    combining_table::CombiningTable,
    error::INCOMPLETE,
    run::{Merge, MergeOrder, MergeSource, Run, reduce_runs},
    spill_file::RecordReader,
};

/// Combines values by key, spilling runs of partly combined entries.
///
/// `V` values become `C` combiners as the [`Aggregator`] says. Combiners of a key are merged in the order of arrival.
pub struct ExternalAppendOnlyMap<K, V, C, A>
where
    K: Record + Hash + Eq,
    C: Record,
    A: Aggregator<V, C>,
{
    context: SpillContext,
    table: CombiningTable<K, V, C, A>,
    runs: Vec<Run<(K, C)>>,
    /// A spill has begun and not ended.
    is_incomplete: bool,
}

impl<K, V, C, A> ExternalAppendOnlyMap<K, V, C, A>
where
    K: Record + Hash + Eq,
    C: Record,
    A: Aggregator<V, C>,
{
    /// An empty map.
    pub fn new(context: &SpillContext, aggregator: A) -> Self {
        let table = CombiningTable::new(context, aggregator, size_of::<(u64, &(K, C))>());
        Self { context: context.clone(), table, runs: Vec::new(), is_incomplete: false }
    }

    /// Adds a value of a key.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Result<(), SpillError> {
        if !self.table.make_room() {
            self.spill()?;
        }
        self.table.insert(key, value);
        if self.table.check()? { Ok(()) } else { self.spill() }
    }

    /// Adds values until one is an error.
    pub fn insert_all<E: From<SpillError>>(
        &mut self,
        records: impl IntoIterator<Item = Result<(K, V), E>>,
    ) -> Result<(), E> {
        for record in records {
            let (key, value) = record?;
            self.insert(key, value)?;
        }
        Ok(())
    }

    /// Each key with its combiner, in no particular order.
    ///
    /// # Panics
    ///
    /// If an earlier call failed to spill.
    pub fn finish(mut self) -> Result<Combined<K, V, C, A>, SpillError> {
        assert!(!self.is_incomplete, "{INCOMPLETE}");
        self.table.settle();
        if self.runs.is_empty() {
            let (table, _, _, budget) = self.table.into_parts();
            return Ok(Combined { state: State::Memory(table.into_iter()), values: PhantomData, _budget: budget });
        }
        let sorted_bytes = self.table.entries().len() * size_of::<(u64, K, C)>();
        if !self.table.ensure_beside(sorted_bytes as u64) {
            self.spill()?;
        }
        let Self { context, table, runs, .. } = self;
        let (table, aggregator, hasher, budget) = table.into_parts();
        let source = |run: Run<(K, C)>| Ok(HashedSource::Disk(run.into_reader(&context)?, hasher.clone()));
        let runs = reduce_runs(&context, runs, |runs| {
            let mut merge = HashMerge::new(runs.into_iter().map(source).collect::<Result<_, _>>()?)?;
            Run::write(&context, |writer| {
                while let Some(entry) = merge.next(&aggregator)? {
                    writer.write(&entry)?;
                }
                Ok(())
            })
        })?;
        let mut sources = runs.into_iter().map(source).collect::<Result<Vec<_>, SpillError>>()?;
        let mut entries = Vec::with_capacity(table.len());
        entries.extend(table.into_iter().map(|(key, combiner)| (hasher.hash_one(&key), key, combiner)));
        entries.sort_unstable_by_key(|(hash, _, _)| *hash);
        context.check_killed()?;
        sources.push(HashedSource::Memory(entries.into_iter()));
        let state = State::Merge(Box::new(HashMerge::new(sources)?), aggregator);
        Ok(Combined { state, values: PhantomData, _budget: budget })
    }

    #[cold]
    fn spill(&mut self) -> Result<(), SpillError> {
        self.table.settle();
        if self.table.entries().is_empty() {
            self.table.release();
            return Ok(());
        }
        self.is_incomplete = true;
        self.context.metrics.count_spill(self.table.used_bytes());
        let entries = self.table.take();
        let mut by_hash: Vec<(u64, &(K, C))> = Vec::with_capacity(entries.len());
        by_hash.extend(entries.iter().map(|entry| (self.table.hasher.hash_one(&entry.0), entry)));
        by_hash.sort_unstable_by_key(|(hash, _)| *hash);
        self.runs
            .push(Run::write(&self.context, |writer| by_hash.iter().try_for_each(|(_, entry)| writer.write(entry)))?);
        drop(by_hash);
        drop(entries);
        self.table.release();
        self.is_incomplete = false;
        Ok(())
    }
}

/// Each key once, with its combiner.
///
/// After an error the iterator ends. Dropping it removes the spill files.
pub struct Combined<K, V, C, A>
where
    K: Record + Hash,
    C: Record,
    A: Aggregator<V, C>,
{
    state: State<K, C, A>,
    values: PhantomData<fn(V)>,
    _budget: MemoryBudget,
}

enum State<K: Record + Hash, C: Record, A> {
    Memory(hash_table::IntoIter<(K, C)>),
    Merge(Box<HashMerge<K, C>>, A),
    Failed,
}

impl<K: Record + Hash + Eq, V, C: Record, A: Aggregator<V, C>> Iterator for Combined<K, V, C, A> {
    type Item = Result<(K, C), SpillError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.state {
            State::Memory(entries) => entries.next().map(Ok),
            State::Merge(merge, aggregator) => {
                let next = merge.next(aggregator).transpose();
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
            State::Memory(entries) => entries.size_hint(),
            State::Merge(..) => (0, None),
            State::Failed => (0, Some(0)),
        }
    }
}

/// Entries in the order of their hashes.
enum HashedSource<K, C> {
    Disk(RecordReader, RandomState),
    Memory(std::vec::IntoIter<(u64, K, C)>),
}

impl<K: Record + Hash, C: Record> MergeSource for HashedSource<K, C> {
    type Item = (u64, K, C);

    #[inline]
    fn next(&mut self) -> Result<Option<(u64, K, C)>, SpillError> {
        match self {
            Self::Disk(reader, hasher) => {
                let entry: Option<(K, C)> = reader.next()?;
                Ok(entry.map(|(key, combiner)| (hasher.hash_one(&key), key, combiner)))
            }
            Self::Memory(entries) => Ok(entries.next()),
        }
    }
}

struct ByHash;

impl<K, C> MergeOrder<(u64, K, C)> for ByHash {
    #[inline]
    fn compare(&self, left: &(u64, K, C), right: &(u64, K, C)) -> Ordering {
        left.0.cmp(&right.0)
    }
}

/// Merges entries by hash and combines those of one key.
struct HashMerge<K: Record + Hash, C: Record> {
    merge: Merge<HashedSource<K, C>, ByHash>,
    /// Further keys of the last hash.
    colliding: Vec<(K, C)>,
}

impl<K: Record + Hash + Eq, C: Record> HashMerge<K, C> {
    fn new(sources: Vec<HashedSource<K, C>>) -> Result<Self, SpillError> {
        Ok(Self { merge: Merge::new(sources, ByHash)?, colliding: Vec::new() })
    }

    fn next<V>(&mut self, aggregator: &impl Aggregator<V, C>) -> Result<Option<(K, C)>, SpillError> {
        if let Some(entry) = self.colliding.pop() {
            return Ok(Some(entry));
        }
        let Some((hash, key, mut combiner)) = self.merge.pop()? else { return Ok(None) };
        while self.merge.peek().is_some_and(|(next_hash, _, _)| *next_hash == hash) {
            let Some((_, other_key, other)) = self.merge.pop()? else { break };
            if other_key == key {
                aggregator.merge_combiners(&mut combiner, other);
            } else if let Some((_, held)) = self.colliding.iter_mut().find(|(held, _)| *held == other_key) {
                aggregator.merge_combiners(held, other);
            } else {
                self.colliding.push((other_key, other));
            }
        }
        Ok(Some((key, combiner)))
    }
}
