//! A hash join of two streams of pairs, of any size and any skew.
//!
//! The build side goes into a hash table and the probe side streams past it. If memory for the table is refused, both
//! sides are first dealt out to 64 partitions on disk by hash, and the partitions are joined one after the other. A
//! partition whose build side is still too large, be it for a single key, is joined in chunks: the table takes as many rows
//! as it may, the partition's probe rows are read past it, and so on. So no step needs more memory than it was granted,
//! and a key with too many rows on both sides costs repeated reads instead of a failure.
//!
//! Where probe rows are staged, their places in the table are looked up some at a time in one loop, so that the processor waits
//! for several of them at once.
//!
//! An outer join must know which rows found no match: of build rows each chunk's table knows at the end of its pass; of
//! probe rows a bit each is kept from chunk to chunk.

use std::hash::Hash;

use hashbrown::hash_table;

use crate::{
    Record, SpillContext, SpillError,
    join_stage::{JoinStage, STAGE_BYTES},
    join_table::{BuildKey, JoinTable, TABLES, table_of},
    partition_buffers::PartitionBuffers,
    spilled_join::{PARTITIONS, SpilledJoin, partition_of},
};

/// A table up to this size stays in the processor's own cache: probe rows need not be staged.
const CACHED_BYTES: u64 = 1 << 20;

/// So many staged probe rows are looked up together: about as many as a processor has misses of its cache under way.
const BATCH: usize = 16;

/// Which rows a join gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinRules {
    /// Pairs of rows with equal keys.
    pub(crate) matched: bool,
    /// Build rows whose key no probe row has.
    pub(crate) unmatched_build: bool,
    /// Probe rows whose key no build row has.
    pub(crate) unmatched_probe: bool,
}

/// A key with the row of either side.
pub(crate) type JoinedRow<K, B, P> = (K, Option<B>, Option<P>);

/// Joins build rows `(K, B)` with probe rows `(K, P)` of the input `I`.
pub(crate) struct HashJoin<K, B, P, I> {
    rules: JoinRules,
    table: JoinTable<K, B>,
    probes: Probes<K, P, I>,
    /// Staged rows that were looked up.
    batch: Vec<Probe<K, P>>,
    pending: Option<Pending<K, P>>,
    phase: Phase<K, B>,
}

/// Where probe rows come from.
enum Probes<K, P, I> {
    /// From the input, to a table in cache or without memory for a stage.
    Direct(I),
    /// From the input, by way of a stage, until the input ends.
    Staged(JoinStage<K, P>, Option<I>),
    /// From disk.
    Spilled(Box<SpilledJoin>),
}

/// A probe row, and where in the table its key is.
struct Probe<K, P> {
    hash: u64,
    key: K,
    row: P,
    place: Option<usize>,
}

/// A probe row with further build rows.
struct Pending<K, P> {
    key: K,
    probe: P,
    table: usize,
    /// Where in the table the next build row is.
    next: u32,
}

enum Phase<K, B> {
    /// Rows of the probe side meet the table.
    Probe,
    /// Keys that met none, table by table.
    Unmatched { table: usize, keys: hash_table::IntoIter<BuildKey<K, B>>, chain: Option<(K, u32)> },
    /// Nothing is left, or something failed.
    Done,
}

