//! One queue: a bounded channel, and the thread that hands its events to the listeners.
//!
//! The sender pays for waking a thread that sleeps on an empty channel, and that costs more than everything else about a
//! post. So the thread does not go to sleep on the channel whenever it has emptied it: it first lets events gather for
//! [`GATHER`], and blocks only if none came. A busy driver thus wakes each queue at most a thousand times a second,
//! however many events it posts.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded};
use firesteel_model::ListenerEvent;
use parking_lot::Mutex;
use tracing::{error, warn};

/// How long a queue's thread lets events gather after it has emptied the channel, before it blocks on it.
const GATHER: Duration = Duration::from_millis(1);

/// How often dropped events are reported again after the first time; Spark's interval.
const REPORT_DROPPED_EVERY: Duration = Duration::from_secs(60);

/// Receives events, one at a time, on the thread of its queue.
///
/// A listener that panics is reported and gets no further event; the others of its queue go on.
pub trait Listener: Send + 'static {
    /// One event. Taking long here delays the other listeners of the queue, and in the end drops events.
    fn on_event(&mut self, event: &ListenerEvent);

    /// The bus stops: no event follows. What is buffered must be written out now.
    fn on_stop(&mut self) {}
}

impl<F: FnMut(&ListenerEvent) + Send + 'static> Listener for F {
    fn on_event(&mut self, event: &ListenerEvent) {
        self(event);
    }
}

/// The name of a queue; the constants are Spark's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QueueName(pub &'static str);

impl QueueName {
    /// For listeners without a queue of their own, the user's among them.
    pub const SHARED: Self = Self("shared");
    /// For what UI, REST and status tracker show.
    pub const APP_STATUS: Self = Self("appStatus");
    /// For what manages executors.
    pub const EXECUTOR_MANAGEMENT: Self = Self("executorManagement");
    /// For the event log.
    pub const EVENT_LOG: Self = Self("eventLog");
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What one queue has done so far; the gauges of Spark's `LiveListenerBus` metrics source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMetrics {
    /// Which queue.
    pub name: QueueName,
    /// Events that wait in it.
    pub size: usize,
    /// How many can wait.
    pub capacity: usize,
    /// Events that its listeners have seen.
    pub processed_events: u64,
    /// Events that were dropped because it was full, or because the bus stopped before they were seen.
    pub dropped_events: u64,
}

enum Message {
    Event(Arc<ListenerEvent>),
    Add(Box<dyn Listener>),
    /// Everything before it was seen when this is answered (by dropping the sender).
    Barrier(Sender<()>),
    Stop,
}

/// The sending side of one queue.
pub(crate) struct Queue {
    name: QueueName,
    sender: Sender<Message>,
    capacity: usize,
    counters: Arc<Counters>,
    dropped_report: Mutex<DroppedReport>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
    finished: Receiver<()>,
}

#[derive(Default)]
struct Counters {
    processed: AtomicU64,
    dropped: AtomicU64,
    abandoned: AtomicBool,
}

#[derive(Default)]
struct DroppedReport {
    last: Option<(Instant, u64)>,
}

