//! Dynamic allocation (SC-20…40): how many executors an application wants, and which of them it gives back.
//!
//! [`ExecutorAllocationManager`] is a state machine. It hears the listener events of the driver's event loop, each and in
//! order, and answers with a [`Decision`]; it never acts. Spark's class of this name listens at the bus, where events may be
//! dropped, and looks every 100 ms; this one decides when something has changed or a time it waits for has come.
//!
//! Executors that registered run the tasks of every resource profile, as profiles here ask nothing of executors. So there is one
//! number to ask for, not one for each profile.

mod load;
mod manager;
mod monitor;
mod options;
#[cfg(test)]
mod tests;

pub use manager::{Decision, ExecutorAllocationManager};
pub use options::{AllocationOptions, ExecutorShape, OptionsError};
