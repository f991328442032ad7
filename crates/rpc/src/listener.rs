//! The listening side.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::AbortHandle, time::timeout};

use crate::{
    Address, Connection, Options, Refusals, Secrets,
    address::{BoxStream, Incoming},
    connection::Handshaken,
    gate::Gate,
    handshake,
};

/// Listens, and gives out connections whose other side has proved the secret. Dropping it stops listening; connections that
/// were given out go on.
#[derive(Debug)]
pub struct Listener {
    address: Address,
    options: Options,
    accepted: mpsc::Receiver<Handshaken>,
    /// Ends the accepting task, and its handshakes with it, when the listener is dropped.
    _accepting: AbortOnDrop,
}

/// Why listening failed.
#[derive(Debug, thiserror::Error)]
#[error("could not listen on {address}; is the port taken, or the address not of this machine?")]
pub struct BindError {
    /// Where.
    pub address: Address,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Nothing can be accepted any more: the accepting task ended with its runtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the listener has stopped")]
pub struct AcceptError;

/// Connections that are authenticated and that nobody has taken yet. More wait in the handshake, and then in the backlog.
const ACCEPTED_QUEUE: usize = 16;

impl Listener {
    /// Starts listening. Must be called in a tokio runtime.
    pub async fn bind(address: &Address, secrets: impl Secrets, options: Options) -> Result<Self, BindError> {
        let bound = Incoming::bind(address).await;
        let (incoming, bound) = bound.map_err(|source| BindError { address: address.clone(), source })?;
        let (sender, accepted) = mpsc::channel(ACCEPTED_QUEUE);
        let accepting = Accepting {
            incoming,
            secrets: Arc::new(secrets),
            options: options.clone(),
            sender,
            gate: Gate::new(options.max_unauthenticated),
            refusals: Arc::default(),
        };
        let accepting = AbortOnDrop(tokio::spawn(accepting.run()).abort_handle());
        Ok(Self { address: bound, options, accepted, _accepting: accepting })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection whose other side has proved the secret. May be cancelled at any time.
    pub async fn accept<In, Out>(&mut self) -> Result<Connection<In, Out>, AcceptError> {
        let handshaken = self.accepted.recv().await.ok_or(AcceptError)?;
        Ok(Connection::start(handshaken, &self.options))
    }
}

#[derive(Debug)]
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Accepting {
    incoming: Incoming,
    secrets: Arc<dyn Secrets>,
    options: Options,
    sender: mpsc::Sender<Handshaken>,
    gate: Gate,
    refusals: Arc<Refusals>,
}

impl Accepting {
    async fn run(mut self) {
        loop {
            self.gate.wait_for_place().await;
            match self.incoming.next().await {
                Ok((stream, peer)) => self.start_handshake(stream, peer),
                Err(error) => {
                    // Out of descriptors, most likely. Those who end their handshake give some back.
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn start_handshake(&mut self, mut stream: BoxStream, peer: String) {
        let (secrets, sender, refusals) = (self.secrets.clone(), self.sender.clone(), self.refusals.clone());
        let (protocol, time_out) = (self.options.protocol, self.options.handshake_time_out);
        self.gate.enter(|authenticated| async move {
            let respond = handshake::respond(&mut stream, &*secrets, protocol, |_| Ok(Vec::new()));
            match timeout(time_out, respond).await {
                Ok(Ok((session, greeting))) => {
                    authenticated.set();
                    let _ = sender.send(Handshaken::new(stream, session, peer, greeting)).await;
                }
                Ok(Err(error)) => refusals.refused(&peer, &error),
                Err(_) => refusals.refused(&peer, &"the handshake was not finished in time"),
            }
        });
    }
}
