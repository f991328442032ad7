//! `spark.deploy.recoveryMode=FILESYSTEM`: a file for each record, in one directory (SA-56).

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use firesteel_standalone::{
    Term,
    master::{Record, RecordKey, Stored},
};

use super::{Change, PersistenceEngine, PersistenceError, StoreError};

/// Keeps records in a directory that only its owner can read: what drivers are started with may hold secrets.
#[derive(Debug)]
pub struct FileSystemPersistenceEngine {
    directory: PathBuf,
}

/// A larger file is none of a master's.
const MAX_RECORD: u64 = 64 << 20;
/// A file that was not finished.
const UNFINISHED: &str = ".unfinished";

impl FileSystemPersistenceEngine {
    /// Makes the directory if there is none.
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(|source| StoreError {
            action: "make the recovery directory",
            path: directory.clone(),
            source,
        })?;
        Ok(Self { directory })
    }

    fn path(&self, key: &RecordKey) -> PathBuf {
        let name = match key {
            RecordKey::Worker(id) => format!("worker_{id}"),
            RecordKey::Application(id) => format!("app_{id}"),
            RecordKey::Driver(id) => format!("driver_{id}"),
            RecordKey::Numbers => "numbers".to_owned(),
        };
        self.directory.join(file_name(&name))
    }
}

/// Ids come from other processes, and may not lead out of the directory.
fn file_name(id: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    id.chars().map(|c| if keep(c) { c.to_string() } else { format!("%{:x}", u32::from(c)) }).collect()
}

/// `term`: the last term of a leader, in decimal.
const TERM: &str = "term";

impl FileSystemPersistenceEngine {
    /// The last term of a leader here; none if there was none, or it cannot be read.
    pub fn last_term(&self) -> Option<Term> {
        fs::read_to_string(self.directory.join(TERM)).ok()?.trim().parse().ok().map(Term)
    }

    /// Keeps the term of a leader before it gives any order.
    pub fn keep_term(&self, term: Term) -> Result<(), StoreError> {
        let path = self.directory.join(TERM);
        write_whole(&path, term.to_string().as_bytes(), true).map_err(|source| StoreError {
            action: "write",
            path,
            source,
        })
    }

    fn store(&mut self, record: &Record) -> Result<(), StoreError> {
        let path = self.path(&record.key());
        let failed = |source| StoreError { action: "write", path: path.clone(), source };
        let bytes = postcard::to_stdvec(record).map_err(|error| failed(io::Error::other(error)))?;
        // A worker says again what it is, so its record may be lost with the machine.
        write_whole(&path, &bytes, !matches!(record, Record::Worker { .. })).map_err(failed)
    }

    fn erase(&mut self, key: &RecordKey) -> Result<(), StoreError> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError { action: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    fn read_all(&mut self) -> Result<(Stored, Vec<String>), StoreError> {
        let failed = |source| StoreError { action: "list", path: self.directory.clone(), source };
        let (mut stored, mut dropped) = (Stored::default(), Vec::new());
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(UNFINISHED)
                || !["worker_", "app_", "driver_", "numbers"].iter().any(|kind| name.starts_with(kind))
            {
                continue;
            }
            match read_record(&path) {
                Ok(record) if self.path(&record.key()) == path => stored.records.push(record),
                Ok(record) => dropped.push(format!("{} holds the record {:?}", path.display(), record.key())),
                Err(error) => dropped.push(format!("{}: {error}", path.display())),
            }
        }
        Ok((stored, dropped))
    }
}

#[async_trait]
impl PersistenceEngine for FileSystemPersistenceEngine {
    /// On the caller's thread: files of a few kilobytes, and nothing else can be done before they are there.
    async fn write(&mut self, changes: Vec<Change>) -> Result<(), PersistenceError> {
        for change in changes {
            match change {
                Change::Store(record) => self.store(&record)?,
                Change::Erase(key) => self.erase(&key)?,
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(Stored, Vec<String>), PersistenceError> {
        Ok(self.read_all()?)
    }
}

fn read_record(path: &Path) -> io::Result<Record> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_RECORD).read_to_end(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(io::Error::other)
}

/// The file is there as a whole or not at all.
fn write_whole(path: &Path, bytes: &[u8], lasting: bool) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    if lasting {
        file.sync_all()?;
    }
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use firesteel_model::{ByteCount, WorkerId};
    use firesteel_standalone::WorkerDescription;

    use super::*;

    fn worker(id: &str) -> Record {
        Record::Worker {
            worker_id: WorkerId::new(id),
            description: WorkerDescription {
                host: "h".to_owned(),
                port: 7,
                cores: 4,
                memory: ByteCount::gib(2),
                resources: Vec::new(),
                web_ui_url: String::new(),
            },
        }
    }

    #[test]
    fn records_are_kept_replaced_and_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = FileSystemPersistenceEngine::new(directory.path().join("a/b")).unwrap();
        engine.store(&worker("w1")).unwrap();
        engine.store(&worker("w1")).unwrap();
        engine.store(&worker("../w2")).unwrap();
        let mut again = FileSystemPersistenceEngine::new(directory.path().join("a/b")).unwrap();
        let (stored, dropped) = again.read_all().unwrap();
        assert_eq!((stored.records.len(), dropped.len()), (2, 0));
        assert!(stored.records.contains(&worker("../w2")));
        assert_eq!(again.last_term(), None);
        again.keep_term(Term(77)).unwrap();
        assert_eq!(again.last_term(), Some(Term(77)));
        again.erase(&worker("w1").key()).unwrap();
        again.erase(&worker("w1").key()).unwrap();
        assert_eq!(again.read_all().unwrap().0.records, [worker("../w2")]);
    }

    /// SA-52: one that cannot be read is dropped, and the others are not.
    #[test]
    fn what_cannot_be_read_is_left_out_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = FileSystemPersistenceEngine::new(directory.path()).unwrap();
        engine.store(&worker("w1")).unwrap();
        fs::write(directory.path().join("worker_w2"), [255; 40]).unwrap();
        fs::copy(directory.path().join("worker_w1"), directory.path().join("worker_w3")).unwrap();
        fs::write(directory.path().join("app_x.unfinished"), "").unwrap();
        fs::write(directory.path().join("README"), "not ours").unwrap();
        let (stored, dropped) = engine.read_all().unwrap();
        assert_eq!(stored.records, [worker("w1")]);
        assert_eq!(dropped.len(), 2, "{dropped:?}");
        assert!(dropped[0].contains("worker_w2") && dropped[1].contains("worker_w3"), "{dropped:?}");
    }
}
