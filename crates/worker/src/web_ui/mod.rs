//! The web UI of a worker (SA-62, SA-63, SA-64, SA-67).
//!
//! One question copies what a page is about out of the state machine ([`view`]); the page, the JSON and the metrics are functions of
//! that copy. Logs are read from the work directory, and nothing outside of it ever is (SE-59): what has ended is readable for as
//! long as its directory is there (AS-25).
//!
//! Who reaches the port may read. Nothing can be changed here.

mod json;
mod metrics;
mod page;
mod routes;
#[cfg(test)]
mod tests;
mod view;

use axum::Router;

use crate::WorkerHandle;

/// What an HTTP server serves of a worker.
pub fn web_ui(worker: WorkerHandle) -> Router {
    routes::router(worker)
}
