//! Broadcast values of Python: a file that the program has written, and on every executor a file that workers read.

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use firesteel::Broadcast;
use firesteel_executor::{TaskContext, TaskFailure};
use parking_lot::Mutex;

/// Files of this process, by the id of the value. The place is locked while its file is written.
static FILES: LazyLock<Mutex<HashMap<u64, Place>>> = LazyLock::new(Mutex::default);

type Place = Arc<Mutex<Option<PathBuf>>>;

/// A broadcast value with the id that Python knows it by.
#[derive(Clone, Debug)]
pub(crate) struct PythonBroadcast(pub(crate) Broadcast<Bytes>);

impl PythonBroadcast {
    pub(crate) fn id(&self) -> i64 {
        id(&self.0)
    }
}

fn id(broadcast: &Broadcast<Bytes>) -> i64 {
    broadcast.id().0 as i64
}

/// The ids of these values and where their files are in this process, for a worker. Those that are not here yet are fetched.
pub(crate) fn files(broadcasts: &[Broadcast<Bytes>], context: &TaskContext) -> Vec<(i64, String)> {
    broadcasts.iter().map(|broadcast| (id(broadcast), file(broadcast, context))).collect()
}

fn file(broadcast: &Broadcast<Bytes>, context: &TaskContext) -> String {
    // Also where the file is here: a value that was destroyed must not be found.
    let value = broadcast.value();
    let place = Arc::clone(FILES.lock().entry(broadcast.id().0).or_default());
    let mut place = place.lock();
    let path = match &*place {
        // It goes with the local directories of an application, after which ids may begin anew.
        Some(path) if path.exists() => path.clone(),
        _ => {
            let path =
                write(broadcast.id().0, value, context).unwrap_or_else(|error| TaskFailure::from_error(&error).throw());
            place.insert(path).clone()
        }
    };
    path.to_string_lossy().into_owned()
}

fn write(id: u64, value: &Bytes, context: &TaskContext) -> io::Result<PathBuf> {
    let path = context.environment().local_dirs().path_to_write(&format!("python_broadcast_{id}"))?;
    fs::write(&path, value)?;
    Ok(path)
}
