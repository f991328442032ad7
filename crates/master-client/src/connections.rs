//! A connection to each master, for as long as somebody wants it.

use std::{sync::Arc, time::Duration};

use firesteel_model::error_chain;
use firesteel_rpc::{Address, Connection, Options, ReceiveError, Secret, Sender, connect};
use firesteel_standalone::protocol::{FromMaster, ToMaster};
use parking_lot::Mutex;
use rand::RngExt;
use tokio::{runtime::Handle, task::JoinHandle, time::sleep};
use tracing::{info, warn};

/// What happens on the connections. Masters are numbered as they were listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MasterNews {
    /// There is a connection: what is sent from here on arrives, unless the connection ends.
    Connected {
        /// To which.
        master: usize,
    },
    /// It has said something.
    Message {
        /// Which.
        master: usize,
        /// What.
        message: Box<FromMaster>,
    },
    /// The connection has ended; the next one is being tried for.
    Disconnected {
        /// To which.
        master: usize,
    },
    /// It cannot be reached now. It is tried again, unless it never will do.
    Unreachable {
        /// Which.
        master: usize,
        /// Why.
        reason: String,
        /// It has refused, as this side has another secret or speaks another version: it is tried no more.
        refused: bool,
    },
}

/// A connection to each master. Dropping it closes them all.
pub struct MasterConnections {
    masters: Vec<Address>,
    senders: Arc<Vec<Mutex<Option<Sender<ToMaster>>>>>,
    tasks: Vec<JoinHandle<()>>,
}

/// How long is waited before a master that was lost, or could not be reached, is tried again; twice as long after each further time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl MasterConnections {
    /// Begins to connect. `tell` is called in the runtime and must not block.
    pub fn start(
        runtime: &Handle,
        masters: Vec<Address>,
        secret: &Secret,
        options: &Options,
        tell: impl Fn(MasterNews) + Send + Sync + 'static,
    ) -> Self {
        let senders: Arc<Vec<Mutex<Option<Sender<ToMaster>>>>> =
            Arc::new(masters.iter().map(|_| Mutex::new(None)).collect());
        let tell: Arc<dyn Fn(MasterNews) + Send + Sync> = Arc::new(tell);
        let tasks = masters
            .iter()
            .enumerate()
            .map(|(master, address)| {
                runtime.spawn(keep_connected(Link {
                    master,
                    address: address.clone(),
                    secret: secret.clone(),
                    options: options.clone(),
                    senders: Arc::clone(&senders),
                    tell: Arc::clone(&tell),
                }))
            })
            .collect();
        Self { masters, senders, tasks }
    }

    /// The masters, as they were listed.
    pub fn masters(&self) -> &[Address] {
        &self.masters
    }

    /// Says something to a master; false if there is no connection. Whether it arrives, only an answer tells.
    pub fn send(&self, master: usize, message: &ToMaster) -> bool {
        let sender = self.senders.get(master).and_then(|sender| sender.lock().clone());
        let Some(sender) = sender else { return false };
        match sender.try_send(message) {
            Ok(()) => true,
            Err(error) => {
                // A master that takes nothing for so long is of no use; the next connection begins anew.
                warn!(master = %self.masters[master], %error, "a message could not be sent");
                sender.abort();
                false
            }
        }
    }

    /// Cuts the connection to a master, which is then made again. For one that does not answer.
    pub fn reconnect(&self, master: usize) {
        if let Some(sender) = self.senders.get(master).and_then(|sender| sender.lock().clone()) {
            sender.abort();
        }
    }

    /// Sends what is queued, and closes all connections. Waits for it at most this long.
    pub async fn close(self, time_out: Duration) {
        for sender in self.senders.iter() {
            let sender = sender.lock().take();
            if let Some(sender) = sender {
                // Who does not take it in time does not hear it.
                let _ = tokio::time::timeout(time_out, sender.close()).await;
            }
        }
    }
}

impl Drop for MasterConnections {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

struct Link {
    master: usize,
    address: Address,
    secret: Secret,
    options: Options,
    senders: Arc<Vec<Mutex<Option<Sender<ToMaster>>>>>,
    tell: Arc<dyn Fn(MasterNews) + Send + Sync>,
}

async fn keep_connected(link: Link) {
    let Link { master, address, .. } = &link;
    let master = *master;
    let mut pause = FIRST_PAUSE;
    loop {
        match connect::<FromMaster, ToMaster>(address, &link.secret, &link.options).await {
            Ok(connection) => {
                info!(%address, "connected to the master");
                pause = FIRST_PAUSE;
                hold(&link, connection).await;
                (link.tell)(MasterNews::Disconnected { master });
            }
            Err(error) => {
                let refused = !error.is_retryable();
                let reason = error_chain(&error);
                (link.tell)(MasterNews::Unreachable { master, reason, refused });
                if refused {
                    return;
                }
            }
        }
        // Not all at once: a master that comes back has enough to do.
        let jitter = rand::rng().random_range(0.5..1.5);
        sleep(pause.mul_f64(jitter)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads until the connection ends.
async fn hold(link: &Link, connection: Connection<FromMaster, ToMaster>) {
    let master = link.master;
    let (sender, mut receiver) = connection.split();
    *link.senders[master].lock() = Some(sender.clone());
    (link.tell)(MasterNews::Connected { master });
    loop {
        let end: Option<ReceiveError> = tokio::select! {
            received = receiver.receive() => match received {
                Ok(Some(message)) => {
                    (link.tell)(MasterNews::Message { master, message: Box::new(message) });
                    continue;
                }
                Ok(None) => None,
                Err(error) => Some(error),
            },
            () = sender.closed() => None,
        };
        // None if this side has closed it.
        if link.senders[master].lock().take().is_some() {
            let reason = end.map_or_else(|| "it was closed".to_owned(), |error| error_chain(&error));
            warn!(address = %link.address, reason, "the connection to the master has ended");
        }
        return;
    }
}