impl<K, B, P, I, E> HashJoin<K, B, P, I>
where
    K: Record + Hash + Eq + Clone,
    B: Record + Clone,
    P: Record + Clone,
    I: Iterator<Item = Result<(K, P), E>>,
    E: From<SpillError>,
{
    /// Reads all of the build side, and if it does not fit, all of the probe side too.
    pub(crate) fn new(
        context: &SpillContext,
        rules: JoinRules,
        mut build: impl Iterator<Item = Result<(K, B), E>>,
        probe: I,
    ) -> Result<Self, E> {
        let keys_only = !rules.matched && !rules.unmatched_build;
        let mut table = JoinTable::new(context);
        let mut stage = JoinStage::new();
        let mut until_check = 1;
        let is_built = loop {
            let is_bucket_full = match build.next().transpose()? {
                Some((key, row)) => stage.push(table.hash(&key), key, row),
                None if stage.drain_next() => true,
                None => break true,
            };
            if is_bucket_full && !empty_bucket(&mut stage, &mut table, keys_only)? {
                break false;
            }
            until_check -= 1;
            if until_check == 0 || table.is_recalled() {
                if !table.check(stage.used_bytes())? {
                    break false;
                }
                until_check = stage.check_distance();
            }
        };
        let probes = if !is_built {
            Probes::Spilled(Box::new(spill(context, &mut table, stage, build, probe)?))
        } else if table.used_bytes() > CACHED_BYTES && table.ensure_beside(STAGE_BYTES) {
            Probes::Staged(JoinStage::new(), Some(probe))
        } else {
            Probes::Direct(probe)
        };
        Ok(Self { rules, table, probes, batch: Vec::new(), pending: None, phase: Phase::Probe })
    }

    #[inline]
    fn step(&mut self) -> Result<Option<JoinedRow<K, B, P>>, E> {
        loop {
            // For each row: one key's product may go on for hours, and reading a flag costs nothing beside a row.
            self.table.check_killed()?;
            if let Some(row) = self.take_pending() {
                return Ok(Some(row));
            }
            match &mut self.phase {
                Phase::Probe => match self.next_probe()? {
                    Some(probe) => {
                        if let Some(row) = self.probe(probe) {
                            return Ok(Some(row));
                        }
                    }
                    None => self.end_pass()?,
                },
                Phase::Unmatched { table, keys, chain } => {
                    if let Some((key, next)) = chain.take()
                        && let Some((row, after)) = self.table.more(*table, next)
                    {
                        *chain = Some((key.clone(), *after));
                        return Ok(Some((key, Some(row.clone()), None)));
                    }
                    if let Some(entry) = keys.find(|entry| !entry.is_matched()) {
                        if self.table.more(*table, entry.first()).is_some() {
                            *chain = Some((entry.key.clone(), entry.first()));
                        }
                        return Ok(Some((entry.key, Some(entry.row), None)));
                    }
                    if *table + 1 < TABLES {
                        *table += 1;
                        *keys = self.table.take_keys(*table).into_iter();
                    } else {
                        self.next_chunk()?;
                    }
                }
                Phase::Done => return Ok(None),
            }
        }
    }

    #[inline]
    fn next_probe(&mut self) -> Result<Option<Probe<K, P>>, E> {
        let row = match &mut self.probes {
            Probes::Direct(input) => input.next().transpose()?,
            Probes::Spilled(spilled) => spilled.next_probe()?,
            Probes::Staged(stage, input) => loop {
                if let Some(probe) = self.batch.pop() {
                    return Ok(Some(probe));
                }
                let staged = std::iter::from_fn(|| stage.pop()).take(BATCH);
                self.batch.extend(staged.map(|(hash, key, row)| Probe { hash, key, row, place: None }));
                for probe in &mut self.batch {
                    probe.place = self.table.place(probe.hash, &probe.key);
                }
                if !self.batch.is_empty() {
                    continue;
                }
                let Some(rows) = input else {
                    if stage.drain_next() {
                        continue;
                    }
                    return Ok(None);
                };
                match fill_bucket(stage, rows, &self.table)? {
                    true => continue,
                    false => *input = None,
                }
            },
        };
        Ok(row.map(|(key, row)| {
            let hash = self.table.hash(&key);
            let place = self.table.place(hash, &key);
            Probe { hash, key, row, place }
        }))
    }

    #[inline]
    fn take_pending(&mut self) -> Option<JoinedRow<K, B, P>> {
        let Pending { key, probe, table, next } = self.pending.take()?;
        let (row, after) = self.table.more(table, next)?;
        let row = row.clone();
        if self.table.more(table, *after).is_some() {
            self.pending = Some(Pending { key: key.clone(), probe: probe.clone(), table, next: *after });
        }
        Some((key, Some(row), Some(probe)))
    }

    /// Meets one probe row with the table.
    #[inline]
    fn probe(&mut self, probe: Probe<K, P>) -> Option<JoinedRow<K, B, P>> {
        let Probe { hash, key, row: probe, place } = probe;
        let marks = self.rules.unmatched_build;
        let entry = place.and_then(|at| if marks { self.table.mark(hash, at) } else { self.table.at(hash, at) });
        let Some(entry) = entry else {
            let is_unmatched = self.rules.unmatched_probe
                && match &self.probes {
                    Probes::Spilled(spilled) => spilled.is_finally_unmatched(),
                    Probes::Direct(_) | Probes::Staged(..) => true,
                };
            return is_unmatched.then_some((key, None, Some(probe)));
        };
        if self.rules.unmatched_probe
            && let Probes::Spilled(spilled) = &mut self.probes
        {
            spilled.mark_matched();
        }
        if !self.rules.matched {
            return None;
        }
        let row = entry.row.clone();
        let (table, next) = (table_of(hash), entry.first());
        if self.table.more(table, next).is_some() {
            self.pending = Some(Pending { key: key.clone(), probe: probe.clone(), table, next });
        }
        Some((key, Some(row), Some(probe)))
    }

    /// All probe rows have met the table.
    fn end_pass(&mut self) -> Result<(), SpillError> {
        if self.rules.unmatched_build {
            self.phase = Phase::Unmatched { table: 0, keys: self.table.take_keys(0).into_iter(), chain: None };
            return Ok(());
        }
        self.next_chunk()
    }

    /// Loads the next table, if there is one.
    fn next_chunk(&mut self) -> Result<(), SpillError> {
        self.phase = Phase::Done;
        self.table.clear();
        if let Probes::Spilled(spilled) = &mut self.probes
            && spilled.advance()
        {
            spilled.load_chunk(&mut self.table)?;
            self.phase = Phase::Probe;
        }
        Ok(())
    }
}

