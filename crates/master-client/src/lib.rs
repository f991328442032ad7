//! Connections to the masters of a standalone cluster.
//!
//! Workers, drivers and `spark-submit` all know a list of masters of which one leads. [`MasterConnections`] keeps a connection to
//! each, so that a new leader is heard of at once (SA-50), and makes it again when it is lost. [`ask`] puts one question.

#![forbid(unsafe_code)]

mod ask;
mod connections;

use std::time::Duration;

pub use ask::{AskError, ask};
pub use connections::{MasterConnections, MasterNews};
use firesteel_rpc::{Options, handshake::Protocol};

/// What masters and those who connect to them speak. An application may be built on another release than the cluster, so the
/// version changes whenever a message does.
pub const PROTOCOL: Protocol = Protocol { name: *b"standaln", version: 2 };

/// The largest message: the description of an application, with its configuration.
const MAX_MESSAGE: firesteel_model::ByteCount = firesteel_model::ByteCount::mib(16);

/// A connection on which nothing was heard for so long is broken. Much sooner than an executor's: a master that hangs should be
/// found out within seconds.
const IDLE_TIME_OUT: Duration = Duration::from_secs(20);

/// How both sides of a connection to a master are set.
pub fn options() -> Options {
    Options {
        protocol: PROTOCOL,
        max_message_size: MAX_MESSAGE,
        connect_time_out: Duration::from_secs(10),
        keep_alive_interval: Duration::from_secs(5),
        idle_time_out: IDLE_TIME_OUT,
        ..Options::default()
    }
}
