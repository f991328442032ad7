//! Starts a master, and lets its peers in.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use firesteel_master_client::options;
use firesteel_rpc::{Address, BindError, Connection, Listener, ReceiveError, Secret};
use firesteel_standalone::{
    Term,
    master::{Master, MasterEvent, MasterOptions, PeerId},
    protocol::{FromMaster, ToMaster},
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    ElectionError, LeaderElectionAgent, PersistenceEngine,
    event_loop::{End, EventLoop, Input},
    term_after,
};

/// What a master is started with.
pub struct MasterServerOptions {
    /// Where it listens; port 0 lets the system choose.
    pub address: Address,
    /// The name that others reach it by, for its URL.
    pub host: String,
    /// The cluster's secret.
    pub secret: Secret,
    /// How it decides. `url` is filled in.
    pub master: MasterOptions,
    /// What outlives it.
    pub persistence: Box<dyn PersistenceEngine>,
}

/// The master could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the master cannot be started")]
pub struct StartMasterError(#[from] BindError);

/// A running master. Dropping it ends it without a word; [`Self::stop`] is the better way.
pub struct MasterServer {
    url: String,
    address: Address,
    inputs: mpsc::Sender<Input>,
    ended: watch::Receiver<Option<End>>,
    tasks: Vec<JoinHandle<()>>,
}

/// The end of a master that ends by itself, as another one leads.
#[derive(Clone, Debug)]
pub struct MasterEnd(watch::Receiver<Option<End>>);

impl MasterEnd {
    /// Waits for it.
    pub async fn wait(&mut self) {
        // An error says that the loop is gone.
        let _ = self.0.wait_for(Option::is_some).await;
    }
}

/// How many events may wait. Who sends more waits.
const QUEUE: usize = 4096;

impl MasterServer {
    /// Listens, and leads as soon as it is elected; without an election that is at once.
    pub async fn start(options: MasterServerOptions) -> Result<Self, StartMasterError> {
        let MasterServerOptions { address, host, secret, mut master, persistence } = options;
        let listener = Listener::bind(&address, secret, self::options()).await?;
        let address = listener.address().clone();
        let reached = Address::tcp(host, address.port().unwrap_or_default());
        master.url = format!("spark://{reached}");
        let url = master.url.clone();
        let (inputs, received) = mpsc::channel(QUEUE);
        let (ended_sender, ended) = watch::channel(None);
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let event_loop = EventLoop {
            master: Master::new(master, seed),
            store: persistence,
            inputs: received,
            ended: ended_sender,
            started: Instant::now(),
            peers: HashMap::new(),
        };
        let tasks = vec![
            Handle::current().spawn(event_loop.run()),
            Handle::current().spawn(accept(listener, inputs.clone(), Arc::default())),
        ];
        Ok(Self { url, address, inputs, ended, tasks })
    }

    /// Leads from here on. For a master that is alone: its terms are moments, so a later process has a higher one.
    pub async fn lead_alone(&self) {
        self.elected(term_after(None)).await;
    }

    /// Takes part in an election, leads when it is won, and ends once that is over; the result says why.
    pub async fn take_part(&self, election: &mut dyn LeaderElectionAgent) -> Result<String, ElectionError> {
        let term = election.lead().await?;
        self.elected(term).await;
        let reason = election.deposed().await;
        self.deposed().await;
        Ok(reason)
    }

    /// An election has made it the leader.
    pub async fn elected(&self, term: Term) {
        // It has ended: nobody is led by it.
        let _ = self.inputs.send(Input::Elected(term)).await;
    }

    /// An election has made another one the leader.
    pub async fn deposed(&self) {
        // As above.
        let _ = self.inputs.send(Input::Event(MasterEvent::Deposed)).await;
    }

    /// `spark://host:port`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Looks at the state; none if the master has ended.
    pub async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Master) -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let question = move |master: &Master| {
            // Whoever has asked is gone.
            let _ = answer.send(look(master));
        };
        self.inputs.send(Input::Question(Box::new(question))).await.ok()?;
        answered.await.ok()
    }

    /// Something that an operator wants.
    pub async fn handle(&self, event: MasterEvent) {
        // It has ended: nothing is left to be done.
        let _ = self.inputs.send(Input::Event(event)).await;
    }

    /// To wait for its end.
    pub fn ended(&self) -> MasterEnd {
        MasterEnd(self.ended.clone())
    }

    /// Closes all connections and ends.
    pub async fn stop(self) {
        let Self { inputs, tasks, .. } = self;
        drop(inputs);
        for task in tasks {
            task.abort();
            // It was aborted, or has ended.
            let _ = task.await;
        }
    }
}

/// Lets in whoever has proved the secret.
async fn accept(mut listener: Listener, inputs: mpsc::Sender<Input>, numbers: Arc<AtomicU64>) {
    let mut peers = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept::<ToMaster, FromMaster>() => {
                let Ok(connection) = accepted else { return };
                let peer = PeerId(numbers.fetch_add(1, Ordering::Relaxed));
                peers.spawn(hear(peer, connection, inputs.clone()));
            }
            Some(_) = peers.join_next() => {}
        }
    }
}

/// Reads what one peer says.
async fn hear(peer: PeerId, connection: Connection<ToMaster, FromMaster>, inputs: mpsc::Sender<Input>) {
    let address = connection.peer().to_string();
    let (sender, mut receiver) = connection.split();
    if inputs.send(Input::Connected(peer, sender)).await.is_err() {
        return;
    }
    let silent = loop {
        match receiver.receive().await {
            Ok(Some(message)) => {
                let event = MasterEvent::Received { peer, message: Box::new(message) };
                if inputs.send(Input::Event(event)).await.is_err() {
                    return;
                }
            }
            Ok(None) => break false,
            Err(error) => {
                tracing::info!(address, error = firesteel_model::error_chain(&error), "a connection has ended");
                break matches!(error, ReceiveError::TimedOut(_));
            }
        }
    };
    // The loop has ended, and knows nobody any more.
    let _ = inputs.send(Input::Event(MasterEvent::Disconnected { peer, silent })).await;
}
