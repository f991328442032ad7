//! What waits to be sent on one connection.
//!
//! Messages are encoded by their senders straight into one buffer, and the writer takes the whole buffer at once. So the queue
//! is bounded in bytes rather than in messages of unknown size, costs no allocation per message, and batches by itself: while
//! the writer is in a system call, the next batch gathers.

use std::{mem, sync::Arc};

use parking_lot::{Condvar, Mutex};
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use tokio::{sync::Notify, task::AbortHandle};

use crate::{SendError, frame};

pub(crate) struct SendQueue {
    state: Mutex<State>,
    /// For the writer: there is something to do.
    work: Notify,
    /// For those who wait in async code: there is room, or the phase changed.
    progress: Notify,
    /// The same for ordinary threads.
    progress_blocking: Condvar,
    /// A message is queued if fewer bytes wait.
    size: usize,
    max_message_size: u64,
}

struct State {
    buffer: Vec<u8>,
    phase: Phase,
    writer: Option<AbortHandle>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// No more messages; the writer sends what waits, and then a close frame.
    Closing,
    /// All is sent.
    Closed,
    /// The connection failed.
    Broken,
}

/// Why a message was not queued.
pub(crate) enum Rejection {
    Full,
    Error(SendError),
}

/// What the writer does with the batch that it was given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Send it.
    Send,
    /// Send it, and then that nothing follows.
    SendAndClose,
    /// Nothing; the connection failed.
    Stop,
}

impl SendQueue {
    pub(crate) fn new(size: u64, max_message_size: u64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State { buffer: Vec::new(), phase: Phase::Open, writer: None }),
            work: Notify::new(),
            progress: Notify::new(),
            progress_blocking: Condvar::new(),
            size: usize::try_from(size).unwrap_or(usize::MAX).max(1),
            max_message_size: max_message_size.min(frame::MAX_LENGTH),
        })
    }

    /// The writer's task, which [`Self::fail`] ends.
    pub(crate) fn set_writer(&self, writer: AbortHandle) {
        self.state.lock().writer = Some(writer);
    }

    pub(crate) fn try_push<M: Serialize + ?Sized>(&self, message: &M) -> Result<(), Rejection> {
        self.push_locked(&mut self.state.lock(), message)
    }

    pub(crate) async fn push<M: Serialize + ?Sized>(&self, message: &M) -> Result<(), SendError> {
        loop {
            // Registered before the attempt, so that room made in between is not missed.
            let progress = self.progress.notified();
            match self.try_push(message) {
                Ok(()) => return Ok(()),
                Err(Rejection::Error(error)) => return Err(error),
                Err(Rejection::Full) => progress.await,
            }
        }
    }

    pub(crate) fn push_blocking<M: Serialize + ?Sized>(&self, message: &M) -> Result<(), SendError> {
        let mut state = self.state.lock();
        loop {
            match self.push_locked(&mut state, message) {
                Ok(()) => return Ok(()),
                Err(Rejection::Error(error)) => return Err(error),
                Err(Rejection::Full) => self.progress_blocking.wait(&mut state),
            }
        }
    }

    fn push_locked<M: Serialize + ?Sized>(&self, state: &mut State, message: &M) -> Result<(), Rejection> {
        match state.phase {
            Phase::Open => {}
            Phase::Closing | Phase::Closed => return Err(Rejection::Error(SendError::Closed)),
            Phase::Broken => return Err(Rejection::Error(SendError::Broken)),
        }
        let start = state.buffer.len();
        if start >= self.size {
            return Err(Rejection::Full);
        }
        state.buffer.extend_from_slice(&[0; frame::HEADER]);
        let body = start + frame::HEADER;
        let limit = usize::try_from(self.max_message_size).unwrap_or(usize::MAX).saturating_add(body);
        let append = Append { buffer: &mut state.buffer, limit };
        if let Err(error) = postcard::serialize_with_flavor(message, append) {
            state.buffer.truncate(start);
            return Err(Rejection::Error(match error {
                postcard::Error::SerializeBufferFull => SendError::TooLarge { limit: self.max_message_size },
                error => SendError::Encode(error.to_string()),
            }));
        }
        let length = (state.buffer.len() - body) as u32;
        state.buffer[start..body].copy_from_slice(&length.to_le_bytes());
        if start == 0 {
            self.work.notify_one();
        }
        Ok(())
    }

    /// For the writer: waits for messages and swaps them for the empty `batch`.
    pub(crate) async fn take(&self, batch: &mut Vec<u8>) -> Work {
        loop {
            {
                let mut state = self.state.lock();
                let work = match state.phase {
                    Phase::Open if state.buffer.is_empty() => None,
                    Phase::Open => Some(Work::Send),
                    Phase::Closing => Some(Work::SendAndClose),
                    Phase::Closed | Phase::Broken => Some(Work::Stop),
                };
                if let Some(work) = work {
                    mem::swap(&mut state.buffer, batch);
                    drop(state);
                    self.wake_waiting();
                    return work;
                }
            }
            // A permit is kept if the notice comes before this, and there is one writer only.
            self.work.notified().await;
        }
    }

    /// No more messages; what waits is sent.
    pub(crate) fn begin_close(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
            drop(state);
            self.work.notify_one();
            self.wake_waiting();
        }
    }

    /// For the writer: all is sent.
    pub(crate) fn finish(&self) {
        self.state.lock().phase = Phase::Closed;
        self.wake_waiting();
    }

    /// The connection failed: senders are told, what waits is forgotten, and the writer ends.
    pub(crate) fn fail(&self) {
        let mut state = self.state.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Broken;
        }
        state.buffer = Vec::new();
        let writer = state.writer.take();
        drop(state);
        self.wake_waiting();
        if let Some(writer) = writer {
            writer.abort();
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().phase == Phase::Open
    }

    /// Does nothing wait?
    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().buffer.is_empty()
    }

    /// Waits until all is sent, or cannot be.
    pub(crate) async fn finished(&self) -> Result<(), SendError> {
        loop {
            let progress = self.progress.notified();
            match self.state.lock().phase {
                Phase::Closed => return Ok(()),
                Phase::Broken => return Err(SendError::Broken),
                Phase::Open | Phase::Closing => {}
            }
            progress.await;
        }
    }

    /// Waits until nothing can be sent any more, whatever the reason.
    pub(crate) async fn not_open(&self) {
        self.phase_is(|phase| phase != Phase::Open).await;
    }

    /// Waits until the connection fails.
    pub(crate) async fn broken(&self) {
        self.phase_is(|phase| phase == Phase::Broken).await;
    }

    async fn phase_is(&self, wanted: impl Fn(Phase) -> bool) {
        loop {
            let progress = self.progress.notified();
            if wanted(self.state.lock().phase) {
                return;
            }
            progress.await;
        }
    }

    fn wake_waiting(&self) {
        self.progress.notify_waiters();
        self.progress_blocking.notify_all();
    }
}

/// Appends to a buffer that has other messages in it, up to a limit.
struct Append<'a> {
    buffer: &'a mut Vec<u8>,
    limit: usize,
}

impl Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        if self.buffer.len() + data.len() > self.limit {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.try_extend(&[data])
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
