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
    protocol::{ClientAnswer, ClientRequest, FromMaster, ToMaster},
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    ArtifactStoreOptions, ElectionError, LeaderElectionAgent, MasterHandle, PersistenceEngine,
    artifacts::ArtifactStore,
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
    /// Where files of submissions are kept.
    pub artifacts: ArtifactStoreOptions,
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
        let MasterServerOptions { address, host, secret, mut master, persistence, artifacts } = options;
        let listener = Listener::bind(&address, secret, self::options()).await?;
        let address = listener.address().clone();
        let reached = Address::tcp(host, address.port().unwrap_or_default());
        master.url = format!("spark://{reached}");
        let url = master.url.clone();
        let (inputs, received) = mpsc::channel(QUEUE);
        let (ended_sender, ended) = watch::channel(None);
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let artifacts = Arc::new(ArtifactStore::new(artifacts));
        let event_loop = EventLoop {
            master: Master::new(master, seed),
            store: persistence,
            inputs: received,
            ended: ended_sender,
            started: Instant::now(),
            peers: HashMap::new(),
            artifacts: Arc::clone(&artifacts),
            leads_since: None,
        };
        let tasks = vec![
            Handle::current().spawn(event_loop.run()),
            Handle::current().spawn(accept(listener, inputs.clone(), artifacts)),
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

    /// What asks it and tells it things, from wherever.
    pub fn handle_to(&self) -> MasterHandle {
        MasterHandle::new(self.inputs.clone())
    }

    /// Looks at the state; none if the master has ended.
    pub async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Master) -> T + Send + 'static) -> Option<T> {
        look_at(&self.inputs, look).await
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

/// Asks the loop.
pub(crate) async fn look_at<T: Send + 'static>(
    inputs: &mpsc::Sender<Input>,
    look: impl FnOnce(&Master) -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let question = move |master: &Master| {
        // Whoever has asked is gone.
        let _ = answer.send(look(master));
    };
    inputs.send(Input::Question(Box::new(question))).await.ok()?;
    answered.await.ok()
}

/// Lets in whoever has proved the secret.
async fn accept(mut listener: Listener, inputs: mpsc::Sender<Input>, artifacts: Arc<ArtifactStore>) {
    let numbers = AtomicU64::default();
    let mut peers = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept::<ToMaster, FromMaster>() => {
                let Ok(connection) = accepted else { return };
                let peer = PeerId(numbers.fetch_add(1, Ordering::Relaxed));
                peers.spawn(hear(peer, connection, inputs.clone(), Arc::clone(&artifacts)));
            }
            Some(_) = peers.join_next() => {}
        }
    }
}

/// Reads what one peer says. Files go to the store, one piece after the other; all else to the loop.
async fn hear(
    peer: PeerId,
    connection: Connection<ToMaster, FromMaster>,
    inputs: mpsc::Sender<Input>,
    artifacts: Arc<ArtifactStore>,
) {
    let address = connection.peer().to_string();
    let (sender, mut receiver) = connection.split();
    if inputs.send(Input::Connected(peer, sender.clone())).await.is_err() {
        return;
    }
    let silent = loop {
        match receiver.receive().await {
            Ok(Some(ToMaster::Artifacts(request))) => {
                let store = Arc::clone(&artifacts);
                let Ok(answer) = spawn_blocking(move || store.answer(peer, request)).await else { break false };
                // Who does not take the answer is gone, as is read next.
                let _ = sender.send(&FromMaster::Artifacts(answer)).await;
            }
            Ok(Some(ToMaster::Client(ClientRequest::SubmitDriver(description))))
                if let Some(refused) =
                    description.artifacts.as_ref().and_then(|id| artifacts.check(peer, id).err()) =>
            {
                // As above.
                let _ = sender.send(&FromMaster::Client(ClientAnswer::Submitted(Err(refused)))).await;
            }
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
