//! The master of the standalone cluster as a process: Spark's `Master`.
//!
//! ```text
//!  connections ──► events ──► loop: Master::handle_all ──► commands ──► connections, the store of records
//!  leadership ───────┘                                        └──────► log, exit
//! ```
//!
//! One task owns the state machine ([`firesteel_standalone::master`]); everything else sends it events or questions through one
//! bounded queue. Who has not proved the cluster's secret is not heard at all (SE-47, SE-50).
//! Files that come with submissions are kept beside it until their drivers have ended.

#![forbid(unsafe_code)]

mod artifacts;
mod election;
mod event_loop;
mod handle;
mod persistence;
mod server;
mod web_ui;

pub use artifacts::ArtifactStoreOptions;
pub use election::{ElectionError, LeaderElectionAgent, MonarchyLeaderAgent, term_after};
pub use handle::MasterHandle;
pub use persistence::{
    Change, FileSystemPersistenceEngine, NoPersistence, PersistenceEngine, PersistenceError, StoreError,
};
pub use server::{MasterEnd, MasterServer, MasterServerOptions, StartMasterError};
pub use web_ui::{KillRights, MasterWebUi};
