//! The receiving half of a connection.

use std::{fmt, io, marker::PhantomData, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncReadExt, ReadHalf},
    time::{Instant, timeout_at},
};

use crate::{
    Options,
    address::BoxStream,
    frame,
    handshake::{NotAuthentic, Opener},
    send_queue::SendQueue,
};

/// The receiving half of a connection. Nothing is read while nobody asks, so a slow reader slows the sender down.
pub struct Receiver<In> {
    /// Gone when the connection is broken, so that the socket closes.
    stream: Option<ReadHalf<BoxStream>>,
    opener: Opener,
    /// Sealed records as they came; the first `wire_used` bytes are done with.
    wire: Vec<u8>,
    wire_used: usize,
    /// Opened records; the first `plain_used` bytes are done with.
    plain: Vec<u8>,
    plain_used: usize,
    read_size: usize,
    max_message_size: u64,
    idle_time_out: Duration,
    last_heard: Instant,
    state: State,
    /// This side's senders, which are told when the connection fails.
    queue: Arc<SendQueue>,
    messages: PhantomData<fn() -> In>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Broken,
}

/// Why a connection cannot be received from any more.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It ended without the other side closing it: the process died, or the network failed.
    #[error("the connection was lost: the other side did not close it")]
    Lost,
    /// Not a byte came for this long, although the other side would say when it is only idle.
    #[error("nothing was heard from the other side for {} s (spark.network.timeout)", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The system reported a failure.
    #[error("the connection failed")]
    Io(#[source] io::Error),
    /// What came is not what the other side sent.
    #[error("the connection was tampered with or damaged")]
    NotAuthentic(#[source] NotAuthentic),
    /// The other side sends a message that is longer than this side takes.
    #[error(
        "the other side sent a message of {length} bytes, more than the {limit} bytes of spark.rpc.message.maxSize"
    )]
    TooLarge {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A message that this side does not understand, so the two are not of the same release.
    #[error("a message of {length} bytes could not be decoded; do both sides run the same release? {message}")]
    Malformed {
        /// Its length in bytes.
        length: usize,
        /// What the decoder said.
        message: String,
    },
    /// An error was reported before, or this side found the connection broken while sending, or aborted it.
    #[error("the connection is broken")]
    Broken,
}

/// Few bytes, as most connections are idle; a full read doubles it.
const MIN_READ: usize = 4 << 10;
const MAX_READ: usize = 256 << 10;

