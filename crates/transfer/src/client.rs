//! The connecting side.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use firesteel_model::{BlockId, BlockManagerId, ExecutorId, StorageLevel};
use firesteel_rpc::Secret;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, oneshot},
    task::AbortHandle,
};

use crate::{
    ClientOptions, CorruptSegment, CorruptionCause, Fetched, FileRange, SegmentId, Spool, TransferError,
    TransferRuntime,
    message::{Answer, Request},
    peer_connection::{OpenError, PeerConnection, Reply},
};

/// Where a peer serves blocks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerAddress {
    /// Its host name or address.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
}

impl PeerAddress {
    /// A host and a port.
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl From<&BlockManagerId> for PeerAddress {
    fn from(id: &BlockManagerId) -> Self {
        Self::new(&id.host, id.port)
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Fetches from peers and stores at peers. One for each process and secret; clones share their connections.
///
/// Its methods are for ordinary threads. Those that return a result wait for it, and end in time whatever the peer does:
/// after `connection_time_out` without a byte, a retry, and so on for `max_retries`.
#[derive(Clone)]
pub struct TransferClient {
    inner: Arc<Inner>,
    runtime: Handle,
}

/// A fetch that is under way. Dropping it cancels what has not come yet.
#[must_use = "dropping it cancels the fetch"]
#[derive(Debug)]
pub struct FetchHandle(AbortHandle);

impl Drop for FetchHandle {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl TransferClient {
    /// A client that proves `secret` and puts what is too large for memory into `spool`.
    pub fn new(runtime: &TransferRuntime, secret: Secret, spool: Arc<dyn Spool>, options: ClientOptions) -> Self {
        let inner = Inner { secret, spool, options, peers: Mutex::new(HashMap::new()) };
        Self { inner: Arc::new(inner), runtime: runtime.handle().clone() }
    }

    /// Fetches segments that `executor_id` wrote. `deliver` is called once for each, with its index in `segments`, in that
    /// order, on a thread of the data plane: it must not wait for anything. It is not called again once the handle is dropped,
    /// save for a call that has begun.
    pub fn fetch_segments(
        &self,
        peer: PeerAddress,
        executor_id: ExecutorId,
        segments: Vec<SegmentId>,
        deliver: impl FnMut(usize, Result<Fetched, TransferError>) + Send + 'static,
    ) -> FetchHandle {
        let inner = self.inner.clone();
        let fetch = async move { inner.fetch_segments(&peer, executor_id, &segments, deliver).await };
        FetchHandle(self.runtime.spawn(fetch).abort_handle())
    }

    /// Fetches a block.
    pub fn fetch_block(&self, peer: &PeerAddress, block_id: BlockId) -> Result<Fetched, TransferError> {
        self.call(peer, Request::FetchBlock { block_id }, Bytes::new(), |peer, reply| match reply {
            Reply::Data(fetched) => Ok(fetched),
            reply => Err(unexpected(peer, reply)),
        })
    }

    /// Fetches a piece of one of the application's files from its driver (SS-80).
    pub fn fetch_file(&self, driver: &PeerAddress, range: FileRange) -> Result<Fetched, TransferError> {
        self.call(driver, Request::FetchFile(range), Bytes::new(), |peer, reply| match reply {
            Reply::Data(fetched) => Ok(fetched),
            reply => Err(unexpected(peer, reply)),
        })
    }

    /// Stores a block at a peer: replication. Done when the peer has it.
    pub fn upload_block(
        &self,
        peer: &PeerAddress,
        block_id: BlockId,
        level: StorageLevel,
        data: Bytes,
    ) -> Result<(), TransferError> {
        let request = Request::UploadBlock { block_id, level, length: data.len() as u64 };
        self.call(peer, request, data, done)
    }

    /// Asks where a segment was damaged that arrived damaged (RT-61).
    pub fn diagnose_corruption(
        &self,
        peer: &PeerAddress,
        corrupt: CorruptSegment,
    ) -> Result<CorruptionCause, TransferError> {
        self.call(peer, Request::DiagnoseCorruption(corrupt), Bytes::new(), |peer, reply| match reply {
            Reply::Answer(Answer::Corruption(cause)) => Ok(cause),
            reply => Err(unexpected(peer, reply)),
        })
    }

    /// Tells an external shuffle service where an executor's files are (SC-50).
    pub fn register_executor(
        &self,
        service: &PeerAddress,
        executor_id: ExecutorId,
        directories: Vec<String>,
    ) -> Result<(), TransferError> {
        self.call(service, Request::RegisterExecutor { executor_id, directories }, Bytes::new(), done)
    }

    /// Closes the connections to a peer that is lost. Requests under way fail or try again.
    pub fn forget(&self, peer: &PeerAddress) {
        self.inner.peers.lock().remove(peer);
    }

    fn call<T: Send + 'static>(
        &self,
        peer: &PeerAddress,
        request: Request,
        data: Bytes,
        understand: impl FnOnce(&PeerAddress, Reply) -> Result<T, TransferError> + Send + 'static,
    ) -> Result<T, TransferError> {
        let (sender, result) = oneshot::channel();
        let (inner, peer) = (self.inner.clone(), peer.clone());
        self.runtime.spawn(async move {
            let reply = inner.call(&peer, &request, data).await;
            let _ = sender.send(reply.and_then(|reply| understand(&peer, reply)));
        });
        result.blocking_recv().unwrap_or(Err(TransferError::Stopped))
    }
}

impl fmt::Debug for TransferClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferClient").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

fn done(peer: &PeerAddress, reply: Reply) -> Result<(), TransferError> {
    match reply {
        Reply::Answer(Answer::Done) => Ok(()),
        reply => Err(unexpected(peer, reply)),
    }
}

/// The error that a reply means to someone who hoped for another.
fn unexpected(peer: &PeerAddress, reply: Reply) -> TransferError {
    let peer = peer.clone();
    match reply {
        Reply::Answer(Answer::NotFound(message)) => TransferError::NotFound { peer, message },
        Reply::Answer(Answer::Refused(message)) => TransferError::Refused { peer, message },
        Reply::Answer(Answer::Failed(message)) => TransferError::PeerFailed { peer, message },
        Reply::Answer(Answer::Done | Answer::Corruption(_)) | Reply::Data(_) => {
            TransferError::PeerFailed { peer, message: "it answered something else than was asked".to_owned() }
        }
        Reply::SpoolFailed(error) => TransferError::Spool(Arc::new(error)),
    }
}

struct Inner {
    secret: Secret,
    spool: Arc<dyn Spool>,
    options: ClientOptions,
    peers: Mutex<HashMap<PeerAddress, Arc<Peer>>>,
}

struct Peer {
    connections: Vec<AsyncMutex<Option<Arc<PeerConnection>>>>,
    next: AtomicUsize,
}

impl Inner {
    /// One of the connections to the peer, in turn; opened if it is not there or broken.
    async fn connection(&self, peer: &PeerAddress) -> Result<Arc<PeerConnection>, OpenError> {
        let slots = self.peers.lock().entry(peer.clone()).or_insert_with(|| self.new_peer()).clone();
        let slot = slots.next.fetch_add(1, Ordering::Relaxed) % slots.connections.len();
        // Held while connecting, so that others wait for this connection instead of opening more.
        let mut slot = slots.connections[slot].lock().await;
        match &*slot {
            Some(connection) if !connection.is_broken() => Ok(connection.clone()),
            _ => {
                let spool = self.spool.clone();
                let connection = Arc::new(PeerConnection::open(peer, &self.secret, spool, &self.options).await?);
                *slot = Some(connection.clone());
                Ok(connection)
            }
        }
    }

    fn new_peer(&self) -> Arc<Peer> {
        let connections = (0..self.options.connections_per_peer.max(1)).map(|_| AsyncMutex::new(None)).collect();
        Arc::new(Peer { connections, next: AtomicUsize::new(0) })
    }

    async fn call(&self, peer: &PeerAddress, request: &Request, data: Bytes) -> Result<Reply, TransferError> {
        let mut retries = Retries::new(self, peer);
        loop {
            let error = match self.connection(peer).await {
                Ok(connection) => match connection.request(request, data.clone()).await {
                    Ok(mut replies) => match replies.recv().await {
                        Some(reply) => return Ok(reply),
                        None => connection.failure(),
                    },
                    Err(error) => error,
                },
                Err(error) => error.network(peer)?,
            };
            retries.wait_after(error).await?;
        }
    }

    async fn fetch_segments(
        &self,
        peer: &PeerAddress,
        executor_id: ExecutorId,
        segments: &[SegmentId],
        mut deliver: impl FnMut(usize, Result<Fetched, TransferError>),
    ) {
        let mut delivered = 0;
        let mut retries = Retries::new(self, peer);
        while delivered < segments.len() {
            let error = match self.connection(peer).await {
                Ok(connection) => {
                    let left = segments[delivered..].to_vec();
                    let request = Request::FetchSegments { executor_id: executor_id.clone(), segments: left };
                    match connection.request(&request, Bytes::new()).await {
                        Ok(mut replies) => {
                            while let Some(reply) = replies.recv().await {
                                let result = match reply {
                                    Reply::Data(fetched) => Ok(fetched),
                                    reply => Err(unexpected(peer, reply)),
                                };
                                deliver(delivered, result);
                                delivered += 1;
                            }
                            if delivered == segments.len() {
                                return;
                            }
                            connection.failure()
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => match error.network(peer) {
                    Ok(error) => error,
                    Err(error) => {
                        return (delivered..segments.len()).for_each(|index| deliver(index, Err(error.clone())));
                    }
                },
            };
            if let Err(error) = retries.wait_after(error).await {
                (delivered..segments.len()).for_each(|index| deliver(index, Err(error.clone())));
                return;
            }
        }
    }
}

impl OpenError {
    /// The failure, if another try may help.
    fn network(self, peer: &PeerAddress) -> Result<Arc<io::Error>, TransferError> {
        match self {
            Self::Network(error) => Ok(Arc::new(error)),
            Self::Refused(message) => Err(TransferError::Refused { peer: peer.clone(), message }),
        }
    }
}

/// How often a request was tried, and whether it may be again.
struct Retries<'a> {
    options: &'a ClientOptions,
    peer: &'a PeerAddress,
    attempts: u32,
}

impl<'a> Retries<'a> {
    fn new(inner: &'a Inner, peer: &'a PeerAddress) -> Self {
        Self { options: &inner.options, peer, attempts: 0 }
    }

    /// Waits before the next attempt, or gives the failure back if there is none.
    async fn wait_after(&mut self, error: Arc<io::Error>) -> Result<(), TransferError> {
        self.attempts += 1;
        let (peer, attempts) = (self.peer, self.attempts);
        if attempts > self.options.max_retries {
            return Err(TransferError::Network { peer: peer.clone(), attempts, source: error });
        }
        tracing::info!(%peer, attempts, %error, wait = ?self.options.retry_wait, "a fetch failed and will be tried again");
        tokio::time::sleep(self.options.retry_wait).await;
        Ok(())
    }
}