impl Queue {
    pub(crate) fn start(name: QueueName, capacity: usize) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(capacity);
        let (finished_sender, finished) = bounded(0);
        let counters = Arc::new(Counters::default());
        let thread = thread::Builder::new().name(format!("listener-{name}")).spawn({
            let counters = Arc::clone(&counters);
            move || {
                run(name, &receiver, &counters);
                drop(finished_sender);
            }
        })?;
        let thread_id = thread.thread().id();
        Ok(Self {
            name,
            sender,
            capacity,
            counters,
            dropped_report: Mutex::default(),
            thread: Mutex::new(Some(thread)),
            thread_id,
            finished,
        })
    }

    pub(crate) fn name(&self) -> QueueName {
        self.name
    }

    pub(crate) fn runs_on(&self, thread: ThreadId) -> bool {
        self.thread_id == thread
    }

    /// Waits for room, unlike [`Self::post`]: a listener is never dropped.
    pub(crate) fn add(&self, listener: Box<dyn Listener>) {
        // The thread ends only after a stop, and the bus adds nothing after that.
        let _ = self.sender.send(Message::Add(listener));
    }

    pub(crate) fn post(&self, event: Arc<ListenerEvent>) {
        match self.sender.try_send(Message::Event(event)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.count_dropped(),
        }
    }

    #[cold]
    fn count_dropped(&self) {
        let dropped = self.counters.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        let now = Instant::now();
        let mut report = self.dropped_report.lock();
        match report.last {
            None => error!(
                queue = %self.name,
                capacity = self.capacity,
                "dropping events: a listener of this queue is too slow for the rate at which tasks start and end \
                 (spark.scheduler.listenerbus.eventqueue.capacity)"
            ),
            Some((last, _)) if now.duration_since(last) < REPORT_DROPPED_EVERY => return,
            Some((last, before)) => warn!(
                queue = %self.name,
                dropped = dropped.saturating_sub(before),
                seconds = now.duration_since(last).as_secs(),
                "dropped events since the last report"
            ),
        }
        report.last = Some((now, dropped));
    }

    /// Did the listeners see, before `deadline`, everything that was posted before this call?
    pub(crate) fn wait_until_empty(&self, deadline: Instant) -> bool {
        let (sender, answered) = bounded::<()>(0);
        match self.sender.send_deadline(Message::Barrier(sender), deadline) {
            Ok(()) => {
                matches!(answered.recv_deadline(deadline), Err(crossbeam_channel::RecvTimeoutError::Disconnected))
            }
            Err(SendTimeoutError::Disconnected(_)) => true,
            Err(SendTimeoutError::Timeout(_)) => false,
        }
    }

    /// Asks the thread to end after what is queued; does not wait.
    pub(crate) fn request_stop(&self, deadline: Instant) {
        if let Err(SendTimeoutError::Timeout(_)) = self.sender.send_deadline(Message::Stop, deadline) {
            self.counters.abandoned.store(true, Ordering::Relaxed);
        }
    }

    /// Did the thread end before `deadline`? If not, it discards what is queued, lets its listeners stop, and ends by
    /// itself as soon as the listener that is stuck returns.
    pub(crate) fn join(&self, deadline: Instant) -> bool {
        match self.finished.recv_deadline(deadline) {
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                self.counters.abandoned.store(true, Ordering::Relaxed);
                false
            }
            // The sending end was dropped: the thread has nothing left to do.
            Ok(()) | Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                if let Some(thread) = self.thread.lock().take() {
                    // A panic of a listener was caught and reported where it happened.
                    let _ = thread.join();
                }
                true
            }
        }
    }

    pub(crate) fn metrics(&self) -> QueueMetrics {
        QueueMetrics {
            name: self.name,
            size: self.sender.len(),
            capacity: self.capacity,
            processed_events: self.counters.processed.load(Ordering::Relaxed),
            dropped_events: self.counters.dropped.load(Ordering::Relaxed),
        }
    }
}

fn run(name: QueueName, receiver: &Receiver<Message>, counters: &Counters) {
    let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
    'receive: while let Ok(first) = receiver.recv() {
        let mut next = Some(first);
        while let Some(message) = next {
            let abandoned = counters.abandoned.load(Ordering::Relaxed);
            match message {
                Message::Event(_) if abandoned => {
                    counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
                Message::Event(event) => {
                    guarded(name, &mut listeners, |listener| listener.on_event(&event));
                    counters.processed.fetch_add(1, Ordering::Relaxed);
                }
                Message::Add(listener) => listeners.push(listener),
                Message::Barrier(answer) => drop(answer),
                Message::Stop => break 'receive,
            }
            next = receiver.try_recv().ok();
            if next.is_none() {
                if counters.abandoned.load(Ordering::Relaxed) {
                    break 'receive;
                }
                thread::sleep(GATHER);
                next = receiver.try_recv().ok();
            }
        }
    }
    guarded(name, &mut listeners, |listener| listener.on_stop());
}

/// Calls every listener, and takes out those that panic.
fn guarded(name: QueueName, listeners: &mut Vec<Box<dyn Listener>>, mut call: impl FnMut(&mut dyn Listener)) {
    listeners.retain_mut(|listener| {
        // A listener that panicked is dropped, so nobody sees what state it was left in.
        match catch_unwind(AssertUnwindSafe(|| call(listener.as_mut()))) {
            Ok(()) => true,
            Err(panic) => {
                let message = panic
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "no message".to_owned());
                error!(queue = %name, panic = message, "a listener panicked and was removed");
                false
            }
        }
    });
}
