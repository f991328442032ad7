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
mod event_loop;
mod handle;
mod persistence;
mod server;
mod web_ui;

pub use artifacts::ArtifactStoreOptions;
pub use handle::MasterHandle;
pub use persistence::{FileSystemPersistenceEngine, NoPersistence, PersistenceEngine, StoreError};
pub use server::{MasterServer, MasterServerOptions, StartMasterError};
pub use web_ui::{KillRights, MasterWebUi};
