//! Rows of a join on their way to the tables, dealt out by table.
//!
//! Every row of a large join meets another place in memory, and each such meeting waits for the memory: in the table of ten
//! million rows that cost two thirds of the join. So rows wait in 64 buckets until one is full, and then all of a bucket
//! meet the same small table, most of it in cache by then. Joins of ten million pairs became two to two and a half times as
//! fast by it (4 KiB pages, 32 MiB of last-level cache).

use crate::{
    Record,
    join_table::{TABLES, table_of},
    size_tracker::SizeTracker,
};

/// What all buckets together may hold: past it there is little to win.
pub(crate) const STAGE_BYTES: u64 = 24 << 20;

/// Memory is looked at once for so many bytes of build rows, …
const CHECK_BYTES: u64 = 64 << 10;
/// … or so many rows.
const CHECK_ROWS: u64 = 1024;

/// Rows with their hashes, by table.
pub(crate) struct JoinStage<K, T> {
    buckets: Vec<Vec<(u64, K, T)>>,
    bucket_rows: usize,
    staged_rows: u64,
    heap: SizeTracker,
    /// The bucket that is being emptied.
    draining: usize,
}

impl<K: Record, T: Record> JoinStage<K, T> {
    pub(crate) fn new() -> Self {
        let mut buckets = Vec::new();
        buckets.resize_with(TABLES, Vec::new);
        let mut stage =
            Self { buckets, bucket_rows: 0, staged_rows: 0, heap: SizeTracker::new::<(K, T)>(), draining: 0 };
        stage.bucket_rows = stage.fitting_rows();
        stage
    }

    /// After so many rows memory should be looked at.
    pub(crate) fn check_distance(&self) -> u64 {
        (CHECK_BYTES / self.row_bytes()).clamp(1, CHECK_ROWS)
    }

    /// So many rows make a bucket full, given what rows have looked like so far.
    fn fitting_rows(&self) -> usize {
        (STAGE_BYTES / TABLES as u64 / self.row_bytes()).max(1) as usize
    }

    fn row_bytes(&self) -> u64 {
        size_of::<(u64, K, T)>() as u64 + self.heap.mean_bytes()
    }

    /// Adds a row. If the result is true, its bucket is full, and is what [`pop`](Self::pop) takes from.
    #[inline]
    pub(crate) fn push(&mut self, hash: u64, key: K, row: T) -> bool {
        let record = (key, row);
        if self.heap.add(&record) {
            self.bucket_rows = self.fitting_rows();
        }
        let (key, row) = record;
        self.staged_rows += 1;
        let table = table_of(hash);
        let bucket = &mut self.buckets[table];
        bucket.push((hash, key, row));
        if bucket.len() < self.bucket_rows {
            return false;
        }
        self.draining = table;
        true
    }

    /// Takes a row of the bucket that is being emptied.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(u64, K, T)> {
        let row = self.buckets[self.draining].pop()?;
        self.staged_rows -= 1;
        Some(row)
    }

    /// Turns to a bucket that is not empty, if there is one: for the end of the input.
    pub(crate) fn drain_next(&mut self) -> bool {
        match self.buckets.iter().position(|bucket| !bucket.is_empty()) {
            Some(bucket) => self.draining = bucket,
            None => return false,
        }
        true
    }

    /// Estimated bytes of the rows that wait. Free places in the buckets count, since a bucket keeps them.
    pub(crate) fn used_bytes(&self) -> u64 {
        let places: usize = self.buckets.iter().map(Vec::capacity).sum();
        (places * size_of::<(u64, K, T)>()) as u64 + self.staged_rows * self.heap.mean_bytes()
    }
}
