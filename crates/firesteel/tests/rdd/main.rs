//! Every operation of data sets, compared with a simple model in memory over random partitions. One binary, as there may be one
//! context in a process.

mod accumulators;
mod actions;
mod common;
mod files;
mod joins;
mod numeric;
mod ordered;
mod pairs;
mod partitions;
mod pipe;
mod sampling;
mod sets;
