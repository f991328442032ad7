//! One seed, one run: the real scheduler core with fake executors, a fake network and a fake cluster manager, on virtual
//! time.
//!
//! A run has two parts. Until the faults stop, messages are late, doubled or lost, executors crash or hang, tasks fail or
//! dawdle, jobs and stages are cancelled. After that everything works. An [`Oracle`] knows what the users were promised:
//! *safety*, at any time: each output of a job is delivered at most once, a job that succeeds has them all, results of one
//! job agree about the rows they were computed from, accumulators of results are merged once; *liveness*, once faults stop:
//! every job ends, and those submitted from then on succeed.
//!
//! `Scheduler::assert_invariants` runs after every event.

#![forbid(unsafe_code)]

mod chance;
mod executor;
mod oracle;
mod workload;
mod world;

pub use oracle::Oracle;
pub use world::{Report, run};
