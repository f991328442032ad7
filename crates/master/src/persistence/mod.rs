//! What outlives a master (SA-52, SA-56): Spark's `PersistenceEngine`.

mod file_system;

use std::{error::Error, io, path::PathBuf};

use async_trait::async_trait;
pub use file_system::FileSystemPersistenceEngine;
use firesteel_standalone::master::{Record, RecordKey, Stored};

/// Something that changes in what is kept.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Keep a record in place of what has its key.
    Store(Box<Record>),
    /// Forget a record; it may not be there.
    Erase(RecordKey),
}

impl Change {
    /// What names the record.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Store(record) => record.key(),
            Self::Erase(key) => key.clone(),
        }
    }
}

/// Keeps the records of the leader for the next one. Called from the master's loop, which waits for it: nothing is said to
/// anybody before what it rests on is kept.
///
/// Whoever embeds a master may bring an engine of its own, with a [`crate::LeaderElectionAgent`]; this is what Spark has
/// `spark.deploy.recoveryMode=CUSTOM` for (SA-57).
#[async_trait]
pub trait PersistenceEngine: Send {
    /// Makes changes, in their order. With none it only makes sure that this master still leads.
    ///
    /// # Errors
    ///
    /// [`PersistenceError::Deposed`] if another master may lead: then nothing of it was done, or the next leader has seen it.
    async fn write(&mut self, changes: Vec<Change>) -> Result<(), PersistenceError>;

    /// All that is kept. What cannot be read is left out, and told (SA-52).
    async fn read(&mut self) -> Result<(Stored, Vec<String>), PersistenceError>;
}

/// Records could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum PersistenceError {
    /// This master does not lead, or cannot know whether it does (SA-54).
    #[error("this master leads no more: {reason}")]
    Deposed {
        /// Why.
        reason: String,
    },
    /// It leads, and this failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It leads, and the service that keeps records has refused.
    #[error("could not {action}")]
    Service {
        /// What was tried.
        action: String,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A file of records could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", .path.display())]
pub struct StoreError {
    /// What was tried.
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

/// `spark.deploy.recoveryMode=NONE`: a master that is started again knows what its workers and applications tell it.
#[derive(Debug, Default)]
pub struct NoPersistence;

#[async_trait]
impl PersistenceEngine for NoPersistence {
    async fn write(&mut self, _changes: Vec<Change>) -> Result<(), PersistenceError> {
        Ok(())
    }

    async fn read(&mut self) -> Result<(Stored, Vec<String>), PersistenceError> {
        Ok((Stored::default(), Vec::new()))
    }
}
