//! The listening side.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    os::unix::fs::FileExt,
    sync::Arc,
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use firesteel_rpc::{
    Ports, Refusals, Secrets,
    gate::Gate,
    handshake::{self, Protocol},
};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

use crate::{
    BlockSource, BlockUpload, Payload, Requester, SegmentId, ServerOptions, TransferRuntime, Unavailable,
    frame::{FLAG_CHECKSUM, HEADER, Header, Kind, MAX_REQUEST},
    message::{Answer, Request},
    patience::Patience,
    wire::{self, WireReader, WireWriter},
};

pub(crate) const PROTOCOL: Protocol = Protocol { name: *b"transfer", version: 1 };

/// Serves blocks and segments until it is dropped.
#[derive(Debug)]
pub struct TransferServer {
    address: SocketAddr,
    /// Ends the accepting task and all connections when it goes.
    _stop: watch::Sender<()>,
}

/// The server could not listen.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not serve blocks on {host}, {ports} (spark.blockManager.port, on the driver spark.driver.blockManager.port); is it taken, or the address not of this machine?"
)]
pub struct StartServerError {
    host: String,
    ports: Ports,
    #[source]
    source: io::Error,
}

impl TransferServer {
    /// Starts serving, on the first of the ports that is free.
    pub fn start(
        runtime: &TransferRuntime,
        host: &str,
        ports: impl Into<Ports>,
        secrets: impl Secrets,
        source: Arc<dyn BlockSource>,
        options: ServerOptions,
    ) -> Result<Self, StartServerError> {
        let ports = ports.into();
        let error = |source| StartServerError { host: host.to_owned(), ports, source };
        let (listener, address) = {
            let _entered = runtime.handle().enter();
            ports.listen(|port| listen(host, port, options.backlog)).map_err(error)?
        };
        let (stop, stopped) = watch::channel(());
        let accepting = Accepting {
            listener,
            server: Arc::new(Server {
                secrets: Box::new(secrets),
                source,
                options,
                stopped: stopped.clone(),
                refusals: Refusals::default(),
            }),
        };
        runtime.spawn(until_stopped(stopped, accepting.run()));
        Ok(Self { address, _stop: stop })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(host: &str, port: u16, backlog: u32) -> io::Result<(TcpListener, SocketAddr)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in (host, port).to_socket_addrs()? {
        match listen_at(address, backlog) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok((listener, address));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_at(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

async fn until_stopped(mut stopped: watch::Receiver<()>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        // Nothing is ever sent: the sender goes with the server.
        _ = stopped.changed() => {}
    }
}

struct Accepting {
    listener: TcpListener,
    server: Arc<Server>,
}

impl Accepting {
    async fn run(self) {
        let mut gate = Gate::new(self.server.options.max_unauthenticated);
        loop {
            gate.wait_for_place().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let server = self.server.clone();
                    gate.enter(|authenticated| async move {
                        if let Some(connection) = server.clone().handshake(stream, peer).await {
                            authenticated.set();
                            tokio::spawn(until_stopped(server.stopped.clone(), connection.run()));
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely. Those who are done give some back.
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

struct Server {
    secrets: Box<dyn Secrets>,
    source: Arc<dyn BlockSource>,
    options: ServerOptions,
    stopped: watch::Receiver<()>,
    refusals: Refusals,
}

/// How long a peer may be gone before the system finds out: half-open connections must not pile up.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

impl Server {
    async fn handshake(self: Arc<Self>, mut stream: TcpStream, peer: SocketAddr) -> Option<Connection> {
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE));
        let encrypt = self.options.encrypt;
        let admit = |greeting: &handshake::Greeting| match greeting.bytes[..] {
            [theirs @ (0 | 1)] => Ok(vec![u8::from(encrypt || theirs == 1)]),
            _ => Err("the greeting is not understood".to_owned()),
        };
        let respond = handshake::respond(&mut stream, &*self.secrets, PROTOCOL, admit);
        let (session, greeting) = match timeout(self.options.handshake_time_out, respond).await {
            Ok(Ok(agreed)) => agreed,
            Ok(Err(error)) => {
                self.refusals.refused(&peer, &error);
                return None;
            }
            Err(_) => {
                self.refusals.refused(&peer, &"the handshake was not finished in time");
                return None;
            }
        };
        let sealed = encrypt || greeting.bytes == [1];
        let patience = Arc::new(Patience::new(self.options.connection_time_out));
        let (reader, writer) = wire::split(stream, session, sealed, patience.clone());
        let requester = Requester { address: peer.to_string(), key_id: greeting.key_id };
        Some(Connection { reader, writer, patience, requester, source: self.source.clone(), small: Vec::new() })
    }
}

struct Connection {
    reader: WireReader,
    writer: WireWriter,
    patience: Arc<Patience>,
    requester: Requester,
    source: Arc<dyn BlockSource>,
    /// Small replies, gathered for one system call.
    small: Vec<u8>,
}

/// A payload of a file up to this long is read and gathered with others; the copy costs less than the system calls.
const SMALL: u64 = 32 << 10;

/// So much is gathered before it is written.
const GATHER: usize = 128 << 10;

impl Connection {
    async fn run(mut self) {
        if let Err(error) = self.serve().await {
            tracing::debug!(peer = %self.requester.address, %error, "a connection ended");
        }
    }

    async fn serve(&mut self) -> io::Result<()> {
        while let Some(header) = self.reader.header().await? {
            self.patience.start();
            let request = self.request(&header).await?;
            self.patience.stop();
            if !self.small.is_empty() {
                self.flush().await?;
            }
            self.answer(header.request_id, request).await?;
            self.flush().await?;
        }
        self.writer.shutdown().await
    }

    async fn request(&mut self, header: &Header) -> io::Result<Request> {
        let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message);
        if header.kind != Kind::Request || header.body_length < 4 {
            return Err(invalid("a peer sent something else than a request"));
        }
        let length = u64::from(u32::from_le_bytes(self.reader.bytes(4).await?[..].try_into().expect("four bytes")));
        if length > MAX_REQUEST || length > header.body_length - 4 {
            return Err(invalid("a request is too long"));
        }
        let bytes = self.reader.bytes(length as usize).await?;
        let request: Request = postcard::from_bytes(&bytes).map_err(|_| invalid("a request is not understood"))?;
        let data = header.body_length - 4 - length;
        match request {
            Request::UploadBlock { block_id, level, length } if length == data => {
                let upload = BlockUpload { block_id, level, length };
                let answer = self.receive_upload(&upload).await?;
                self.put_answer(header.request_id, &answer);
                Ok(Request::UploadBlock { block_id, level, length })
            }
            _ if data > 0 => Err(invalid("a request has data that it does not announce")),
            Request::UploadBlock { .. } => Err(invalid("an upload has less data than it announces")),
            request => Ok(request),
        }
    }

    async fn answer(&mut self, request_id: u64, request: Request) -> io::Result<()> {
        match request {
            Request::FetchSegments { executor_id, segments } => {
                for segment_id in segments {
                    self.send_segment(request_id, &executor_id, segment_id).await?;
                }
            }
            Request::FetchBlock { block_id } => match self.source.block(&self.requester, &block_id) {
                Ok(payload) => self.send_payload(request_id, payload, None).await?,
                Err(unavailable) => self.put_answer(request_id, &unavailable.into()),
            },
            Request::FetchFile(range) => match self.source.file(&self.requester, &range) {
                Ok(payload) => self.send_payload(request_id, payload, None).await?,
                Err(unavailable) => self.put_answer(request_id, &unavailable.into()),
            },
            // Answered when its data had come.
            Request::UploadBlock { .. } => {}
            Request::DiagnoseCorruption(corrupt) => {
                let cause = self.source.diagnose_corruption(&self.requester, &corrupt);
                self.put_answer(request_id, &Answer::Corruption(cause));
            }
            Request::RegisterExecutor { executor_id, directories } => {
                let answer = match self.source.register_executor(&self.requester, &executor_id, &directories) {
                    Ok(()) => Answer::Done,
                    Err(unavailable) => unavailable.into(),
                };
                self.put_answer(request_id, &answer);
            }
        }
        Ok(())
    }

    async fn send_segment(
        &mut self,
        request_id: u64,
        executor_id: &firesteel_model::ExecutorId,
        segment_id: SegmentId,
    ) -> io::Result<()> {
        match self.source.segment(&self.requester, executor_id, segment_id) {
            Ok(segment) => self.send_payload(request_id, segment.payload, segment.checksum).await,
            Err(unavailable) => {
                self.put_answer(request_id, &unavailable.into());
                Ok(())
            }
        }
    }

    async fn send_payload(&mut self, request_id: u64, payload: Payload, checksum: Option<u32>) -> io::Result<()> {
        let prefix = checksum.map_or(0, |_| 4);
        let flags = if checksum.is_some() { FLAG_CHECKSUM } else { 0 };
        let header = Header { kind: Kind::Data, flags, request_id, body_length: payload.length() + prefix };
        self.small.extend_from_slice(&header.encode());
        if let Some(checksum) = checksum {
            self.small.extend_from_slice(&checksum.to_le_bytes());
        }
        match payload {
            Payload::File { file, offset, length } if length <= SMALL => {
                let start = self.small.len();
                self.small.resize(start + length as usize, 0);
                file.read_exact_at(&mut self.small[start..], offset)?;
            }
            Payload::File { file, offset, length } => {
                self.writer.file(&self.small, &file, offset, length).await?;
                self.small.clear();
            }
            Payload::Memory(bytes) if bytes.len() as u64 <= SMALL => self.small.extend_from_slice(&bytes),
            Payload::Memory(bytes) => {
                self.writer.bytes((&self.small[..]).chain(bytes)).await?;
                self.small.clear();
            }
        }
        if self.small.len() >= GATHER { self.flush().await } else { Ok(()) }
    }

    fn put_answer(&mut self, request_id: u64, answer: &Answer) {
        let body = postcard::to_stdvec(answer).expect("an answer is plain data");
        let header = Header { kind: Kind::Answer, flags: 0, request_id, body_length: body.len() as u64 };
        self.small.extend_from_slice(&header.encode());
        self.small.extend_from_slice(&body);
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.small.is_empty() {
            self.writer.bytes(&self.small[..]).await?;
            self.small.clear();
            self.small.shrink_to(HEADER);
        }
        Ok(())
    }

    /// Takes all data of an upload, also when nobody wants it any more, as the next request lies behind it.
    async fn receive_upload(&mut self, upload: &BlockUpload) -> io::Result<Answer> {
        let mut sink = match self.source.upload(&self.requester, upload) {
            Ok(sink) => sink,
            Err(unavailable) => {
                self.reader.skip(upload.length).await?;
                return Ok(unavailable.into());
            }
        };
        let mut left = upload.length;
        let mut buffer = BytesMut::with_capacity(UPLOAD_BUFFER.min(left as usize));
        while left > 0 {
            buffer.clear();
            left -= self.reader.some(&mut buffer, left.min(UPLOAD_BUFFER as u64) as usize).await? as u64;
            if let Err(error) = sink.write_all(&buffer) {
                drop(sink);
                self.reader.skip(left).await?;
                return Ok(Answer::Failed(format!("the block could not be stored: {error}")));
            }
        }
        Ok(match sink.finish() {
            Ok(()) => Answer::Done,
            Err(unavailable) => unavailable.into(),
        })
    }
}

const UPLOAD_BUFFER: usize = 256 << 10;

impl From<Unavailable> for Answer {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::NotFound(message) => Self::NotFound(message),
            Unavailable::Refused(message) => Self::Refused(message),
            Unavailable::Failed(message) => Self::Failed(message),
        }
    }
}

impl Payload {
    /// All bytes, read if need be: for a source that is asked in its own process.
    pub fn into_bytes(self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File { file, offset, length } => {
                let mut bytes = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes.into())
            }
        }
    }
}
