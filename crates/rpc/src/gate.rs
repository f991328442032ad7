//! A bound on connections that have not authenticated yet.
//!
//! Strangers may hold a few of our sockets for a few seconds, and that is all they may do (slow loris). When all places are
//! taken, new connections wait in the system's backlog, which is right for a burst of honest peers: each needs milliseconds.
//! A connection that has been in the handshake for longer than [`GRACE`] then gives its place to the next, so that those who
//! hold connections open without a word do not lock others out.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use crate::LogLimit;

/// How long a connection may be in the handshake while others wait for its place.
pub const GRACE: Duration = Duration::from_secs(1);

/// The handshakes that are going on at one listening socket. Dropping it ends them.
#[derive(Debug)]
pub struct Gate {
    places: usize,
    handshakes: JoinSet<()>,
    /// The same, oldest first, without those that were seen to have authenticated or ended.
    running: VecDeque<Handshake>,
    drops: LogLimit,
}

/// For a handshake to say that it succeeded: it is not dropped in favour of others any more.
#[derive(Clone, Debug)]
pub struct Authenticated(Arc<AtomicBool>);

impl Authenticated {
    /// The other side has proved the secret.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Handshake {
    started: Instant,
    task: AbortHandle,
    authenticated: Authenticated,
}

impl Handshake {
    fn is_over(&self) -> bool {
        self.authenticated.0.load(Ordering::Relaxed) || self.task.is_finished()
    }
}

impl Gate {
    /// A gate with so many places, at least one.
    pub fn new(places: usize) -> Self {
        Self { places: places.max(1), handshakes: JoinSet::new(), running: VecDeque::new(), drops: LogLimit::default() }
    }

    /// Waits until there is a place for one more connection.
    pub async fn wait_for_place(&mut self) {
        loop {
            while self.handshakes.try_join_next().is_some() {}
            while self.running.front().is_some_and(Handshake::is_over) {
                self.running.pop_front();
            }
            if self.handshakes.len() < self.places {
                return;
            }
            let Some(started) = self.running.front().map(|oldest| oldest.started) else {
                // All are authenticated and wait for whoever takes them.
                self.handshakes.join_next().await;
                continue;
            };
            tokio::select! {
                _ = self.handshakes.join_next() => {}
                () = sleep_until(started + GRACE) => {
                    if let Some(oldest) = self.running.pop_front().filter(|oldest| !oldest.is_over()) {
                        let limit = self.places;
                        if let Some(untold) = self.drops.happened(Instant::now().into_std()) {
                            tracing::warn!(limit, untold, "too many connections in the handshake; the oldest is dropped");
                        }
                        oldest.task.abort();
                        self.handshakes.join_next().await;
                    }
                }
            }
        }
    }

    /// Starts a handshake. The place is taken until the future ends.
    pub fn enter<F: Future<Output = ()> + Send + 'static>(&mut self, handshake: impl FnOnce(Authenticated) -> F) {
        let authenticated = Authenticated(Arc::new(AtomicBool::new(false)));
        let task = self.handshakes.spawn(handshake(authenticated.clone()));
        self.running.push_back(Handshake { started: Instant::now(), task, authenticated });
    }
}
