//! The web UI of a master (SA-60, SA-61, SA-64, SA-65, SA-67).
//!
//! One question copies what a page is about out of the state machine ([`view`]); pages ([`pages`]), JSON ([`json`]) and metrics
//! ([`metrics`]) are functions of that copy. Whoever wants something to end sends the event that any operator would send.
//!
//! Who reaches the port may read. Nobody logs in, so who may end something is a matter of where the request comes from
//! ([`KillRights`]), and of the page that has sent it, which is the HTTP server's (SE-44).

mod json;
mod metrics;
mod pages;
mod routes;
#[cfg(test)]
mod tests;
mod view;

use axum::Router;

use crate::MasterHandle;

/// Who may end applications and drivers by the pages' buttons (SA-65).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KillRights {
    /// Nobody: `spark.ui.killEnabled` is `false`.
    Nobody,
    /// Who is on the master's machine: the key is not set.
    ThisMachine,
    /// Everyone who reaches the port: it is `true`.
    Everyone,
}

/// The pages of a master.
#[derive(Clone, Debug)]
pub struct MasterWebUi {
    /// The master.
    pub master: MasterHandle,
    /// Who may end something.
    pub kill: KillRights,
}

impl MasterWebUi {
    /// What an HTTP server serves.
    pub fn router(self) -> Router {
        routes::router(self)
    }
}
