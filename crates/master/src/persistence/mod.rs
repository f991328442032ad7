//! What outlives a master (SA-52, SA-56): Spark's `PersistenceEngine`.

mod file_system;

use std::{io, path::PathBuf};

pub use file_system::FileSystemPersistenceEngine;
use firesteel_standalone::master::{Record, RecordKey, Stored};

/// Keeps the records of the leader for the next one. Called from the master's loop, which waits for it.
pub trait PersistenceEngine: Send {
    /// Keeps a record in place of what has its key.
    fn store(&mut self, record: &Record) -> Result<(), StoreError>;

    /// Forgets a record; it may not be there.
    fn erase(&mut self, key: &RecordKey) -> Result<(), StoreError>;

    /// All that is kept. What cannot be read is left out, and told (SA-52).
    fn read(&mut self) -> Result<(Stored, Vec<String>), StoreError>;
}

/// The records could not be kept or read.
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

impl PersistenceEngine for NoPersistence {
    fn store(&mut self, _record: &Record) -> Result<(), StoreError> {
        Ok(())
    }

    fn erase(&mut self, _key: &RecordKey) -> Result<(), StoreError> {
        Ok(())
    }

    fn read(&mut self) -> Result<(Stored, Vec<String>), StoreError> {
        Ok((Stored::default(), Vec::new()))
    }
}
