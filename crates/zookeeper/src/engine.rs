//! Records in ZooKeeper.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use firesteel_master::{Change, PersistenceEngine, PersistenceError};
use firesteel_rpc::Secret;
use firesteel_standalone::master::{RecordKey, Stored};
use tokio::sync::watch;
use tracing::warn;
use zookeeper_client::{CheckWriteError, Error, OwnedLockClient};

use crate::{Leadership, PERSISTENT, sealed::Sealed};

/// Begins the names of our nodes. Spark's own begin with `app_`, `driver_` and `worker_`, and neither reads the other's.
const PREFIX: &str = "firesteel_";
const TERM: &str = "firesteel_term";
/// ZooKeeper cuts the connection of who sends more than `jute.maxbuffer`, 1 MiB unless it is configured otherwise.
const MAX_TRANSACTION: usize = 900 << 10;

/// Keeps records while this master leads.
pub struct ZooKeeperPersistenceEngine {
    directory: String,
    sealed: Sealed,
    leadership: watch::Receiver<Leadership>,
    /// The nodes that are there; unknown until they were listed.
    nodes: Option<BTreeSet<String>>,
}

/// What a node is to become.
type Changes = BTreeMap<String, Option<Vec<u8>>>;

impl ZooKeeperPersistenceEngine {
    pub(crate) fn new(directory: String, secret: &Secret, leadership: watch::Receiver<Leadership>) -> Self {
        Self { directory, sealed: Sealed::new(secret), leadership, nodes: None }
    }

    fn lock(&self) -> Result<Arc<OwnedLockClient>, PersistenceError> {
        match &*self.leadership.borrow() {
            Leadership::Leads(lock) => Ok(Arc::clone(lock)),
            Leadership::Standby => Err(PersistenceError::Deposed { reason: "it was never elected".to_owned() }),
            Leadership::Lost(reason) => Err(PersistenceError::Deposed { reason: reason.clone() }),
        }
    }

    /// The last change of each record, sealed.
    fn changes(&self, changes: Vec<Change>) -> Changes {
        let mut last = Changes::new();
        for change in changes {
            let name = node_name(&change.key());
            let data = match &change {
                Change::Erase(_) => None,
                Change::Store(record) => match self.sealed.seal(&name, record) {
                    Ok(data) if data.len() <= MAX_TRANSACTION => Some(data),
                    Ok(data) => {
                        let bytes = data.len();
                        warn!(name, bytes, "a record is too long for ZooKeeper; the next leader will not know of it");
                        None
                    }
                    Err(error) => {
                        warn!(name, %error, "a record cannot be written down; the next leader will not know of it");
                        None
                    }
                },
            };
            last.insert(name, data);
        }
        last
    }

    async fn list(&mut self, lock: &OwnedLockClient) -> Result<BTreeSet<String>, Error> {
        let names = lock.client().list_children(&self.directory).await?;
        let ours = |name: &String| name.starts_with(PREFIX) && name != TERM;
        let names: BTreeSet<String> = names.into_iter().filter(ours).collect();
        self.nodes = Some(names.clone());
        Ok(names)
    }

    /// As many changes as fit into one transaction; those that were made are taken out.
    async fn transact(&mut self, lock: &OwnedLockClient, changes: &mut Changes) -> Result<(), CheckWriteError> {
        let nodes = match &self.nodes {
            Some(nodes) => nodes.clone(),
            None => self.list(lock).await?,
        };
        let mut writer = lock.new_check_writer();
        let (mut after, mut done, mut size) = (nodes.clone(), Vec::new(), 0);
        for (name, data) in changes.iter() {
            size += name.len() + self.directory.len() + data.as_ref().map_or(0, Vec::len) + 64;
            if size > MAX_TRANSACTION && !done.is_empty() {
                break;
            }
            let path = format!("{}/{name}", self.directory);
            match (data, nodes.contains(name)) {
                (Some(data), true) => writer.add_set_data(&path, data, None)?,
                (Some(data), false) => writer.add_create(&path, data, &PERSISTENT)?,
                (None, true) => writer.add_delete(&path, None)?,
                (None, false) => {}
            }
            if data.is_some() {
                after.insert(name.clone());
            } else {
                after.remove(name);
            }
            done.push(name.clone());
        }
        // Not known until it is answered.
        self.nodes = None;
        writer.commit().await?;
        self.nodes = Some(after);
        done.iter().for_each(|name| drop(changes.remove(name)));
        Ok(())
    }