impl<K, B, P, I, E> Iterator for HashJoin<K, B, P, I>
where
    K: Record + Hash + Eq + Clone,
    B: Record + Clone,
    P: Record + Clone,
    I: Iterator<Item = Result<(K, P), E>>,
    E: From<SpillError>,
{
    type Item = Result<JoinedRow<K, B, P>, E>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.phase, Phase::Done) {
            return None;
        }
        let next = self.step().transpose();
        if let Some(Err(_)) = next {
            self.pending = None;
            self.phase = Phase::Done;
        }
        next
    }
}

/// Moves a full bucket's rows into the table. If the result is false, memory was refused, and the row for which it was
/// is back in the stage.
fn empty_bucket<K, B>(
    stage: &mut JoinStage<K, B>,
    table: &mut JoinTable<K, B>,
    keys_only: bool,
) -> Result<bool, SpillError>
where
    K: Record + Hash + Eq,
    B: Record,
{
    while let Some((hash, key, row)) = stage.pop() {
        if keys_only && table.place(hash, &key).is_some() {
            continue;
        }
        if !table.make_room(hash)? {
            stage.push(hash, key, row);
            return Ok(false);
        }
        table.insert(hash, key, row);
    }
    Ok(true)
}

/// Stages probe rows until a bucket is full. If the result is false, the input has ended before.
#[inline]
fn fill_bucket<K, B, P, E>(
    stage: &mut JoinStage<K, P>,
    input: &mut impl Iterator<Item = Result<(K, P), E>>,
    table: &JoinTable<K, B>,
) -> Result<bool, E>
where
    K: Record + Hash + Eq,
    B: Record,
    P: Record,
{
    for row in input {
        let (key, row) = row?;
        if stage.push(table.hash(&key), key, row) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deals out to disk: the table, the rows staged for it, the rest of the build side, and the probe side.
fn spill<K, B, P, E>(
    context: &SpillContext,
    table: &mut JoinTable<K, B>,
    mut stage: JoinStage<K, B>,
    build: impl Iterator<Item = Result<(K, B), E>>,
    probe: impl Iterator<Item = Result<(K, P), E>>,
) -> Result<SpilledJoin, E>
where
    K: Record + Hash + Eq + Clone,
    B: Record + Clone,
    P: Record,
    E: From<SpillError>,
{
    context.metrics.count_spill(table.used_bytes() + stage.used_bytes());
    let mut build_buffers = PartitionBuffers::new(context, PARTITIONS);
    for number in 0..TABLES {
        for entry in table.take_keys(number) {
            let partition = partition_of(table.hash(&entry.key));
            let mut next = entry.first();
            let mut row = (entry.key, entry.row);
            build_buffers.insert(partition, &row)?;
            while let Some((further, after)) = table.more(number, next) {
                row.1 = further.clone();
                build_buffers.insert(partition, &row)?;
                next = *after;
            }
        }
    }
    table.clear();
    loop {
        while let Some((hash, key, row)) = stage.pop() {
            build_buffers.insert(partition_of(hash), &(key, row))?;
        }
        if !stage.drain_next() {
            break;
        }
    }
    drop(stage);
    for row in build {
        let row = row?;
        build_buffers.insert(partition_of(table.hash(&row.0)), &row)?;
    }
    build_buffers.spill()?;
    let mut probe_buffers = PartitionBuffers::new(context, PARTITIONS);
    for row in probe {
        let row = row?;
        probe_buffers.insert(partition_of(table.hash(&row.0)), &row)?;
    }
    probe_buffers.spill()?;
    let mut spilled = SpilledJoin::new(build_buffers.finish()?, probe_buffers.finish()?);
    spilled.load_chunk(table)?;
    Ok(spilled)
}
