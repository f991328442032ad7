//! The shell of every HTTP server: what is around the pages, once.
//!
//! ```text
//!  listeners ──► bounded connections ──► [TLS] ──► head within its time ──► may it change something? ──► router
//!                                                                                headers of safety ◄──────┘
//! ```
//!
//! A server says which [`axum::Router`] it has and where it listens; this crate sees to the rest:
//!
//! - **Ports** are tried one after another, as `spark.port.maxRetries` says.
//! - **Limits** ([`Limits`]): connections, the size of heads and bodies, and a time for each step, so that who sends or reads
//!   slowly holds a connection for that time and no longer.
//! - **Origins** ([`Origins`]): what a browser sends on behalf of a foreign page changes nothing (SE-44).
//! - **Headers**: no inline script, no frames, no guessing of types, nothing kept in caches (SE-40, SE-45).
//! - **TLS** ([`Tls`]) with certificates of PEM files (SE-07).
//! - **Its end**: what is being answered is answered, within a time.
//!
//! What does not belong here: pages, JSON, who a user is.

#![forbid(unsafe_code)]

mod connection;
mod headers;
mod limits;
mod origins;
mod server;
mod stall;
mod tls;

pub use connection::Peer;
pub use limits::Limits;
pub use origins::{ForeignOrigin, Origins};
pub use server::{BoundHttpServer, HttpServer, HttpServerOptions, StartHttpServerError, resolve};
pub use tls::{ReadTlsError, Tls};
