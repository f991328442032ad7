//! The standalone cluster manager as state machines without I/O: Spark's `Master`, `Worker` and `StandaloneAppClient`.
//!
//! ```text
//!  driver ── ApplicationClient ─┐                      ┌─ WorkerDaemon ── executors, drivers
//!                               ├──► Master ◄──────────┤
//!  spark-submit, REST, UI ──────┘   (one leads)        └─ WorkerDaemon ── …
//! ```
//!
//! Events go in, commands come out; time is passed in, chance comes from a seed. What travels between the three is plain data
//! ([`protocol`]); what an executor or a driver is started with is sealed from all of them ([`LaunchData`]), so that a master
//! never reads what a user's program has made (SE-47).
//!
//! Every connection stays open and has one reader, so messages of one peer arrive in order or not at all. What is lost with
//! a connection is said again by whoever reconnects: a worker tells all that it runs ([`protocol::WorkerState`]), an
//! application what it has heard of. A master that leads numbers its term, and nobody obeys an older one.
//!
//! What does not belong here: sockets, processes, files, ZooKeeper, HTTP, what is inside of launch data.

#![forbid(unsafe_code)]

mod application;
mod artifacts;
mod description;
pub mod master;
mod number;
mod placement;
pub mod protocol;
mod random;
mod state;
pub mod worker;

pub use application::{ApplicationClient, ApplicationCommand, ApplicationEvent};
pub use artifacts::{ARTIFACT_PIECE, ArtifactAnswer, ArtifactContent, ArtifactRequest, ArtifactsId};
pub use description::{
    ApplicationDescription, DriverDescription, ExecutorDemand, LaunchData, ResourceRequirement, Usage,
    WorkerDescription,
};
pub use number::{application_id, submission_id, worker_id};
pub use placement::{Assignment, Demand, Room, place_executors};
pub use state::{ApplicationState, DriverState, ExecutorState, RecoveryState, Term, WorkerState};
