//! The threads of the data plane.

use std::{future::Future, io, num::NonZeroUsize};

use firesteel_rpc::check_threads;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

/// The threads of the data plane: apart from those of the control plane, so that a slow disk or a long `sendfile` does not hold
/// up heartbeats. One for each process serves its server and its client. Dropping it stops both.
#[derive(Debug)]
pub struct TransferRuntime {
    runtime: Option<Runtime>,
}

impl TransferRuntime {
    /// Starts the threads: `spark.shuffle.io.serverThreads`; two are enough for 10 Gbit/s.
    pub fn new(threads: NonZeroUsize) -> io::Result<Self> {
        check_threads(threads.get())?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.get())
            .thread_name("transfer")
            .enable_io()
            .enable_time()
            .build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("there until dropped").handle()
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.handle().spawn(future)
    }
}

impl Drop for TransferRuntime {
    /// Does not wait for the threads, and so may happen anywhere, in async code too.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
