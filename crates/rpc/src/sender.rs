//! The sending half of a connection.

use std::{fmt, io, marker::PhantomData, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt, WriteHalf},
    time::timeout,
};

use crate::{
    Options,
    address::BoxStream,
    frame,
    handshake::{MAX_RECORD, Sealer},
    send_queue::{Rejection, SendQueue, Work},
};

/// The sending half of a connection. Clones share one bounded queue, so their messages arrive in the order of sending.
///
/// When the last clone is dropped, what is queued is still sent, and the other side sees a clean end.
pub struct Sender<Out> {
    last: Arc<CloseOnDrop>,
    messages: PhantomData<fn(&Out)>,
}

/// Why a message was not sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// This side closed the connection before.
    #[error("the connection was closed by this side")]
    Closed,
    /// The connection failed; the receiver knows how.
    #[error("the connection is broken")]
    Broken,
    /// The message is too long; the connection goes on.
    #[error(
        "the message is longer than the {limit} bytes that one may have; raise spark.rpc.message.maxSize or send less at once"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The message has no encoding; the connection goes on.
    #[error("the message cannot be encoded: {0}")]
    Encode(String),
}

/// Why a message was not queued at once.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrySendError {
    /// The queue is full.
    #[error("the queue of messages to send is full")]
    Full,
    /// It could not be sent later either.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl<Out: Serialize> Sender<Out> {
    /// Queues a message, waiting for room. That it was queued does not mean that it arrives: only an answer does.
    pub async fn send(&self, message: &Out) -> Result<(), SendError> {
        self.last.queue.push(message).await
    }

    /// Queues a message if there is room.
    pub fn try_send(&self, message: &Out) -> Result<(), TrySendError> {
        self.last.queue.try_push(message).map_err(|rejection| match rejection {
            Rejection::Full => TrySendError::Full,
            Rejection::Error(error) => TrySendError::Send(error),
        })
    }

    /// [`Self::send`] for ordinary threads. Ends within `idle_time_out` at the latest if the other side takes nothing.
    pub fn send_blocking(&self, message: &Out) -> Result<(), SendError> {
        self.last.queue.push_blocking(message)
    }
}

impl<Out> Sender<Out> {
    /// Sends what is queued and then that nothing follows, and waits until the system has taken it all. Clones can send
    /// nothing after this.
    pub async fn close(&self) -> Result<(), SendError> {
        self.last.queue.begin_close();
        self.last.queue.finished().await
    }

    /// Drops what is queued and cuts the connection; the other side sees it as broken. For a peer that misbehaves.
    pub fn abort(&self) {
        self.last.queue.fail();
    }

    /// May a message still be sent, as far as this side knows?
    pub fn is_open(&self) -> bool {
        self.last.queue.is_open()
    }

    /// Waits until nothing can be sent any more: closed by this side, or broken.
    pub async fn closed(&self) {
        self.last.queue.not_open().await;
    }
}

impl<Out> Clone for Sender<Out> {
    fn clone(&self) -> Self {
        Self { last: self.last.clone(), messages: PhantomData }
    }
}

impl<Out> fmt::Debug for Sender<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

struct CloseOnDrop {
    queue: Arc<SendQueue>,
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.queue.begin_close();
    }
}

/// Starts the task that writes what is queued.
pub(crate) fn start<Out>(
    stream: WriteHalf<BoxStream>,
    sealer: Sealer,
    options: &Options,
) -> (Sender<Out>, Arc<SendQueue>) {
    let queue = SendQueue::new(options.send_queue_size.bytes(), options.max_message_size.bytes());
    let writer = Writer {
        queue: queue.clone(),
        stream,
        sealer,
        wire: Vec::new(),
        keep_alive_interval: options.keep_alive_interval,
        idle_time_out: options.idle_time_out,
    };
    queue.set_writer(tokio::spawn(writer.run()).abort_handle());
    (Sender { last: Arc::new(CloseOnDrop { queue: queue.clone() }), messages: PhantomData }, queue)
}

struct Writer<S> {
    queue: Arc<SendQueue>,
    stream: S,
    sealer: Sealer,
    wire: Vec<u8>,
    keep_alive_interval: Duration,
    idle_time_out: Duration,
}

/// How much is sealed and given to the system at once: four full records. More saves no calls worth having and costs memory.
const WRITE_SIZE: usize = 4 * MAX_RECORD;

/// What an idle connection may keep of its buffers; ten thousand idle workers should not hold gigabytes.
const IDLE_CAPACITY: usize = 4 << 10;

impl<S> Drop for Writer<S> {
    /// Also when its runtime ends: nobody may go on waiting for room.
    fn drop(&mut self) {
        self.queue.fail();
    }
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    async fn run(mut self) {
        match self.write_all().await {
            Ok(()) => self.queue.finish(),
            Err(error) => tracing::debug!(%error, "writing to a connection failed"),
        }
    }

    async fn write_all(&mut self) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            let work = match timeout(self.keep_alive_interval, self.queue.take(&mut batch)).await {
                Ok(work) => work,
                Err(_) => {
                    batch.extend_from_slice(&frame::KEEP_ALIVE.to_le_bytes());
                    Work::Send
                }
            };
            match work {
                Work::Send => self.write(&batch).await?,
                Work::SendAndClose => {
                    batch.extend_from_slice(&frame::CLOSE.to_le_bytes());
                    self.write(&batch).await?;
                    return self.stream.shutdown().await;
                }
                Work::Stop => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
            batch.clear();
            batch.shrink_to(WRITE_SIZE);
            if self.queue.is_idle() {
                batch.shrink_to(IDLE_CAPACITY);
                self.wire.shrink_to(IDLE_CAPACITY);
            }
        }
    }

    async fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        for piece in batch.chunks(WRITE_SIZE) {
            self.wire.clear();
            self.sealer.seal(piece, &mut self.wire);
            timeout(self.idle_time_out, self.stream.write_all(&self.wire)).await??;
        }
        Ok(())
    }
}
