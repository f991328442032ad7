//! One connection to a peer, with many requests under way.

use std::{collections::HashMap, io, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use firesteel_rpc::{
    Secret,
    handshake::{self, HandshakeError},
};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    sync::{Mutex as AsyncMutex, mpsc},
    task::AbortHandle,
    time::timeout,
};

use crate::{
    Body, ClientOptions, Fetched, PeerAddress, Spool,
    frame::{FLAG_CHECKSUM, Header, Kind, MAX_ANSWER},
    message::{Answer, Request},
    patience::Patience,
    server::PROTOCOL,
    wire::{self, WireReader, WireWriter},
};

/// What comes back for a request, in order.
pub(crate) enum Reply {
    Data(Fetched),
    Answer(Answer),
    /// The data came, and could not be written to the local disk.
    SpoolFailed(io::Error),
}

pub(crate) struct PeerConnection {
    writer: AsyncMutex<WireWriter>,
    shared: Arc<Shared>,
    reading: AbortHandle,
}

struct Shared {
    state: Mutex<State>,
    patience: Arc<Patience>,
}

struct State {
    next_id: u64,
    waiting: HashMap<u64, Waiting>,
    broken: Option<Arc<io::Error>>,
}

struct Waiting {
    left: usize,
    /// Without a bound: it holds what one request asked for, and whoever asks limits that.
    replies: mpsc::UnboundedSender<Reply>,
}

/// Why a connection could not be made.
pub(crate) enum OpenError {
    /// Worth another try.
    Network(io::Error),
    /// Not worth one.
    Refused(String),
}

impl PeerConnection {
    pub(crate) async fn open(
        peer: &PeerAddress,
        secret: &Secret,
        spool: Arc<dyn Spool>,
        options: &ClientOptions,
    ) -> Result<Self, OpenError> {
        let agreed = timeout(options.connection_time_out, Self::agree(peer, secret, options)).await;
        let (stream, session, sealed) = agreed.map_err(|_| {
            let message = format!("connecting took longer than {} s", options.connection_time_out.as_secs_f64());
            OpenError::Network(io::Error::new(io::ErrorKind::TimedOut, message))
        })??;
        let patience = Arc::new(Patience::new(options.connection_time_out));
        let (reader, writer) = wire::split(stream, session, sealed, patience.clone());
        let state = Mutex::new(State { next_id: 0, waiting: HashMap::new(), broken: None });
        let shared = Arc::new(Shared { state, patience });
        let max_size_in_memory = options.max_size_in_memory.bytes();
        let reading = Reading { reader, shared: shared.clone(), spool, max_size_in_memory };
        let reading = tokio::spawn(reading.run()).abort_handle();
        Ok(Self { writer: AsyncMutex::new(writer), shared, reading })
    }

    async fn agree(
        peer: &PeerAddress,
        secret: &Secret,
        options: &ClientOptions,
    ) -> Result<(TcpStream, handshake::Session, bool), OpenError> {
        let mut stream = TcpStream::connect((&*peer.host, peer.port)).await.map_err(OpenError::Network)?;
        let _ = stream.set_nodelay(true);
        let greeting = [u8::from(options.encrypt)];
        let (session, answer) = handshake::initiate(&mut stream, secret, PROTOCOL, &options.key_id, &greeting)
            .await
            .map_err(|error| match error {
                HandshakeError::Io(error) => OpenError::Network(error),
                error => OpenError::Refused(error.to_string()),
            })?;
        Ok((stream, session, options.encrypt || answer == [1]))
    }

    /// Sends a request. Its replies come in order; fewer than expected come if the connection fails. Whoever drops the
    /// receiver does not get the rest, and what comes is thrown away.
    pub(crate) async fn request(
        &self,
        request: &Request,
        data: Bytes,
    ) -> Result<mpsc::UnboundedReceiver<Reply>, Arc<io::Error>> {
        let (sender, replies) = mpsc::unbounded_channel();
        let mut writer = self.writer.lock().await;
        let request_id = {
            let mut state = self.shared.state.lock();
            if let Some(error) = &state.broken {
                return Err(error.clone());
            }
            let request_id = state.next_id;
            state.next_id += 1;
            state.waiting.insert(request_id, Waiting { left: request.replies(), replies: sender });
            self.shared.patience.start();
            request_id
        };
        let message = postcard::to_stdvec(request).expect("a request is plain data");
        let body_length = 4 + message.len() as u64 + data.len() as u64;
        let header = Header { kind: Kind::Request, flags: 0, request_id, body_length };
        let head = [&header.encode()[..], &(message.len() as u32).to_le_bytes(), &message].concat();
        // A caller that is cancelled in here would leave half a request behind.
        let cut = CutOnDrop(Some(&self.shared));
        let written = writer.bytes(Bytes::from(head).chain(data)).await;
        cut.defuse();
        written.map_err(|error| self.shared.fail(error))?;
        Ok(replies)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.shared.state.lock().broken.is_some()
    }

