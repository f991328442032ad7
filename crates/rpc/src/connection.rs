//! An authenticated connection, before it is split.

use std::fmt;

use crate::{
    Options, Receiver, Sender,
    address::BoxStream,
    handshake::{Greeting, Session},
    receiver, sender,
};

/// An authenticated connection: receives `In`, sends `Out`. The other side has it the other way round.
#[derive(Debug)]
pub struct Connection<In, Out> {
    peer: Peer,
    sender: Sender<Out>,
    receiver: Receiver<In>,
}

/// Who is at the other end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Where it connects from, or where this side connected to. For messages.
    pub address: String,
    /// The id of the secret it proved; empty unless a server has several.
    pub key_id: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl<In, Out> Connection<In, Out> {
    /// Must be called in a tokio runtime; the writer's task lives there.
    pub(crate) fn start(handshaken: Handshaken, options: &Options) -> Self {
        let (read, write) = tokio::io::split(handshaken.stream);
        let (sealer, opener) = handshaken.session.split();
        let (sender, queue) = sender::start(write, sealer, options);
        let receiver = receiver::start(read, opener, queue, options);
        Self { peer: handshaken.peer, sender, receiver }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The two halves, which may go to different tasks.
    pub fn split(self) -> (Sender<Out>, Receiver<In>) {
        (self.sender, self.receiver)
    }
}

/// A stream whose two ends know one another.
pub(crate) struct Handshaken {
    pub(crate) stream: BoxStream,
    pub(crate) session: Session,
    pub(crate) peer: Peer,
}

impl Handshaken {
    pub(crate) fn new(stream: BoxStream, session: Session, address: String, greeting: Greeting) -> Self {
        Self { stream, session, peer: Peer { address, key_id: greeting.key_id } }
    }
}