    async fn write_all(&mut self, lock: &OwnedLockClient, mut changes: Changes) -> Result<(), PersistenceError> {
        let mut confirmed = false;
        while !confirmed || !changes.is_empty() {
            match self.transact(lock, &mut changes).await {
                Ok(()) => confirmed = true,
                // What was answered by nobody is done again: a record is the same, however often it is written. A node may
                // have been made or removed; then it is looked at anew.
                Err(CheckWriteError::RequestFailed { source: Error::ConnectionLoss }) => {}
                Err(CheckWriteError::OperationFailed { source: Error::NodeExists | Error::NoNode, .. }) => {}
                Err(CheckWriteError::CheckFailed { .. }) => {
                    return Err(PersistenceError::Deposed { reason: format!("its node {} is gone", lock.lock_path()) });
                }
                Err(CheckWriteError::RequestFailed { source: Error::SessionExpired | Error::ClientClosed }) => {
                    return Err(PersistenceError::Deposed { reason: "its ZooKeeper session has expired".to_owned() });
                }
                Err(error) => {
                    let action = format!("write records below {}", self.directory);
                    return Err(PersistenceError::Service { action, source: Box::new(error) });
                }
            }
        }
        Ok(())
    }

    async fn read_all(&mut self, lock: &OwnedLockClient) -> Result<(Stored, Vec<String>), Error> {
        // The server that answers may be behind the one that the last leader has written to.
        lock.client().sync(&self.directory).await?;
        let (mut stored, mut dropped) = (Stored::default(), Vec::new());
        for name in self.list(lock).await? {
            let path = format!("{}/{name}", self.directory);
            let (data, _) = lock.client().get_data(&path).await?;
            match self.sealed.open(&name, &data) {
                Ok(record) if node_name(&record.key()) == name => stored.records.push(record),
                Ok(record) => dropped.push(format!("{path} holds the record {:?}", record.key())),
                Err(error) => dropped.push(format!("{path}: {error}")),
            }
        }
        Ok((stored, dropped))
    }
}

/// Ends when this master leads no more.
async fn lost(mut leadership: watch::Receiver<Leadership>) -> PersistenceError {
    let reason = match leadership.wait_for(|seen| matches!(seen, Leadership::Lost(_))).await {
        Ok(seen) => match &*seen {
            Leadership::Lost(reason) => reason.clone(),
            Leadership::Standby | Leadership::Leads(_) => String::new(),
        },
        Err(_) => "its part in the election has ended".to_owned(),
    };
    PersistenceError::Deposed { reason }
}

#[async_trait]
impl PersistenceEngine for ZooKeeperPersistenceEngine {
    async fn write(&mut self, changes: Vec<Change>) -> Result<(), PersistenceError> {
        let lock = self.lock()?;
        let changes = self.changes(changes);
        let lost = lost(self.leadership.clone());
        tokio::select! {
            written = self.write_all(&lock, changes) => written,
            error = lost => Err(error),
        }
    }

    async fn read(&mut self) -> Result<(Stored, Vec<String>), PersistenceError> {
        let lock = self.lock()?;
        let (lost, directory) = (lost(self.leadership.clone()), self.directory.clone());
        let read = async {
            loop {
                match self.read_all(&lock).await {
                    Ok(read) => return Ok(read),
                    Err(Error::ConnectionLoss) => {}
                    Err(Error::SessionExpired | Error::ClientClosed | Error::NoNode) => {
                        return Err(PersistenceError::Deposed { reason: "another one leads already".to_owned() });
                    }
                    Err(error) => {
                        let action = format!("read the records below {directory}");
                        return Err(PersistenceError::Service { action, source: Box::new(error) });
                    }
                }
            }
        };
        tokio::select! {
            read = read => read,
            error = lost => Err(error),
        }
    }
}

/// Ids come from other processes, and may not lead out of the directory.
fn node_name(key: &RecordKey) -> String {
    let name = match key {
        RecordKey::Worker(id) => format!("worker_{id}"),
        RecordKey::Application(id) => format!("app_{id}"),
        RecordKey::Driver(id) => format!("driver_{id}"),
        RecordKey::Numbers => "numbers".to_owned(),
    };
    let keep = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let name: String =
        name.chars().map(|c| if keep(c) { c.to_string() } else { format!("%{:x}", u32::from(c)) }).collect();
    format!("{PREFIX}{name}")
}