impl<In: DeserializeOwned> Receiver<In> {
    /// The next message, or nothing when the other side has closed the connection in good order. May be cancelled at any
    /// time without losing a message. An error is the end of the connection.
    pub async fn receive(&mut self) -> Result<Option<In>, ReceiveError> {
        loop {
            match self.try_receive() {
                Ok(Some(message)) => return Ok(Some(message)),
                Ok(None) if self.state == State::Closed => return Ok(None),
                Ok(None) => self.read_more().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// A message that has arrived already, if there is one: to handle many at once after one [`Self::receive`].
    pub fn try_receive(&mut self) -> Result<Option<In>, ReceiveError> {
        match self.state {
            State::Open => {}
            State::Closed => return Ok(None),
            State::Broken => return Err(ReceiveError::Broken),
        }
        self.next_message().map_err(|error| self.fail(error))
    }

    fn next_message(&mut self) -> Result<Option<In>, ReceiveError> {
        loop {
            if let Some(header) = self.plain[self.plain_used..].first_chunk::<{ frame::HEADER }>() {
                let body = self.plain_used + frame::HEADER;
                match u32::from_le_bytes(*header) {
                    frame::KEEP_ALIVE => {
                        self.plain_used = body;
                        continue;
                    }
                    frame::CLOSE => {
                        self.state = State::Closed;
                        return Ok(None);
                    }
                    length if u64::from(length) > self.max_message_size => {
                        return Err(ReceiveError::TooLarge { length: length.into(), limit: self.max_message_size });
                    }
                    length => {
                        let end = body + length as usize;
                        if let Some(bytes) = self.plain.get(body..end) {
                            let message = decode(bytes)?;
                            self.plain_used = end;
                            return Ok(Some(message));
                        }
                    }
                }
            }
            if !self.open_records()? {
                return Ok(None);
            }
        }
    }

    /// Opens the records that are complete; says whether there was one.
    fn open_records(&mut self) -> Result<bool, ReceiveError> {
        if self.plain_used > 0 {
            self.plain.drain(..self.plain_used);
            self.plain_used = 0;
        }
        let before = self.wire_used;
        // Not far beyond what one read brings, so that opened messages do not pile up.
        while let Some(length) = self.wire[self.wire_used..].first_chunk::<2>() {
            let start = self.wire_used + 2;
            let end = start + usize::from(u16::from_le_bytes(*length));
            let Some(record) = self.wire.get(start..end) else { break };
            self.opener.open(record, &mut self.plain).map_err(ReceiveError::NotAuthentic)?;
            self.wire_used = end;
        }
        Ok(self.wire_used > before)
    }

    async fn read_more(&mut self) -> Result<(), ReceiveError> {
        self.wire.drain(..self.wire_used);
        self.wire_used = 0;
        self.shrink_if_idle();
        self.wire.reserve(self.read_size);
        let capacity = self.wire.capacity() - self.wire.len();
        let deadline = self.last_heard + self.idle_time_out;
        let Some(stream) = &mut self.stream else { return Err(ReceiveError::Broken) };
        let read = tokio::select! {
            biased;
            read = timeout_at(deadline, stream.read_buf(&mut self.wire)) => read,
            () = self.queue.broken() => return Err(self.fail(ReceiveError::Broken)),
        };
        let error = match read {
            Ok(Ok(0)) => ReceiveError::Lost,
            Ok(Ok(read)) => {
                self.last_heard = Instant::now();
                self.read_size = if read == capacity {
                    (self.read_size * 2).min(MAX_READ)
                } else if read < self.read_size / 4 {
                    (self.read_size / 2).max(MIN_READ)
                } else {
                    self.read_size
                };
                return Ok(());
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => ReceiveError::Lost,
            Ok(Err(error)) => ReceiveError::Io(error),
            Err(_) => ReceiveError::TimedOut(self.idle_time_out),
        };
        Err(self.fail(error))
    }

    fn fail(&mut self, error: ReceiveError) -> ReceiveError {
        self.state = State::Broken;
        self.stream = None;
        self.queue.fail();
        error
    }

    fn shrink_if_idle(&mut self) {
        if self.wire.is_empty() && self.wire.capacity() > 2 * self.read_size {
            self.wire.shrink_to(self.read_size);
        }
        if self.plain.is_empty() && self.plain.capacity() > 2 * self.read_size {
            self.plain.shrink_to(self.read_size);
        }
    }
}

fn decode<In: DeserializeOwned>(bytes: &[u8]) -> Result<In, ReceiveError> {
    let malformed = |message: String| ReceiveError::Malformed { length: bytes.len(), message };
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(malformed(format!("{} bytes are left over", rest.len()))),
        Err(error) => Err(malformed(error.to_string())),
    }
}

impl<In> fmt::Debug for Receiver<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("open", &(self.state == State::Open)).finish_non_exhaustive()
    }
}

pub(crate) fn start<In>(
    stream: ReadHalf<BoxStream>,
    opener: Opener,
    queue: Arc<SendQueue>,
    options: &Options,
) -> Receiver<In> {
    Receiver {
        stream: Some(stream),
        opener,
        wire: Vec::new(),
        wire_used: 0,
        plain: Vec::new(),
        plain_used: 0,
        read_size: MIN_READ,
        max_message_size: options.max_message_size.bytes().min(frame::MAX_LENGTH),
        idle_time_out: options.idle_time_out,
        last_heard: Instant::now(),
        state: State::Open,
        queue,
        messages: PhantomData,
    }
}
