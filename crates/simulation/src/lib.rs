//! One seed, one run: the real scheduler core with fake executors, a fake network and a fake cluster manager, on virtual
//! time.
//!
//! A run has two parts. Until the faults stop, messages are late, doubled or lost, executors crash or hang, files cannot be
//! read, tasks fail or dawdle, jobs and stages are cancelled. After that everything works, but for some tasks that are killed
//! over and over, which must not matter. An [`Oracle`] hears what the driver hears, keeps accounts of its own, and judges what
//! the driver does.
//!
//! *Safety*, at any time:
//!
//! - Each output of a job is delivered at most once, a job that succeeds has them all, and they agree about the rows they were
//!   computed from. Nothing of a stage attempt counts that is void.
//! - Accumulators are merged once for each output of a result stage, and never of a map task beside whose output another one
//!   is listed.
//! - One attempt of a partition at a time has leave to commit; the next gets it when that one has ended in vain or is void.
//!   The result that a job gets is of the attempt whose output was committed.
//! - Nobody goes on from a barrier before all tasks of the stage attempt have come; barriers follow each other one by one, and
//!   all hear what all have said.
//! - A map output that nothing happened to is neither forgotten nor made again, unless its stage is a barrier stage or
//!   indeterminate. None is listed of a set that is older than the reader who found nothing on its executor.
//! - No task is launched where it, its set or everything is excluded: of a task and its set by the failures that were heard
//!   of, of the application as the listeners were told.
//! - A set gets no slot while an earlier one in FIFO order of its pool has tasks that never ran. Judged where locality makes
//!   nobody wait and no failure keeps the earlier set off anywhere; barrier stages and launches ahead of a slot are left out.
//! - A job fails only for what has happened to it: it was cancelled, a task failed by its own fault as often as it may, as
//!   many attempts of a stage ended in vain as may, rows that may change were lost, the serializer failed, a task was excluded
//!   everywhere. Where it fails for want of slots, only that it has a barrier stage is looked at.
//!
//! *Liveness*, once faults stop: every job ends, and those submitted from then on succeed.
//!
//! `Scheduler::assert_invariants` runs after every event.

#![forbid(unsafe_code)]

mod chance;
mod executor;
mod oracle;
pub mod standalone;
mod workload;
mod world;

pub use oracle::Oracle;
pub use world::{Report, run};
