//! Which block is where: the driver's registry of cached partitions, broadcast pieces and large task results.
//!
//! Block managers register and report every change of a block (RT-51); the registry answers where a block is (RT-10),
//! what is lost with an executor, whom to tell when an RDD or a broadcast value goes, and which copies must be restored
//! (RT-54). It decides and never acts: methods return what the driver must send as [`BlockMasterCommand`]s. Nothing here
//! waits or reads a clock; chance comes in as a seed.
//!
//! The tables, and what holds between them after every call ([`BlockMaster::assert_invariants`]):
//!
//! - `managers`: each executor's block manager with the blocks that it holds and the sums of their sizes;
//! - `locations`: each block with its holders; a block without a holder is not in the table.
//!
//! What does not belong here: map outputs, which are files that live on without their executor and have a registry of
//! their own (RT-62).

#![forbid(unsafe_code)]

mod command;
mod master;
mod peers;
mod storage_info;

pub use command::BlockMasterCommand;
pub use master::{
    BlockMaster, BlockMasterOptions, BlockStatus, RegisterBlockManagerError, Registration, RemovedExecutor, UpdateBlock,
};
pub use peers::choose_peers;
pub use storage_info::{BlockManagerStorage, PartitionStorage, RddStorage};
