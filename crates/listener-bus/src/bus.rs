//! The bus: named queues, and the events that wait until it is started.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use firesteel_model::ListenerEvent;
use parking_lot::RwLock;
use tracing::warn;

use crate::{Listener, QueueMetrics, QueueName, queue::Queue};

/// How a bus is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerBusOptions {
    /// `spark.scheduler.listenerbus.eventqueue.capacity`: how many events each queue holds before it drops some. An event
    /// is shared by the queues; what it holds is counted once.
    pub capacity: usize,
    /// `spark.scheduler.listenerbus.eventqueue.NAME.capacity`: other capacities for some queues.
    pub queue_capacities: Vec<(QueueName, usize)>,
}

impl Default for ListenerBusOptions {
    /// Spark's default: 10,000 events.
    fn default() -> Self {
        Self { capacity: 10_000, queue_capacities: Vec::new() }
    }
}

impl ListenerBusOptions {
    fn capacity_of(&self, name: QueueName) -> usize {
        let own = self.queue_capacities.iter().find(|(queue, _)| *queue == name);
        own.map_or(self.capacity, |(_, capacity)| *capacity).max(1)
    }
}

/// A listener could not be added.
#[derive(Debug, thiserror::Error)]
pub enum AddListenerError {
    /// The bus was stopped, so the listener would never hear anything.
    #[error("the listener bus is stopped")]
    Stopped,
    /// The system gave no thread for the queue.
    #[error("could not start the thread of the listener queue {queue}")]
    Thread {
        /// The queue.
        queue: QueueName,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The bus could not be stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// A listener tried to stop the bus: it would wait for itself for ever.
    #[error("the listener bus cannot be stopped from a listener (queue {queue}); stop it from another thread")]
    FromListener {
        /// The queue whose listener tried.
        queue: QueueName,
    },
}

/// How stopping went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// Every queue at the end.
    pub queues: Vec<QueueMetrics>,
    /// Queues that were not drained in time; their listeners have not seen every event.
    pub timed_out: Vec<QueueName>,
}

impl StopReport {
    /// Did every listener see every event?
    pub fn is_complete(&self) -> bool {
        self.timed_out.is_empty() && self.queues.iter().all(|queue| queue.dropped_events == 0)
    }
}

/// The bus. Clones are handles to the same one.
#[derive(Clone)]
pub struct ListenerBus {
    shared: Arc<Shared>,
}

struct Shared {
    options: ListenerBusOptions,
    state: RwLock<State>,
}

/// Listeners come and go seldom, events come all the time: posting takes the lock for reading only, once started. Nobody
/// waits for a queue while holding the lock, because a listener may post.
enum State {
    /// Events wait for [`ListenerBus::start`], so that a listener added meanwhile misses none; as many as a queue holds.
    Gathering {
        queues: Vec<Arc<Queue>>,
        early: Vec<Arc<ListenerEvent>>,
        dropped: u64,
    },
    Started {
        queues: Vec<Arc<Queue>>,
    },
    /// What is posted goes nowhere; the queues are being drained, or are.
    Stopping {
        queues: Vec<Arc<Queue>>,
    },
}

impl State {
    fn queues(&self) -> &[Arc<Queue>] {
        match self {
            Self::Gathering { queues, .. } | Self::Started { queues } | Self::Stopping { queues } => queues,
        }
    }
}

impl ListenerBus {
    /// A bus that keeps what is posted until [`Self::start`].
    pub fn new(options: ListenerBusOptions) -> Self {
        let state = State::Gathering { queues: Vec::new(), early: Vec::new(), dropped: 0 };
        Self { shared: Arc::new(Shared { options, state: RwLock::new(state) }) }
    }

    /// Adds a listener to a queue, and starts the queue if this is its first. After [`Self::start`] it hears of what is
    /// posted from here on.
    pub fn add_listener(&self, queue: QueueName, listener: impl Listener) -> Result<(), AddListenerError> {
        self.queue(queue)?.add(Box::new(listener));
        Ok(())
    }

