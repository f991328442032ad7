//! Runs: sorted records on disk, and the merge that reads many of them as one.

use std::{cmp::Ordering, marker::PhantomData};

use crate::{
    Record, SpillContext, SpillError,
    sorted_records::SortedRecords,
    spill_file::{BlockReader, BlockWriter, RecordReader, SpillFile},
};

/// Sorted records in a spill file of their own.
pub(crate) struct Run<T> {
    file: SpillFile,
    length: u64,
    records: u64,
    record_type: PhantomData<fn() -> T>,
}

impl<T: Record> Run<T> {
    /// Writes what `fill` gives to the writer.
    pub(crate) fn write(
        context: &SpillContext,
        fill: impl FnOnce(&mut BlockWriter) -> Result<(), SpillError>,
    ) -> Result<Self, SpillError> {
        let mut writer = BlockWriter::create(context)?;
        fill(&mut writer)?;
        writer.flush()?;
        let (length, records) = (writer.length(), writer.records());
        Ok(Self { file: writer.finish()?.close(), length, records, record_type: PhantomData })
    }

    /// The run's records, in order. The file is opened now and goes when they have all been read.
    pub(crate) fn into_source(self, context: &SpillContext) -> Result<RunSource<T>, SpillError> {
        self.into_reader(context).map(RunSource::Disk)
    }

    /// The run's records, in order. The file is opened now and goes when they have all been read.
    pub(crate) fn into_reader(self, context: &SpillContext) -> Result<RecordReader, SpillError> {
        let blocks = BlockReader::new(context, self.file.open()?, 0..self.length);
        Ok(RecordReader::new(blocks, self.records))
    }
}

/// Merges neighbouring runs until at most `max_open_runs` are left, the last one in memory included. Neighbours only, so
/// that the order of runs remains the order of arrival; each time the cheapest neighbourhood, so that what was merged
/// once is not soon merged again.
pub(crate) fn reduce_runs<T: Record>(
    context: &SpillContext,
    mut runs: Vec<Run<T>>,
    mut merge: impl FnMut(Vec<Run<T>>) -> Result<Run<T>, SpillError>,
) -> Result<Vec<Run<T>>, SpillError> {
    let max_open_runs = context.options.max_open_runs;
    let keep = (max_open_runs - 1).max(1);
    while runs.len() > keep {
        let width = (runs.len() - keep + 1).min(max_open_runs);
        let start = cheapest_window(&runs, width);
        let rest = runs.split_off(start + width);
        let merged = merge(runs.split_off(start))?;
        runs.push(merged);
        runs.extend(rest);
    }
    Ok(runs)
}

/// Where the `width` neighbours start that are the shortest together.
fn cheapest_window<T>(runs: &[Run<T>], width: usize) -> usize {
    let mut length: u64 = runs[..width].iter().map(|run| run.length).sum();
    let mut cheapest = (length, 0);
    for (start, run) in (1..).zip(&runs[width..]) {
        length = length + run.length - runs[start - 1].length;
        cheapest = cheapest.min((length, start));
    }
    cheapest.1
}

/// Records in order, one by one.
pub(crate) trait MergeSource {
    type Item;

    fn next(&mut self) -> Result<Option<Self::Item>, SpillError>;
}

/// A run, on disk or in memory.
pub(crate) enum RunSource<T> {
    Disk(RecordReader),
    Memory(SortedRecords<T>),
}

impl<T: Record> MergeSource for RunSource<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Result<Option<T>, SpillError> {
        match self {
            Self::Disk(reader) => reader.next(),
            Self::Memory(records) => Ok(records.next()),
        }
    }
}

/// Which of two records comes first. A trait of its own, so that a merge by hash has a type that can be named.
pub(crate) trait MergeOrder<T> {
    fn compare(&self, left: &T, right: &T) -> Ordering;
}

impl<T, F: Fn(&T, &T) -> Ordering> MergeOrder<T> for F {
    #[inline]
    fn compare(&self, left: &T, right: &T) -> Ordering {
        self(left, right)
    }
}

/// A k-way merge by a tree of losers: log₂ k comparisons per record. Among equals, the earlier source goes first.
pub(crate) struct Merge<S: MergeSource, F> {
    sources: Vec<S>,
    /// The next record of each source.
    heads: Vec<Option<S::Item>>,
    /// At 0 the source that has won, at each inner node the one that lost there. The leaf of source `i` is node `k + i`.
    tree: Vec<usize>,
    compare: F,
}

impl<S: MergeSource, F: MergeOrder<S::Item>> Merge<S, F> {
    pub(crate) fn new(mut sources: Vec<S>, compare: F) -> Result<Self, SpillError> {
        let heads = sources.iter_mut().map(S::next).collect::<Result<Vec<_>, _>>()?;
        let count = sources.len();
        let mut merge = Self { sources, heads, tree: vec![0; count], compare };
        let mut winners: Vec<usize> = vec![0; 2 * count];
        for source in 0..count {
            winners[count + source] = source;
        }
        for node in (1..count).rev() {
            let (left, right) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) = if merge.beats(left, right) { (left, right) } else { (right, left) };
            winners[node] = winner;
            merge.tree[node] = loser;
        }
        if count > 0 {
            merge.tree[0] = winners[1];
        }
        Ok(merge)
    }

    /// The record that comes next, left where it is.
    #[inline]
    pub(crate) fn peek(&self) -> Option<&S::Item> {
        self.heads.get(*self.tree.first()?)?.as_ref()
    }

    /// The record that comes next.
    #[inline]
    pub(crate) fn pop(&mut self) -> Result<Option<S::Item>, SpillError> {
        let Some(&winner) = self.tree.first() else { return Ok(None) };
        let Some(record) = self.heads[winner].take() else { return Ok(None) };
        self.heads[winner] = self.sources[winner].next()?;
        let mut winner = winner;
        let mut node = (winner + self.sources.len()) / 2;
        while node > 0 {
            let other = self.tree[node];
            if self.beats(other, winner) {
                self.tree[node] = winner;
                winner = other;
            }
            node /= 2;
        }
        self.tree[0] = winner;
        Ok(Some(record))
    }

    #[inline]
    fn beats(&self, left: usize, right: usize) -> bool {
        match (&self.heads[left], &self.heads[right]) {
            (Some(a), Some(b)) => match self.compare.compare(a, b) {
                Ordering::Less => true,
                Ordering::Equal => left < right,
                Ordering::Greater => false,
            },
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}
