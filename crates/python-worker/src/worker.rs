//! One worker process.

use std::{collections::BTreeSet, io, net::TcpStream, sync::Arc};

use crate::factory::Pool;

/// A worker, for one task. It is killed when this is dropped, unless it was given back.
#[derive(Debug)]
pub struct Worker {
    /// Until it is given back.
    connected: Option<Connected>,
    pool: Arc<Pool>,
}

/// The connection to a worker, which lives as long as that is open.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: TcpStream,
    pub(crate) pid: i32,
    /// The broadcast values that it holds.
    pub(crate) broadcasts: BTreeSet<i64>,
}

impl Connected {
    /// Has it closed the connection, or said something that nobody asked for, while it was idle?
    pub(crate) fn is_broken(&self) -> bool {
        let mut byte = [0];
        !matches!(self.stream.peek(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Worker {
    pub(crate) fn new(connected: Connected, pool: Arc<Pool>) -> Self {
        Self { connected: Some(connected), pool }
    }

    pub(crate) fn connected(&mut self) -> &mut Connected {
        self.connected.as_mut().expect("a worker that is given back is consumed")
    }

    /// It has done its task and waits for another.
    pub(crate) fn give_back(mut self) {
        self.pool.idle.lock().extend(self.connected.take());
    }

    /// It has ended by itself.
    pub(crate) fn forget(mut self) {
        self.connected = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(connected) = self.connected.take() {
            // First the kill: as long as the connection is open, the process is this worker and no other.
            self.pool.daemon.kill(connected.pid);
        }
    }
}