    /// The queue of that name, started if there is none yet.
    fn queue(&self, name: QueueName) -> Result<Arc<Queue>, AddListenerError> {
        let mut state = self.shared.state.write();
        let (State::Gathering { queues, .. } | State::Started { queues }) = &mut *state else {
            return Err(AddListenerError::Stopped);
        };
        if let Some(known) = queues.iter().find(|known| known.name() == name) {
            return Ok(Arc::clone(known));
        }
        let capacity = self.shared.options.capacity_of(name);
        let queue = Queue::start(name, capacity).map_err(|source| AddListenerError::Thread { queue: name, source })?;
        let queue = Arc::new(queue);
        queues.push(Arc::clone(&queue));
        Ok(queue)
    }

    /// Hands on what was posted so far, and from here on each event at once. A second call does nothing.
    pub fn start(&self) {
        let mut state = self.shared.state.write();
        let State::Gathering { queues, early, dropped } = &mut *state else { return };
        for event in early.drain(..) {
            for queue in queues.iter() {
                queue.post(Arc::clone(&event));
            }
        }
        if *dropped > 0 {
            warn!(dropped, "dropped events that were posted before the listener bus started");
        }
        *state = State::Started { queues: std::mem::take(queues) };
    }

    /// Tells every listener. Never waits for one; costs well under a microsecond. After [`Self::stop`] it does nothing.
    pub fn post(&self, event: impl Into<Arc<ListenerEvent>>) {
        let event = event.into();
        if let State::Started { queues } = &*self.shared.state.read() {
            if let Some((last, others)) = queues.split_last() {
                for queue in others {
                    queue.post(Arc::clone(&event));
                }
                last.post(event);
            }
            return;
        }
        self.post_early(event);
    }

    #[cold]
    fn post_early(&self, event: Arc<ListenerEvent>) {
        let mut state = self.shared.state.write();
        match &mut *state {
            State::Gathering { early, dropped, .. } => {
                if early.len() < self.shared.options.capacity {
                    early.push(event)
                } else {
                    *dropped += 1
                }
            }
            State::Started { queues } => queues.iter().for_each(|queue| queue.post(Arc::clone(&event))),
            State::Stopping { .. } => {}
        }
    }

    /// Did every listener see, within `timeout`, everything that was posted before this call? For tests, and for
    /// whoever must see its own past (the status tracker after an action). Not before [`Self::start`] if anything waits.
    pub fn wait_until_empty(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let queues = match &*self.shared.state.read() {
            State::Gathering { early, .. } if !early.is_empty() => return false,
            state => state.queues().to_vec(),
        };
        queues.iter().all(|queue| queue.wait_until_empty(deadline))
    }

    /// Lets every listener see what was posted, calls its [`Listener::on_stop`], and ends the threads (RT-80). All queues
    /// together have `timeout`. A second call waits for the same end and reports it.
    pub fn stop(&self, timeout: Duration) -> Result<StopReport, StopError> {
        let deadline = Instant::now() + timeout;
        let queues = self.begin_to_stop()?;
        queues.iter().for_each(|queue| queue.request_stop(deadline));
        let timed_out: Vec<_> = queues.iter().filter(|queue| !queue.join(deadline)).map(|queue| queue.name()).collect();
        for queue in &timed_out {
            warn!(%queue, "listener queue not drained in time: its listeners have not seen every event");
        }
        Ok(StopReport { queues: queues.iter().map(|queue| queue.metrics()).collect(), timed_out })
    }

    /// Could the calling thread stop the bus? No listener can. For whoever must know before it stops other things.
    pub fn check_may_stop(&self) -> Result<(), StopError> {
        let caller = thread::current().id();
        match self.shared.state.read().queues().iter().find(|queue| queue.runs_on(caller)) {
            Some(queue) => Err(StopError::FromListener { queue: queue.name() }),
            None => Ok(()),
        }
    }

    fn begin_to_stop(&self) -> Result<Vec<Arc<Queue>>, StopError> {
        self.check_may_stop()?;
        self.start();
        let mut state = self.shared.state.write();
        let queues = state.queues().to_vec();
        *state = State::Stopping { queues: queues.clone() };
        Ok(queues)
    }

    /// What each queue has done so far.
    pub fn metrics(&self) -> Vec<QueueMetrics> {
        self.shared.state.read().queues().iter().map(|queue| queue.metrics()).collect()
    }
}

impl std::fmt::Debug for ListenerBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerBus").field("queues", &self.metrics()).finish()
    }
}
