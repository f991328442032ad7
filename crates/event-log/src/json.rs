//! Events as JSON lines: Spark's `JsonProtocol`, the writing half.
//!
//! Field names, their order, and which fields are left out follow what Spark 4.3 writes; the recorded facts are in the
//! tests. What only a JVM has (garbage collection, heap pools, push-based shuffle) is written as zero, as a reader of
//! fixed columns expects it.

mod accumulable;
mod event;
mod executor;
mod stage;
mod task;
mod writer;

pub(crate) use event::{EventEncoder, log_start};
