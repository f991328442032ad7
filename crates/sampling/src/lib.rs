//! Samples, range bounds, top elements and distinct counts: what Spark learns about data without looking at all of it.
//!
//! Everything random takes a seed and gives the same result for it on every machine, since a task that is run again must
//! choose the same records. Seeds of partitions are made from one seed with [`partition_seed`].
//!
//! What does not belong here: running jobs. A range partitioner's sketch is a job of two passes; this crate says how much to
//! sample, samples a partition, and makes bounds of what came back.

#![forbid(unsafe_code)]

mod bernoulli;
mod distinct_count;
mod fraction;
mod poisson;
mod random;
mod range_bounds;
mod reservoir;
mod top_k;

pub use bernoulli::BernoulliSample;
pub use distinct_count::{DistinctCount, MergeDistinctCountError};
pub use fraction::fraction_for_sample_size;
pub use poisson::{PoissonSample, poisson};
pub use random::{SampleRandom, partition_seed};
pub use range_bounds::{PartitionSketch, RangeSampling, range_bounds};
pub use reservoir::reservoir_sample;
pub use top_k::TopK;
