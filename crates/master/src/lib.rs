//! The master of the standalone cluster as a process: Spark's `Master`.
//!
//! ```text
//!  connections ──► events ──► loop: Master::handle_all ──► commands ──► connections, the store of records
//!  leadership ───────┘                                        └──────► log, exit
//! ```
//!
//! One task owns the state machine ([`firesteel_standalone::master`]); everything else sends it events or questions through one
//! bounded queue. Who has not proved the cluster's secret is not heard at all (SE-47, SE-50).

#![forbid(unsafe_code)]

mod election;
mod event_loop;
mod persistence;
mod server;

pub use election::{ElectionError, LeaderElectionAgent, MonarchyLeaderAgent, term_after};
pub use persistence::{
    Change, FileSystemPersistenceEngine, NoPersistence, PersistenceEngine, PersistenceError, StoreError,
};
pub use server::{MasterEnd, MasterServer, MasterServerOptions, StartMasterError};
