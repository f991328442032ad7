//! Broadcast values of Python: a file that the program has written, and on every executor a file that workers read.
//!
//! Where local files are encrypted, executors write none: workers are handed the values on a socket, as only a JVM, or this process,
//! can decrypt.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use firesteel::Broadcast;
use firesteel_executor::TaskContext;
use firesteel_python_worker::{Broadcasts, Worker};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::channel::BroadcastServer;

/// A broadcast value with the id that Python knows it by.
#[derive(Clone, Debug)]
pub(crate) struct PythonBroadcast(pub(crate) Broadcast<BroadcastFile>);

/// A pickled value, and in a process whose workers read it, its file. As the file belongs to the process's copy of the value, it goes
/// with that: when the value is unpersisted, destroyed, or cleaned up after.
#[derive(Debug)]
pub(crate) struct BroadcastFile {
    value: Bytes,
    /// Locked while the file is written.
    written: Mutex<Option<Arc<WrittenFile>>>,
}

/// A file of workers. Removed when the value has let go of it and no task reads it any more.
#[derive(Debug)]
pub(crate) struct WrittenFile(PathBuf);

impl PythonBroadcast {
    pub(crate) fn id(&self) -> i64 {
        id(&self.0)
    }

    /// Drops the copies of executors, of which this process is one in local mode.
    pub(crate) fn unpersist(&self, blocking: bool) {
        self.0.unpersist(blocking);
        self.forget_file();
    }

    /// Drops all copies for ever.
    pub(crate) fn destroy(&self) {
        self.forget_file();
        self.0.destroy();
    }

    fn forget_file(&self) {
        // By a handle of its own, as one that the value was read through keeps it.
        if let Ok(value) = self.0.clone().try_value() {
            value.written.lock().take();
        }
    }
}

fn id(broadcast: &Broadcast<BroadcastFile>) -> i64 {
    broadcast.id().0 as i64
}

/// The broadcast values of a task, as its worker finds them. Lives as long as the task.
pub(crate) enum TaskBroadcasts {
    Files(Vec<(i64, Arc<WrittenFile>)>),
    Served { values: BTreeMap<i64, Bytes>, server: Option<BroadcastServer> },
}

impl TaskBroadcasts {
    /// Those that are not in this process yet are fetched.
    pub(crate) fn of(broadcasts: &[Broadcast<BroadcastFile>], context: &TaskContext) -> io::Result<Self> {
        let each = broadcasts.iter().map(|broadcast| (id(broadcast), broadcast.value()));
        if context.environment().local_dirs().encryption().is_some() {
            let values = each.map(|(id, value)| (id, value.value.clone())).collect();
            return Ok(Self::Served { values, server: None });
        }
        Ok(Self::Files(each.map(|(id, value)| Ok((id, value.file(id, context)?))).collect::<io::Result<_>>()?))
    }

    /// What a task is told of them, by this worker, which may hold some already.
    pub(crate) fn for_worker(&mut self, worker: &mut Worker) -> io::Result<Broadcasts> {
        match self {
            Self::Files(files) => Ok(Broadcasts::Files(files.iter().map(|(id, file)| (*id, file.path())).collect())),
            Self::Served { values, server } => {
                let all = Broadcasts::Served { ids: values.keys().copied().collect(), server: None };
                let lacking = worker.lacks(&all);
                let Broadcasts::Served { ids, .. } = all else { unreachable!("made so above") };
                if lacking.is_empty() {
                    return Ok(Broadcasts::Served { ids, server: None });
                }
                let started =
                    BroadcastServer::start(lacking.into_iter().map(|id| (id, values[&id].clone())).collect())?;
                let address = started.address();
                *server = Some(started);
                Ok(Broadcasts::Served { ids, server: Some(address) })
            }
        }
    }
}

impl BroadcastFile {
    pub(crate) fn new(value: Bytes) -> Self {
        Self { value, written: Mutex::default() }
    }

    fn file(&self, id: i64, context: &TaskContext) -> io::Result<Arc<WrittenFile>> {
        /// A value that was dropped may have come back while a task still reads the file of the first.
        static COPIES: AtomicU64 = AtomicU64::new(0);
        let mut written = self.written.lock();
        if let Some(file) = &*written {
            return Ok(Arc::clone(file));
        }
        let copy = COPIES.fetch_add(1, Ordering::Relaxed);
        let path = context.environment().local_dirs().path_to_write(&format!("python_broadcast_{id}_{copy}"))?;
        let file = Arc::new(WrittenFile(path));
        fs::write(&file.0, &self.value)?;
        Ok(Arc::clone(written.insert(file)))
    }
}

impl WrittenFile {
    pub(crate) fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for WrittenFile {
    fn drop(&mut self) {
        // If it cannot be removed, it goes with the local directories; if those have gone, so has it.
        let _ = fs::remove_file(&self.0);
    }
}

impl Serialize for BroadcastFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BroadcastFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bytes::deserialize(deserializer).map(Self::new)
    }
}
