//! The one small asynchronous runtime, for libraries that cannot do without.

use std::{future::Future, sync::OnceLock};

use firesteel_rpc::check_threads;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{FileError, FilePath};

/// Two threads move bytes between sockets and buffers; the task threads that wait for them do the rest.
const THREADS: usize = 2;

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

/// The runtime, started by the first file system that needs it.
pub(crate) fn handle(path: &FilePath) -> Result<Handle, FileError> {
    shared().map_err(|error| FileError::SetUp { path: path.clone(), source: error.into() })
}

/// As above, for whoever has another way to say where it failed.
pub(crate) fn shared() -> Result<Handle, String> {
    let start = || {
        check_threads(THREADS).map_err(|error| error.to_string())?;
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("firesteel-filesystem").enable_all();
        builder.build().map_err(|error| format!("the I/O threads could not be started: {error}"))
    };
    RUNTIME.get_or_init(start).as_ref().map(|runtime| runtime.handle().clone()).map_err(Clone::clone)
}

/// Runs clean-up from a destructor, which may run anywhere: waits for it unless that would block an asynchronous task.
pub(crate) fn clean_up(handle: &Handle, work: impl Future<Output = ()> + Send + 'static) {
    if Handle::try_current().is_ok() {
        handle.spawn(work);
    } else {
        handle.block_on(work);
    }
}
