//! The task that owns the state machine.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use firesteel_model::{Moment, Now};
use firesteel_rpc::Sender;
use firesteel_standalone::{
    master::{Master, MasterCommand, MasterEvent, PeerId, Stored},
    protocol::FromMaster,
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{info, warn};

use crate::{Change, PersistenceEngine, PersistenceError, artifacts::ArtifactStore};

/// What the loop is told.
pub(crate) enum Input {
    /// Something has happened.
    Event(MasterEvent),
    /// Somebody has connected, and this is how to answer.
    Connected(PeerId, Sender<FromMaster>),
    /// This master leads from here on.
    Elected(firesteel_standalone::Term),
    /// Somebody wants to know something.
    Question(Box<dyn FnOnce(&Master) + Send>),
}

/// How many events are taken note of before anything is placed: a storm of registrations is placed once and not thousands of times.
const BATCH: usize = 1024;

/// How long nothing may happen where nothing is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How a loop has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Somebody wanted it to.
    Stopped,
    /// Another master leads (SA-54).
    Deposed,
}

pub(crate) struct EventLoop {
    pub(crate) master: Master,
    pub(crate) store: Box<dyn PersistenceEngine>,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) ended: watch::Sender<Option<End>>,
    pub(crate) started: Instant,
    pub(crate) peers: HashMap<PeerId, Sender<FromMaster>>,
    pub(crate) artifacts: Arc<ArtifactStore>,
    pub(crate) leads_since: Option<Moment>,
}

impl EventLoop {
    pub(crate) async fn run(mut self) {
        let end = loop {
            let mut inputs = Vec::new();
            let wait = self.until_deadline();
            match timeout(wait, self.inputs.recv_many(&mut inputs, BATCH)).await {
                Ok(0) => break End::Stopped,
                Ok(_) => {}
                Err(_) => inputs.push(Input::Event(MasterEvent::DeadlineReached)),
            }
            if self.master.next_deadline().is_some_and(|deadline| deadline <= self.now().moment) {
                inputs.push(Input::Event(MasterEvent::DeadlineReached));
            }
            if let Some(end) = self.handle(inputs).await {
                break end;
            }
        };
        // Nobody who waits for it has to be told.
        let _ = self.ended.send(Some(end));
    }

    async fn handle(&mut self, inputs: Vec<Input>) -> Option<End> {
        let (mut events, mut questions) = (Vec::with_capacity(inputs.len()), Vec::new());
        let mut gone = Vec::new();
        for input in inputs {
            match input {
                Input::Event(event) => {
                    if let MasterEvent::Disconnected { peer, .. } = &event {
                        self.peers.remove(peer);
                        gone.push(*peer);
                    }
                    events.push(event);
                }
                Input::Connected(peer, sender) => {
                    self.peers.insert(peer, sender);
                    events.push(MasterEvent::Connected { peer });
                }
                Input::Elected(term) => match self.stored().await {
                    Some(stored) => {
                        self.leads_since = Some(self.now().moment);
                        events.push(MasterEvent::Elected { term, stored });
                    }
                    None => return Some(End::Deposed),
                },
                Input::Question(question) => questions.push(question),
            }
        }
        let commands = self.master.handle_all(self.now(), events);
        if !self.keep(&commands).await {
            return Some(End::Deposed);
        }
        let end = commands.into_iter().filter_map(|command| self.perform(command)).last();
        self.artifacts.set_open(self.master.is_alive());
        gone.into_iter().for_each(|peer| self.artifacts.release(peer));
        self.remove_artifacts();
        for question in questions {
            question(&self.master);
        }
        end
    }

    /// Files of submissions whose drivers have ended go. Those that an earlier master has left go once all who may need them have had
    /// the time to say so.
    fn remove_artifacts(&self) {
        let Some(since) = self.leads_since.filter(|_| self.master.is_alive() && !self.artifacts.is_empty()) else {
            return;
        };
        let inherited = self.now().moment.since(since) > self.master.options().recovery_timeout;
        let named = self.master.drivers().filter_map(|driver| driver.description.artifacts.clone()).collect();
        for id in self.artifacts.take_unnamed(&named, inherited) {
            let artifacts = Arc::clone(&self.artifacts);
            drop(spawn_blocking(move || artifacts.remove(&id)));
        }
    }

    /// What has to be kept, all at once and before anybody is told anything; false if this master may not order any more.
    async fn keep(&mut self, commands: &[MasterCommand]) -> bool {
        let change = |command: &MasterCommand| match command {
            MasterCommand::Store(record) => Some(Change::Store(record.clone())),
            MasterCommand::Erase(key) => Some(Change::Erase(key.clone())),
            _ => None,
        };
        let changes: Vec<Change> = commands.iter().filter_map(change).collect();
        let confirm = commands.iter().any(|command| matches!(command, MasterCommand::Confirm));
        if changes.is_empty() && !confirm {
            return true;
        }
        match self.store.write(changes).await {
            Ok(()) => true,
            Err(error @ PersistenceError::Deposed { .. }) => {
                warn!("{}", firesteel_model::error_chain(&error));
                false
            }
            Err(error) => {
                warn!(error = firesteel_model::error_chain(&error), "the next leader will not know of everything");
                true
            }
        }
    }

    fn perform(&mut self, command: MasterCommand) -> Option<End> {
        match command {
            MasterCommand::Send { peer, message } => {
                let sent = self.peers.get(&peer).map(|sender| (sender, sender.try_send(&*message)));
                if let Some((sender, Err(error))) = sent
                    && sender.is_open()
                {
                    // It takes nothing, or the message is too long for it: what follows would not make sense to it.
                    warn!(?peer, %error, "a peer could not be told something, and its connection is cut");
                    sender.abort();
                }
            }
            // That is done.
            MasterCommand::Store(_) | MasterCommand::Erase(_) | MasterCommand::Confirm => {}
            MasterCommand::Log { warning: false, text } => info!("{text}"),
            MasterCommand::Log { warning: true, text } => warn!("{text}"),
            MasterCommand::Exit => return Some(End::Deposed),
        }
        None
    }

    /// None if another one leads already.
    async fn stored(&mut self) -> Option<Stored> {
        match self.store.read().await {
            Ok((stored, dropped)) => {
                dropped.iter().for_each(|dropped| warn!("a record of the last leader is dropped: {dropped}"));
                Some(stored)
            }
            Err(error @ PersistenceError::Deposed { .. }) => {
                warn!("{}", firesteel_model::error_chain(&error));
                None
            }
            Err(error) => {
                warn!(error = firesteel_model::error_chain(&error), "what the last leader has left cannot be read");
                Some(Stored::default())
            }
        }
    }

    fn now(&self) -> Now {
        let elapsed = self.started.elapsed().as_millis();
        let wall_clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        Now {
            moment: Moment(u64::try_from(elapsed).unwrap_or(u64::MAX)),
            wall_clock_ms: i64::try_from(wall_clock).unwrap_or(i64::MAX),
        }
    }

    fn until_deadline(&self) -> Duration {
        let now = self.now().moment;
        self.master.next_deadline().map_or(LONGEST_WAIT, |deadline| deadline.since(now)).min(LONGEST_WAIT)
    }
}
