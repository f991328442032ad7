//! The connecting side.

use std::{io, time::Duration};

use tokio::time::timeout;

use crate::{
    Address, Connection, Options, Secret, address,
    connection::Handshaken,
    handshake::{self, Greeting, HandshakeError},
};

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answered.
    #[error("could not connect to {address}")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("could not connect to {address} within {} s: {stage}", .time_out.as_secs_f64())]
    TimedOut {
        /// Where.
        address: Address,
        /// How long was waited.
        time_out: Duration,
        /// What did not happen in time.
        stage: &'static str,
    },
    /// Somebody answered, but the two do not get along.
    #[error("could not agree with {address}")]
    Handshake {
        /// Where.
        address: Address,
        /// Why.
        #[source]
        source: HandshakeError,
    },
}

impl ConnectError {
    /// May the same attempt succeed later? A wrong secret or another version stays what it is (SE-01: no stack of retries).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Handshake { source, .. } => matches!(source, HandshakeError::Io(_)),
        }
    }
}

/// Connects and proves the secret. Must be called in a tokio runtime.
pub async fn connect<In, Out>(
    address: &Address,
    secret: &Secret,
    options: &Options,
) -> Result<Connection<In, Out>, ConnectError> {
    let timed_out = |time_out, stage| move |_| ConnectError::TimedOut { address: address.clone(), time_out, stage };
    let mut stream = timeout(options.connect_time_out, address::open(address))
        .await
        .map_err(timed_out(options.connect_time_out, "no answer"))?
        .map_err(|source| ConnectError::Unreachable { address: address.clone(), source })?;
    let handshake = handshake::initiate(&mut stream, secret, options.protocol, &options.key_id, &[]);
    let (session, _) = timeout(options.handshake_time_out, handshake)
        .await
        .map_err(timed_out(options.handshake_time_out, "the handshake was not finished"))?
        .map_err(|source| ConnectError::Handshake { address: address.clone(), source })?;
    let greeting = Greeting { key_id: options.key_id.clone(), bytes: Vec::new() };
    Ok(Connection::start(Handshaken::new(stream, session, address.to_string(), greeting), options))
}
