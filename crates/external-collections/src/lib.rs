//! Sort, aggregate, join, cogroup and the map side of the shuffle, none of which needs its partition in memory.
//!
//! A collection lives inside one task, in one thread. It asks its task's [`ExecutionMemory`] before it grows; when it is
//! refused, it writes what it holds to a spill file and goes on. Without a spill each is a plain vector or hash table; after
//! one, results stream out of a merge. See RT-52, RT-59 and RT-60.
//!
//! | Spark's operation | here |
//! |---|---|
//! | `sortByKey`, `repartitionAndSortWithinPartitions` (reduce side) | [`ExternalSorter`] |
//! | `reduceByKey`, `combineByKey`, `groupByKey`, `distinct` (reduce side) | [`ExternalAppendOnlyMap`] with an [`Aggregator`] |
//! | the same, map side | [`CombiningMapWriter`] |
//! | every other shuffle, map side | [`ShuffleMapWriter`] |
//! | `join` and its outer forms, `subtractByKey` | [`join()`], [`left_outer_join`], …, [`subtract_by_key`] |
//! | `cogroup` | [`cogroup()`]; of three sides and more, a map with an [`Aggregator`] of one's own |
//!
//! ```
//! use std::sync::Arc;
//! use firesteel_external_collections::{ExternalSorter, FixedMemory, SpillContext, SpillError};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("spill-0");
//! // An executor gives its memory manager and its local directories here.
//! let context = SpillContext::new(Arc::new(FixedMemory::new(64 << 20)), Arc::new(move || Ok(path.clone())));
//! let mut sorter = ExternalSorter::new(&context, |a: &(String, u32), b: &(String, u32)| a.0.cmp(&b.0));
//! sorter.insert(("b".to_owned(), 1))?;
//! sorter.insert(("a".to_owned(), 2))?;
//! let sorted = sorter.finish()?.collect::<Result<Vec<_>, SpillError>>()?;
//! assert_eq!(sorted[0], ("a".to_owned(), 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a caller must know
//!
//! - After an error a collection has lost records: the task must fail, and `finish` panics. Dropping the collection, also by a panic, removes its
//!   files and gives its memory back.
//! - Results hold memory until they are dropped. Two collections of one task share its grants; one that is refused spills
//!   itself, never the other one.
//! - Beyond what is granted a collection uses [`SpillOptions::initial_memory_bytes`] (joins and [`CombiningMapWriter`] twice:
//!   their table and the buffers that it is emptied into), one block for each open run, and at least one record.
//! - Sizes of records are estimated (see [`heap_size`](firesteel_model::heap_size)), encoded bytes are counted.
//! - A `Vec<u8>` is encoded byte by byte, as serde sees it; record types with large binary fields are better off with
//!   `serde_bytes`.
//!
//! What does not belong here: who gets how much memory (`memory`), where local directories are (`local-dirs`), shuffle files
//! and their compression (`shuffle`, behind [`SegmentSink`]), samples and sketches (`sampling`).

#![forbid(unsafe_code)]

mod aggregator;
mod append_only_map;
mod budget;
mod codec;
mod cogroup;
mod combining_table;
mod context;
mod encode_error;
mod encoding;
mod encrypted_blocks;
mod error;
mod hash_join;
mod join;
mod join_stage;
mod join_table;
mod partition_buffers;
mod run;
mod segment_sink;
mod shuffle_map_writer;
mod size_tracker;
mod sort_prefix;
mod sorted_records;
mod sorter;
mod spill_file;
mod spilled_join;

pub use aggregator::{Aggregator, ByValue, Grouping, Held, InPlace};
pub use append_only_map::{Combined, ExternalAppendOnlyMap};
pub use codec::{Lz4Blocks, PlainBlocks, SpillCodec};
pub use cogroup::cogroup;
pub use context::{ExecutionMemory, FixedMemory, SpillContext, SpillDirectory, SpillMetrics, SpillOptions};
pub use encode_error::EncodeError;
pub use encoding::{Record, decode, encode};
pub use encrypted_blocks::EncryptedBlocks;
pub use error::{SpillDamage, SpillError};
pub use join::{
    BuildSide, JoinKey, PairResult, full_outer_join, join, left_outer_join, right_outer_join, subtract_by_key,
};
pub use segment_sink::{MapOutputSummary, SegmentSink, WriteMapOutputError};
pub use shuffle_map_writer::{CombiningMapWriter, ShuffleMapWriter};
pub use sort_prefix::sort_prefix;
pub use sorter::{ExternalSorter, Sorted};