    /// Why it is broken; a reason of its own if it is not, but a reply was missing.
    pub(crate) fn failure(&self) -> Arc<io::Error> {
        let lost = || Arc::new(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was lost"));
        self.shared.state.lock().broken.clone().unwrap_or_else(lost)
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

struct CutOnDrop<'a>(Option<&'a Shared>);

impl CutOnDrop<'_> {
    fn defuse(mut self) {
        self.0 = None;
    }
}

impl Drop for CutOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.fail(io::Error::new(io::ErrorKind::ConnectionAborted, "a request was cancelled half sent"));
        }
    }
}

impl Shared {
    /// No reply will come any more.
    fn fail(&self, error: io::Error) -> Arc<io::Error> {
        let mut state = self.state.lock();
        let error = state.broken.get_or_insert_with(|| Arc::new(error)).clone();
        state.waiting.clear();
        self.patience.stop();
        error
    }
}

struct Reading {
    reader: WireReader,
    shared: Arc<Shared>,
    spool: Arc<dyn Spool>,
    max_size_in_memory: u64,
}

impl Reading {
    async fn run(mut self) {
        let error = match self.read_replies().await {
            Ok(()) => io::Error::new(io::ErrorKind::ConnectionAborted, "the peer closed the connection"),
            Err(error) => error,
        };
        self.shared.fail(error);
    }

    async fn read_replies(&mut self) -> io::Result<()> {
        let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message);
        while let Some(header) = self.reader.header().await? {
            let wanted = {
                let state = self.shared.state.lock();
                let waiting = state.waiting.get(&header.request_id);
                let waiting = waiting.ok_or_else(|| invalid("the peer answered what was not asked"))?;
                !waiting.replies.is_closed()
            };
            let reply = match header.kind {
                Kind::Request => return Err(invalid("the peer sent a request where replies are expected")),
                _ if !wanted => {
                    self.reader.skip(header.body_length).await?;
                    None
                }
                Kind::Data => Some(self.data(&header).await?),
                Kind::Answer if header.body_length > MAX_ANSWER => return Err(invalid("an answer is too long")),
                Kind::Answer => {
                    let bytes = self.reader.bytes(header.body_length as usize).await?;
                    let answer = postcard::from_bytes(&bytes).map_err(|_| invalid("an answer is not understood"))?;
                    Some(Reply::Answer(answer))
                }
            };
            self.deliver(header.request_id, reply);
        }
        Ok(())
    }

    fn deliver(&self, request_id: u64, reply: Option<Reply>) {
        let mut state = self.shared.state.lock();
        let Some(waiting) = state.waiting.get_mut(&request_id) else { return };
        if let Some(reply) = reply {
            // Whoever asked may have gone.
            let _ = waiting.replies.send(reply);
        }
        waiting.left = waiting.left.saturating_sub(1);
        if waiting.left == 0 {
            state.waiting.remove(&request_id);
        }
        if state.waiting.is_empty() {
            self.shared.patience.stop();
        }
    }

    async fn data(&mut self, header: &Header) -> io::Result<Reply> {
        let mut length = header.body_length;
        let mut checksum = None;
        if header.flags & FLAG_CHECKSUM != 0 {
            length = length.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
            checksum = Some(u32::from_le_bytes(self.reader.bytes(4).await?[..].try_into().expect("four bytes")));
        }
        if length > self.max_size_in_memory {
            return match self.spooled(length).await? {
                Ok(body) => Ok(Reply::Data(Fetched { body, checksum })),
                Err(error) => Ok(Reply::SpoolFailed(error)),
            };
        }
        let bytes = self.reader.bytes(length as usize).await?;
        Ok(Reply::Data(Fetched { body: Body::Memory(bytes.freeze()), checksum }))
    }

    /// The outer error is the connection's, the inner one the local disk's.
    async fn spooled(&mut self, length: u64) -> io::Result<io::Result<Body>> {
        let mut writer = match self.spool.create() {
            Ok(writer) => writer,
            Err(error) => {
                self.reader.skip(length).await?;
                return Ok(Err(error));
            }
        };
        let mut buffer = BytesMut::with_capacity(SPOOL_BUFFER);
        let mut left = length;
        while left > 0 {
            buffer.clear();
            left -= self.reader.some(&mut buffer, left.min(SPOOL_BUFFER as u64) as usize).await? as u64;
            if let Err(error) = writer.write_all(&buffer) {
                self.reader.skip(left).await?;
                return Ok(Err(error));
            }
        }
        Ok(writer.finish().map(|reader| Body::Spooled { length, reader }))
    }
}

const SPOOL_BUFFER: usize = 256 << 10;
