//! The election: ephemeral nodes with numbers, of which the lowest leads.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use firesteel_master::{ElectionError, LeaderElectionAgent, term_after};
use firesteel_standalone::Term;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{info, warn};
use zookeeper_client::{CheckWriteError, Client, Error, LockOptions, LockPrefix, OwnedLockClient, SessionState};

use crate::{ACLS, Leadership, PERSISTENT, ZooKeeperOptions};

/// Part of the name of an election node. Those of Spark's masters have `latch-`.
const NAME: &str = "firesteel-";
/// How long is waited before an ensemble that cannot be reached is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a server may take to say that a node is gone, when the master ends anyway.
const LEAVE_TIME_OUT: Duration = Duration::from_secs(2);

/// A master's part in the election.
pub struct ZooKeeperLeaderElectionAgent {
    options: ZooKeeperOptions,
    directory: String,
    leadership: Arc<watch::Sender<Leadership>>,
}

/// Why there is no leadership this time.
enum Failure {
    /// The next time it may work.
    Again(String),
    /// It never will.
    Never(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NoAuth | Error::AuthFailed | Error::InvalidAcl | Error::BadArguments(_) => {
                Self::Never(error.to_string())
            }
            _ => Self::Again(error.to_string()),
        }
    }
}

impl ZooKeeperLeaderElectionAgent {
    pub(crate) fn new(
        options: ZooKeeperOptions,
        directory: String,
        leadership: Arc<watch::Sender<Leadership>>,
    ) -> Self {
        Self { options, directory, leadership }
    }

    /// One session, to leadership or to its end.
    async fn stand(&self) -> Result<(OwnedLockClient, Term), Failure> {
        let servers = self.options.servers.servers();
        let connector = Client::connector().with_session_timeout(self.options.session_timeout);
        let client = connector.connect(&servers).await?;
        let (election, status) =
            (format!("{}/leader_election", self.directory), format!("{}/master_status", self.directory));
        client.mkdir(&election, &PERSISTENT).await?;
        client.mkdir(&status, &PERSISTENT).await?;
        let there = client.list_children(&election).await?;
        if let Some(other) = there.iter().find(|name| !name.contains(NAME)) {
            let directory = &self.directory;
            return Err(Failure::Never(format!(
                "{election}/{other} is not of a Firesteel master; a cluster of Spark uses {directory}. Give this one another \
                 spark.deploy.zookeeper.dir"
            )));
        }
        info!(%servers, election, "taking part in the election of the leader");
        let prefix = LockPrefix::new_curator(&election, NAME)?;
        let lock = client.lock(prefix, self.options.master_url.as_bytes(), LockOptions::new(ACLS)).await?.into_owned();
        let term = next_term(&lock, &format!("{status}/firesteel_term")).await?;
        Ok((lock, term))
    }
}

/// Raises the term, as the leader and only as the leader.
async fn next_term(lock: &OwnedLockClient, path: &str) -> Result<Term, Failure> {
    loop {
        let known = match lock.client().get_data(path).await {
            Ok((data, stat)) => Some((data, stat.version)),
            Err(Error::NoNode) => None,
            Err(Error::ConnectionLoss) => continue,
            Err(error) => return Err(error.into()),
        };
        let last = known.as_ref().and_then(|(data, _)| str::from_utf8(data).ok()?.trim().parse().ok()).map(Term);
        if last.is_none() && known.is_some() {
            return Err(Failure::Never(format!("{path} holds no number; remove it if no master of this cluster runs")));
        }
        let term = term_after(last);
        let mut writer = lock.new_check_writer();
        match known {
            Some((_, version)) => writer.add_set_data(path, term.to_string().as_bytes(), Some(version))?,
            None => writer.add_create(path, term.to_string().as_bytes(), &PERSISTENT)?,
        }
        match writer.commit().await {
            Ok(_) => return Ok(term),
            // It may have been raised: then it is raised once more.
            Err(CheckWriteError::RequestFailed { source: Error::ConnectionLoss })
            | Err(CheckWriteError::OperationFailed { .. }) => {}
            Err(error) => return Err(Failure::Again(error.to_string())),
        }
    }
}

#[async_trait]
impl LeaderElectionAgent for ZooKeeperLeaderElectionAgent {
    async fn lead(&mut self) -> Result<Term, ElectionError> {
        let mut told = None;
        loop {
            match self.stand().await {
                Ok((lock, term)) => {
                    info!(node = lock.lock_path(), %term, "this master is elected");
                    self.leadership.send_replace(Leadership::Leads(Arc::new(lock)));
                    return Ok(term);
                }
                Err(Failure::Never(reason)) => return Err(ElectionError(format!("ZooKeeper: {reason}"))),
                Err(Failure::Again(reason)) => {
                    // Once for each reason, not once a second.
                    if told.as_ref() != Some(&reason) {
                        warn!(servers = %self.options.servers, reason, "ZooKeeper cannot be used; it is tried again");
                        told = Some(reason);
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn deposed(&mut self) -> String {
        let Leadership::Leads(lock) = self.leadership.borrow().clone() else {
            return "it does not lead".to_owned();
        };
        let reason = tokio::select! {
            reason = session_lost(lock.client()) => reason,
            reason = node_gone(&lock) => reason,
        };
        self.leadership.send_replace(Leadership::Lost(reason.clone()));
        reason
    }

    async fn leave(&mut self) {
        let left = self.leadership.send_replace(Leadership::Lost("it has left the election".to_owned()));
        if let Leadership::Leads(lock) = left {
            // Who cannot say so is missed with the end of its session.
            let _ = timeout(LEAVE_TIME_OUT, lock.client().delete(lock.lock_path(), None)).await;
        }
    }
}

/// Waits for the end of the session: as a server tells it, or as it must have come while none could be reached.
async fn session_lost(client: &Client) -> String {
    let mut states = client.state_watcher();
    let mut state = states.state();
    loop {
        let changed = match state {
            SessionState::Expired | SessionState::Closed => return "its ZooKeeper session has expired".to_owned(),
            SessionState::AuthFailed => return "ZooKeeper has refused its credentials".to_owned(),
            SessionState::Disconnected => {
                warn!("the connection to ZooKeeper is lost");
                timeout(client.session_timeout(), states.changed()).await
            }
            SessionState::SyncConnected | SessionState::ConnectedReadOnly => Ok(states.changed().await),
        };
        match changed {
            Ok(next) => state = next,
            Err(_) => return "no ZooKeeper server could be reached before its session must have ended".to_owned(),
        }
    }
}

/// Waits until its node is taken away, which somebody can do by hand.
async fn node_gone(lock: &OwnedLockClient) -> String {
    loop {
        match lock.client().check_and_watch_stat(lock.lock_path()).await {
            Ok((Some(_), watcher)) => {
                watcher.changed().await;
            }
            Ok((None, _)) => return format!("its node {} was removed", lock.lock_path()),
            // The session's own watch tells what follows.
            Err(_) => sleep(PAUSE).await,
        }
    }
}
